"""The panel of lesson 10: the doll beside the picture, and how strongly each of its maps steers."""

from __future__ import annotations

import json
import pprint
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ipywidgets import VBox
from PIL import Image

from .. import catalog, clay, env, pose
from . import parts
from .controlnet import loaded, steering
from .doll import Doll
from .panel import Panel
from .picture_knob import Thumbnails
from .pictures import true_map, true_map_code
from .record import Argument, Settings

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

MAPS = ("openpose", "depth", "normal", "seg")  # that the renderer draws of a doll
SHOWN = 340  # pixels of the picture's width on the screen: nearly as large as the doll beside it


@dataclass(frozen=True)
class DollSettings(Settings):
    """The knobs of one call with ControlNets whose maps are a doll's."""

    kind: ClassVar[str] = "doll"
    pipeline: ClassVar[str] = "controlnet"
    nested: ClassVar[dict[str, Any]] = {"weights": lambda weights: tuple((name, scale) for name, scale in weights)}

    doll: str  # its state as JSON
    weights: tuple[tuple[str, float], ...]  # (control, scale) of those that steer

    def call(self) -> list[Argument]:
        """Return what the pipeline is called with, the generator excepted."""
        names = [f"{name}_map" for name in self.controls]
        scales = [scale for _, scale in self.weights]
        return [*super().call(), *steering(names, lambda: list(self.maps().values()), scales)]

    def preparation(self) -> str:
        """Return Python that makes the control maps."""
        size = f"{self.height}, {self.width}"
        lines = f"doll = {pprint.pformat(json.loads(self.doll), width=110, compact=True, sort_dicts=False)}\n"
        lines += f"made = clay.render(pose.scene_of(doll), {size})\n"
        return lines + "".join(f"{name}_map = {true_map_code(name, size, doll=True)}\n" for name in self.controls)

    @property
    def controls(self) -> list[str]:
        """Return the models' names."""
        if not self.weights:
            raise ValueError("No map steers: all weights are 0. Pull openpose up, or another one.")
        return [name for name, _ in self.weights]

    def maps(self) -> dict[str, Image.Image]:
        """Return the control maps by name."""
        state = json.loads(self.doll)
        made = clay.render(pose.scene_of(state), self.height, self.width)
        return maps_of(made, state, self.controls)


def maps_of(made: clay.Render, state: Mapping[str, Any], names: Sequence[str] = MAPS) -> dict[str, Image.Image]:
    """Draw a doll's maps from its render, the skeleton without what is hidden by hand."""
    return {name: true_map(made, name, state["figures"]) for name in names}


class Weights(VBox):
    """The doll's maps, and how strongly each steers; the value names those above 0, with their scales."""

    def __init__(self, doll: Doll, names: Sequence[str], start: Mapping[str, float]) -> None:
        self.doll, self.looks = doll, Thumbnails(tuple(names), doll.height, doll.width)
        self.sliders = {name: parts.slider(name, name, start.get(name, 0.0), 0, 2, 0.05) for name in names}
        super().__init__([self.looks, *self.sliders.values()])
        parts.classed(self, "unit")
        doll.observe(lambda change: self.show(), "seen")
        self.show()

    @property
    def value(self) -> tuple[tuple[str, float], ...]:
        """Return (control, scale) of those that steer."""
        return tuple((name, slider.value) for name, slider in self.sliders.items() if slider.value)

    @value.setter
    def value(self, weights: tuple[tuple[str, float], ...]) -> None:
        for name, slider in self.sliders.items():
            slider.value = dict(weights).get(name, 0.0)

    def show(self) -> None:
        """Show the maps of the doll as it is now."""
        for name, image in maps_of(self.doll.made, self.doll.posed, list(self.sliders)).items():
            self.looks.show(name, image)


class DollPanel(Panel):
    """A panel whose picture follows a doll; its maps and their weights stand below the picture."""

    _beside = ("weights",)


def doll_panel(
    pipe: DiffusionPipeline,
    runtime: env.Runtime | None = None,
    weights: Mapping[str, float] | None = None,
    prompt: str = "a man on the beach",
    negative_prompt: str = "",
    people: Sequence[Mapping] | Mapping = ({"word": "man"},),
    folder: str | Path = "pictures",
    **defaults: float,
) -> DollPanel:
    """Return a panel with a doll beside the picture: pose it, and the picture follows.

    Args:
        pipe: from `catalog.load("controlnet", control=...)` with the names of `weights`; its weights are used, nothing
            of it is changed. Other models are loaded when they are first used.
        runtime, prompt, negative_prompt, folder, defaults: see `text2img_panel`.
        weights: control to how strongly it steers at first; None is openpose alone.
        people: persons of the doll, or its whole state, see `pose.state_of`.

    Raises:
        TypeError, ValueError: as `text2img_panel` does, an unknown control or one that `pipe` was not loaded with,
            or a person that is wrong.
    """
    start = parts.first_call(pipe, runtime, prompt, negative_prompt, defaults)
    weights = {"openpose": 1.0} if weights is None else dict(weights)
    pipe_for = loaded(pipe, list(weights))
    offered = catalog.control_names(start["lane"])
    names = [*weights, *(name for name in MAPS if name not in weights and name in offered)]
    doll = Doll(people, start["height"], start["width"])
    scales = Weights(doll, names, weights)
    knobs = {**parts.prompts(start), "doll": doll, "weights": scales, **parts.sampling(pipe, start)}
    return DollPanel(pipe, knobs, start, DollSettings, folder, pipe_for=pipe_for, tall=True, shown=SHOWN)
