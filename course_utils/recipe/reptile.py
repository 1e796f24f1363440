"""Where few steps begin: LoRA weights from which any subject of a kind is near (Reptile, Nichol et al., 2018)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import torch

from ..clay import vocabulary as words
from ..personalize import Lora, LoraTrainingConfig, Subject, adapters, gather, pretrained, shapes, subject
from ..personalize.batches import PreservationLoss, encode_examples
from ..personalize.datasets import check_trigger
from ..personalize.lora import averaged
from ..personalize.presets import CROSS
from ..personalize.runs import TrainingRun, Watch
from ..validation import Range

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


@dataclass(frozen=True)
class ReptileConfig(LoraTrainingConfig):
    """How a start is found; `max_train_steps` counts rounds, in each of which one subject is learned for a while.

    `learning_rate` is the share of the way, 0-1, that the start moves to what was learned in a round.
    """

    lr_warmup_steps: Annotated[int, Range(0)] = 0
    ema_steps: Annotated[int, Range(0)] = 0
    # Steps on one subject, and their rate: the same as few-step personalisation will take.
    inner_steps: Annotated[int, Range(1)] = 10
    inner_learning_rate: Annotated[float, Range(above=0)] = 3e-3


CONFIG = ReptileConfig(150, 0.5, rank=pretrained.RANK, target_modules=CROSS)


def domain(without: str, height: int = 256, width: int = 256) -> list[Subject]:
    """Draw what a good start for the class `without` may learn from: every shape of the other held-out things.

    Each shape has a colour of its own, so that colour is learned as part of a subject.
    """
    shapes(without)
    colours = list(words.COLOURS)
    kinds = [(word, variant) for word in words.HELD_OUT if word != without for variant in range(len(shapes(word)))]
    return [
        subject(word, variant, colours[number % len(colours)], 0, height, width)
        for number, (word, variant) in enumerate(kinds)
    ]


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
        config: how; None is `CONFIG`.

    Returns:
        A LoRA to begin from, which names the classes that it has seen.

    Raises:
        ValueError: no subjects; and as in `lora`.
    """
    config = config or CONFIG
    check_trigger(trigger)
    if not subjects:
        raise ValueError("subjects is empty; give some, such as domain('robot').")
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
