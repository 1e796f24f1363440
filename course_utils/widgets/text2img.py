"""The panel of lesson 01: text in, picture out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import env
from . import knobs as sets
from .panel import Panel

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


def text2img_panel(
    pipe: DiffusionPipeline,
    room: env.Runtime | None = None,
    prompt: str = "a red clock and a blue bench",
    negative_prompt: str = "",
    folder: str | Path = "pictures",
    **defaults: float,
) -> Panel:
    """Return a panel on a text-to-image pipeline.

    Args:
        pipe: from `catalog.load("text2img")`; its weights are used, nothing of it is changed.
        room: from `env.start`: the lane and the first seed.
        prompt, negative_prompt: what stands in the fields at first.
        folder: where Save writes.
        defaults: in place of `catalog.defaults`: num_inference_steps, guidance_scale, height, width.

    Raises:
        TypeError: an unknown name among the defaults.
        ValueError: a size or a number that cannot be.
    """
    start = sets.first_call(room, prompt, negative_prompt, defaults)
    knobs = {**sets.prompts(start), **sets.sampling(pipe, start)}
    return Panel(pipe, knobs, sets.fixed(start), folder=folder, rows=sets.rows(knobs))
