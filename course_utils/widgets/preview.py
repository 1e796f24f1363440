"""The picture that the model expects at this moment: x0, predicted at each step, decoded now and then.

The scheduler's step gets everything that is needed: what the model said, after guidance, and the noisy latents. Of
those the scheduler itself makes what the model saw (`scale_model_input`), which for every scheduler is
sqrt(a) x0 + sqrt(1 - a) noise (Ho et al., 2020, eq. 4), with a = alphas_cumprod at the step: solve for x0.
"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL import Image


class Preview:
    """Watches the scheduler of one run.

    Args:
        pipe: a pipeline whose scheduler belongs to this run alone: its `step` is wrapped for good.
        share: of the run's time may go into decoding; so a slow decoder is asked less often.
    """

    def __init__(self, pipe: DiffusionPipeline, share: float = 0.2) -> None:
        self._pipe, self._patience = pipe, 1 / share - 1
        self._next = 0.0  # no picture before this moment
        self._seen: tuple[torch.Tensor, int, torch.Tensor] | None = None
        step = pipe.scheduler.step

        @functools.wraps(step)  # the pipeline looks at its signature
        def watched(model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, *rest: Any, **more: Any) -> Any:
            saw = pipe.scheduler.scale_model_input(sample, timestep)
            self._seen = model_output, int(timestep), saw
            return step(model_output, timestep, sample, *rest, **more)

        pipe.scheduler.step = watched

    def x0(self) -> torch.Tensor | None:
        """Return the predicted clean latents [batch, channel, latent_h, latent_w], or None before the first step."""
        if self._seen is None:
            return None
        said, timestep, saw = self._seen
        alpha = self._pipe.scheduler.alphas_cumprod[timestep].to(saw)
        kind = self._pipe.scheduler.config.prediction_type
        if kind == "sample":
            return said
        if kind == "v_prediction":
            return alpha.sqrt() * saw - (1 - alpha).sqrt() * said
        return (saw - (1 - alpha).sqrt() * said) / alpha.sqrt()

    def picture(self) -> Image.Image | None:
        """Return x0 as a picture, or None when it is not yet time for another one."""
        began = time.monotonic()
        if began < self._next or (latents := self.x0()) is None:
            return None
        vae = self._pipe.vae
        with torch.no_grad():
            decoded = vae.decode(latents.to(vae.dtype) / vae.config.scaling_factor, return_dict=False)[0]
        image = self._pipe.image_processor.postprocess(decoded.detach(), output_type="pil")[0]
        now = time.monotonic()
        self._next = now + self._patience * (now - began)
        return image
