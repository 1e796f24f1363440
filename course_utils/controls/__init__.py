"""Picture in, control map out: preprocessors of both lanes, truth of clay renders, and what is wrong with a map."""

from ..pictures import as_picture, notes
from .ade20k import COLOURS as ADE20K
from .making import canny, depth, from_truth, make, mlsd, normal, openpose, scribble, seg
from .networks import release
from .obeying import MEASURES, obeys, obeys_joints
from .pairs import PAIRS, Pair, pairs_table
from .problems import problems

__all__ = [
    "ADE20K",
    "MEASURES",
    "PAIRS",
    "Pair",
    "as_picture",
    "canny",
    "depth",
    "from_truth",
    "make",
    "mlsd",
    "normal",
    "notes",
    "obeys",
    "obeys_joints",
    "openpose",
    "pairs_table",
    "problems",
    "release",
    "scribble",
    "seg",
]
