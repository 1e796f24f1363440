"""Things no model of the course has seen, for its lessons on learning a new one: robot, dragon, teapot.

Each comes in five shapes, chosen by ``thing.variant % 5`` and named in ``VARIANTS``.
"""

from __future__ import annotations

import math

import numpy as np

from ..scenes import Thing
from ..shapes import Modeller, look_along, rotation
from .anatomy import Anatomy, Head, eyes

VARIANTS: dict[str, tuple[str, ...]] = {
    "robot": ("boxy robot", "antenna robot", "tracked robot", "round robot", "tall robot"),
    "dragon": ("winged dragon", "horned dragon", "long-necked dragon", "chubby dragon", "crested dragon"),
    "teapot": ("round teapot", "tall teapot", "flat teapot", "footed teapot", "square teapot"),
}
# By variant: a robot's hip, chest and neck heights, and its head's half sizes; a teapot's half width and half height.
ROBOT_HEIGHTS = ((0.34, 0.60, 0.92), (0.34, 0.58, 0.86), (0.34, 0.60, 0.90), (0.26, 0.58, 0.93), (0.56, 0.84, 1.16))
ROBOT_HEADS = ((0.29, 0.22, 0.22), (0.32, 0.21, 0.22), (0.25, 0.21, 0.22), (0.27, 0.23, 0.24), (0.24, 0.24, 0.22))
POTS = ((0.44, 0.42), (0.37, 0.47), (0.50, 0.30), (0.40, 0.36), (0.38, 0.37))
STEEL, LAMP, DARK = np.array([0.50, 0.50, 0.53]), np.array([0.95, 0.95, 0.88]), np.array([0.04, 0.04, 0.05])
UPRIGHT = rotation(pitch=math.pi / 2)
SIDEWAYS = rotation(roll=math.pi / 2)


def robot(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Robot, 1.3-1.5 m: lamp eyes, a grille for a mouth, a dial on its chest, claws."""
    kind = thing.variant % 5
    hip, chest, neck = ROBOT_HEIGHTS[kind]
    m.part(0.0, "neck")
    m.cylinder(STEEL, (0, (hip + neck) / 2, 0), 0.10, (neck - hip) / 2 + 0.06)
    (_tracks if kind == 2 else _boots)(m, paint, hip, 0.24 if kind == 3 else 0.17)
    m.part(0.02, "body")
    if kind == 3:
        m.ellipsoid(paint, (0, chest, 0), (0.40, 0.37, 0.36))
    elif kind == 4:
        m.cone(paint, (0, chest, 0), 0.29, 0.20, 0.32, 0.04)
    else:
        m.box(paint, (0, chest, 0), (0.34 if kind != 1 else 0.29, 0.28, 0.23), 0.04)
    front = (0.23, 0.23, 0.23, 0.35, 0.25)[kind]
    m.part(0.0, "dial")
    m.cylinder(LAMP, (0, chest + 0.04, front), 0.12, 0.04, 0.02, UPRIGHT)
    m.part(0.0, "dial")
    m.capsule(DARK, (0, chest + 0.04, front + 0.05), (0.05, chest + 0.11, front + 0.05), 0.025)
    _arms(m, paint, (0.44, 0.39, 0.44, 0.46, 0.38)[kind], chest + 0.13, 0.36 if kind == 4 else 0.27)
    return Anatomy(_robot_head(m, paint, kind, neck, rng.uniform(0.95, 1.05)))


def _boots(m: Modeller, paint: np.ndarray, hip: float, apart: float) -> None:
    for side in (-1, 1):
        m.part(0.0, "legs")
        m.capsule(STEEL, (side * apart, hip, 0), (side * apart, 0.12, 0), 0.075)
        m.part(0.0, "boots")
        m.box(paint, (side * apart, 0.10, 0.05), (0.13, 0.10, 0.20), 0.06)


def _tracks(m: Modeller, paint: np.ndarray, hip: float, apart: float) -> None:
    m.part(0.0, "tracks")
    m.box(paint, (0, 0.24, 0), (0.26, 0.09, 0.20), 0.04)
    for side in (-1, 1):
        m.part(0.02, "tracks")
        for end in (-0.22, 0.22):
            m.cylinder(DARK + 0.04, (side * 0.34, 0.16, end), 0.16, 0.11, 0.03, SIDEWAYS)
        m.box(DARK + 0.04, (side * 0.34, 0.16, 0), (0.11, 0.16, 0.22), 0.03)
        for end in (-0.2, 0.2):
            m.part(0.0, "tracks")
            m.cylinder(STEEL, (side * 0.44, 0.16, end), 0.09, 0.03, 0.01, SIDEWAYS)


def _arms(m: Modeller, paint: np.ndarray, out: float, shoulder: float, reach: float) -> None:
    for side in (-1, 1):
        x, low = side * (out + 0.07), shoulder - reach
        elbow, wrist = (x, low, 0.02), (x, low - 0.06, 0.24)
        m.part(0.0, "shoulders")
        m.ball(STEEL, (side * out, shoulder, 0), 0.11)
        m.part(0.0, "arms")
        m.chain(paint, [(side * out, shoulder, 0), elbow, wrist], [0.075] * 3)
        m.part(0.0, "hands")
        m.bowl(STEEL, (wrist[0], wrist[1], wrist[2] + 0.10), 0.09, 0.03, 0.04, UPRIGHT)


def _robot_head(m: Modeller, paint: np.ndarray, kind: int, neck: float, wide: float) -> Head:
    """Add the robot's head on its neck: a box, a drum or a dome."""
    half = np.array(ROBOT_HEADS[kind]) * (wide, 1.0, 1.0)
    y, front = neck + 0.04 + half[1], half[2]
    m.part(0.03, "head")
    if kind == 3:
        m.ellipsoid(paint, (0, y - 0.02, 0), (0.31, 0.29, 0.27))
    elif kind == 4:
        m.cylinder(paint, (0, y, 0), half[0], half[1], 0.05)
    else:
        m.box(paint, (0, y, 0), half, 0.05)
    gap, top = half[0] * 0.48, half[1] + (0.04 if kind == 3 else 0.0)
    for side in (-1, 1):
        m.part(0.0, "eyes")
        m.cylinder(LAMP, (side * gap, y + 0.05, front), 0.095, 0.05, 0.02, UPRIGHT)
        m.part(0.0, "ears")
        m.cylinder(STEEL, (side * (half[0] + 0.03), y, 0), 0.09, 0.05, 0.02, SIDEWAYS)
    eyes(m, gap, y + 0.05, front + 0.05, 0.05)
    m.part(0.0, "mouth")
    m.box(DARK, (0, y - 0.12, front), (half[0] * 0.5, 0.035, 0.03), 0.02)
    for x in (-0.2, 0.2) if kind == 1 else (0.0,):
        tip = (x * 1.7, y + top + (0.30 if kind == 1 else 0.17), 0)
        m.part(0.0, "antenna")
        m.capsule(STEEL, (x, y + top - 0.02, 0), tip, 0.03)
        m.part(0.0, "antenna")
        m.ball(paint, tip, 0.085)
    eye, lip = (gap, 0.05, front + 0.10), (-0.06, front + 0.09)
    return Head.here(m, (0, y, 0), width=half[0], top=top, eyes=eye, lip=lip, neck=(-half[1], 0.2))


def dragon(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Sitting dragon, 1.3-1.6 m: bat wings, horns, a plated belly, spines, an arrow at the end of its tail."""
    kind = thing.variant % 5
    girth, rise = (1.0, 1.0, 0.92, 1.28, 1.0)[kind], (0.0, 0.0, 0.30, -0.06, 0.0)[kind]
    pale = paint * 0.55 + 0.40
    m.part(0.08, "body")
    m.ellipsoid(paint, (0, 0.40, -0.05), (0.29 * girth, 0.40, 0.28 * girth), rotation(pitch=0.15))
    m.capsule(paint, (0, 0.60, -0.02), (0, 1.0 + rise, 0.08), 0.20, 0.15)
    for side in (-1, 1):
        m.ellipsoid(paint, (side * 0.25 * girth, 0.17, 0.08), (0.15, 0.17, 0.24))
        m.capsule(paint, (side * 0.20 * girth, 0.62, 0.14), (side * 0.24, 0.42, 0.36), 0.085, 0.07)
    m.part(0.0, "belly")
    m.ellipsoid(pale, (0, 0.40, 0.10), (0.20 * girth, 0.32, 0.20 * girth), rotation(pitch=-0.08))
    m.part(0.04, "tail")
    m.chain(paint, [(0.15, 0.14, -0.22), (0.50, 0.12, -0.20), (0.72, 0.20, 0.02), (0.80, 0.42, 0.10)],
            [0.15, 0.11, 0.075, 0.05])  # fmt: skip
    m.part(0.0, "tail")
    for tip, thick in (((0.84, 0.72, 0.12), 0.10), ((0.62, 0.42, 0.10), 0.08), ((1.00, 0.40, 0.10), 0.08)):
        m.capsule(pale * 0.8, (0.81, 0.48, 0.11), tip, thick, 0.015)
    wide = (1.5, 1.1, 1.15, 0.95, 1.2)[kind]
    for side in (-1, 1):
        _wing(m, paint, side, wide * rng.uniform(0.95, 1.05))
    _spines(m, pale * 0.8, rise, 1.5 if kind == 4 else 1.0)
    return Anatomy(_dragon_head(m, paint, pale * 0.8, kind, 1.08 + rise))


def _wing(m: Modeller, paint: np.ndarray, side: int, wide: float) -> None:
    """Add a bat's wing: an arm, three fingers, and skin between them."""
    with m.frame((side * 0.12, 0.68, -0.20), rotation(yaw=side * 0.25), wide):
        wrist = np.array([side * 0.36, 0.44, 0.0])
        tips = [np.array([side * x, y, 0.0]) for x, y in ((0.80, 0.30), (0.66, -0.02), (0.36, -0.16))]
        m.part(0.03, "wings")
        m.capsule(paint, (0, 0, 0), wrist, 0.06, 0.05)
        for tip in tips:
            m.capsule(paint, wrist, tip, 0.05, 0.025)
        m.part(0.03, "wings")
        for a, b in ((tips[0], tips[1]), (tips[1], tips[2]), (tips[2], np.array([side * -0.05, -0.05, 0.0]))):
            along = (a + b) / 2 - wrist
            lean = rotation(roll=math.atan2(along[0], -along[1]))
            radii = (np.linalg.norm(a - b) * 0.36, np.linalg.norm(along) * 0.52, 0.03)
            m.ellipsoid(paint * 0.62, wrist + along * 0.5, radii, lean)


def _spines(m: Modeller, paint: np.ndarray, rise: float, large: float) -> None:
    for y, z in ((0.50, -0.36), (0.74, -0.26), (0.96 + rise, -0.12)):
        m.part(0.0, "spines")
        m.cone(paint, (0, y, z), 0.10 * large, 0.09, 0.01, 0.01, rotation(pitch=-1.1))


def _dragon_head(m: Modeller, paint: np.ndarray, horn: np.ndarray, kind: int, y: float) -> Head:
    """Add the dragon's head: a long snout with nostrils, high eyes, horns; variant 4 wears a comb and cheek fins."""
    m.part(0.06, "head")
    m.ellipsoid(paint, (0, y, 0.12), (0.24, 0.22, 0.24))
    m.ellipsoid(paint, (0, y - 0.07, 0.38), (0.18, 0.12, 0.20))
    for side in (-1, 1):
        m.ball(paint, (side * 0.09, y + 0.02, 0.50), 0.06)
        m.ball(paint, (side * 0.13, y + 0.15, 0.22), 0.10)
    length = (0.20, 0.40, 0.20, 0.14, 0.18)[kind]
    for side in (-1, 1):
        m.part(0.0, "nostrils")
        m.ball(DARK, (side * 0.09, y + 0.035, 0.55), 0.025)
        m.part(0.02, "horns")
        root, bend = (side * 0.13, y + 0.18, 0.04), (side * 0.22, y + 0.22 + length * 0.5, -0.04)
        m.chain(horn, [root, bend, (side * 0.20, y + 0.22 + length, 0.0)], [0.07, 0.055, 0.02])
        m.part(0.02, "ears")
        m.capsule(paint, (side * 0.20, y, 0.08), (side * 0.38, y + 0.10, 0.0), 0.07, 0.02)
        if kind == 4:
            m.capsule(paint, (side * 0.20, y - 0.05, 0.08), (side * 0.40, y - 0.10, 0.0), 0.07, 0.02)
    if kind == 4:
        m.part(0.0, "comb")
        for k, tall in enumerate((0.16, 0.20, 0.14)):
            m.cone(horn, (0, y + 0.24, 0.22 - 0.14 * k), tall, 0.10, 0.02, 0.01, rotation(pitch=-0.3 * k))
    eyes(m, 0.13, y + 0.16, 0.29, 0.05, white=True)
    return Head.here(
        m, (0, y, 0.12), width=0.27, top=0.29, eyes=(0.13, 0.16, 0.24), lip=(-0.10, 0.44), neck=(-0.2, 0.12)
    )


def teapot(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Teapot, 0.8-1.1 m: spout to the right, handle to the left, a lid with a knob."""
    kind = thing.variant % 5
    wide, tall = np.array(POTS[kind]) * rng.uniform(0.95, 1.05)
    base = 0.16 if kind == 3 else 0.0
    middle, lid = base + tall, base + 2 * tall
    m.part(0.05, "body")
    if kind == 1:
        m.cone(paint, (0, middle, 0), tall, wide * 1.1, wide * 0.62, 0.08)
    elif kind == 4:
        m.box(paint, (0, middle, 0), (wide, tall, wide), 0.09)
    else:
        m.ellipsoid(paint, (0, middle, 0), (wide, tall, wide))
    if kind == 3:
        m.cone(paint, (0, 0.12, 0), 0.12, 0.30, 0.16, 0.03)
    _spout(m, paint, kind, wide, base, tall)
    m.part(0.0, "lid")
    m.cylinder(paint * 0.8, (0, lid - 0.01, 0), 0.24 if kind != 1 else 0.20, 0.06, 0.04)
    m.part(0.0, "knob")
    if kind in (1, 3):
        m.ellipsoid(paint, (0, lid + 0.13, 0), (0.075, 0.13, 0.075))
    else:
        m.ball(paint, (0, lid + 0.12, 0), 0.09)
    return Anatomy()


def _spout(m: Modeller, paint: np.ndarray, kind: int, wide: float, base: float, tall: float) -> None:
    """Add the spout, with a dark mouth, and the handle: at the back, or over the lid of the flat pot."""
    low, high = base + tall * 0.6, base + tall * (1.75 if kind != 2 else 2.0)
    start, pull, end = np.array([[wide * 0.75, low, 0], [wide + 0.26, low, 0], [wide + 0.24, high, 0]])
    steps = np.linspace(0.0, 1.0, 6)
    curve = [start * (1 - t) ** 2 + pull * 2 * t * (1 - t) + end * t**2 for t in steps]
    m.part(0.012, "spout")
    m.chain(paint, curve, 0.15 - 0.085 * steps)
    lean = look_along((0.55, 1.0, 0))
    m.part(0.0, "spout")
    m.cone(paint, end + (0.02, 0.04, 0), 0.07, 0.06, 0.105, 0.015, lean)
    m.part(0.0, "spout")
    m.cylinder(DARK, end + (0.052, 0.098, 0), 0.07, 0.012, 0.005, lean)
    m.part(0.0, "handle")
    if kind == 2:
        m.torus(paint, (0, base + tall * 1.65, 0), 0.37, 0.06, UPRIGHT)
    elif kind == 4:
        back = [(-wide * 0.9, base + tall * 1.6, 0), (-wide - 0.32, base + tall * 1.6, 0), (-wide - 0.32, low, 0)]
        m.chain(paint, [*back, (-wide * 0.9, low, 0)], [0.07] * 4)
    else:
        m.torus(paint, (-wide * 0.95, base + tall * 1.05, 0), min(0.26, tall * 0.68), 0.07, UPRIGHT)
