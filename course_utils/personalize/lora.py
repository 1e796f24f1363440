"""Teach a subject or a style as a small change of some layers (LoRA, Hu et al., 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .. import catalog
from ..training import Loop
from . import adapters
from .batches import PreservationLoss, encode_examples
from .datasets import Example, gather
from .presets import LoraTrainingConfig, preset
from .runs import TrainingRun, Watch
from .weights import Lora

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from .datasets import Picture

    Pictures = Sequence[Example | Picture] | str | Path


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
