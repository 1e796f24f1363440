"""From a word's map to a region of the picture, and from a region to the map that would be perfect."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F


def enlarged(heat: torch.Tensor, height: int, width: int) -> np.ndarray:
    """Bring a map [latent_h, latent_w] smoothly to a picture's size: float32 [height, width]."""
    return F.interpolate(heat[None, None].float(), (height, width), mode="bicubic", align_corners=False)[0, 0].numpy()


def region(heat: np.ndarray, threshold: float) -> np.ndarray:
    """Give where a map glows: where it has at least a share of its own peak.

    Args:
        heat: [height, width], mostly one that was enlarged.
        threshold: that share, above 0 and up to 1.

    Returns:
        bool [height, width].

    Raises:
        ValueError: a threshold outside its range.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold={threshold!r} is a share of the map's peak; use above 0 and up to 1.")
    return heat >= threshold * heat.max()


def perfect(mask: np.ndarray, grid: tuple[int, int]) -> torch.Tensor:
    """Give the map that a model would have that knew a thing's outline: how much of each place the thing covers.

    Made into a region again, it tells what a grid of that size allows.

    Args:
        mask: bool [height, width], where the thing is.
        grid: (latent_h, latent_w) of the map.

    Returns:
        float32 [latent_h, latent_w], 0-1.
    """
    return F.adaptive_avg_pool2d(torch.from_numpy(np.asarray(mask, np.float32))[None], grid)[0]
