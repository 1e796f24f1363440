"""The judge's bars and its card: what it must be sure of, and how often it errs on renders it never saw."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from .. import metrics
from ..clay import vocabulary as words
from ..judge import Detections, Trained, candidates, classify, load, look
from ..judge.network import COLOURS, LABELLED, Judge, label_of
from . import autoencoder, data, dependents, eye
from .judge_truth import UNKNOWN, Kept, Truth, join, least, there, trip
from .shipped import AUTOENCODER

SHARES = (0.25, 0.5, 0.75, 1.0)  # bars tried for the share, in parts of the least that counts
SURE = np.arange(0.30, 0.96, 0.05)  # bars tried for the confidence
PULL = 0.1  # loss of F1 that a bar must be worth for each 1.0 of confidence away from the common one
RATES = {"colour": "colour right", "fingers": "fingers right", "invented": "fingers told where no hand is"}
PICTURES = 500  # spoiled pictures among those that set the bars


def set_bars(model: Judge, kept: Kept, batches) -> dict[str, tuple[float, float]]:
    """Choose for each word the share and confidence that give the best F1 on reserved and on spoiled pictures."""
    drawn = [batches.example() for _ in range(PICTURES)]
    pictures = [*kept.picture, *kept.trip, *(s.picture for s in drawn)]
    labels = [*kept.label, *(kept.label if len(kept.trip) else ()), *(s.label for s in drawn)]
    truth = np.stack([there(label) for label in labels])
    share, sure = np.zeros(truth.shape), np.zeros(truth.shape)
    for row, picture in enumerate(pictures):
        for thing in candidates(classify(model, picture)):
            column = label_of(thing.word) - 1
            share[row, column], sure[row, column] = thing.share, thing.confidence
    scores = np.stack([_scores(truth[:, k], share[:, k] / least(w), sure[:, k]) for k, w in enumerate(LABELLED)])
    common = SURE[np.nanmean(scores, axis=(0, 1)).argmax()]
    pulled = np.nan_to_num(scores) - PULL * abs(SURE - common) - 0.01 * abs(np.array(SHARES) - 0.5)[:, None]
    best = [np.unravel_index(p.argmax(), p.shape) for p in pulled]
    return {w: (SHARES[i] * least(w), round(float(SURE[j]), 2)) for w, (i, j) in zip(LABELLED, best, strict=True)}


def _scores(truth: np.ndarray, share: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """Give the F1 of one word for each pair of bars [SHARES, SURE]; nan if the word never occurs."""
    clear = truth >= 0
    truth, share, sure = truth[clear] == 1, share[clear], sure[clear]
    found = (share >= np.reshape(SHARES, (-1, 1, 1))) & (sure >= SURE[:, None])
    if not truth.any():
        return np.full(found.shape[:2], np.nan)
    return 2 * (found & truth).sum(-1) / (truth.sum() + found.sum(-1))


def save(model: Judge, bars: dict[str, tuple[float, float]], folder: Path) -> None:
    """Write ``model.safetensors`` in half precision and ``config.json``."""
    dependents.uncarded(folder).mkdir(parents=True, exist_ok=True)
    state = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    save_file({k: v.contiguous() for k, v in state.items()}, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)  # safetensors are written for their owner alone
    config = {"things": words.THINGS, "colours": COLOURS, "bars": bars}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    load.cache_clear()


def measure(judge: Trained, truth: Truth, pictures: np.ndarray) -> dict:
    """Hold what the judge says of pictures [n, 256, 256, 3] against the truth.

    Returns:
        ``pictures`` (how many), ``f1`` and ``count`` by word, ``colour`` (bools, for each thing there and found),
        ``fingers`` (bools, for each hand that can be counted) and ``invented`` (bools: fingers reported where no hand
        is raised).
    """
    sights = [look(picture, judge) for picture in pictures]
    shown = np.stack([there(label) for label in truth.label])
    found = np.array([[sight.get(word) is not None for word in words.THINGS] for sight in sights])
    columns = {}
    for k, word in enumerate(words.THINGS):
        of_word = shown[:, label_of(word) - 1]
        columns[word] = (of_word[of_word >= 0] == 1, found[of_word >= 0, k])
    maps = zip(sights, truth.label, truth.colour, strict=True)
    return {
        "pictures": len(pictures),
        "f1": {word: metrics.f1(*pair) for word, pair in columns.items()},
        "count": {word: int(shown.sum()) for word, (shown, _) in columns.items()},
        "colour": [right for one in maps for right in _colours(*one)],
        "fingers": [s.fingers == n for s, n in zip(sights, truth.fingers, strict=True) if n >= 0],
        "invented": [s.fingers is not None for s, n in zip(sights, truth.fingers, strict=True) if n == -1],
    }


def _colours(sight: Detections, label: np.ndarray, colour: np.ndarray) -> list[bool]:
    right, shown = [], there(label)
    for seen in sight.things:
        number = label_of(seen.word)
        true = np.unique(colour[label == number])
        if shown[number - 1] == 1 and len(true) == 1 and true[0] != UNKNOWN:
            right.append(seen.colour == COLOURS[true[0]])
    return right


def write(folder: Path, wide: int, scenes: int) -> None:
    """Measure on the held-out world and on the judge's own shard ``wide``; write the figures and the card."""
    judge = load(folder)
    shards = [data.read_shard(data.HELD_OUT, n) for n in data.shards(data.HELD_OUT)[:2]]
    truth = join([Truth.of(shard) for shard in shards])
    pictures = np.concatenate([shard.pictures() for shard in shards])
    decoded = trip(autoencoder.trained(), pictures, np.random.default_rng(0), noise=0.0)
    columns = {"renders": measure(judge, truth, pictures), "after the autoencoder": measure(judge, truth, decoded)}
    if wide in data.shards(data.JUDGE):
        own = data.read_shard(data.JUDGE, wide)
        columns["with held-out things and styles"] = measure(judge, Truth.of(own), own.pictures())
    text = card(columns, judge, scenes, folder)
    if eye.LABELS.exists():
        text += EYE.format(table=eye.table(eye.measure(judge)))
    (folder / "README.md").write_text(text)


def card(columns: dict[str, dict], judge: Trained, scenes: int, folder: Path) -> str:
    """Write the model card."""
    heads = list(columns)
    lines = {"pictures": [str(m["pictures"]) for m in columns.values()]}
    lines["things, mean F1"] = [f"{mean_f1(m):.3f}" for m in columns.values()]
    for key, name in RATES.items():
        lines[name] = [str(metrics.rate(m[key])) if m[key] else "-" for m in columns.values()]
    table = [f"| {' | '.join(['', *heads])} |", f"|{'---|' * (len(heads) + 1)}"]
    table += [f"| {' | '.join([name, *row])} |" for name, row in lines.items()]
    each = [f"| {w} | {' | '.join(_cell(m, w) for m in columns.values())} |" for w in words.THINGS]
    parameters = sum(p.numel() for p in judge.model.parameters()) / 1e6
    return CARD.format(
        base=dependents.lines(AUTOENCODER, trained=folder), parameters=parameters, scenes=scenes,
        size=(folder / "model.safetensors").stat().st_size / 1e6,
        table="\n".join(table), heads=" | ".join(heads), rule="---|" * (len(heads) + 1), each="\n".join(each),
    )  # fmt: skip


def mean_f1(measured: dict, least_count: int = 3) -> float:
    """Average the F1 of the words that occur often enough to be measured."""
    common = [measured["f1"][word] for word, count in measured["count"].items() if count >= least_count]
    return float(np.mean(common)) if common else math.nan


def _cell(measured: dict, word: str) -> str:
    count = measured["count"][word]
    return f"{measured['f1'][word]:.3f} of {count}" if count else "-"


CARD = """# clay-judge

Says which things of the clay world a picture shows, how large, in what colour, and how many fingers a hand shows:
`course_utils.judge.look(picture)`. It measures; no model of the course was trained on what it says.

A U of residual convolutions, {parameters:.1f} M parameters, {size:.1f} MB in half precision. The network sees the
picture at 256 pixels and labels it in cells of 4 x 4; a raised hand is cut out of the full picture and looked at
again. Licence: CC BY 4.0.

Made by `python -m course_utils.recipe judge` from {scenes} scenes of a world of its own (seed 3): renders and
their trips through the autoencoder with noise in the latents, blurred, noisy, JPEG; things pasted into other
pictures; fragments, shuffled, stirred and averaged things, which count as nothing. It never saw a generated picture.
What a painting shows counts as painting only. A thing counts as there from 0.4 % of the picture's pixels on, a
wearable from 0.15 %; smaller ones are counted neither way.

The autoencoder of these trips (SHA-256):

{base}

## Measured

Renders of the held-out world (seed 2), and of the judge's own world a part that it never saw; intervals 95 %.

{table}

F1 by thing, of so many pictures that show it:

| thing | {heads} |
|{rule}
{each}
"""

EYE = """
## Agreement with the eye

Pictures that the base generated, labelled one by one by an AI viewer that saw neither their prompts nor what the
judge says of them (`assets/data/eye_labels.tsv`):

| question | answers | same answer |
|---|---|---|
{table}
"""
