"""Lessons for the judge: things pasted elsewhere, half-formed things that are nothing, and bad cameras.

A sample is a picture uint8 [SIZE, SIZE, 3] and its maps [64, 64]; the functions here change copies in place.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..judge.network import CELL, NOTHING, SIZE
from .judge_truth import UNKNOWN

SPOILED = 254  # a label: nothing, and the loss should mind
GRID = SIZE // CELL
CUT = (0.08, 0.35)  # share of a thing that a fragment keeps
GREY = 0.15  # share that loses its colour for those who are asked to read an old photograph; never for the judge
ENOUGH = 80  # cells of the 64 x 64 grid: smaller things are not worth spoiling


@dataclass
class Sample:
    """A picture and its maps, as in ``judge_truth.Kept``."""

    picture: np.ndarray
    label: np.ndarray
    thing: np.ndarray
    colour: np.ndarray

    def mark(self, mask: np.ndarray) -> None:
        """Say that what is here is nothing."""
        self.label[mask], self.colour[mask] = SPOILED, UNKNOWN

    def choose(self, rng: np.random.Generator) -> np.ndarray | None:
        """Choose a thing of some size: its mask, or None."""
        found, sizes = np.unique(self.thing[self.thing >= 0], return_counts=True)
        found = found[sizes >= ENOUGH]
        return self.thing == rng.choice(found) if len(found) else None


def large(mask: np.ndarray) -> np.ndarray:
    """Bring a mask [64, 64] to the picture's size."""
    return mask.repeat(CELL, 0).repeat(CELL, 1)


def box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Give top, left, bottom, right (exclusive) of a mask."""
    rows, columns = np.nonzero(mask)
    return rows.min(), columns.min(), rows.max() + 1, columns.max() + 1


def paste(s: Sample, other: Sample, rng: np.random.Generator, whole: bool) -> None:
    """Lay a thing of another picture somewhere over this one: whole it stays a thing, a fragment is nothing."""
    mask = other.choose(rng)
    if mask is None:
        return
    top, left, bottom, right = box(mask)
    if not whole and bottom < GRID:  # what the frame cuts is a portrait: its part would still be a face
        angle = rng.uniform(-1.8, 1.8)  # from straight down: heads are on top
        rows, columns = np.nonzero(mask)
        along = rows * np.cos(angle) + columns * np.sin(angle)
        keep = along > np.quantile(along, 1 - rng.uniform(*CUT))
        mask = np.zeros_like(mask)
        mask[rows[keep], columns[keep]] = True
    y = x = 0
    if min(top, left) > 0 and max(bottom, right) < GRID:  # what the frame cuts stays at the frame
        y, x = int(rng.integers(-top, GRID - bottom + 1)), int(rng.integers(-left, GRID - right + 1))
    mask = np.roll(mask, (y, x), (0, 1))
    moved = np.roll(other.picture, (y * CELL, x * CELL), (0, 1))
    soft = cv2.GaussianBlur(large(mask).astype(np.float32), (0, 0), 1.2)[..., None]
    s.picture[:] = s.picture * (1 - soft) + moved * soft
    for name in ("label", "colour"):
        getattr(s, name)[mask] = np.roll(getattr(other, name), (y, x), (0, 1))[mask]
    s.thing[mask] = 99
    if not whole and bottom < GRID:
        s.mark(mask)


def shuffle(s: Sample, other: Sample, rng: np.random.Generator) -> None:
    """Shuffle the patches of a thing."""
    mask = s.choose(rng)
    if mask is None:
        return
    block = 4 if mask.sum() < 700 else int(rng.choice([4, 8]))
    count = GRID // block
    inside = mask.reshape(count, block, count, block).mean((1, 3)) > 0.5
    places, wide = np.argwhere(inside), block * CELL
    before = s.picture.copy()
    for (a, b), (c, d) in zip(places, rng.permutation(places), strict=True):
        s.picture[a * wide : (a + 1) * wide, b * wide : (b + 1) * wide] = before[
            c * wide : (c + 1) * wide, d * wide : (d + 1) * wide
        ]
    s.mark(mask)


def swirl(s: Sample, other: Sample, rng: np.random.Generator) -> None:
    """Stir a thing and what is around it."""
    mask = s.choose(rng)
    if mask is None:
        return
    top, left, bottom, right = box(mask)
    y, x = (top + bottom) / 2 * CELL, (left + right) / 2 * CELL
    reach = 0.62 * max(bottom - top, right - left) * CELL
    rows, columns = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    away = np.hypot(rows - y, columns - x)
    turn = rng.choice([-1, 1]) * rng.uniform(3.0, 6.0) * np.clip(1 - away / reach, 0, 1)
    cos, sin = np.cos(turn), np.sin(turn)
    from_x, from_y = x + cos * (columns - x) - sin * (rows - y), y + sin * (columns - x) + cos * (rows - y)
    s.picture[:] = cv2.remap(s.picture, from_x.astype(np.float32), from_y.astype(np.float32), cv2.INTER_LINEAR)
    s.mark((away < reach)[::CELL, ::CELL] & (s.label != NOTHING) | mask)


def mix(s: Sample, other: Sample, rng: np.random.Generator) -> None:
    """Average a thing with one of another picture in the same place: neither is there."""
    mask, pasted = s.choose(rng), other.choose(rng)
    if mask is None or pasted is None or np.intersect1d(s.label[mask], other.label[pasted]).size:
        return
    (a, b, c, d), (e, f, g, h) = box(mask), box(pasted)
    cut = other.picture[e * CELL : g * CELL, f * CELL : h * CELL]
    cut = cv2.resize(cut, ((d - b) * CELL, (c - a) * CELL), interpolation=cv2.INTER_AREA)
    form = cv2.resize(pasted[e:g, f:h].astype(np.uint8), (d - b, c - a), interpolation=cv2.INTER_NEAREST) > 0
    both = mask.copy()
    both[a:c, b:d] |= form
    share = rng.uniform(0.4, 0.6) * cv2.GaussianBlur(large(both).astype(np.float32), (0, 0), 1.2)[..., None]
    laid = s.picture.astype(np.float32)
    laid[a * CELL : c * CELL, b * CELL : d * CELL] = cut
    s.picture[:] = s.picture * (1 - share) + laid * share
    s.mark(both)


SPOILS = (shuffle, swirl, mix)


def zoom(s: Sample, rng: np.random.Generator) -> Sample:
    """Cut a square of 0.78-1 of the side and mirror every other picture."""
    side = rng.uniform(0.78, 1.0)
    x, y = rng.uniform(0, 1 - side, 2)
    flip = rng.random() < 0.5

    def warp(a: np.ndarray, how: int) -> np.ndarray:
        n = len(a)
        start, scale = (x + side, -1 / side) if flip else (x, 1 / side)
        move = np.array([[scale, 0, -start * n * scale], [0, 1 / side, -y * n / side]])
        centre = np.array([[0.5 * scale - 0.5], [0.5 / side - 0.5]])  # pixels are squares, not points
        return cv2.warpAffine(a, move + np.hstack([np.zeros((2, 2)), centre]), (n, n), flags=how,
                              borderMode=cv2.BORDER_REPLICATE)  # fmt: skip

    label, thing, colour = (warp(m.view(np.uint8), cv2.INTER_NEAREST) for m in (s.label, s.thing, s.colour))
    return Sample(warp(s.picture, cv2.INTER_LINEAR), label, thing.view(np.int8), colour)


def camera(picture: np.ndarray, rng: np.random.Generator, grey: float = 0.0) -> np.ndarray:
    """Blur, noise, JPEG, brightness and contrast; never the hue, but for a share ``grey`` that loses all colour."""
    size = picture.shape[0]
    if grey and rng.random() < grey:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.35:
        small = int(size * rng.uniform(0.25, 0.9))
        picture = cv2.resize(cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA), (size, size))
    if rng.random() < 0.25:
        kept = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))])[1]
        picture = cv2.imdecode(kept, cv2.IMREAD_UNCHANGED)
    out = picture.astype(np.float32)
    out = (out - out.mean()) * rng.uniform(0.85, 1.15) + out.mean() * rng.uniform(0.88, 1.12)
    if rng.random() < 0.3:
        out += rng.normal(0, rng.uniform(2, 14), out.shape).astype(np.float32)
    return np.clip(out, 0, 255).astype(np.uint8)
