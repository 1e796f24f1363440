"""Stage ``loras``: the LoRAs of lesson 08 on the frozen base, as `personalize.pretrained` says, and their card."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

from tqdm import tqdm

from .. import metrics, personalize
from ..clay import vocabulary as words
from ..clay.captions import PLACE_WORDS
from ..personalize import pretrained
from . import dependents, exam, reptile
from .shipped import TRAINED_ON

SEEDS = 16
CARD = """# clay-loras

Small changes of clay-base, one file each, in the format of `pipe.load_lora_weights`;
`personalize.pretrained.load("robot", pipe)` reads one. Robot, dragon, teapot: one shape in one colour, from five
pictures. Pencil, anime: a style, from five pictures. A start: where a few steps on its class begin, learned from all
shapes of the other two; it has not met the class that it is named after.

Trained on these parts of the base (SHA-256):

{base}

Made by `python -m course_utils.recipe loras`. Licence: CC BY 4.0.

| file | trigger | rank | steps | bytes of tensors | change beside the weights, median of the layers | subject found |
|---|---|---|---|---|---|---|
{table}

Subject found: in so many of {seeds} pictures, "a", the trigger and a place asked for, the judge sees the thing in its
colour; 95 % interval; raw rows in `found.jsonl`. Styles are not judged. A start counts rounds as steps.
"""


def train(minutes: float) -> None:
    """Learn what is missing, or go on; when all are there, write the card."""
    end, pipe = time.monotonic() + 60 * minutes, dependents.frozen_base()
    for name in pretrained.NAMES:
        if _there(name, pipe):
            continue
        with tqdm(desc=name, unit="step") as bar:

            def watch(progress: personalize.Progress, bar: tqdm = bar) -> None:
                bar.total = progress.steps
                bar.update(progress.step - bar.n)
                if time.monotonic() > end:
                    progress.stop()

            lora = learn(name, pipe, watch)
        if lora.about.steps < config_of(name).max_train_steps:
            return  # its checkpoint stays in the user's cache
        lora.save(pretrained.path_of(name, pipe, "clay"))
    card()


def config_of(name: str) -> personalize.LoraTrainingConfig:
    """Give how a LoRA is learned; a start by Reptile."""
    return reptile.CONFIG if name in pretrained.STARTS else pretrained.config_of("clay")


def learn(name: str, pipe, watch: Callable) -> personalize.Lora:
    """Learn one of the lessons' LoRAs."""
    if name not in pretrained.STARTS:
        return pretrained.train(name, pipe, "clay", watch)
    config = config_of(name)
    subjects = reptile.domain(name.removeprefix("start-"), config.height, config.width)
    return reptile.good_start(pipe, subjects, pretrained.RARE, config, watch)


def _there(name: str, pipe) -> bool:
    """Tell whether a LoRA ships that was learned on this base."""
    try:
        return bool(personalize.read(pretrained.path_of(name, pipe, "clay"), pipe))
    except (FileNotFoundError, ValueError):
        return False


def card() -> list[dict]:
    """Measure what ships and write its card; give the rows."""
    pipe, rows, lines = dependents.frozen_base(), [], []
    for name in pretrained.NAMES:
        lora, seen = personalize.read(pretrained.path_of(name, pipe, "clay"), pipe), "-"
        if name in pretrained.SUBJECTS:
            subject_rows = found(pipe, lora, name)
            rows += subject_rows
            seen = str(metrics.rate([row["hit"] for row in subject_rows]))
        change = statistics.median(personalize.norm(pipe, lora).values())
        about = f"{lora.about.trigger} | {lora.about.rank} | {lora.about.steps} | {lora.bytes:,}"
        lines.append(f"| {name} | {about} | {change:.3f} | {seen} |")
    folder = pretrained.path_of(pretrained.NAMES[0], pipe, "clay").parent
    (folder / "found.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    base = dependents.lines(TRAINED_ON)
    (folder / "README.md").write_text(CARD.format(base=base, table="\n".join(lines), seeds=SEEDS))
    return rows


def asks(word: str, named: str) -> list[tuple[exam.Ask, int]]:
    """Ask for a subject in all places, `SEEDS` pictures.

    Args:
        word: a held-out thing.
        named: the words that shall mean it, such as "sks robot".
    """
    wanted = ((word, pretrained.SUBJECTS[word]),)
    places = [PLACE_WORDS[place][0] for place in words.PLACES]
    return [(exam.Ask(f"a {named} {places[seed % len(places)]}", wanted, "subject"), seed) for seed in range(SEEDS)]


def found(pipe, lora: personalize.Lora, word: str) -> list[dict]:
    """Paint a subject with its LoRA, and judge each picture: a row each."""
    with personalize.attached(pipe, lora):
        return judged(pipe, asks(word, lora.about.trigger))


def judged(pipe, jobs: list[tuple[exam.Ask, int]]) -> list[dict]:
    """Paint and judge; a row each, whose ``hit`` says whether all is there that was wanted, in its colour."""
    images = exam.pictures(pipe, [ask.prompt for ask, _ in jobs], [seed for _, seed in jobs])
    return [row_of(ask, seed, image) for (ask, seed), image in zip(jobs, images, strict=True)]


def row_of(ask: exam.Ask, seed: int, image) -> dict:
    """Judge one picture."""
    row = exam.row(ask, seed, image)
    hit = all(there and right is not False for there, right in zip(row["present"], row["colour"], strict=True))
    return {"prompt": ask.prompt, "seed": seed, "hit": hit, "found": row["found"]}
