"""Controls as knobs: each a picture, what is made of it, and how strongly it steers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipywidgets import Dropdown, FloatRangeSlider, HBox, VBox

from .. import catalog, controls
from ..catalog.calls import Weight
from ..validation import Share, check_config
from .parts import Message, button, classed, field, show_only, slider, toggles
from .picture_knob import PictureKnob
from .pictures import PictureSource, true_map_code

if TYPE_CHECKING:
    from PIL import Image

    from .running import Outbox

MAP = "control map"
NOTHING, TRUTH = "none", "truth"  # preprocessors beside the controls' own
SUITS = {"paper": NOTHING, "doll": TRUTH}  # kinds of picture whose map nobody has to guess
NAMES = {NOTHING: "none: it is a map already", TRUTH: "the scene's truth"}
MOST = 4  # units
GIVEN: dict[tuple, Image.Image] = {}  # maps by their recipe that came with a picture: they are not made anew


@dataclass(frozen=True)
class Unit:
    """One control."""

    picture: PictureSource
    preprocessor: str  # a key of controls.KINDS, NOTHING or TRUTH
    control: str  # of catalog.control_names: the model
    scale: Weight = 1.0
    start: Share = 0.0  # of the steps
    end: Share = 1.0
    knobs: tuple[tuple[str, float], ...] = ()  # of the preprocessor that are turned, by name

    def __post_init__(self) -> None:
        check_config(self)

    @classmethod
    def of(cls, found: dict[str, Any]) -> Unit:
        """Return a unit from what JSON made of it."""
        knobs = tuple(map(tuple, found.get("knobs", ())))
        return cls(**found | {"picture": PictureSource.of(found["picture"]), "knobs": knobs})

    def map(self, height: int, width: int, lane: str) -> Image.Image:
        """Return the control map, made by the lane's preprocessor; what Preview made is not made again."""
        recipe = self.recipe(height, width, lane)
        return (GIVEN.get(recipe) or _map(*recipe)).copy()

    def recipe(self, height: int, width: int, lane: str) -> tuple:
        """Return all that the map follows from."""
        file = Path(self.picture.file)
        written = file.stat().st_mtime_ns if self.picture.kind == "file" and file.is_file() else 0
        map_of = self.control if self.preprocessor in NAMES else ""
        return self.picture, self.preprocessor, self.knobs, map_of, height, width, lane, written

    def code(self, height: int, width: int, lane: str, number: str = "") -> str:
        """Return Python that makes `control`, its name with a number."""
        size, picture, turned = f"{height}, {width}", self.picture, "".join(f", {k}={v}" for k, v in self.knobs)
        if self.preprocessor == TRUTH:
            made = true_map_code(self.control, size, number, picture.kind == "doll")
        elif self.preprocessor != NOTHING:
            made = f"controls.make({self.preprocessor!r}, picture{number}, lane={lane!r}{turned})"
        elif picture.kind == "file":
            made = f"controls.as_map({picture.file!r}, {self.control!r}, {size}{picture.resizing})"
        else:
            made = f"picture{number}"
        return f"{picture.code(height, width, number)}control{number} = {made}\n"


@lru_cache(maxsize=8)
def _map(
    picture: PictureSource,
    preprocessor: str,
    knobs: tuple,
    map_of: str,
    height: int,
    width: int,
    lane: str,
    written: int,
) -> Image.Image:
    """Make a control map; `written` is when the picture's file was, so that another one is read anew."""
    if preprocessor == TRUTH:
        return picture.truth(map_of, height, width)
    if preprocessor == NOTHING and picture.kind == "file":
        return controls.as_map(picture.file, map_of, height, width, picture.resize)
    image = picture.picture(height, width)
    return image if preprocessor == NOTHING else controls.make(preprocessor, image, lane, **dict(knobs))


def unit(picture: PictureSource, control: str) -> Unit:
    """Return a control at full strength from the first step to the last, its map made from the picture."""
    return Unit(picture, NOTHING if picture.kind == "paper" else control, control)


class UnitKnob(VBox):
    """The knobs of one control; its value is a `Unit`."""

    _kinds: tuple[str, ...] | None = None  # of picture, see `PictureKnob`

    def __init__(self, unit: Unit, height: int, width: int, folder: Path, lane: str) -> None:
        self.control = field(Dropdown, "Model", options=list(catalog.control_names(lane)))
        makers = [kind.name for kind in controls.KINDS.values() if lane in kind.preprocessors]
        ways = [(NAMES.get(way, way), way) for way in (*makers, *NAMES)]
        self.preprocessor = field(Dropdown, "Preprocessor", options=ways)
        self.lane, self.tuning = lane, VBox()
        above = (self.preprocessor, self.tuning)
        self.source = PictureKnob(unit.picture, height, width, folder, "scribble", (MAP,), above, self._kinds)
        self.scale = slider("scale", "Scale", unit.scale, 0, 2, 0.05)
        span = {"value": (unit.start, unit.end), "min": 0, "max": 1, "step": 0.05}
        self.span = classed(field(FloatRangeSlider, "From / to", **span), "span")
        self.notes = Message("warning")
        super().__init__([self.source, self.notes, self.control, self.scale, self.span])
        classed(self, "unit")
        self.value = unit
        self.control.observe(self._follow, "value")
        self.source.kind.observe(self._suit, "value")
        self.preprocessor.observe(lambda change: self._tune(), "value")

    @property
    def value(self) -> Unit:
        """Return what the knobs stand at now."""
        turned = tuple((knob.description, knob.value) for knob in self.tuning.children)
        knobs = turned if turned != tuple((knob.name, knob.value) for knob in self._known()) else ()
        way, control = self.preprocessor.value, self.control.value
        return Unit(self.source.value, way, control, self.scale.value, *self.span.value, knobs)

    @value.setter
    def value(self, unit: Unit) -> None:
        self.source.value, self.control.value, self.scale.value = unit.picture, unit.control, unit.scale
        self.span.value, self.preprocessor.value = (unit.start, unit.end), unit.preprocessor
        self._tune(dict(unit.knobs))

    def show(self, image: Image.Image, outbox: Outbox) -> None:
        """Show the control map, and what is wrong with it."""
        self.source.looks.show(MAP, image, outbox)
        self.notes.say(outbox, *controls.problems(image, self.control.value, *self.source.size))

    def _follow(self, change: Any) -> None:
        """Preprocessor and model are a pair: let the one follow the other, unless it is no control's."""
        self.source.forget()
        if self.preprocessor.value == change["old"]:
            self.preprocessor.value = change["new"]

    def _suit(self, change: Any) -> None:
        """Take a drawing as it is, a doll's truth, and have a map made of a picture."""
        if change["new"] in SUITS:
            self.preprocessor.value = SUITS[change["new"]]
        elif change["old"] in SUITS:
            self.preprocessor.value = self.control.value

    def _known(self) -> tuple[controls.Knob, ...]:
        """Return the knobs of the preprocessor."""
        way = self.preprocessor.value
        return () if way in NAMES else controls.KINDS[way].preprocessors[self.lane].knobs

    def _tune(self, turned: Mapping[str, float] | None = None) -> None:
        """Show the preprocessor's knobs, and forget the map that was made otherwise."""
        self.tuning.children = [
            slider(each.name, each.name, (turned or {}).get(each.name, each.value), each.low, each.high,
                   1 if isinstance(each.value, int) else 0.01)
            for each in self._known()
        ]  # fmt: skip
        for each in self.tuning.children:
            each.observe(lambda change: self.source.forget(), "value")
        self.source.forget()


class Units(VBox):
    """A knob whose value is a tuple of `Unit`: one, or with `many` as many as are added, one of them on show.

    Buttons choose which: ipywidgets' Tab loses its pages on Colab (colabtools issue 3571).
    """

    def __init__(self, units: Sequence[Unit], height: int, width: int, folder: Path, lane: str, many: bool) -> None:
        self._place, self.knobs = (height, width, folder, lane), ()
        self.add = button("Add a control", 130, icon="plus")
        self.remove = button("Remove this one", 150, icon="minus")
        self.choice, self.shown = toggles("Control"), VBox()
        self.add.on_click(lambda button: self._grow())
        self.remove.on_click(lambda button: self._shrink())
        self.choice.observe(lambda change: self._show(), "value")
        actions = classed(HBox([self.add, self.remove]), "actions")
        super().__init__([self.choice, self.shown, actions] if many else [self.shown])
        classed(self.shown, "unit")
        self.value = tuple(units)

    @property
    def value(self) -> tuple[Unit, ...]:
        """Return what the knobs stand at now."""
        return tuple(knob.value for knob in self.knobs)

    @value.setter
    def value(self, units: tuple[Unit, ...]) -> None:
        if not 1 <= len(units) <= MOST:
            raise ValueError(f"units holds {len(units)} controls; this panel has room for 1 to {MOST}.")
        for knob, unit in zip(self.knobs, units, strict=False):
            knob.value = unit
        kept = self.knobs[: len(units)]
        self._put([*kept, *map(self._make, units[len(kept) :])], 0)

    def show(self, images: Sequence[Image.Image], outbox: Outbox) -> None:
        """Show the control maps, one for each unit that is still there."""
        for knob, image in zip(self.knobs, images, strict=False):
            knob.show(image, outbox)

    def _make(self, unit: Unit) -> UnitKnob:
        knob = self._knob(unit)
        knob.control.observe(lambda change: self._put(self.knobs, self.choice.index or 0), "value")
        return knob

    def _knob(self, unit: Unit) -> UnitKnob:
        return UnitKnob(unit, *self._place)

    def _grow(self) -> None:
        """Add a copy of the unit on show: its picture is often wanted for the next control too."""
        knobs = [*self.knobs, self._make(self.knobs[self.choice.index].value)]
        self._put(knobs, len(knobs) - 1)

    def _shrink(self) -> None:
        place, knobs = self.choice.index, list(self.knobs)
        del knobs[place]
        self._put(knobs, max(0, place - 1))

    def _put(self, knobs: Sequence[UnitKnob], place: int) -> None:
        """Take the knobs, and show the one at a place."""
        self.knobs = tuple(knobs)
        self.choice.options = [f"{number} · {knob.control.value}" for number, knob in enumerate(knobs, 1)]
        self.choice.index = place
        self.add.disabled, self.remove.disabled = len(knobs) >= MOST, len(knobs) == 1
        self._show()

    def _show(self) -> None:
        """Put the chosen unit on the page; all others are kept as they are."""
        self.shown.children = self.knobs
        show_only(dict(enumerate(self.knobs)), self.choice.index)
