"""Which map goes with which model, and how it must be drawn: the table of lesson 04."""

from __future__ import annotations

from dataclasses import dataclass

from .. import catalog


@dataclass(frozen=True)
class Pair:
    """A control: its map, and what makes it on either lane."""

    control: str
    shows: str  # what is to be seen in the map
    convention: str  # what colours and brightness mean; maps are RGB, 0-255
    clay: str  # the preprocessor of the clay lane
    sd15: str  # the preprocessor of the sd15 lane

    def model(self, lane: str) -> str:
        """Return the id of the ControlNet that was trained on such maps."""
        return catalog.checkpoint(f"control {self.control}", lane).id


READER = "the reader network"
_ROWS = (
    Pair("canny", "every sharp edge", "white on black, one pixel wide", "OpenCV's Canny, 100 / 200", "the same"),
    Pair("mlsd", "straight lines only", "white on black, one pixel wide", "LSD in three channels", "M-LSD"),
    Pair("scribble", "outlines, roughly", "white on black, several pixels wide", "edges of colour, thickened", "HED"),
    Pair("openpose", "joints and limbs of people, fingers", "OpenPose's colours on black", READER, "OpenPose"),
    Pair("seg", "which class each pixel belongs to", "one flat colour a class: ADE20K's", READER, "UperNet"),
    Pair(
        "depth",
        "how near each pixel is",
        "grey: near is bright, far is dark",
        "the depth network",
        "Depth Anything V2",
    ),
    Pair("normal", "which way each surface faces", "blue front, red left, green up", READER, "NormalBae"),
)
PAIRS: dict[str, Pair] = {pair.control: pair for pair in _ROWS}


def check_control(control: str) -> None:
    """Raise a ValueError that names the controls unless this is one."""
    if control not in PAIRS:
        raise ValueError(f"control={control!r} is no control; use one of {', '.join(map(repr, PAIRS))}.")


def pairs_table() -> str:
    """Return the table as Markdown, for `IPython.display.Markdown`."""
    head = ("control", "the map shows", "convention", "preprocessor: clay", "sd15", "model: clay", "sd15")
    rows = [
        (pair.control, pair.shows, pair.convention, pair.clay, pair.sd15, pair.model("clay"), pair.model("sd15"))
        for pair in _ROWS
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))
