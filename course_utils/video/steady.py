"""Steadying: take a median over time along the motion, let frames attend to each other, carry latents over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from ..attention.hooks import replaced_processors
from .clips import Clip, pull

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from diffusers.models.attention_processor import Attention, AttentionProcessor

FRAMES = {  # mode: which frames the k-th of a batch looks at
    "first": lambda k, count: [0],
    "first and previous": lambda k, count: [0, max(0, k - 1)],
    "all": lambda k, count: [*range(count)],
}


def median(frames: Sequence[Image.Image], clip: Clip, radius: int = 2) -> list[Image.Image]:
    """Take the median over time along the motion: each frame's neighbours are pulled onto it first.

    A pixel that a neighbour does not show is left out there. Editing programs' deflicker is of this kind.

    Args:
        frames: painted frames, one for each of the clip.
        clip: knows the motion.
        radius: frames before and after that count.
    """
    return [median_at(frames, clip, k, radius) for k in range(len(frames))]


def median_at(frames: Sequence[Image.Image], clip: Clip, k: int, radius: int = 2) -> Image.Image:
    """Take the median for frame `k` alone; those before and after that count have to be there."""
    near = [j for j in range(max(0, k - radius), min(len(frames), k + radius + 1)) if j != k]
    stack = [np.asarray(frames[k], np.float32)]
    for j in near:
        flow, visible = clip.flow(k, j)
        stack.append(np.where(visible[..., None], pull(frames[j], flow), np.nan))
    return Image.fromarray(np.nanmedian(stack, axis=0).round().astype(np.uint8))


@contextmanager
def cross_frame(pipe: DiffusionPipeline, mode: str, frames: int) -> Iterator[None]:
    """Let the frames of a batch look at each other inside the block.

    In every self-attention of the UNet, keys and values come from other frames of the batch instead of the frame
    itself (Text2Video-Zero, 2023: the first; ControlVideo, 2024: all). Guidance doubles the batch, and each half
    looks into itself alone: a frame without the prompt never reads one with it.

    Args:
        pipe: any pipeline around an SD UNet; on leaving it has the same processors as before.
        mode: "first", "first and previous" or "all".
        frames: pictures of the batch, guidance not counted.

    Raises:
        ValueError: no such mode.
    """
    if mode not in FRAMES:
        raise ValueError(f"mode={mode!r} is none; use one of {', '.join(map(repr, FRAMES))}.")
    looks = torch.tensor([FRAMES[mode](k, frames) for k in range(frames)])
    before = {name: each for name, each in pipe.unet.attn_processors.items() if name.endswith("attn1.processor")}
    inside = {name.removesuffix(".processor"): _CrossFrame(each, looks) for name, each in before.items()}
    with replaced_processors(pipe.unet, inside):
        yield


class _CrossFrame:
    """Hands a layer's own processor the tokens of other frames to take keys and values from."""

    def __init__(self, plain: AttentionProcessor, looks: torch.Tensor) -> None:
        self.plain, self.looks = plain, looks  # [frame, frame looked at]

    def __call__(self, attn: Attention, hidden_states: torch.Tensor, *rest, **more) -> torch.Tensor:
        """Attend as ever, [half * frame, token, channel], to other keys and values."""
        halves = hidden_states.unflatten(0, (-1, len(self.looks)))  # [half, frame, token, channel]
        seen = halves[:, self.looks.to(hidden_states.device)]  # [half, frame, frame looked at, token, channel]
        return self.plain(attn, hidden_states, seen.flatten(2, 3).flatten(0, 1))


def to_latents(flow: np.ndarray, visible: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Bring a flow to the grid of the latents: the mean over each cell, in cells; seen where most of it is seen."""
    height, width = (side // factor for side in visible.shape)
    cells = flow.reshape(height, factor, width, factor, 2).mean((1, 3)) / factor
    return cells.astype(np.float32), visible.reshape(height, factor, width, factor).mean((1, 3)) > 0.5


def blend(latents: torch.Tensor, clip: Clip, numbers: Sequence[int]) -> None:
    """Put the latents of the frame before (pulled along the motion) in place of a frame's own where both show a point.

    In place, frame after frame, so that a frame takes what the one before it took (LatentWarp, 2023). The nearest
    cell is taken, not a mean of four: a mean of noise is no noise any more.

    Args:
        latents: [frame, channel, latent_h, latent_w].
        clip: knows the motion.
        numbers: of the clip's frames in the batch.
    """
    factor = clip.size[0] // latents.shape[-2]
    for place in range(1, len(numbers)):
        flow, visible = to_latents(*clip.flow(numbers[place], numbers[place - 1]), factor)
        height, width = visible.shape
        row, column = np.mgrid[:height, :width]
        row = np.clip(np.rint(row + flow[..., 1]).astype(int), 0, height - 1)
        column = np.clip(np.rint(column + flow[..., 0]).astype(int), 0, width - 1)
        moved = latents[place - 1][:, torch.from_numpy(row), torch.from_numpy(column)]
        mask = torch.from_numpy(visible).to(latents.device)
        latents[place] = torch.where(mask, moved, latents[place])
