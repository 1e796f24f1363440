"""Clay animals that live with us: cat, dog, rabbit, mouse, bird, turtle."""

from __future__ import annotations

import numpy as np

from ..scene import Thing
from ..shapes import Modeller, rotation
from .anatomy import Anatomy, Head, eyes


def cat(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Sitting cat, 1.3 m: pointed ears, curled tail."""
    m.part(0.08)
    m.ellipsoid(paint, (0, 0.42, -0.08), (0.30, 0.42, 0.30), rotation(pitch=0.25))
    for side in (-1, 1):
        m.ellipsoid(paint, (side * 0.24, 0.17, 0.02), (0.15, 0.17, 0.26))
        m.capsule(paint, (side * 0.13, 0.45, 0.20), (side * 0.14, 0.08, 0.30), 0.09, 0.085)
    m.part(0.05)
    m.chain(paint, [(0.2, 0.1, -0.3), (0.52, 0.12, -0.3), (0.64, 0.4, -0.25), (0.54, 0.68, -0.25)], [0.06] * 4)
    m.part(0.06)
    m.ellipsoid(paint, (0, 1.02, 0.12), (0.30, 0.26, 0.26))
    m.ellipsoid(paint, (0, 0.94, 0.33), (0.12, 0.09, 0.08))
    for side in (-1, 1):
        m.capsule(paint, (side * 0.17, 1.18, 0.12), (side * 0.23, 1.42, 0.10), 0.11, 0.02)
    m.part(0.0)
    m.ellipsoid((0.85, 0.40, 0.45), (0, 0.99, 0.42), (0.04, 0.03, 0.03))
    eyes(m, 0.12, 1.07, 0.355, 0.045)
    return Anatomy(
        Head.here(m, (0, 1.02, 0.12), width=0.30, top=0.24, eyes=(0.12, 0.05, 0.25), lip=(-0.09, 0.30), neck=(-0.24, 0.2))
    )
