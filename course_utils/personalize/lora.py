"""Teach a subject or a style as a small change of some layers (LoRA, Hu et al., 2021), also in a few steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .. import catalog
from ..training import Loop
from . import adapters
from .batches import PreservationLoss, encode_examples
from .datasets import check_trigger, gather
from .presets import FewStepConfig, LoraTrainingConfig, preset
from .runs import TrainingRun, Watch
from .weights import Lora, check_base

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from .datasets import Pictures


def lora(
    pipe: DiffusionPipeline,
    pictures: Pictures,
    trigger: str,
    config: LoraTrainingConfig | None = None,
    watch: Watch | None = None,
    folder: str | Path | None = None,
    out: str | Path | None = None,
    *,
    start: Lora | None = None,
) -> Lora:
    """Learn a subject or a style as a small change of some layers (LoRA, Hu et al., 2021).

    Args:
        pipe: a Stable Diffusion; when this returns its modules are as they were.
        pictures: a folder, or a list of pictures, paths or examples, see `gather`.
        trigger: the words that shall mean it, for example "sks robot".
        config: how; None is the preset of the pipeline's lane.
        watch: called with a `Progress` after each step.
        folder: keeps the checkpoint; None is one in the user's cache, found again by the same call: a killed or
            stopped run goes on where it was, to the same result. It is deleted when the run is finished.
        out: a .safetensors file to write when it is learned; checked before the first step, and the checkpoint stays
            until it is written.
        start: weights to begin from; see `few_step`.

    Returns:
        The LoRA (the moving average of its weights); after a stop or an interrupt, as far as it came.

    Raises:
        ValueError: pictures, trigger, rank or another argument that will not do.
        FloatingPointError: the loss is no longer a number; says at which step, and the likely cause.
        MemoryError: it would not fit; says what to change.
    """
    config = config or preset("lora", catalog.lane_of(pipe))
    examples = gather(pictures, trigger, config.height, config.width)
    run = TrainingRun("few_step" if start else "lora", pipe, trigger, config, watch, folder, examples, out, start)
    subject = encode_examples(pipe, examples, config.random_flip)
    loss = PreservationLoss(pipe, subject, run.prior(subject), config, config.train_text_encoder)
    with adapters.injected(pipe, config, start) as parameters:
        modules = {"lora": torch.nn.ParameterList(parameters.values())}
        loop = run.train(modules, lambda step: loss(pipe.unet, run.generator(step), run.batch_size))
        learned = averaged(run, loop, parameters)
    return run.finish(learned)


def averaged(run: TrainingRun, loop: Loop, parameters: dict[str, torch.nn.Parameter], **more) -> Lora:
    """Take the LoRA out of a loop: its moving average, on the CPU, the scale lora_alpha / rank in B."""
    config = run.config
    tensors = {
        name: p.detach().cpu().clone() * (config.scale if name.endswith("lora_B.weight") else 1.0)
        for name, p in zip(parameters, loop.average["lora"], strict=True)
    }
    alpha, modules = config.scale * config.rank, config.target_modules
    return Lora(tensors, run.about(loop, rank=config.rank, alpha=alpha, modules=modules, **more))


def few_step(
    pipe: DiffusionPipeline,
    pictures: Pictures,
    trigger: str,
    start: Lora,
    config: FewStepConfig | None = None,
    watch: Watch | None = None,
    folder: str | Path | None = None,
    out: str | Path | None = None,
) -> Lora:
    """Learn a subject in a few steps from a good start, after E4T (Gal et al., 2023).

    E4T's idea is kept: learn beforehand, on other things of the kind, where tuning should begin, so that 5-15 steps
    do. Its encoder, its regularisation and its domains (faces) are left out. Our start is the same for all subjects
    and found by Reptile (Nichol et al., 2018), which the paper does not use: `course_utils.recipe.reptile`.

    Args:
        pipe, pictures, watch, folder, out: as in `lora`.
        trigger: begins with the start's word, "sks robot" for a start made with "sks".
        start: such as `pretrained.load("start-robot", pipe)`; it must not have seen the class.
        config: how; None is the preset of the pipeline's lane. Rank and layers are the start's.

    Raises:
        ValueError: the start is for another base, has seen the class, or knows another word; and as in `lora`.
    """
    check_trigger(trigger)
    check_base(start.about, pipe)
    about = start.about
    if about.method != "start":
        raise ValueError(f"start was made by {about.method!r}; use one such as pretrained.load('start-robot', pipe).")
    met = sorted(set(about.seen) & set(trigger.split()))
    if met:
        raise ValueError(f"start has seen {met[0]!r}: make one without it, or nothing is shown by few steps.")
    if not trigger.startswith(about.trigger + " "):
        raise ValueError(f"trigger={trigger!r} must begin with the start's word, {about.trigger!r}.")
    config = config or preset("few_step", catalog.lane_of(pipe))
    text = any(name.startswith("text_encoder.") for name in start.tensors)
    whole = LoraTrainingConfig(**vars(config), rank=about.rank, target_modules=about.modules, train_text_encoder=text)
    return lora(pipe, pictures, trigger, whole, watch, folder, out, start=start)
