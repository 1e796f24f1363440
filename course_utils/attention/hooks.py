"""Hooks on an ordinary pipeline call: its prompts as they are encoded, its cross-attention as it is computed.

A picture that is there already is looked at by the same hooks, in one pass of the UNet for each noise step.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from .. import editing
from .layers import choose_layers, probabilities
from .maps import Maps
from .words import Call, Prompt

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, UNet2DConditionModel
    from diffusers.models.attention_processor import Attention, AttentionProcessor

Picture = Image.Image | np.ndarray | str | Path | bytes  # whatever `pictures.as_picture` opens


@contextmanager
def replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """Give an object another attribute inside the block; after it, its own or that of its class is back."""
    own = {key: before for key, before in vars(owner).items() if key == name}
    setattr(owner, name, value)
    try:
        yield
    finally:
        delattr(owner, name)
        vars(owner).update(own)


@contextmanager
def on_call(pipe: DiffusionPipeline, begin: Callable[[Call], None]) -> Iterator[None]:
    """Call `begin` whenever the pipeline has encoded its prompts, before its first step.

    Every SD pipeline calls `encode_prompt` once; here it is wrapped, on this pipeline alone, and put back.
    """
    plain = pipe.encode_prompt
    signature = inspect.signature(plain)

    @functools.wraps(plain)
    def encode_prompt(*args, **kwargs):
        encoded = plain(*args, **kwargs)
        text = signature.bind(*args, **kwargs).arguments.get("prompt")
        texts = [text] if isinstance(text, str) else list(text or ())
        begin(Call(tuple(Prompt(pipe.tokenizer, text) for text in texts), *encoded[0].shape[:2]))
        return encoded

    with replaced(pipe, "encode_prompt", encode_prompt):
        yield


@contextmanager
def replaced_processors(unet: UNet2DConditionModel, processors: Mapping[str, AttentionProcessor]) -> Iterator[None]:
    """Give layers, by name, other attention processors inside the block; the same objects come back after it."""
    layers = {name: unet.get_submodule(name) for name in processors}
    before = {name: layer.processor for name, layer in layers.items()}
    try:
        for name, layer in layers.items():
            layer.set_processor(processors[name])
        yield
    finally:
        for name, layer in layers.items():
            layer.set_processor(before[name])


@contextmanager
def capture(
    pipe: DiffusionPipeline, resolutions: Sequence[int] | None = (16,), heads: bool = False, steps: bool = False
) -> Iterator[Maps]:
    """Capture where the words of a prompt are looked for, during a call of the pipeline inside the block.

    The picture is the same, to the bit, as without: the layers' own processors still compute it, and only beside
    them the probabilities are taken of the rows that know the prompt. A ControlNet's attention is not captured.
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
    if any(isinstance(processor, _Recorder) for processor in before.values()):
        raise RuntimeError("The attention of this UNet is being captured already: leave the outer `with` block first.")
    recorders = {name: _Recorder(before[f"{name}.processor"], heads) for name in layers}
    maps = Maps(layers, heads, steps, pipe.vae_scale_factor)

    def begin(call: Call) -> None:
        maps._begin(call)
        for recorder in recorders.values():
            recorder.pictures = call.pictures

    def after_pass(unet, args: tuple, kwargs: dict, output: object) -> None:
        # A pass counts when it is through: one that an error or the exciter breaks off leaves nothing.
        sample, timestep = [*args, *(kwargs[name] for name in ("sample", "timestep")[len(args) :])][:2]
        maps._add(tuple(sample.shape[-2:]), int(timestep), {name: each.kept for name, each in recorders.items()})

    hook = unet.register_forward_hook(after_pass, with_kwargs=True)
    try:
        with replaced_processors(unet, recorders), on_call(pipe, begin):
            yield maps
    finally:
        hook.remove()


class _Recorder:
    """Lets a layer's own processor attend and, beside it, keeps the probabilities of the last `pictures` rows."""

    def __init__(self, plain: AttentionProcessor, heads: bool):
        self.plain, self.heads = plain, heads
        self.pictures: int | None = None  # rows that know the prompt; where there is guidance, they come last
        self.kept: torch.Tensor | None = None

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attend as ever; leave float32 [picture, head or 1, latent_h * latent_w, token] in `kept`."""
        rows = slice(-(self.pictures or len(hidden_states)), None)
        with torch.no_grad():
            mask = None if attention_mask is None else attention_mask[rows]
            shares = probabilities(attn, hidden_states[rows], encoder_hidden_states[rows], mask).float()
            self.kept = shares if self.heads else shares.mean(1, keepdim=True)
        return self.plain(attn, hidden_states, encoder_hidden_states, attention_mask, temb)


@torch.no_grad()
def of_picture(
    pipe: DiffusionPipeline,
    image: Picture | Sequence[Picture],
    prompt: str | Sequence[str],
    timesteps: Sequence[int] = (200, 500, 800),
    resolutions: Sequence[int] | None = (16,),
    generator: torch.Generator | None = None,
) -> Maps:
    """Capture what the words of a prompt are looked at for in a picture: one pass of the UNet for each noise step.

    Args:
        pipe: any pipeline around an SD UNet; of its parts only the autoencoder, the text encoder and the UNet run.
        image: a picture, or several of one size; sides that are no whole number of latents are rounded down.
        prompt: one for each picture.
        timesteps: how much noise is added, 0-999; the maps' `step` counts these.
        resolutions: which layers, see `capture`.
        generator: draws the noise, the same for all noise steps; None starts from seed 0.

    Returns:
        The maps, with the steps kept apart.

    Raises:
        ValueError: not one prompt for each picture, a noise step that does not exist, or a UNet that wants more
            than latents (inpainting, depth).
    """
    images = list(image) if isinstance(image, list | tuple) else [image]
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    alphas = pipe.scheduler.alphas_cumprod
    wanted, latent = pipe.unet.config.in_channels, pipe.vae.config.latent_channels
    if not images or len(images) != len(prompts):
        raise ValueError(f"image has {len(images)} pictures and prompt {len(prompts)} texts; give one text for each.")
    if not timesteps or not all(timestep in range(len(alphas)) for timestep in timesteps):
        raise ValueError(f"timesteps={tuple(timesteps)!r} must be whole numbers from 0 to {len(alphas) - 1}.")
    if wanted != latent:
        raise ValueError(f"pipe has a UNet for {wanted} channels, its latents have {latent}; use a text2img pipeline.")
    encoded = [editing.encode(pipe, picture, "image") for picture in images]
    if len(sizes := {part.shape[2:] for part in encoded}) > 1:
        raise ValueError(f"image holds pictures of {len(sizes)} sizes; bring them to one.")
    latents = torch.cat(encoded).to(pipe._execution_device, pipe.unet.dtype)
    noise = torch.randn(latents.shape, generator=generator or torch.Generator().manual_seed(0)).to(latents)
    with capture(pipe, resolutions, steps=True) as maps:
        text, _ = pipe.encode_prompt(prompts, latents.device, 1, False)
        for timestep in timesteps:
            alpha = float(alphas[timestep])
            pipe.unet(alpha**0.5 * latents + (1 - alpha) ** 0.5 * noise, timestep, text)
    return maps
