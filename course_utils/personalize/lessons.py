"""What a step learns from: latents and words of the subject and of prior pictures, drawn by the step's number."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import ImageOps

from .. import catalog
from ..editing import encode
from ..objectives import low_precision, noise_loss
from .examples import Example
from .presets import Knobs

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, UNet2DConditionModel


class Lessons:
    """Latents and captions of a subject, and of prior pictures where there are any."""

    def __init__(
        self,
        pipe: DiffusionPipeline,
        examples: Sequence[Example],
        knobs: Knobs,
        prior: tuple[torch.Tensor, list[str]] | None = None,
        live: bool = False,
    ):
        """Encode the pictures once; also the words, unless the text encoder is trained (``live``)."""
        self.pipe, self.knobs, self.prior = pipe, knobs, prior
        turned = [Example(ImageOps.mirror(one.picture), one.caption) for one in examples if knobs.mirror]
        seen = [*examples, *turned]
        self.latents = torch.cat([encode(pipe, one.picture).float() for one in seen])
        self.captions = [one.caption for one in seen]
        told = dict.fromkeys([*self.captions, *(prior[1] if prior else ())])
        with torch.no_grad():
            self.known = {} if live else {text: self._read([text])[0] for text in told}

    def words(self, captions: list[str]) -> torch.Tensor:
        """Give what the text encoder makes of captions: [batch, token, channel]."""
        return torch.stack([self.known[text] for text in captions]) if self.known else self._read(captions)

    def _read(self, captions: list[str]) -> torch.Tensor:
        return self.pipe.encode_prompt(captions, self.pipe.text_encoder.device, 1, False)[0]

    def loss(self, unet: UNet2DConditionModel, generator: torch.Generator, share: int) -> torch.Tensor:
        """Draw ``share`` pictures and as many prior ones; give their loss (DreamBooth, Ruiz et al., 2023, eq. 2)."""
        latents, captions = self._draw(self.latents, self.captions, share, generator)
        if self.prior:
            old, said = self._draw(*self.prior, share, generator)
            latents, captions = torch.cat([latents, old]), captions + said
        device = self.latents.device
        low = low_precision(device)
        with torch.autocast(device.type, low, enabled=low is not None):
            words = self.words(captions).to(unet.dtype)

            def guess(noisy: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
                return unet(noisy.to(unet.dtype), steps, words, return_dict=False)[0]

            errors = noise_loss(guess, latents, self.pipe.scheduler, generator, cap=self.knobs.cap)
        loss = errors[:share].mean()
        return loss + self.knobs.prior_weight * errors[share:].mean() if self.prior else loss

    @staticmethod
    def _draw(
        latents: torch.Tensor, captions: list[str], count: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, list[str]]:
        rows = torch.randint(len(latents), (count,), generator=generator)
        return latents[rows.to(latents.device)], [captions[row] for row in rows.tolist()]


def draws(seed: int, step: int, process: int = 0) -> torch.Generator:
    """Give the chance of one step of one process: the same after every restart."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) * 1009 + process)


def class_of(trigger: str) -> str:
    """Give the class that a trigger names: "robot" of "sks robot"; empty if it is one word."""
    return " ".join(trigger.split()[1:])


def prior_pictures(
    pipe: DiffusionPipeline, trigger: str, knobs: Knobs, folder: Path, told: Callable[[int], bool]
) -> tuple[torch.Tensor, list[str]] | None:
    """Let the base paint what shall not be forgotten, before anything is learned (Ruiz et al., 2023, 3.2).

    Args:
        pipe: the base.
        trigger: names the class, if the knobs have no prompts of their own.
        knobs: prior_count, prior_prompts, the size and the seed count.
        folder: keeps the latents, so that a killed run need not paint them again.
        told: told after each picture how many there are; True stops.

    Returns:
        Latents, as the UNet sees them, and their prompts; None where no prior is wanted, or where it was stopped.

    Raises:
        ValueError: the trigger names no class and there are no prompts.
    """
    from safetensors.torch import load_file, save_file

    if not knobs.prior_weight:
        return None
    if not knobs.prior_prompts and not class_of(trigger):
        raise ValueError(
            f"trigger={trigger!r} names no class whose looks could be kept: write 'sks robot' for a robot, give "
            f"prior_prompts, or set prior_weight=0."
        )
    prompts = knobs.prior_prompts or (f"a {class_of(trigger)}",)
    captions = [prompts[number % len(prompts)] for number in range(knobs.prior_count)]
    path = folder / "prior.safetensors"
    if path.exists():
        return load_file(path)["latents"].to(pipe.unet.device), captions
    settings = {**catalog.defaults(), "height": knobs.height, "width": knobs.width, "output_type": "latent"}
    painted = []
    for number, caption in enumerate(captions):
        chance = torch.Generator().manual_seed(knobs.seed * 1_000_003 + number)
        painted.append(pipe(caption, generator=chance, **settings).images.float())
        if told(number + 1):
            return None
    latents = torch.cat(painted)
    spare = path.with_suffix(f".{os.getpid()}")
    save_file({"latents": latents.cpu()}, spare)
    spare.replace(path)
    return latents, captions
