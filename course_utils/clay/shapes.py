"""Signed-distance primitives, collected as rows of one array.

A ``Modeller`` is the sculptor's hand: it holds a frame (origin, rotation, scale),
the class and instance it is working for, and a list of rows. Primitives of one
``part`` melt into each other (smooth union); parts touch with a hard edge.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

ELLIPSOID, CAPSULE, BOX, CYLINDER, TORUS, CONE, BOWL = range(7)

# Columns of a primitive row.
TYPE, PART, CLASS, INSTANCE = 0, 1, 2, 3
PAINT = slice(4, 7)
CENTRE = slice(7, 10)  # a capsule's first end
SIZE = slice(10, 13)  # a capsule's second end
RADIUS, RADIUS_B, BLEND = 13, 14, 15
ROTATION = slice(16, 25)  # world to local, row major
TEXTURE = 25  # -1: plain paint
INVERSE = slice(26, 29)  # filled by ``parts``: 1 / radii of an ellipsoid, 1 / length squared of a capsule
COLUMNS = 29


def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Build a local-to-world rotation matrix [3, 3]; angles in radians.

    Positive yaw turns the front (+z) to +x, positive pitch nods the front down,
    positive roll tips +x up towards +y. Applied as yaw, then pitch, then roll.
    """
    cy, sy, cx, sx, cz, sz = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    tip = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return turn @ nod @ tip


def look_along(direction, up=(0.0, 1.0, 0.0)) -> np.ndarray:
    """Build a rotation [3, 3] whose local +y points along ``direction`` (for cylinders, cones, bowls)."""
    y = np.asarray(direction, float)
    y = y / (np.linalg.norm(y) + 1e-12)
    z = np.asarray(up, float)
    if abs(y @ z) > 0.95:
        z = np.array([0.0, 0.0, 1.0])
    x = np.cross(y, z)
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], axis=1)


@dataclass
class Modeller:
    """Collects primitives; positions and sizes are in the current local frame.

    ``edition`` and ``ground`` (linear RGB, what the things stand on) tell the sculptors how to paint.
    """

    rows: list[np.ndarray] = field(default_factory=list)
    origin: np.ndarray = field(default_factory=lambda: np.zeros(3))
    turn: np.ndarray = field(default_factory=lambda: np.eye(3))
    scale: float = 1.0
    class_id: int = 0
    instance: int = 0
    edition: int = 1
    ground: np.ndarray | None = None
    names: list[str] = field(default_factory=list)
    _name: str = ""
    _part: int = -1
    _blend: float = 0.06

    @contextmanager
    def frame(self, origin=(0, 0, 0), turn: np.ndarray | None = None, scale: float = 1.0):
        """Work inside a nested frame: ``with m.frame((0, 1, 0), rotation(yaw=.3), 0.5):``."""
        kept = self.origin, self.turn, self.scale
        self.origin = self.world(origin)
        self.turn = self.turn @ (np.eye(3) if turn is None else turn)
        self.scale = self.scale * scale
        try:
            yield self
        finally:
            self.origin, self.turn, self.scale = kept

    @contextmanager
    def at_world(self, origin, turn: np.ndarray, scale: float):
        """Work inside a frame given in world values (a head's), whatever the present frame is."""
        kept = self.origin, self.turn, self.scale
        self.origin, self.turn, self.scale = np.asarray(origin, float), turn, scale
        try:
            yield self
        finally:
            self.origin, self.turn, self.scale = kept

    def world(self, point) -> np.ndarray:
        """Carry a local point [3] to the world."""
        return self.origin + self.scale * (self.turn @ np.asarray(point, float))

    def part(self, blend: float = 0.06, name: str = "") -> None:
        """Start a new part; its primitives melt together over ``blend`` local units.

        Args:
            blend: how far.
            name: what it is of the thing, such as "tail"; both arms may share one.
        """
        self._part += 1
        self._name = name
        self._blend = blend * self.scale

    def ellipsoid(self, paint, centre, radii, turn=None):
        """Add an ellipsoid; ``radii`` along local x, y, z."""
        self._add(ELLIPSOID, paint, self.world(centre), np.asarray(radii, float) * self.scale, turn=turn)

    def ball(self, paint, centre, radius: float):
        """Add a ball."""
        self.ellipsoid(paint, centre, (radius, radius, radius))

    def capsule(self, paint, a, b, radius: float, radius_b: float | None = None):
        """Add a limb from ``a`` to ``b``, tapering from ``radius`` to ``radius_b``."""
        end = radius if radius_b is None else radius_b
        self._add(CAPSULE, paint, self.world(a), self.world(b), radius * self.scale, end * self.scale)

    def chain(self, paint, points, radii):
        """Add capsules through ``points`` [n, 3] with ``radii`` [n] (tails, trunks, handles)."""
        for a, b, r, s in zip(points, points[1:], radii, radii[1:], strict=False):
            self.capsule(paint, a, b, r, s)

    def box(self, paint, centre, half, rounding: float = 0.03, turn=None, texture: int = -1):
        """Add a rounded box; ``half`` are half sizes; ``texture`` paints its +z face."""
        self._add(
            BOX, paint, self.world(centre), np.asarray(half, float) * self.scale, rounding * self.scale, turn=turn
        )
        self.rows[-1][TEXTURE] = texture

    def cylinder(self, paint, centre, radius: float, half_height: float, rounding: float = 0.02, turn=None):
        """Add a rounded cylinder whose axis is local y."""
        size = np.array([radius, half_height, 0.0]) * self.scale
        self._add(CYLINDER, paint, self.world(centre), size, rounding * self.scale, turn=turn)

    def torus(self, paint, centre, ring: float, tube: float, turn=None):
        """Add a ring of radius ``ring`` lying in the local xz plane."""
        self._add(TORUS, paint, self.world(centre), np.array([ring, 0, 0]) * self.scale, tube * self.scale, turn=turn)

    def cone(self, paint, centre, half_height: float, bottom: float, top: float, rounding: float = 0.02, turn=None):
        """Add a capped cone along local y: radius ``bottom`` at -half_height, ``top`` at +half_height."""
        size = np.array([half_height, bottom, top]) * self.scale
        self._add(CONE, paint, self.world(centre), size, rounding * self.scale, turn=turn)

    def bowl(self, paint, centre, radius: float, cut: float, thickness: float, turn=None):
        """Add a hollow ball opened at height ``cut`` (-radius..radius) above its centre, open to local +y."""
        size = np.array([radius, cut, 0.0]) * self.scale
        self._add(BOWL, paint, self.world(centre), size, thickness * self.scale, turn=turn)

    def _add(self, kind, paint, centre, size, radius=0.0, radius_b=0.0, turn=None):
        if self._part < 0:
            self.part()
        row = np.zeros(COLUMNS)
        row[[TYPE, PART, CLASS, INSTANCE, TEXTURE]] = kind, self._part, self.class_id, self.instance, -1
        row[PAINT], row[CENTRE], row[SIZE] = paint, centre, size
        row[RADIUS], row[RADIUS_B], row[BLEND] = radius, radius_b, self._blend
        local = self.turn if turn is None else self.turn @ turn
        row[ROTATION] = local.T.reshape(-1)
        self.rows.append(row)
        self.names.append(self._name)


def bounding_spheres(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Enclose each primitive of ``rows`` [n, COLUMNS] in a sphere: centres [n, 3], radii [n]."""
    kind, size, r = rows[:, TYPE].astype(int), rows[:, SIZE], rows[:, RADIUS]
    centre = rows[:, CENTRE].copy()
    caps = kind == CAPSULE
    reach = np.select(
        [kind == ELLIPSOID, kind == BOX, kind == CYLINDER, kind == TORUS, kind == CONE, kind == BOWL],
        [size.max(1), np.linalg.norm(size, axis=1), np.hypot(size[:, 0], size[:, 1]), size[:, 0] + r,
         np.hypot(size[:, 0], np.maximum(size[:, 1], size[:, 2])) + r, size[:, 0] + r],
        0.0,
    )  # fmt: skip
    centre[caps] = (rows[caps, CENTRE] + rows[caps, SIZE]) / 2
    half = np.linalg.norm(rows[caps, SIZE] - rows[caps, CENTRE], axis=1) / 2
    reach[caps] = half + np.maximum(r[caps], rows[caps, RADIUS_B])
    return centre, reach


def outline_spheres(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Enclose ``rows`` [n, COLUMNS] tightly, a box by its corners, a limb by its ends: centres [k, 3], radii [k]."""
    kind = rows[:, TYPE].astype(int)
    boxes, limbs = rows[kind == BOX], rows[kind == CAPSULE]
    signs = np.stack(np.meshgrid(*[(-1, 1)] * 3), axis=-1).reshape(8, 3)
    local = signs * (boxes[:, SIZE] - boxes[:, RADIUS, None])[:, None]
    corners = boxes[:, None, CENTRE] + local @ boxes[:, ROTATION].reshape(-1, 3, 3)
    centre, reach = bounding_spheres(rows[(kind != BOX) & (kind != CAPSULE)])
    return (
        np.concatenate([centre, corners.reshape(-1, 3), limbs[:, CENTRE], limbs[:, SIZE]]),
        np.concatenate([reach, np.repeat(boxes[:, RADIUS], 8), limbs[:, RADIUS], limbs[:, RADIUS_B]]),
    )


def lowest(rows: np.ndarray) -> float:
    """Find the height of the lowest point of ``rows`` [n, COLUMNS] (melting and bowls not counted)."""
    kind, size, r = rows[:, TYPE].astype(int), rows[:, SIZE], rows[:, RADIUS]
    up = rows[:, ROTATION].reshape(-1, 3, 3)[:, :, 1]  # how far each local axis points up
    flat = np.sqrt(np.maximum(1 - up[:, 1] ** 2, 0.0))  # the same of a disc across the local y axis
    reach = np.select(
        [kind == ELLIPSOID, kind == BOX, kind == CYLINDER, kind == TORUS, kind == CONE],
        [np.linalg.norm(up * size, axis=1), (np.abs(up) * size).sum(1),
         np.abs(up[:, 1]) * size[:, 1] + flat * size[:, 0], flat * size[:, 0] + r,
         r + np.maximum(up[:, 1] * size[:, 0] + flat * size[:, 1], -up[:, 1] * size[:, 0] + flat * size[:, 2])],
        r,
    )  # fmt: skip
    low = rows[:, CENTRE][:, 1] - reach
    caps = kind == CAPSULE
    low[caps] = np.minimum(low[caps], rows[caps, SIZE][:, 1] - rows[caps, RADIUS_B])
    return float(low.min())


def parts(rows: np.ndarray) -> np.ndarray:
    """Group consecutive rows by part: [n_parts, 8].

    Columns: first row, end row, sphere centre (3), radius, blend, 1 / (4 blend). Also fills
    the rows' ``INVERSE`` columns, so that the tracer never divides.
    """
    length = ((rows[:, SIZE] - rows[:, CENTRE]) ** 2).sum(1, keepdims=True)
    capsule = rows[:, [TYPE]] == CAPSULE
    rows[:, INVERSE] = 1 / np.maximum(np.where(capsule, length, rows[:, SIZE]), 1e-9)
    centre, reach = bounding_spheres(rows)
    starts = np.flatnonzero(np.r_[True, np.diff(rows[:, PART]) != 0])
    out = np.zeros((len(starts), 8))
    for k, (a, b) in enumerate(zip(starts, np.r_[starts[1:], len(rows)], strict=True)):
        low, high = (centre[a:b] - reach[a:b, None]).min(0), (centre[a:b] + reach[a:b, None]).max(0)
        middle = (low + high) / 2
        radius = (np.linalg.norm(centre[a:b] - middle, axis=1) + reach[a:b]).max() + rows[a, BLEND] / 4
        out[k] = a, b, *middle, radius, rows[a, BLEND], 0.25 / max(rows[a, BLEND], 1e-9)
    return out
