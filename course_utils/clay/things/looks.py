"""What is one person's own: skin, hair, lips, build, and clothes that are told from skin and ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..shapes import Modeller

SKINS = ((0.93, 0.66, 0.50), (0.80, 0.50, 0.32), (0.52, 0.29, 0.17), (0.27, 0.14, 0.085))
HAIRS = ((0.035, 0.028, 0.026), (0.20, 0.09, 0.035), (0.78, 0.52, 0.14), (0.48, 0.13, 0.035), (0.52, 0.50, 0.48))
# Which of them go with each skin.
HAIRS_OF = ((0, 0, 1, 1, 2, 2, 3, 3, 4), (0, 0, 1, 1, 2, 2, 3, 3, 4), (0, 0, 0, 1, 1, 1, 4), (0, 0, 0, 0, 0, 4))
SHOES = np.array((0.10, 0.075, 0.065))
SHADES = (1.0, 0.78, 0.62, 0.46)  # of the same clay, where it would melt into the ground
FROM_SKIN, FROM_GROUND, LEGS_FROM_SKIN = 0.28, 0.22, 0.20  # least distances, as `distance` measures them


def distance(first, second) -> float:
    """Measure how far two paints (linear RGB, 0-1) lie apart as a screen shows them, 0-1.7."""
    return float(np.linalg.norm(np.asarray(first) ** (1 / 1.7) - np.asarray(second) ** (1 / 1.7)))


def apart(paint: np.ndarray, ground: np.ndarray | None, shades=SHADES, least: float = FROM_GROUND) -> np.ndarray:
    """Give the first shade of ``paint`` that is told from the ground, or the farthest."""
    if ground is None:
        return paint
    tried = [paint * shade for shade in shades]
    return next((t for t in tried if distance(t, ground) >= least), max(tried, key=lambda t: distance(t, ground)))


def told_apart(cloth, skin) -> float:
    """Measure how well cloth is told from skin: their distance, less where only the brightness differs."""
    first, second = (np.asarray(paint) ** (1 / 1.7) for paint in (cloth, skin))
    alike = first @ second / np.linalg.norm(first) / np.linalg.norm(second) > 0.99
    return distance(cloth, skin) * (0.45 if alike else 1.0)


def skin_for(paint: np.ndarray, rng: np.random.Generator, legs: np.ndarray | None = None) -> int:
    """Draw a skin that clothes of this paint are distinct from."""
    far = [told_apart(paint, skin) for skin in SKINS]
    if legs is not None:
        far = [min(f, distance(skin, legs) + FROM_SKIN - LEGS_FROM_SKIN) for f, skin in zip(far, SKINS, strict=True)]
    distinct = [k for k, f in enumerate(far) if f >= FROM_SKIN] or [int(np.argmax(far))]
    return distinct[int(rng.integers(len(distinct)))]


@dataclass(frozen=True)
class Look:
    """One person's paints, build (1 is usual) and which of two haircuts."""

    top: np.ndarray
    legs: np.ndarray
    skin: np.ndarray
    hair: np.ndarray
    lips: np.ndarray
    white: np.ndarray
    shoes: np.ndarray
    build: float
    cut: int

    @staticmethod
    def draw(m: Modeller, paint: np.ndarray, rng: np.random.Generator) -> Look:
        """Draw a person in clothes of ``paint``, trousers included; the edition decides from what."""
        if m.edition > 1:
            return _second(m, paint, rng)
        skin = np.array(SKINS[int(rng.integers(4))])
        hair = np.array(HAIRS[int(rng.integers(4))])
        lips = skin * (0.60, 0.36, 0.34) + (0.04, 0.0, 0.0)
        white = np.array((0.92, 0.92, 0.90))
        return Look(
            paint, paint * 0.42 + 0.01, skin, hair, lips, white, SHOES, rng.uniform(0.95, 1.06), int(rng.integers(2))
        )


def _second(m: Modeller, paint: np.ndarray, rng: np.random.Generator) -> Look:
    top = apart(paint, m.ground)
    legs = apart(top * 0.42 + 0.01, m.ground, (1.0, 0.6, 1.5, 0.35, 1.9))
    which = skin_for(top, rng, legs)
    skin = np.array(SKINS[which])
    hair = np.array(HAIRS[HAIRS_OF[which][int(rng.integers(len(HAIRS_OF[which])))]])
    lips = skin * (0.80, 0.44, 0.45) + (0.03, 0.0, 0.005)
    white = np.array((0.92, 0.92, 0.90)) * (0.80 + 0.20 * min(1.0, float(skin.mean()) / 0.55))
    shoes = apart(SHOES, m.ground, (1.0, 0.4, 2.6))
    return Look(top, legs, skin, hair, lips, white, shoes, rng.uniform(0.95, 1.06), int(rng.integers(2)))
