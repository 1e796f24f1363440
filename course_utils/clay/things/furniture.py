"""Clay things of a room or a street: chair, bench, clock, bowl, house, painting."""

from __future__ import annotations

import math

import numpy as np

from ..scenes import Thing
from ..shapes import Modeller, rotation
from .anatomy import Anatomy

PALE, DARK, WOOD, GLASS = (0.88, 0.87, 0.80), (0.035, 0.035, 0.04), (0.45, 0.27, 0.12), (0.50, 0.74, 0.92)
PICTURE = 1  # marks a canvas: ``compose`` puts the texture's own index here, or -1 for a blank one
FACING = rotation(pitch=math.pi / 2)  # a cylinder or ring whose flat side faces the viewer


def shade(paint: np.ndarray, by: float = 0.55) -> np.ndarray:
    """Darken a paint to ``by`` of itself; a near-black one is lightened instead, or the detail would not show."""
    return np.clip(paint * by, 0.02, 1.0) if paint.max() > 0.1 else paint + 0.11


def tint(paint: np.ndarray, by: float = 0.45) -> np.ndarray:
    """Mix ``by`` white into a paint; a near-white one is darkened instead, or the detail would not show."""
    return paint + (1 - paint) * by * (0.4 if paint.max() < 0.1 else 1.0) if paint.min() < 0.7 else paint * 0.62


def chair(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Kitchen chair, 1.35 m: one seat, four stout legs, a tall closed back."""
    tall, wide = 1.3 * rng.uniform(0.95, 1.05), 0.36 * rng.uniform(0.94, 1.06)
    for side in (-1, 1):
        m.part(0.0)
        m.box(paint, (side * wide * 0.86, 0.27, 0.28), (0.06, 0.27, 0.06), 0.02)
        m.part(0.0)
        m.box(paint, (side * wide * 0.86, tall / 2, -0.30), (0.06, tall / 2, 0.06), 0.02)
    m.part(0.0)
    m.box(paint, (0, 0.56, 0.0), (wide, 0.06, 0.38), 0.02)
    m.part(0.0)
    m.box(tint(paint, 0.25), (0, 0.63, 0.04), (wide * 0.84, 0.05, 0.29), 0.04)
    m.part(0.0)
    m.box(paint, (0, tall - 0.24, -0.30), (wide * 0.95, 0.26, 0.045), 0.02)
    return Anatomy()


def bench(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Park bench, 1.9 m wide: three slats to sit on, three to lean on, dark iron sides."""
    half = 0.95 * rng.uniform(0.93, 1.05)
    lean = rotation(pitch=-0.18)
    for z in (-0.17, 0.06, 0.29):
        m.part(0.0)
        m.box(paint, (0, 0.50, z), (half, 0.045, 0.085), 0.02)
    for k in range(3):
        m.part(0.0)
        m.box(paint, (0, 0.70 + 0.225 * k, -0.32 - 0.04 * k), (half, 0.08, 0.04), 0.02, lean)
    for side in (-1, 1):
        x = side * half * 0.78
        m.part(0.0)
        m.box(DARK, (x, 0.22, 0.30), (0.06, 0.22, 0.06), 0.02)
        m.box(DARK, (x, 0.22, -0.24), (0.06, 0.22, 0.06), 0.02)
        m.box(DARK, (x, 0.42, 0.03), (0.06, 0.04, 0.33), 0.02)
        m.box(DARK, (x, 0.78, -0.39), (0.06, 0.40, 0.04), 0.02, lean)
    return Anatomy()


def clock(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Alarm clock, 1.4 m: thick coloured rim, pale face, two chunky hands at a chance hour, bells and feet."""
    hours = rng.uniform(0, 12)
    for side in (-1, 1):
        m.part(0.0)
        m.capsule(paint, (side * 0.26, 0.25, 0), (side * 0.40, 0.07, 0.03), 0.09, 0.07)
        m.part(0.0)
        m.ellipsoid(paint, (side * 0.34, 1.20, 0), (0.23, 0.15, 0.18), rotation(roll=-side * 0.6))
    m.part(0.04)
    m.cylinder(paint, (0, 0.68, 0), 0.58, 0.15, 0.05, FACING)
    m.torus(paint, (0, 0.68, 0.14), 0.51, 0.075, FACING)
    m.part(0.0)
    m.cylinder(PALE, (0, 0.68, 0.14), 0.45, 0.03, 0.01, FACING)
    m.part(0.0)
    for k in range(12):
        a, big = k * math.pi / 6, k % 3 == 0
        half = (0.030, 0.055, 0.02) if big else (0.019, 0.03, 0.02)
        m.box(DARK, (0.36 * math.sin(a), 0.68 + 0.36 * math.cos(a), 0.165), half, 0.008, rotation(roll=-a))
    for turn, length, radius in ((hours / 12, 0.19, 0.047), (hours % 1, 0.30, 0.036)):
        a = turn * 2 * math.pi
        m.part(0.0)
        m.capsule(DARK, (0, 0.68, 0.19), (length * math.sin(a), 0.68 + length * math.cos(a), 0.19), radius)
    m.part(0.0)
    m.ball(paint, (0, 0.68, 0.2), 0.065)
    return Anatomy()


def bowl(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Empty bowl, 1.3 m across, tipped towards the viewer, a paler inside and a foot."""
    radius = 0.64 * rng.uniform(0.95, 1.05)
    tip = rotation(pitch=0.40)
    m.part(0.03)
    m.cone(paint, (0, 0.07, 0), 0.07, 0.30, 0.22, 0.02)
    m.bowl(paint, (0, radius + 0.1, 0), radius, -0.04, 0.045, tip)
    m.part(0.0)
    m.bowl(tint(paint, 0.3), (0, radius + 0.1, 0), radius - 0.055, -0.04, 0.015, tip)
    return Anatomy()


def house(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Little house, 1.4 m: steep roof in a darker shade, door, two windows, chimney."""
    half, depth, eaves = 0.52 * rng.uniform(0.96, 1.04), 0.45, 0.66 * rng.uniform(0.94, 1.06)
    roof, slope = shade(paint), half * math.sqrt(0.5)
    m.part(0.0)
    m.box(paint, (0, eaves / 2, 0), (half, eaves / 2, depth), 0.02)
    m.box(paint, (0, eaves, 0), (slope, slope, depth), 0.02, rotation(roll=math.pi / 4))  # the gable
    for side in (-1, 1):
        m.part(0.0)
        centre = (side * (half / 2 + 0.055), eaves + half / 2 - 0.01, 0)
        m.box(roof, centre, (slope + 0.11, 0.05, depth + 0.1), 0.02, rotation(roll=-side * math.pi / 4))
    m.part(0.0)
    m.box(paint, (0.30, eaves + 0.42, -0.15), (0.09, 0.26, 0.09), 0.02)
    m.part(0.0)
    m.box(WOOD, (0, 0.22, depth), (0.13, 0.22, 0.03), 0.02)
    m.part(0.0)
    m.ball(PALE, (0.08, 0.22, depth + 0.04), 0.028)
    for side in (-1, 1):
        for grow, colour in ((0.03, PALE), (0.0, GLASS)):
            m.part(0.0)
            m.box(colour, (side * 0.32, 0.42, depth), (0.10 + grow, 0.11 + grow, 0.05 - grow), 0.01)
    return Anatomy()


def painting(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Painting on a wooden easel, 1.5 m: the frame carries the paint, the canvas shows a picture."""
    lean = rotation(pitch=-0.14)
    for foot, top in (((-0.48, 0.0, 0.16), (-0.09, 1.52, -0.14)), ((0.48, 0.0, 0.16), (0.09, 1.52, -0.14)),
                      ((0.0, 0.0, -0.60), (0.0, 1.52, -0.18))):  # fmt: skip
        m.part(0.0)
        m.capsule(WOOD, foot, top, 0.05, 0.045)
    with m.frame((0, 0.90, 0.10), lean):
        m.part(0.0)
        m.box(WOOD, (0, -0.56, 0.06), (0.60, 0.045, 0.11), 0.02)
        for side in (-1, 1):
            m.part(0.0)
            m.box(paint, (side * 0.465, 0, 0.04), (0.065, 0.53, 0.07), 0.02)
            m.box(paint, (0, side * 0.465, 0.04), (0.53, 0.065, 0.07), 0.02)
        m.part(0.0)
        m.box(PALE, (0, 0, 0.035), (0.41, 0.41, 0.04), 0.01, texture=PICTURE)
    return Anatomy()
