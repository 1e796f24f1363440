"""The maps that a ControlNet learns from: drawn from truth, and worn as a preprocessor's or a hand's are.

A net that saw perfect maps only obeys perfect maps only. So part of its lessons are drawn with other thresholds,
with strokes lost and bent, joints missed, borders frayed and depths bent, as it will be given them.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ..clay.control_maps import SEGMENTS, draw_lines, draw_pose
from ..controls.edges import outlines, straight_lines
from .maps import Facts

CLEAN = 0.4  # share of the lessons drawn from truth as it is
CANNY = (100, 200)  # thresholds of the ControlNet card


def draw(kind: str, facts: Facts, rng: np.random.Generator | None = None) -> np.ndarray:
    """Draw the map of a kind of ``catalog.CONTROLS``: uint8 [height, width, 3]; with ``rng``, perhaps worn."""
    worn = rng is not None and rng.random() >= CLEAN
    drawn = WORN[kind](facts, rng) if worn else TRUE[kind](facts)
    return np.repeat(drawn[..., None], 3, axis=-1) if drawn.ndim == 2 else drawn


def _canny(facts: Facts) -> np.ndarray:
    return cv2.Canny(facts.picture, *CANNY)


def _mlsd(facts: Facts) -> np.ndarray:
    return np.asarray(draw_lines(facts.lines, *facts.klass.shape))


def _openpose(facts: Facts) -> np.ndarray:
    return np.asarray(draw_pose(list(facts.bodies), list(facts.hands), *facts.klass.shape))


TRUE: dict[str, Callable[[Facts], np.ndarray]] = {
    "canny": _canny, "mlsd": _mlsd, "scribble": lambda facts: facts.stroke, "openpose": _openpose,
    "seg": lambda facts: SEGMENTS[facts.klass], "depth": lambda facts: facts.near,
    "normal": lambda facts: facts.normal,
}  # fmt: skip


def _worn_canny(facts: Facts, rng: np.random.Generator) -> np.ndarray:
    """Detect edges with other thresholds, in a softer picture; lose some."""
    low = rng.uniform(40, 160)
    edges = cv2.Canny(_softened(facts.picture, rng, 1.2), low, low * rng.uniform(1.5, 2.5))
    return _rubbed(edges, rng)


def _worn_mlsd(facts: Facts, rng: np.random.Generator) -> np.ndarray:
    """Miss some lines and misplace the others, or take what is found in the picture."""
    if rng.random() < 0.4:
        found = straight_lines(facts.picture)
    else:
        found = facts.lines[rng.random(len(facts.lines)) > rng.uniform(0, 0.4)]
        found = found + rng.normal(0, rng.uniform(0, 1.5), found.shape)
    return np.asarray(draw_lines(found, *facts.klass.shape))


def _worn_scribble(facts: Facts, rng: np.random.Generator) -> np.ndarray:
    """Draw what is known or what is found in the picture, with a thicker pen and an unsteady hand; leave parts out."""
    strokes = outlines(facts.picture) * np.uint8(255) if rng.random() < 0.4 else facts.stroke
    pen = int(rng.integers(1, 4))
    strokes = cv2.dilate(strokes, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (pen, pen)))
    return np.where(_bent(_rubbed(strokes, rng), rng, 4.0) > 127, 255, 0).astype(np.uint8)


def _worn_openpose(facts: Facts, rng: np.random.Generator) -> np.ndarray:
    """Miss and misplace joints; show bodies without hands, or hands without bodies."""
    parts = [facts.bodies.copy(), facts.hands.copy()]
    for found, missed, off in zip(parts, (0.08, 0.03), (1.5, 0.7), strict=True):
        found[..., 2] *= rng.random(found.shape[:2]) > missed
        found[..., :2] += rng.normal(0, off, found[..., :2].shape)
    if all(len(found) for found in parts) and rng.random() < 0.4:
        parts[int(rng.random() < 0.6)] = []
    return np.asarray(draw_pose(*map(list, parts), *facts.klass.shape))


def _worn_seg(facts: Facts, rng: np.random.Generator) -> np.ndarray:
    """Fray the borders, or see them on a coarser grid."""
    height, width = facts.klass.shape
    klass = _bent(facts.klass, rng, 3.0, cv2.INTER_NEAREST)
    if rng.random() < 0.4:
        step = int(rng.choice([2, 4]))
        small = cv2.resize(klass, (width // step, height // step), interpolation=cv2.INTER_NEAREST)
        klass = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return SEGMENTS[klass]


def _worn_depth(facts: Facts, rng: np.random.Generator) -> np.ndarray:
    """Bend the depths, blur them, and tilt the whole: an estimate is known up to little more than its order."""
    height, width = facts.near.shape
    near = _softened(facts.near, rng, 4.0).astype(np.float32) / 255
    near = near ** rng.uniform(0.7, 1.4) + cv2.resize(rng.uniform(-0.05, 0.05, (3, 3)), (width, height))
    span = max(float(near.max() - near.min()), 1e-6)
    return ((near - near.min()) / span * 255).round().astype(np.uint8)


def _worn_normal(facts: Facts, rng: np.random.Generator) -> np.ndarray:
    """Blur the normals and turn them a little, differently from place to place."""
    height, width = facts.near.shape
    turn = cv2.resize(rng.uniform(-12, 12, (4, 4, 3)), (width, height))
    return np.clip(_softened(facts.normal, rng, 3.0) + turn, 0, 255).astype(np.uint8)


WORN: dict[str, Callable[[Facts, np.random.Generator], np.ndarray]] = {
    "canny": _worn_canny, "mlsd": _worn_mlsd, "scribble": _worn_scribble, "openpose": _worn_openpose,
    "seg": _worn_seg, "depth": _worn_depth, "normal": _worn_normal,
}  # fmt: skip


def _softened(pixels: np.ndarray, rng: np.random.Generator, most: float) -> np.ndarray:
    """Blur by up to ``most`` pixels, half of the time not at all."""
    return pixels if rng.random() < 0.5 else cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.3, most))


def _rubbed(lines: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rub out up to four round spots, half of the time none."""
    out, (height, width) = lines.copy(), lines.shape
    for _ in range(int(rng.integers(1, 5)) if rng.random() < 0.5 else 0):
        spot = int(rng.integers(width)), int(rng.integers(height))
        cv2.circle(out, spot, int(rng.uniform(0.03, 0.12) * min(height, width)), 0, thickness=-1)
    return out


def _bent(pixels: np.ndarray, rng: np.random.Generator, most: float, how: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Move pixels [height, width] smoothly by up to about ``most``."""
    height, width = pixels.shape
    moves = rng.normal(0, 0.5 * most * rng.random(), (2, 7, 7)).astype(np.float32)
    x, y = (cv2.resize(move, (width, height), interpolation=cv2.INTER_CUBIC) for move in moves)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(pixels, columns + x, rows + y, how, borderMode=cv2.BORDER_REPLICATE)
