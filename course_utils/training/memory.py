"""Memory: how much a training takes beside the pipeline, said before it starts, and networks set up to fit into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from .. import env

if TYPE_CHECKING:
    from diffusers import ModelMixin

SMALL = 32 * 32  # latent pixels whose attention maps may be kept whole; at 64 x 64 those of SD 1.5 take 1 GB more
# Bytes that one step keeps for one latent pixel of one picture, counted on the UNet of SD 1.5 (320 channels first) in
# its working dtype, without and with gradient checkpointing: 1.0 and 0.24 GB for 512 x 512. They grow with the width.
ACTIVATIONS, CHANNELS = {False: 260_000, True: 64_000}, 320
SPARE, LIBRARIES_GB = 1.15, 0.4  # what allocators lose between the pieces; what the kernels' libraries keep


def memory_gb(trained_bytes: int, latent_pixels: int, channels: int, checkpointing: bool) -> float:
    """Say how many GiB training takes beyond the loaded pipeline.

    Args:
        trained_bytes: of what is trained: weights, gradients, the optimizer's means, the moving average. Exact.
        latent_pixels: of all pictures of a step.
        channels: of the UNet's first level; what a step keeps is scaled by them from a table.
        checkpointing: whether activations are forgotten and computed again on the way back.
    """
    step = ACTIVATIONS[checkpointing] * latent_pixels * channels / CHANNELS
    return SPARE * (trained_bytes + step) / env.GIB + LIBRARIES_GB


def check_memory(needed_gb: float, device: str, advice: str, free_gb: float | None = None) -> None:
    """Raise unless a training fits on a device; `advice` is a sentence, `free_gb` None asks the device.

    Raises:
        MemoryError: says how much is missing, and what to change.
    """
    free_gb = env.free_memory(device) / env.GIB if free_gb is None else free_gb
    if needed_gb > free_gb:
        raise MemoryError(
            f"Training takes about {needed_gb:.1f} GB beside the pipeline; {free_gb:.1f} GB are free. {advice}"
        )


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
