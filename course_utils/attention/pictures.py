"""The maps of a picture that is there already: add noise, look once, and again with more noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from .capturing import capture
from .maps import Maps

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

Picture = Image.Image | np.ndarray  # arrays are uint8 [height, width, 3], RGB


@torch.no_grad()
def of_picture(
    pipe: DiffusionPipeline,
    image: Picture | Sequence[Picture],
    prompt: str | Sequence[str],
    timesteps: Sequence[int] = (200, 500, 800),
    resolutions: Sequence[int] | None = (16,),
    heads: bool = False,
    generator: torch.Generator | None = None,
) -> Maps:
    """Capture what the words of a prompt are looked at for in a picture: one pass of the UNet for each noise step.

    Args:
        pipe: any pipeline around an SD UNet; of its parts only the autoencoder, the text encoder and the UNet run.
        image: a picture, or several of one size; sides that are no whole number of latents are rounded down.
        prompt: one for each picture.
        timesteps: how much noise is added, 0-999; the maps' `step` counts these.
        resolutions: which layers, see `capture`.
        heads: keep the heads apart.
        generator: draws the noise, the same for all noise steps; None starts from seed 0.

    Returns:
        The maps, with the steps kept apart.

    Raises:
        ValueError: not one prompt for each picture, a noise step that does not exist, or a UNet that wants more
            than latents (inpainting, depth).
    """
    images = [image] if isinstance(image, Image.Image | np.ndarray) else list(image)
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    alphas = pipe.scheduler.alphas_cumprod
    _check(pipe, images, prompts, timesteps, len(alphas))
    device, dtype = pipe._execution_device, pipe.unet.dtype
    latents = _encode(pipe, images, device, dtype)
    noise = torch.randn(latents.shape, generator=generator or torch.Generator().manual_seed(0)).to(device, dtype)
    with capture(pipe, resolutions, heads, steps=True) as maps:
        text, _ = pipe.encode_prompt(prompts, device, 1, False)
        for timestep in timesteps:
            alpha = float(alphas[timestep])
            pipe.unet(alpha**0.5 * latents + (1 - alpha) ** 0.5 * noise, timestep, text)
    return maps


def _encode(pipe: DiffusionPipeline, images: list[Picture], device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Turn pictures into latents, the autoencoder's likeliest."""
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import retrieve_latents

    pictures = [image if isinstance(image, Image.Image) else Image.fromarray(image) for image in images]
    pixels = pipe.image_processor.preprocess(pictures).to(device, dtype)
    return retrieve_latents(pipe.vae.encode(pixels), sample_mode="argmax") * pipe.vae.config.scaling_factor


def _check(pipe: DiffusionPipeline, images: list, prompts: list[str], timesteps: Sequence[int], count: int) -> None:
    if not images or len(images) != len(prompts):
        raise ValueError(f"image has {len(images)} pictures and prompt {len(prompts)} texts; give one text for each.")
    if not timesteps or not all(timestep in range(count) for timestep in timesteps):
        raise ValueError(f"timesteps={tuple(timesteps)!r} must be one or more whole numbers from 0 to {count - 1}.")
    wanted, given = pipe.unet.config.in_channels, pipe.vae.config.latent_channels
    if wanted != given:
        raise ValueError(f"pipe has a UNet for {wanted} channels, its latents have {given}; use a text2img pipeline.")
