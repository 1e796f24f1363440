"""The methods: LoRA, DreamBooth, and few steps from a good start."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from . import layers
from .examples import Example, check_trigger, gather
from .lessons import Lessons
from .presets import DreamBoothKnobs, FewStepKnobs, LoraKnobs, StartKnobs, preset
from .sessions import Session, Watch
from .subjects import Subject
from .weights import Lora, Tuned, check_base

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from .examples import Picture

    Pictures = Sequence[Example | Picture] | str | Path


def lora(
    pipe: DiffusionPipeline,
    pictures: Pictures,
    trigger: str,
    knobs: LoraKnobs | None = None,
    watch: Watch | None = None,
    folder: str | Path | None = None,
) -> Lora:
    """Learn a subject or a style as a small change of some layers (LoRA, Hu et al., 2021).

    Args:
        pipe: a Stable Diffusion; when this returns its modules are as they were.
        pictures: a folder, or a list of pictures, paths or examples, see `gather`.
        trigger: the words that shall mean it, for example "sks robot".
        knobs: how; None is the lane's preset.
        watch: called with a `Progress` after each step.
        folder: keeps the checkpoint; None is one in the user's cache, found again by the same call: a killed or
            stopped run goes on where it was, to the same result. It is deleted when the run is finished.

    Returns:
        The LoRA (the moving average of its weights); after a stop, as far as it came.

    Raises:
        ValueError: pictures, trigger, rank or another argument that will not do.
        MemoryError: it would not fit; says what to turn.
    """
    return _lora("lora", pipe, pictures, trigger, knobs or preset("lora"), watch, folder)


def few_step(
    pipe: DiffusionPipeline,
    pictures: Pictures,
    trigger: str,
    start: Lora,
    knobs: FewStepKnobs | None = None,
    watch: Watch | None = None,
    folder: str | Path | None = None,
) -> Lora:
    """Learn a subject in a few steps from a good start, after E4T (Gal et al., 2023).

    E4T's idea is kept: learn beforehand, on other things of the kind, where tuning should begin, so that 5-15 steps
    do. What is left out: its encoder, which looks at the picture and guesses the word's embedding and offsets of the
    attention weights in one go; its regularisation of both; and real domains such as faces. Our start is the same for
    all subjects, and it is found by Reptile (Nichol et al., 2018), which the paper does not use.

    Args:
        pipe, pictures, watch, folder: as in `lora`.
        trigger: begins with the start's word, "sks robot" for a start made with "sks".
        start: from `good_start`; it must not have seen the class.
        knobs: how; None is the lane's preset. Rank and layers are the start's.

    Raises:
        ValueError: the start is for another base, has seen the class, or knows another word; and as in `lora`.
    """
    check_trigger(trigger)
    check_base(start.about, pipe)
    if start.about.method != "start":
        raise ValueError(f"start was made by {start.about.method!r}; use what personalize.good_start gives.")
    met = sorted(set(start.about.seen) & set(trigger.split()))
    if met:
        raise ValueError(f"start has seen {met[0]!r}: make one without it, or nothing is shown by few steps.")
    if not trigger.startswith(start.about.trigger + " "):
        raise ValueError(f"trigger={trigger!r} must begin with the start's word, {start.about.trigger!r}.")
    knobs, about = knobs or preset("few_step"), start.about
    text = any(name.startswith("text_encoder.") for name in start.tensors)
    whole = LoraKnobs(**vars(knobs), rank=about.rank, modules=about.modules, text_encoder=text)
    return _lora("few_step", pipe, pictures, trigger, whole, watch, folder, start)


def _lora(
    method: str,
    pipe: DiffusionPipeline,
    pictures: Pictures,
    trigger: str,
    knobs: LoraKnobs,
    watch: Watch | None,
    folder: str | Path | None,
    start: Lora | None = None,
) -> Lora:
    examples = gather(pictures, trigger, knobs.height, knobs.width)
    session = Session(method, pipe, trigger, knobs, watch, folder, examples, start)
    lessons = Lessons(pipe, examples, knobs, live=knobs.text_encoder)
    lessons.keep(session.prior(lessons.subject))
    with layers.injected(pipe, knobs, start) as named:
        modules = {"lora": torch.nn.ParameterList(named.values())}
        loop = session.run(modules, lambda step: lessons.loss(pipe.unet, session.chance(step), session.share))
    made = _collect(session, loop, named, knobs)
    session.close(loop)
    return made


def _collect(session: Session, loop, named: dict, knobs: LoraKnobs, **more) -> Lora:
    """Take the LoRA out of a loop: averaged, on the CPU, its scale in B."""
    tensors = {
        name: p.detach().cpu().clone() * (knobs.scale if name.endswith("lora_B.weight") else 1.0)
        for name, p in zip(named, loop.average["lora"], strict=True)
    }
    about = session.about(loop, rank=knobs.rank, alpha=knobs.scale * knobs.rank, modules=knobs.modules, **more)
    return Lora(tensors, about)


def dreambooth(
    pipe: DiffusionPipeline,
    pictures: Pictures,
    trigger: str,
    knobs: DreamBoothKnobs | None = None,
    watch: Watch | None = None,
    folder: str | Path | None = None,
) -> Tuned:
    """Learn a subject with the whole UNet, while the base's own pictures keep it from forgetting (Ruiz et al., 2023).

    Args:
        pipe, pictures, trigger, watch, folder: as in `lora`.
        knobs: how; None is the lane's preset. The prior pictures are of the class that the trigger names, or of
            `prior_prompts`.

    Returns:
        The trained UNet in the pipeline's dtype; `swapped` puts it into a pipeline.

    Raises:
        ValueError, MemoryError: as in `lora`; and a trigger that names no class where one is needed.
    """
    knobs = knobs or preset("dreambooth")
    examples = gather(pictures, trigger, knobs.height, knobs.width)
    session = Session("dreambooth", pipe, trigger, knobs, watch, folder, examples)
    lessons = Lessons(pipe, examples, knobs)
    lessons.keep(session.prior(lessons.subject))
    unet = session.learning = copy.deepcopy(pipe.unet).float().requires_grad_(True)
    loop = session.run({"unet": unet}, lambda step: lessons.loss(unet, session.chance(step), session.share))
    session.close(loop)
    made = loop.average["unet"].requires_grad_(False)
    return Tuned(made.type(pipe.unet.dtype), session.about(loop))  # `to` would warn of layers that are not there


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


def good_start(
    pipe: DiffusionPipeline,
    subjects: Sequence[Subject],
    trigger: str = "sks",
    knobs: StartKnobs | None = None,
    watch: Watch | None = None,
    folder: str | Path | None = None,
) -> Lora:
    """Find weights from which a few steps reach any subject of a kind (Reptile, Nichol et al., 2018, algorithm 1).

    In each round one subject is learned for `inner_steps`, and the start moves part of the way there.

    Args:
        pipe, watch, folder: as in `lora`; the loss that `watch` sees is half the squared way that a round goes.
        subjects: to learn from, such as `domain("robot")`, which is everything but robots.
        trigger: the word that shall mean "this one"; a subject's is "sks dragon".
        knobs: how; None is the lane's preset.

    Returns:
        A LoRA to begin from, which names the classes that it has seen.

    Raises:
        ValueError: no subjects; and as in `lora`.
    """
    knobs = knobs or preset("start")
    check_trigger(trigger)
    if not subjects:
        raise ValueError("subjects is empty; give some, such as personalize.domain('robot').")
    examples = [gather(one.train, f"{trigger} {one.word}", knobs.height, knobs.width) for one in subjects]
    session = Session("start", pipe, trigger, knobs, watch, folder, sum(examples, []))
    lessons = [Lessons(pipe, mine, knobs, live=knobs.text_encoder) for mine in examples]
    with layers.injected(pipe, knobs) as named:
        params = list(named.values())

        def loss_of(step: int) -> torch.Tensor:
            chance = session.chance(step)
            lesson = lessons[int(torch.randint(len(lessons), (), generator=chance))]
            return way(params, lambda: lesson.loss(pipe.unet, chance, session.share), knobs)

        loop = session.run({"lora": torch.nn.ParameterList(params)}, loss_of, choose=_plain)
    made = _collect(session, loop, named, knobs, seen=tuple(sorted({one.word for one in subjects})))
    session.close(loop)
    return made


def _plain(modules: list[torch.nn.Module], rate: float) -> list[torch.optim.Optimizer]:
    return [torch.optim.SGD([p for module in modules for p in module.parameters()], lr=rate)]


def way(params: list[torch.nn.Parameter], loss: Callable[[], torch.Tensor], knobs: StartKnobs) -> torch.Tensor:
    """Go some steps from where `params` are and come back; give half the squared way.

    Its gradient is the way back, so one plain step of rate r goes the share r of it.
    """
    here = [p.detach().clone() for p in params]
    optimizer = torch.optim.AdamW(params, lr=knobs.inner_rate, betas=(0.9, 0.99), weight_decay=0.01)
    for _ in range(knobs.inner_steps):
        (1024 * loss()).backward()  # Adam does not mind the factor; gradients in float16 need it
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    there = [p.detach().clone() for p in params]
    with torch.no_grad():
        for p, kept in zip(params, here, strict=True):
            p.copy_(kept)
    return sum(0.5 * (p - goal).pow(2).sum() for p, goal in zip(params, there, strict=True))
