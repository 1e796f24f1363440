"""Cross-attention, listened to while an ordinary pipeline call runs: what does each word look at?

`with attention.capture(pipe) as maps:` around the call, then `maps.word("lion")`.
"""

from .capturing import capture
from .hearing import Call, hearing
from .layers import Explicit, choose_layers, coarse, cross_layers, native_side, probabilities
from .maps import Maps
from .pictures import of_picture
from .regions import enlarged, perfect, region
from .words import Prompt, Word

__all__ = [
    "Call",
    "Explicit",
    "Maps",
    "Prompt",
    "Word",
    "capture",
    "choose_layers",
    "coarse",
    "cross_layers",
    "enlarged",
    "hearing",
    "native_side",
    "of_picture",
    "perfect",
    "probabilities",
    "region",
]
