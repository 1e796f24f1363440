"""Cross-attention, captured while an ordinary pipeline call runs: what does each word look at?

`with attention.capture(pipe) as maps:` around the call, then `maps.word("lion")`.
"""

from .hooks import capture, of_picture, on_call, replaced_processors
from .layers import EagerAttnProcessor, choose_layers, cross_layers, grid, native_side, probabilities
from .maps import Maps, coverage_map, enlarged, region
from .words import Call, Prompt, Word, Words
