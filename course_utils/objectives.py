"""What the trainers on a diffusion model share: guess the noise in a noisy latent.

One draw of noise and noise steps, one comparison; who guesses (a UNet, one with a LoRA, one with a
ControlNet beside it) is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from . import env

if TYPE_CHECKING:
    from diffusers import SchedulerMixin


def noise_loss(
    guess: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    latents: torch.Tensor,
    scheduler: SchedulerMixin,
    generator: torch.Generator,
    steps: torch.Tensor | None = None,
    cap: float | None = None,
) -> torch.Tensor:
    """Add noise to latents and give how badly it is guessed (DDPM, Ho et al., 2020, eq. 14).

    Args:
        guess: from noisy latents [batch, channel, latent_h, latent_w] and noise steps [batch] to the noise in them.
        latents: of pictures, as the UNet sees them (scaled), [batch, channel, latent_h, latent_w].
        scheduler: any of the pipeline's: only its noise levels are read.
        generator: on the CPU, so that a seed means the same draws on every device.
        steps: long [batch]; None draws them uniformly.
        cap: weigh each step by min(SNR, cap) / SNR (min-SNR, Hang et al., 2023); None is the plain loss.

    Returns:
        The mean squared error of each picture, float32 [batch].

    Raises:
        ValueError: if the model does not guess noise (its scheduler says so).
    """
    noisy, steps, noise = add_noise(latents, scheduler, generator, steps)
    return guess_error(guess, noisy, steps, noise, scheduler, cap)


def add_noise(
    latents: torch.Tensor,
    scheduler: SchedulerMixin,
    generator: torch.Generator,
    steps: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw noise and noise steps for latents; arguments and errors are those of `noise_loss`.

    Returns:
        Noisy latents and the noise in them, both like `latents`, and between them the noise steps, long [batch].
    """
    kind = scheduler.config.get("prediction_type", "epsilon")
    if kind != "epsilon":
        raise ValueError(f"scheduler.config.prediction_type={kind!r}: the course trains models that guess 'epsilon'.")
    noise = torch.randn(latents.shape, generator=generator).to(latents.device, latents.dtype)
    if steps is None:
        steps = torch.randint(0, len(scheduler.alphas_cumprod), (len(latents),), generator=generator)
    share = scheduler.alphas_cumprod[steps.cpu()].to(latents.device, latents.dtype)[:, None, None, None]
    return share.sqrt() * latents + (1 - share).sqrt() * noise, steps.to(latents.device), noise


def guess_error(
    guess: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    noisy: torch.Tensor,
    steps: torch.Tensor,
    target: torch.Tensor,
    scheduler: SchedulerMixin,
    cap: float | None = None,
) -> torch.Tensor:
    """Give how far the guesses for noisy latents are from `target`, such as the noise; see `noise_loss`."""
    error = (guess(noisy, steps).float() - target.float()).pow(2).mean((1, 2, 3))
    if cap is None:
        return error
    signal = scheduler.alphas_cumprod[steps.cpu()].to(error.device)
    snr = signal / (1 - signal)
    return error * snr.clamp(max=cap) / snr


def low_precision(device: torch.device) -> torch.dtype | None:
    """Give the dtype of autocast while training: what the hardware computes natively beside float32, or None.

    Weights and their updates stay float32. With float16 the loss must be scaled too: `Plan(half=True)`.
    """
    if device.type == "cuda" and not env.native_bfloat16():
        return torch.float16  # a T4
    return torch.bfloat16 if env.native_bfloat16() else None
