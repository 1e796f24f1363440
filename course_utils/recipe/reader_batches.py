"""What the reader learns from: pictures seen by a bad camera, and what should be read in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from ..controls import reader_joints as joints
from ..controls.reader import HAND_SIDE, SIDE
from ..judge.network import prepare
from .judge_spoil import GREY, camera
from .maps import NOBODY, Facts, MapShard

TRIPPED = 0.4  # share of pictures that have been through the autoencoder
PEOPLED = 0.5  # share of pictures drawn from those with people: joints are the hardest to find
SPREAD = 1.5  # cells: deviation of the hill that stands for a point
FEWEST = 12  # visible points of a hand worth a lesson


@dataclass
class ReaderBatch:
    """A picture and the right answers on its grid of half the size, [batch, ...] once they are collated.

    x: [3, height, width], -1..1. klass: long [h, w]; weight: [h, w]; normal: [3, h, w], unit;
    body: [18, h, w], 0-1; neck: [2, h, w] and person: bool [h, w], where it counts; palm, size: [h, w].
    """

    x: torch.Tensor
    klass: torch.Tensor
    weight: torch.Tensor
    normal: torch.Tensor
    body: torch.Tensor
    neck: torch.Tensor
    person: torch.Tensor
    palm: torch.Tensor
    size: torch.Tensor


class ReaderBatches:
    """Draws batches from shards of facts; ``trips`` are the same pictures after the autoencoder, as JPEG files."""

    def __init__(self, shards: list[MapShard], trips: list[list[np.ndarray]], seed: int):
        self.shards, self.trips, self.rng = shards, trips, np.random.default_rng([4, seed])
        self.rows = [(n, k) for n, shard in enumerate(shards) for k in range(len(shard))]
        self.showing = {
            points: [(n, k) for n, shard in enumerate(shards) for k in np.flatnonzero(shard.seen(points))]
            for points in ("bodies", "hands")
        }

    def facts(self, points: str | None = None) -> Facts:
        """Draw the facts of a scene, one with ``points`` if there are such, perhaps after a trip or mirrored."""
        rows = self.showing.get(points) or self.rows
        n, k = rows[self.rng.integers(len(rows))]
        facts = self.shards[n][k]
        if self.rng.random() < TRIPPED:
            facts = replace(facts, picture=cv2.imdecode(self.trips[n][k], cv2.IMREAD_UNCHANGED))
        return facts.mirrored() if self.rng.random() < 0.5 else facts

    def example(self) -> ReaderBatch:
        """Draw a picture, cut a little closer, and its answers."""
        facts, rng = self.facts("bodies" if self.rng.random() < PEOPLED else None), self.rng
        height, width = facts.klass.shape
        side = min(height, width) * rng.uniform(0.72, 1.0)
        left, top = rng.uniform(0, width - side), rng.uniform(0, height - side)
        return answers(facts, (left, top, side), camera(_cut(facts.picture, (left, top, side), SIDE), rng, GREY))

    def batch(self, count: int) -> ReaderBatch:
        """Draw ``count`` examples."""
        drawn = [vars(self.example()) for _ in range(count)]
        made = ReaderBatch(**{name: torch.stack([example[name] for example in drawn]) for name in drawn[0]})
        made.x = made.x.contiguous(memory_format=torch.channels_last)
        return made

    def hands(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw hands that fill their picture [count, 3, HAND_SIDE, HAND_SIDE], and the hills of their points."""
        drawn = [self.hand() for _ in range(count)]
        return prepare(np.stack([cut for cut, _ in drawn])), torch.from_numpy(np.stack([heat for _, heat in drawn]))

    def hand(self) -> tuple[np.ndarray, np.ndarray]:
        """Cut out a hand, not quite in the middle: uint8 picture, and hills [21, HAND_SIDE / 2, HAND_SIDE / 2]."""
        facts = self.facts("hands")
        clear = [hand for hand in facts.hands if hand[:, 2].sum() >= FEWEST] or list(facts.hands)
        points = clear[self.rng.integers(len(clear))]
        middle, size = frame(points)
        middle = middle + size * self.rng.uniform(-0.1, 0.1, 2)
        cut, back = joints.window(facts.picture, middle, size * joints.ROOM * self.rng.uniform(0.8, 1.2), HAND_SIDE)
        seen = points.copy()
        seen[:, :2] = (points[:, :2] - back[:, 2]) / back[0, 0]
        return camera(cut, self.rng, GREY), hills(seen / (2, 2, 1), HAND_SIDE // 2)


def answers(facts: Facts, square: tuple[float, float, float], picture: np.ndarray) -> ReaderBatch:
    """Work out what should be read in ``picture``, a square (left, top, side) cut out of a scene's picture."""
    left, top, side = square
    cells = SIDE // 2
    klass, person, drawn = (
        _cut(m, square, cells, cv2.INTER_NEAREST) for m in (facts.klass, facts.person, facts.normal)
    )
    bodies, hands = (_placed(points, left, top, cells / side) for points in (facts.bodies, facts.hands))
    body = np.max([np.zeros((18, cells, cells), np.float32), *(hills(points, cells) for points in bodies)], axis=0)
    neck, palm, size = np.zeros((2, cells, cells), np.float32), *np.zeros((2, cells, cells), np.float32)
    columns, rows = np.meshgrid(np.arange(cells) + 0.5, np.arange(cells) + 0.5)
    for number, points in enumerate(bodies):
        way = (points[1, :2, None, None] - np.stack([columns, rows])) / joints.REACH
        neck[:, person == number] = way[:, person == number]
    for points in hands:
        middle, wide = frame(points)
        hill = hills(np.array([[*middle, points[:, 2].sum() >= FEWEST]]), cells)[0]
        size[hill > palm] = np.log(max(wide, 1.0) / joints.HAND)
        palm = np.maximum(palm, hill)
    normal = np.ascontiguousarray(unit(drawn).transpose(2, 0, 1))
    maps = (weigh(klass), normal, body, neck, person != NOBODY, palm, size)
    return ReaderBatch(prepare(picture[None])[0], torch.from_numpy(klass).long(), *map(torch.from_numpy, maps))


def _placed(points: np.ndarray, left: float, top: float, scale: float) -> np.ndarray:
    """Carry points [n, point, 3] into a square; those that it cuts off are not visible."""
    out = points.copy()
    out[..., :2] = (out[..., :2] - (left, top)) * scale
    return out


def unit(drawn: np.ndarray) -> np.ndarray:
    """Turn drawn normals uint8 [height, width, 3] back into unit vectors: the drawing flips x."""
    normal = (drawn.astype(np.float32) + 0.5) / 127.5 - 1
    normal[..., 0] *= -1
    return normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)


def frame(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Give the middle and the size of the square around the points [21, 3] of a hand."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    return (low + high) / 2, float((high - low).max())


def hills(points: np.ndarray, cells: int) -> np.ndarray:
    """Draw a hill of height 1 at each visible point [n, 3], in cells: float32 [n, cells, cells]."""
    at = np.arange(cells) + 0.5
    rise = np.exp(-0.5 * ((points[:, :2, None] - at) / SPREAD) ** 2)
    return (rise[:, 1, :, None] * rise[:, 0, None, :] * (points[:, 2] > 0)[:, None, None]).astype(np.float32)


def weigh(klass: np.ndarray) -> np.ndarray:
    """Weigh pixels so that small things count: float32, 0.5-4."""
    area = np.maximum(np.bincount(klass.ravel(), minlength=256), 1)
    return np.clip(np.sqrt(klass.size / 16 / area), 0.5, 4.0).astype(np.float32)[klass]


def _cut(pixels: np.ndarray, square: tuple[float, float, float], size: int, how: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Cut a square (left, top, side) out and bring it to ``size``; pixels are squares, not points."""
    left, top, side = square
    scale = side / size
    move = np.array([[scale, 0, left + 0.5 * scale - 0.5], [0, scale, top + 0.5 * scale - 0.5]])
    return cv2.warpAffine(
        pixels, move, (size, size), flags=how | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
