"""What shall not be forgotten: pictures that the base painted, or the base's own answers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .. import catalog
from ..objectives import add_noise, low_precision
from .lessons import Answered, Seen
from .presets import Knobs

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

CHUNK = 8  # answers at once


def class_of(trigger: str) -> str:
    """Give the class that a trigger names: "robot" of "sks robot"; empty if it is one word."""
    return " ".join(trigger.split()[1:])


def captions_of(trigger: str, knobs: Knobs) -> list[str]:
    """Say what is kept, `prior_count` times: the prompts of the knobs in turn, or the class that the trigger names.

    Raises:
        ValueError: the trigger names no class and there are no prompts.
    """
    if not knobs.prior_prompts and not class_of(trigger):
        raise ValueError(
            f"trigger={trigger!r} names no class whose looks could be kept: write 'sks robot' for a robot, give "
            f"prior_prompts, or set prior_weight=0."
        )
    prompts = knobs.prior_prompts or (f"a {class_of(trigger)}",)
    return [prompts[number % len(prompts)] for number in range(knobs.prior_count)]


def pictures(
    pipe: DiffusionPipeline, captions: list[str], knobs: Knobs, folder: Path, told: Callable[[int], bool]
) -> Seen | None:
    """Let the base paint what shall not be forgotten, before anything is learned (Ruiz et al., 2023, 3.2).

    Args:
        pipe: the base.
        captions: of the pictures, see `captions_of`.
        knobs: the size and the seed count.
        folder: keeps the latents, so that a killed run need not paint them again.
        told: told after each picture how many there are; True stops.

    Returns:
        The pictures; None where it was stopped.
    """
    from safetensors.torch import load_file, save_file

    path = folder / "prior.safetensors"
    if path.exists():
        return Seen(load_file(path)["latents"].to(pipe.unet.device), captions, pipe.scheduler)
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
    return Seen(latents, captions, pipe.scheduler)


@torch.no_grad()
def answers(pipe: DiffusionPipeline, captions: list[str], subject: Seen, seed: int = 0) -> Answered:
    """Ask the base what it sees in noisy pictures of the subject when it is told of other things.

    Learning without forgetting (Li and Hoiem, 2016): the new pictures, and the old answers to keep. So the subject
    comes to hang on its words alone. All noise levels are asked for, evenly.

    Args:
        pipe: the base, before anything is learned.
        captions: one for each answer, see `captions_of`.
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
    low = low_precision(device)
    words = {text: pipe.encode_prompt([text], device, 1, False)[0] for text in dict.fromkeys(captions)}
    told, guesses = torch.cat([words[text] for text in captions]).to(unet.dtype), []
    with torch.autocast(device.type, low, enabled=low is not None):
        for k in range(0, count, CHUNK):
            part = slice(k, k + CHUNK)
            guesses.append(unet(noisy[part].to(unet.dtype), steps[part], told[part], return_dict=False)[0].float())
    return Answered(noisy, steps, torch.cat(guesses), captions)
