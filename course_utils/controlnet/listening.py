"""Hears what a ControlNet says and what the UNet makes of it, while an ordinary pipeline call runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from diffusers import StableDiffusionControlNetPipeline
    from torch import Tensor


class Joint(NamedTuple):
    """One place at which a ControlNet joins the UNet; tensors [batch, channel, latent_h, latent_w]."""

    before: Tensor  # what the locked half hands on by itself
    said: Tensor  # what the ControlNet says there, its scale multiplied in
    after: Tensor  # what the second half receives


@contextmanager
def joints(pipe: StableDiffusionControlNetPipeline) -> Iterator[list[Joint]]:
    """Listen at every joint while the pipeline paints; afterwards no hook is left.

    Args:
        pipe: with one ControlNet or several, whose sum is heard.

    Yields:
        A list: during the call and after it a joint for each skip, in the order of the way down, then the middle's,
        as they were in the latest step.
    """
    unet, heard, found = pipe.unet, {}, []

    def speaks(module, inputs, output):
        heard["said"] = [*output[0], output[1]]

    def begins(module, inputs, output):
        heard["before"], heard["after"] = [output], []

    def goes_down(module, inputs, output):
        heard["before"] += output[1]

    def turns(module, inputs, output):
        heard["before"].append(output)

    def receives(module, inputs, given):
        if module is unet.up_blocks[0]:
            heard["middle"] = given["hidden_states"]
        heard["after"] = [*given["res_hidden_states_tuple"], *heard["after"]]  # the last skip is needed first
        if module is unet.up_blocks[-1]:
            after = [*heard["after"], heard["middle"]]
            found[:] = map(Joint, heard["before"], heard["said"], after)

    hooks = [pipe.controlnet.register_forward_hook(speaks), unet.conv_in.register_forward_hook(begins)]
    hooks += [block.register_forward_hook(goes_down) for block in unet.down_blocks]
    hooks.append(unet.mid_block.register_forward_hook(turns))
    hooks += [block.register_forward_pre_hook(receives, with_kwargs=True) for block in unet.up_blocks]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
