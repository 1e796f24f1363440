"""Copy, lock, zero; train on pairs: how a Stable Diffusion learns to follow a map.

Adding Conditional Control to Text-to-Image Diffusion Models (Zhang et al., ICCV 2023): the UNet is locked, its
encoder is copied, the copy sees a map through a small hint encoder and speaks to the locked decoder through
convolutions that start at zero, so that training begins with exactly the pictures of the UNet alone.

    net = controlnet.copy_of(pipe)
    pairs = controlnet.Pairs.of(pipe, pictures, maps, prompts)
    run = controlnet.train(pipe, net, pairs, controlnet.Knobs(steps=300))
"""

from .copying import HINTS, copy_of, locked, louder, zero_layers
from .pairs import Batch, Pairs, Source
from .teaching import Knobs, Objective, Run, train

__all__ = [
    "HINTS",
    "Batch",
    "Knobs",
    "Objective",
    "Pairs",
    "Run",
    "Source",
    "copy_of",
    "locked",
    "louder",
    "train",
    "zero_layers",
]
