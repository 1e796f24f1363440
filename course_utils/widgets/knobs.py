"""The knobs that every panel has, and where they stand at first."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from ipywidgets import BoundedIntText, Button, Dropdown, FloatSlider, IntSlider, Layout, Widget

from .. import catalog, env
from .parts import LABELS, row, text_field

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

SEEDS = 10_000  # the dice throw small numbers: easy to read out and to write down
LARGEST_SEED = 2**32 - 1


def first_call(
    room: env.Runtime | None, prompt: str, negative_prompt: str, defaults: dict[str, float]
) -> dict[str, Any]:
    """Return what a panel stands at first: lane, prompts, and `catalog.defaults` with the caller's in their place.

    Raises:
        TypeError: an unknown name among the defaults.
        ValueError: a size or a number that cannot be.
    """
    lane = room.lane if room else env.choose_lane()
    start = catalog.defaults(lane) | defaults
    if unknown := set(start) - set(catalog.defaults(lane)):
        raise TypeError(f"defaults={defaults!r} name {sorted(unknown)}; use any of {list(catalog.defaults(lane))}.")
    start |= {"prompt": prompt, "negative_prompt": negative_prompt, "seed": room.seed if room else 0}
    catalog.check_call(lane, **start)
    return start | {"lane": lane}


def prompts(start: dict[str, Any]) -> dict[str, Widget]:
    """Return the fields for what the picture shall show and what not."""
    return {
        "prompt": text_field("Prompt", start["prompt"], "what the picture shall show", rows=3),
        "negative_prompt": text_field("Negative", start["negative_prompt"], "what it shall not show", rows=1),
    }


def sampling(pipe: DiffusionPipeline, start: dict[str, Any]) -> dict[str, Widget]:
    """Return the knobs of the walk from noise to picture: seed, steps, guidance, scheduler."""
    steps = start["num_inference_steps"]
    names = catalog.schedulers()
    scheduler = Dropdown(options=list(names), description="Scheduler", style=LABELS, layout=Layout(width="auto"))
    scheduler.value = next((name for name, kind in names.items() if type(pipe.scheduler) is kind), scheduler.value)
    return {
        "seed": BoundedIntText(start["seed"], 0, LARGEST_SEED, description="Seed", style=LABELS),
        "steps": slider("Steps", steps, 1, max(60, steps), 1),
        "guidance": slider("Guidance", start["guidance_scale"], 1, 15, 0.5),
        "scheduler": scheduler,
    }


def fixed(start: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the settings that no knob sets."""
    return {name: start[name] for name in ("height", "width", "lane")}


def slider(name: str, value: float, least: float, most: float, step: float) -> IntSlider | FloatSlider:
    """Return a labelled slider as wide as its column."""
    how = {"min": least, "max": most, "step": step, "description": name, "style": LABELS}
    if isinstance(step, int):
        return IntSlider(value, **how, layout=Layout(width="auto"))
    return FloatSlider(value, **how, readout_format=".2f" if step < 0.1 else ".1f", layout=Layout(width="auto"))


def rows(knobs: dict[str, Widget]) -> list[Widget]:
    """Return what stands in the left column: the knobs, dice beside the seed."""
    knobs["seed"].layout.width = "200px"
    return [row(knob, dice(knob)) if name == "seed" else knob for name, knob in knobs.items()]


def dice(seed: BoundedIntText) -> Button:
    """Return a button that throws another seed."""
    button = Button(description="⚄", tooltip="Another seed", layout=Layout(width="40px"))

    def throw(clicked: Button) -> None:
        seed.value = secrets.randbelow(SEEDS)

    button.on_click(throw)
    return button
