"""The panels of lessons 04 and 05: a picture steers by a control map, or several do at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ipywidgets import Checkbox

from .. import catalog, env
from . import parts
from .panel import Panel
from .pictures import PictureSource, source_of
from .record import Argument, Settings, alone
from .running import Outbox
from .units import Unit, Units, unit

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL import Image


@dataclass(frozen=True)
class ControlSettings(Settings):
    """The knobs of one call with ControlNets."""

    kind: ClassVar[str] = "controlnet"
    pipeline: ClassVar[str] = "controlnet"
    nested: ClassVar[dict[str, Any]] = {"units": lambda units: tuple(map(Unit.of, units))}

    units: tuple[Unit, ...]
    guess_mode: bool  # let the map alone decide, the prompt is only a hint

    def call(self) -> list[Argument]:
        """Return what the pipeline is called with, the generator excepted."""
        names = [f"control{number}" for number in self._numbers()]
        return [
            *super().call(),
            *steering(names, self._maps, [unit.scale for unit in self.units]),
            Argument("control_guidance_start", alone([unit.start for unit in self.units])),
            Argument("control_guidance_end", alone([unit.end for unit in self.units])),
            Argument("guess_mode", self.guess_mode),
        ]

    def preparation(self) -> str:
        """Return Python that makes the control maps."""
        each = zip(self.units, self._numbers(), strict=True)
        return "".join(unit.code(self.height, self.width, self.lane, number) for unit, number in each)

    @property
    def controls(self) -> list[str]:
        """Return the models' names."""
        return [unit.control for unit in self.units]

    def _maps(self) -> list[Image.Image]:
        return [unit.map(self.height, self.width, self.lane) for unit in self.units]

    def _numbers(self) -> list[str]:
        return [f"_{place}" for place in range(1, len(self.units) + 1)] if len(self.units) > 1 else [""]


def steering(names: list[str], maps: Callable[[], list[Image.Image]], scales: list[float]) -> list[Argument]:
    """Return what every call with ControlNets takes: the maps, by their names in Python, and the scales."""
    image = Argument("image", lambda: alone(maps()), f"[{', '.join(names)}]" if len(names) > 1 else names[0])
    return [image, Argument("controlnet_conditioning_scale", alone(scales))]


def loaded(pipe: DiffusionPipeline, controls: list[str]) -> Callable[[Settings], DiffusionPipeline]:
    """Return what gives the pipeline for settings: `pipe`, which has these controls, or another, loaded when used.

    Raises:
        ValueError: `pipe` has other controls.
    """
    catalog.check_nets(pipe, controls)
    own = alone(controls)

    def pipe_for(settings: Settings) -> DiffusionPipeline:
        loading = settings.loading()
        return pipe if loading["control"] == own else catalog.load(settings.pipeline, **loading)

    return pipe_for


def controlnet_panel(
    pipe: DiffusionPipeline,
    runtime: env.Runtime | None = None,
    control: str = "canny",
    prompt: str = "a red clock and a blue bench",
    negative_prompt: str = "",
    picture: PictureSource | Path | str = "a clock and a bench",
    folder: str | Path = "pictures",
    **defaults: float,
) -> Panel:
    """Return a panel on a ControlNet pipeline: a picture or a scribble, its map, the model, how strongly it steers.

    Args:
        pipe: from `catalog.load("controlnet", control=control)`; its weights are used, nothing of it is changed.
            Another model that is chosen in the panel is loaded when it is first used.
        runtime, prompt, negative_prompt, folder, defaults: see `text2img_panel`.
        control: one of `catalog.CONTROLS`.
        picture: what it starts from at first: words of a clay scene, or the Path of a file.

    Raises:
        TypeError, ValueError: as `text2img_panel` does, an unknown control, or one that `pipe` was not loaded with.
    """
    start = parts.first_call(pipe, runtime, prompt, negative_prompt, defaults)
    return _panel(pipe, start, picture, [control], folder, many=False)


def multi_controlnet_panel(
    pipe: DiffusionPipeline,
    runtime: env.Runtime | None = None,
    controls: Sequence[str] = ("canny", "depth"),
    prompt: str = "a man and a red bench",
    negative_prompt: str = "",
    picture: PictureSource | Path | str = "a man and a bench",
    folder: str | Path = "pictures",
    preprocessor: str | None = None,
    **defaults: float,
) -> Panel:
    """Return a panel with several controls at once, each with its own picture, model and weight.

    Args:
        pipe: from `catalog.load("controlnet", control=controls)`.
        controls: the models at first, of `catalog.CONTROLS`; in the panel others are added and removed.
        runtime, prompt, negative_prompt, picture, folder, defaults: as `controlnet_panel` takes them; every control
            starts from the same picture.
        preprocessor: what makes all maps at first, such as "truth", a scene's own; None: each control's.

    Raises:
        TypeError, ValueError: as `controlnet_panel` does.
    """
    start = parts.first_call(pipe, runtime, prompt, negative_prompt, defaults)
    return _panel(pipe, start, picture, list(controls), folder, True, preprocessor)


def _panel(
    pipe: DiffusionPipeline,
    start: dict[str, Any],
    picture: PictureSource | Path | str,
    controls: list[str],
    folder: str | Path,
    many: bool,
    preprocessor: str | None = None,
) -> Panel:
    pipe_for = loaded(pipe, controls)
    units = [unit(source_of(picture), control) for control in controls]
    units = [replace(one, preprocessor=preprocessor or one.preprocessor) for one in units]
    knob = Units(units, start["height"], start["width"], Path(folder), start["lane"], many)
    guess = parts.field(Checkbox, "Guess mode: the map alone decides", value=False)

    def show_inputs(outbox: Outbox, settings: ControlSettings, arguments: dict[str, Any]) -> None:
        images = arguments["image"]
        knob.show(images if isinstance(images, list) else [images], outbox)

    knobs = {**parts.prompts(start), "units": knob, "guess_mode": guess, **parts.sampling(pipe, start)}
    return Panel(pipe, knobs, start, ControlSettings, folder, show_inputs, pipe_for, tall=True)
