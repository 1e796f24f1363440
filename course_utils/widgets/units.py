"""Controls as knobs: each a picture, what is made of it, and how strongly it steers."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, Button, Dropdown, FloatRangeSlider, HBox, Layout, Tab, VBox

from .. import catalog, controls
from .given import Given
from .knobs import slider
from .parts import LABELS, classed
from .source import Source

if TYPE_CHECKING:
    from PIL import Image

    from .post import Post

MAP = "control map"
NOTHING, TRUTH = "none", "truth"  # preprocessors beside the controls' own
NAMES = {NOTHING: "none: it is a map already", TRUTH: "the scene's truth"}
MOST = 4  # units


@dataclass(frozen=True)
class Unit:
    """One control."""

    given: Given
    preprocessor: str  # one of catalog.CONTROLS, NOTHING or TRUTH
    control: str  # one of catalog.CONTROLS: the model
    scale: float
    start: float  # share of the steps, 0-1
    end: float

    @classmethod
    def of(cls, found: dict[str, Any]) -> Unit:
        """Return a unit from what JSON made of it."""
        return cls(**found | {"given": Given.of(found["given"])})

    def map(self, height: int, width: int, lane: str) -> Image.Image:
        """Return the control map, made by the lane's preprocessor."""
        if self.preprocessor == TRUTH:
            return controls.from_truth(self.given.render(height, width), self.control)
        picture = self.given.picture(height, width)
        return picture if self.preprocessor == NOTHING else controls.make(self.preprocessor, picture, lane)

    def code(self, height: int, width: int, lane: str, number: str = "") -> str:
        """Return Python that makes `control`, its name with a number."""
        made = {
            NOTHING: f"picture{number}",
            TRUTH: f"controls.from_truth(made{number}, {self.control!r})",
        }.get(self.preprocessor, f"controls.make({self.preprocessor!r}, picture{number}, lane={lane!r})")
        return f"{self.given.code(height, width, number)}control{number} = {made}\n"


class UnitKnob(VBox):
    """The knobs of one control; its value is a `Unit`."""

    def __init__(self, unit: Unit, height: int, width: int, folder: Path) -> None:
        wide = {"style": LABELS, "layout": Layout(width="auto")}
        self.control = Dropdown(options=list(catalog.CONTROLS), description="Model", **wide)
        ways = [*catalog.CONTROLS, *NAMES]
        self.preprocessor = Dropdown(
            options=[(NAMES.get(way, way), way) for way in ways], description="Preprocessor", **wide
        )
        self.source = Source(unit.given, height, width, folder, "scribble", (MAP,), (self.preprocessor,))
        self.scale = slider("Scale", unit.scale, 0, 2, 0.05)
        self.span = FloatRangeSlider(
            value=(unit.start, unit.end), min=0, max=1, step=0.05, description="From / to", **wide
        )
        classed(self.span, "span")
        self.notes = classed(HTML(layout=Layout(display="none")), "warning")
        super().__init__([self.source, self.notes, self.control, self.scale, self.span])
        classed(self, "unit")
        self.value = unit
        self.control.observe(self._follow, "value")
        self.source.kind.observe(self._suit, "value")
        self.preprocessor.observe(lambda change: self.source.forget(), "value")

    @property
    def value(self) -> Unit:
        """Return what the knobs say now."""
        return Unit(self.source.value, self.preprocessor.value, self.control.value, self.scale.value, *self.span.value)

    @value.setter
    def value(self, unit: Unit) -> None:
        self.source.value, self.control.value, self.scale.value = unit.given, unit.control, unit.scale
        self.span.value, self.preprocessor.value = (unit.start, unit.end), unit.preprocessor

    def show(self, image: Image.Image, post: Post) -> None:
        """Show the control map, and what is wrong with it."""
        self.source.looks.show(MAP, image, post)
        problems = controls.problems(image, self.control.value, *self.source.size)
        post(self.notes, value="<br>".join(map(html.escape, problems)))
        post(self.notes.layout, display=None if problems else "none")

    def _follow(self, change: Any) -> None:
        """Preprocessor and model are a pair: let the one follow the other, unless it is no control's."""
        self.source.forget()
        if self.preprocessor.value == change["old"]:
            self.preprocessor.value = change["new"]

    def _suit(self, change: Any) -> None:
        """Take a drawing as it is, and have a map made of a picture."""
        if change["new"] == "paper":
            self.preprocessor.value = NOTHING
        elif change["old"] == "paper":
            self.preprocessor.value = self.control.value


class Units(VBox):
    """A knob whose value is a tuple of `Unit`: one, or with `many` as many as are added, each on a tab of its own."""

    def __init__(self, units: Sequence[Unit], height: int, width: int, folder: Path, many: bool) -> None:
        self._place, self.many = (height, width, folder), many
        self.add = Button(description="Add a control", icon="plus", layout=Layout(width="130px"))
        self.remove = Button(description="Remove this one", icon="minus", layout=Layout(width="150px"))
        self.add.on_click(lambda button: self._grow())
        self.remove.on_click(lambda button: self._shrink())
        self.tabs = Tab(layout=Layout(width="auto"))
        buttons = classed(HBox([self.add, self.remove]), "actions")
        super().__init__([self.tabs, buttons] if many else [])
        self.value = tuple(units)

    @property
    def knobs(self) -> tuple[UnitKnob, ...]:
        """Return the units' knobs, in their order."""
        return self.tabs.children if self.many else self.children

    @property
    def value(self) -> tuple[Unit, ...]:
        """Return what the knobs say now."""
        return tuple(knob.value for knob in self.knobs)

    @value.setter
    def value(self, units: tuple[Unit, ...]) -> None:
        for knob, unit in zip(self.knobs, units, strict=False):
            knob.value = unit
        kept = self.knobs[: len(units)]
        self._put([*kept, *map(self._make, units[len(kept) :])])

    def show(self, images: Sequence[Image.Image], post: Post) -> None:
        """Show the control maps, one for each unit that is still there."""
        for knob, image in zip(self.knobs, images, strict=False):
            knob.show(image, post)

    def _make(self, unit: Unit) -> UnitKnob:
        knob = UnitKnob(unit, *self._place)
        knob.control.observe(lambda change: self._name(), "value")
        return knob

    def _grow(self) -> None:
        """Add a copy of the unit on show: its picture is often wanted for the next control too."""
        knobs = [*self.knobs, self._make(self.knobs[self.tabs.selected_index or 0].value)]
        self._put(knobs, len(knobs) - 1)

    def _shrink(self) -> None:
        place = self.tabs.selected_index or 0
        knobs = list(self.knobs)
        del knobs[place]
        self._put(knobs, max(0, place - 1))

    def _put(self, knobs: Sequence[UnitKnob], place: int = 0) -> None:
        if not self.many:
            self.children = tuple(knobs)
            return
        self.tabs.children = tuple(knobs)
        self.tabs.selected_index = place
        self.add.disabled, self.remove.disabled = len(knobs) >= MOST, len(knobs) == 1
        self._name()

    def _name(self) -> None:
        if self.many:
            for number, knob in enumerate(self.knobs):
                self.tabs.set_title(number, f"{number + 1} · {knob.control.value}")


def unit(given: Given, control: str) -> Unit:
    """Return a control at full strength from the first step to the last, its map made from the picture."""
    return Unit(given, NOTHING if given.kind == "paper" else control, control, 1.0, 0.0, 1.0)
