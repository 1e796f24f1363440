"""Listen to cross-attention while an ordinary pipeline call runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from .hearing import Call, hearing
from .layers import choose_layers, probabilities
from .maps import Maps

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from diffusers.models.attention_processor import Attention, AttentionProcessor


@contextmanager
def capture(
    pipe: DiffusionPipeline, resolutions: Sequence[int] | None = (16,), heads: bool = False, steps: bool = False
) -> Iterator[Maps]:
    """Capture where the words of a prompt are looked for, during a call of the pipeline inside the block.

    The picture is the same, to the bit, as without: the layers' own processors still compute it, and only beside
    them the probabilities are taken of the half that knows the prompt. A ControlNet's attention is not listened to.
    A second call in the block takes the place of the first.

    Args:
        pipe: any pipeline around an SD UNet.
        resolutions: which layers. A resolution names the layers whose maps have that side *in a square picture of
            the size that the model was made for*; None takes all. So 16 is, on both lanes and at every size, the
            layers that see the latents by one fixed factor smaller: on clay (latents 16 x 16 at 256 pixels) as they
            are, on Stable Diffusion 1.5 (64 x 64 at 512 pixels) four times smaller. A clay picture of 256 x 384 has
            maps of 16 x 24 there, and so has one of 512 x 768 on SD 1.5.
        heads: keep the heads apart, for `head=`; needs as many times the memory as there are heads.
        steps: keep the steps apart, for `step=`; needs as many times the memory as there are steps.

    Yields:
        The maps, to be asked during or after the call.

    Raises:
        ValueError: the UNet has no such layers.
        RuntimeError: its attention is being captured already.

    Example:
        with attention.capture(pipe) as maps:
            image = pipe("a lion with a crown").images[0]
        maps.word("crown")  # float32 [16, 16]
    """
    unet = pipe.unet
    layers, before = choose_layers(unet, resolutions), unet.attn_processors
    if any(isinstance(processor, Recorder) for processor in before.values()):
        raise RuntimeError("The attention of this UNet is being captured already: leave the outer `with` block first.")
    recorders = {name: Recorder(before[f"{name}.processor"], heads) for name in layers}
    maps = Maps(layers, heads, steps, pipe.vae_scale_factor)

    def begin(call: Call) -> None:
        maps._begin(call)
        for recorder in recorders.values():
            recorder.pictures = call.pictures

    def after_pass(unet, args: tuple, named: dict, output: object) -> None:
        # A pass counts when it is through: one that an error or the exciter breaks off leaves nothing.
        sample = args[0] if args else named["sample"]
        timestep = args[1] if len(args) > 1 else named["timestep"]
        maps._add(tuple(sample.shape[-2:]), int(timestep), {name: one.seen for name, one in recorders.items()})

    hook = unet.register_forward_hook(after_pass, with_kwargs=True)
    unet.set_attn_processor(before | {f"{name}.processor": recorder for name, recorder in recorders.items()})
    try:
        with hearing(pipe, begin):
            yield maps
    finally:
        hook.remove()
        unet.set_attn_processor(dict(before))  # which empties the dict that it is given


class Recorder:
    """Lets a layer's own processor attend and, beside it, notes how the last `pictures` rows share theirs out."""

    def __init__(self, plain: AttentionProcessor, heads: bool):
        self.plain, self.heads = plain, heads
        self.pictures: int | None = None  # rows that know the prompt; where there is guidance, they come last
        self.seen: torch.Tensor | None = None

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attend as ever; leave float32 [picture, head or 1, latent_h * latent_w, token] in `seen`."""
        mine = slice(-(self.pictures or len(hidden_states)), None)
        with torch.no_grad():
            mask = None if attention_mask is None else attention_mask[mine]
            seen = probabilities(attn, hidden_states[mine], encoder_hidden_states[mine], mask).float()
            self.seen = seen if self.heads else seen.mean(1, keepdim=True)
        return self.plain(attn, hidden_states, encoder_hidden_states, attention_mask, temb)
