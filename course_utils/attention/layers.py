"""The cross-attention layers of a UNet: which there are, how coarse each looks, and what attention computes there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel
    from diffusers.models.attention_processor import Attention

PLACE = re.compile(r"(down|mid|up)_blocks?(?:\.(\d+))?\.")


def cross_layers(unet: UNet2DConditionModel) -> dict[str, int]:
    """Give the cross-attention layers in the order in which they run, each with its downsampling factor.

    Down block k sees the latents 2^k times smaller, the middle block sees them smallest, and the up blocks go back.

    Returns:
        The layer's name, as in `unet.named_modules()`, to the side of the square of latents that one place covers.

    Raises:
        ValueError: there are none.
    """
    down = [2**k for k in range(len(unet.config.down_block_types))]
    factors = {"down": down, "mid": down[-1:], "up": down[::-1]}  # in the order in which they run
    names = [name.removesuffix(".processor") for name in unet.attn_processors]
    found = {name: PLACE.match(name) for name in names if unet.get_submodule(name).is_cross_attention}
    if not found or not all(found.values()):
        raise ValueError(f"{type(unet).__name__} has no cross-attention in down, mid and up blocks; pass an SD UNet.")
    layers = {name: factors[place[1]][int(place[2] or 0)] for name, place in found.items()}
    return {name: layers[name] for part in factors for name in layers if name.startswith(part)}


def choose_layers(unet: UNet2DConditionModel, resolutions: Sequence[int] | None) -> dict[str, int]:
    """Give the cross-attention layers of some resolutions, see `capture` for what a resolution is.

    Raises:
        ValueError: the UNet has none of that resolution; says which it has.
    """
    layers, side = cross_layers(unet), native_side(unet)
    if resolutions is None:
        return layers
    chosen = {name: factor for name, factor in layers.items() if side // factor in resolutions}
    there = sorted({side // factor for factor in layers.values()}, reverse=True)
    if not chosen or not set(resolutions) <= set(there):
        raise ValueError(
            f"resolutions={tuple(resolutions)!r}: this {type(unet).__name__} has cross-attention at "
            f"{', '.join(map(str, there))}; use some of them, or None for all."
        )
    return chosen


def native_side(unet: UNet2DConditionModel) -> int:
    """Give the side of the square of latents that the UNet was made for."""
    size = unet.config.sample_size
    return size if isinstance(size, int) else min(size)


def grid(size: tuple[int, int], factor: int) -> tuple[int, int]:
    """Give the (latent_h, latent_w) of a layer: odd sides are rounded up, as the UNet's strides do."""
    return -(-size[0] // factor), -(-size[1] // factor)


def probabilities(
    attn: Attention, hidden: torch.Tensor, text: torch.Tensor, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Give softmax(Q K^T / sqrt(d)): how each place shares its attention out among the tokens.

    Args:
        attn: a cross-attention layer.
        hidden: the picture's features [batch, latent_h * latent_w, channel].
        text: the text's [batch, token, channel].
        mask: added to the scores before the softmax, as in diffusers.

    Returns:
        [batch, head, latent_h * latent_w, token], 0-1, summing to 1 over the tokens.
    """
    query, key = (attn.head_to_batch_dim(part) for part in (attn.to_q(hidden), attn.to_k(text)))
    if mask is not None:
        mask = attn.prepare_attention_mask(mask, text.shape[1], len(text))
    return attn.get_attention_scores(query, key, mask).unflatten(0, (len(hidden), attn.heads))


class EagerAttnProcessor:
    """Attends as diffusers' `AttnProcessor` does, and keeps the probabilities with their gradient."""

    def __init__(self) -> None:
        self.kept: torch.Tensor | None = None

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attend, leaving the probabilities [batch, head, latent_h * latent_w, token] in `kept`."""
        self.kept = probabilities(attn, hidden_states, encoder_hidden_states, attention_mask)
        value = attn.head_to_batch_dim(attn.to_v(encoder_hidden_states))
        mixed = attn.batch_to_head_dim(torch.bmm(self.kept.flatten(0, 1), value))
        return attn.to_out[1](attn.to_out[0](mixed))
