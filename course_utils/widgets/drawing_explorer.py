"""The explorer's part of a panel's static picture: its words, and what was chosen."""

from __future__ import annotations

from ..plots import style
from .explorer import Explorer
from .paper import BLUE, EDGE, PALE, SCALE, Paper, lines

CHIP, GAP = 30, 5  # pixels: from row to row of words, between two words
ASK = "The largest share that any place gives each word. Point at the picture to ask one place."
FIRST = "Generate a picture, then click a word."


def tall(explorer: Explorer, width: float) -> float:
    """Return how many of the page's pixels stand below the picture."""
    return 10 + 18 * len(_line(explorer, width)) + CHIP * len(_rows(explorer, width)) + 94


def draw_explorer(paper: Paper, explorer: Explorer, left: float, top: float, width: float) -> None:
    """Draw what stands below the picture."""
    chosen, top = explorer.choice, top + 14
    for line in _line(explorer, width):
        paper.text(left, top, line, style.GREY)
        top += 18
    for row in _rows(explorer, width):
        x = left
        for number, text, share, wide in row:
            _chip(paper, x, top + 8, wide, f"{text}  {share:.0%}", share, number == chosen["word"])
            x += wide + GAP
        top += CHIP
    head = "all" if chosen["head"] < 0 else str(chosen["head"])
    _field(paper, "Layer", explorer.layers[chosen["layer"]], left, top + 14, width)
    _field(paper, "Head", head, left, top + 44, width)
    step = "all" if chosen["step"] < 0 else f"{chosen['step'] + 1} (t = {explorer.steps[chosen['step']]})"
    paper.text(left, top + 74, "Step", style.GREY)
    share = (chosen["step"] + 1) / max(1, len(explorer.steps))
    paper.box(left + 42, top + 72, left + width - 96, top + 76, EDGE)
    paper.dot(left + 42 + share * (width - 138), top + 74, 7, BLUE)
    paper.text(left + width - 84, top + 74, step)


def _chip(paper: Paper, left: float, middle: float, width: float, text: str, share: float, chosen: bool) -> None:
    paper.box(left, middle - 12, left + width, middle + 12, BLUE if chosen else style.PAPER, EDGE)
    paper.box(left, middle + 9, left + max(3, share * width), middle + 12, style.PAPER if chosen else BLUE)
    paper.text(left + width / 2, middle - 1, text, style.PAPER if chosen else style.INK, "mm")


def _field(paper: Paper, name: str, value: str, left: float, middle: float, width: float) -> None:
    paper.text(left, middle, name, style.GREY)
    paper.box(left + 42, middle - 12, left + width, middle + 12, PALE, EDGE)
    paper.text(left + 50, middle, (lines(value, width - 60, 1) or [""])[0])


def _line(explorer: Explorer, width: float) -> list[str]:
    return lines(ASK if explorer.maps else FIRST, width, 3)


def _rows(explorer: Explorer, width: float) -> list[list[tuple[int, str, float, float]]]:
    """Break the words into rows: (number, text, the most that a place pays to it, width)."""
    if explorer.maps is None:
        return []
    heat = explorer.heard().amax((1, 2)).tolist()
    rows, x = [[]], 0.0
    for number, (text, share) in enumerate(zip(explorer.words, heat, strict=True)):
        wide = style.font(round(13 * SCALE)).getlength(f"{text}  {share:.0%}") / SCALE + 16
        if rows[-1] and x + wide > width:
            rows.append([])
            x = 0.0
        rows[-1].append((number, text, share, wide))
        x += wide + GAP
    return rows
