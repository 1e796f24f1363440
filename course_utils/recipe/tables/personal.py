"""Table of lesson 08: ways to learn a subject, side by side.

Each way learns the same five pictures of a thing that the base has never seen, and is then asked three kinds of
things: for the subject, for the subject with something else, and for other things. The judge counts. LoRAs of as few
steps as few-step personalisation, but without its start, tell what the start is worth; a LoRA that keeps nothing of
the base, and a DreamBooth that keeps as the LoRA does, tell what the keeping is worth.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from ... import catalog, personalize
from ...personalize import pretrained
from ...results.personal import (
    BASE,
    FACETS,
    FEW,
    FREE,
    HELD,
    LONGER,
    LORA,
    SHORT,
    SUBJECT,
    WAYS,
    WHOLE,
    WITH,
)
from .. import exam, loras
from ..shipped import PAINTED_BY
from .making import Table

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    Job = tuple[str, str]

MODELS = (*PAINTED_BY, "clay-base/encoder", "clay-judge", "clay-loras")
STAND_IN = "cat"  # what the base is asked for in the subject's place: it knows none of the subjects
BESIDE = (("red", "ball", "in the garden"), ("green", "clock", "in a room"), ("yellow", "car", "in the snow"),
          ("white", "chair", "on the beach"))  # fmt: skip
# None of these things, nor those beside the subject, is among the prompts of what is kept, `presets.KNOWN`.
OTHERS = (("brown", "dog", "in the garden"), ("blue", "suitcase", "on the street"), ("purple", "car", "in the snow"),
          ("orange", "lion", "in the desert"))  # fmt: skip
SEEDS = 8  # for each of these


def asks(word: str, facet: str, named: str) -> list[tuple[exam.Ask, int]]:
    """List what is asked of one way, with the seeds.

    Args:
        word: the subject.
        facet: one of `FACETS`.
        named: what stands for the subject in a prompt: words that mean it, or `STAND_IN`.

    Returns:
        The subject in all places; with something else, where both must be there; other things alone.
    """
    if facet == SUBJECT:
        return loras.asks(word, named)
    subject = (STAND_IN, None) if named == STAND_IN else (word, pretrained.SUBJECTS[word])
    others, first, also = (BESIDE, f"a {named} and ", (subject,)) if facet == WITH else (OTHERS, "", ())
    each = [(f"{first}{_a(colour)} {thing} {place}", (*also, (thing, colour))) for colour, thing, place in others]
    return [(exam.Ask(prompt, wanted, facet), seed) for prompt, wanted in each for seed in range(SEEDS)]


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def config_of(way: str) -> personalize.LoraTrainingConfig | personalize.DreamBoothConfig | personalize.FewStepConfig:
    """Give the clay lane's configuration of a way; LoRAs without a start have that of few steps, or a higher rate."""
    few, lora = personalize.preset("few_step", "clay"), personalize.preset("lora", "clay", rank=pretrained.RANK)
    if way in FEW:
        return replace(few, max_train_steps=FEW[way])
    if way in SHORT:
        rate = SHORT[way] * few.learning_rate
        return replace(lora, **vars(few) | {"max_train_steps": LONGER, "learning_rate": rate})
    whole = personalize.preset("dreambooth", "clay")
    held = replace(whole, prior_kind=lora.prior_kind, num_class_images=lora.num_class_images)
    free = replace(lora, prior_loss_weight=0.0, train_batch_size=2 * lora.train_batch_size)
    return {WHOLE: whole, HELD: held, LORA: lora, FREE: free}[way]


@contextmanager
def taught(pipe: DiffusionPipeline, word: str, way: str) -> Iterator[dict]:
    """Teach a pipeline a subject in one way, for the length of a block; give what that cost."""
    if way == BASE:
        yield {"seconds": 0.0, "bytes": 0, "steps": 0}
        return
    trigger, config = pretrained.trigger_of(word), config_of(way)
    pictures = personalize.subject(word, 0, pretrained.SUBJECTS[word], 0, config.height, config.width).train
    start = [pretrained.load(f"start-{word}", pipe, "clay")] if way in FEW else []
    whole = isinstance(config, personalize.DreamBoothConfig)
    learn = personalize.dreambooth if whole else personalize.few_step if way in FEW else personalize.lora
    with tempfile.TemporaryDirectory() as folder:  # a fresh one: a run that went on would seem quick
        began = time.perf_counter()
        learned = learn(pipe, pictures, trigger, *start, config=config, folder=folder + "/run")
        cost = {"seconds": round(time.perf_counter() - began, 1), "bytes": learned.bytes, "steps": learned.about.steps}
    with personalize.swapped(pipe, learned) if whole else personalize.attached(pipe, learned):
        yield cost


def _jobs() -> dict[str, Job]:
    return {f"{word}, {way}": (word, way) for word in pretrained.SUBJECTS for way in WAYS}


def _measure(job: Job) -> list[dict]:
    word, way = job
    pipe = catalog.load("text2img", "clay")
    named = STAND_IN if way == BASE else pretrained.trigger_of(word)
    rows = []
    with taught(pipe, word, way) as cost:
        for facet in FACETS:
            # The base has no word for the subject: it is asked by the trigger, and knows nothing of it.
            jobs = asks(word, facet, pretrained.trigger_of(word) if facet == SUBJECT else named)
            rows += [{"word": word, "way": way, "facet": facet, **cost, **row} for row in loras.judged(pipe, jobs)]
    return rows


TABLES = {
    "personal": Table(
        "personal", MODELS, _jobs, _measure,
        {"colours": pretrained.SUBJECTS, "knobs": {way: asdict(config_of(way)) for way in WAYS[1:]},
         "stand in": STAND_IN, "seeds": [loras.SEEDS, SEEDS]},
        trains=True,
    ),
}  # fmt: skip
