"""Picture in, control map out: preprocessors of both lanes, truth of clay renders, and what is wrong with a map."""

from ..pictures import as_picture, notes
from .ade20k import COLOURS as ADE20K
from .annotators import release
from .kinds import KINDS, ControlKind, Knob, Preprocessor, pairs_table
from .maps import adherence_of, adherence_of_joints, as_map, canny, from_truth, joints, make
from .problems import problems
