"""Diagrams of the ideas, drawn beforehand by `tools/diagrams`: shown with their text, the map with its light."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape, unescape
from typing import Any
from urllib.parse import quote

from .. import env

FOLDER = env.ASSETS / "diagrams"
CODED = {ord(sign): quote(sign) for sign in '%#<>"\n'}  # what may not stand in a data address
PLACE = re.compile(r"<g class='at(\d\d)' display='none'>(.*?)</g>\n", re.S)  # of a lesson on the map, not shown
TEXT = re.compile(r"<desc>(.*?)</desc>", re.S)


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
    path = FOLDER / f"{name}-{lane}.svg" if lane else FOLDER / f"{name}.svg"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.svg")))
        raise ValueError(f"name={name!r} with lane={lane!r} is no diagram; there are: {known}.")
    svg = path.read_text(encoding="utf-8")
    places = sorted({number for number, _ in PLACE.findall(svg)})
    if here and here not in places:
        raise ValueError(f"here={here!r} is no place on {name!r}; there are: {', '.join(places) or 'none'}.")
    svg = PLACE.sub(lambda place: f"<g>{place[2]}</g>\n" if place[1] == here else "", svg)
    return Diagram(svg, unescape(" ".join(TEXT.findall(svg))))
