"""Clay animals that live with us: cat, dog, rabbit, mouse, bird, turtle."""

from __future__ import annotations

import math

import numpy as np

from ..scenes import Thing
from ..shapes import Modeller, look_along, rotation
from .anatomy import Anatomy, Head, eyes

NOSE = (0.03, 0.025, 0.025)
PINK = (0.85, 0.40, 0.45)
BEAK = (0.95, 0.55, 0.04)


def cat(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Sitting cat, 1.4 m: pointed ears, curled tail."""
    fat, big, long = _nature(rng)
    m.part(0.08)
    m.ellipsoid(paint, (0, 0.42, -0.08), (0.29 * fat, 0.42, 0.30), rotation(pitch=0.25))
    for side in (-1, 1):
        m.ellipsoid(paint, (side * 0.24 * fat, 0.17, 0.02), (0.15, 0.17, 0.26))
        m.capsule(paint, (side * 0.12, 0.45, 0.20), (side * 0.13, 0.08, 0.30), 0.09, 0.085)
    _tail(
        m,
        paint,
        [(0.15, 0.10, -0.3), (0.60, 0.06, -0.3), (0.72, 0.50, -0.2), (0.42, 0.60, -0.2), (0.60, 0.86 * long, -0.2)],
        0.075,
        0.065,
    )
    with m.frame((0, 1.0, 0.12), scale=big):
        m.part(0.06)
        m.ellipsoid(paint, (0, 0, 0), (0.32, 0.26, 0.27))
        for side in (-1, 1):
            m.ellipsoid(paint, (side * 0.06, -0.09, 0.22), (0.08, 0.07, 0.07))
            m.capsule(paint, (side * 0.18, 0.16, 0), (side * 0.25, 0.40, -0.02), 0.12, 0.02)
        m.part(0.0)
        m.ellipsoid(PINK, (0, -0.03, 0.285), (0.045, 0.032, 0.03))
        for side in (-1, 1):
            m.ellipsoid(PINK, (side * 0.20, 0.23, 0.09), (0.045, 0.085, 0.03), rotation(roll=-0.28 * side, pitch=-0.3))
        head = _face(m, paint, (0.32, 0.26, 0.27), (0.13, 0.05, 0.05), lip=(-0.07, 0.30), neck=(-0.25, 0.08))
    return Anatomy(head)


def dog(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Standing dog, 1.25 m: long snout, floppy ears, wagging tail."""
    fat, big, long = _nature(rng)
    m.part(0.10)
    m.ellipsoid(paint, (0, 0.50, -0.18), (0.22 * fat, 0.21, 0.42))
    m.capsule(paint, (0, 0.56, 0.10), (0, 0.84, 0.22), 0.19, 0.15)
    for side in (-1, 1):
        m.capsule(paint, (side * 0.14, 0.45, 0.12), (side * 0.15, 0.09, 0.14), 0.11, 0.09)
        m.capsule(paint, (side * 0.14, 0.45, -0.45), (side * 0.15, 0.09, -0.47), 0.13, 0.09)
        for z in (0.20, -0.41):
            m.ellipsoid(paint, (side * 0.15, 0.07, z), (0.095, 0.07, 0.12))
    _tail(
        m, paint, [(0, 0.56, -0.50), (0.10, 0.62, -0.80), (0.34, 0.80, -0.72), (0.44, 1.04 * long, -0.60)], 0.085, 0.06
    )
    with m.frame((0, 0.98, 0.24), scale=big):
        m.part(0.07)
        m.ellipsoid(paint, (0, 0, 0), (0.27, 0.25, 0.25))
        m.capsule(paint, (0, -0.08, 0.16), (0, -0.10, 0.40 * long), 0.14, 0.11)
        tip = 0.40 * long
        m.part(0.0)
        m.ellipsoid(NOSE, (0, -0.03, tip + 0.07), (0.075, 0.055, 0.055))
        m.ellipsoid(PINK, (0, -0.22, tip + 0.01), (0.055, 0.085, 0.035), rotation(pitch=-0.2))
        for side in (-1, 1):
            m.part(0.03)
            m.ellipsoid(
                0.6 * paint, (side * 0.29, -0.06, -0.02), (0.065, 0.27 * long, 0.14), rotation(roll=0.22 * side)
            )
        head = _face(m, paint, (0.27, 0.25, 0.25), (0.105, 0.075, 0.05), lip=(-0.10, tip + 0.11), neck=(-0.27, 0.14))
    return Anatomy(head)


def rabbit(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Sitting rabbit, 1.45 m to the tips of its long upright ears; round tail."""
    fat, big, long = _nature(rng)
    m.part(0.08)
    m.ellipsoid(paint, (0, 0.36, -0.06), (0.27 * fat, 0.36, 0.29), rotation(pitch=0.2))
    for side in (-1, 1):
        m.ellipsoid(paint, (side * 0.22 * fat, 0.19, -0.02), (0.15, 0.19, 0.23))
        m.capsule(paint, (side * 0.21, 0.07, 0.10), (side * 0.23, 0.06, 0.36), 0.075, 0.075)
        m.capsule(paint, (side * 0.13, 0.42, 0.20), (side * 0.07, 0.27, 0.30), 0.075, 0.07)
    m.part(0.0)
    m.ball(0.4 * paint + 0.55, (0, 0.21, -0.46), 0.17)
    with m.frame((0, 0.80, 0.06), scale=1.24 * big):
        m.part(0.06)
        m.ellipsoid(paint, (0, 0, 0), (0.27, 0.24, 0.25))
        for side in (-1, 1):
            lean = rotation(roll=-0.20 * side, pitch=-0.08)
            m.ellipsoid(paint, (side * 0.085, -0.09, 0.18), (0.10, 0.08, 0.09))
            m.ellipsoid(paint, (side * 0.165, 0.38, -0.06), (0.10, 0.30 * long, 0.06), lean)
        m.part(0.0)
        for side in (-1, 1):
            lean = rotation(roll=-0.20 * side, pitch=-0.08)
            m.ellipsoid(PINK, (side * 0.166, 0.40, -0.015), (0.058, 0.21 * long, 0.035), lean)
        m.ellipsoid(PINK, (0, -0.03, 0.265), (0.045, 0.035, 0.03))
        m.box((0.92, 0.92, 0.88), (0, -0.15, 0.245), (0.035, 0.04, 0.02), 0.015)
        head = _face(m, paint, (0.27, 0.24, 0.25), (0.125, 0.05, 0.05), lip=(-0.075, 0.265), neck=(-0.23, 0.13))
    return Anatomy(head)


def mouse(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Upright mouse, 1.2 m: huge round ears, pointed snout, long thin tail."""
    fat, big, long = _nature(rng)
    m.part(0.08)
    m.ellipsoid(paint, (0, 0.33, -0.04), (0.27 * fat, 0.30, 0.27))
    m.ellipsoid(paint, (0, 0.52, 0.0), (0.19, 0.22, 0.19))
    for side in (-1, 1):
        m.ellipsoid(paint, (side * 0.15, 0.06, 0.22), (0.09, 0.06, 0.16))
        m.capsule(paint, (side * 0.16, 0.52, 0.10), (side * 0.09, 0.40, 0.27), 0.06, 0.06)
    skin = 0.5 * paint + 0.5 * np.array(PINK)
    _tail(
        m,
        skin,
        [(0.1, 0.09, -0.2), (0.66, 0, -0.3), (0.86, 0.36, -0.2), (0.50, 0.48, -0.2), (0.76, 0.76 * long, -0.2)],
        0.06,
        0.042,
    )
    with m.frame((0, 0.82, 0.06), scale=big):
        m.part(0.05)
        m.ellipsoid(paint, (0, 0, 0), (0.25, 0.23, 0.25))
        m.capsule(paint, (0, -0.04, 0.12), (0, -0.08, 0.42 * long), 0.16, 0.04)
        tip = 0.42 * long
        for side in (-1, 1):
            m.ellipsoid(paint, (side * 0.30, 0.25, -0.05), (0.24, 0.24, 0.05), rotation(yaw=0.15 * side))
        m.part(0.0)
        for side in (-1, 1):
            m.ellipsoid(PINK, (side * 0.31, 0.25, -0.012), (0.165, 0.165, 0.035), rotation(yaw=0.15 * side))
        m.ball(PINK, (0, -0.07, tip + 0.03), 0.055)
        head = _face(m, paint, (0.25, 0.23, 0.25), (0.115, 0.06, 0.05), lip=(-0.13, tip - 0.04), neck=(-0.23, 0.12))
    return Anatomy(head)


def bird(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Plump bird, 1.2 m: beak, folded wings, tail, two legs."""
    fat, big, long = _nature(rng)
    horn = np.array(BEAK) if np.abs(paint - BEAK).sum() > 0.35 else 0.3 * np.array(BEAK)
    for side in (-1, 1):
        m.part(0.02)
        foot = (side * 0.15, 0.05, 0.04)
        m.capsule(horn, (side * 0.14, 0.30, 0), foot, 0.05, 0.045)
        for x in (-0.11, 0, 0.11):
            m.capsule(horn, foot, (foot[0] + x, 0.04, 0.22 - abs(x) * 0.4), 0.045, 0.04)
    m.part(0.12)
    m.ellipsoid(paint, (0, 0.54, 0), (0.33 * fat, 0.33, 0.37), rotation(pitch=-0.3))
    m.ellipsoid(paint, (0, 0.92, 0.10), (0.27 * big, 0.26 * big, 0.26 * big))
    m.part(0.03)
    for x in (-0.12, 0, 0.12):
        tilt = rotation(yaw=-2 * x, pitch=0.55)
        m.ellipsoid(0.7 * paint, (x, 0.62, -0.50 * long), (0.075, 0.04, 0.26), tilt)
    for side in (-1, 1):
        m.part(0.0)
        turn = rotation(yaw=-0.15 * side, pitch=-0.65, roll=0.25 * side)
        m.ellipsoid(0.7 * paint, (side * 0.34 * fat, 0.55, -0.04), (0.075, 0.19, 0.33 * long), turn)
    with m.frame((0, 0.92, 0.10), scale=big):
        m.part(0.0)
        m.cone(horn, (0, -0.04, 0.33), 0.10, 0.11, 0.01, 0.02, look_along((0, -0.15, 1)))
        head = _face(m, paint, (0.27, 0.26, 0.26), (0.135, 0.06, 0.055), lip=(-0.16, 0.237), neck=(-0.27, 0.27))
    return Anatomy(head)


def turtle(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Turtle on four feet, 1 m: a big domed shell of the paint, head stretched up, skin paler."""
    fat, big, long = _nature(rng)
    skin = 0.7 * paint + 0.3 * np.array((0.70, 0.58, 0.24))
    m.part(0.06)
    for side in (-1, 1):
        m.capsule(skin, (side * 0.33, 0.27, 0.22), (side * 0.43, 0.11, 0.34), 0.14, 0.12)
        m.capsule(skin, (side * 0.33, 0.25, -0.46), (side * 0.42, 0.10, -0.56), 0.13, 0.11)
    m.capsule(skin, (0, 0.27, -0.6), (0, 0.16, -0.86), 0.09, 0.03)
    m.capsule(skin, (0, 0.34, 0.30), (0, 0.64, 0.64), 0.13, 0.13)
    m.part(0.02)
    centre, dome = (0, 0.48, -0.14), np.array((0.53 * fat, 0.39, 0.56))
    m.ellipsoid(paint, centre, dome)
    m.ellipsoid(paint, (0, 0.38, -0.14), (0.62 * fat, 0.085, 0.64))
    m.part(0.0)
    for turn, rise in [(0.0, 1.57), *((k * math.pi / 3 + math.pi / 6, 0.68) for k in range(6))]:
        out = np.array((math.sin(turn) * math.cos(rise), math.sin(rise), math.cos(turn) * math.cos(rise)))
        m.ellipsoid(0.55 * paint, centre + dome * out * 0.985, (0.145, 0.03, 0.145), look_along(out / dome))
    with m.frame((0, 0.74 * long, 0.70), scale=0.95 * big):
        m.part(0.05)
        m.ellipsoid(skin, (0, 0, 0), (0.23, 0.20, 0.24))
        m.ellipsoid(skin, (0, -0.09, 0.11), (0.16, 0.09, 0.18))
        head = _face(m, skin, (0.23, 0.20, 0.24), (0.11, 0.06, 0.05), lip=(-0.07, 0.285), neck=(-0.24, 0.0))
    return Anatomy(head)


def _tail(m: Modeller, paint: np.ndarray, points, thick: float, thin: float) -> None:
    """Add a smooth tail, a Bezier curve steered by ``points`` [n, 3], from radius ``thick`` to ``thin``."""
    points, order = np.array(points, float), len(points) - 1
    t = np.linspace(0, 1, 9)[:, None]
    curve = sum(math.comb(order, k) * t**k * (1 - t) ** (order - k) * p for k, p in enumerate(points))
    m.part(0.0)
    m.chain(paint, curve, np.linspace(thick, thin, len(curve)))


def _nature(rng: np.random.Generator) -> np.ndarray:
    """Draw an animal's own build, each about 1: fatness, size of the head, length of what is long."""
    return 1 + rng.uniform(-0.06, 0.06, 3)


def _face(m: Modeller, paint: np.ndarray, radii, eye: tuple[float, float, float], lip, neck) -> Head:
    """Put eyes on a head and tell where things sit on it.

    Args:
        m: its frame is the head's, origin in the centre.
        paint: the head's; on black fur the eyes get whites.
        radii: of the head's ellipsoid.
        eye: half gap, height, size.
        lip: as in ``Head``.
        neck: as in ``Head``.
    """
    gap, height, size = eye
    white = bool(paint.max() < 0.12)
    size = 0.85 * size if white else size
    surface = radii[2] * math.sqrt(1 - (gap / radii[0]) ** 2 - (height / radii[1]) ** 2)
    eyes(m, gap, height, surface - 0.3 * size, size, white)
    front = surface + (1.05 if white else 0.3) * size
    return Head.here(m, (0, 0, 0), width=radii[0], top=radii[1], eyes=(gap, height, front), lip=lip, neck=neck)
