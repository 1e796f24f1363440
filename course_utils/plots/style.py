"""The one look of all pictures, figures and panels: colours, letters, gaps."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

PAPER, INK, GREY, HAIRLINE = "#ffffff", "#22262a", "#6b7278", "#e6e8ea"
HUES = ("#2f6db3", "#c8553d", "#3f8f6b", "#8a63a8", "#b8862b", "#5b7f95")  # colour-blind eyes tell them apart too
FAMILY = "DejaVu Sans"  # comes with matplotlib: the same letters on every machine
FONT, LINE = 14, 19  # pixels: the height of letters, from line to line
GAP, MARGIN = 8, 12  # pixels
QUALITY = 88  # of a JPEG: small, and no ringing to be seen


@lru_cache
def font(size: int = FONT, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return the course's letters at a size in pixels."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts/ttf", name)), size)


def wrap(text: str, width: float) -> list[str]:
    """Break a text into lines of at most `width` pixels, inside a word only where it is too long for one."""
    letters = font()
    lines: list[str] = []
    for word in text.split():
        if lines and letters.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
            continue
        while letters.getlength(word) > width and len(word) > 1:
            fits = max(1, sum(letters.getlength(word[: end + 1]) <= width for end in range(len(word))))
            lines.append(word[:fits])
            word = word[fits:]
        lines.append(word)
    return lines
