"""What a ControlNet learns from: pictures, each with a map and a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from ..editing import encode
from ..pictures import as_picture

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL import Image


@dataclass(frozen=True)
class Batch:
    """Pairs of a step.

    latents: [batch, channel, latent_h, latent_w], scaled as the UNet sees them;
    ids: long [batch, token]; hint: [batch, channel, height, width], RGB, 0-1.
    """

    latents: torch.Tensor
    ids: torch.Tensor
    hint: torch.Tensor


class PairSource(Protocol):
    """Whatever pairs can be drawn from."""

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draw `count` pairs; the generator is on the CPU."""


@dataclass(frozen=True)
class ControlPairs:
    """Pairs made ready once and kept in memory; `pairs[:100]` are the first hundred.

    latents and ids as in `Batch`; hints: uint8 [batch, channel, height, width].
    """

    latents: torch.Tensor
    ids: torch.Tensor
    hints: torch.Tensor

    @staticmethod
    def of(
        pipe: DiffusionPipeline,
        pictures: Sequence[Image.Image],
        maps: Sequence[Image.Image],
        prompts: Sequence[str],
    ) -> ControlPairs:
        """Encode pictures and prompts with a pipeline's own parts.

        Args:
            pipe: a Stable Diffusion.
            pictures: all of one size, in whole latents; each whatever `as_picture` takes.
            maps: one for each picture and of its size.
            prompts: what each picture shows.

        Raises:
            ValueError: the lists do not pair up, or the sizes differ or are not whole latents.
        """
        counts = {"pictures": len(pictures), "maps": len(maps), "prompts": len(prompts)}
        if len(set(counts.values())) > 1 or not counts["pictures"]:
            raise ValueError(f"{counts} do not pair up: give each picture one map and one prompt.")
        pictures = [as_picture(picture, f"pictures[{n}]") for n, picture in enumerate(pictures)]
        maps = [as_picture(drawn, f"maps[{n}]", "black") for n, drawn in enumerate(maps)]
        sizes = sorted({(image.height, image.width) for image in (*pictures, *maps)})
        if len(sizes) > 1:
            raise ValueError(f"pictures and maps have the (height, width) {sizes}: bring all of them to one size.")
        step = pipe.vae_scale_factor
        if any(side % step for side in sizes[0]):
            near = " x ".join(str(max(1, round(side / step)) * step) for side in sizes[0])
            raise ValueError(
                f"pictures have {' x '.join(map(str, sizes[0]))} pixels (height x width), no multiples of {step}; "
                f"bring them to {near}."
            )
        hints = np.stack([np.asarray(drawn).transpose(2, 0, 1) for drawn in maps])
        latents = torch.cat([encode(pipe, picture).float().cpu() for picture in pictures])
        return ControlPairs(latents, tokens(pipe, list(prompts)), torch.from_numpy(hints))

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, rows: slice) -> ControlPairs:
        return ControlPairs(self.latents[rows], self.ids[rows], self.hints[rows])

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draw `count` pairs, with repetition."""
        rows = torch.randint(len(self), (count,), generator=generator)
        return Batch(self.latents[rows], self.ids[rows], self.hints[rows].float() / 255)


def tokens(pipe: DiffusionPipeline, prompts: list[str]) -> torch.Tensor:
    """Give the tokens of prompts, long [batch, token], cut or filled to the tokenizer's length."""
    how = {"padding": "max_length", "truncation": True, "max_length": pipe.tokenizer.model_max_length}
    return pipe.tokenizer(prompts, return_tensors="pt", **how).input_ids
