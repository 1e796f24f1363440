"""What a step learns from: noised pictures of the subject, and what of the base shall not be forgotten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import ImageOps

from .. import catalog
from ..editing import encode
from ..objectives import add_noise, prediction_error
from ..training import autocast
from .datasets import Example
from .presets import TrainingConfig
from .weights import write_tensors

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, SchedulerMixin, UNet2DConditionModel

    Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[str]]  # noisy latents, noise steps, targets, captions

CHUNK = 8  # answers at once


@dataclass(frozen=True)
class CaptionedLatents:
    """Pictures with their captions; what is to be predicted is the noise that is added to them.

    latents: as the UNet sees them, [picture, channel, latent_h, latent_w].
    """

    latents: torch.Tensor
    captions: list[str]
    scheduler: SchedulerMixin

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draw pictures, noise and noise steps."""
        rows = torch.randint(len(self.latents), (count,), generator=generator)
        latents = self.latents[rows.to(self.latents.device)]
        return *add_noise(latents, self.scheduler, generator), [self.captions[row] for row in rows.tolist()]


@dataclass(frozen=True)
class BaseAnswers:
    """Noisy latents, noise steps and captions, and the noise that the base predicts there: the target."""

    noisy: torch.Tensor
    steps: torch.Tensor
    predictions: torch.Tensor
    captions: list[str]

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draw some of them."""
        rows = torch.randint(len(self.noisy), (count,), generator=generator)
        at, captions = rows.to(self.noisy.device), [self.captions[row] for row in rows.tolist()]
        return self.noisy[at], self.steps[at], self.predictions[at], captions


class PreservationLoss:
    """The loss of DreamBooth (Ruiz et al., 2023, eq. 2): error on the subject, plus lambda times that on the prior."""

    def __init__(
        self,
        pipe: DiffusionPipeline,
        subject: CaptionedLatents,
        prior: CaptionedLatents | BaseAnswers | None,
        config: TrainingConfig,
        train_text_encoder: bool = False,
    ):
        """Encode the captions once, unless the text encoder is trained."""
        self.pipe, self.subject, self.prior, self.config = pipe, subject, prior, config
        self.live, self.embeddings = train_text_encoder, {}
        captions = [caption for part in (subject, prior) if part for caption in part.captions]
        with torch.no_grad():
            for caption in () if self.live else dict.fromkeys(captions):
                self.embeddings[caption] = embed(pipe, [caption])[0]

    def words(self, captions: list[str]) -> torch.Tensor:
        """Give what the text encoder makes of captions: [batch, token, channel]."""
        return embed(self.pipe, captions) if self.live else torch.stack([self.embeddings[text] for text in captions])

    def __call__(self, unet: UNet2DConditionModel, generator: torch.Generator, count: int) -> torch.Tensor:
        """Draw `count` pictures of the subject and as many of the prior; give their loss."""
        parts = [part.draw(count, generator) for part in (self.subject, self.prior) if part]
        noisy, steps, target = (torch.cat(tensors) for tensors in list(zip(*parts, strict=True))[:3])
        captions = [text for part in parts for text in part[3]]
        with autocast(noisy.device):
            words = self.words(captions).to(unet.dtype)

            def model(noisy: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
                return unet(noisy.to(unet.dtype), steps, words, return_dict=False)[0]

            errors = prediction_error(model, noisy, steps, target, self.pipe.scheduler, self.config.snr_gamma)
        loss = errors[:count].mean()
        return loss + self.config.prior_loss_weight * errors[count:].mean() if self.prior else loss


def embed(pipe: DiffusionPipeline, captions: list[str]) -> torch.Tensor:
    """Give the text encoder's output for captions: [batch, token, channel]."""
    return pipe.encode_prompt(captions, pipe.text_encoder.device, 1, False)[0]


def encode_examples(pipe: DiffusionPipeline, examples: Sequence[Example], random_flip: bool) -> CaptionedLatents:
    """Encode pictures once; with `random_flip` their mirror images too."""
    flipped = [Example(ImageOps.mirror(each.picture), each.caption) for each in examples if random_flip]
    every = [*examples, *flipped]
    latents = torch.cat([encode(pipe, each.picture).float() for each in every])
    return CaptionedLatents(latents, [each.caption for each in every], pipe.scheduler)


def prior_captions(trigger: str, config: TrainingConfig) -> list[str]:
    """Give a caption for each picture or answer of the prior: `class_prompts` in turn, or the trigger's class.

    Raises:
        ValueError: the trigger names no class ("robot" in "sks robot") and there are no prompts.
    """
    noun = " ".join(trigger.split()[1:])
    if not config.class_prompts and not noun:
        raise ValueError(
            f"trigger={trigger!r} names no class whose looks could be kept: write 'sks robot' for a robot, give "
            f"class_prompts, or set prior_loss_weight=0."
        )
    prompts = config.class_prompts or (f"a {noun}",)
    return [prompts[number % len(prompts)] for number in range(config.num_class_images)]


def prior_pictures(
    pipe: DiffusionPipeline,
    captions: list[str],
    config: TrainingConfig,
    folder: Path,
    done: Callable[[int], bool],
) -> CaptionedLatents | None:
    """Let the base paint what shall not be forgotten, before anything is learned (Ruiz et al., 2023, 3.2).

    Args:
        pipe: the base.
        captions: of the pictures, see `prior_captions`.
        config: size and seed count.
        folder: keeps the latents, so that a killed run need not paint them again.
        done: given after each picture how many there are; True stops.

    Returns:
        The pictures; None where it was stopped.
    """
    from safetensors.torch import load_file

    path = folder / "prior.safetensors"
    if path.exists():
        return CaptionedLatents(load_file(path)["latents"].to(pipe.unet.device), captions, pipe.scheduler)
    settings = catalog.defaults(catalog.lane_of(pipe)) | {"height": config.height, "width": config.width}
    painted = []
    for number, caption in enumerate(captions):
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + number)
        painted.append(pipe(caption, generator=generator, output_type="latent", **settings).images.float())
        if done(number + 1):
            return None
    latents = torch.cat(painted)
    write_tensors(path, {"latents": latents})
    return CaptionedLatents(latents, captions, pipe.scheduler)


@torch.no_grad()
def base_answers(
    pipe: DiffusionPipeline, captions: list[str], subject: CaptionedLatents, seed: int = 0
) -> BaseAnswers:
    """Ask the base what noise it sees in noisy pictures of the subject when it is given other captions.

    Learning without forgetting (Li and Hoiem, 2016): the new pictures, and the old answers to keep. So the subject
    comes to hang on its words alone. All noise levels are asked for, evenly.

    Args:
        pipe: the base, before anything is learned.
        captions: one for each answer, see `prior_captions`.
        subject: its pictures.
        seed: of pictures, noise and the order of the noise levels.
    """
    generator, count = torch.Generator().manual_seed(seed), len(captions)
    rows = torch.randint(len(subject.latents), (count,), generator=generator)
    levels = torch.arange(count) * len(pipe.scheduler.alphas_cumprod) // count
    levels = levels[torch.randperm(count, generator=generator)]
    latents = subject.latents[rows.to(subject.latents.device)]
    noisy, steps, _ = add_noise(latents, pipe.scheduler, generator, levels)
    unet, device = pipe.unet, latents.device
    embeddings = {text: pipe.encode_prompt([text], device, 1, False)[0] for text in dict.fromkeys(captions)}
    words, predictions = torch.cat([embeddings[text] for text in captions]).to(unet.dtype), []
    with autocast(device):
        for k in range(0, count, CHUNK):
            part = slice(k, k + CHUNK)
            answer = unet(noisy[part].to(unet.dtype), steps[part], words[part], return_dict=False)[0]
            predictions.append(answer.float())
    return BaseAnswers(noisy, steps, torch.cat(predictions), captions)
