"""The maps of a picture that is there already, and from a map to a region of it and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from .. import editing
from .hooks import capture
from .maps import Maps

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

Picture = Image.Image | np.ndarray | str | Path | bytes  # whatever `pictures.as_picture` opens


@torch.no_grad()
def of_picture(
    pipe: DiffusionPipeline,
    image: Picture | Sequence[Picture],
    prompt: str | Sequence[str],
    timesteps: Sequence[int] = (200, 500, 800),
    resolutions: Sequence[int] | None = (16,),
    generator: torch.Generator | None = None,
) -> Maps:
    """Capture what the words of a prompt are looked at for in a picture: one pass of the UNet for each noise step.

    Args:
        pipe: any pipeline around an SD UNet; of its parts only the autoencoder, the text encoder and the UNet run.
        image: a picture, or several of one size; sides that are no whole number of latents are rounded down.
        prompt: one for each picture.
        timesteps: how much noise is added, 0-999; the maps' `step` counts these.
        resolutions: which layers, see `capture`.
        generator: draws the noise, the same for all noise steps; None starts from seed 0.

    Returns:
        The maps, with the steps kept apart.

    Raises:
        ValueError: not one prompt for each picture, a noise step that does not exist, or a UNet that wants more
            than latents (inpainting, depth).
    """
    images = list(image) if isinstance(image, list | tuple) else [image]
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    alphas = pipe.scheduler.alphas_cumprod
    wanted, latent = pipe.unet.config.in_channels, pipe.vae.config.latent_channels
    if not images or len(images) != len(prompts):
        raise ValueError(f"image has {len(images)} pictures and prompt {len(prompts)} texts; give one text for each.")
    if not timesteps or not all(timestep in range(len(alphas)) for timestep in timesteps):
        raise ValueError(f"timesteps={tuple(timesteps)!r} must be whole numbers from 0 to {len(alphas) - 1}.")
    if wanted != latent:
        raise ValueError(f"pipe has a UNet for {wanted} channels, its latents have {latent}; use a text2img pipeline.")
    encoded = [editing.encode(pipe, picture, "image") for picture in images]
    if len(sizes := {part.shape[2:] for part in encoded}) > 1:
        raise ValueError(f"image holds pictures of {len(sizes)} sizes; bring them to one.")
    latents = torch.cat(encoded).to(pipe._execution_device, pipe.unet.dtype)
    noise = torch.randn(latents.shape, generator=generator or torch.Generator().manual_seed(0)).to(latents)
    with capture(pipe, resolutions, steps=True) as maps:
        text, _ = pipe.encode_prompt(prompts, latents.device, 1, False)
        for timestep in timesteps:
            alpha = float(alphas[timestep])
            pipe.unet(alpha**0.5 * latents + (1 - alpha) ** 0.5 * noise, timestep, text)
    return maps


def enlarged(heat: torch.Tensor, height: int, width: int) -> np.ndarray:
    """Bring a map [latent_h, latent_w] smoothly to a picture's size: float32 [height, width]."""
    return F.interpolate(heat[None, None].float(), (height, width), mode="bicubic", align_corners=False)[0, 0].numpy()


def region(heat: np.ndarray, threshold: float) -> np.ndarray:
    """Give where a map glows, bool [height, width]: where it has at least a share of its own peak.

    Args:
        heat: [height, width], mostly one that was enlarged.
        threshold: that share, above 0 and up to 1.

    Raises:
        ValueError: a threshold outside its range.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold={threshold!r} is a share of the map's peak; use above 0 and up to 1.")
    return heat >= threshold * heat.max()


def coverage_map(mask: np.ndarray, grid: tuple[int, int]) -> torch.Tensor:
    """Give the map that a model would have that knew a thing's outline: how much of each place the thing covers.

    Made into a region again, it tells what a grid of that size allows.

    Args:
        mask: bool [height, width], where the thing is.
        grid: (latent_h, latent_w) of the map.

    Returns:
        float32 [latent_h, latent_w], 0-1.
    """
    return F.adaptive_avg_pool2d(torch.from_numpy(np.asarray(mask, np.float32))[None], grid)[0]
