"""The curve of the loss over the steps, drawn while a picture is made or a LoRA learned."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..plots import style
from .paper import EDGE, Paper

if TYPE_CHECKING:
    from PIL import Image

    from ..excite import Move

HEIGHT, WIDTH = 150, 508  # pixels on the page
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 30, 30  # of the frame's sides from the paper's
INKS = {"without": style.GREY, "with": style.HUES[0]}
Line = Sequence[tuple[float, float]]  # step, loss
Point = tuple[float, float]


def line_of(moves: Sequence[Move]) -> list[tuple[float, float]]:
    """Give the loss of each move; those of one step, which was refined, share the room up to the next step."""
    count, seen, line = Counter(move.step for move in moves), Counter(), []
    for move in moves:
        line.append((move.step + seen[move.step] / count[move.step], move.loss))
        seen[move.step] += 1
    return line


def frame(high: float, last: float, title: str, under: str) -> tuple[Paper, Callable[[float, float], Point]]:
    """Draw the frame of a curve.

    Args:
        high: the largest loss.
        last: step at the right edge.
        title, under: what stands above and below.

    Returns:
        The paper, and what gives the point of a step and its loss.
    """
    paper, right, bottom, high = Paper(HEIGHT, WIDTH), WIDTH - RIGHT, HEIGHT - BOTTOM, high * 1.05 or 1.0

    def at(step: float, loss: float) -> Point:
        return LEFT + (right - LEFT) * step / max(last, 1), bottom - (bottom - TOP) * loss / high

    for share in (0.0, 0.5, 1.0):
        y = at(0, share * high)[1]
        paper.line([(LEFT, y), (right, y)], EDGE)
        paper.text(LEFT - 8, y, f"{share * high:.2f}", style.GREY, "rm")
    paper.text(LEFT, TOP - 17, title)
    paper.text((LEFT + right) / 2, bottom + 16, under, style.GREY, "mm")
    return paper, at


def draw_losses(lines: Mapping[str, Line], steps: int) -> Image.Image:
    """Draw the losses "without" and "with" over the steps that are pushed.

    Args:
        lines: name to its line; what is not known yet may be missing.
        steps: how many are pushed.
    """
    high = max((loss for line in lines.values() for _, loss in line), default=1.0)
    paper, at = frame(high, steps - 1, "loss: what the weakest word lacks", f"the {steps} steps that are pushed")
    x = WIDTH - RIGHT
    for name in reversed(lines):
        paper.text(x, TOP - 17, name, INKS[name], "rm", bold=True)
        x -= 14 + 8 * len(name)
    for name, line in lines.items():
        places = [at(*point) for point in line]
        if len(places) > 1:
            paper.line(places, INKS[name], 1.8)
        for place in places:
            paper.dot(*place, 2.4, INKS[name])
    return paper.image


def png(image: Image.Image) -> bytes:
    """Return a drawing as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
