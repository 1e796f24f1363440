"""Exact optical flow between two moments of one scene.

A pixel's point is carried along with the primitive it belongs to and projected again; nothing is estimated.
"""

from __future__ import annotations

import numpy as np

from . import vocabulary as words
from .regions import AFAR
from .shapes import CAPSULE, CENTRE, ROTATION, SIZE, TYPE
from .view import Render

SLACK = 0.02  # how far, as a share of its depth, a point may lie behind the surface seen where it went


def flow(a: Render, b: Render) -> tuple[np.ndarray, np.ndarray]:
    """Say where each pixel of ``a`` went in ``b``.

    Args:
        a, b: renders of one size with the same things in the same order; pose, place and camera may differ.

    Returns:
        float32 [height, width, 2]: (dx, dy) in pixels, right and down; bool [height, width]: whether the point
        is still in the frame and in front in ``b``.

    Raises:
        ValueError: if the two renders differ in size or in their primitives.
    """
    if a.depth.shape != b.depth.shape:
        raise ValueError(f"a is {a.depth.shape}, b is {b.depth.shape}: flow needs renders of one size.")
    if a.clay.rows.shape != b.clay.rows.shape or (a.clay.rows[:, TYPE] != b.clay.rows[:, TYPE]).any():
        raise ValueError(f"a has {len(a.clay.rows)} primitives, b has {len(b.clay.rows)}: flow needs the same things.")
    height, width = a.depth.shape
    afar = np.isin(a.klass, AFAR) & (a.primitive < 0)
    points = _points(a)
    moved = _carry(points.reshape(-1, 3), a.primitive.ravel(), a.clay.rows, b.clay.rows).reshape(points.shape)
    moved[afar] += b.view.eye - a.view.eye  # the sky is endlessly far: only its direction counts
    wall = (a.klass == words.CLASS_ID["wall"]) & (a.primitive < 0)
    moved[wall, 2] += b.clay.wall - a.clay.wall
    at = b.view.project(moved.reshape(-1, 3), height, width).reshape(points.shape)
    i, j = np.mgrid[:height, :width] + 0.5
    motion = np.stack([at[..., 0] - j, at[..., 1] - i], axis=-1)
    return motion.astype(np.float32), _visible(a, b, at)


def _points(a: Render) -> np.ndarray:
    """Give the world point seen in each pixel [height, width, 3]."""
    height, width = a.depth.shape
    v, u = np.mgrid[:height, :width] + 0.5
    u, v = (u / width * 2 - 1) * a.view.tan * width / height, (1 - v / height * 2) * a.view.tan
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ a.view.basis
    return a.view.eye + rays * a.depth[..., None]


def _carry(points: np.ndarray, primitive: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Move points [n, 3] with the primitives they belong to (-1: nothing moves)."""
    turn, scale = _turns(before, after)
    local = points - before[primitive, CENTRE]
    moved = after[primitive, CENTRE] + np.einsum("nij,nj->ni", turn[primitive], local) * scale[primitive, None]
    return np.where((primitive >= 0)[:, None], moved, points)


def _turns(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find how each primitive turned [n, 3, 3] and grew [n]; a capsule's axis is turned the shortest way."""
    was, now = before[:, ROTATION].reshape(-1, 3, 3), after[:, ROTATION].reshape(-1, 3, 3)
    spans = [rows[:, SIZE] - rows[:, CENTRE] * (rows[:, [TYPE]] == CAPSULE) for rows in (before, after)]
    lengths = [np.linalg.norm(s, axis=1) for s in spans]
    units = [np.einsum("nij,nj->ni", r, s) / (n[:, None] + 1e-12)
             for r, s, n in zip((was, now), spans, lengths, strict=True)]  # fmt: skip
    bent = np.where((before[:, TYPE] == CAPSULE)[:, None, None], _shortest(*units), np.eye(3))
    return np.swapaxes(now, 1, 2) @ bent @ was, lengths[1] / (lengths[0] + 1e-12)


def _shortest(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Turn unit vectors ``u`` [n, 3] to ``v`` [n, 3] the shortest way: [n, 3, 3] (Rodrigues)."""
    x, y, z = np.cross(u, v).T
    zero = np.zeros_like(x)
    skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    cosine = (u * v).sum(1)[:, None, None]
    return np.eye(3) + skew + skew @ skew / np.maximum(1 + cosine, 1e-6)


def _visible(a: Render, b: Render, at: np.ndarray) -> np.ndarray:
    height, width = a.depth.shape
    column, row = np.floor(at[..., 0]).astype(int), np.floor(at[..., 1]).astype(int)
    framed = (at[..., 2] > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    there = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
    same = _layer(a) == _layer(b)[there]
    return framed & same & ((a.primitive < 0) | (at[..., 2] - b.depth[there] < SLACK * at[..., 2]))


def _layer(made: Render) -> np.ndarray:
    """Number what can hide one another: instances from 0, ground -1, wall -2, the far away -3."""
    behind = np.select([np.isin(made.klass, AFAR), made.klass == words.CLASS_ID["wall"]], [-3, -2], -1)
    return np.where(made.primitive >= 0, made.instance, behind)
