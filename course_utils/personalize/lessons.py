"""What a step learns from: pictures of the subject and what shall not be forgotten, drawn by the step's number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from PIL import ImageOps

from ..editing import encode
from ..objectives import add_noise, guess_error, low_precision
from .examples import Example
from .presets import Knobs

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, SchedulerMixin, UNet2DConditionModel

    Part = tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[str]]  # noisy latents, noise steps, targets, captions


@dataclass(frozen=True)
class Seen:
    """Pictures, each with what is said of it: the noise that is added to them is to be guessed.

    latents: as the UNet sees them, [picture, channel, latent_h, latent_w].
    """

    latents: torch.Tensor
    captions: list[str]
    scheduler: SchedulerMixin

    def draw(self, count: int, generator: torch.Generator) -> Part:
        """Draw pictures, noise and noise steps."""
        rows = torch.randint(len(self.latents), (count,), generator=generator)
        latents = self.latents[rows.to(self.latents.device)]
        return *add_noise(latents, self.scheduler, generator), [self.captions[row] for row in rows.tolist()]


@dataclass(frozen=True)
class Answered:
    """Noisy latents, noise steps and captions, and what the base guesses there: this is to be guessed again."""

    noisy: torch.Tensor
    steps: torch.Tensor
    guesses: torch.Tensor
    captions: list[str]

    def draw(self, count: int, generator: torch.Generator) -> Part:
        """Draw some of them."""
        rows = torch.randint(len(self.noisy), (count,), generator=generator)
        here = rows.to(self.noisy.device)
        return self.noisy[here], self.steps[here], self.guesses[here], [self.captions[row] for row in rows.tolist()]


class Lessons:
    """A subject in pictures and words, and what shall not be forgotten, if `keep` was told of it."""

    def __init__(self, pipe: DiffusionPipeline, examples: Sequence[Example], knobs: Knobs, live: bool = False):
        """Encode the pictures once; also the words, unless the text encoder is trained (``live``)."""
        self.pipe, self.knobs, self.live = pipe, knobs, live
        turned = [Example(ImageOps.mirror(one.picture), one.caption) for one in examples if knobs.mirror]
        seen = [*examples, *turned]
        latents = torch.cat([encode(pipe, one.picture).float() for one in seen])
        self.subject = Seen(latents, [one.caption for one in seen], pipe.scheduler)
        self.prior: Seen | Answered | None = None
        self.known: dict[str, torch.Tensor] = {}
        self._know(self.subject.captions)

    def keep(self, prior: Seen | Answered | None) -> None:
        """Add what shall not be forgotten."""
        self.prior = prior
        self._know(prior.captions if prior else [])

    @torch.no_grad()
    def _know(self, captions: list[str]) -> None:
        for text in () if self.live else dict.fromkeys(captions):
            self.known[text] = self._read([text])[0]

    def words(self, captions: list[str]) -> torch.Tensor:
        """Give what the text encoder makes of captions: [batch, token, channel]."""
        return self._read(captions) if self.live else torch.stack([self.known[text] for text in captions])

    def _read(self, captions: list[str]) -> torch.Tensor:
        return self.pipe.encode_prompt(captions, self.pipe.text_encoder.device, 1, False)[0]

    def loss(self, unet: UNet2DConditionModel, generator: torch.Generator, share: int) -> torch.Tensor:
        """Draw ``share`` pictures and as many to keep; give their loss (DreamBooth, Ruiz et al., 2023, eq. 2)."""
        parts = [part.draw(share, generator) for part in (self.subject, self.prior) if part]
        noisy, steps, target = (torch.cat(of_all) for of_all in list(zip(*parts, strict=True))[:3])
        captions = [text for part in parts for text in part[3]]
        low = low_precision(noisy.device)
        with torch.autocast(noisy.device.type, low, enabled=low is not None):
            words = self.words(captions).to(unet.dtype)

            def guess(noisy: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
                return unet(noisy.to(unet.dtype), steps, words, return_dict=False)[0]

            errors = guess_error(guess, noisy, steps, target, self.pipe.scheduler, self.knobs.cap)
        loss = errors[:share].mean()
        return loss + self.knobs.prior_weight * errors[share:].mean() if self.prior else loss


def draws(seed: int, step: int, process: int = 0) -> torch.Generator:
    """Give the chance of one step of one process: the same after every restart."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) * 1009 + process)
