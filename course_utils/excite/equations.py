"""The mathematics of Attend-and-Excite (Chefer et al., SIGGRAPH 2023, Algorithm 1), each line a function.

From the mean map of all heads and layers to the peak of each word, and from there to the loss. All are
differentiable and work on several pictures at once; every picture has a loss of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from .knobs import Knobs


def sharpen(heat: torch.Tensor, sharpness: float) -> torch.Tensor:
    """Share each place out anew among the words: softmax(sharpness * A) without the start token.

    The start token takes most of the attention everywhere. It is dropped, and the small differences that are left
    between the words become large ones. The last place, mostly padding, is dropped too, as in the paper's code.

    Args:
        heat: attention [batch, token, latent_h, latent_w], 0-1.
        sharpness: 100 in the paper's code.

    Returns:
        [batch, token - 2, latent_h, latent_w], 0-1: the word at place k of the prompt is now at k - 1.
    """
    return (heat[:, 1:-1] * sharpness).softmax(1)


def smooth(heat: torch.Tensor, sigma: float) -> torch.Tensor:
    """Blur maps with a Gaussian of 3 x 3 places, so that one stray place makes no peak; edges are reflected.

    The paper's code has exp(-(x / 2 sigma)^2), whose standard deviation is sqrt(2) sigma: 0.71 places for 0.5.

    Args:
        heat: [batch, word, latent_h, latent_w], at least 2 x 2.
        sigma: 0 leaves the maps as they are.
    """
    if sigma == 0:
        return heat
    line = torch.exp(-((torch.arange(-1.0, 2.0, device=heat.device) / (2 * sigma)) ** 2)).to(heat.dtype)
    kernel = torch.outer(line, line) / line.sum() ** 2
    flat = F.pad(heat.flatten(0, 1)[:, None], (1, 1, 1, 1), mode="reflect")
    return F.conv2d(flat, kernel[None, None])[:, 0].unflatten(0, heat.shape[:2])


def word_maps(heat: torch.Tensor, chosen: torch.Tensor, knobs: Knobs) -> torch.Tensor:
    """Give the map of each chosen word that the loss reads: sharpened, then smoothed.

    Args:
        heat: attention [batch, token, latent_h, latent_w], 0-1.
        chosen: 0 or 1 [batch, word, token], see `choose`.

    Returns:
        [batch, word, latent_h, latent_w], 0-1; the shares of a word's tokens add up.
    """
    shares = sharpen(heat, knobs.sharpness)
    return smooth(torch.einsum("bwt,bthk->bwhk", chosen[..., 1:-1].to(shares), shares), knobs.sigma)


def peaks(maps: torch.Tensor) -> torch.Tensor:
    """Give how strongly the strongest place of each map looks at its word: [batch, word], 0-1."""
    return maps.amax((2, 3))


def loss(peaks: torch.Tensor) -> torch.Tensor:
    """Give what is missing to the weakest word: L = max over words of (1 - peak), [batch], 0-1."""
    return (1 - peaks).amax(1)


def choose(spans: Sequence[Sequence[tuple[int, ...]]], tokens: int) -> torch.Tensor:
    """Write words as a table of tokens, for `word_maps`.

    Args:
        spans: for each picture, for each word the places of its tokens.
        tokens: how many a text has, padding included.

    Returns:
        0 or 1 [batch, word, token]. A picture with fewer words than another has its first one again, which
        changes no loss.
    """
    most = max(map(len, spans))
    table = torch.zeros(len(spans), most, tokens)
    for picture, words in enumerate(spans):
        for row, places in enumerate([*words, *[words[0]] * (most - len(words))]):
            table[picture, row, list(places)] = 1
    return table
