"""Few steps from a good start: found by Reptile (Nichol et al., 2018), used after E4T (Gal et al., 2023)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .. import catalog
from . import adapters
from .batches import PreservationLoss, encode_examples
from .datasets import check_trigger, gather
from .lora import averaged, lora
from .presets import FewStepConfig, LoraTrainingConfig, ReptileConfig, preset
from .runs import TrainingRun, Watch
from .subjects import Subject
from .weights import Lora, check_base

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from .lora import Pictures


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
    do. What is left out: its encoder, which looks at the picture and guesses the word's embedding and offsets of the
    attention weights in one go; its regularisation of both; and real domains such as faces. Our start is the same for
    all subjects, and it is found by Reptile (Nichol et al., 2018), which the paper does not use.

    Args:
        pipe, pictures, watch, folder, out: as in `lora`.
        trigger: begins with the start's word, "sks robot" for a start made with "sks".
        start: from `good_start`; it must not have seen the class.
        config: how; None is the preset of the pipeline's lane. Rank and layers are the start's.

    Raises:
        ValueError: the start is for another base, has seen the class, or knows another word; and as in `lora`.
    """
    check_trigger(trigger)
    check_base(start.about, pipe)
    about = start.about
    if about.method != "start":
        raise ValueError(f"start was made by {about.method!r}; use what personalize.good_start gives.")
    met = sorted(set(about.seen) & set(trigger.split()))
    if met:
        raise ValueError(f"start has seen {met[0]!r}: make one without it, or nothing is shown by few steps.")
    if not trigger.startswith(about.trigger + " "):
        raise ValueError(f"trigger={trigger!r} must begin with the start's word, {about.trigger!r}.")
    config = config or preset("few_step", catalog.lane_of(pipe))
    text = any(name.startswith("text_encoder.") for name in start.tensors)
    whole = LoraTrainingConfig(**vars(config), rank=about.rank, target_modules=about.modules, train_text_encoder=text)
    return lora(pipe, pictures, trigger, whole, watch, folder, out, start=start)


def good_start(
    pipe: DiffusionPipeline,
    subjects: Sequence[Subject],
    trigger: str = "sks",
    config: ReptileConfig | None = None,
    watch: Watch | None = None,
    folder: str | Path | None = None,
) -> Lora:
    """Find weights from which a few steps reach any subject of a kind (Reptile, Nichol et al., 2018, algorithm 1).

    In each round one subject is learned for `inner_steps`, and the start moves part of the way there.

    Args:
        pipe, watch, folder: as in `lora`; the loss that `watch` sees is half the squared way that a round goes.
        subjects: to learn from, such as `domain("robot")`, which is everything but robots.
        trigger: the word that shall mean "this one"; a subject's is "sks dragon".
        config: how; None is the preset of the pipeline's lane.

    Returns:
        A LoRA to begin from, which names the classes that it has seen.

    Raises:
        ValueError: no subjects; and as in `lora`.
    """
    config = config or preset("start", catalog.lane_of(pipe))
    check_trigger(trigger)
    if not subjects:
        raise ValueError("subjects is empty; give some, such as personalize.domain('robot').")
    sets = [gather(each.train, f"{trigger} {each.word}", config.height, config.width) for each in subjects]
    run = TrainingRun("start", pipe, trigger, config, watch, folder, sum(sets, []))
    encoded = [encode_examples(pipe, examples, config.random_flip) for examples in sets]
    losses = [PreservationLoss(pipe, latents, None, config, config.train_text_encoder) for latents in encoded]
    with adapters.injected(pipe, config) as parameters:
        params = list(parameters.values())

        def loss_of(step: int) -> torch.Tensor:
            generator = run.generator(step)
            loss = losses[int(torch.randint(len(losses), (), generator=generator))]
            return reptile_loss(params, lambda: loss(pipe.unet, generator, run.batch_size), config)

        loop = run.train({"lora": torch.nn.ParameterList(params)}, loss_of, choose=_sgd)
        learned = averaged(run, loop, parameters, seen=tuple(sorted({each.word for each in subjects})))
    return run.finish(learned)


def _sgd(modules: list[torch.nn.Module], learning_rate: float) -> list[torch.optim.Optimizer]:
    return [torch.optim.SGD([p for module in modules for p in module.parameters()], lr=learning_rate)]


def reptile_loss(
    params: list[torch.nn.Parameter], loss: Callable[[], torch.Tensor], config: ReptileConfig
) -> torch.Tensor:
    """Go some steps from where `params` are and come back; give half the squared way.

    Its gradient is the way back, so one plain step of rate r goes the share r of it.
    """
    before = [p.detach().clone() for p in params]
    optimizer = torch.optim.AdamW(params, lr=config.inner_learning_rate, betas=(0.9, 0.99), weight_decay=0.01)
    for _ in range(config.inner_steps):
        (1024 * loss()).backward()  # Adam does not mind the factor; gradients in float16 need it
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    after = [p.detach().clone() for p in params]
    with torch.no_grad():
        for p, kept in zip(params, before, strict=True):
            p.copy_(kept)
    return sum(0.5 * (p - goal).pow(2).sum() for p, goal in zip(params, after, strict=True))
