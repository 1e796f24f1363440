"""The pass of the UNet that the gradient needs, and nothing beyond it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from .. import attention

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel
    from diffusers.models.attention_processor import Attention


class _SeenEnough(Exception):
    """Ends a pass of the UNet once the last layer that is read has been reached."""


class _Last(attention.Explicit):
    """Keeps its probabilities and ends the pass: nobody reads what comes after."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Leave the probabilities in `kept`, and stop."""
        self.kept = attention.probabilities(attn, hidden_states, encoder_hidden_states, attention_mask)
        raise _SeenEnough


def look(unet: UNet2DConditionModel, resolution: int, **call: object) -> torch.Tensor:
    """Give the attention of one pass of the UNet, averaged over the layers and heads, with its gradient.

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
    *others, last = layers
    readers = {name: attention.Explicit() for name in others} | {last: _Last()}
    with _reading(unet, readers), torch.enable_grad():
        try:
            unet.forward(**call)  # not unet(...): hooks belong to the pipeline's own pass
        except _SeenEnough:
            pass
    heat = torch.cat([at_least_float32(reader.kept) for reader in readers.values()], 1).mean(1)
    size = attention.coarse(call["sample"].shape[-2:], layers[last])
    return heat.transpose(1, 2).unflatten(2, size)


@contextmanager
def _reading(unet: UNet2DConditionModel, readers: dict[str, attention.Explicit]) -> Iterator[None]:
    """Put the readers in place and freeze the weights; put everything back."""
    layers = {name: unet.get_submodule(name) for name in readers}
    before = {name: layer.processor for name, layer in layers.items()}
    weights = [weight for weight in unet.parameters() if weight.requires_grad]
    try:
        for weight in weights:
            weight.requires_grad_(False)
        for name, layer in layers.items():
            layer.set_processor(readers[name])
        yield
    finally:
        for name, layer in layers.items():
            layer.set_processor(before[name])
        for weight in weights:
            weight.requires_grad_(True)


def at_least_float32(tensor: torch.Tensor) -> torch.Tensor:
    """Leave half precision, in which a small step would be lost; float64 stays, to tell noise from error."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
