"""Networks set up for training, and given back as they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from diffusers import ModelMixin

SMALL = 32 * 32  # latent pixels whose attention maps may be kept whole; at 64 x 64 those of SD 1.5 take 1 GB more


@contextmanager
def eased(models: Sequence[ModelMixin], latent_pixels: int, checkpointing: bool, advice: str = "") -> Iterator[None]:
    """Let networks train as fast as their memory allows.

    On a CPU attention is computed the plain way, which trains a sixth faster there, where its maps are small. With
    checkpointing, activations are forgotten and computed again on the way back.

    Args:
        models: UNets and ControlNets of diffusers.
        latent_pixels: of one picture.
        checkpointing: whether activations are forgotten.
        advice: a sentence, what to change where a step does not fit.

    Raises:
        MemoryError: a step did not fit; says the advice.
    """
    from diffusers.models.attention_processor import AttnProcessor

    kept = [(model, dict(model.attn_processors), model.is_gradient_checkpointing) for model in models]
    try:
        for model in models:
            if model.device.type == "cpu" and latent_pixels <= SMALL:
                model.set_attn_processor(AttnProcessor())
            if checkpointing:
                model.enable_gradient_checkpointing()
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(f"A step of training does not fit into memory. {advice}".strip()) from error
    finally:
        for model, processors, before in kept:
            model.set_attn_processor(processors)
            if checkpointing and not before:
                model.disable_gradient_checkpointing()
