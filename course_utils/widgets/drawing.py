"""A static picture of a panel, drawn from its widgets: what a reader sees where widgets show nothing."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from ..plots import style
from .drawing_explorer import draw_explorer
from .drawing_explorer import tall as explorer_tall
from .drawing_knobs import draw_knob, pieces, tall
from .explorer import Explorer
from .paper import BLUE, EDGE, FIELD, KNOBS, LABEL, RED, RIGHT, ROW, SCALE, THUMB, Paper, lines
from .parts import STAGE, blank

if TYPE_CHECKING:
    from PIL import Image

    from .panel import Panel

GAP = 12  # pixels between two pictures
NOTE = "A drawing of the panel: run the notebook to use it."


def draw(panel: Panel, beside: Image.Image | None = None, under: Image.Image | None = None) -> Image.Image:
    """Draw a panel as it stands: its knobs, its picture, its history.

    Args:
        panel: of any kind.
        beside: a picture that stands left of the panel's own, as large as it.
        under: a picture that stands below them, as wide as they are.
    """
    height, width = panel.settings.height, panel.settings.width
    shown = min(max(width, STAGE[0]), STAGE[1])
    stage = round(shown * height / width)
    left, more = KNOBS + RIGHT, shown + GAP if beside else 0
    lower = round((more + shown) * under.height / under.width) + GAP if under else 0
    rows = sum(tall(piece) for knob in panel.knobs.values() for piece in pieces(knob))
    actions = 54 + 18 * len(_notes(panel, shown if panel.tall else KNOBS - LABEL))
    explorer = panel.stage.image if isinstance(panel.stage.image, Explorer) else None
    bottom = 20 + stage + (explorer_tall(explorer, shown) if explorer else 0)  # of the picture and its words
    below = 36 + max(rows + (0 if panel.tall else actions), bottom + 58 + lower + (actions + 54 if panel.tall else 0))
    paper = Paper(below + (THUMB + 30 if panel.history.shots else 0) + 28, left + more + shown + LABEL)
    right, end = left + more + shown + LABEL - 1, paper.image.height / SCALE - 26
    paper.box(1, 1, right, end, style.PAPER, EDGE)
    if under:
        paper.picture(under, left, bottom + 78, more + shown, lower - GAP)
    if beside:
        paper.picture(beside, left, 20, shown, stage)
        paper.text(left, bottom + 32, "Without", style.GREY)
        left += more
    paper.picture(_image(panel, height, width), left, 20, shown, stage)
    if explorer:
        draw_explorer(paper, explorer, left, 20 + stage, shown)
    _stage(paper, panel, left, bottom, shown)
    knobs = _knobs(paper, panel)
    if panel.tall:
        _actions(paper, panel, left, bottom + 78, shown)
    else:
        _actions(paper, panel, LABEL, knobs, KNOBS - LABEL)
    for place, shot in enumerate(panel.history.shots):
        x = LABEL + place * (THUMB + 10)
        paper.picture(shot.image, x, below, THUMB, THUMB)
        paper.text(x + THUMB / 2, below + THUMB + 12, f"seed {shot.settings.seed}", style.GREY, "mm")
    paper.text((right + 1) / 2, end + 14, NOTE, style.GREY, "mm")
    return paper.image


def _image(panel: Panel, height: int, width: int) -> Image.Image:
    """Return what stands on the stage."""
    shown = panel.stage.image
    if isinstance(shown, Explorer) and (glowing := shown.glowing()):
        return glowing
    return panel.shot.image if panel.shot else blank(height, width)


def _knobs(paper: Paper, panel: Panel) -> float:
    """Draw the left column and return where it ends."""
    top = 20.0
    for name, knob in panel.knobs.items():
        for piece in pieces(knob):
            draw_knob(paper, piece, top)
            if name == "seed":
                paper.button(FIELD + 104, top + ROW / 2 - 3, 34, "⚄")
            top += tall(piece)
    return top


def _actions(paper: Paper, panel: Panel, left: float, top: float, width: float) -> None:
    """Draw the buttons, the error beside or below them, and the notes."""
    x = left
    for button, wide in ((panel.generate, 96), (panel.preview, 76), (panel.stop, 64)):
        if button.layout.display != "none":
            paper.button(x, top + 24, wide, button.description, main=button is panel.generate)
            x += wide + 8
    x, down = (left, top + 54) if panel.tall else (x + 10, top + 24)
    for number, line in enumerate(lines(html.unescape(panel.error.value), left + width - x, 3)):
        paper.text(x, down + 18 * number, line, RED)
    for number, line in enumerate(_notes(panel, width)):
        paper.text(left, top + (110 if panel.tall and panel.error.value else 56) + 18 * number, line, style.GREY)


def _notes(panel: Panel, width: float) -> list[str]:
    text = html.unescape(panel.notes.value.replace("<br>", " "))
    return lines(text, width, 3)


def _stage(paper: Paper, panel: Panel, left: float, top: float, width: float) -> None:
    """Draw what stands below the picture."""
    paper.box(left, top + 10, left + width, top + 15, BLUE if panel.shot else style.HAIRLINE)
    paper.text(left, top + 32, html.unescape(panel.stage.status.value), style.GREY)
    if panel.shot:
        paper.text(left, top + 60, "Download PNG", BLUE)
        paper.button(left + width - 72, top + 60, 72, "Save")
