"""Are the shared weights still those of the checkpoint? A cheap fingerprint of all tensors, and what was merged."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

PARTS = ("unet", "text_encoder")  # that a LoRA may change
SAMPLES = 4  # along each axis of a tensor


@dataclass
class WeightState:
    """What is known of a model's weights: how they should be, and what was merged into them, the last one last."""

    fingerprint: str
    merged: list[object] = field(default_factory=list)  # each with a `trigger`


@cache
def _states():
    """Keep states by a model's first parameter: copies that share the weights share it."""
    from torch.utils.weak import WeakIdKeyDictionary

    return WeakIdKeyDictionary()


def fingerprint(model: nn.Module) -> str:
    """Hash a few numbers of every tensor, in bfloat16: the same in each dtype, on each device, beside a LoRA."""
    import torch

    samples, names = [], []
    for name, p in model.named_parameters():
        if ".lora_" not in name:
            spread = tuple(slice(None, None, math.ceil(size / SAMPLES)) for size in p.shape)
            samples.append(p.detach()[spread].flatten().to(torch.bfloat16))
            names.append(name.replace(".base_layer", ""))
    digest = hashlib.sha256("\n".join(names).encode())
    digest.update(torch.cat(samples).float().cpu().numpy().tobytes())
    return digest.hexdigest()


def state_of(model: nn.Module) -> WeightState:
    """Return what is known of a model's weights; what is asked for the first time is taken for its checkpoint's."""
    first = next(model.parameters())
    if first not in _states():
        _states()[first] = WeightState(fingerprint(model))
    return _states()[first]


def carried(model: nn.Module, merged: bool = True) -> str:
    """Say what a model carries beyond its checkpoint's weights; empty if nothing.

    Args:
        model: a UNet or a text encoder.
        merged: name LoRAs too that `personalize.merge` put there, from which there is an exact way back.
    """
    if attached := getattr(model, "peft_config", None):
        return f"the LoRA {', '.join(map(repr, attached))}: pipe.unload_lora_weights() takes it out"
    state = state_of(model)
    if fingerprint(model) != state.fingerprint:
        return "weights that were changed in place, such as by fuse_lora: catalog.release() and load it again"
    if merged and state.merged:
        triggers = ", ".join(repr(each.trigger) for each in state.merged)
        return f"the merged LoRA {triggers}: personalize.unmerge takes it out"
    return ""
