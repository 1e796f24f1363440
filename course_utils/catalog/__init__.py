"""The catalogue: which checkpoints the course uses on both lanes, and one loader that makes them ready.

`load("text2img")` gives an ordinary diffusers pipeline. Nothing heavy is imported before it is asked for.
"""

from .calls import check_call, check_size, defaults, prompt_notes, unknown_words
from .checkpoints import CHECKPOINTS, CONTROLS, KINDS, Checkpoint, checkpoint, control_names
from .compat import dtype_keyword, quiet
from .files import check_model, weights_hash
from .hub import announcement, fetch, fetch_pickles
from .loading import base_of, check_nets, folder_of, lane_of, load, release, source
from .own import fetch_checker
from .samplers import NOISE, SAMPLERS, sampler_of, schedulers, with_scheduler
