"""Attend-and-Excite (Chefer et al., SIGGRAPH 2023): no word of the prompt is forgotten.

`with excite.exciting(pipe, ["lion", "crown"], excite.Knobs.clay()) as log:` around an ordinary pipeline call. The
mathematics is in `equations`, a function for each line of the paper's algorithm.
"""

from .equations import choose, loss, peaks, sharpen, smooth, word_maps
from .knobs import Knobs
from .looking import look
from .loop import Log, Move, exciting

__all__ = [
    "Knobs",
    "Log",
    "Move",
    "choose",
    "exciting",
    "look",
    "loss",
    "peaks",
    "sharpen",
    "smooth",
    "word_maps",
]
