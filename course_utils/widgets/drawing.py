"""A static picture of a panel, drawn from its widgets: what a reader sees where widgets show nothing."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from ipywidgets import Dropdown, FloatSlider, IntSlider, Textarea
from PIL import Image, ImageDraw

from ..plots import style
from .parts import STAGE, blank

if TYPE_CHECKING:
    from ipywidgets import Widget

    from .panel import Panel

SCALE = 1.5  # drawn pixels for each of the page's: letters stay sharp on fine screens
LABEL, FIELD, RIGHT = 18, 112, 28  # pixels of the page: where labels and fields begin, the gap before the stage
KNOBS = 440  # width of the left column
ROW, THUMB = 34, 72
RED = "#c0392b"
PALE, EDGE, BLUE = "#f4f6f7", "#cfd5d9", style.HUES[0]
NOTE = "A drawing of the panel: run the notebook to use it."


class _Paper:
    """Paper measured in the page's pixels."""

    def __init__(self, height: int, width: int) -> None:
        self.image = Image.new("RGB", (round(width * SCALE), round(height * SCALE)), style.PAPER)
        self._pen = ImageDraw.Draw(self.image)

    def box(self, left: float, top: float, right: float, bottom: float, fill: str, edge: str | None = None) -> None:
        corners = [round(value * SCALE) for value in (left, top, right, bottom)]
        self._pen.rounded_rectangle(corners, round(5 * SCALE), fill, edge, round(SCALE))

    def dot(self, x: float, y: float, radius: float, ink: str) -> None:
        self._pen.ellipse([v * SCALE for v in (x - radius, y - radius, x + radius, y + radius)], ink)

    def text(
        self, x: float, y: float, text: str, ink: str = style.INK, anchor: str = "lm", bold: bool = False
    ) -> None:
        self._pen.text((x * SCALE, y * SCALE), text, ink, style.font(round(13 * SCALE), bold), anchor)

    def lines(self, text: str, width: float, limit: int) -> list[str]:
        """Break a text for a field, at most `limit` lines."""
        lines = style.wrap(text, width * SCALE, style.font(round(13 * SCALE)))
        return lines if len(lines) <= limit else [*lines[: limit - 1], lines[limit - 1][:-1] + "…"]

    def picture(self, image: Image.Image, left: float, top: float, width: float, height: float) -> None:
        fitted = image.convert("RGB").resize((round(width * SCALE), round(height * SCALE)), Image.Resampling.LANCZOS)
        self.image.paste(fitted, (round(left * SCALE), round(top * SCALE)))

    def button(self, left: float, middle: float, width: float, text: str, main: bool = False) -> None:
        self.box(left, middle - 14, left + width, middle + 14, BLUE if main else PALE, None if main else EDGE)
        self.text(left + width / 2, middle, text, style.PAPER if main else style.INK, "mm")


def draw(panel: Panel) -> Image.Image:
    """Draw a panel as it stands: its knobs, its picture, its history."""
    height, width = panel.settings.height, panel.settings.width
    shown = min(max(width, STAGE[0]), STAGE[1])
    tall = round(shown * height / width)
    left = KNOBS + RIGHT
    rows = sum(_tall(knob) for knob in panel.knobs.values())
    below = 36 + max(rows + 54 + 18 * 3, tall + 78)
    paper = _Paper(below + (THUMB + 30 if panel.history.shots else 0) + 28, left + shown + LABEL)
    right, bottom = left + shown + LABEL - 1, paper.image.height / SCALE - 26
    paper.box(1, 1, right, bottom, style.PAPER, EDGE)
    top = 20.0
    for name, knob in panel.knobs.items():
        _knob(paper, knob, top)
        if name == "seed":
            paper.button(FIELD + 104, top + ROW / 2 - 3, 34, "⚄")
        top += _tall(knob)
    paper.button(LABEL, top + 24, 100, "Generate", main=True)
    paper.button(LABEL + 108, top + 24, 64, "Stop")
    _words(paper, panel, top)
    image = panel.shot.image if panel.shot else blank(height, width)
    paper.picture(image, left, 20, shown, tall)
    _stage(paper, panel, left, 20 + tall, shown)
    for place, shot in enumerate(panel.history.shots):
        x = LABEL + place * (THUMB + 10)
        paper.picture(shot.image, x, below, THUMB, THUMB)
        paper.text(x + THUMB / 2, below + THUMB + 12, f"seed {shot.settings.seed}", style.GREY, "mm")
    paper.text((right + 1) / 2, bottom + 14, NOTE, style.GREY, "mm")
    return paper.image


def _tall(knob: Widget) -> float:
    return 18 * (knob.rows or 1) + 20 if isinstance(knob, Textarea) else ROW


def _knob(paper: _Paper, knob: Widget, top: float) -> None:
    """Draw one labelled knob."""
    middle = top + ROW / 2 - 2
    paper.text(LABEL, middle, knob.description, style.GREY)
    if isinstance(knob, IntSlider | FloatSlider):
        share, end = (knob.value - knob.min) / (knob.max - knob.min), KNOBS - 56
        paper.box(FIELD, middle - 2, end, middle + 2, EDGE)
        paper.box(FIELD, middle - 2, FIELD + share * (end - FIELD), middle + 2, BLUE)
        paper.dot(FIELD + share * (end - FIELD), middle, 7, BLUE)
        paper.text(KNOBS, middle, f"{knob.value:g}", anchor="rm")
        return
    end = KNOBS if isinstance(knob, Textarea | Dropdown) else FIELD + 96
    paper.box(FIELD, top, end, top + _tall(knob) - 6, style.PAPER, EDGE)
    lines = paper.lines(str(knob.value), end - FIELD - 20, getattr(knob, "rows", 1) or 1)
    for number, line in enumerate(lines):
        paper.text(FIELD + 10, middle + 18 * number, line)
    if isinstance(knob, Dropdown):
        paper.text(end - 12, middle, "▾", style.GREY, "mm")


def _words(paper: _Paper, panel: Panel, top: float) -> None:
    """Draw the error beside the buttons and the notes below them."""
    error, notes = (html.unescape(part.value) for part in (panel.error, panel.notes))
    for number, line in enumerate(paper.lines(error, KNOBS - LABEL - 190, 3)):
        paper.text(LABEL + 190, top + 24 + 18 * number, line, RED)
    for number, line in enumerate(paper.lines(notes.replace("<br>", " "), KNOBS - LABEL, 3)):
        paper.text(LABEL, top + 56 + 18 * number, line, style.GREY)


def _stage(paper: _Paper, panel: Panel, left: float, top: float, width: float) -> None:
    """Draw what stands below the picture."""
    paper.box(left, top + 10, left + width, top + 15, BLUE if panel.shot else style.HAIRLINE)
    paper.text(left, top + 32, html.unescape(panel.stage.status.value), style.GREY)
    if panel.shot:
        paper.text(left, top + 60, "Download PNG", BLUE)
        paper.button(left + width - 72, top + 60, 72, "Save")
