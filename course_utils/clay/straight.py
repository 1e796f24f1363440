"""The straight edges of box-like things, as far as they can be seen."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from .regions import creases
from .shapes import BOX, CENTRE, RADIUS, ROTATION, SIZE, TYPE
from .view import Render

SAMPLES = 96  # points looked at along an edge
SHORTEST = 0.05  # of the picture's smaller side; M-LSD drops what is shorter
SLACK = 0.012  # how far, as a share of its depth, a point may lie behind the seen surface


def straight_edges(made: Render) -> np.ndarray:
    """Find the visible stretches of the edges of boxes, and the foot of a room's wall.

    Returns:
        float [n, 2, 2]: both ends of each stretch, (column, row) in pixels.
    """
    height, width = made.depth.shape
    edges = _edges(made)
    if len(edges) == 0:
        return np.zeros((0, 2, 2))
    along = np.linspace(0, 1, SAMPLES)[None, :, None]
    points = edges[:, :1] * (1 - along) + edges[:, 1:] * along
    at = made.view.project(points.reshape(-1, 3), height, width).reshape(len(edges), SAMPLES, 3)
    shown = _shown(made, at)
    found = [pair for line, seen in zip(at, shown, strict=True) for pair in _stretches(line, seen)]
    long_enough = [p for p in found if np.linalg.norm(p[1] - p[0]) >= SHORTEST * min(height, width)]
    return np.array(long_enough).reshape(-1, 2, 2)


def _edges(made: Render) -> np.ndarray:
    """Place the edges in the world: [n, 2, 3]. A rounded box's edge runs along the crest of its rounding."""
    boxes = made.clay.rows[made.clay.rows[:, TYPE] == BOX]
    signs = np.array(list(itertools.product((-1, 1), repeat=3)))
    pairs = [(a, b) for a, b in itertools.combinations(range(8), 2) if (signs[a] != signs[b]).sum() == 1]
    half = boxes[:, SIZE] - 0.29 * boxes[:, [RADIUS]]
    local = signs[None] * half[:, None]
    corners = np.einsum("nij,nki->nkj", boxes[:, ROTATION].reshape(-1, 3, 3), local) + boxes[:, None, CENTRE]
    edges = corners[:, pairs].reshape(-1, 2, 3)
    if made.scene.place == "room":
        foot = np.array([[[-1.0, 0, 0], [1.0, 0, 0]]]) * 12 + (0, 0, made.clay.wall)
        edges = np.concatenate([edges, foot])
    return edges


def _shown(made: Render, at: np.ndarray) -> np.ndarray:
    """Say which of the projected points [n, SAMPLES, 3] lie in the frame, in front, and on a crease: bool."""
    height, width = made.depth.shape
    around = np.ones((3, 3), np.uint8)
    sharp = creases(made, bend=0.35, jump=0.02)
    change = cv2.morphologyEx((made.instance + 1).astype(np.float32), cv2.MORPH_GRADIENT, around) > 0
    sharp = cv2.dilate((sharp | change).astype(np.uint8), around) > 0
    surface = cv2.dilate(made.depth, around)
    column, row = np.floor(at[..., 0]).astype(int), np.floor(at[..., 1]).astype(int)
    framed = (at[..., 2] > 0.05) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    there = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
    return framed & (at[..., 2] * (1 - SLACK) < surface[there]) & sharp[there]


def _stretches(line: np.ndarray, seen: np.ndarray, gap: int = 4) -> list[np.ndarray]:
    """Cut one edge [SAMPLES, 3] into its visible stretches [2, 2], closing gaps of up to ``gap`` points."""
    where = np.flatnonzero(seen)
    if len(where) < 2:
        return []
    breaks = np.flatnonzero(np.diff(where) > gap)
    starts, ends = where[np.r_[0, breaks + 1]], where[np.r_[breaks, len(where) - 1]]
    return [line[[a, b], :2] for a, b in zip(starts, ends, strict=True)]
