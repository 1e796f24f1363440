"""Clay animals that live out of doors: bear, lion, horse, elephant, monkey, frog."""

from __future__ import annotations

import math

import numpy as np

from ..scenes import Thing
from ..shapes import Modeller, rotation
from .anatomy import Anatomy, Head, eyes

NOSE = (0.03, 0.025, 0.03)
IVORY = (0.93, 0.90, 0.80)
SIDES = (-1, 1)
ARC = np.linspace(-1.1, 1.1, 7)  # angles along a frog's mouth


def pale(paint: np.ndarray) -> np.ndarray:
    """Give the lighter shade of muzzles and bellies (tan where the paint is already white)."""
    return paint * (0.82, 0.62, 0.45) if paint.min() > 0.6 else 0.42 * paint + 0.58 * np.array((0.93, 0.80, 0.62))


def deep(paint: np.ndarray) -> np.ndarray:
    """Give the darker shade of manes and tails (dark gray where the paint is already black)."""
    return paint + 0.10 if paint.max() < 0.12 else 0.38 * paint


def look(m: Modeller, paint: np.ndarray, gap: float, height: float, depth: float, size: float) -> None:
    """Add eyes that show on any paint: dark ones, on white where the paint is dark."""
    dark = paint.mean() < 0.12
    eyes(m, gap, height, depth, size * (0.8 if dark else 1.0), white=dark)


def _headed(m: Modeller, centre=(0, 0, 0), **where) -> Anatomy:
    """Give the anatomy of an animal whose head's frame is the modeller's present one."""
    return Anatomy(Head.here(m, centre, **where))


def _nose(m: Modeller, depth: float) -> None:
    """Add a big dark nose and the line below it."""
    m.part(0.02)
    m.ellipsoid(NOSE, (0, -0.03, depth), (0.075, 0.052, 0.048))
    m.capsule(NOSE, (0, -0.05, depth + 0.01), (0, -0.13, depth + 0.005), 0.016)


def bear(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Sitting bear, 1.35 m: bulky, small round ears, round pale muzzle."""
    belly, skull = rng.uniform(0.94, 1.08, 2)
    light = pale(paint)
    m.part(0.10)
    m.ellipsoid(paint, (0, 0.46, -0.06), (0.42 * belly, 0.46, 0.37 * belly))
    for side in SIDES:
        m.capsule(paint, (side * 0.24, 0.17, 0.0), (side * 0.36, 0.17, 0.34), 0.18, 0.16)
    m.part(0.03)
    for side in SIDES:
        m.capsule(paint, (side * 0.34, 0.70, 0.02), (side * 0.47, 0.42, 0.24), 0.14, 0.135)
        m.ellipsoid(light, (side * 0.37, 0.18, 0.46), (0.10, 0.10, 0.06))
    with m.frame((0, 1.06, 0.06), scale=skull):
        m.part(0.06)
        m.ellipsoid(paint, (0, 0, 0), (0.36, 0.30, 0.29))
        for side in SIDES:
            m.ellipsoid(paint, (side * 0.27, 0.25, -0.03), (0.115, 0.115, 0.08))
            m.ellipsoid(light, (side * 0.27, 0.25, 0.05), (0.06, 0.06, 0.03))
        m.part(0.03)
        m.ellipsoid(light, (0, -0.09, 0.26), (0.17, 0.135, 0.15))
        _nose(m, 0.39)
        look(m, paint, 0.14, 0.07, 0.262, 0.045)
        return _headed(m, width=0.35, top=0.30, eyes=(0.14, 0.07, 0.285), lip=(-0.11, 0.41), neck=(-0.27, 0.24))


def lion(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Sitting lion, 1.4 m: a ring of dark mane round the face, tufted tail."""
    fluff, skull = rng.uniform(0.94, 1.06, 2)
    light, mane = pale(paint), deep(paint)
    m.part(0.08)
    m.ellipsoid(paint, (0, 0.40, -0.16), (0.31, 0.42, 0.34), rotation(pitch=0.3))
    for side in SIDES:
        m.ellipsoid(paint, (side * 0.27, 0.18, -0.02), (0.16, 0.18, 0.27))
        m.capsule(paint, (side * 0.15, 0.5, 0.16), (side * 0.16, 0.10, 0.28), 0.11, 0.10)
        m.capsule(paint, (side * 0.16, 0.09, 0.28), (side * 0.16, 0.085, 0.36), 0.105, 0.095)
    m.part(0.0)
    points = [(0.2, 0.1, -0.35), (0.50, 0.10, -0.32), (0.63, 0.20, -0.28), (0.68, 0.38, -0.26), (0.66, 0.60, -0.24)]
    m.chain(paint, points, [0.06] * 5)
    m.ellipsoid(mane, (0.65, 0.72, -0.24), (0.12, 0.17, 0.12))
    with m.frame((0, 0.98, 0.14), scale=skull):
        m.part(0.05)
        m.ellipsoid(mane, (0, -0.02, -0.10), (0.38, 0.38, 0.24))
        for angle in np.arange(11) * 2 * math.pi / 11 + math.pi / 2:
            spot = (0.37 * math.cos(angle), 0.36 * math.sin(angle) - 0.02, -0.02)
            m.ellipsoid(mane, spot, (0.15 * fluff, 0.135 * fluff, 0.14), rotation(roll=angle))
        m.part(0.05)
        m.ellipsoid(paint, (0, 0, 0.08), (0.285, 0.265, 0.24))
        for side in SIDES:
            m.ellipsoid(paint, (side * 0.23, 0.24, 0.10), (0.10, 0.10, 0.06))
        m.part(0.03)
        for side in SIDES:
            m.ellipsoid(light, (side * 0.07, -0.10, 0.29), (0.105, 0.085, 0.09))
        m.ellipsoid(light, (0, -0.18, 0.26), (0.09, 0.07, 0.08))
        _nose(m, 0.36)
        look(m, paint, 0.12, 0.08, 0.285, 0.045)
        return _headed(
            m,
            width=0.30,
            top=0.47,
            eyes=(0.12, 0.08, 0.26),
            lip=(-0.09, 0.335),
            neck=(-0.36, 0.16),
            centre=(0, 0, 0.05),
        )


def horse(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Standing horse, 1.5 m: turned a little aside, so that its length shows from the front too."""
    side, (length, skull) = rng.choice(SIDES), rng.uniform(0.95, 1.05, 2)
    dark = deep(paint)
    with m.frame((0, 0, 0), rotation(yaw=1.0 * side), 0.85):
        m.part(0.10)
        m.capsule(paint, (0, 0.70, 0.20), (0, 0.70, -0.26 * length), 0.25, 0.26)
        m.chain(paint, [(0, 0.82, 0.26), (0, 1.10, 0.42), (0, 1.30, 0.46)], [0.20, 0.16, 0.14])
        for x in SIDES:
            for z in (0.26, -0.32 * length):
                m.capsule(paint, (x * 0.15, 0.60, z), (x * 0.16, 0.14, z), 0.13, 0.09)
        m.part(0.03)
        for x in SIDES:
            for z in (0.26, -0.32 * length):
                m.cone(dark, (x * 0.16, 0.08, z), 0.07, 0.115, 0.095)
        m.part(0.06)
        points = [(0, 1.46, 0.36), (0, 1.26, 0.26), (0, 1.04, 0.15), (0, 0.92, -0.02)]
        m.chain(dark, points, [0.10, 0.15, 0.16, 0.08])
        points = [(0, 0.84, -0.46 * length), (0, 0.76, -0.64), (0, 0.48, -0.72), (0, 0.22, -0.68)]
        m.chain(dark, points, [0.07, 0.10, 0.12, 0.05])
        with m.frame((0, 1.36, 0.50), rotation(yaw=-0.6 * side, pitch=0.15), 1.3 * skull):
            return _long_head(m, paint, dark)


def _long_head(m: Modeller, paint: np.ndarray, dark: np.ndarray) -> Anatomy:
    """Add a horse's head about the frame's origin: long nose, upright ears, forelock."""
    m.part(0.05)
    m.ellipsoid(paint, (0, 0.0, 0.0), (0.165, 0.18, 0.18))
    m.capsule(paint, (0, -0.02, 0.05), (0, -0.22, 0.34), 0.145, 0.115)
    for side in SIDES:
        m.capsule(paint, (side * 0.10, 0.14, -0.03), (side * 0.14, 0.28, -0.01), 0.07, 0.02)
    m.ellipsoid(pale(paint), (0, -0.25, 0.37), (0.125, 0.11, 0.11))
    m.part(0.03)
    m.capsule(dark, (0, 0.19, -0.10), (0.02, 0.10, 0.17), 0.10, 0.06)
    m.part(0.0)
    for side in SIDES:
        m.ball(NOSE, (side * 0.06, -0.22, 0.45), 0.032)
        out = rotation(yaw=side * 0.8)
        if paint.mean() < 0.12:
            m.ellipsoid(IVORY, (side * 0.125, 0.03, 0.11), (0.06, 0.07, 0.035), out)
        m.ellipsoid(NOSE, (side * 0.135, 0.03, 0.12), (0.045, 0.055, 0.035), out)
    return _headed(m, width=0.23, top=0.27, eyes=(0.135, 0.03, 0.16), lip=(-0.24, 0.48), neck=(-0.30, 0.0))


def elephant(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Standing elephant, 1.35 m: ears like sails, a long trunk with its tip up, white tusks."""
    flap, skull = rng.uniform(0.93, 1.06), rng.uniform(0.96, 1.05)
    light = pale(paint)
    m.part(0.10)
    m.ellipsoid(paint, (0, 0.66, -0.20), (0.40, 0.38, 0.46))
    for side in SIDES:
        m.capsule(paint, (side * 0.23, 0.50, 0.06), (side * 0.25, 0.12, 0.10), 0.17, 0.155)
        m.capsule(paint, (side * 0.24, 0.45, -0.42), (side * 0.25, 0.12, -0.42), 0.18, 0.155)
    m.capsule(paint, (0, 0.75, -0.62), (0.05, 0.35, -0.74), 0.05, 0.04)
    m.part(0.0)
    for x in (-0.34, -0.25, -0.16, 0.16, 0.25, 0.34):
        m.ball(IVORY, (x, 0.05, 0.245 - 0.8 * abs(abs(x) - 0.25)), 0.045)
    with m.frame((0, 0.98, 0.22), scale=skull):
        m.part(0.06)
        for side in SIDES:
            turn = rotation(yaw=-0.35 * side, roll=-0.2 * side)
            m.ellipsoid(paint, (side * 0.47, 0.0, -0.10), (0.33 * flap, 0.38 * flap, 0.075), turn)
            m.ellipsoid(light, (side * 0.47, -0.02, -0.045), (0.22 * flap, 0.27 * flap, 0.05), turn)
        m.part(0.07)
        m.ellipsoid(paint, (0, 0.02, 0.0), (0.31, 0.32, 0.29))
        trunk = [(0, -0.06, 0.24), (0, -0.30, 0.37), (0.02, -0.52, 0.42), (0.10, -0.68, 0.46)]
        trunk += [(0.24, -0.74, 0.50), (0.37, -0.68, 0.53), (0.41, -0.54, 0.55)]
        m.chain(paint, trunk, [0.165, 0.135, 0.115, 0.105, 0.10, 0.09, 0.085])
        m.part(0.02)
        for side in SIDES:
            tusk = [(side * 0.17, -0.16, 0.20), (side * 0.21, -0.30, 0.38), (side * 0.20, -0.28, 0.54)]
            m.chain(IVORY, tusk, [0.06, 0.052, 0.03])
        look(m, paint, 0.16, 0.06, 0.25, 0.048)
        return _headed(m, width=0.31, top=0.34, eyes=(0.16, 0.06, 0.28), lip=(-0.10, 0.43), neck=(-0.33, 0.26))


def monkey(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Sitting monkey, 1.3 m: pale heart of a face, round ears at the sides, long limbs, curled tail."""
    skull, limb = rng.uniform(0.95, 1.06, 2)
    light = pale(paint)
    m.part(0.06)
    m.ellipsoid(paint, (0, 0.44, -0.06), (0.25, 0.40, 0.23))
    for side in SIDES:
        leg = [(side * 0.16, 0.16, 0.0), (side * 0.44, 0.42, 0.20), (side * 0.40, 0.10, 0.34)]
        arm = [(side * 0.20, 0.70, 0.0), (side * 0.50 * limb, 0.60, 0.10), (side * 0.44, 0.44, 0.34)]
        m.chain(paint, leg, [0.11, 0.09, 0.08])
        m.chain(paint, arm, [0.09, 0.08, 0.075])
        m.ellipsoid(light, (side * 0.42, 0.07, 0.42), (0.09, 0.07, 0.13))
        m.ball(light, (side * 0.43, 0.47, 0.38), 0.09)
    m.ellipsoid(light, (0, 0.42, 0.06), (0.17, 0.26, 0.14))
    m.part(0.0)
    tail = [(0.1, 0.1, -0.25), (0.38, 0.09, -0.28), (0.58, 0.20, -0.28), (0.72, 0.44, -0.27)]
    for a in np.linspace(-0.6, 4.6, 9):
        ring = 0.21 - 0.023 * a
        tail.append((0.58 + ring * math.cos(a), 0.88 + ring * math.sin(a), -0.25))
    m.chain(paint, tail, [0.055] * len(tail))
    with m.frame((0, 1.04, 0.04), scale=skull):
        m.part(0.04)
        m.ellipsoid(paint, (0, 0, 0), (0.30, 0.30, 0.27))
        for side in SIDES:
            m.ellipsoid(paint, (side * 0.36, 0.02, 0.0), (0.15, 0.16, 0.07))
            m.ellipsoid(light, (side * 0.37, 0.02, 0.06), (0.09, 0.10, 0.03))
            m.ellipsoid(light, (side * 0.10, 0.06, 0.19), (0.125, 0.13, 0.09))
        m.ellipsoid(light, (0, -0.12, 0.21), (0.18, 0.13, 0.13))
        m.part(0.0)
        for side in SIDES:
            m.ball(NOSE, (side * 0.035, -0.05, 0.325), 0.022)
        m.chain(NOSE, [(-0.09, -0.13, 0.32), (0, -0.165, 0.335), (0.09, -0.13, 0.32)], [0.017] * 3)
        eyes(m, 0.10, 0.07, 0.275, 0.045)
        return _headed(m, width=0.30, top=0.30, eyes=(0.10, 0.07, 0.30), lip=(-0.10, 0.34), neck=(-0.28, 0.22))


def frog(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Squatting frog, 1.0 m: wide mouth, eyes that bulge on top (hats rest on them), folded hind legs."""
    wide, bulge = rng.uniform(0.95, 1.06, 2)
    light = pale(paint)
    m.part(0.08)
    m.ellipsoid(paint, (0, 0.38, -0.14), (0.40, 0.34, 0.42), rotation(pitch=-0.4))
    for side in SIDES:
        m.capsule(paint, (side * 0.34, 0.20, -0.30), (side * 0.56, 0.34, 0.02), 0.17, 0.13)
        m.capsule(paint, (side * 0.56, 0.32, 0.02), (side * 0.50, 0.09, -0.10), 0.12, 0.09)
        m.capsule(paint, (side * 0.26, 0.36, 0.16), (side * 0.27, 0.09, 0.30), 0.10, 0.075)
        for x in (-0.15, 0.0, 0.15):
            m.capsule(paint, (side * 0.54, 0.06, 0.0), (side * 0.60 + x, 0.05, 0.26), 0.055, 0.06)
            m.capsule(paint, (side * 0.27, 0.06, 0.30), (side * 0.27 + 0.8 * x, 0.05, 0.44), 0.05, 0.05)
    m.ellipsoid(light, (0, 0.36, 0.08), (0.26, 0.26, 0.20))
    with m.frame((0, 0.68, 0.12)):
        m.part(0.05)
        m.ellipsoid(paint, (0, 0.02, 0), (0.44 * wide, 0.22, 0.32))
        m.ellipsoid(light, (0, -0.09, 0.03), (0.42 * wide, 0.17, 0.30))
        for side in SIDES:
            m.ball(paint, (side * 0.25, 0.19, 0.06), 0.165 * bulge)
        m.part(0.0)
        lips = [(0.42 * wide * math.sin(a), 0.1 * math.sin(a) ** 2 - 0.075, 0.335 * math.cos(a)) for a in ARC]
        m.chain(NOSE, lips, [0.022] * len(lips))
        eyes(m, 0.25, 0.21, 0.17, 0.068, white=True)
        return _headed(m, width=0.38, top=0.37, eyes=(0.25, 0.21, 0.26), lip=(0.03, 0.32), neck=(-0.24, 0.26))
