"""The panels of lessons 04 and 05: a picture steers by a control map, or several do at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ipywidgets import Checkbox, Layout

from .. import catalog, env
from ..catalog.checkpoints import check_controls
from . import knobs as sets
from .given import Given, given
from .panel import Panel
from .parts import LABELS
from .post import Post
from .record import Settings
from .units import Unit, Units, unit

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


@dataclass(frozen=True)
class ControlSettings(Settings):
    """The knobs of one call with ControlNets."""

    kind: ClassVar[str] = "controlnet"

    units: tuple[Unit, ...]
    guess: bool  # let the map alone decide, the prompt is only a hint

    def arguments(self) -> dict[str, Any]:
        """Return the pipeline's arguments, the generator excepted."""
        maps = [one.map(self.height, self.width, self.lane) for one in self.units]
        return {**super().arguments(), "image": _one(maps), **self._weights()}

    def expressions(self) -> dict[str, str]:
        """Return the same arguments as Python."""
        maps = [f"control{number}" for number in self._numbers()]
        said = {name: repr(value) for name, value in {**super().arguments(), **self._weights()}.items()}
        return {**said, "image": f"[{', '.join(maps)}]" if len(maps) > 1 else maps[0]}

    def making(self) -> str:
        """Return Python that makes the control maps."""
        each = zip(self.units, self._numbers(), strict=True)
        return "".join(one.code(self.height, self.width, self.lane, number) + "\n" for one, number in each)

    def loading(self) -> str:
        """Return the arguments of `catalog.load`."""
        return f"{super().loading()}, control={_one(self.controls)!r}"

    @property
    def controls(self) -> list[str]:
        """Return the models' names, as `catalog.load` takes them."""
        return [one.control for one in self.units]

    @classmethod
    def of(cls, found: dict[str, Any]) -> ControlSettings:
        """Return settings from what JSON made of them."""
        return cls(**found | {"units": tuple(map(Unit.of, found["units"]))})

    def _weights(self) -> dict[str, Any]:
        return {
            "controlnet_conditioning_scale": _one([one.scale for one in self.units]),
            "control_guidance_start": _one([one.start for one in self.units]),
            "control_guidance_end": _one([one.end for one in self.units]),
            "guess_mode": self.guess,
        }

    def _numbers(self) -> list[str]:
        return [f"_{place}" for place in range(1, len(self.units) + 1)] if len(self.units) > 1 else [""]


def _one(values: list) -> Any:
    """Return the values as a pipeline wants them: a list only where there are several ControlNets."""
    return values if len(values) > 1 else values[0]


def controlnet_panel(
    pipe: DiffusionPipeline,
    room: env.Runtime | None = None,
    control: str = "canny",
    prompt: str = "a red clock and a blue bench",
    negative_prompt: str = "",
    picture: Given | Path | str = "a clock and a bench",
    folder: str | Path = "pictures",
    **defaults: float,
) -> Panel:
    """Return a panel on a ControlNet pipeline: a picture or a scribble, its map, the model, how strongly it steers.

    Args:
        pipe: from `catalog.load("controlnet", control=control)`; its weights are used, nothing of it is changed.
            Another model that is chosen in the panel is loaded when it is first used.
        room: from `env.start`: the lane and the first seed.
        control: one of `catalog.CONTROLS`.
        prompt, negative_prompt: what stands in the fields at first.
        picture: what it starts from at first: words of a clay scene, or the Path of a file.
        folder: where Save writes; uploaded pictures are kept in its folder "inputs".
        defaults: in place of `catalog.defaults`: num_inference_steps, guidance_scale, height, width.

    Raises:
        TypeError: an unknown name among the defaults.
        ValueError: a size or a number that cannot be, or an unknown control.
    """
    start = sets.first_call(room, prompt, negative_prompt, defaults)
    return _panel(pipe, start, [unit(given(picture), control)], folder, many=False)


def multi_controlnet_panel(
    pipe: DiffusionPipeline,
    room: env.Runtime | None = None,
    controls: Sequence[str] = ("openpose", "depth"),
    prompt: str = "a man and a red bench",
    negative_prompt: str = "",
    picture: Given | Path | str = "a man and a bench",
    folder: str | Path = "pictures",
    **defaults: float,
) -> Panel:
    """Return a panel with several controls at once, each with its own picture, model and weight.

    Args:
        pipe: from `catalog.load("controlnet", control=controls)`.
        controls: the models at first, of `catalog.CONTROLS`; in the panel others are added and removed.
        room, prompt, negative_prompt, picture, folder, defaults: as `controlnet_panel` takes them; every control
            starts from the same picture.

    Raises:
        TypeError: an unknown name among the defaults.
        ValueError: a size or a number that cannot be, or an unknown control.
    """
    start = sets.first_call(room, prompt, negative_prompt, defaults)
    return _panel(pipe, start, [unit(given(picture), control) for control in controls], folder, many=True)


def _panel(pipe: DiffusionPipeline, start: dict[str, Any], units: list[Unit], folder: str | Path, many: bool) -> Panel:
    controls = [one.control for one in units]
    check_controls("controlnet", controls, given=False)
    knob = Units(units, start["height"], start["width"], Path(folder), many)
    guess = Checkbox(False, description="Guess mode: the map alone decides", indent=True, style=LABELS)
    guess.layout = Layout(width="auto")

    def look(post: Post, settings: ControlSettings, arguments: dict[str, Any]) -> None:
        images = arguments["image"]
        knob.show(images if isinstance(images, list) else [images], post)

    def pipe_for(settings: ControlSettings) -> DiffusionPipeline:
        if settings.controls != controls:
            return catalog.load("controlnet", lane=settings.lane, control=settings.controls)
        return pipe

    knobs = {**sets.prompts(start), "units": knob, "guess": guess, **sets.sampling(pipe, start)}
    return Panel(pipe, knobs, sets.fixed(start), ControlSettings, folder, sets.rows(knobs), look, pipe_for, tall=True)
