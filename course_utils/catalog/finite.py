"""A picture whose numbers overflowed is an error that says so; diffusers would paint it black."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def refuse_black(vae: torch.nn.Module) -> None:
    """Let an autoencoder raise FloatingPointError where what it decodes is no picture; all else stays as it is."""
    vae.decoder.register_forward_hook(_check)


def _check(decoder: torch.nn.Module, inputs: tuple, picture: torch.Tensor) -> None:
    import torch

    if picture.isfinite().all():
        return
    text = "The picture holds numbers that are infinite or none at all (NaN); shown, it would be black. "
    if picture.dtype == torch.float32:
        raise FloatingPointError(text + "A weight, or a number that the pipeline was given, is not finite.")
    raise FloatingPointError(
        f"{text}In {str(picture.dtype).removeprefix('torch.')} nothing may pass {torch.finfo(picture.dtype).max:.0f}: "
        "try a smaller guidance_scale, another sampler or another seed, or compute in float32 with "
        "pipe.to(torch.float32), which takes twice the memory."
    )
