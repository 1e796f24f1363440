"""The panel of lesson 01: text in, picture out."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from ipywidgets import BoundedIntText, Button, Dropdown, FloatSlider, IntSlider, Layout

from .. import catalog, env
from .panel import Panel
from .parts import LABELS, row, text_field

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

SEEDS = 10_000  # the dice throw small numbers: easy to read out and to write down
LARGEST_SEED = 2**32 - 1


def text2img_panel(
    pipe: DiffusionPipeline,
    room: env.Room | None = None,
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
    lane = room.lane if room else env.choose_lane()
    start = catalog.defaults(lane) | defaults
    if unknown := set(start) - set(catalog.defaults(lane)):
        raise TypeError(f"defaults={defaults!r} name {sorted(unknown)}; use any of {list(catalog.defaults(lane))}.")
    catalog.check_call(lane, prompt=prompt, negative_prompt=negative_prompt, **start)
    steps = start["num_inference_steps"]
    wide = {"style": LABELS, "layout": Layout(width="auto")}
    knobs = {
        "prompt": text_field("Prompt", prompt, "what the picture shall show", rows=3),
        "negative_prompt": text_field("Negative", negative_prompt, "what it shall not show", rows=1),
        "seed": BoundedIntText(room.seed if room else 0, 0, LARGEST_SEED, description="Seed", style=LABELS),
        "steps": IntSlider(steps, 1, max(60, steps), description="Steps", **wide),
        "guidance": FloatSlider(
            start["guidance_scale"], min=1, max=15, step=0.5, readout_format=".1f", description="Guidance", **wide
        ),
        "scheduler": Dropdown(options=list(catalog.schedulers()), description="Scheduler", **wide),
    }
    knobs["seed"].layout.width = "200px"
    knobs["scheduler"].value = _current(pipe)
    fixed = {"height": start["height"], "width": start["width"], "lane": lane}
    rows = [row(knob, _dice(knob)) if name == "seed" else knob for name, knob in knobs.items()]
    return Panel(pipe, knobs, fixed, folder=folder, rows=rows)


def _dice(seed: BoundedIntText) -> Button:
    """Return a button that throws another seed."""
    dice = Button(description="⚄", tooltip="Another seed", layout=Layout(width="40px"))

    def throw(button: Button) -> None:
        seed.value = secrets.randbelow(SEEDS)

    dice.on_click(throw)
    return dice


def _current(pipe: DiffusionPipeline) -> str:
    """Return the name of the pipeline's scheduler, or the first one if it has a name no more."""
    names = catalog.schedulers()
    return next((name for name, kind in names.items() if type(pipe.scheduler) is kind), next(iter(names)))
