"""The kinds of control: one record each, from which all else is read; a new kind is a record here and a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from .. import adherence, catalog, metrics
from ..clay import Render, control_maps, truth
from ..clay.straight import straight_edges
from . import annotators, edges, preprocess_clay, preprocess_sd15, slips


class Knob(NamedTuple):
    """A number that a preprocessor takes."""

    name: str  # of the argument
    value: float  # without a wish; a whole number where only those make sense
    low: float
    high: float


class Preprocessor(NamedTuple):
    """What makes a map of a picture, PIL RGB, of the picture's size."""

    name: str
    make: Callable[..., Image.Image]  # of the picture, and of its knobs by their names
    knobs: tuple[Knob, ...] = ()


@dataclass(frozen=True)
class ControlKind:
    """A kind of control map: how it looks, who makes it, and how far a picture obeys it."""

    name: str
    shows: str  # what is to be seen in the map
    convention: str  # what colours and brightness mean; maps are RGB, 0-255
    preprocessors: Mapping[str, Preprocessor]  # by lane; a lane may have none
    resize: str  # "lines" stay white, "classes" keep their colours, and what is "smooth" is averaged
    draw: Callable[[Render], Image.Image] | None = None  # from the truth of a clay render
    measure: str = ""  # what `adherence` gives
    adherence: Callable[[Render, Image.Image], float] | None = None  # 1 is perfect; nan where nothing was asked for
    # Sentences about uint8 [height, width, 3] that may be such a map.
    slips: Callable[[np.ndarray], list[str]] = lambda pixels: []
    empty: str = ""  # what a map without anything in it says: "Nobody was found"
    # Tells such a map from those of all other kinds; None: `slips.kind_of` knows it.
    recognise: Callable[[np.ndarray], bool] | None = None
    # Takes a map that looks like another kind's, whose name comes second.
    accepts: Callable[[np.ndarray, str], bool] = lambda pixels, other: False

    @property
    def ground(self) -> str:
        """Return the colour below what is transparent in a map."""
        return "white" if self.resize == "smooth" else "black"

    def model(self, lane: str) -> str:
        """Return the id of the ControlNet that was trained on such maps; "" if the lane has none."""
        use = f"control {self.name}"
        return catalog.checkpoint(use, lane).id if use in catalog.CHECKPOINTS[lane] else ""


def joint_shares(made: Render, seen: Image.Image) -> dict[str, float]:
    """Give PCK@0.1 of "body" and "hand" apart; nan where the render shows none."""
    read, (bodies, hands) = annotators.reader().read(seen), truth.joints(made)
    return {"body": adherence.pck(bodies, read.body), "hand": adherence.pck(hands, read.hands)}


def _joints(made: Render, seen: Image.Image) -> float:
    known = [share for share in joint_shares(made, seen).values() if not math.isnan(share)]
    return float(np.mean(known)) if known else math.nan


def _edges(made: Render, seen: Image.Image) -> float:
    return adherence.edge_f1(edges.canny(made.image), edges.canny(np.asarray(seen)))


def _lines(made: Render, seen: Image.Image) -> float:
    """Compare lines as they are drawn: that forgives a line in two pieces, which end points (sAP) do not."""
    found = straight_edges(made), edges.straight_lines(np.asarray(seen))
    drawn = (np.asarray(control_maps.draw_lines(each, seen.height, seen.width)) for each in found)
    return adherence.edge_f1(*(each[..., 0] > 0 for each in drawn))


def _outlines(made: Render, seen: Image.Image) -> float:
    drawn = np.asarray(control_maps.scribble_map(made))[..., 0] > 0
    return adherence.edge_f1(drawn, edges.outlines(np.asarray(seen)))


THRESHOLDS = Knob("low", 100, 1, 255), Knob("high", 200, 1, 255)
VOTES = Knob("thr_v", 0.1, 0.01, 2.0), Knob("thr_d", 0.1, 0.01, 20.0)  # how sure M-LSD is; how long a line
ON_BLACK = "white on black, one pixel wide"
READER = "the reader network"
_RECORDS = (
    ControlKind(
        "canny", "every sharp edge", ON_BLACK,
        {"clay": Preprocessor("OpenCV's Canny, 100 / 200", preprocess_clay.canny, THRESHOLDS),
         "sd15": Preprocessor("OpenCV's Canny, 100 / 200", preprocess_clay.canny, THRESHOLDS)},
        "lines", control_maps.canny_map, "F1 of edges, 2 pixels off allowed", _edges, slips.inverted,
        "No edge was found",
    ),
    ControlKind(
        "mlsd", "straight lines only", ON_BLACK,
        {"clay": Preprocessor("LSD in three channels", preprocess_clay.mlsd),
         "sd15": Preprocessor("M-LSD", preprocess_sd15.mlsd, VOTES)},
        "lines", control_maps.line_map, "F1 of drawn lines, 2 pixels off allowed", _lines, slips.inverted,
        "No straight line was found", accepts=slips.nearly_straight,
    ),
    ControlKind(
        "scribble", "outlines, roughly", "white on black, several pixels wide",
        {"clay": Preprocessor("edges of colour, thickened", preprocess_clay.scribble),
         "sd15": Preprocessor("HED", preprocess_sd15.scribble)},
        "lines", control_maps.scribble_map, "F1 of outlines, 2 pixels off allowed", _outlines, slips.inverted,
        "No outline was found", accepts=slips.small_drawing,
    ),
    ControlKind(
        "openpose", "joints and limbs of people, fingers", "OpenPose's colours on black",
        {"clay": Preprocessor(READER, preprocess_clay.openpose),
         "sd15": Preprocessor("OpenPose", preprocess_sd15.openpose)},
        "classes", control_maps.pose_map, "PCK@0.1 of joints, by the reader", _joints, slips.swapped_pose,
        "Nobody was found",
    ),
    ControlKind(
        "seg", "which class each pixel belongs to", "one flat colour a class: ADE20K's",
        {"clay": Preprocessor(READER, preprocess_clay.seg), "sd15": Preprocessor("UperNet", preprocess_sd15.seg)},
        "classes", control_maps.seg_map, "mIoU, by the reader",
        lambda made, seen: metrics.miou(made.klass, annotators.reader().read(seen).seg), slips.palette,
    ),
    ControlKind(
        "depth", "how near each pixel is", "grey: near is bright, far is dark",
        {"clay": Preprocessor("the depth network", preprocess_clay.depth),
         "sd15": Preprocessor("Depth Anything V2", preprocess_sd15.depth)},
        "smooth", control_maps.depth_map, "rank correlation, by the depth estimator",
        lambda made, seen: adherence.depth_rank(-made.depth, annotators.nearness(seen, "clay")), slips.upside_down,
    ),
    ControlKind(
        "normal", "which way each surface faces", "blue front, red left, green up",
        {"clay": Preprocessor(READER, preprocess_clay.normal),
         "sd15": Preprocessor("NormalBae", preprocess_sd15.normal)},
        "smooth", control_maps.normal_map, "share of normals within 22.5 degrees, by the reader",
        lambda made, seen: adherence.normal_share(made.normal, annotators.reader().read(seen).normal),
        slips.turned_normals,
    ),
)  # fmt: skip
KINDS: dict[str, ControlKind] = {kind.name: kind for kind in _RECORDS}


def kind(control: str) -> ControlKind:
    """Return the record of a control.

    Raises:
        ValueError: no such control; names those that there are.
    """
    if control not in KINDS:
        raise ValueError(f"control={control!r} is no control; use one of {', '.join(map(repr, KINDS))}.")
    return KINDS[control]


def pairs_table(lane: str) -> str:
    """Return which map goes with which model as Markdown, for `IPython.display.Markdown`: the table of lesson 04."""
    head = ("control", "the map shows", "convention", "preprocessor", "model")
    rows = [head, ("---",) * len(head)]
    for each in KINDS.values():
        maker = each.preprocessors[lane].name if lane in each.preprocessors else "-"
        rows.append((each.name, each.shows, each.convention, maker, each.model(lane) or "-"))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
