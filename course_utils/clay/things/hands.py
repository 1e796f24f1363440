"""Clay hands with five articulated fingers: the close-up, and the hands of people.

Shapes are worked out for a right hand one unit long, wrist at the origin, fingers
to +y, palm to +z, thumb at +x. A left hand is its mirror image, turn included.
"""

from __future__ import annotations

import math

import numpy as np

from ..scenes import Hand, Thing
from ..shapes import Modeller, rotation
from .anatomy import Anatomy
from .looks import SKINS, apart, skin_for

GESTURES: dict[str, Hand] = {
    "fist": Hand((1, 1, 1, 1, 1)),
    "one": Hand((1, 0, 1, 1, 1)),
    "two": Hand((1, 0, 0, 1, 1), spread=0.8),
    "three": Hand((1, 0, 0, 0, 1)),
    "four": Hand((1, 0, 0, 0, 0)),
    "five": Hand((0, 0, 0, 0, 0)),
    "thumbs up": Hand((0, 1, 1, 1, 1), spread=1.0, roll=1.25),
}

# Index to little finger: knuckle (x, y), length, radius, and lean in degrees with spread 0 and 1 (+ to the thumb).
FINGERS = (
    ((0.235, 0.42), 0.47, 0.066, 8, 22),
    ((0.080, 0.46), 0.51, 0.068, 3, 8),
    ((-0.078, 0.44), 0.47, 0.066, -3, -8),
    ((-0.23, 0.38), 0.39, 0.060, -9, -26),
)
PHALANGES = (0.46, 0.30, 0.24)  # shares of a finger's length
FLEXION = (85, 185, 240)  # degrees from straight of each phalanx of a folded finger
THUMB_BASE, THUMB_BONES, THUMB_RADII = (0.13, 0.10, 0.03), (0.20, 0.17, 0.14), (0.09, 0.078, 0.074, 0.066)
# Degrees that its bones lean outwards with spread 0, and how many more with spread 1; how far they lean ahead.
THUMB_LEAN, THUMB_FAN, THUMB_AHEAD = (36, 30, 22), 38, (0.3, 0.1, 0.0)
FLAT_THUMB = ((0.45, 0.75, 0.5), (-0.84, 0.52, 0.13), (-0.98, 0.1, -0.15))  # folded on the open palm
FIST_THUMB = ((0.45, 0.55, 0.70), (-0.55, 0.40, 0.73), (-0.98, 0.1, 0.05))  # folded over the fingers


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def _finger(which: int, curl: float, spread: float) -> np.ndarray:
    """Place knuckle, two joints and tip [4, 3] of finger ``which`` (0 index ... 3 little)."""
    (x, y), length, _, together, fanned = FINGERS[which]
    lean = math.radians((together + (fanned - together) * spread) * (1 - curl))
    bend = np.radians(FLEXION)[:, None] * curl
    along = np.array([math.sin(lean), math.cos(lean), 0.0])
    steps = np.cos(bend) * along + np.sin(bend) * np.array([0.0, 0.0, 1.0])
    return np.cumsum(np.vstack([(x, y, 0.0), steps * length * np.array(PHALANGES)[:, None]]), axis=0)


def _thumb(curl: float, spread: float, fist: float) -> np.ndarray:
    """Place base, two joints and tip [4, 3] of the thumb; ``fist`` 1 lays it over folded fingers."""
    lean = np.radians(np.array(THUMB_LEAN) + THUMB_FAN * spread)
    straight = np.stack([np.sin(lean), np.cos(lean), THUMB_AHEAD], axis=1)
    folded = np.array(FLAT_THUMB) * (1 - fist) + np.array(FIST_THUMB) * fist
    steps = _unit(_unit(straight) * (1 - curl) + _unit(folded) * curl)
    return np.cumsum(np.vstack([THUMB_BASE, steps * np.array(THUMB_BONES)[:, None]]), axis=0)


def joints(hand: Hand, side: str) -> np.ndarray:
    """Work out the 21 points [21, 3] of an unturned hand of length 1, in OpenPose order."""
    fist = max(hand.curl[1], hand.curl[2])
    chains = [_thumb(hand.curl[0], hand.spread, fist)]
    chains += [_finger(k, hand.curl[k + 1], hand.spread) for k in range(4)]
    points = np.vstack([np.zeros((1, 3)), *chains])
    return points * ((1, 1, 1) if side == "right" else (-1, 1, 1))


def turn_of(hand: Hand, side: str) -> np.ndarray:
    """Give the hand's own rotation [3, 3]: as said for a right hand, mirrored for a left one."""
    mirror = 1 if side == "right" else -1
    return rotation(mirror * hand.yaw, hand.pitch, mirror * hand.roll)


def _nail(m: Modeller, skin: np.ndarray, last: np.ndarray, back: np.ndarray, radius: float) -> None:
    """Lay a nail on the last bone ``last`` [2, 3] of a finger, on the side that ``back`` [3] points to."""
    along = _unit(last[1] - last[0])
    out = _unit(back - along * (back @ along))
    paint = np.clip(np.asarray(skin) * 0.55 + (0.45, 0.36, 0.34), 0, 1)
    m.part(0.0)
    turn = np.stack([np.cross(along, out), along, out], axis=1)
    m.ellipsoid(paint, last[1] + out * radius * 0.72, (radius * 0.62, radius * 0.8, radius * 0.42), turn)


def _backs(points: np.ndarray, hand: Hand, side: str) -> list[np.ndarray]:
    """Say where the nails of the five fingers look: a thumb's goes from outwards to the front as it folds."""
    out, front = np.array([0.6 if side == "right" else -0.6, 0, -0.8]), np.array([0, 0.5, 0.85])
    thumb = out * (1 - hand.curl[0]) + front * hand.curl[0]
    return [thumb] + [np.cross(points[k] - points[k - 1], (1.0, 0.0, 0.0)) for k in (8, 12, 16, 20)]


def finger_hand(m: Modeller, hand: Hand, side: str, skin, length: float, nails: bool = False) -> np.ndarray:
    """Sculpt a hand whose wrist is the origin of the modeller's frame.

    Args:
        hand: how it is held; unturned, its palm faces +z and its fingers point to +y.
        side: "left" or "right", whose thumb is at -x or +x.
        skin: linear RGB.
        length: from wrist to the tip of a straight middle finger, local units.
        nails: whether to add finger nails (they show only close up).

    Returns:
        World points [21, 3] in OpenPose hand order.
    """
    points = joints(hand, side)
    with m.frame((0, 0, 0), turn_of(hand, side), length):
        m.part(0.10)
        wrist = np.array([1.0, 0.0, 1.0])
        for k in (5, 9, 13, 17):
            m.capsule(skin, points[k] * wrist * 0.35 + (0, 0.1, 0), points[k] - (0, 0.03, 0), 0.09, 0.075)
        m.capsule(skin, points[1], points[2], *THUMB_RADII[:2])
        m.capsule(skin, (0, -0.05, 0), (0, 0.12, 0), 0.10)
        for k, back in enumerate(_backs(points, hand, side)):
            chain = points[1 + 4 * k : 5 + 4 * k]
            radii = THUMB_RADII if k == 0 else (FINGERS[k - 1][2],) * 3 + (FINGERS[k - 1][2] * 0.9,)
            m.part(0.012)
            m.chain(skin, chain[k == 0 :], radii[k == 0 :])
            if nails:
                _nail(m, skin, chain[2:], back, radii[3])
        return np.array([m.world(p) for p in points])


def hand(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Close-up hand, 1.2 m with its sleeve (which carries the paint)."""
    held = thing.hand or GESTURES["five"]
    side = ("left", "right")[int(rng.integers(2))]
    paint = apart(paint, m.ground)
    skin = np.array(SKINS[int(rng.integers(len(SKINS))) if m.edition == 1 else skin_for(paint, rng)])
    length, wide = 0.80 * rng.uniform(0.97, 1.03), rng.uniform(0.95, 1.08)
    turn = turn_of(held, side)
    ends = np.vstack([joints(held, side), [(x, y, 0) for x in (-0.14, 0.14) for y in (-0.1, -0.42)]]) @ turn.T
    low, high = ends.min(0), ends.max(0)
    middle = np.array([low[0] + high[0], 0.0, 0.0]) / 2
    with m.frame(length * ((0.0, 0.06, 0.0) - middle - (0.0, low[1], 0.0))):
        points = finger_hand(m, held, side, skin, length, nails=True)
        with m.frame((0, 0, 0), turn, length):
            m.part(0.04)
            m.cone(paint, (0, -0.30, 0), 0.19, 0.23 * wide, 0.17 * wide, 0.04)
            m.part(0.0)
            m.cylinder(paint, (0, -0.13, 0), 0.215 * wide, 0.06, 0.05)
    return Anatomy(hands={side: points})
