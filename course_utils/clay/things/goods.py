"""Clay things to carry, play with or pick: backpack, suitcase, balloon, car, apple, ball, box, tree, mushroom."""

from __future__ import annotations

import math

import numpy as np

from ..scenes import Thing
from ..shapes import Modeller, look_along, rotation
from .anatomy import Anatomy
from .furniture import DARK, GLASS, PALE, shade, tint

STEEL, LEAF, TRUNK, LAMP = (0.50, 0.51, 0.53), (0.16, 0.45, 0.10), (0.28, 0.16, 0.08), (0.98, 0.93, 0.70)
CLUMPS = (  # of a tree's crown: x, y, z, radius
    (-0.36, 0.90, 0.05, 0.27), (0.36, 0.93, 0.02, 0.27), (-0.20, 1.34, 0.05, 0.28), (0.22, 1.36, 0.00, 0.26),
    (0.02, 0.90, 0.30, 0.24), (0.00, 1.00, -0.30, 0.28), (0.06, 1.20, 0.28, 0.20),
)  # fmt: skip
SIDEWAYS = look_along((1.0, 0.0, 0.0))  # a cylinder with its axis along x


def backpack(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Backpack, 1.3 m: rounded sack with a flap, a front pocket, a handle and straps behind."""
    wide, dark = 0.44 * rng.uniform(0.94, 1.06), shade(paint)
    m.part(0.08)
    m.box(paint, (0, 0.52, 0), (wide, 0.52, 0.27), 0.18)
    m.ellipsoid(paint, (0, 0.93, 0), (wide * 0.98, 0.27, 0.27))
    m.part(0.0)
    m.box(dark, (0, 0.33, 0.26), (wide * 0.74, 0.24, 0.13), 0.09)
    m.part(0.0)
    m.box(tint(paint), (0, 0.46, 0.29), (wide * 0.62, 0.028, 0.12), 0.02)
    m.part(0.0)
    m.chain(dark, [(-0.15, 1.14, -0.02), (-0.12, 1.30, -0.02), (0.12, 1.30, -0.02), (0.15, 1.14, -0.02)], [0.045] * 4)
    for side in (-1, 1):
        m.part(0.0)
        bow = [(0.26, 1.08, -0.24), (0.52, 0.98, -0.24), (0.63, 0.66, -0.2), (0.54, 0.3, -0.14), (0.36, 0.14, -0.12)]
        m.chain(dark, [(side * x * wide / 0.44, y, z) for x, y, z in bow], [0.06, 0.075, 0.075, 0.06, 0.05])
        m.part(0.0)
        m.box(dark, (side * wide * 0.5, 0.80, 0.26), (0.05, 0.17, 0.03), 0.02)
    return Anatomy()


def suitcase(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Travelling case, 1.1 m: upright box, arched handle, two bands, caps on the corners."""
    wide, dark = 0.60 * rng.uniform(0.94, 1.06), shade(paint)
    m.part(0.0)
    m.box(paint, (0, 0.43, 0), (wide, 0.43, 0.21), 0.03)
    for side in (-1, 1):
        m.part(0.0)
        m.box(dark, (side * wide * 0.48, 0.43, 0), (0.06, 0.445, 0.225), 0.02)
        m.part(0.0)
        m.box(STEEL, (side * wide * 0.48, 0.62, 0.22), (0.045, 0.06, 0.025), 0.01)
        for y in (0.09, 0.77):
            m.part(0.0)
            m.box(dark, (side * (wide - 0.075), y, 0), (0.09, 0.105, 0.225), 0.03)
    m.part(0.0)
    m.chain(dark, [(-0.20, 0.84, 0), (-0.17, 1.03, 0), (0.17, 1.03, 0), (0.20, 0.84, 0)], [0.05] * 4)
    return Anatomy()


def balloon(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Balloon, 1.6 m: big and round with a knot, on a string held down by a weight."""
    round_, lift = 0.50 * rng.uniform(0.95, 1.05), rng.uniform(-0.05, 0.05)
    middle = 1.10 + lift
    m.part(0.12)
    m.ellipsoid(paint, (0, middle, 0), (round_, 0.53, round_))
    m.capsule(paint, (0, middle - 0.36, 0), (0, middle - 0.56, 0), 0.24, 0.05)
    m.part(0.0)
    m.cone(paint, (0, middle - 0.62, 0), 0.06, 0.11, 0.03, 0.01)
    m.part(0.0)
    shine = paint + (1 - paint) * 0.7
    m.ellipsoid(shine, (-0.21, middle + 0.24, round_ * 0.77), (0.075, 0.12, 0.05), rotation(roll=-0.5))
    m.part(0.0)
    sway = [(0, middle - 0.65, 0), (0.04, 0.34, 0), (-0.03, 0.20, 0), (0, 0.08, 0)]
    m.chain(PALE, sway, [0.024] * 4)
    m.part(0.0)
    m.cone(STEEL, (0, 0.06, 0), 0.06, 0.12, 0.08, 0.02)
    return Anatomy()


def car(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Toy car, 1.7 m long, standing three quarters on: bonnet, cabin with pale windows, four fat wheels."""
    long, tall = 0.84 * rng.uniform(0.95, 1.05), 0.27 * rng.uniform(0.95, 1.05)
    with m.frame((0, 0, 0), rotation(yaw=0.9)):
        m.part(0.05)
        m.box(paint, (0, 0.42, 0), (0.40, 0.21, long), 0.12)
        m.box(paint, (0, 0.60 + tall / 2, -0.12), (0.34, tall / 2 + 0.09, 0.44), 0.10)
        m.part(0.0)
        m.box(GLASS, (0, 0.62 + tall / 2, -0.12), (0.27, tall / 2 - 0.01, 0.458), 0.02)
        for z in (0.07, -0.31):
            m.part(0.0)
            m.box(GLASS, (0, 0.62 + tall / 2, z), (0.358, tall / 2 - 0.01, 0.15), 0.02)
        for side in (-1, 1):
            for z in (0.52, -0.52):
                m.part(0.0)
                m.cylinder(DARK, (side * 0.36, 0.21, z), 0.21, 0.09, 0.04, SIDEWAYS)
                m.part(0.0)
                m.cylinder(STEEL, (side * 0.41, 0.21, z), 0.10, 0.055, 0.02, SIDEWAYS)
            m.part(0.0)
            m.ellipsoid(LAMP, (side * 0.24, 0.45, long - 0.01), (0.09, 0.09, 0.05))
        m.part(0.0)
        m.box(STEEL, (0, 0.28, 0), (0.36, 0.05, long + 0.03), 0.03)
    return Anatomy()


def apple(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Apple, 1.3 m: broad shoulders round a dimple, a stem and a leaf."""
    fat = 0.35 * rng.uniform(0.95, 1.05)
    with m.frame((0, 0, -0.1), rotation(pitch=0.22)):
        m.part(0.22)
        m.torus(paint, (0, 0.71, 0), 0.27, fat)
        m.torus(paint, (0, 0.43, 0), 0.19, 0.36)
        m.part(0.0)
        m.chain(TRUNK, [(0, 0.80, 0), (0.02, 1.10, 0), (0.09, 1.30, 0)], [0.045, 0.045, 0.06])
        m.part(0.0)
        m.ellipsoid(LEAF, (0.29, 1.21, 0.05), (0.24, 0.05, 0.13), rotation(roll=0.35, pitch=0.5))
    return Anatomy()


def ball(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Rubber ball, 1.2 m across: two caps and a band in another shade between them."""
    up = look_along((rng.uniform(-0.45, 0.45), 1.0, rng.uniform(-0.25, 0.0)))
    centre = (0, 0.6, 0)
    m.part(0.0)
    m.ball(tint(paint), centre, 0.59)
    for cap in (up, up @ rotation(pitch=math.pi)):
        m.part(0.0)
        m.bowl(paint, centre, 0.58, -0.13, 0.02, cap)
    return Anatomy()


def box(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Closed box, 1 m: a cube with an overhanging lid and a strip of tape."""
    wide, tall = 0.48 * rng.uniform(0.95, 1.05), 0.80 * rng.uniform(0.93, 1.07)
    m.part(0.0)
    m.box(paint, (0, tall / 2, 0), (wide, tall / 2, wide), 0.02)
    m.part(0.0)
    m.box(paint, (0, tall, 0), (wide + 0.05, 0.11, wide + 0.05), 0.02)
    m.part(0.0)
    m.box(tint(paint), (0, tall, 0), (0.10, 0.12, wide + 0.06), 0.01)
    m.part(0.0)
    m.box(shade(paint), (0, tall * 0.45, wide), (0.15, 0.05, 0.012), 0.01)
    return Anatomy()


def tree(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Tree, 1.7 m: stout trunk, a crown of clumps."""
    m.part(0.10)
    m.cone(TRUNK, (0, 0.32, 0), 0.34, 0.17, 0.11, 0.02)
    m.capsule(TRUNK, (0, 0.45, 0), (0.24, 0.72, 0.08), 0.07, 0.06)
    m.part(0.12)
    m.ball(paint, (0, 1.10, 0), 0.42)
    for x, y, z, r in CLUMPS:
        m.ball(paint, np.array((x, y, z)) + rng.uniform(-0.04, 0.04, 3), r * rng.uniform(0.93, 1.07))
    return Anatomy()


def mushroom(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Toadstool, 1.2 m: wide domed cap with spots on a pale stem."""
    spots = PALE if paint.min() < 0.7 else shade(paint, 0.4)
    wide = 0.60 * rng.uniform(0.95, 1.05)
    m.part(0.05)
    m.cone(PALE, (0, 0.30, 0), 0.32, 0.24, 0.16, 0.06)
    m.part(0.0)
    m.cylinder(PALE, (0, 0.60, 0), wide - 0.04, 0.03, 0.02)
    m.part(0.03)
    m.bowl(paint, (0, 0.56, 0), wide, -0.06, 0.05, rotation(pitch=math.pi))
    for yaw, height in ((0.0, 0.75), (-0.95, 0.45), (0.9, 0.55), (0.15, 0.22), (2.2, 0.6), (-2.2, 0.6), (-0.4, 1.2)):
        yaw += rng.uniform(-0.1, 0.1)
        flat = math.cos(height)
        out = np.array((flat * math.sin(yaw), math.sin(height), flat * math.cos(yaw)))
        m.part(0.0)
        m.ellipsoid(spots, (0, 0.56, 0) + out * (wide + 0.05), (0.125, 0.045, 0.125), look_along(out))
    return Anatomy()
