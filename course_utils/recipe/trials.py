"""Held-out scenes as trials: how far a picture obeys a control, between no control and the best possible."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .. import adherence, catalog, controls, editing, metrics
from ..clay.render import render
from ..clay.view import Render
from ..controls import annotators
from . import corpus, data, dependents, maps

SCENES, BATCH = 64, 16
KEPT = 32  # renders that are kept: several kinds of control look at the same scenes
TELLING = {"openpose": ("bodies", "hands"), "mlsd": ("lines",)}  # kinds whose map is black without these


@dataclass(frozen=True)
class Trial:
    """A held-out scene: its number, which is also the seed, its render and its first caption."""

    number: int
    made: Render
    prompt: str

    @staticmethod
    @lru_cache(maxsize=KEPT)
    def of(number: int) -> Trial:
        """Render the scene of a number: a third of a second, and no shard is needed."""
        scene = data.scene_of(data.HELD_OUT, number)
        (caption,) = corpus.captions_of(scene, data.HELD_OUT, number, variants=1)
        return Trial(number, render(scene), caption.text)


def telling(kind: str, shard: maps.MapShard) -> np.ndarray:
    """Tell which scenes of a shard give a map of this kind that is not black: bool [scene]."""
    return np.any([shard.seen(name) for name in TELLING.get(kind, ())] or [np.ones(len(shard), bool)], axis=0)


def choose(*kinds: str, count: int | None = None) -> list[Trial]:
    """Choose the first ``SCENES`` held-out scenes that each of these kinds of control has something to say about."""
    trials = (
        trial
        for trial in map(Trial.of, range(data.SHARD))
        if all(controls.from_truth(trial.made, kind).getbbox() for kind in kinds)
    )
    return list(islice(trials, count or SCENES))


def generate(pipe, chosen: Sequence[Trial], how: dict | None = None, **given: Sequence) -> list[np.ndarray]:
    """Generate a picture for each trial: uint8 [height, width, 3].

    Args:
        pipe: of any kind.
        chosen: the trials; their numbers are the seeds.
        how: more arguments, the same for all.
        given: more arguments, one value a trial.
    """
    out = []
    settings = {name: value for name, value in catalog.defaults("clay").items() if name not in ("height", "width")}
    settings |= how or {}
    for start in range(0, len(chosen), BATCH):
        rows = slice(start, start + BATCH)
        noise = [torch.Generator().manual_seed(trial.number) for trial in chosen[rows]]
        more = settings | {name: values[rows] for name, values in given.items()}
        images = pipe([trial.prompt for trial in chosen[rows]], generator=noise, output_type="np", **more).images
        out.extend((images * 255).round().astype(np.uint8))
    return out


def measure(kind: str, chosen: Sequence[Trial], obeying: list[np.ndarray], base) -> list[dict]:
    """Measure pictures made under a control beside the floor and the ceiling.

    Args:
        kind: of ``catalog.CONTROLS``.
        chosen: the trials.
        obeying: a picture for each.
        base: the pipeline without control; its autoencoder sets the ceiling.

    Returns:
        One row a trial: what was asked, and ``reached``, ``floor``, ``ceiling`` as ``controls.adherence_of`` gives
        them, None where nothing was asked for.
    """
    sides = {"reached": obeying, "floor": generate(base, chosen), "ceiling": tripped(base, chosen)}
    return [
        {"control": kind, "scene": trial.number, "prompt": trial.prompt}
        | {side: plain(controls.adherence_of(kind, trial.made, made[k])) for side, made in sides.items()}
        for k, trial in enumerate(chosen)
    ]


def tripped(base, chosen: Sequence[Trial]) -> list[Image.Image]:
    """Carry the true renders through the autoencoder and back: about the best that this family can paint."""
    return [editing.decode(base, editing.encode(base, Image.fromarray(trial.made.image))) for trial in chosen]


def plain(value: float) -> float | None:
    """Round a measure for a row: JSON has no nan."""
    return None if math.isnan(value) else round(value, 4)


def just_trained() -> None:
    """Measure with the networks as they lie in their folders, whatever the list of assets says of them yet."""
    annotators.release()
    folder = dependents.folder_of("depth")
    if (folder / "depth_estimator").exists():
        parts = folder / "depth_estimator", folder / "feature_extractor"
        annotators.kept("depth clay", partial(annotators.pair, "DepthEstimation", *parts))


def table(rows: list[dict]) -> str:
    """Sum rows up as Markdown."""
    columns = {side: np.array([row[side] for row in rows], float) for side in ("floor", "reached", "ceiling")}
    names = {"floor": "without control (floor)", "reached": "with it",
             "ceiling": "the true render after one trip through the autoencoder (ceiling)"}  # fmt: skip
    lines = [f"| {names[side]} | {metrics.mean(c[~np.isnan(c)])} |" for side, c in columns.items()]
    try:
        reached = str(adherence.score(columns["reached"], columns["floor"], columns["ceiling"]))
    except ValueError as error:
        reached = f"none: {error}"
    lines.append(f"| **score** = (with - floor) / (ceiling - floor) | **{reached}** |")
    head = f"| {controls.KINDS[rows[0]['control']].measure}, {len(rows)} held-out scenes | |"
    return "\n".join([head, "|---|---|", *lines])


def keep(rows: list[dict], folder: Path) -> None:
    """Keep the raw rows beside a card."""
    (folder / "adherence.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
