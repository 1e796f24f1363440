"""Held-out scenes as trials: how far a picture obeys a control, between no control and the best possible."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ... import adherence, catalog, metrics
from ...controls import reader
from ...controls.edges import canny, outlines, straight_lines
from ..control_maps import draw_lines
from . import corpus, data, depth_estimator, maps
from .judge_truth import trip
from .reader_lessons import unit

SCENES, BATCH = 64, 16
TELLING = {"openpose": ("bodies", "hands"), "mlsd": ("lines",)}  # kinds whose map is black without these


@dataclass(frozen=True)
class Trial:
    """A held-out scene: its number, which is also the seed, its facts and its first caption."""

    number: int
    facts: maps.Facts
    prompt: str


def telling(kind: str, shard: maps.Shard) -> np.ndarray:
    """Tell which scenes of a shard give a map of this kind that is not black: bool [scene]."""
    return np.any([shard.seen(name) for name in TELLING.get(kind, ())] or [np.ones(len(shard), bool)], axis=0)


def choose(kind: str) -> list[Trial]:
    """Choose the first ``SCENES`` held-out scenes that a kind of control has something to say about."""
    shard, said = maps.read(data.HELD_OUT, 0), corpus.captions(data.HELD_OUT, 0, variants=1)
    return [Trial(int(k), shard[k], said[k][0].text) for k in np.flatnonzero(telling(kind, shard))[:SCENES]]


def generate(pipe, chosen: Sequence[Trial], **given: Sequence) -> list[np.ndarray]:
    """Generate a picture for each trial: uint8 [height, width, 3]; ``given`` has more arguments, one value a trial."""
    out = []
    settings = {name: value for name, value in catalog.defaults("clay").items() if name not in ("height", "width")}
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
        One row a trial: what was asked, and ``reached``, ``floor``, ``ceiling`` as ``obeys`` gives them.
    """
    pictures = np.stack([trial.facts.picture for trial in chosen])
    sides = {"reached": obeying, "floor": generate(base, chosen),
             "ceiling": trip(base.vae, pictures, np.random.default_rng(0), noise=0.0)}  # fmt: skip
    return [
        {"control": kind, "scene": trial.number, "prompt": trial.prompt}
        | {side: round(obeys(kind, trial.facts, made[k]), 4) for side, made in sides.items()}
        for k, trial in enumerate(chosen)
    ]


def obeys(kind: str, facts: maps.Facts, picture: np.ndarray) -> float:
    """Say how far a picture uint8 [height, width, 3] is what a control asked for: ``MEASURES``; nan if for nothing."""
    return _OBEYS[kind](facts, picture)


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
    return "\n".join([f"| {MEASURES[rows[0]['control']]}, {len(rows)} held-out scenes | |", "|---|---|", *lines])


def keep(rows: list[dict], folder: Path) -> None:
    """Keep the raw rows beside a card."""
    (folder / "adherence.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _canny(facts: maps.Facts, picture: np.ndarray) -> float:
    return adherence.edge_f1(canny(facts.picture), canny(picture))


def _mlsd(facts: maps.Facts, picture: np.ndarray) -> float:
    drawn = (draw_lines(lines, *facts.klass.shape) for lines in (facts.lines, straight_lines(picture)))
    return adherence.line_f1(*(np.asarray(one)[..., 0] > 0 for one in drawn))


def _scribble(facts: maps.Facts, picture: np.ndarray) -> float:
    return adherence.edge_f1(facts.stroke > 0, outlines(picture))


def _openpose(facts: maps.Facts, picture: np.ndarray) -> float:
    read = _read(picture)
    shares = [adherence.pck(facts.bodies, read.body), adherence.pck(facts.hands, read.hands)]
    return float(np.mean([share for share in shares if not np.isnan(share)] or [np.nan]))


def _seg(facts: maps.Facts, picture: np.ndarray) -> float:
    return adherence.seg_miou(facts.klass, _read(picture).seg)


def _depth(facts: maps.Facts, picture: np.ndarray) -> float:
    return adherence.depth_rank(facts.near, depth_estimator.estimate(picture))


def _normal(facts: maps.Facts, picture: np.ndarray) -> float:
    return adherence.normal_share(unit(facts.normal), _read(picture).normal)


def _read(picture: np.ndarray) -> reader.Reading:
    return reader.load(data.SHIPPED.parent / "clay-reader").read(Image.fromarray(picture))


_OBEYS: dict[str, Callable[[maps.Facts, np.ndarray], float]] = {
    "canny": _canny, "mlsd": _mlsd, "scribble": _scribble, "openpose": _openpose, "seg": _seg, "depth": _depth,
    "normal": _normal,
}  # fmt: skip
MEASURES = {
    "canny": "F1 of edges, 2 pixels off allowed", "mlsd": "F1 of drawn lines, 2 pixels off allowed",
    "scribble": "F1 of outlines, 2 pixels off allowed", "openpose": "PCK@0.1 of joints, by the reader",
    "seg": "mIoU, by the reader", "depth": "rank correlation, by the depth estimator",
    "normal": "share of normals within 22.5 degrees, by the reader",
}  # fmt: skip
