"""One picture: what counts as one, heat laid over it, and showing it, or a diagram, with a text in its place.

Diagrams of the ideas are drawn beforehand by `tools/diagrams`; the map has its light.
"""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from html import escape, unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from .. import env, pictures
from .style import PAPER, QUALITY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Picture = Image.Image | np.ndarray  # arrays are [height, width] or [height, width, channel], uint8 0-255 or floats 0-1
DPI = 110  # a figure of 5.6 inches is 616 pixels wide
GLOW = 0.8  # the share of the glow where a map is 1
DIAGRAMS = env.ASSETS / "diagrams"
CODED = {ord(sign): quote(sign) for sign in '%#<>"\n'}  # what may not stand in a data address
PLACE = re.compile(r"<g class='at(\d\d)' display='none'>(.*?)</g>\n", re.S)  # of a lesson on the map, not shown
TEXT = re.compile(r"<desc>(.*?)</desc>", re.S)


def as_picture(picture: Picture | Figure) -> Image.Image:
    """Return anything that this room takes or gives as a PIL picture in RGB.

    Raises:
        TypeError, ValueError: as `pictures.as_picture`.
    """
    if hasattr(picture, "savefig"):
        buffer = io.BytesIO()
        picture.savefig(buffer, format="png", dpi=DPI, facecolor=PAPER)
        picture = buffer.getvalue()
    elif not isinstance(picture, Image.Image):
        picture = np.asarray(picture)
    return pictures.as_picture(picture, "picture", smallest=1, largest=None)


def overlay(image: Picture, heat: np.ndarray) -> Image.Image:
    """Lay a map of heat over a picture: grey where the map is 0, glowing where it is 1.

    Args:
        image: the picture.
        heat: [height, width] of the picture or coarser, 0-1; enlarged smoothly.

    Raises:
        ValueError: the map has other axes or leaves 0-1.
    """
    from matplotlib import colormaps

    heat = np.asarray(heat, dtype=np.float32)
    if heat.ndim != 2 or not (heat.min() >= 0 and heat.max() <= 1):
        raise ValueError(f"heat has shape {heat.shape} in {heat.min()} to {heat.max()}; give [height, width] in 0-1.")
    picture = as_picture(image)
    large = np.clip(Image.fromarray(heat).resize(picture.size, Image.Resampling.BILINEAR), 0, 1)
    grey = np.asarray(picture.convert("L").convert("RGB"), dtype=np.float32)
    share = GLOW * np.sqrt(large)[..., None]
    mixed = grey * (1 - share) + 255 * colormaps["inferno"](large)[..., :3] * share
    return Image.fromarray(mixed.round().astype(np.uint8))


@dataclass(frozen=True)
class Described:
    """A picture as JPEG and a text in its place; shows itself in a notebook."""

    jpeg: bytes
    alt: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        data = {"image/jpeg": base64.b64encode(self.jpeg).decode(), "text/plain": self.alt}
        return data, {"image/jpeg": {"alt": self.alt}}


def described(picture: Picture | Figure, alt: str) -> Described:
    """Show a picture or a figure together with its alt text: the last line of a cell.

    Args:
        picture: what the other functions here return.
        alt: one or two sentences that say what is to be seen.

    Raises:
        ValueError: the text is empty.
    """
    if not alt.strip():
        raise ValueError(f"alt={alt!r} says nothing; write what a reader who cannot see the picture should know.")
    jpeg = pictures.encoded(as_picture(picture), "JPEG", quality=QUALITY, optimize=True)
    return Described(jpeg, " ".join(alt.split()))


@dataclass(frozen=True)
class Diagram:
    """A drawing as SVG and a text in its place; shows itself in a notebook, also in one that is not trusted yet."""

    svg: str
    alt: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        address = f"data:image/svg+xml;charset=utf-8,{self.svg.translate(CODED)}"
        return {"text/html": f'<img src="{address}" alt="{escape(self.alt)}">', "text/plain": self.alt}


def diagram(name: str, lane: str = "", here: str = "") -> Diagram:
    """Show one of the course's diagrams: the last line of a cell.

    Args:
        name: such as "pipeline", "attention" or "map".
        lane: whose sizes stand in it, for those that are drawn for each lane.
        here: the lesson, such as "04", whose place on the map is lit.

    Raises:
        ValueError: there is no such diagram, or no such place on it.
    """
    path = DIAGRAMS / f"{name}-{lane}.svg" if lane else DIAGRAMS / f"{name}.svg"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in DIAGRAMS.glob("*.svg")))
        raise ValueError(f"name={name!r} with lane={lane!r} is no diagram; there are: {known}.")
    svg = path.read_text(encoding="utf-8")
    places = sorted({number for number, _ in PLACE.findall(svg)})
    if here and here not in places:
        raise ValueError(f"here={here!r} is no place on {name!r}; there are: {', '.join(places) or 'none'}.")
    svg = PLACE.sub(lambda place: f"<g>{place[2]}</g>\n" if place[1] == here else "", svg)
    return Diagram(svg, unescape(" ".join(TEXT.findall(svg))))
