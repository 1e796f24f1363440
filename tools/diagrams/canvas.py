"""The pen of all diagrams: boxes, arrows and letters as plain SVG, and an error where letters would not fit.

An SVG here has no style sheet, no id and no reference: several may stand in one page, and each shows alone in an
`<img>`. It lies on a white card with a rim, so it reads the same on a dark page.
Places are (x, y) in pixels from the upper left corner; sizes of boxes are (width, height), as in SVG.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from course_utils.plots.style import FAMILY, GREY, HUES, INK, PAPER, font

NETWORK, TRAINED, GIVEN, WORDS, ZERO, NUMBERS = HUES  # what each colour means, in every diagram
RIM, PALE, STROKE = "#d5dade", 0.13, 1.6
MARK = re.compile(r"([_^])\{([^}]*)\}")  # x_{t} and x^{2}
Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom


def short(value: float) -> str:
    """Write a number with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def tint(hue: str, share: float) -> str:
    """Return a colour as it looks when `share` of it lies on white."""
    parts = (int(hue[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(255 + share * (part - 255)):02x}" for part in parts)


def route(points: Sequence[Point]) -> str:
    """Write a line through points as the data of a path."""
    (x, y), *rest = [(short(x), short(y)) for x, y in points]
    data = f"M{x} {y}"
    for a, b in rest:
        data += f"V{b}" if a == x else f"H{a}" if b == y else f"L{a} {b}"
        x, y = a, b
    return data


def pieces(words: str, size: float) -> list[tuple[str, float, float]]:
    """Return a text as (letters, size, how far below its line): marks of x_{t} and x^{2} are taken out."""
    found, end = [], 0
    for mark in MARK.finditer(words):
        drop = 0.28 * size if mark[1] == "_" else -0.38 * size
        found += [(words[end : mark.start()], size, 0.0), (mark[2], 0.75 * size, drop)]
        end = mark.end()
    return [piece for piece in [*found, (words[end:], size, 0.0)] if piece[0]]


def width_of(words: str, size: float, bold: bool = False) -> float:
    """Return how wide a text is in the widest letters that it may be shown in."""
    return sum(font(100, bold).getlength(letters) * each / 100 for letters, each, _ in pieces(words, size))


class Canvas:
    """A card to draw on; `svg` returns it."""

    def __init__(self, width: int, height: int, alt: str):
        self.width, self.height, self.alt = width, height, " ".join(alt.split())
        self.parts: list[str] = []
        self.texts: list[tuple[str, Box]] = []

    def add(self, part: str) -> None:
        """Add a piece of SVG as it is."""
        self.parts.append(part)

    def text(
        self,
        place: Point,
        words: str,
        size: float = 13,
        ink: str = INK,
        anchor: str = "middle",
        bold: bool = False,
        italic: bool = False,
        room: float | None = None,
    ) -> None:
        """Write one line whose middle height is at `place`.

        Args:
            anchor: start, middle or end: which end of the line `place` is.
            room: the width that it must fit into.

        Raises:
            ValueError: it is wider than its room.
        """
        wide = width_of(words, size, bold)
        if room is not None and wide > room:
            raise ValueError(f"{words!r} is {wide:.0f} pixels wide and has {room:.0f}.")
        x, y = place
        left = x - wide * {"start": 0, "middle": 0.5, "end": 1}[anchor]
        self.texts.append((words, (left, y - 0.5 * size, left + wide, y + 0.5 * size)))
        look = "" if ink == INK else f" fill='{ink}'"
        look += "" if anchor == "middle" else f" text-anchor='{anchor}'"
        look += (" font-weight='bold'" if bold else "") + (" font-style='italic'" if italic else "")
        look += "" if size == 13 else f" font-size='{short(size)}'"
        self.add(f"<text x='{short(x)}' y='{short(y + 0.36 * size)}'{look}>{_spans(words, size)}</text>")

    def lines(self, place: Point, lines: Iterable[str], size: float = 13, gap: float = 1.3, **look) -> None:
        """Write lines below each other, the block's middle at `place`."""
        lines = list(lines)
        for number, words in enumerate(lines):
            self.text((place[0], place[1] + (number - (len(lines) - 1) / 2) * gap * size), words, size, **look)

    def box(
        self, box: Box, hue: str, lines: Sequence[str] = (), size: float = 13, fill: float = PALE, dash: bool = False,
        bold: bool = False, ink: str = INK, radius: float = 7, stroke: float = STROKE,
    ) -> None:  # fmt: skip
        """Draw a box with lines of text in its middle; `fill` is how much of its colour fills it."""
        left, top, right, bottom = box
        look = " stroke-dasharray='5 4'" if dash else ""
        look += f" stroke='{hue}'" if stroke else ""
        look += f" stroke-width='{short(stroke)}'" if stroke not in (0, STROKE) else ""
        self.add(
            f"<rect x='{short(left)}' y='{short(top)}' width='{short(right - left)}' height='{short(bottom - top)}' "
            f"rx='{short(radius)}' fill='{tint(hue, fill)}'{look}/>"
        )
        middle = (left + right) / 2, (top + bottom) / 2
        self.lines(middle, lines, size, bold=bold, ink=ink, room=right - left - 8)

    def shape(self, points: Sequence[Point], hue: str, lines: Sequence[str] = (), size: float = 13) -> None:
        """Draw a polygon with lines of text in its middle."""
        self.add(f"<path d='{route(points)}z' fill='{tint(hue, PALE)}' stroke='{hue}'/>")
        middle = [sum(values) / len(points) for values in zip(*points, strict=True)]
        self.lines(tuple(middle), lines, size)

    def arrow(
        self, points: Sequence[Point], hue: str = GREY, dash: bool = False, width: float = STROKE, head: bool = True
    ) -> None:
        """Draw an arrow along straight pieces; its tip is at the last point."""
        points, tip = list(points), points[-1]
        dx, dy = (tip[axis] - points[-2][axis] for axis in (0, 1))
        length = (dx * dx + dy * dy) ** 0.5
        dx, dy = dx / length, dy / length
        neck = (tip[0] - 8 * dx, tip[1] - 8 * dy)
        line = route([*points[:-1], neck if head else tip])
        look = ("" if width == STROKE else f" stroke-width='{short(width)}'") + (
            " stroke-dasharray='4'" if dash else ""
        )
        ends = [tip, (neck[0] - 4 * dy, neck[1] + 4 * dx), (neck[0] + 4 * dy, neck[1] - 4 * dx)]
        if head and len(points) == 2 and not look:  # a straight line has no inside: one path does for both
            self.add(f"<path d='{line}{route(ends)}z' fill='{hue}' stroke='{hue}'/>")
            return
        self.add(f"<path d='{line}' fill='none' stroke='{hue}'{look}/>")
        if head:
            self.add(f"<path d='{route(ends)}z' fill='{hue}' stroke='{hue}'/>")

    def plus(self, place: Point, hue: str = INK, radius: float = 10) -> None:
        """Draw a plus in a circle: here two things are added."""
        x, y = place
        self.add(
            f"<circle cx='{short(x)}' cy='{short(y)}' r='{short(radius)}' fill='{PAPER}' "
            f"stroke='{hue}'/><path d='M{short(x - 5)} {short(y)}h10M{short(x)} {short(y - 5)}v10' stroke='{hue}'/>"
        )

    def lock(self, place: Point, hue: str = GREY) -> None:
        """Draw a padlock of 12 x 15 pixels with its middle at `place`: these weights never change."""
        x, y = short(place[0] - 6), short(place[1] - 1)
        self.add(
            f"<path d='M{x} {y}m2.5 0v-3a3.5 3.5 0 0 1 7 0v3' fill='none' stroke='{hue}'/>"
            f"<rect x='{x}' y='{y}' width='12' height='9' rx='1.5' fill='{hue}'/>"
        )

    def noise(self, place: Point, side: float, share: float = 1.0, count: int = 7, seed: int = 0) -> None:
        """Draw a square of random fields, `share` of them: latents with more or less noise."""
        x, y, cell = *place, side / count
        size = short(cell)
        rng = random.Random(seed)
        self.add(f"<rect x='{short(x)}' y='{short(y)}' width='{short(side)}' height='{short(side)}' fill='#eef1f3'/>")
        tones: dict[str, str] = {NUMBERS: "", "#a9bac6": "", INK: ""}
        for row in range(count):
            for column in range(count):
                tone, drawn = rng.choice(list(tones)), rng.random() < 0.75 * share
                if drawn:
                    tones[tone] += f"M{short(x + column * cell)} {short(y + row * cell)}h{size}v{size}h-{size}z"
        for tone, path in tones.items():
            if path:
                self.add(f"<path d='{path}' fill='{tone}'/>")
        self.frame((x, y, x + side, y + side))

    def frame(self, box: Box, hue: str = NUMBERS, stroke: float = STROKE) -> None:
        """Draw an empty frame."""
        left, top, right, bottom = map(short, (box[0], box[1], box[2] - box[0], box[3] - box[1]))
        look = "" if stroke == STROKE else f" stroke-width='{short(stroke)}'"
        self.add(f"<rect x='{left}' y='{top}' width='{right}' height='{bottom}' fill='none' stroke='{hue}'{look}/>")

    def heat(self, place: Point, cell: float, values: Sequence[Sequence[float]], hue: str = NETWORK) -> None:
        """Draw a map: a field for each value of 0-1, in ten steps, the darker the larger."""
        x, y, size = *place, short(cell)
        paths: dict[int, str] = {}
        for row, line in enumerate(values):
            for column, value in enumerate(line):
                level = round(10 * min(max(value, 0), 1))
                corner = f"M{short(x + column * cell)} {short(y + row * cell)}"
                paths[level] = paths.get(level, "") + f"{corner}h{size}v{size}h-{size}z"
        for level in sorted(paths.keys() - {0}):
            self.add(f"<path d='{paths[level]}' fill='{tint(hue, level / 10)}'/>")
        self.frame((x, y, x + cell * len(values[0]), y + cell * len(values)), GREY, 1.2)

    def scene(self, place: Point, side: float) -> None:
        """Draw the picture of all diagrams: a red clock and a blue bench on the grass."""
        x, y = map(short, place)
        scale = short(side / 60) if side % 60 else str(int(side // 60))
        self.add(
            f"<g transform='translate({x} {y}) scale({scale})'><rect width='60' height='60' fill='#dcebf5'/>"
            "<path d='M0 38h60v22H0z' fill='#c9dfc2'/><circle cx='19' cy='35' r='12' fill='#fff' stroke='#c8553d' "
            "stroke-width='4'/><path d='M19 28v7h5' fill='none' stroke='#22262a' stroke-width='2'/>"
            "<path d='M34 30h22v5H34zM34 39h22v4H34zM36 43h3v10h-3zM51 43h3v10h-3z' fill='#2f6db3'/></g>"
        )
        self.frame((place[0], place[1], place[0] + side, place[1] + side), GREY, 1.2)

    def problems(self) -> Iterator[str]:
        """Say which texts leave the card or lie over each other."""
        for number, (words, box) in enumerate(self.texts):
            if not (4 <= box[0] and box[2] <= self.width - 4 and 4 <= box[1] and box[3] <= self.height - 4):
                yield f"{words!r} leaves the card: {[round(side) for side in box]}."
            for other, its in self.texts[:number]:
                if box[0] < its[2] and its[0] < box[2] and box[1] < its[3] and its[1] < box[3]:
                    yield f"{words!r} lies over {other!r}."

    def colours(self, place: Point, parts: Sequence[tuple[str, str]], size: float = 17) -> None:
        """Write one slanted line from `place` on, whose parts (words, hue) have colours of their own."""
        words = "".join(part for part, _ in parts)
        self.text(place, words, size, anchor="start", italic=True)
        spans = "".join(f"<tspan fill='{hue}'>{_spans(part, size)}</tspan>" for part, hue in parts)
        self.parts[-1] = self.parts[-1].replace(_spans(words, size), spans)

    def signs(self, places: Sequence[Point], letter: str, hue: str) -> None:
        """Draw small squares of one colour with one letter, each with its middle at a place."""
        squares = "".join(f"M{short(x - 10)} {short(y - 10)}h20v20h-20z" for x, y in places)
        self.add(f"<path d='{squares}' fill='{hue}'/>")
        rows: dict[float, list[str]] = {}
        for x, y in places:
            rows.setdefault(y, []).append(short(x))
        self.add("<g fill='#fff' font-size='12' font-weight='bold'>")
        for y, xs in rows.items():
            self.add(f"<text x='{' '.join(xs)}' y='{short(y + 4.3)}'>{letter * len(xs)}</text>")
        self.add("</g>")

    def svg(self) -> str:
        """Return the whole drawing.

        Raises:
            ValueError: a text leaves the card, or two texts lie over each other.
        """
        if wrong := list(self.problems()):
            raise ValueError(" ".join(wrong))
        width, height = self.width, self.height
        card = (
            f"<rect x='.5' y='.5' width='{width - 1}' height='{height - 1}' rx='10' fill='{PAPER}' stroke='{RIM}' "
            "stroke-width='1'/>"
        )
        head = (
            f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' "
            f"viewBox='0 0 {width} {height}' "
            f"role='img' font-family='{FAMILY},Verdana,sans-serif' font-size='13' text-anchor='middle' fill='{INK}' "
            f"stroke-linejoin='round' stroke-width='{STROKE}'>"
        )
        return "\n".join([head, f"<desc>{escape(self.alt)}</desc>", card, *self.parts, "</svg>"]) + "\n"


def _spans(words: str, size: float) -> str:
    found, level = [], 0.0
    for letters, each, drop in pieces(words, size):
        letters = escape(letters, quote=False)
        look = f" dy='{short(drop - level)}'" if drop != level else ""
        look += f" font-size='{short(each)}'" if each != size else ""
        found.append(f"<tspan{look}>{letters}</tspan>" if look else letters)
        level = drop
    return "".join(found)
