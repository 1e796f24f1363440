"""Sheets: several pictures on one, with titles, the values of two knobs, or a caption."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw

from .pictures import Picture, as_picture
from .style import GAP, GREY, INK, LINE, MARGIN, PAPER, font, wrap


def grid(
    images: Sequence[Picture],
    titles: Sequence[Any] | None = None,
    columns: int | None = None,
    size: tuple[int, int] | None = None,
    caption: str = "",
) -> Image.Image:
    """Lay pictures out in rows, each under its title.

    Args:
        images: the pictures, row by row.
        titles: one for each picture; long ones are wrapped.
        columns: how many in a row; as square as possible when None.
        size: (height, width) of every picture; None takes the first one's.
        caption: a line below, such as the knob that was turned.

    Raises:
        ValueError: there are no pictures, or not one title for each.
    """
    pictures = _alike(images, size)
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(f"titles={titles!r} are {len(titles)}; there are {len(pictures)} pictures.")
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    width, height = pictures[0].size
    wrapped = [wrap(str(title), width) for title in titles or ()]
    band = max(map(len, wrapped), default=0) * LINE
    across, down = width + GAP, height + band + GAP
    rows = math.ceil(len(pictures) / columns)
    sheet, pen = _sheet(min(columns, len(pictures)) * across - GAP, rows * down - GAP, caption)
    for place, picture in enumerate(pictures):
        left, top = MARGIN + place % columns * across, MARGIN + place // columns * down + band
        sheet.paste(picture, (left, top))
        if wrapped:
            _write(pen, left + width / 2, top - 3 - LINE * len(wrapped[place]), wrapped[place])
    return sheet


def strip(
    images: Sequence[Picture],
    titles: Sequence[Any] | None = None,
    size: tuple[int, int] | None = None,
    caption: str = "",
) -> Image.Image:
    """Lay pictures out in one row: the arguments are `grid`'s."""
    return grid(images, titles, columns=max(1, len(images)), size=size, caption=caption)


def compare(
    given: Picture,
    without: Picture,
    steered: Picture,
    caption: str,
    titles: Sequence[str] = ("input", "without", "with"),
    size: tuple[int, int] | None = None,
) -> Image.Image:
    """Lay out the comparison that all lessons use: what was given, and one seed without and with the control.

    Args:
        given: the input or the control map.
        without, steered: the two pictures.
        caption: names the knob and the seed.
        titles: one for each of the three.
        size: (height, width) of each; None takes the first one's.
    """
    return strip([given, without, steered], titles, size, caption)


def sweep(
    images: Sequence[Sequence[Picture]],
    rows: Sequence[Any],
    columns: Sequence[Any],
    column_name: str = "",
    size: tuple[int, int] | None = None,
) -> Image.Image:
    """Lay out what two knobs do: a table of pictures with the knobs' values along its sides.

    Args:
        images: images[row][column].
        rows, columns: the values, as they shall be read; long names of columns are wrapped.
        column_name: the knob of the columns.
        size: (height, width) of every picture; None takes the first one's.

    Raises:
        ValueError: the table has another shape than its labels.
    """
    shape = [len(row) for row in images]
    if shape != [len(columns)] * len(rows):
        raise ValueError(f"images has rows of {shape} pictures; the labels ask for {len(rows)} of {len(columns)}.")
    pictures = _alike([image for row in images for image in row], size)
    width, height = pictures[0].size
    across, down = width + GAP, height + GAP
    side = math.ceil(max(font().getlength(str(row)) for row in rows)) + GAP
    longest = max((font().getlength(word) for value in columns for word in str(value).split()), default=0)
    names = [wrap(str(value), max(width, longest)) for value in columns]
    band = LINE * (max(map(len, names), default=0) + bool(column_name))
    sheet, pen = _sheet(side + len(columns) * across - GAP, band + len(rows) * down - GAP)
    left, top = MARGIN + side, MARGIN + band
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (left + place % len(columns) * across, top + place // len(columns) * down))
    for place, lines in enumerate(names):
        _write(pen, left + place * across + width / 2, top - LINE * len(lines) - 3, lines)
    for place, value in enumerate(rows):
        pen.text((left - GAP, top + place * down + height / 2), str(value), INK, font(), "rm")
    _write(pen, left + (len(columns) * across - GAP) / 2, MARGIN - 3, [column_name], GREY)
    return sheet


def _alike(images: Sequence[Picture], size: tuple[int, int] | None) -> list[Image.Image]:
    """Return RGB pictures of one size; smaller ones are enlarged, never cut."""
    pictures = [as_picture(image) for image in images]
    if not pictures:
        raise ValueError("images is empty; give at least one picture.")
    wanted = (size[1], size[0]) if size else pictures[0].size
    return [each if each.size == wanted else each.resize(wanted, Image.Resampling.LANCZOS) for each in pictures]


def _sheet(width: int, height: int, caption: str = "") -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Return white paper with room for `width` x `height` inside its margins, the caption written below."""
    lines = wrap(caption, width)
    below = GAP + LINE * len(lines) if lines else 0
    sheet = Image.new("RGB", (width + 2 * MARGIN, height + 2 * MARGIN + below), PAPER)
    pen = ImageDraw.Draw(sheet)
    _write(pen, MARGIN + width / 2, MARGIN + height + GAP, lines, GREY)
    return sheet, pen


def _write(pen: ImageDraw.ImageDraw, middle: float, top: float, lines: list[str], ink: str = INK) -> None:
    for number, line in enumerate(lines):
        pen.text((middle, top + number * LINE), line, ink, font(), "ma")
