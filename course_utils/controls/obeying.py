"""How far a picture is what a control map asked for: the truth of a render against what is seen in the picture."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image

from .. import adherence
from ..clay import Render, control_maps, truth
from ..clay.straight import straight_edges
from ..pictures import as_picture
from . import edges, networks
from .making import from_truth
from .pairs import check_control

MEASURES = {
    "canny": "F1 of edges, 2 pixels off allowed", "mlsd": "F1 of drawn lines, 2 pixels off allowed",
    "scribble": "F1 of outlines, 2 pixels off allowed", "openpose": "PCK@0.1 of joints, by the reader",
    "seg": "mIoU, by the reader", "depth": "rank correlation, by the depth estimator",
    "normal": "share of normals within 22.5 degrees, by the reader",
}  # fmt: skip


def obeys(control: str, made: Render, picture) -> float:
    """Say how far a picture is what a control asked for, by the measure in `MEASURES`.

    The truth is the render's; what is in the picture is seen by the clay lane's own preprocessors, so of a picture
    that is not of clay only edges, lines and outlines can be told.

    Args:
        control: one of `catalog.CONTROLS`.
        made: from `clay.render`: what the map was drawn from.
        picture: what came out, of the render's size; whatever `as_picture` takes.

    Returns:
        Higher is better, 1 is perfect; nan where the map asks for nothing.

    Raises:
        ValueError: no such control, or a picture of another size.
        FileNotFoundError: the clay lane does not ship the network that looks.
    """
    check_control(control)
    seen = as_picture(picture, "picture")
    if seen.size != made.image.shape[1::-1]:
        raise ValueError(
            f"picture has {seen.height} x {seen.width} pixels (height x width), the render "
            f"{' x '.join(map(str, made.image.shape[:2]))}; they must pair up."
        )
    return float(_OBEYS[control](made, seen))


def obeys_joints(made: Render, picture) -> dict[str, float]:
    """Give PCK@0.1 of "body" and "hand" apart; nan where the render shows none. The arguments are those of `obeys`."""
    read, (bodies, hands) = networks.reader().read(as_picture(picture, "picture")), truth.joints(made)
    return {"body": adherence.pck(bodies, read.body), "hand": adherence.pck(hands, read.hands)}


def _canny(made: Render, seen: Image.Image) -> float:
    return adherence.edge_f1(edges.canny(made.image), edges.canny(np.asarray(seen)))


def _mlsd(made: Render, seen: Image.Image) -> float:
    lines = straight_edges(made), edges.straight_lines(np.asarray(seen))
    drawn = (np.asarray(control_maps.draw_lines(one, seen.height, seen.width)) for one in lines)
    return adherence.line_f1(*(one[..., 0] > 0 for one in drawn))


def _scribble(made: Render, seen: Image.Image) -> float:
    return adherence.edge_f1(np.asarray(from_truth(made, "scribble"))[..., 0] > 0, edges.outlines(np.asarray(seen)))


def _openpose(made: Render, seen: Image.Image) -> float:
    known = [share for share in obeys_joints(made, seen).values() if not math.isnan(share)]
    return float(np.mean(known)) if known else math.nan


def _seg(made: Render, seen: Image.Image) -> float:
    return adherence.seg_miou(made.klass, networks.reader().read(seen).seg)


def _depth(made: Render, seen: Image.Image) -> float:
    return adherence.depth_rank(-made.depth, networks.nearness(seen, "clay"))


def _normal(made: Render, seen: Image.Image) -> float:
    return adherence.normal_share(made.normal, networks.reader().read(seen).normal)


_OBEYS: dict[str, Callable[[Render, Image.Image], float]] = {
    "canny": _canny, "mlsd": _mlsd, "scribble": _scribble, "openpose": _openpose, "seg": _seg, "depth": _depth,
    "normal": _normal,
}  # fmt: skip
