"""Table of lesson 08: how like the robot is it, and is the rest obeyed, by rank, steps and weight of its LoRA."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from typing import TYPE_CHECKING

from ... import catalog, personalize
from ...personalize import likeness, pretrained
from ...results.personal import OTHER, SUBJECT
from .. import exam, loras
from . import personal
from .making import Table

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    Job = tuple[int, int]

WORD = "robot"
RANKS, STEPS, WEIGHTS = (1, 4, 16), (125, 250, 500), (0.5, 1.0, 1.5)
SEEDS, OTHER_SEEDS = 8, 2  # of the subject, each at another place; of each of the other things


def config_of(rank: int, steps: int) -> personalize.LoraTrainingConfig:
    """Give the clay lane's configuration of a LoRA, with a rank and a number of steps."""
    return personalize.preset("lora", "clay", rank=rank, max_train_steps=steps)


def measured(pipe: DiffusionPipeline, weight: float) -> list[dict]:
    """Paint with what is attached: the subject, with its likeness; other things, with the judge's answer."""
    bank = likeness.views(WORD, 0, pretrained.SUBJECTS[WORD])
    trigger = pretrained.trigger_of(WORD)
    subject = loras.asks(WORD, trigger)[:SEEDS]
    others = [(ask, seed) for ask, seed in personal.asks(WORD, OTHER, trigger) if seed < OTHER_SEEDS]
    images = exam.pictures(pipe, [ask.prompt for ask, _ in subject], [seed for _, seed in subject])
    rows = [
        {
            "facet": SUBJECT,
            "prompt": ask.prompt,
            "seed": seed,
            "likeness": like.value,
            "shape": like.shape,
            "parts": like.parts,
        }
        for (ask, seed), like in zip(subject, (likeness.measure(image, bank) for image in images), strict=True)
    ]
    rows += [{"facet": OTHER, **row} for row in loras.judged(pipe, others)]
    return [{"weight": weight, **row} for row in rows]


def _jobs() -> dict[str, Job]:
    return {f"rank {rank}, {steps} steps": (rank, steps) for rank in RANKS for steps in STEPS}


def _measure(job: Job) -> list[dict]:
    rank, steps = job
    pipe, config = catalog.load("text2img", "clay"), config_of(rank, steps)
    pictures = personalize.subject(WORD, 0, pretrained.SUBJECTS[WORD], 0, config.height, config.width).train
    with tempfile.TemporaryDirectory() as folder:  # a fresh one: nothing of an earlier run is gone on with
        learned = personalize.lora(pipe, pictures, pretrained.trigger_of(WORD), config, folder=folder + "/run")
    rows = []
    for weight in WEIGHTS:
        with personalize.attached(pipe, learned, weights=weight):
            rows += measured(pipe, weight)
    return [{"rank": rank, "steps": steps, "bytes": learned.bytes, **row} for row in rows]


TABLES = {
    "likeness": Table(
        "likeness", personal.MODELS, _jobs, _measure,
        {"subject": WORD, "ranks": list(RANKS), "steps": list(STEPS), "weights": list(WEIGHTS),
         "seeds": [SEEDS, OTHER_SEEDS], "knobs": asdict(config_of(RANKS[0], STEPS[0]))},
        trains=True,
    ),
}  # fmt: skip
