"""The LoRAs that the lessons use: how each is learned, and where it lies.

Those of the clay lane ship with the course (`make models STAGE=loras`). On sd15 nothing ships: a LoRA is learned the
first time that it is asked for, and kept in the user's cache.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import catalog, env
from .lora import lora
from .presets import LoraTrainingConfig, preset
from .reading import read
from .subjects import style_examples, subject
from .weights import Lora, base_of

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from .runs import Watch

RANK = 4  # of all of them
RARE = "sks"  # the word that means "this one"
SUBJECTS = {"robot": "orange", "dragon": "purple", "teapot": "blue"}  # in their first shape, and a colour each
STYLES = ("pencil", "anime")
STARTS = tuple(f"start-{word}" for word in SUBJECTS)  # for few steps on this class, so without it
NAMES = (*SUBJECTS, *STYLES, *STARTS)


def trigger_of(name: str) -> str:
    """Give the words that mean what a LoRA has learned: "sks robot", "pencil"; of a start "sks".

    Raises:
        ValueError: no such LoRA.
    """
    if name not in NAMES:
        raise ValueError(f"name={name!r} is no LoRA of the lessons; use one of {', '.join(NAMES)}.")
    return f"{RARE} {name}" if name in SUBJECTS else name if name in STYLES else RARE


def config_of(lane: str | None = None) -> LoraTrainingConfig:
    """Give how a LoRA of a subject or a style is learned: the lane's preset, with `RANK`."""
    return preset("lora", lane, rank=RANK)


def train(name: str, pipe: DiffusionPipeline, lane: str | None = None, watch: Watch | None = None) -> Lora:
    """Learn a subject or a style of the lessons; the arguments are those of `load`. The recipe makes the starts."""
    trigger, config = trigger_of(name), config_of(lane or catalog.lane_of(pipe))
    size = {"height": config.height, "width": config.width}
    if name in STYLES:
        return lora(pipe, style_examples(name, **size), trigger, config, watch)
    return lora(pipe, subject(name, 0, SUBJECTS[name], 0, **size).train, trigger, config, watch)


def path_of(name: str, pipe: DiffusionPipeline, lane: str | None = None) -> Path:
    """Say where a LoRA lies: among the assets on clay, in the user's cache on sd15, there with each base anew."""
    if (lane or catalog.lane_of(pipe)) == "clay":
        return env.ASSETS / "models" / "clay-loras" / f"{name}.safetensors"
    return env.cache_folder() / "personalize" / f"{name}-{base_of(pipe).hash[:8]}.safetensors"


def load(name: str, pipe: DiffusionPipeline, lane: str | None = None, watch: Watch | None = None) -> Lora:
    """Give one of the lessons' LoRAs: the one that ships, or on sd15 the one that was learned here before.

    Args:
        name: one of `NAMES`.
        pipe: the lane's base.
        lane: "clay" or "sd15"; None is the pipeline's.
        watch: as in `lora`, where it must be learned first.

    Raises:
        ValueError: no such LoRA, or it was learned on another base.
        FileNotFoundError: the clay lane does not ship it, or it is a start, which sd15 has none of.
    """
    trigger_of(name)
    lane = lane or catalog.lane_of(pipe)
    path = path_of(name, pipe, lane)
    if not path.is_file():
        if lane == "clay":
            raise FileNotFoundError(f"No {path.name} ships on the clay lane yet: `make models STAGE=loras` trains it.")
        if name in STARTS:
            raise FileNotFoundError(f"name={name!r}: starts for few steps ship on the clay lane only.")
        env.say(f"{name} is learned now, once: {config_of(lane).max_train_steps} steps.")
        train(name, pipe, lane, watch).save(path)
    return read(path, pipe)
