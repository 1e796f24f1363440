"""The ladder of cures for flicker: each rung paints a clip, frame by frame, with a standard ControlNet pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from PIL import Image

from .. import editing
from ..catalog.calls import Guidance, Steps, Weight
from ..catalog.samplers import afresh
from ..validation import Range, Seed, Share, check_config
from .clips import Clip, pull
from .noise import carried_noise, smeared_noise, white_noise
from .steady import blend, cross_frame, median_at

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

Frames = Iterator[Image.Image]


@dataclass(frozen=True)
class FilmConfig:
    """How a clip is painted; ``num_inference_steps`` and ``guidance_scale`` as in every call.

    Raises:
        TypeError, ValueError: a field that cannot be; names it and its value.
    """

    num_inference_steps: Steps = 20
    guidance_scale: Guidance = 4.0
    controlnet_conditioning_scale: Weight = 1.0
    negative_prompt: str = ""
    seed: Seed = 0
    # frames that are painted at once where they must know each other: bounds the memory
    chunk: Annotated[int, Range(3)] = 8
    strength: Share = 0.6  # of img2img: how much of a frame that was carried over is painted anew
    blended: Share = 0.3  # share of the steps after which latents are carried over
    radius: Annotated[int, Range(0)] = 2  # frames before and after that a median over time counts

    def __post_init__(self) -> None:
        check_config(self)


def paint(
    pipe: DiffusionPipeline,
    clip: Clip,
    maps: Sequence[Image.Image],
    prompt: str,
    rung: str,
    config: FilmConfig | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> Frames:
    """Paint a clip by one rung of the ladder.

    Args:
        pipe: from `catalog.load("controlnet")`; use `catalog.with_scheduler(pipe, "ddim")`, which draws no noise of
            its own on the way. It is left as it is.
        clip: what moves, and how.
        maps: a control map for each frame, from `clip.maps`.
        prompt: for all frames.
        rung: a key of `RUNGS`.
        config: the knobs.
        on_step: called after each step of each batch; an exception from it ends the painting.

    Yields:
        The frames, in order, as they are finished: whoever stops keeps those that there are.

    Raises:
        ValueError: no such rung, or not as many maps as frames.
    """
    if rung not in RUNGS:
        raise ValueError(f"rung={rung!r} is none; use one of {', '.join(map(repr, RUNGS))}.")
    if len(maps) != len(clip):
        raise ValueError(f"maps has {len(maps)} pictures for {len(clip)} frames; each frame needs its own.")
    yield from RUNGS[rung](_Run(pipe, clip, maps, prompt, config or FilmConfig(), on_step))


@dataclass(frozen=True)
class _Run:
    """One painting: what all rungs share."""

    pipe: DiffusionPipeline
    clip: Clip
    maps: Sequence[Image.Image]
    prompt: str
    config: FilmConfig
    on_step: Callable[[], None]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return [channel, latent_h, latent_w] of the latents."""
        factor = self.pipe.vae_scale_factor
        return self.pipe.unet.config.in_channels, *(side // factor for side in self.clip.size)

    @cached_property
    def first_noise(self) -> torch.Tensor:
        """Return the noise of the first frame."""
        return white_noise(self.shape, self.config.seed)

    @cached_property
    def from_picture(self) -> DiffusionPipeline:
        """Return the img2img pipeline of the same parts, the LoRAs in them included."""
        import diffusers

        # As they are: `from_pipe` would drop an AutoencoderTiny.
        parts = self.pipe.components
        checker = {"requires_safety_checker": False} if parts.get("safety_checker") is None else {}
        pipe = diffusers.StableDiffusionControlNetImg2ImgPipeline(**parts, **checker)
        afresh(pipe)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def call(self, pipe: DiffusionPipeline, count: int, after: Callable | None = None, **more) -> list[Image.Image]:
        """Call a pipeline for some frames at once."""

        def after_step(pipe, step: int, timestep, kept: dict) -> dict:
            if after is not None:
                after(step, kept["latents"])
            self.on_step()
            return kept

        names = "num_inference_steps", "guidance_scale", "controlnet_conditioning_scale"
        how = {name: getattr(self.config, name) for name in names} | more
        how |= {"negative_prompt": [self.config.negative_prompt] * count} if self.config.negative_prompt else {}
        return pipe([self.prompt] * count, callback_on_step_end=after_step, **how).images

    def batch(self, numbers: Sequence[int], noise: Sequence[torch.Tensor], after: Callable | None = None):
        """Paint some frames at once, each from its noise."""
        latents = torch.stack(list(noise)).to(self.pipe._execution_device, self.pipe.unet.dtype)
        maps = [self.maps[k] for k in numbers]
        return self.call(self.pipe, len(numbers), after, image=maps, latents=latents)

    def chunks(self) -> Iterator[tuple[list[int], int]]:
        """Yield frames to paint together, the first and the last one before them in front, and how many are old."""
        start, count = 0, len(self.clip)
        while start < count:
            old = sorted({0, start - 1} if start else set())
            new = self.config.chunk - len(old)
            numbers = [*old, *range(start, min(count, start + new))]
            yield numbers, len(old)
            start = numbers[-1] + 1


def _alone(run: _Run) -> Frames:
    for k in range(len(run.clip)):
        yield from run.batch([k], [white_noise(run.shape, run.config.seed + k)])


def _same_noise(run: _Run) -> Frames:
    for k in range(len(run.clip)):
        yield from run.batch([k], [run.first_noise])


def _from_noise(make: Callable[..., torch.Tensor], run: _Run) -> Frames:
    for k, noise in enumerate(make(run.clip, run.shape, run.config.seed)):
        yield from run.batch([k], [noise])


def _attending(mode: str, run: _Run) -> Frames:
    for numbers, old in run.chunks():
        with cross_frame(run.pipe, mode, len(numbers)):
            yield from run.batch(numbers, [run.first_noise] * len(numbers))[old:]


def _warped_picture(anchored: bool, run: _Run) -> Frames:
    """Begin each frame with those before it, pulled onto it; where they do not show a point, with a fresh picture."""
    done: list[Image.Image] = []
    for k in range(len(run.clip)):
        (fresh,) = run.batch([k], [run.first_noise])
        if done:
            start = np.asarray(fresh, np.float32)
            for other in (k - 1, 0) if anchored else (k - 1,):  # what comes last lies on top
                flow, visible = run.clip.flow(k, other)
                start = np.where(visible[..., None], pull(done[other], flow), start)
            image = Image.fromarray(start.round().astype(np.uint8))
            (fresh,) = run.call(
                run.from_picture, 1, image=image, control_image=run.maps[k], strength=run.config.strength,
                generator=torch.Generator().manual_seed(run.config.seed),
            )  # fmt: skip
        done.append(fresh)
        yield fresh


def _warped_latents(run: _Run) -> Frames:
    until = run.config.blended * run.config.num_inference_steps
    for numbers, old in run.chunks():

        def after(step: int, latents: torch.Tensor, numbers: list[int] = numbers) -> None:
            if step < until:
                blend(latents, run.clip, numbers)

        yield from run.batch(numbers, [run.first_noise] * len(numbers), after)[old:]


def _inverted(run: _Run) -> Frames:
    for k, frame in enumerate(run.clip.frames):
        yield from run.batch([k], [invert(run.pipe, frame, run.config.num_inference_steps)])


@torch.no_grad()
def invert(pipe: DiffusionPipeline, frame: Image.Image, num_inference_steps: int = 20) -> torch.Tensor:
    """Turn a picture back into its noise: the sampler's steps, taken backwards (DDIM inversion, Song et al., 2021).

    Without words, guidance or map: neighbouring frames are alike, and so are the noises they are turned into.

    Args:
        pipe: any SD pipeline.
        frame: PIL, RGB, of a size that the pipeline paints.
        num_inference_steps: how many steps back; those of the painting fit best.

    Returns:
        float32 [channel, latent_h, latent_w].
    """
    from diffusers import DDIMInverseScheduler

    scheduler = DDIMInverseScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    device = pipe._execution_device  # where the parts of a pipeline take turns on a card
    scheduler.set_timesteps(num_inference_steps, device=device)
    latents = editing.encode(pipe, frame, "frame")
    words, _ = pipe.encode_prompt("", device, 1, False)
    for timestep in scheduler.timesteps:
        noise = pipe.unet(latents, timestep, encoder_hidden_states=words).sample
        latents = scheduler.step(noise, timestep, latents).prev_sample
    return latents[0].float().cpu()


def _then_median(base: str, run: _Run) -> Frames:
    done, radius = [], run.config.radius
    for frame in RUNGS[base](run):
        done.append(frame)
        if len(done) > radius:  # all that count for this one are there
            yield median_at(done, run.clip, len(done) - 1 - radius, radius)
    for k in range(max(0, len(done) - radius), len(done)):
        yield median_at(done, run.clip, k, radius)


RUNGS: dict[str, Callable[[_Run], Frames]] = {
    "alone": _alone,
    "same noise": _same_noise,
    "carried noise": partial(_from_noise, carried_noise),
    "smeared noise": partial(_from_noise, smeared_noise),
    "inverted": _inverted,
    "first": partial(_attending, "first"),
    "first and previous": partial(_attending, "first and previous"),
    "all": partial(_attending, "all"),
    "warped latents": _warped_latents,
    "warped previous": partial(_warped_picture, False),
    "warped, anchored": partial(_warped_picture, True),
    "all, then median": partial(_then_median, "all"),
    "warped, then median": partial(_then_median, "warped, anchored"),
}
