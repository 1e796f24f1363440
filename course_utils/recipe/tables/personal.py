"""Tables of lesson 08: ways to learn a subject, side by side, and what two LoRAs do to each other.

Each way learns the same five pictures of a thing that the base has never seen, and is then asked three kinds of
things: for the subject, for the subject with something else, and for other things. The judge counts. LoRAs of as few
steps as few-step personalisation, but without its start, tell what the start is worth; a LoRA that keeps nothing of
the base, and a DreamBooth that keeps as the LoRA does, tell what the keeping is worth.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from ... import catalog, judge, metrics, personalize
from ...metrics import Interval
from ...personalize import shelf
from .. import exam, loras
from .making import Table

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL import Image

    Job = tuple[str, str]

MODELS = ("clay-base", "clay-judge", "clay-loras")
BASE, WHOLE, LORA = "base", "DreamBooth", "LoRA"
FREE = "LoRA, nothing kept"  # as many pictures a step, all of the subject
HELD = "DreamBooth, answers"  # kept as the LoRA does, in place of prior pictures
FEW = {f"{steps} steps": steps for steps in (5, 10, 15)}  # from a good start
LONGER = 10  # steps of those without a start; by way, the factor on the rate, so that it does not hold them back
SHORT = {f"{LONGER} steps, no start": 1.0, f"{LONGER} steps, no start, 3 x rate": 3.0}
WAYS = (BASE, WHOLE, HELD, LORA, FREE, *FEW, *SHORT)
STAND_IN = "cat"  # what the base is asked for in the subject's place: it knows none of the subjects
BESIDE = (("red", "ball", "in the garden"), ("green", "clock", "in a room"), ("yellow", "car", "in the snow"),
          ("white", "chair", "on the beach"))  # fmt: skip
# None of these things, nor those beside the subject, is among the prompts of what is kept, `presets.KNOWN`.
OTHERS = (("brown", "dog", "in the garden"), ("blue", "suitcase", "on the street"), ("purple", "car", "in the snow"),
          ("orange", "lion", "in the desert"))  # fmt: skip
SEEDS = 8  # for each of these
SUBJECT, WITH, OTHER = "the subject", "with something else", "other things"
FACETS = (SUBJECT, WITH, OTHER)
PAIRS = (("robot", "dragon"), ("robot", "teapot"), ("dragon", "teapot"))
PAIR_SEEDS = 16
NOBODY = "a cat in the garden"


@dataclass(frozen=True)
class Told:
    """What the table says of one way: rates with their intervals, and what it costs."""

    rates: dict[str, Interval]  # by facet
    intruded: Interval  # the subject where nobody asked for it
    seconds: float  # of learning, mean over the subjects; making what is kept included
    bytes: int  # of what is kept
    steps: int


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
    mine = (STAND_IN, None) if named == STAND_IN else (word, shelf.SUBJECTS[word])
    said, first, also = (BESIDE, f"a {named} and ", (mine,)) if facet == WITH else (OTHERS, "", ())
    each = [(f"{first}{_a(colour)} {thing} {place}", (*also, (thing, colour))) for colour, thing, place in said]
    return [(exam.Ask(prompt, wanted, facet), seed) for prompt, wanted in each for seed in range(SEEDS)]


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def knobs_of(way: str) -> personalize.LoraKnobs | personalize.DreamBoothKnobs | personalize.FewStepKnobs:
    """Give the clay lane's knobs for a way; LoRAs without a start have those of few steps, or a higher rate."""
    few, lora = personalize.preset("few_step", "clay"), personalize.preset("lora", "clay", rank=shelf.RANK)
    if way in FEW:
        return replace(few, steps=FEW[way])
    if way in SHORT:
        return replace(lora, **vars(few) | {"steps": LONGER, "rate": SHORT[way] * few.rate})
    whole = personalize.preset("dreambooth", "clay")
    held = replace(whole, prior_kind=lora.prior_kind, prior_count=lora.prior_count)
    free = replace(lora, prior_weight=0.0, batch=2 * lora.batch)
    return {WHOLE: whole, HELD: held, LORA: lora, FREE: free}[way]


@contextmanager
def taught(pipe: DiffusionPipeline, word: str, way: str) -> Iterator[dict]:
    """Teach a pipeline a subject in one way, for the length of a block; give what that cost."""
    if way == BASE:
        yield {"seconds": 0.0, "bytes": 0, "steps": 0}
        return
    trigger, knobs = shelf.trigger_of(word), knobs_of(way)
    pictures = personalize.subject(word, 0, shelf.SUBJECTS[word], 0, knobs.height, knobs.width).train
    start = [shelf.ready(f"start-{word}", pipe, "clay")] if way in FEW else []
    whole = isinstance(knobs, personalize.DreamBoothKnobs)
    learn = personalize.dreambooth if whole else personalize.few_step if way in FEW else personalize.lora
    with tempfile.TemporaryDirectory() as folder:  # a fresh one: a run that went on would seem quick
        began = time.perf_counter()
        learned = learn(pipe, pictures, trigger, *start, knobs=knobs, folder=folder + "/run")
        cost = {"seconds": round(time.perf_counter() - began, 1), "bytes": learned.bytes, "steps": learned.about.steps}
    with personalize.swapped(pipe, learned) if whole else personalize.attached(pipe, learned):
        yield cost


def _jobs() -> dict[str, Job]:
    return {f"{word}, {way}": (word, way) for word in shelf.SUBJECTS for way in WAYS}


def _measure(job: Job) -> list[dict]:
    word, way = job
    pipe = catalog.load("text2img", "clay")
    named = STAND_IN if way == BASE else shelf.trigger_of(word)
    rows = []
    with taught(pipe, word, way) as cost:
        for facet in FACETS:
            # The base has no word for the subject: it is asked by the trigger, and knows nothing of it.
            jobs = asks(word, facet, shelf.trigger_of(word) if facet == SUBJECT else named)
            rows += [{"word": word, "way": way, "facet": facet, **cost, **row} for row in loras.judged(pipe, jobs)]
    return rows


def told(rows: Sequence[dict]) -> Told:
    """Sum up the rows of one way.

    Raises:
        ValueError: there are none.
    """
    if not rows:
        raise ValueError("rows is empty; give those of one way.")
    rates = {facet: metrics.rate([row["hit"] for row in rows if row["facet"] == facet]) for facet in FACETS}
    intruded = metrics.rate([row["word"] in row["found"] for row in rows if row["facet"] == OTHER])
    costs = {row["word"]: (row["seconds"], row["bytes"], row["steps"]) for row in rows}
    seconds, sizes, steps = zip(*costs.values(), strict=True)
    return Told(rates, intruded, sum(seconds) / len(seconds), max(sizes), max(steps))


def by_way(rows: Sequence[dict]) -> dict[str, Told]:
    """Sum up table "personal", way by way."""
    return {way: told([row for row in rows if row["way"] == way]) for way in WAYS}


def report(rows: Sequence[dict]) -> str:
    """Write table "personal" down: rates with their intervals in per cent, and what each way costs."""
    lines = [f"{'':29}{SUBJECT:>17}{WITH:>21}{OTHER:>17}{'intruded':>17}{'steps':>7}{'seconds':>9}{'MB':>8}"]
    for way, one in by_way(rows).items():
        shown = [one.rates[SUBJECT], one.rates[WITH], one.rates[OTHER], one.intruded]
        said = "".join(
            f"{f'{rate.value:.0%} ({rate.low:.0%}-{rate.high:.0%})':>{wide}}"
            for rate, wide in zip(shown, (17, 21, 17, 17), strict=True)
        )
        lines.append(f"{way:29}{said}{one.steps:7}{one.seconds:9.0f}{one.bytes / 1e6:8.2f}")
    return "\n".join(lines)


def prompts_of(pair: tuple[str, str]) -> dict[str, tuple[str, ...]]:
    """Give the prompts of an interference matrix, and which subjects each asks for: one, the other, both, none."""
    first, second = pair
    one, two = (shelf.trigger_of(word) for word in pair)
    both = f"a {one} and a {two} in the garden"
    return {f"a {one} in the garden": (first,), f"a {two} in the garden": (second,), both: pair, NOBODY: (STAND_IN,)}


def score(image: Image.Image, wanted: tuple[str, ...]) -> float:
    """Give the share of things that are there, a subject in its colour."""
    sight = judge.look(image)
    return sum(sight.has(word, shelf.SUBJECTS.get(word)) for word in wanted) / len(wanted)


def _pair_jobs() -> dict[str, tuple[tuple[str, str], int]]:
    return {f"{' + '.join(pair)}, seed {seed}": (pair, seed) for pair in PAIRS for seed in range(PAIR_SEEDS)}


def _interference(job: tuple[tuple[str, str], int]) -> list[dict]:
    pair, seed = job
    pipe, wanted = catalog.load("text2img", "clay"), prompts_of(pair)
    both = {word: shelf.ready(word, pipe, "clay") for word in pair}

    def seen(image: Image.Image, prompt: str) -> float:
        return score(image, wanted[prompt])

    rows = personalize.interference(pipe, both, seen, list(wanted), [seed], **catalog.defaults("clay"))
    return [{"pair": " + ".join(pair), **row} for row in rows]


TABLES = {
    "personal": Table(
        "personal", MODELS, _jobs, _measure,
        {"colours": shelf.SUBJECTS, "knobs": {way: asdict(knobs_of(way)) for way in WAYS[1:]}, "stand in": STAND_IN,
         "seeds": [loras.SEEDS, SEEDS], **catalog.defaults("clay")},
        trains=True,
    ),
    "interference": Table(
        "interference", MODELS, _pair_jobs, _interference,
        {"pairs": [list(pair) for pair in PAIRS], "seeds": PAIR_SEEDS, "weight": 1.0,
         **catalog.defaults("clay")},
    ),
}  # fmt: skip
