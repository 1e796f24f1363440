"""The panels of lessons 02 and 03: a picture in, a picture out, all of it or inside a mask; or its depth is kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import torch
from PIL import Image

from .. import editing, env
from ..clay.control_maps import depth_map, draw_depth
from ..validation import Choice, Share
from . import parts
from .panel import Panel
from .picture_knob import PictureKnob
from .pictures import PictureSource, source_of
from .record import Argument, Settings
from .running import Outbox

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from ipywidgets import Widget

ESTIMATED, TRUE = "estimated", "true"


def from_picture(settings: Any, source: PictureSource) -> list[Argument]:
    """Return what a call takes that starts from a picture, and changes it only where it is marked."""
    size = (settings.height, settings.width)
    picture = cache(lambda: source.picture(*size))
    call = [*settings.common(), Argument("image", picture, "picture"), Argument("strength", settings.strength)]
    if not source.marked(*size):
        return call
    expression = f"editing.keep_outside(mask, picture, {settings.seed})"
    keep = partial(editing.keep_outside, source.mask(*size), seed=settings.seed)
    return [*call, Argument("callback_on_step_end", lambda: keep(picture()), expression)]


@dataclass(frozen=True)
class Img2ImgSettings(Settings):
    """The knobs of one call that starts from a picture."""

    kind: ClassVar[str] = "img2img"
    pipeline: ClassVar[str] = "img2img"
    nested: ClassVar[dict[str, Any]] = {"image": PictureSource.of}

    image: PictureSource  # with what is drawn on it, and marks where alone it may change
    strength: Share

    def call(self) -> list[Argument]:
        """Return what the pipeline is called with, the generator excepted."""
        return from_picture(self, self.image)

    def preparation(self) -> str:
        """Return Python that makes the picture and the mask."""
        return self.image.code(self.height, self.width)


@dataclass(frozen=True)
class Depth2ImgSettings(Img2ImgSettings):
    """The knobs of one call that starts from a picture and keeps its depth."""

    kind: ClassVar[str] = "depth2img"
    pipeline: ClassVar[str] = "depth2img"

    # ESTIMATED from the picture by the pipeline's network, or the TRUE one of a clay scene
    depth: Annotated[str, Choice((ESTIMATED, TRUE))]

    def call(self) -> list[Argument]:
        """Return what the pipeline is called with, the generator excepted."""
        if self.depth == ESTIMATED:
            return super().call()

        def true_depth() -> torch.Tensor:
            return torch.from_numpy(1 / self.image.render(self.height, self.width).depth)[None]

        return [*super().call(), Argument("depth_map", true_depth, "torch.from_numpy(1 / made.depth)[None]")]


def img2img_panel(
    pipe: DiffusionPipeline,
    runtime: env.Runtime | None = None,
    prompt: str = "a portrait of a man with a moustache",
    negative_prompt: str = "",
    picture: PictureSource | Path | str = "a portrait of a man",
    strength: float = 0.6,
    folder: str | Path = "pictures",
    **defaults: float,
) -> Panel:
    """Return a panel on an image-to-image pipeline: draw on the picture, mark what alone may change.

    Args:
        pipe: from `catalog.load("img2img")`; its weights are used, nothing of it is changed.
        runtime, prompt, negative_prompt, folder, defaults: see `text2img_panel`.
        picture: what it starts from at first: words of a clay scene, or the Path of a file.
        strength: how far from the picture the run may go at first, 0.05-1.

    Raises:
        TypeError, ValueError: as `text2img_panel` does.
    """
    start = parts.first_call(pipe, runtime, prompt, negative_prompt, defaults)
    image = PictureKnob(source_of(picture), start["height"], start["width"], Path(folder), mode="over")
    return Panel(pipe, _knobs(pipe, start, strength, image=image), start, Img2ImgSettings, folder, tall=True)


def _knobs(pipe: DiffusionPipeline, start: dict[str, Any], strength: float, **own: Widget) -> dict[str, Widget]:
    """Return the knobs of a call that starts from a picture, a panel's own among them."""
    slider = parts.slider("strength", "Strength", strength, 0.05, 1, 0.05)
    return {**parts.prompts(start), **own, "strength": slider, **parts.sampling(pipe, start)}


def depth2img_panel(
    pipe: DiffusionPipeline,
    runtime: env.Runtime | None = None,
    prompt: str = "a red clock on the beach",
    negative_prompt: str = "",
    picture: PictureSource | Path | str = "a gray clock in a room",
    strength: float = 1.0,
    folder: str | Path = "pictures",
    **defaults: float,
) -> Panel:
    """Return a panel on a depth-to-image pipeline, with the estimated depth and the true one side by side.

    Args:
        pipe: from `catalog.load("depth2img")`; its weights are used, nothing of it is changed.
        runtime, prompt, negative_prompt, folder, defaults: see `text2img_panel`.
        picture: what it starts from at first: words of a clay scene, or the Path of a file.
        strength: how far from the picture the run may go at first, 0.05-1; depth is kept whatever it is.

    Raises:
        TypeError, ValueError: as `text2img_panel` does.
    """
    start = parts.first_call(pipe, runtime, prompt, negative_prompt, defaults)
    source = PictureKnob(source_of(picture), start["height"], start["width"], Path(folder), also=(ESTIMATED, TRUE))
    depth = parts.toggles("Depth", [ESTIMATED, TRUE])

    def show_inputs(outbox: Outbox, settings: Depth2ImgSettings, arguments: dict[str, Any]) -> None:
        scene = settings.image.kind == "scene"
        true = depth_map(settings.image.render(settings.height, settings.width)) if scene else None
        source.looks.show(ESTIMATED, estimate(pipe, arguments["image"]), outbox)
        source.looks.show(TRUE, true, outbox)

    knobs = _knobs(pipe, start, strength, image=source, depth=depth)
    return Panel(pipe, knobs, start, Depth2ImgSettings, folder, show_inputs, tall=True)


def estimate(pipe: DiffusionPipeline, picture: Image.Image) -> Image.Image:
    """Draw the depth that the pipeline's own network sees in a picture: RGB, near is bright."""
    network = pipe.depth_estimator
    device, dtype = pipe._execution_device, network.dtype  # an offloaded network says that it is on "meta"
    pixels = pipe.feature_extractor(images=[picture], return_tensors="pt").pixel_values.to(device, dtype)
    with torch.no_grad(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        near = network(pixels).predicted_depth[0].float().cpu().numpy()
    return draw_depth(near).resize(picture.size, Image.Resampling.BICUBIC)
