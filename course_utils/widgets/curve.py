"""Curves of a loss, drawn while a picture is made or a LoRA learned: with Pillow, which is fast."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

from ..plots import style

HEIGHT, WIDTH = 150, 508  # pixels on the page
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 30, 30  # of the frame's sides from the paper's
SCALE = 2  # drawn pixels for each of the page's: letters stay sharp on fine screens
DOTS = 60  # points at most that have a dot each
INKS = (style.GREY, style.HUES[0])  # of the first and the second line
Line = Sequence[tuple[float, float]]  # step, loss


def draw_curves(lines: Mapping[str, Line], last: float, title: str, under: str) -> bytes:
    """Draw losses over the steps.

    Args:
        lines: name to its line, at most two; what is not known yet may be empty.
        last: step at the right edge.
        title, under: what stands above and below.

    Returns:
        A PNG.
    """
    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), style.PAPER)
    pen, right, bottom = ImageDraw.Draw(image), WIDTH - RIGHT, HEIGHT - BOTTOM
    high = max((loss for line in lines.values() for _, loss in line), default=1.0) * 1.05 or 1.0

    def at(step: float, loss: float) -> tuple[float, float]:
        x = LEFT + (right - LEFT) * step / max(last, 1)
        return x * SCALE, (bottom - (bottom - TOP) * loss / high) * SCALE

    def write(x: float, y: float, text: str, ink: str, anchor: str, bold: bool = False) -> None:
        pen.text((x * SCALE, y * SCALE), text, ink, style.font(13 * SCALE, bold), anchor)

    for share in (0.0, 0.5, 1.0):
        pen.line([at(0, share * high), at(last, share * high)], style.HAIRLINE, SCALE)
        write(LEFT - 8, bottom - (bottom - TOP) * share, f"{share * high:.2f}", style.GREY, "rm")
    write(LEFT, TOP - 17, title, style.INK, "lm")
    write((LEFT + right) / 2, bottom + 16, under, style.GREY, "mm")
    x = right
    for name, ink in reversed(list(zip(lines, INKS, strict=False))):
        write(x, TOP - 17, name, ink, "rm", bold=True)
        x -= 14 + 8 * len(name)
    for line, ink in zip(lines.values(), INKS, strict=False):
        points = [at(*point) for point in line]
        pen.line(points, ink, 2 * SCALE, "curve")
        for across, down in points if len(points) <= DOTS else ():
            pen.ellipse([across - 5, down - 5, across + 5, down + 5], ink)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
