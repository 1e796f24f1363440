"""Lesson 06: how well word maps cover the things, by layer, noise step and threshold.

The pictures are renders of the held-out world, whose outlines are known, noised and looked at once for each step.
The first half of the captions is there to choose by, the second to measure on.
"""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np

from ..shipped import TRAINED_ON
from .making import Table

if TYPE_CHECKING:
    import torch

    from ...clay.captions import Caption
    from ...clay.scenes import Scene

CAPTIONS = 64  # of each half
HALVES = ("choose", "measure")
TIMESTEPS = (50, 200, 350, 500, 650, 800)
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
MEANS = ("up_blocks.2",)  # layers that are read together, beside each alone
GRIDS = (16, 8)  # sides of a map that a perfect model is asked for
SEED = 6  # of the captions


def jobs() -> dict[str, tuple[str, int]]:
    """Find the first held-out scenes of two things whose captions name both: the half, and the scene's number."""
    found = islice((index for index in count() if trial(index)), len(HALVES) * CAPTIONS)
    return {str(index): (HALVES[number // CAPTIONS], index) for number, index in enumerate(found)}


def trial(index: int) -> tuple[Scene, Caption] | None:
    """Give a held-out scene and its caption, or None if it does not name two things, each once."""
    from ...clay.captions import CaptionMix, caption
    from .. import data, word_maps

    scene = data.scene_of(data.HELD_OUT, index)
    if not word_maps.shows_two(scene):
        return None
    described = caption(scene, np.random.default_rng([SEED, index]), CaptionMix(only_one=0.0))
    return (scene, described) if len(word_maps.nouns(described)) == 2 else None


def measure(job: tuple[str, int]) -> list[dict]:
    """Score the maps of both nouns of a caption."""
    import torch

    from ... import attention, catalog, clay
    from .. import word_maps

    half, index = job
    scene, described = trial(index)
    render, generator, rows = clay.render(scene), torch.Generator().manual_seed(index), []
    pipe = catalog.load("text2img", lane="clay")
    maps = attention.of_picture(pipe, render.image, described.text, TIMESTEPS, resolutions=None, generator=generator)
    for order, (start, end, instance) in zip(("first", "last"), word_maps.nouns(described), strict=True):
        word, mask = described.text[start:end], render.instance == instance
        about = {"half": half, "scene": index, "order": order, "word": word, "share": round(float(mask.mean()), 4)}
        for layer in (*maps.layers, *MEANS):
            for step, timestep in ((None, None), *enumerate(TIMESTEPS)):
                heat = maps.word(word, layer, step=step)
                rows.append(about | {"layer": layer, "timestep": timestep, "iou": overlaps(heat, mask)})
        for side in GRIDS:
            heat = attention.coverage_map(mask, (side, side))
            rows.append(about | {"layer": f"perfect {side}", "timestep": None, "iou": overlaps(heat, mask)})
    return rows


def overlaps(heat: torch.Tensor, mask: np.ndarray) -> list[float]:
    """Give the IoU of a map's region and the true one, at each of `THRESHOLDS`."""
    from ... import attention, metrics

    large = attention.enlarged(heat, *mask.shape)
    return [round(metrics.iou(mask, attention.region(large, level)), 4) for level in THRESHOLDS]


TABLES = {
    "word_maps": Table(
        "word_maps",
        (*TRAINED_ON, "clay-base/noise"),
        jobs,
        measure,
        {"captions": CAPTIONS, "timesteps": list(TIMESTEPS), "thresholds": list(THRESHOLDS), "seed": SEED},
        defaults={},  # nothing is painted
    )
}
