"""Stage ``yardstick``: how near painted pictures are to renders, in the eyes of a network that does nothing else.

The network learns from renders alone what is where and which caption belongs to which picture (FILIP, Yao et al.,
2021); it has seen nothing that a model painted, judges nothing and teaches nothing. Its inner features are compared as
Heusel et al. (2017) do: the Fréchet distance between two normal distributions. Captions of held-out scenes are the
prompts, so that the renders of these very scenes are what the pictures should look like. Two figures hold the distance
in proportion: its floor, renders of the same world against each other, and what one trip through the autoencoder
costs. Sharpness is what the distance may forgive: the 99th percentile of differences between neighbours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .. import metrics
from ..clay import vocabulary as words
from ..clay.scenes import Scene
from ..controls.reader import ResidualBlock
from ..env import cache_folder
from ..training import Loop, Plan, autocast
from . import autoencoder, base, corpus, data, exam, ship, text

SIDE, BATCH = 128, 64  # pixels that the network sees, pictures a step
WIDTHS = (32, 64, 128, 192)
PLAN = Plan(steps=1_500, learning_rate=2e-3, warmup_steps=100, decay=0.5, ema_steps=150)
COUNT = 1_000  # pictures on each side
DRAWS = 200  # resamples of the bootstrap


class Onlooker(nn.Module):
    """Pictures [n, 3, SIDE, SIDE] in -1..1 to features [n, 192, 8, 8], what is where, and patches to match with words.

    No normalisation: pictures of one batch know nothing of each other.
    """

    def __init__(self, width: int = 128):
        super().__init__()
        steps = [nn.Conv2d(3, WIDTHS[0], 4, 2, 1), nn.SiLU()]
        for a, b in zip(WIDTHS, WIDTHS[1:], strict=False):
            steps += [nn.Conv2d(a, b, 4, 2, 1), nn.SiLU(), ResidualBlock(b), ResidualBlock(b), nn.SiLU()]
        self.body = nn.Sequential(*steps)
        self.klass = nn.Conv2d(WIDTHS[-1], 4 * len(words.CLASSES), 1)
        self.patch, self.word = nn.Linear(WIDTHS[-1], width), nn.Linear(text.WIDTH, width, bias=False)
        self.scale = nn.Parameter(torch.tensor(2.6))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Give a picture's mean features and how much they vary over it, [n, 384]."""
        inner = self.body(x).flatten(2).float()
        return torch.cat([inner.mean(2), inner.std(2)], dim=1)


def shrunk(pictures: np.ndarray) -> torch.Tensor:
    """Turn uint8 [n, 256, 256, 3] into float [n, 3, SIDE, SIDE] in -1..1, each pixel the mean of four."""
    return F.avg_pool2d(autoencoder.prepare(pictures), pictures.shape[1] // SIDE)


def train(minutes: float, plan: Plan = PLAN) -> Path:
    """Train the network or go on; give the folder with the checkpoint."""
    torch.manual_seed(0)
    tokenizer, onlooker = corpus.tokenizer(), Onlooker()
    loop = Loop(cache_folder() / "yardstick", {"onlooker": onlooker}, plan)
    encoder = base.frozen_encoder(len(tokenizer)).to(loop.device)
    numbers, draw, parts = data.shards(data.TRAIN)[:16], loop.generator(), {"klass": 0.0, "matched": 0.0}
    shards = [data.read_shard(data.TRAIN, n) for n in numbers]
    pictures, klass = np.concatenate([s.pictures() for s in shards]), np.concatenate([s.klass for s in shards])
    made = [scene for n in numbers for scene in corpus.captions(data.TRAIN, n, base.COMPLETE)]
    ids = corpus.encode(tokenizer, [c for scene in made for c in scene])[0].reshape(len(made), corpus.VARIANTS, -1)
    ids, klass = torch.from_numpy(ids).long(), torch.from_numpy(klass)

    def step(number: int) -> torch.Tensor:
        rows = torch.randint(len(pictures), (BATCH,), generator=draw)
        tokens = ids[rows, torch.randint(corpus.VARIANTS, (BATCH,), generator=draw)].to(loop.device)
        with autocast(loop.device):
            inner = onlooker.body(shrunk(pictures[rows.numpy()]).to(loop.device))
            logits = F.pixel_shuffle(onlooker.klass(inner), 2).float()
            hidden = encoder(tokens).last_hidden_state
            patches = F.normalize(onlooker.patch(inner.flatten(2).transpose(1, 2)).float(), dim=-1)
            named = F.normalize(onlooker.word(hidden).float(), dim=-1)
        mask = (tokens != tokenizer.bos_token_id) & (tokens != tokenizer.eos_token_id)
        match, share = text.filip(patches, named, mask, onlooker.scale)
        where = F.cross_entropy(logits, klass[rows, 2::4, 2::4].long().to(loop.device))
        parts["klass"] += 0.05 * (float(where.detach()) - parts["klass"])
        parts["matched"] += 0.05 * (share - parts["matched"])
        return match + where

    loop.run(step, minutes, lambda: {name: round(value, 3) for name, value in parts.items()})
    return loop.folder


def onlooker() -> Onlooker:
    """Load the network that `train` left: one for both editions of the world, so that their figures compare."""
    net = Onlooker()
    kept = torch.load(cache_folder() / "yardstick" / "checkpoint.pt", weights_only=True)
    net.load_state_dict(kept["average"]["onlooker"])
    return net.eval().requires_grad_(False)


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    """Give the Fréchet distance between features [n, d] and [m, d] (Heusel et al., 2017, eq. 6)."""
    (mean_a, root_a), (mean_b, root_b) = (_moments(f) for f in (first, second))
    # The trace of the root of the covariances' product is the sum of the singular values of R_a R_b^T, C = R^T R.
    shared = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    return float(((mean_a - mean_b) ** 2).sum() + (root_a**2).sum() + (root_b**2).sum() - 2 * shared)


def _moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = features.mean(0)
    return mean, np.linalg.qr((features - mean) / np.sqrt(len(features) - 1), mode="r")


def distance(first: np.ndarray, second: np.ndarray, draws: int = DRAWS) -> metrics.Interval:
    """Give `frechet` with its bootstrap interval, both sides resampled by picture.

    A resample holds fewer different pictures and lies farther off; the interval is moved back by that much.
    """
    rng, value = np.random.default_rng(0), frechet(first, second)
    drawn = [frechet(*(side[rng.integers(0, len(side), len(side))] for side in (first, second))) for _ in range(draws)]
    low, high = np.quantile(drawn, [0.025, 0.975]) - np.mean(drawn) + value
    return metrics.Interval(value, float(low), float(high))


def sharpness(pictures: np.ndarray) -> np.ndarray:
    """Give the 99th percentile of the differences between neighbours in a row, 0-1, for each of uint8 pictures."""
    jumps = np.abs(np.diff(pictures.astype(np.float32), axis=2)).max(-1) / 255
    return np.quantile(jumps.reshape(len(jumps), -1), 0.99, axis=1)


@torch.inference_mode()
def features(net: Onlooker, pictures: np.ndarray) -> np.ndarray:
    """Give the features of uint8 [n, 256, 256, 3]: float [n, 384]."""
    parts = np.array_split(pictures, max(1, len(pictures) // 32))
    return torch.cat([net.features(shrunk(part)) for part in parts]).numpy()


@torch.inference_mode()
def trips(vae, pictures: np.ndarray) -> np.ndarray:
    """Send pictures through the autoencoder and back."""
    parts = map(autoencoder.prepare, np.array_split(pictures, max(1, len(pictures) // 16)))
    out = [vae.decode(vae.encode(x).latents).sample for x in parts]
    return ((torch.cat(out).clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def painted(pipe, prompts: list[str], folder: Path) -> Iterator[np.ndarray]:
    """Paint each prompt with the seed of its number; what ``folder`` holds is not painted again."""
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(prompts), 16):
        path, part = folder / f"{first:04d}.npy", prompts[first : first + 16]
        if not path.exists():
            np.save(path, np.stack(list(exam.pictures(pipe, part, list(range(first, first + len(part)))))))
        yield from np.load(path)


def measure(name: str, pipe=None, count: int = COUNT) -> dict[str, str]:
    """Measure a base, by default the one that ships; ``name`` is the folder of its pictures in the cache."""
    pipe, net = pipe or ship.load(), onlooker()
    numbers = data.shards(data.HELD_OUT)
    shards = [data.read_shard(data.HELD_OUT, n) for n in numbers]
    truth = np.concatenate([s.pictures() for s in shards])
    others = np.concatenate([data.read_shard(data.TRAIN, n).pictures() for n in data.shards(data.TRAIN)[-2:]])
    made = [scene[0].text for n in numbers for scene in corpus.captions(data.HELD_OUT, n, base.COMPLETE, 1)]
    people = np.array([Scene.from_json(j).things[0].word in words.PEOPLE for s in shards for j in s.scenes])
    truth, made, people = truth[:count], made[:count], people[:count]
    pictures = np.stack(list(painted(pipe, made, data.cache() / "yardstick" / name)))
    sides = {"painted": pictures, "trips": trips(pipe.vae, truth), "other renders": others[:count]}
    known = {side: features(net, each) for side, each in sides.items()}
    goal, sharp = features(net, truth), sharpness(truth)
    figures = {f"{side}, all": str(distance(known[side], goal)) for side in sides}
    for group, rows in (("people", people), ("things", ~people)):
        figures |= {f"{side}, {group}": str(distance(known[side][rows], goal[rows])) for side in ("painted", "trips")}
    for side in ("painted", "trips"):
        figures[f"sharpness, {side}"] = str(metrics.mean(sharpness(sides[side]) / sharp.mean()))
    (data.cache() / "yardstick" / f"{name}.json").write_text(json.dumps(figures, indent=2))
    return figures
