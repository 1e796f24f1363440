"""The noise that frames begin with: the same for all, or carried along with what moves."""

from __future__ import annotations

import numpy as np
import torch

from .clips import Clip, pull
from .steady import to_latents


def white_noise(shape: tuple[int, int, int], seed: int) -> torch.Tensor:
    """Draw white noise float32 [channel, latent_h, latent_w]; a seed gives the same everywhere."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def carried_noise(clip: Clip, shape: tuple[int, int, int], seed: int) -> torch.Tensor:
    """Let noise move with the clip and stay white (after Burgert et al., 2025, Go-with-the-Flow, eq. 5).

    Noise is drawn on the grid of the pixels. Each cell goes where its point goes, from the first frame; what lands in
    a cell is added and divided by the root of how many landed, so its variance stays 1; where nothing lands, a second
    noise shows, the same in all frames. Then squares of pixels are summed to latents. Motion of less than a latent
    cell moves the noise a little, and no value is used twice.

    Returns:
        float32 [frame, channel, latent_h, latent_w].
    """
    height, width = clip.size
    factor = height // shape[1]
    fine, spare = (white_noise((shape[0], height * width), seed + part).numpy() for part in (0, 1 << 31))
    row, column = np.mgrid[:height, :width]
    out = []
    for k in range(len(clip)):
        flow, visible = clip.flow(0, k)
        to_row, to_column = np.rint(row + flow[..., 1]).astype(int), np.rint(column + flow[..., 0]).astype(int)
        lands = visible & (to_row >= 0) & (to_row < height) & (to_column >= 0) & (to_column < width)
        cell = (to_row * width + to_column)[lands]
        count = np.bincount(cell, minlength=height * width)
        landed = fine[:, lands.ravel()]
        total = np.stack([np.bincount(cell, one, height * width) for one in landed])
        moved = np.where(count > 0, total / np.sqrt(np.maximum(count, 1)), spare)
        squares = moved.reshape(shape[0], shape[1], factor, shape[2], factor)
        out.append(squares.sum((2, 4)) / factor)
    return torch.from_numpy(np.stack(out).astype(np.float32))


def smeared_noise(clip: Clip, shape: tuple[int, int, int], seed: int) -> torch.Tensor:
    """Pull the first frame's noise along on the latents' grid, bilinearly: the plain way, which spoils it.

    A mean of four independent values has less variance, and neighbours come to resemble each other: not white any
    more, and pictures smear. Returns what `carried_noise` does.
    """
    first = white_noise(shape, seed)
    factor = clip.size[0] // shape[1]
    flows = (to_latents(*clip.flow(k, 0), factor)[0] for k in range(len(clip)))
    return torch.stack([torch.from_numpy(pull(first.permute(1, 2, 0), flow)).permute(2, 0, 1) for flow in flows])
