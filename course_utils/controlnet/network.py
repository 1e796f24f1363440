"""The network: a copy of the UNet's encoder, its hint encoder, its silent connections; and the lock on all else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from diffusers import ControlNetModel, DiffusionPipeline, StableDiffusionControlNetPipeline

# SiLU leaves 0.6 of unit noise, and half of what is small. PyTorch's own start lets a 100,000th of the map through
# nine such layers, a Gaussian with this gain a tenth.
SILU_GAIN = 1.67
# Channels of the hint encoder by the pixels that a latent covers: each number after the first halves the map.
HINT_CHANNELS = {8: (16, 32, 96, 256), 16: (8, 16, 32, 64, 128)}
# Of the copy: its convolutions and the projections of its attention.
THIN = ("conv1", "conv2", "conv_shortcut", "conv", "to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out")


def copy_of(pipe: DiffusionPipeline, zero: bool = True, seed: int = 0) -> ControlNetModel:
    """Give a fresh ControlNet for a pipeline: the trainable copy of its UNet's encoder, with a hint encoder.

    Args:
        pipe: a Stable Diffusion; left as it is.
        zero: connect the copy through zero convolutions; False draws them from a Gaussian, as the paper's ablation.
        seed: of all that is drawn.

    Returns:
        The ControlNet, in float32, on the UNet's device.

    Raises:
        ValueError: there is no hint encoder for the pipeline's autoencoder.
    """
    from diffusers import ControlNetModel

    covers = pipe.vae_scale_factor
    if covers not in HINT_CHANNELS:
        raise ValueError(f"pipe.vae_scale_factor={covers} has no hint encoder, only {[*HINT_CHANNELS]} have.")
    with torch.random.fork_rng(devices=[]):  # what diffusers draws is drawn again below
        net = ControlNetModel.from_unet(pipe.unet, conditioning_embedding_out_channels=HINT_CHANNELS[covers]).float()
    silent, generator = list(zero_layers(net).values()), torch.Generator().manual_seed(seed)
    for layer in net.controlnet_cond_embedding.modules():
        if isinstance(layer, nn.Conv2d) and layer not in silent:
            _draw(layer, generator, SILU_GAIN)
    for layer in [] if zero else silent:
        _draw(layer, generator, 1.0)
    return net.eval().to(pipe.unet.device, memory_format=torch.channels_last)


def zero_layers(net: ControlNetModel) -> dict[str, nn.Conv2d]:
    """Return the convolutions that start at zero, by name: behind the hint encoder, at each skip, at the middle."""
    skips = {f"skip {number}": layer for number, layer in enumerate(net.controlnet_down_blocks)}
    return {"hint": net.controlnet_cond_embedding.conv_out, **skips, "middle": net.controlnet_mid_block}


def layers_to_thin(net: ControlNetModel) -> list[str]:
    """Return the names of the copied layers that a control LoRA changes by thin matrices: `LoraConfig` takes them."""
    copied = [name for name, _ in net.named_modules() if name.startswith(("down_blocks.", "mid_block."))]
    return [name for name in copied if name.endswith(tuple(f".{end}" for end in THIN))]


def _draw(layer: nn.Conv2d, generator: torch.Generator, gain: float) -> None:
    """Draw a layer's weights from a Gaussian; at a gain of 1 what passes through keeps its size. Its bias is zero."""
    nn.init.normal_(layer.weight, std=gain * layer.weight[0].numel() ** -0.5, generator=generator)
    nn.init.zeros_(layer.bias)


def with_control(pipe: DiffusionPipeline, net: ControlNetModel) -> StableDiffusionControlNetPipeline:
    """Return the pipeline that paints with a net beside `pipe`'s locked parts, which it shares."""
    from diffusers import StableDiffusionControlNetPipeline

    parts = {"safety_checker": None, "feature_extractor": None, **pipe.components, "controlnet": net}
    parts["scheduler"] = pipe.scheduler.from_config(pipe.scheduler.config)  # a call changes it
    safe = parts["safety_checker"] is not None
    made = StableDiffusionControlNetPipeline(**parts, requires_safety_checker=safe)
    made.set_progress_bar_config(disable=True)
    return made


@contextmanager
def locked(pipe: DiffusionPipeline) -> Iterator[None]:
    """Lock a pipeline's weights while a net is trained beside it; afterwards all is as it was."""
    parts = [part for part in pipe.components.values() if isinstance(part, nn.Module)]
    trainable = [p for part in parts for p in part.parameters() if p.requires_grad]
    try:
        for p in trainable:
            p.requires_grad_(False)
        yield
    finally:
        for p in trainable:
            p.requires_grad_(True)
