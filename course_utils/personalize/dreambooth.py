"""Teach a subject with the whole UNet, with prior preservation (DreamBooth, Ruiz et al., 2023)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .. import catalog
from .batches import PreservationLoss, encode_examples
from .datasets import gather
from .presets import DreamBoothConfig, preset
from .runs import TrainingRun, Watch
from .weights import Tuned, check_base

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from .datasets import Pictures


def dreambooth(
    pipe: DiffusionPipeline,
    pictures: Pictures,
    trigger: str,
    config: DreamBoothConfig | None = None,
    watch: Watch | None = None,
    folder: str | Path | None = None,
    out: str | Path | None = None,
) -> Tuned:
    """Learn a subject with the whole UNet, while the base's own pictures keep it from forgetting (Ruiz et al., 2023).

    Args:
        pipe, pictures, trigger, watch, folder, out: as in `lora`.
        config: how; None is the preset of the pipeline's lane. The prior pictures are of the class that the trigger
            names, or of `class_prompts`.

    Returns:
        The trained UNet in the pipeline's dtype; `swapped` puts it into a pipeline.

    Raises:
        ValueError, FloatingPointError, MemoryError: as in `lora`; and a trigger that names no class.
    """
    config = config or preset("dreambooth", catalog.lane_of(pipe))
    examples = gather(pictures, trigger, config.height, config.width)
    run = TrainingRun("dreambooth", pipe, trigger, config, watch, folder, examples, out)
    subject = encode_examples(pipe, examples, config.random_flip)
    loss = PreservationLoss(pipe, subject, run.prior(subject), config)
    unet = run.unet = copy.deepcopy(pipe.unet).float().requires_grad_(True)
    loop = run.train({"unet": unet}, lambda step: loss(unet, run.generator(step), run.batch_size))
    learned = loop.average["unet"].requires_grad_(False)
    return run.finish(Tuned(learned.type(pipe.unet.dtype), run.about(loop)))  # `to` would warn of absent layers


@contextmanager
def swapped(pipe: DiffusionPipeline, tuned: Tuned) -> Iterator[None]:
    """Let a pipeline paint with a trained UNet; on leaving it has its own again.

    Raises:
        ValueError: it was trained from another base.
    """
    check_base(tuned.about, pipe)
    own, pipe.unet = pipe.unet, tuned.unet
    try:
        yield
    finally:
        pipe.unet = own
