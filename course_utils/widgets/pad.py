"""The pad: a picture to draw on in the notebook, with mouse, finger or pen."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets
from PIL import Image

from .. import editing
from .parts import jpeg

INKS = {"scribble": editing.WHITE, "over": "#c8553d", "mask": editing.WHITE}  # that a pad starts with
BRUSHES = {"scribble": 3 / 256, "over": 8 / 256, "mask": 24 / 256}  # shares of the picture's smaller side
OPACITIES = {"scribble": 0.4, "over": 1.0, "mask": 0.7}  # of the picture below
MARKED = ("#ff3d7f", 0.6)  # the colour that marks are shown in, and how much of it


class Pad(anywidget.AnyWidget):
    """A drawing, kept as strokes: they survive a page that is loaded again, and Python draws them the same.

    Args:
        height, width: of the drawing, pixels.
        mode: "scribble" draws white lines on black, a picture below is there to be traced; "over" draws in colour on
            a picture and marks what of it may change; "mask" only marks.
        picture: what lies below at first.

    Raises:
        traitlets.TraitError: an unknown mode.
    """

    _esm = Path(__file__).with_name("pad.js")
    _css = Path(__file__).with_name("pad.css")

    height = traitlets.Int().tag(sync=True)
    width = traitlets.Int().tag(sync=True)
    mode = traitlets.Enum(list(INKS), "scribble").tag(sync=True)
    strokes = traitlets.List().tag(sync=True)  # [ink, width, [x, y, x, y, ...]], as editing.paint takes them
    ink = traitlets.Unicode().tag(sync=True)
    brush = traitlets.Int().tag(sync=True)  # the width that a pad starts with, pixels
    underlay = traitlets.CBytes().tag(sync=True)  # the picture below, for the browser
    opacity = traitlets.Float().tag(sync=True)

    def __init__(
        self, height: int = 256, width: int = 256, mode: str = "scribble", picture: Image.Image | None = None
    ) -> None:
        super().__init__(height=height, width=width, mode=mode)
        self.ink, self.opacity = INKS[mode], OPACITIES[mode]
        self.brush = max(1, round(BRUSHES[mode] * min(height, width)))
        self._below: Image.Image | None = None
        if picture is not None:
            self.load(picture)

    def load(self, image: Image.Image | None) -> None:
        """Put a picture below the drawing, stretched to the pad's size; None takes it away."""
        size = (self.width, self.height)
        self._below = image and image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        self.underlay = jpeg(self._below) if image else b""

    def clear(self) -> None:
        """Take the drawing away; the picture below stays."""
        self.strokes = []

    def picture(self) -> Image.Image:
        """Return the drawing: white lines on black (RGB), what is drawn over the picture (RGB), or the mask (L)."""
        if self.mode == "mask":
            return self.mask()
        if self.mode == "scribble":
            return editing.scribble(self.strokes, self.height, self.width)
        return editing.paint(self._paper(), self.strokes)

    def mask(self) -> Image.Image:
        """Return what the marks cover: L, white on black."""
        return editing.mask(self.strokes, self.height, self.width)

    def shown(self) -> Image.Image:
        """Return what is to be seen on the screen: the drawing, the marks, and the picture below, dimmed."""
        paper = Image.new("RGB", (self.width, self.height), editing.WHITE if self.mode == "over" else editing.BLACK)
        if self._below is not None:
            paper = Image.blend(paper, self._below, self.opacity)
        drawn = editing.paint(paper, self.strokes)
        colour, share = MARKED
        drawn.paste(colour, mask=self.mask().point(lambda value: round(value * share)))
        return drawn

    def _paper(self) -> Image.Image:
        return self._below or Image.new("RGB", (self.width, self.height), editing.WHITE)
