"""The clay lane's preprocessors, small and offline: each takes a picture, PIL RGB, and gives a map of its size.

Edges, lines and outlines work on any picture. The networks know the clay world only; what they say of a photograph
comes with a note.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..clay.control_maps import SEGMENTS, draw_depth, draw_lines, draw_normals, draw_pose
from ..pictures import with_notes
from . import annotators, edges

DOUBT = 0.5  # from here on a picture is less like clay than 99 in 100 renders
UNLIKE = (
    "This looks unlike a clay picture (doubt {:.2f} of 1), and the clay lane's networks know nothing else: "
    "the map may be wrong. On a GPU, lane='sd15' has networks for photographs."
)


def canny(picture: Image.Image, low: float = 100, high: float = 200) -> Image.Image:
    """Draw the edges that Canny's detector finds; on both lanes."""
    return Image.fromarray(edges.canny(np.asarray(picture), low, high)).convert("RGB")


def mlsd(picture: Image.Image) -> Image.Image:
    """Draw the straight lines that LSD finds."""
    return draw_lines(edges.straight_lines(np.asarray(picture)), picture.height, picture.width)


def scribble(picture: Image.Image) -> Image.Image:
    """Draw the outlines of colour, thickened."""
    return Image.fromarray(edges.outlines(np.asarray(picture))).convert("RGB")


def joints(picture: Image.Image) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """List the bodies [18, 3] and hands [21, 3] that the reader sees: column, row (pixels), visibility 0-1."""
    reading = annotators.reader().read(picture)
    return reading.body, reading.hands


def openpose(picture: Image.Image) -> Image.Image:
    """Draw the joints that the reader sees."""
    reading = annotators.reader().read(picture)
    return _doubted(draw_pose(reading.body, reading.hands, picture.height, picture.width), reading.doubt)


def seg(picture: Image.Image) -> Image.Image:
    """Draw the classes that the reader sees."""
    reading = annotators.reader().read(picture)
    return _doubted(Image.fromarray(SEGMENTS[reading.seg]), reading.doubt)


def depth(picture: Image.Image) -> Image.Image:
    """Draw the depth that the network of depth2img estimates; the reader says whether the picture is clay."""
    return _doubted(draw_depth(annotators.nearness(picture, "clay")), annotators.reader().read(picture).doubt)


def normal(picture: Image.Image) -> Image.Image:
    """Draw the normals that the reader sees."""
    reading = annotators.reader().read(picture)
    return _doubted(draw_normals(reading.normal), reading.doubt)


def _doubted(drawn: Image.Image, doubt: float) -> Image.Image:
    return with_notes(drawn, UNLIKE.format(doubt)) if doubt >= DOUBT else drawn
