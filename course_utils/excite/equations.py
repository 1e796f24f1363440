"""The settings and the mathematics of Attend-and-Excite (Chefer et al., SIGGRAPH 2023, Section 3 and Algorithm 1).

In the paper's symbols: A_t, the attention maps at step t, become one smoothed map A_t^s for each word s of S; its
peak gives L_s = 1 - max(A_t^s), the weakest word L = max over S of L_s, and the latents move by alpha_t times the
gradient of L. Each line is a function; all are differentiable and take several pictures at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F

from .. import attention
from ..validation import Range, Share, check_config

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel


@dataclass(frozen=True)
class AttendExciteConfig:
    """How strongly, how long and by which maps the latents are pushed; as it stands, with the settings of the paper.

    Steps are given as shares of the call's steps, 0-1, so that one config fits any number of them. `alter_share` is
    diffusers' `max_iter_to_alter`, a count: 25 of 50 steps; `thresholds` are there {0: 0.05, 10: 0.5, 20: 0.8}.

    Raises:
        TypeError: a setting of another type.
        ValueError: a setting out of range.
    """

    # alpha_t of the first step: how far the latents move for a unit of gradient
    scale_factor: Annotated[float, Range(0)] = 20.0
    # alpha_t fades with the root of this, from first to last step
    scale_range: tuple[Annotated[float, Range(0)], Annotated[float, Range(0)]] = (1.0, 0.5)
    # the share of the steps that are pushed: the first ones, where the layout is decided
    alter_share: Share = 0.5
    # (share of the steps, peak): there the step is repeated until the weakest word's peak is as high
    thresholds: tuple[tuple[Share, Share], ...] = ((0.0, 0.05), (0.2, 0.5), (0.4, 0.8))
    # how often at most it is repeated
    max_refinement_steps: Annotated[int, Range(0, 1000)] = 20
    # of the layers whose maps are read; see `attention.capture`
    resolution: Annotated[int, Range(1)] = 16
    # factor on the maps before the softmax over the words
    sharpness: Annotated[float, Range(0)] = 100.0
    # of the smoothing, in places of the map; 0 leaves it out
    sigma: Annotated[float, Range(0)] = 0.5

    def __post_init__(self) -> None:
        check_config(self)
        for share, _ in self.thresholds:
            if share >= self.alter_share:
                raise ValueError(
                    f"thresholds={self.thresholds!r}: {share} is not below alter_share={self.alter_share!r}."
                )

    @classmethod
    def for_lane(cls, lane: str) -> AttendExciteConfig:
        """Give a lane's settings: "sd15" the paper's; "clay" those of table "excite_knobs" that miss fewest things.

        On clay settings are left out that bring more things unasked for than no pushes at all. Its maps are higher
        than Stable Diffusion's: a sharpness of 100 would leave most peaks at 1 from the start.
        """
        lanes = {"clay": {"scale_factor": 2.5, "sharpness": 10.0, "thresholds": ()}, "sd15": {}}
        if lane not in lanes:
            raise ValueError(f"lane={lane!r} is no lane; use {' or '.join(map(repr, lanes))}.")
        return cls(**lanes[lane])

    def max_iter_to_alter(self, steps: int) -> int:
        """Give how many of the steps are pushed."""
        return round(self.alter_share * steps)

    def threshold(self, step: int, steps: int) -> float | None:
        """Give the peak that every word must have in a step, counted from 0; None where there is no threshold."""
        return max((peak for share, peak in self.thresholds if round(share * steps) == step), default=None)

    def step_size(self, step: int, steps: int) -> float:
        """Give alpha_t, how far the latents move for a unit of gradient: scale_factor * sqrt(scale_range)."""
        start, end = self.scale_range
        return self.scale_factor * math.sqrt(start + (end - start) * step / max(steps - 1, 1))


class _AllRead(Exception):
    """Ends a pass of the UNet once the last layer that is read has been reached."""


def attention_with_grad(unet: UNet2DConditionModel, resolution: int, **call: object) -> torch.Tensor:
    """Give A_t, the attention of one pass of the UNet averaged over layers and heads, with its gradient.

    What a gradient step costs is held down: the part of the UNet after the last layer that is read is neither run
    nor kept for the way back, weights get no gradient, and the layers that are not read attend as they always do.
    Afterwards the UNet is as before, also after an error.

    Args:
        unet: an SD UNet.
        resolution: of the layers that are read, see `attention.capture`.
        call: what the UNet is called with: sample, timestep, encoder_hidden_states and whatever else it takes.

    Returns:
        [batch, token, latent_h, latent_w], 0-1, in float32 where the UNet is in half precision.
    """
    layers = attention.choose_layers(unet, (resolution,))
    readers = {name: attention.EagerAttnProcessor() for name in layers}
    *_, last = layers

    def stop(*_):
        raise _AllRead

    with ExitStack() as undo:
        for weight in unet.parameters():
            if weight.requires_grad:
                undo.callback(weight.requires_grad_(False).requires_grad_, True)
        undo.enter_context(attention.replaced_processors(unet, readers))
        undo.callback(unet.get_submodule(last).register_forward_hook(stop).remove)
        undo.enter_context(torch.enable_grad())
        try:
            unet.forward(**call)  # not unet(...): hooks belong to the pipeline's own pass
        except _AllRead:
            pass
    heat = torch.cat([at_least_float32(reader.kept) for reader in readers.values()], 1).mean(1)
    return heat.transpose(1, 2).unflatten(2, attention.grid(call["sample"].shape[-2:], layers[last]))


def sharpen(heat: torch.Tensor, sharpness: float) -> torch.Tensor:
    """Share each place out anew among the words: softmax(sharpness * A_t) without the start token.

    The start token takes most of the attention everywhere. It is dropped, and the small differences that are left
    between the words become large ones. The last place, mostly padding, is dropped too, as in the paper's code.

    Args:
        heat: A_t [batch, token, latent_h, latent_w], 0-1.
        sharpness: 100 in the paper's code.

    Returns:
        [batch, token - 2, latent_h, latent_w], 0-1: the word at place k of the prompt is now at k - 1.
    """
    return (heat[:, 1:-1] * sharpness).softmax(1)


def smooth(maps: torch.Tensor, sigma: float) -> torch.Tensor:
    """Blur maps with a Gaussian of 3 x 3 places, so that one stray place makes no peak; edges are reflected.

    The paper's code has exp(-(x / 2 sigma)^2), whose standard deviation is sqrt(2) sigma: 0.71 places for 0.5.

    Args:
        maps: [batch, word, latent_h, latent_w], at least 2 x 2.
        sigma: 0 leaves the maps as they are.
    """
    if sigma == 0:
        return maps
    line = torch.exp(-((torch.arange(-1.0, 2.0, device=maps.device) / (2 * sigma)) ** 2)).to(maps.dtype)
    kernel = torch.outer(line, line) / line.sum() ** 2
    flat = F.pad(maps.flatten(0, 1)[:, None], (1, 1, 1, 1), mode="reflect")
    return F.conv2d(flat, kernel[None, None])[:, 0].unflatten(0, maps.shape[:2])


def word_maps(heat: torch.Tensor, mask: torch.Tensor, config: AttendExciteConfig) -> torch.Tensor:
    """Give A_t^s, the map of each word that the loss reads: sharpened, then smoothed.

    Args:
        heat: A_t [batch, token, latent_h, latent_w], 0-1.
        mask: which tokens are a word's, 0 or 1 [batch, word, token], see `token_mask`.
        config: its sharpness and sigma are read.

    Returns:
        [batch, word, latent_h, latent_w], 0-1; the shares of a word's tokens add up.
    """
    shares = sharpen(heat, config.sharpness)
    return smooth(torch.einsum("bwt,bthk->bwhk", mask[..., 1:-1].to(shares), shares), config.sigma)


def peaks(maps: torch.Tensor) -> torch.Tensor:
    """Give max(A_t^s), how strongly the strongest place of each map looks at its word: [batch, word], 0-1."""
    return maps.amax((2, 3))


def loss(peaks: torch.Tensor) -> torch.Tensor:
    """Give what is missing to the weakest word: L = max over s in S of (1 - max(A_t^s)), [batch], 0-1."""
    return (1 - peaks).amax(1)


def token_mask(spans: Sequence[Sequence[tuple[int, ...]]], tokens: int) -> torch.Tensor:
    """Write words as a table of tokens, for `word_maps`.

    Args:
        spans: for each picture, for each word the places of its tokens.
        tokens: how many a text has, padding included.

    Returns:
        0 or 1 [batch, word, token]. A picture with fewer words than another has its first one again, which
        changes no loss.
    """
    most = max(map(len, spans))
    mask = torch.zeros(len(spans), most, tokens)
    for picture, words in enumerate(spans):
        for row, places in enumerate([*words, *[words[0]] * (most - len(words))]):
            mask[picture, row, list(places)] = 1
    return mask


def at_least_float32(tensor: torch.Tensor) -> torch.Tensor:
    """Leave half precision, in which a small step would be lost; float64 stays, to tell noise from error."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
