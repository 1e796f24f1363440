"""Paper that a panel's static picture is drawn on, measured in the page's pixels."""

from __future__ import annotations

from PIL import Image, ImageDraw

from ..plots import style

SCALE = 1.5  # drawn pixels for each of the page's: letters stay sharp on fine screens
LABEL, FIELD, RIGHT = 18, 112, 28  # pixels of the page: where labels and fields begin, the gap before the stage
KNOBS = 440  # width of the left column
ROW, THUMB = 34, 72
RED, AMBER = "#c0392b", style.HUES[4]
PALE, EDGE, BLUE = "#f4f6f7", "#cfd5d9", style.HUES[0]


class Paper:
    """White paper and pens."""

    def __init__(self, height: int, width: int) -> None:
        self.image = Image.new("RGB", (round(width * SCALE), round(height * SCALE)), style.PAPER)
        self._pen = ImageDraw.Draw(self.image)

    def box(self, left: float, top: float, right: float, bottom: float, fill: str, edge: str | None = None) -> None:
        """Draw a box with round corners."""
        corners = [round(value * SCALE) for value in (left, top, right, bottom)]
        self._pen.rounded_rectangle(corners, round(5 * SCALE), fill, edge, round(SCALE))

    def dot(self, x: float, y: float, radius: float, ink: str) -> None:
        """Draw a dot."""
        self._pen.ellipse([v * SCALE for v in (x - radius, y - radius, x + radius, y + radius)], ink)

    def line(self, points: list[tuple[float, float]], ink: str, width: float = 1) -> None:
        """Draw a line from point to point."""
        self._pen.line([(x * SCALE, y * SCALE) for x, y in points], ink, max(1, round(width * SCALE)), "curve")

    def text(
        self, x: float, y: float, text: str, ink: str = style.INK, anchor: str = "lm", bold: bool = False
    ) -> None:
        """Write one line."""
        self._pen.text((x * SCALE, y * SCALE), text, ink, style.font(round(13 * SCALE), bold), anchor)

    def picture(self, image: Image.Image, left: float, top: float, width: float, height: float) -> None:
        """Lay a picture down."""
        fitted = image.convert("RGB").resize((round(width * SCALE), round(height * SCALE)), Image.Resampling.LANCZOS)
        self.image.paste(fitted, (round(left * SCALE), round(top * SCALE)))

    def button(self, left: float, middle: float, width: float, text: str, main: bool = False) -> None:
        """Draw a button."""
        self.box(left, middle - 14, left + width, middle + 14, BLUE if main else PALE, None if main else EDGE)
        self.text(left + width / 2, middle, text, style.PAPER if main else style.INK, "mm")


def lines(text: str, width: float, limit: int) -> list[str]:
    """Break a text for a field of some width, at most `limit` lines."""
    broken = style.wrap(text, width * SCALE, style.font(round(13 * SCALE)))
    return broken if len(broken) <= limit else [*broken[: limit - 1], broken[limit - 1][:-1] + "…"]
