"""The knobs of a panel's static picture: each widget as it looks on the page."""

from __future__ import annotations

import html

from ipywidgets import (
    HTML,
    BoundedIntText,
    Button,
    Checkbox,
    Dropdown,
    FloatRangeSlider,
    FloatSlider,
    HBox,
    IntSlider,
    Text,
    Textarea,
    ToggleButton,
    ToggleButtons,
    VBox,
    Widget,
)
from PIL import Image

from ..plots import style
from .pad import Pad
from .paper import AMBER, BLUE, EDGE, FIELD, KNOBS, LABEL, RED, ROW, Paper, lines
from .source import LOOK, Looks
from .units import Units
from .upload import Upload
from .words import Words

PAD, GAP, LINE = 320, 10, 18  # pixels: the pad's width, between small pictures, a line of text
TOOLS = {"scribble": "✎◩", "over": "✎▣◩", "mask": "▣◩"}  # of a pad: draw, mark, erase
Piece = Widget | str  # a text is a heading


def pieces(knob: Widget) -> list[Piece]:
    """Return what a knob is put together from and what is to be seen, from top to bottom; an HBox is a row of it."""
    if knob.layout.display == "none" or (isinstance(knob, HTML) and not knob.value):
        return []
    if isinstance(knob, Looks):
        return [knob] if knob.slots else []
    if isinstance(knob, Units) and knob.many:
        each = [[f"{place} · {unit.control.value}", *pieces(unit)] for place, unit in enumerate(knob.knobs, 1)]
        return [*(piece for unit in each for piece in unit), knob.children[-1]]
    if isinstance(knob, VBox) or (isinstance(knob, HBox) and len(knob.children) == 1):
        return [piece for part in knob.children for piece in pieces(part)]
    return [knob]


def tall(piece: Piece) -> float:
    """Return how many of the page's pixels a piece takes from top to bottom."""
    if isinstance(piece, Textarea):
        return LINE * (piece.rows or 1) + 20
    if isinstance(piece, HTML):
        return LINE * len(_lines(piece)) + 10
    if isinstance(piece, Pad):
        return PAD * piece.height / piece.width + ROW + 8
    if isinstance(piece, Looks):
        return _small(piece)[1] + 34
    return ROW * len(_chips(piece)) if isinstance(piece, Words) else ROW


def draw_knob(paper: Paper, piece: Piece, top: float) -> None:
    """Draw one piece."""
    middle = top + ROW / 2 - 2
    if isinstance(piece, str):
        paper.box(LABEL, top + ROW - 8, KNOBS, top + ROW - 7, style.HAIRLINE)
        paper.text(LABEL, middle, piece, bold=True)
    elif isinstance(piece, HTML):
        for number, line in enumerate(_lines(piece)):
            paper.text(FIELD, top + 9 + LINE * number, line, RED if "course-error" in piece._dom_classes else AMBER)
    elif isinstance(piece, Pad):
        _pad(paper, piece, top)
    elif isinstance(piece, Looks):
        _looks(paper, piece, top)
    elif isinstance(piece, Words):
        _words(paper, piece, middle)
    elif isinstance(piece, HBox):
        _row(paper, piece, middle)
    elif isinstance(piece, Upload):
        paper.button(FIELD, middle, 84, "Choose …")
        paper.text(FIELD + 94, middle, piece.name or "no picture yet", style.GREY)
    elif isinstance(piece, Checkbox):
        paper.box(FIELD, middle - 7, FIELD + 14, middle + 7, BLUE if piece.value else style.PAPER, EDGE)
        paper.text(FIELD + 22, middle, piece.description)
    else:
        paper.text(LABEL, middle, piece.description, style.GREY)
        _field(paper, piece, top)


def _field(paper: Paper, piece: Widget, top: float) -> None:
    """Draw what stands right of a knob's label."""
    middle = top + ROW / 2 - 2
    if isinstance(piece, IntSlider | FloatSlider | FloatRangeSlider):
        _slider(paper, piece, middle)
        return
    if isinstance(piece, ToggleButtons):
        left = FIELD
        for option in piece.options:
            label, value = option if isinstance(option, tuple) else (option, option)
            wide = 26 + 7.5 * len(label)
            paper.button(left, middle, wide, label, main=value == piece.value)
            left += wide + 4
        return
    end = KNOBS if isinstance(piece, Textarea | Text | Dropdown) else FIELD + 96
    paper.box(FIELD, top, end, top + tall(piece) - 6, style.PAPER, EDGE)
    shown = piece.label if isinstance(piece, Dropdown) else str(piece.value)
    for number, line in enumerate(lines(shown, end - FIELD - 20, getattr(piece, "rows", 1) or 1)):
        paper.text(FIELD + 10, middle + LINE * number, line)
    if isinstance(piece, Dropdown):
        paper.text(end - 12, middle, "▾", style.GREY, "mm")


def _slider(paper: Paper, piece: IntSlider | FloatSlider | FloatRangeSlider, middle: float) -> None:
    many = isinstance(piece, FloatRangeSlider)
    values = piece.value if many else (piece.value,)
    room = 96 if many else 56
    ends = [FIELD + (value - piece.min) / (piece.max - piece.min) * (KNOBS - room - FIELD) for value in values]
    paper.box(FIELD, middle - 2, KNOBS - room, middle + 2, EDGE)
    paper.box(ends[0] if many else FIELD, middle - 2, ends[-1], middle + 2, BLUE)
    for end in ends:
        paper.dot(end, middle, 7, BLUE)
    paper.text(KNOBS, middle, " – ".join(f"{value:g}" for value in values), anchor="rm")


def _pad(paper: Paper, pad: Pad, top: float) -> None:
    for place, sign in enumerate(TOOLS[pad.mode]):
        paper.button(FIELD + 32 * place, top + 14, 28, sign, main=place == 0)
    paper.picture(pad.shown(), FIELD, top + ROW, PAD, PAD * pad.height / pad.width)


def _row(paper: Paper, row: HBox, middle: float) -> None:
    """Draw a field with a number and a button right of it, or buttons alone."""
    left = float(FIELD)
    for part in row.children:
        if isinstance(part, Text):
            paper.text(LABEL, middle, part.description, style.GREY)
            left = KNOBS - 124
            paper.box(FIELD, middle - 14, left, middle + 14, style.PAPER, EDGE)
            paper.text(FIELD + 10, middle, (lines(part.value, left - FIELD - 20, 1) or [""])[0])
            left += 6
        elif isinstance(part, BoundedIntText):
            paper.box(left, middle - 14, left + 78, middle + 14, style.PAPER, EDGE)
            paper.text(left + 10, middle, str(part.value))
            left += 84
        elif isinstance(part, Button):
            wide = 16 + 7.5 * max(2, len(part.description))
            paper.button(left, middle, wide, part.description)
            left += wide + 8


def _words(paper: Paper, words: Words, middle: float) -> None:
    """Draw the words of a prompt; those that are chosen stand out."""
    paper.text(LABEL, middle, words.description, style.GREY)
    for number, line in enumerate(_chips(words)):
        left = float(FIELD)
        for chip in line:
            paper.button(left, middle + ROW * number, _wide(chip), chip.description, main=chip.value)
            left += _wide(chip) + 6


def _chips(words: Words) -> list[list[ToggleButton]]:
    """Break the words into lines that fit; at least one, though it be empty."""
    broken, left = [[]], float(FIELD)
    for chip in words.shown:
        if broken[-1] and left + _wide(chip) > KNOBS:
            broken, left = [*broken, []], float(FIELD)
        broken[-1].append(chip)
        left += _wide(chip) + 6
    return broken


def _wide(chip: ToggleButton) -> float:
    return 24 + 7.5 * len(chip.description)


def _looks(paper: Paper, looks: Looks, top: float) -> None:
    left = float(FIELD)
    width, height = _small(looks)
    top += 4
    for name in _seen(looks):
        image = looks.images.get(name, Image.new("RGB", (1, 1), "#eceff1"))
        paper.picture(image, left, top, width, height)
        paper.text(left, top + height + 12, name, style.GREY)
        left += width + GAP


def _seen(looks: Looks) -> list[str]:
    return [name for name, slot in looks.slots.items() if slot.layout.display != "none"]


def _small(looks: Looks) -> tuple[float, float]:
    """Return width and height of the small pictures, so that all of them fit side by side."""
    count = len(_seen(looks))
    width = min(LOOK[1], (KNOBS - FIELD - GAP * (count - 1)) / count)
    return width, width * looks.size[0] / looks.size[1]


def _lines(text: HTML) -> list[str]:
    said = html.unescape(text.value.replace("<br>", " "))
    return lines(said, KNOBS - FIELD, 6)
