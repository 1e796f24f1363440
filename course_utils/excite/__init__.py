"""Attend-and-Excite (Chefer et al., SIGGRAPH 2023): no word of the prompt is forgotten.

`with excite.exciting(pipe, ["lion", "crown"], excite.AttendExciteConfig.for_lane("clay")) as log:` around an
ordinary pipeline call. The settings and the mathematics stand in `equations`, what is done with them in `loop`.
"""

from .equations import AttendExciteConfig, attention_with_grad, loss, peaks, sharpen, smooth, token_mask, word_maps
from .loop import Log, Move, UNetInputs, exciting
