"""Do the words look where they should? AUC of word maps against true masks on held-out scenes of two things."""

from __future__ import annotations

import itertools
import re

import numpy as np
import torch
from torch.nn import functional as F

from .. import attention
from ..clay.captions import CaptionMix
from ..clay.scenes import Scene
from ..clay.vocabulary import THINGS
from ..metrics import auc
from . import corpus, data

SIDE = 64


def scenes(count: int = 64) -> list[tuple[np.ndarray, np.ndarray, object]]:
    """Find held-out scenes of exactly two things whose caption names both once: (picture, instance map, caption)."""
    shard = data.read_shard(data.HELD_OUT, 0)
    pictures = shard.pictures()
    made = corpus.captions(data.HELD_OUT, 0, CaptionMix(only_one=0.0), variants=1)
    out = []
    for k, line in enumerate(shard.scenes):
        scene = Scene.from_json(line)
        if shows_two(scene) and len(nouns(made[k][0])) == 2:
            out.append((pictures[k], shard.instance[k], made[k][0]))
    return out[:count]


def shows_two(scene: Scene) -> bool:
    """Tell whether a scene shows exactly two things, whole and in clay."""
    return len(scene.things) == 2 and scene.framing == "full" and scene.style == "clay"


def nouns(caption) -> list[tuple[int, int, int]]:
    """Give the spans of the caption's two things, in the order named; none if something worn is named too."""
    spans = [s for s in caption.spans if caption.text[s[0] : s[1]] in THINGS]
    first = {}
    for start, end, instance in spans:
        first.setdefault(instance, (start, end, instance))
    return list(first.values()) if len(first) == len(spans) else []


def measure(pipe, steps: tuple[int, ...] = (200, 350, 500, 650, 800), count: int = 64) -> dict[tuple, float]:
    """Give the mean AUC by (layer, step, "first" or "last") on every cross-attention layer."""
    rows = {}
    for number, (picture, instance, caption) in enumerate(scenes(count)):
        noise = torch.Generator().manual_seed(number)
        maps = attention.of_picture(pipe, picture, caption.text, steps, resolutions=None, generator=noise)
        for order, (start, end, who) in zip(("first", "last"), nouns(caption), strict=True):
            word = caption.text[start:end]
            which = len(re.findall(rf"\b{word}\b", caption.text[:start]))  # two things may have one name
            for layer, (step, t) in itertools.product(maps.layers, enumerate(steps)):
                heat = _enlarged(maps.word(word, layer, step=step, which=which))
                rows.setdefault((layer, t, order), []).append(auc(heat, instance == who))
    return {k: float(np.mean(v)) for k, v in rows.items()}


def _enlarged(heat: torch.Tensor) -> np.ndarray:
    return F.interpolate(heat[None, None], (SIDE, SIDE), mode="bicubic")[0, 0].numpy()


def best(rows: dict[tuple, float]) -> tuple[str, int, float, float]:
    """Give the layer and step whose worse noun is best, and both nouns' AUC there."""
    keys = {k[:2] for k in rows}
    layer, t = max(keys, key=lambda k: min(rows[(*k, "first")], rows[(*k, "last")]))
    return layer, t, rows[(layer, t, "first")], rows[(layer, t, "last")]
