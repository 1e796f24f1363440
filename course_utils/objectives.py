"""What the trainers on a diffusion model share: predict the noise in a noisy latent.

One draw of noise and timesteps, one comparison; the model (a UNet, one with a LoRA, one with a ControlNet beside it)
is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from diffusers import SchedulerMixin


def noise_loss(
    model: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    latents: torch.Tensor,
    scheduler: SchedulerMixin,
    generator: torch.Generator,
    timesteps: torch.Tensor | None = None,
    snr_gamma: float | None = None,
) -> torch.Tensor:
    """Add noise to latents and give how badly it is predicted (DDPM, Ho et al., 2020, eq. 14).

    Args:
        model: from noisy latents [batch, channel, latent_h, latent_w] and timesteps [batch] to the noise in them.
        latents: of pictures, as the UNet sees them (scaled), [batch, channel, latent_h, latent_w].
        scheduler: any of the pipeline's: only its noise levels are read.
        generator: on the CPU, so that a seed means the same draws on every device.
        timesteps: long [batch]; None draws them uniformly.
        snr_gamma: weigh each error by min(SNR, snr_gamma) / SNR (min-SNR, Hang et al., 2023); None is the plain loss.

    Returns:
        The mean squared error of each picture, float32 [batch].

    Raises:
        ValueError: if the model does not predict noise (its scheduler says so).
    """
    noisy, timesteps, noise = add_noise(latents, scheduler, generator, timesteps)
    return prediction_error(model, noisy, timesteps, noise, scheduler, snr_gamma)


def add_noise(
    latents: torch.Tensor,
    scheduler: SchedulerMixin,
    generator: torch.Generator,
    timesteps: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw noise and timesteps for latents; arguments and errors are those of `noise_loss`.

    Returns:
        Noisy latents and the noise in them, both like `latents`, and between them the timesteps, long [batch].
    """
    kind = scheduler.config.get("prediction_type", "epsilon")
    if kind != "epsilon":
        raise ValueError(f"scheduler.config.prediction_type={kind!r}: the course's trainers predict 'epsilon'.")
    noise = torch.randn(latents.shape, generator=generator).to(latents.device, latents.dtype)
    if timesteps is None:
        timesteps = torch.randint(0, len(scheduler.alphas_cumprod), (len(latents),), generator=generator)
    share = scheduler.alphas_cumprod[timesteps.cpu()].to(latents.device, latents.dtype)[:, None, None, None]
    return share.sqrt() * latents + (1 - share).sqrt() * noise, timesteps.to(latents.device), noise


def prediction_error(
    model: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    noisy: torch.Tensor,
    timesteps: torch.Tensor,
    target: torch.Tensor,
    scheduler: SchedulerMixin,
    snr_gamma: float | None = None,
) -> torch.Tensor:
    """Give how far what is predicted for noisy latents is from `target`, such as the noise; see `noise_loss`."""
    error = (model(noisy, timesteps).float() - target.float()).pow(2).mean((1, 2, 3))
    if snr_gamma is None:
        return error
    signal = scheduler.alphas_cumprod[timesteps.cpu()].to(error.device)
    snr = signal / (1 - signal)
    return error * snr.clamp(max=snr_gamma) / snr
