"""The samplers to choose from: each of them walks from noise to picture with the same UNet.

Not every walk suits every technique. What changes latents between two steps (Attend-and-Excite, a masked edit) needs
a scheduler that goes on from the latents that it is given. `benchmarks/samplers.py` measures each pair; what it shows
not to work is refused, by the names in `Sampler.refused`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .files import NOISE

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, SchedulerMixin

TECHNIQUES = ("text2img", "img2img", "depth2img", "controlnet", "guess mode", "excite", "capture", "masked edit")
SPACING = {"timestep_spacing": "leading", "steps_offset": 1}  # as in Stable Diffusion 1.5's own file


@dataclass(frozen=True)
class Sampler:
    """A scheduler of diffusers, and how the course sets it up."""

    scheduler: str  # its class
    options: Mapping[str, Any] = field(default_factory=dict)  # beside `NOISE` and `SPACING`; the rest is the class's
    adds_noise: bool = False  # draws on the way: a seed gives another composition than with ddim
    refused: Mapping[str, str] = field(default_factory=dict)  # technique: what was measured


SAMPLERS = {
    "ddim": Sampler("DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": False}),
    "pndm": Sampler(  # one UNet call more: its second step repeats the first
        "PNDMScheduler",
        {"skip_prk_steps": True, "set_alpha_to_one": False},
        refused={"img2img": "begun in the middle it loses a step, and some noise stays in the picture"},
    ),
    "euler": Sampler("EulerDiscreteScheduler"),
    "euler a": Sampler("EulerAncestralDiscreteScheduler", adds_noise=True),
    "heun": Sampler("HeunDiscreteScheduler"),  # asks the UNet twice a step
    "dpm++ 2m": Sampler("DPMSolverMultistepScheduler"),
    "unipc": Sampler("UniPCMultistepScheduler"),
    "lms": Sampler("LMSDiscreteScheduler"),
    "ddpm": Sampler("DDPMScheduler", {"clip_sample": False}, adds_noise=True),
}


def schedulers() -> dict[str, type[SchedulerMixin]]:
    """Return the schedulers by the names that panels show."""
    import diffusers

    return {name: getattr(diffusers, sampler.scheduler) for name, sampler in SAMPLERS.items()}


def samplers_for(technique: str) -> tuple[str, ...]:
    """Return the names of the samplers that work with a technique.

    Raises:
        ValueError: no key of `TECHNIQUES`.
    """
    if technique not in TECHNIQUES:
        raise ValueError(f"technique={technique!r} is none; use one of {', '.join(map(repr, TECHNIQUES))}.")
    return tuple(name for name, sampler in SAMPLERS.items() if technique not in sampler.refused)


def sampler_of(pipe: DiffusionPipeline) -> str:
    """Return the name of a pipeline's sampler; one that is none of `SAMPLERS` goes by the name of its class."""
    kind = type(pipe.scheduler).__name__
    for name in (name for name, sampler in SAMPLERS.items() if sampler.scheduler == kind):
        config = _configured(name, pipe.scheduler).config
        if all(pipe.scheduler.config.get(option) == config[option] for option in _parameters(name)):
            return name
    return kind


def check_sampler(pipe: DiffusionPipeline, technique: str) -> None:
    """Raise where a pipeline's scheduler is known not to work with a technique; one that is not known here passes.

    Raises:
        ValueError: names the scheduler, what was measured, and the samplers that work.
    """
    works, kind = samplers_for(technique), type(pipe.scheduler).__name__
    why = [sampler.refused.get(technique) for sampler in SAMPLERS.values() if sampler.scheduler == kind]
    if any(why):
        raise ValueError(
            f"scheduler={kind} does not work with {technique}: {why[0]}. Use catalog.with_scheduler(pipe, name) with "
            f"one of {', '.join(map(repr, works))}."
        )


def with_scheduler(pipe: DiffusionPipeline, name: str) -> DiffusionPipeline:
    """Give a pipeline another scheduler, set up for the same noise as the one it has, and for nothing else of it.

    Args:
        pipe: changed in place; other pipelines from `load` keep theirs.
        name: a key of `SAMPLERS`; or the class of the scheduler that the pipeline has, which then starts afresh.

    Returns:
        The same pipeline.

    Raises:
        ValueError: no such scheduler.
    """
    if name in SAMPLERS:
        pipe.scheduler = _configured(name, pipe.scheduler)
    elif name == type(pipe.scheduler).__name__:
        pipe.scheduler = pipe.scheduler.from_config(pipe.scheduler.config)
    else:
        raise ValueError(f"name={name!r} is no scheduler; use one of {', '.join(map(repr, SAMPLERS))}.")
    return pipe


def _configured(name: str, before: SchedulerMixin) -> SchedulerMixin:
    noise = {option: before.config[option] for option in NOISE if option in before.config}
    options = noise | SPACING | SAMPLERS[name].options
    known = _parameters(name)
    return schedulers()[name](**{option: value for option, value in options.items() if option in known})


def _parameters(name: str) -> list[str]:
    return [option for option in inspect.signature(schedulers()[name].__init__).parameters if option != "self"]
