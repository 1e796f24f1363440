"""The samplers to choose from: each of them walks from noise to picture with the same UNet.

What changes latents between two steps (Attend-and-Excite, a masked edit) needs a scheduler that goes on from the
latents that it is given: all of these do. `benchmarks/samplers.py` measures each with each technique of the lessons.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline, SchedulerMixin

NOISE = (  # of a scheduler: what the UNet was trained on, and all that one takes over from the one before it
    "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "rescale_betas_zero_snr",
    "prediction_type",
)  # fmt: skip
SPACING = {"timestep_spacing": "leading", "steps_offset": 1}  # as in Stable Diffusion 1.5's own file


@dataclass(frozen=True)
class Sampler:
    """A scheduler of diffusers, and how the course sets it up."""

    scheduler: str  # its class
    options: Mapping[str, Any] = field(default_factory=dict)  # beside `NOISE` and `SPACING`; the rest is the class's
    adds_noise: bool = False  # draws on the way: a seed gives another composition than with ddim


SAMPLERS = {
    "ddim": Sampler("DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": False}),
    # From pure noise one UNet call more: its second step repeats the first. See `_set_up`.
    "pndm": Sampler("PNDMScheduler", {"skip_prk_steps": True, "set_alpha_to_one": False}),
    "euler": Sampler("EulerDiscreteScheduler"),
    "euler a": Sampler("EulerAncestralDiscreteScheduler", adds_noise=True),
    "heun": Sampler("HeunDiscreteScheduler"),  # asks the UNet twice a step
    "dpm++ 2m": Sampler("DPMSolverMultistepScheduler"),
    "dpm++ 2m sde karras": Sampler(
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": True},
        adds_noise=True,
    ),
    "unipc": Sampler("UniPCMultistepScheduler"),
    "lms": Sampler("LMSDiscreteScheduler"),
    "ddpm": Sampler("DDPMScheduler", {"clip_sample": False}, adds_noise=True),
}


def schedulers() -> dict[str, type[SchedulerMixin]]:
    """Return the schedulers by the names that panels show."""
    import diffusers

    return {name: getattr(diffusers, sampler.scheduler) for name, sampler in SAMPLERS.items()}


def sampler_of(pipe: DiffusionPipeline) -> str:
    """Return the name of a pipeline's sampler; one that is none of `SAMPLERS` goes by the name of its class."""
    kind = type(pipe.scheduler).__name__
    for name in (name for name, sampler in SAMPLERS.items() if sampler.scheduler == kind):
        config = _configured(name, pipe.scheduler).config
        if all(pipe.scheduler.config.get(option) == config[option] for option in _parameters(name)):
            return name
    return kind


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
        pipe.scheduler = _set_up(pipe, _configured(name, pipe.scheduler))
    elif name == type(pipe.scheduler).__name__:
        afresh(pipe)
    else:
        raise ValueError(f"name={name!r} is no scheduler; use one of {', '.join(map(repr, SAMPLERS))}.")
    return pipe


def afresh(pipe: DiffusionPipeline) -> None:
    """Give a pipeline a scheduler like the one it has, but its own, that has made no step."""
    pipe.scheduler = _set_up(pipe, pipe.scheduler.from_config(pipe.scheduler.config))


def _set_up(pipe: DiffusionPipeline, scheduler: SchedulerMixin) -> SchedulerMixin:
    """Let PNDM begin in the middle of its timesteps where a pipeline starts from a picture.

    diffusers' class has its second timestep twice and repeats the first step there. Begun later it started from too
    much noise, and took its second step for that repetition: it fell behind, and noise stayed in the picture. Here it
    repeats nothing, as all others.
    """
    pndm = type(scheduler).__name__ == "PNDMScheduler" and scheduler.config.skip_prk_steps
    if pndm and hasattr(pipe, "get_timesteps"):
        scheduler.set_timesteps = MethodType(_set_timesteps, scheduler)
        scheduler.step_plms = MethodType(_step_plms, scheduler)
    return scheduler


def _set_timesteps(scheduler: SchedulerMixin, num_inference_steps: int, device: Any = None) -> None:
    import torch

    type(scheduler).set_timesteps(scheduler, num_inference_steps, device)
    scheduler.timesteps = torch.cat([scheduler.timesteps[:1], scheduler.timesteps[2:]])


def _step_plms(scheduler: SchedulerMixin, model_output: torch.Tensor, *args: Any, **more: Any) -> Any:
    out = type(scheduler).step_plms(scheduler, model_output, *args, **more)
    scheduler.counter = max(scheduler.counter, 2)
    return out


def _configured(name: str, before: SchedulerMixin) -> SchedulerMixin:
    noise = {option: before.config[option] for option in NOISE if option in before.config}
    options = noise | SPACING | SAMPLERS[name].options
    known = _parameters(name)
    return schedulers()[name](**{option: value for option, value in options.items() if option in known})


def _parameters(name: str) -> list[str]:
    return [option for option in inspect.signature(schedulers()[name].__init__).parameters if option != "self"]
