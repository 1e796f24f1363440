"""What the studio's knobs stand at, as plain data: units, LoRAs, excited words, a source; the call; the scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from .. import adherence, controls, editing
from ..controlnet import MODES
from ..controlnet.steering import BALANCED
from ..validation import Choice, Share
from .controlnet import alone, steering
from .img2img import from_picture
from .lora import Weighted
from .pictures import PictureSource, frozen
from .record import Argument, Settings
from .units import Unit

if TYPE_CHECKING:
    from PIL import Image

LINES = ("canny", "mlsd", "scribble")  # whose maps are edges: a picture's own map can be held against them anywhere
LOOSEST = 0.4  # of the steps: where a control ends whose strength is nearly 0


@dataclass(frozen=True)
class StudioUnit(Unit):
    """One control with what the tab has beside its weight."""

    enabled: bool = True
    mode: Annotated[str, Choice(MODES)] = BALANCED
    region: tuple = ()  # strokes; where they mark, alone it counts; without any, everywhere
    region_file: str = ""  # a mask that they are drawn on, white where it counts, as large as the picture

    @classmethod
    def of(cls, found: dict[str, Any]) -> StudioUnit:
        """Return a unit from what JSON made of it."""
        return super().of(found | {"region": frozen(found["region"])})

    def mask(self, height: int, width: int) -> Image.Image | None:
        """Return the region: L, white where it counts; None for all of the picture."""
        if not self.bounded(height, width):
            return None
        return editing.mask(self.region, height, width, self.region_file or None)

    def bounded(self, height: int, width: int) -> bool:
        """Tell whether there is a region; its file is not looked into."""
        return bool(self.region_file) or editing.mask(self.region, height, width).getbbox() is not None


def loosened(strength: float) -> tuple[float, float]:
    """Give (scale, end) of one strength, 0-2: a weak control is quieter *and* falls silent earlier."""
    return strength, round(min(1.0, LOOSEST + (1 - LOOSEST) * strength), 2)


@dataclass(frozen=True)
class StudioSettings(Settings):
    """The knobs of one run of the studio."""

    kind: ClassVar[str] = "studio"
    nested: ClassVar[dict[str, Any]] = {
        "units": lambda units: tuple(map(StudioUnit.of, units)),
        "loras": lambda loras: tuple(map(tuple, loras)),
        "words": tuple,
        "source": PictureSource.of,
    }

    units: tuple[StudioUnit, ...]
    loras: Weighted
    words: tuple[str | int, ...]  # that are excited
    use_source: bool  # start from `source` instead of noise alone
    source: PictureSource  # with what is drawn on it, and marks where alone it may change
    strength: Share  # how far from the source a run may go
    base: str = ""  # of the sd15 lane: a folder or file of the learner's own; empty is the table's

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.base and self.lane != "sd15":
            raise ValueError(f"base={self.base!r} goes with the sd15 lane; on the {self.lane} lane leave it empty.")

    @property
    def active(self) -> tuple[StudioUnit, ...]:
        """Return the units that steer."""
        return tuple(unit for unit in self.units if unit.enabled and unit.scale)

    @property
    def used(self) -> Weighted:
        """Return the LoRAs whose weight is not 0."""
        return tuple((path, weight) for path, weight in self.loras if weight)

    @property
    def pipeline(self) -> str:
        """Return the kind of pipeline, of `catalog.load`."""
        steered = "controlnet" if self.active else ""
        return "_".join(filter(None, (steered, "img2img" if self.use_source else ""))) or "text2img"

    def loading(self) -> dict[str, Any]:
        """Return the arguments of `catalog.load` after the pipeline's kind."""
        names = [unit.control for unit in self.active]
        own = {"base": self.base} if self.base else {}
        return super().loading() | own | ({"control": alone(names)} if names else {})

    def maps(self) -> list[Image.Image]:
        """Return the control maps of the active units."""
        return [unit.map(self.height, self.width, self.lane) for unit in self.active]

    def call(self) -> list[Argument]:
        """Return what the pipeline is called with, the generator excepted."""
        call = from_picture(self, self.source) if self.use_source else super().call()
        if not self.active:
            return call
        image, scale = steering(self._names("control"), self.maps, [unit.scale for unit in self.active])
        return [
            *call,
            image._replace(name="control_image" if self.use_source else "image"),
            scale,
            Argument("control_guidance_start", alone([unit.start for unit in self.active])),
            Argument("control_guidance_end", alone([unit.end for unit in self.active])),
        ]

    def _names(self, stem: str) -> list[str]:
        return [f"{stem}_{place}" for place in range(1, len(self.active) + 1)]

    def preparation(self) -> str:
        """Return Python that makes the pictures, maps and regions, and reads the LoRAs."""
        size = (self.height, self.width)
        lines = self.source.code(*size) if self.use_source else ""
        for place, unit in enumerate(self.active, 1):
            lines += unit.code(*size, self.lane, f"_{place}")
            if unit.bounded(*size):
                on = f", {unit.region_file!r}" if unit.region_file else ""
                lines += f"region_{place} = editing.mask({unit.region!r}, {size[0]}, {size[1]}{on})\n"
        reading = "".join(f"    personalize.read({path!r}, pipe),\n" for path, _ in self.used)
        return lines + (f"loras = [\n{reading}]\n" if reading else "")

    def context(self) -> str:
        """Return Python for the `with` around the call."""
        around = []
        if self.used:
            around.append(f"personalize.attached(pipe, *loras, weights={[weight for _, weight in self.used]})")
        if self.bent:
            names = zip(self.active, self._names("region"), strict=True)
            regions = ", ".join(name if unit.bounded(self.height, self.width) else "None" for unit, name in names)
            around.append(f"controlnet.steered(pipe, {[unit.mode for unit in self.active]}, [{regions}])")
        if self.words:
            config = f"excite.AttendExciteConfig.for_lane({self.lane!r})"
            around.append(f"excite.exciting(pipe, {list(self.words)!r}, {config})")
        return ", ".join(around)

    def check_strokes(self) -> None:
        """Raise unless all that is drawn can be drawn.

        Raises:
            ValueError: something that is no stroke.
        """
        pictures = (self.source, *(unit.picture for unit in self.units))
        for strokes in (*(picture.strokes for picture in pictures), *(unit.region for unit in self.units)):
            editing.mask(strokes, self.height, self.width)
            editing.scribble(strokes, self.height, self.width)

    @property
    def bent(self) -> bool:
        """Tell whether a unit has a mode or a region of its own."""
        return any(unit.mode != BALANCED or unit.bounded(self.height, self.width) for unit in self.active)


def obeyed(settings: StudioSettings, unit: StudioUnit, *pictures: Image.Image) -> list[float]:
    """Say how far pictures obey a unit, 0-1; nan where nobody can know.

    On clay, of a scene or a doll, it is lesson 04's adherence to the truth. Edges, lines and outlines are held against
    the map itself, wherever the picture comes from.
    """
    if settings.lane == "clay" and unit.picture.kind in ("scene", "doll"):
        made = unit.picture.render(settings.height, settings.width)
        return [controls.adherence_of(unit.control, made, picture) for picture in pictures]
    if unit.control not in LINES:
        return [math.nan] * len(pictures)
    wanted = np.asarray(unit.map(settings.height, settings.width, settings.lane))[..., 0] > 127
    known = {knob.name for knob in controls.KINDS[unit.control].preprocessors["clay"].knobs}
    knobs = {name: value for name, value in unit.knobs if name in known}
    found = (np.asarray(controls.make(unit.control, picture, "clay", **knobs))[..., 0] > 127 for picture in pictures)
    return [adherence.edge_f1(wanted, drawn) for drawn in found]


def axes(settings: StudioSettings) -> dict[str, tuple[tuple, float]]:
    """Return the knobs that a grid can turn: where each stands in the settings, and what turning it costs."""
    found: dict[str, tuple[tuple, float]] = {
        name: ((name,), 0.0) for name in ("seed", "prompt", "num_inference_steps", "guidance_scale", "scheduler")
    }
    for place in range(len(settings.units)):
        for name, cost in (("strength", 0.0), ("scale", 0.0), ("start", 0.0), ("end", 0.0), ("mode", 0.0),
                           ("control", 2.0)):  # fmt: skip
            found[f"unit {place + 1}: {name}"] = (("units", place, name), cost)
    for place in range(len(settings.loras)):
        found[f"LoRA {place + 1}: weight"] = (("loras", place, 1), 1.0)
    return found | ({"strength": (("strength",), 0.0)} if settings.use_source else {})


def turned(settings: Any, where: Sequence, value: Any) -> Any:
    """Return settings with one knob turned, see `axes`."""
    name, *rest = where
    if isinstance(settings, tuple):
        changed = turned(settings[name], rest, value) if rest else value
        return settings[:name] + (changed,) + settings[name + 1 :]
    if rest:
        return replace(settings, **{name: turned(getattr(settings, name), rest, value)})
    if name == "strength" and isinstance(settings, StudioUnit):
        scale, end = loosened(value)
        return replace(settings, scale=scale, end=end)
    return replace(settings, **{name: value})


def ordered(x: Sequence, y: Sequence, x_cost: float, y_cost: float) -> list[tuple[int, int]]:
    """Return a grid's cells (column, row) so that the dear knob is turned least often."""
    columns, rows = range(len(x)), range(len(y))
    if x_cost > y_cost:
        return [(column, row) for column in columns for row in rows]
    return [(column, row) for row in rows for column in columns]
