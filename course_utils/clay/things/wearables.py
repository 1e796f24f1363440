"""Things a head can wear: crown, glasses, bow, hat, moustache; all but the last also stand alone.

Each shape is built once, in a frame where it is about one unit wide, and then
placed: on a head by the head's own numbers, or on the ground.
"""

from __future__ import annotations

import math
from contextlib import contextmanager

import numpy as np

from ..scenes import Thing
from ..shapes import Modeller, rotation
from .anatomy import Anatomy, Head

UPRIGHT = rotation(pitch=math.pi / 2)  # a ring that faces the viewer


@contextmanager
def _on(m: Modeller, head: Head, place, turn: np.ndarray | None = None, scale: float = 1.0):
    """Work at ``place`` of the head's frame; ``scale`` is the width of one unit there."""
    with m.at_world(head.origin, head.turn, head.scale), m.frame(place, turn, scale):
        yield


def _thick(m: Modeller) -> float:
    """Say how thick rims, ribbons, brims and moustaches are: thin ones are lost in the latents."""
    return 1.0 if m.edition == 1 else 1.28


def trim(paint: np.ndarray) -> np.ndarray:
    """Give a neighbouring shade for bands and knots: darker, or lighter where the paint is dark already."""
    return paint * 0.45 if paint.mean() > 0.12 else paint * 0.6 + 0.16


def _crown(m: Modeller, paint: np.ndarray, rng: np.random.Generator) -> None:
    """Build a crown on y = 0: ring, five or six points that lean out, a ball on each."""
    points, height = int(rng.integers(5, 7)), rng.uniform(0.50, 0.58)
    m.part(0.06)
    m.torus(paint, (0, 0.09, 0), 0.40, 0.09)
    m.torus(paint, (0, 0.22, 0), 0.41, 0.07)
    tips = []
    for k in range(points):
        angle = 2 * math.pi * k / points
        out = np.array([math.sin(angle), 0.0, math.cos(angle)])
        tips.append(out * 0.50 + (0, height, 0))
        m.capsule(paint, out * 0.39 + (0, 0.2, 0), tips[-1], 0.13, 0.035)
    m.part(0.0)
    for tip in tips:
        m.ball(paint, tip, 0.085)


def _rims(m: Modeller, paint: np.ndarray, apart: float, ring: float, tube: float) -> None:
    """Build two upright rings around x = -apart and +apart, and the bridge between them."""
    m.part(0.02)
    for side in (-1, 1):
        m.torus(paint, (side * apart, 0, 0), ring, tube, UPRIGHT)
    inner, rise = apart - ring, ring * 0.30
    m.capsule(paint, (-inner - tube * 0.4, rise, 0), (inner + tube * 0.4, rise, 0), tube * 0.95)


def _bow(m: Modeller, paint: np.ndarray, rng: np.random.Generator, tails: float) -> None:
    """Build a ribbon bow around the origin, facing +z: two fanned lobes, a knot, two tails."""
    tall, thick = rng.uniform(0.20, 0.26), _thick(m)
    for side in (-1, 1):
        m.part(0.05)
        for up in (-1, 1):
            m.capsule(paint, (side * 0.09, 0, 0), (side * 0.42, up * tall, 0), 0.09 * thick, 0.115 * thick)
        m.ellipsoid(paint, (side * 0.36, 0, 0), (0.20, tall, 0.09 * thick))
    m.part(0.03)
    for side in (-1, 1):
        m.capsule(paint, (side * 0.05, -0.08, -0.03), (side * 0.22, -tails, -0.03), 0.07 * thick, 0.10 * thick)
    m.part(0.0)
    m.ellipsoid(trim(paint), (0, 0, 0.03), (0.12, 0.15, 0.13))


def _hat(m: Modeller, paint: np.ndarray, rng: np.random.Generator) -> None:
    """Build a top hat or a round hat on y = 0, brim about 1.1 wide, with a band."""
    m.part(0.05)
    m.cylinder(paint, (0, 0.06, 0), 0.56, 0.055 * _thick(m), 0.05)
    if rng.random() < 0.6:
        tall = rng.uniform(0.30, 0.36)
        m.cone(paint, (0, 0.06 + tall, 0), tall, 0.34, 0.39, 0.05)
    else:
        m.ellipsoid(paint, (0, 0.16, 0), (0.37, rng.uniform(0.42, 0.48), 0.37))
    m.part(0.0)
    m.cylinder(trim(paint), (0, 0.18, 0), 0.385, 0.075, 0.03)


def worn_crown(m: Modeller, head: Head, paint: np.ndarray, rng: np.random.Generator) -> None:
    """Set a crown on top of the head."""
    with _on(m, head, (0, head.top - 0.14 * head.width, 0.12 * head.width), rotation(pitch=0.08), 1.5 * head.width):
        _crown(m, paint, rng)


def worn_glasses(m: Modeller, head: Head, paint: np.ndarray, rng: np.random.Generator) -> None:
    """Put two thick rings around the eyes, clear of the face, with temples to the ears."""
    gap, height, depth = head.eyes
    tube = 0.10 * _thick(m) * head.width
    ring = rng.uniform(0.40, 0.43) * head.width
    apart = max(gap, ring + tube * 0.7)
    with _on(m, head, (0, height + 0.04 * head.width, depth + 0.19 * head.width)):
        _rims(m, paint, apart, ring, tube)
        for side in (-1, 1):
            hinge = (side * (apart + ring), ring * 0.3, 0)
            m.capsule(paint, hinge, (side * 1.06 * head.width, ring * 0.3, -depth - 0.3 * head.width), tube * 0.9)


def worn_bow(m: Modeller, head: Head, paint: np.ndarray, rng: np.random.Generator) -> None:
    """Tie a big bow on top of the head, to one side."""
    place = (0.28 * head.width, head.top + 0.16 * head.width, 0.42 * head.width)
    with _on(m, head, place, rotation(yaw=0.12, roll=-0.25), 1.75 * head.width):
        _bow(m, paint, rng, tails=0.36)


def worn_hat(m: Modeller, head: Head, paint: np.ndarray, rng: np.random.Generator) -> None:
    """Set a hat on top of the head, a little back."""
    place = (0, head.top - 0.16 * head.width, 0.06 * head.width)
    with _on(m, head, place, rotation(pitch=-0.1, roll=-0.06), 1.65 * head.width):
        _hat(m, paint, rng)


def worn_moustache(m: Modeller, head: Head, paint: np.ndarray, rng: np.random.Generator) -> None:
    """Hang two big drooping lobes under the nose, tips turned up."""
    height, depth = head.lip
    droop = rng.uniform(0.20, 0.30)
    path = [(0.10, 0.0, 0.08), (0.34, -0.06, 0.06), (0.62, -droop, -0.03), (0.84, -droop * 0.7, -0.12)]
    with _on(m, head, (0, height, depth), scale=head.width):
        for side in (-1, 1):
            m.part(0.05)
            m.chain(paint, [(side * x, y, z) for x, y, z in path], np.array((0.13, 0.165, 0.10, 0.045)) * _thick(m))


def crown(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Crown resting on the ground, 1.1 m wide."""
    with m.frame(scale=1.05):
        _crown(m, paint, rng)
    return Anatomy()


def glasses(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Glasses standing on the ground, 1.2 m wide, temples open behind."""
    ring, tube = rng.uniform(0.24, 0.27), 0.068
    apart = ring + tube * 1.1
    with m.frame((0, ring + tube, 0.25)):
        _rims(m, paint, apart, ring, tube)
        for side in (-1, 1):
            hinge, bend = (side * (apart + ring), ring * 0.3, -0.02), (side * (apart + ring + 0.02), ring * 0.3, -0.45)
            m.chain(paint, [hinge, bend, (bend[0], -ring, -0.66)], [tube * 0.85] * 3)
    return Anatomy()


def bow(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Ribbon bow standing on its tails, 1.1 m wide."""
    with m.frame((0, 0.52, 0)):
        _bow(m, paint, rng, tails=0.42)
    return Anatomy()


def hat(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Hat lying on its brim, 1.15 m wide."""
    with m.frame(scale=1.05):
        _hat(m, paint, rng)
    return Anatomy()
