"""Do the words look where they should? AUC of word maps against true masks on held-out scenes of two things."""

from __future__ import annotations

import numpy as np
import torch
from diffusers import DDPMScheduler
from torch.nn import functional as F

from ...metrics import auc
from ..captions import Says
from ..scenes import Scene
from ..vocabulary import THINGS
from . import base, corpus, data
from .autoencoder import prepare

SIDE = 64


def scenes(count: int = 64) -> list[tuple[np.ndarray, np.ndarray, object]]:
    """Find held-out scenes of exactly two things whose caption names both once: (picture, instance map, caption)."""
    shard = data.read_shard(data.HELD_OUT, 0)
    pictures = shard.pictures()
    made = corpus.captions(data.HELD_OUT, 0, Says(only_one=0.0), variants=1)
    out = []
    for k, line in enumerate(shard.scenes):
        scene = Scene.from_json(line)
        plain = len(scene.things) == 2 and scene.framing == "full" and scene.style == "clay"
        if plain and len(nouns(made[k][0])) == 2:
            out.append((pictures[k], shard.instance[k], made[k][0]))
    return out[:count]


def nouns(caption) -> list[tuple[int, int, int]]:
    """Give the spans of the caption's two things, in the order named; none if something worn is named too."""
    spans = [s for s in caption.spans if caption.text[s[0] : s[1]] in THINGS]
    first = {}
    for start, end, instance in spans:
        first.setdefault(instance, (start, end, instance))
    return list(first.values()) if len(first) == len(spans) else []


@torch.inference_mode()
def measure(pipe, steps: tuple[int, ...] = (200, 350, 500, 650, 800), count: int = 64) -> dict[tuple, float]:
    """Give the mean AUC by (layer, step, "first" or "last") with recorders on every cross-attention layer."""
    recorders = {n: base.Recorder() for n in pipe.unet.attn_processors if "attn2" in n}
    kept = pipe.unet.attn_processors
    pipe.unet.set_attn_processor({n: recorders.get(n, p) for n, p in kept.items()})
    schedule, rows = DDPMScheduler(**base.SCHEDULE), {}
    try:
        for number, (picture, instance, said) in enumerate(scenes(count)):
            z = pipe.vae.encode(prepare(picture[None])).latents
            ids, owners = corpus.encode(pipe.tokenizer, [said])
            hidden = pipe.text_encoder(torch.from_numpy(ids).long()).last_hidden_state
            noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(number))
            for t in steps:
                pipe.unet(schedule.add_noise(z, noise, torch.tensor([t])), torch.tensor([t]), hidden)
                for name, recorder in recorders.items():
                    for order, (_, _, who) in zip(("first", "last"), nouns(said), strict=True):
                        token = _noun_token(pipe.tokenizer, ids[0], owners[0], who)
                        heat = _heat(recorder.kept, token)
                        rows.setdefault((name, t, order), []).append(auc(heat.ravel(), (instance == who).ravel()))
    finally:
        pipe.unet.set_attn_processor(kept)
    return {k: float(np.mean(v)) for k, v in rows.items()}


def _noun_token(tokenizer, ids: np.ndarray, owners: np.ndarray, who: int) -> int:
    """Find the noun's token: the first vocabulary noun that the instance owns."""
    mine = [k for k in np.flatnonzero(owners == who) if tokenizer.decode([int(ids[k])]).strip() in THINGS]
    return int(mine[0])


def _heat(kept: torch.Tensor, token: int) -> np.ndarray:
    side = int(kept.shape[1] ** 0.5)
    heat = kept[..., token].float().mean(0).view(1, 1, side, side)
    return F.interpolate(heat, (SIDE, SIDE), mode="bicubic")[0, 0].numpy()


def best(rows: dict[tuple, float]) -> tuple[str, int, float, float]:
    """Give the layer and step whose worse noun is best, and both nouns' AUC there."""
    keys = {k[:2] for k in rows}
    layer, t = max(keys, key=lambda k: min(rows[(*k, "first")], rows[(*k, "last")]))
    return layer, t, rows[(layer, t, "first")], rows[(layer, t, "last")]
