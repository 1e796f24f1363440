"""What a sculptor tells the rest of the world about the body it made."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..shapes import Modeller
from ..vocabulary import rgb


@dataclass
class Head:
    """The frame that wearables are made in, and where things sit on it.

    The frame's origin is the head's centre, +z its face, +y its crown; all lengths
    are in that frame's units (a head of ``width`` 0.29 is a cat's).
    """

    origin: np.ndarray  # world
    turn: np.ndarray  # world [3, 3]
    scale: float
    width: float  # half width at the temples
    top: float  # height of the crown of the head above the centre
    eyes: tuple[float, float, float]  # half gap, height, depth (z) of the eyes' surface
    lip: tuple[float, float]  # height and depth of the place under the nose
    neck: tuple[float, float]  # height and depth of the front of the neck (a bow sits here, or on top)

    @staticmethod
    def here(m: Modeller, centre, turn=None, **where) -> Head:
        """Make a head at local ``centre`` of the modeller's present frame."""
        return Head(m.world(centre), m.turn if turn is None else m.turn @ turn, m.scale, **where)


@dataclass
class Anatomy:
    """Head and key points (world coordinates) of one sculpted thing."""

    head: Head | None = None
    body: dict[str, np.ndarray] = field(default_factory=dict)  # OpenPose-18 names
    hands: dict[str, np.ndarray] = field(default_factory=dict)  # "left", "right": [21, 3]


def clay(name: str, rng: np.random.Generator, spread: float = 0.05) -> np.ndarray:
    """Mix the clay of a colour word: its paint, a little lighter or darker and a touch off-hue."""
    mixed = np.array(rgb(name)) * (1 + rng.uniform(-2, 2) * spread) * (1 + rng.uniform(-spread, spread, 3))
    return np.clip(mixed, 0.02, 1.0)


def eyes(m: Modeller, gap: float, height: float, depth: float, size: float, white: bool = False) -> None:
    """Add two dark eyes at x = -gap and +gap; ``white`` puts a pale ball behind each."""
    for side in (-1, 1):
        if white:
            m.part(0.0, "eyes")
            m.ellipsoid((0.92, 0.92, 0.90), (side * gap, height, depth), (size * 1.7, size * 1.9, size))
        m.part(0.0, "eyes")
        ahead = size * 0.75 if white else 0.0
        m.ellipsoid((0.02, 0.02, 0.02), (side * gap, height, depth + ahead), (size, size * 1.2, size * 0.6))
