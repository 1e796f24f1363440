"""Tables of lesson 07: Attend-and-Excite on the paper's own 276 prompts, with parts of it changed, and its settings.

Each picture is made without and with it, from the same seed. Beside them a true render of the same prompt goes once
through the autoencoder: what the judge says of that is its own error, and where its bars come from (`counting`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np

from ... import catalog, clay, editing, excite, judge
from ...excite import AttendExciteConfig
from ...judge import network
from .. import exam
from ..shipped import PAINTED_BY
from .making import Table

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL import Image

MODELS = (*PAINTED_BY, "clay-base/encoder", "clay-judge")
SAMPLER = "ddim"
WITHOUT, WITH, TRUE = "without", "with", "truth"
SEEDS, EVERY = 4, 4  # seeds a prompt; parts are changed on every fourth prompt
# The settings are chosen on other seeds than the audit's.
CHOICE_SEEDS, CHOICE_EVERY = (100, 101), 12
SCALES, SHARPNESS = (1.0, 2.5, 5.0, 10.0, 20.0), (10.0, 30.0, 100.0)

BLOCK = 8  # pictures a job, made at once

Ways = Mapping[str, AttendExciteConfig | None]  # None: without the exciter
Trial = tuple[exam.Ask, int]  # a prompt and a seed


def changed(config: AttendExciteConfig) -> dict[str, AttendExciteConfig]:
    """Give settings in which one part is left out, halved or doubled; refinement is added where there is none."""
    half = config.alter_share / 2
    early = tuple(threshold for threshold in config.thresholds if threshold[0] < half)
    if config.thresholds:
        other = {"no refinement": replace(config, thresholds=())}
    else:
        other = {"with refinement": replace(config, thresholds=AttendExciteConfig().thresholds)}
    return {
        "no smoothing": replace(config, sigma=0.0),
        **other,
        "half the steps": replace(config, alter_share=half, thresholds=early),
        "twice the scale": replace(config, scale_factor=2 * config.scale_factor),
    }


def choices() -> dict[str, AttendExciteConfig]:
    """Give the settings that are tried to find the clay lane's: the paper's, unrefined, at other scales."""
    plain = replace(AttendExciteConfig(), thresholds=())
    return {
        f"scale {scale:g}, sharpness {sharpness:g}": replace(plain, scale_factor=scale, sharpness=sharpness)
        for sharpness in SHARPNESS
        for scale in SCALES
    }


def asks(every: int = 1) -> list[exam.Ask]:
    """List the paper's prompts, or every `every`-th of them: what each asks for, and its category."""
    return [ask for ask, _ in exam.pairs(seeds=1)][::every]


def paint(
    pipe: DiffusionPipeline, trials: Sequence[Trial], config: AttendExciteConfig | None
) -> tuple[list, list[list[float]]]:
    """Make a picture for each trial, its two things excited unless `config` is None; give them and their losses."""
    import torch

    words = [[word for word, _ in ask.wanted] for ask, _ in trials]
    with excite.exciting(pipe, words, config) if config else nullcontext() as log:
        noise = [torch.Generator().manual_seed(seed) for _, seed in trials]
        images = pipe([ask.prompt for ask, _ in trials], generator=noise, **catalog.defaults("clay")).images
    return images, [log.losses(k) if log else [] for k in range(len(trials))]


def judged(ask: exam.Ask, seed: int, image: Image.Image | np.ndarray) -> dict:
    """Say what the judge finds in a picture: the columns of a row that need nothing but the picture.

    Returns:
        What `exam.row` gives, and `extra`: what nobody asked for; `mixing`: how far the two things are said of the
        same pixels, 0-1; `held`: how much of the second one's outline borders on the first, 0-1, None unless both
        are there and the one was asked for *with* the other.
    """
    pixels = np.asarray(image)
    row = exam.row(ask, seed, pixels)
    first, second = words = [word for word, _ in ask.wanted]
    probabilities = _probabilities(pixels)
    held = bordering(probabilities.argmax(0), first, second) if f"{first} with " in ask.prompt else None
    mixing = shared(*(probabilities[network.label_of(word)] for word in words))
    extra = [word for word in row["found"] if word not in words]
    return row | {"extra": extra, "mixing": mixing, "held": held if all(row["present"]) else None}


def _probabilities(pixels: np.ndarray) -> np.ndarray:
    """Give the judge's probability of each label for each second pixel that it sees: [label, height, width]."""
    import torch

    with torch.inference_mode():
        logits, _, _ = judge.load().model(network.prepare(network.shrink(pixels)[None]))
    return logits[0].softmax(0).numpy()


def shared(first: np.ndarray, second: np.ndarray) -> float:
    """Give how far two things are said of the same pixels: their common probability over that of either, 0-1.

    Only pixels count of which the one or the other is likely, together more than not: 0 where there are none.
    """
    either = first + second > 0.5
    common, any_of_both = np.minimum(first, second)[either], np.maximum(first, second)[either]
    return round(float(common.sum() / max(any_of_both.sum(), 1e-9)), 4)


def bordering(label: np.ndarray, first: str, second: str) -> float | None:
    """Give the share of one thing's outline behind which the other begins; None where there is no outline.

    Args:
        label: of each pixel, as the judge's network numbers the things, [height, width].
        first, second: words; the outline is that of the second.
    """
    import cv2

    mask = (label == network.label_of(second)).astype(np.uint8)
    around = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > mask
    return round(float((label[around] == network.label_of(first)).mean()), 4) if around.any() else None


def measure(job: tuple[Sequence[Trial], Ways]) -> list[dict]:
    """Make and judge the pictures of some prompts and seeds: a row for each way and trial."""
    trials, ways = job
    pipe = catalog.with_scheduler(catalog.load("text2img", "clay"), SAMPLER)
    return [row for way, config in ways.items() for row in _rows(pipe, trials, way, config)]


def _rows(pipe: DiffusionPipeline, trials: Sequence[Trial], way: str, config: AttendExciteConfig | None) -> list[dict]:
    began = time.perf_counter()
    if way == TRUE:
        images, losses = [_true(pipe, ask, seed) for ask, seed in trials], [[] for _ in trials]
    else:
        images, losses = paint(pipe, trials, config)
    seconds = None if way == TRUE else round((time.perf_counter() - began) / len(trials), 3)
    return [
        judged(ask, seed, image) | {"way": way, "losses": [round(loss, 4) for loss in curve], "seconds": seconds}
        for (ask, seed), image, curve in zip(trials, images, losses, strict=True)
    ]


def _true(pipe: DiffusionPipeline, ask: exam.Ask, seed: int) -> Image.Image:
    """Render what the prompt says, and carry it through the autoencoder and back."""
    from PIL import Image

    size = catalog.defaults("clay")
    render = clay.render(clay.scene(seed, words=ask.prompt), size["height"], size["width"])
    return editing.decode(pipe, editing.encode(pipe, Image.fromarray(render.image)))


def _table(name: str, ways: Ways, seeds: tuple[int, ...], every: int = 1) -> Table:
    def jobs() -> dict[str, tuple[list[Trial], Ways]]:
        trials = [(ask, seed) for ask in asks(every) for seed in seeds]
        return {f"from {at}": (trials[at : at + BLOCK], ways) for at in range(0, len(trials), BLOCK)}

    configs = {way: asdict(config) for way, config in ways.items() if config}
    settings = {"seeds": list(seeds), "every": every, "scheduler": SAMPLER}
    return Table(name, MODELS, jobs, measure, settings | {"knobs": configs})


TABLES = {
    "excite_knobs": _table("excite_knobs", {WITHOUT: None, **choices()}, CHOICE_SEEDS, CHOICE_EVERY),
    "excite": _table(
        "excite", {TRUE: None, WITHOUT: None, WITH: AttendExciteConfig.for_lane("clay")}, tuple(range(SEEDS))
    ),
    "excite_parts": _table("excite_parts", changed(AttendExciteConfig.for_lane("clay")), tuple(range(SEEDS)), EVERY),
}
