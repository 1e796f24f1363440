"""The samplers to choose from: each of them walks from noise to picture with the same UNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, SchedulerMixin

NAMES = {
    "ddim": "DDIMScheduler",
    "pndm": "PNDMScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler a": "EulerAncestralDiscreteScheduler",  # adds noise on the way
    "heun": "HeunDiscreteScheduler",  # asks the UNet twice a step
    "dpm++ 2m": "DPMSolverMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
    "lms": "LMSDiscreteScheduler",
    "ddpm": "DDPMScheduler",  # adds noise on the way
}


def schedulers() -> dict[str, type[SchedulerMixin]]:
    """Return the schedulers by the names that panels show."""
    import diffusers

    return {name: getattr(diffusers, class_name) for name, class_name in NAMES.items()}


def with_scheduler(pipe: DiffusionPipeline, name: str) -> DiffusionPipeline:
    """Give a pipeline another scheduler, set up for the same noise as the one it has.

    Args:
        pipe: changed in place; other pipelines from `load` keep theirs.
        name: a key of `schedulers()`.

    Returns:
        The same pipeline.

    Raises:
        ValueError: no such scheduler.
    """
    if name not in NAMES:
        raise ValueError(f"name={name!r} is no scheduler; use one of {', '.join(map(repr, NAMES))}.")
    pipe.scheduler = schedulers()[name].from_config(pipe.scheduler.config)
    return pipe
