"""Stage ``judge``: learn from rendered truth alone what is in a picture, set the bars, write the card.

The judge's world has seeds of its own; its first two shards are never trained on: one sets the bars, the other
measures the things and styles that the held-out world lacks.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F
from tqdm import tqdm

from ..judge import FOLDER, load
from ..judge.network import LABELS, NOTHING, SIZE, UNCOUNTABLE, Judge, crop, prepare
from ..training import Loop, Plan, autocast
from . import data, judge_card
from .judge_spoil import SPOILED, SPOILS, Sample, camera, paste, zoom
from .judge_truth import HAND_WIDTH, SPARE, UNKNOWN, Kept, join, keep

RESERVED = (0, 1)  # shards of the judge's world: bars, measuring what is held out of the base
BATCH, HANDS = 24, 8
# What ships had 3,500 steps at half the resolution, then 3,800 at the full one on other scenes, either with its fall.
PLAN = Plan(steps=7_300, learning_rate=4e-3, warmup_steps=200, decay=0.6, ema_steps=400)
ONWARD = Plan(steps=3_000, learning_rate=2e-3, warmup_steps=200, decay=0.6, ema_steps=400)  # from the judge that ships
PASTED, FRAGMENT, SPOILT, TRIPPED = 0.22, 0.10, 0.22, 0.5  # shares of the samples
RUINED = 0.15  # share of the hands


class JudgeBatches:
    """Draws batches from prepared shards."""

    def __init__(self, kept: Kept, seed: int):
        self.kept, self.rng = kept, np.random.default_rng([data.JUDGE, seed])

    def sample(self) -> Sample:
        """Copy a random picture, before or after its trip, with its maps."""
        k, kept = self.rng.integers(len(self.kept.label)), self.kept
        source = kept.trip if len(kept.trip) and self.rng.random() < TRIPPED else kept.picture
        return Sample(source[k].copy(), kept.label[k].copy(), kept.thing[k].copy(), kept.colour[k].copy())

    def example(self) -> Sample:
        """Draw a picture, perhaps with things added or spoiled, seen by a bad camera."""
        s, u = self.sample(), self.rng.random()
        if u < PASTED + FRAGMENT:
            paste(s, self.sample(), self.rng, whole=u < PASTED)
        elif u < PASTED + FRAGMENT + SPOILT:
            SPOILS[self.rng.integers(len(SPOILS))](s, self.sample(), self.rng)
        if self.rng.random() < 0.6:
            s = zoom(s, self.rng)
        s.picture = camera(s.picture, self.rng)
        return s

    def batch(self, count: int = BATCH) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Draw pictures [count, 3, SIZE, SIZE], labels, colours and weights [count, 64, 64]."""
        drawn = [self.example() for _ in range(count)]
        weight = torch.from_numpy(np.stack([weigh(s.label) for s in drawn]))
        label = torch.from_numpy(np.stack([np.where(s.label == SPOILED, NOTHING, s.label) for s in drawn])).long()
        colour = torch.from_numpy(np.stack([s.colour for s in drawn])).long()
        return prepare(np.stack([s.picture for s in drawn])), label, colour, weight

    def hands(self, count: int = HANDS) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw hands [count, 3, SIZE, SIZE] and their fingers [count]; the spoiled ones cannot be counted."""
        out, fingers = np.empty((count, SIZE, SIZE, 3), np.uint8), np.empty(count, np.int64)
        for k in range(count):
            picture, fingers[k] = self.hand()
            if self.rng.random() < RUINED:
                picture, fingers[k] = self.ruin(picture, int(fingers[k]))
            out[k] = camera(picture, self.rng)
        return prepare(out), torch.from_numpy(fingers)

    def hand(self) -> tuple[np.ndarray, int]:
        """Cut out a hand a little askew, mirrored every other time; give its fingers."""
        n, kept = self.rng.integers(len(self.kept.fingers)), self.kept
        source = kept.hand_trip if len(kept.hand_trip) and self.rng.random() < TRIPPED else kept.hand
        middle = HAND_WIDTH * (0.5 + self.rng.uniform(-0.05, 0.05, 2))
        picture = crop(source[n], *middle, HAND_WIDTH / SPARE * self.rng.uniform(0.9, 1.12))
        return np.ascontiguousarray(picture[:, ::-1] if self.rng.random() < 0.5 else picture), int(kept.fingers[n])

    def ruin(self, picture: np.ndarray, fingers: int) -> tuple[np.ndarray, int]:
        """Spoil all of a hand as a thing is spoiled, or lay a hand of another count over it: nobody can count it."""
        other, count = self.hand()
        if count != fingers and self.rng.random() < 0.5:
            return cv2.addWeighted(picture, 0.5, other, 0.5, 0), UNCOUNTABLE
        mask = np.zeros((64, 64), np.uint8)
        mask[8:56, 8:56] = 1
        s = Sample(picture, mask, mask.astype(np.int8) - 1, mask.copy())
        SPOILS[self.rng.integers(2)](s, s, self.rng)
        return s.picture, UNCOUNTABLE


def weigh(label: np.ndarray) -> np.ndarray:
    """Weigh pixels so that small things count: float32 [64, 64], 0 where no answer is wrong."""
    area = np.maximum(np.bincount(label.ravel(), minlength=256), 1)
    weight = np.clip(np.sqrt(250 / area), 0.5, 4.0)
    weight[NOTHING], weight[SPOILED], weight[UNKNOWN] = 0.5, 1.0, 0.0
    return weight.astype(np.float32)[label]


def loss_of(model: Judge, batches: JudgeBatches) -> torch.Tensor:
    """Draw a batch; cross-entropy of labels, colours and fingers."""
    x, label, colour, weight = batches.batch()
    hands, fingers = batches.hands()
    device = next(model.parameters()).device
    with autocast(device):
        klass, paint, count = model(torch.cat([x, hands]).to(device))
    klass, paint, count = (out.float().cpu() for out in (klass[: len(x)], paint[: len(x)], count[len(x) :]))
    miss = F.cross_entropy(klass, label.clamp(max=LABELS - 1), reduction="none") * weight
    coloured = weight * (colour != UNKNOWN)
    wrong = F.cross_entropy(paint, colour.where(colour != UNKNOWN, 0), reduction="none") * coloured
    paint_loss = wrong.sum() / coloured.sum().clamp(min=1)
    return miss.sum() / weight.sum() + 0.5 * paint_loss + 0.3 * F.cross_entropy(count, fingers)


@torch.no_grad()
def settle(model: Judge, batches: JudgeBatches, count: int = 40) -> None:
    """Measure the normalisations' statistics anew: averaged weights have others than the weights of the last step."""
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
    model.train()
    for _ in range(count):
        model(torch.cat([batches.batch()[0], batches.hands()[0]]))
    model.eval()


def train(
    minutes: float,
    plan: Plan | None = None,
    folder: Path = FOLDER,
    numbers: list[int] | None = None,
    onward: bool = False,
) -> Path:
    """Train or go on; when the plan is finished, set the bars, save and write the card.

    Args:
        minutes: stop and save after this long.
        plan: the knobs; None is `PLAN`, or `ONWARD`.
        folder: where the judge ships.
        numbers: the shards to learn from; None takes all but those reserved.
        onward: where there is no checkpoint, start from the judge that ships instead of a random one.
    """
    torch.manual_seed(0)
    numbers = _own() if numbers is None else numbers
    if not numbers:
        raise FileNotFoundError(
            f"World {data.JUDGE} has no shards beside {RESERVED}; render them first: stage `data`."
        )
    kept = join([keep(data.JUDGE, n) for n in tqdm(numbers, desc="prepare", unit="shard")])
    model = Judge().to(memory_format=torch.channels_last)
    if onward:
        model.load_state_dict(load(folder).model.state_dict())
    loop = Loop(data.cache() / "judge", {"judge": model}, plan or (ONWARD if onward else PLAN))
    batches = JudgeBatches(kept, loop.step)
    if loop.run(lambda step: loss_of(model, batches), minutes):
        average = loop.average["judge"]
        settle(average, JudgeBatches(kept, 0))
        bars = judge_card.set_bars(average, held := keep(data.JUDGE, RESERVED[0]), JudgeBatches(held, 1))
        judge_card.save(average, bars, folder)
        card(folder, numbers)
    return loop.folder


def card(folder: Path = FOLDER, numbers: list[int] | None = None) -> None:
    """Measure the judge that ships and write its card; ``numbers`` are the shards that it learned from."""
    judge_card.write(folder, RESERVED[1], data.SHARD * len(_own() if numbers is None else numbers))


def _own() -> list[int]:
    return [n for n in data.shards(data.JUDGE) if n not in RESERVED]
