"""The studio's knobs: what folds, a control with all that the tab has, LoRAs with weights, a source, a grid's axes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, Button, Checkbox, Dropdown, HBox, Layout, Text, ToggleButton, VBox, Widget
from PIL import Image

from .. import personalize
from ..controlnet import MODES
from ..pictures import as_mask
from .browser import Pad, Upload
from .lora import LOUDEST, Weighted
from .parts import LABELS, Message, classed, indented, reason, slider
from .picture_knob import AT_ONCE, received
from .pictures import KINDS, frozen
from .studio_settings import StudioUnit, loosened
from .units import MAP, Unit, UnitKnob, Units

if TYPE_CHECKING:
    from .running import Outbox

WIDE = {"style": LABELS, "layout": Layout(width="auto")}
ROWS = 4  # LoRAs


class Fold(VBox):
    """A title that shows and hides what is below it: ipywidgets' own loses its pages on Colab."""

    def __init__(self, title: str, *below: Widget) -> None:
        self.title = ToggleButton(False, description=title, icon="caret-right", layout=Layout(width="auto"))
        self.below = VBox(below, layout=Layout(display="none"))
        super().__init__([self.title, self.below])
        classed(self, "fold")
        classed(self.below, "unit")
        self.title.observe(self._turn, "value")

    def _turn(self, change: Any) -> None:
        self.title.icon = "caret-down" if change.new else "caret-right"
        self.below.layout.display = None if change.new else "none"


class StudioUnitKnob(UnitKnob):
    """A control with one strength; the rest of what the tab has stands below Details. Its value is a `StudioUnit`."""

    _kinds = KINDS

    def __init__(self, unit: Unit, height: int, width: int, folder: Path, lane: str) -> None:
        self.enabled = Checkbox(True, description="Enable", indent=True, **WIDE)
        self.strength = slider("strength", "Strength", 1.0, 0, 2, 0.05)
        self.mode = Dropdown(options=list(MODES), description="Mode", **WIDE)
        self.region, self.obeyed = Pad(height, width, "over"), Message("notes")
        self.last = Button(description="Last result", layout=Layout(width="100px"), disabled=True)
        self.last.tooltip = "Take the last picture as this control's picture"
        self.mask, self.mask_error, self._mask_file = Upload(), Message("error"), ""
        self.no_mask = Button(description="No mask", layout=Layout(width="84px", display="none"))
        super().__init__(unit, height, width, folder, lane)
        files = indented(HBox([self.mask, self.no_mask]))
        region = Fold("Region: mark or upload where alone it counts", files, self.mask_error, indented(self.region))
        details = Fold("Details", self.scale, self.span, self.mode, region)
        first = [self.enabled, self.source, indented(self.last), self.notes, self.control]
        self.children = [*first, self.strength, self.obeyed, details]
        self.strength.observe(self._loosen, "value")
        self.control.observe(lambda change: self.obeyed.say(AT_ONCE), "value")  # another model has no score yet
        self.mask.observe(lambda change: self._came(change, folder), ["data", "problem"])
        self.no_mask.on_click(lambda clicked: self._masked(""))

    @property
    def value(self) -> StudioUnit:
        """Return what the knobs stand at now."""
        plain = super().value
        return StudioUnit(
            **vars(plain),
            enabled=self.enabled.value,
            mode=self.mode.value,
            region=frozen(self.region.strokes),
            region_file=self._mask_file,
        )

    @value.setter
    def value(self, unit: StudioUnit) -> None:
        self.enabled.value, self.mode.value = unit.enabled, unit.mode
        self.region.strokes = [[ink, width, list(points)] for ink, width, points in unit.region]
        self.strength.value = min(unit.scale, self.strength.max)  # scale and range follow, and are set after it
        UnitKnob.value.fset(self, unit)
        if unit.region_file != self._mask_file:
            self._masked(unit.region_file)

    def _loosen(self, change: Any) -> None:
        """One strength moves both: how loud a control is, and how long it speaks."""
        scale, end = loosened(change.new)
        self.scale.value, self.span.value = scale, (min(self.span.value[0], end), end)

    def show(self, image: Image.Image, outbox: Outbox) -> None:
        """Show the control map, and what is wrong with it; the region is painted over it."""
        super().show(image, outbox)
        if not outbox.hold:
            self._below(image)

    def _came(self, change: Any, folder: Path) -> None:
        """Take a mask that was uploaded: of the picture's shape, and as large as it from now on."""
        height, width = self.source.size

        def prepare(data: bytes, name: str) -> Image.Image:
            drawn = as_mask(data, name)
            if abs(drawn.width * height - drawn.height * width) > max(drawn.size + self.source.size):
                raise ValueError(
                    f"{name} has {drawn.height} x {drawn.width} pixels (height x width): a mask must have the "
                    f"picture's shape, {height} x {width}."
                )
            if not drawn.getbbox():
                raise ValueError(f"{name} is black everywhere: white is where the control shall count.")
            return drawn.resize((width, height), Image.Resampling.LANCZOS).convert("RGB")

        if file := received(change, self.mask_error, folder, prepare):
            self._masked(file)

    def _masked(self, file: str) -> None:
        """Take a mask's file, or none."""
        self._mask_file, self.mask.name = file, Path(file).name
        self.no_mask.layout.display = None if file else "none"
        self._below(self.source.looks.images.get(MAP))

    def _below(self, image: Image.Image | None) -> None:
        """Put a picture below the region's strokes, dark where the uploaded mask is black."""
        if image and self._mask_file:
            mask = as_mask(self._mask_file).resize(image.size)
            image = Image.composite(image, image.point(lambda value: value // 4), mask)
        self.region.load(image)


class StudioUnits(Units):
    """A stack of controls with all that the tab has."""

    def _knob(self, unit: Unit) -> StudioUnitKnob:
        return StudioUnitKnob(unit, *self._place)


class LoraRows(VBox):
    """A knob: files of LoRAs with their weights; a row without a file does not count."""

    def __init__(self, weighted: Weighted = ()) -> None:
        fields = [
            (Text(description="File", placeholder="one.safetensors", continuous_update=False, **WIDE),
             slider("weight", "Weight", 1.0, 0, LOUDEST, 0.05))
            for _ in range(ROWS)
        ]  # fmt: skip
        super().__init__([VBox([*pair, Message("notes")]) for pair in fields])
        for text, _ in fields:
            text.observe(lambda change: self._show(), "value")
        self.value = weighted

    @property
    def value(self) -> Weighted:
        """Return the files and their weights."""
        rows = (row.children for row in self.children)
        return tuple((text.value.strip(), weight.value) for text, weight, _ in rows if text.value.strip())

    @value.setter
    def value(self, weighted: Weighted) -> None:
        if len(weighted) > ROWS:
            raise ValueError(f"loras holds {len(weighted)} files; this panel has {ROWS} rows.")
        for row, (path, weight) in zip(self.children, [*weighted, *[("", 1.0)] * ROWS], strict=False):
            row.children[0].value, row.children[1].value = path, weight
        self._show()

    def _show(self) -> None:
        """Show the rows in use, and one more; of each file what it tells of its licence."""
        for place, row in enumerate(self.children):
            row.children[2].say(AT_ONCE, _licence(row.children[0].value.strip()))
            row.layout.display = None if place <= len(self.value) else "none"


def _licence(path: str) -> str:
    """Say what there is to say of a LoRA's file at once."""
    try:
        return personalize.licence(path) if path else ""
    except (OSError, ValueError) as problem:
        return reason(problem)


class GridKnobs(VBox):
    """Two knobs of the studio to turn, their values, and what that costs."""

    def __init__(self) -> None:
        self.names = [Dropdown(description=f"{axis} axis", **WIDE) for axis in "XY"]
        hint = "values, with commas between"
        self.values = [
            Text(description="Values", placeholder=hint, continuous_update=False, **WIDE) for _ in self.names
        ]
        self.run = Button(description="Run the grid", layout=Layout(width="112px"))
        self.cost = classed(HTML(), "status")
        pairs = zip(self.names, self.values, strict=True)
        super().__init__([*(widget for pair in pairs for widget in pair), indented(self.run), self.cost])
        classed(self, "unit")

    def offer(self, names: Sequence[str]) -> None:
        """Offer these knobs; what is chosen stays where it can."""
        for dropdown, first in zip(self.names, (0, 1), strict=True):
            kept = dropdown.value if dropdown.value in names else names[first]
            if tuple(names) != tuple(dropdown.options):
                dropdown.options = list(names)
            dropdown.value = kept
