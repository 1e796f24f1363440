"""How far a picture is what a control map asked for: the truth of a render against what is seen in the picture."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from .. import adherence
from ..clay import Render, control_maps, truth
from ..clay.straight import straight_edges
from . import annotators, edges


def canny(made: Render, seen: Image.Image) -> float:
    """Compare the edges of both."""
    return adherence.edge_f1(edges.canny(made.image), edges.canny(np.asarray(seen)))


def mlsd(made: Render, seen: Image.Image) -> float:
    """Compare straight lines as they are drawn.

    Measures on end points (sAP; Zhou et al., 2019) are stricter: a detector that breaks one edge into two, or stops
    short of a corner, then misses it, though the picture has done what it was asked. Drawn lines forgive that,
    weigh a line by its length, and share the tolerance of edges.
    """
    lines = straight_edges(made), edges.straight_lines(np.asarray(seen))
    drawn = (np.asarray(control_maps.draw_lines(each, seen.height, seen.width)) for each in lines)
    return adherence.edge_f1(*(each[..., 0] > 0 for each in drawn))


def scribble(made: Render, seen: Image.Image) -> float:
    """Compare the drawn outlines with those of colour."""
    drawn = np.asarray(control_maps.scribble_map(made))[..., 0] > 0
    return adherence.edge_f1(drawn, edges.outlines(np.asarray(seen)))


def joints(made: Render, seen: Image.Image) -> dict[str, float]:
    """Compare the joints of "body" and "hand"; nan where the render shows none."""
    read, (bodies, hands) = annotators.reader().read(seen), truth.joints(made)
    return {"body": adherence.pck(bodies, read.body), "hand": adherence.pck(hands, read.hands)}


def openpose(made: Render, seen: Image.Image) -> float:
    """Compare the joints of bodies and hands, their mean."""
    known = [share for share in joints(made, seen).values() if not math.isnan(share)]
    return float(np.mean(known)) if known else math.nan


def seg(made: Render, seen: Image.Image) -> float:
    """Compare the classes."""
    return adherence.seg_miou(made.klass, annotators.reader().read(seen).seg)


def depth(made: Render, seen: Image.Image) -> float:
    """Compare the order of the depths."""
    return adherence.depth_rank(-made.depth, annotators.nearness(seen, "clay"))


def normal(made: Render, seen: Image.Image) -> float:
    """Compare the directions of surfaces."""
    return adherence.normal_share(made.normal, annotators.reader().read(seen).normal)
