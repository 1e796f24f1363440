"""The panel of lesson 03: the depth of a picture is kept, its colours are free."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from ipywidgets import ToggleButtons
from PIL import Image

from .. import env
from ..clay.control_maps import depth_map, draw_depth
from . import knobs as sets
from .given import Given, given
from .img2img import Img2ImgSettings
from .panel import Panel
from .parts import LABELS
from .post import Post
from .source import Source

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

ESTIMATED, TRUE = "estimated", "true"


@dataclass(frozen=True)
class Depth2ImgSettings(Img2ImgSettings):
    """The knobs of one call that starts from a picture and keeps its depth."""

    kind: ClassVar[str] = "depth2img"

    depth: str  # ESTIMATED from the picture by the pipeline's network, or the TRUE one of a clay scene

    def arguments(self) -> dict[str, Any]:
        """Return the pipeline's arguments, the generator excepted."""
        arguments = super().arguments()
        if self.depth == TRUE:
            made = self.image.render(self.height, self.width)
            arguments["depth_map"] = torch.from_numpy(1 / made.depth)[None]
        return arguments

    def expressions(self) -> dict[str, str]:
        """Return the same arguments as Python."""
        true = {"depth_map": "torch.from_numpy(1 / made.depth)[None]"} if self.depth == TRUE else {}
        return super().expressions() | true


def depth2img_panel(
    pipe: DiffusionPipeline,
    room: env.Runtime | None = None,
    prompt: str = "a red clock on the beach",
    negative_prompt: str = "",
    picture: Given | Path | str = "a gray clock in a room",
    strength: float = 1.0,
    folder: str | Path = "pictures",
    **defaults: float,
) -> Panel:
    """Return a panel on a depth-to-image pipeline, with the estimated depth and the true one side by side.

    Args:
        pipe: from `catalog.load("depth2img")`; its weights are used, nothing of it is changed.
        room: from `env.start`: the lane and the first seed.
        prompt, negative_prompt: what stands in the fields at first.
        picture: what it starts from at first: words of a clay scene, or the Path of a file.
        strength: how far from the picture the run may go at first, 0.05-1; depth is kept whatever it is.
        folder: where Save writes; uploaded pictures are kept in its folder "inputs".
        defaults: in place of `catalog.defaults`: num_inference_steps, guidance_scale, height, width.

    Raises:
        TypeError: an unknown name among the defaults.
        ValueError: a size or a number that cannot be.
    """
    start = sets.first_call(room, prompt, negative_prompt, defaults)
    source = Source(given(picture), start["height"], start["width"], Path(folder), also=(ESTIMATED, TRUE))
    depth = ToggleButtons(options=[ESTIMATED, TRUE], description="Depth", style=LABELS)
    depth.style.button_width = "auto"

    def look(post: Post, settings: Depth2ImgSettings, arguments: dict[str, Any]) -> None:
        scene = settings.image.kind == "scene"
        true = depth_map(settings.image.render(settings.height, settings.width)) if scene else None
        source.looks.show(ESTIMATED, estimate(pipe, arguments["image"]), post)
        source.looks.show(TRUE, true, post)

    knobs = {
        **sets.prompts(start),
        "image": source,
        "depth": depth,
        "strength": sets.slider("Strength", strength, 0.05, 1, 0.05),
        **sets.sampling(pipe, start),
    }
    return Panel(pipe, knobs, sets.fixed(start), Depth2ImgSettings, folder, sets.rows(knobs), look, tall=True)


def estimate(pipe: DiffusionPipeline, picture: Image.Image) -> Image.Image:
    """Draw the depth that the pipeline's own network sees in a picture: RGB, near is bright."""
    network = pipe.depth_estimator
    device, dtype = pipe._execution_device, network.dtype  # an offloaded network says that it is on "meta"
    pixels = pipe.feature_extractor(images=[picture], return_tensors="pt").pixel_values.to(device, dtype)
    with torch.no_grad(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        near = network(pixels).predicted_depth[0].float().cpu().numpy()
    return draw_depth(near).resize(picture.size, Image.Resampling.BICUBIC)
