"""Skeletons from a picture: the reader's on clay, OpenPose's detector on photographs."""

from __future__ import annotations

import numpy as np

from .. import controls
from ..pictures import as_picture
from .skeleton import JOINTS, POINTS, Skeleton

AT_WRIST = 0.2  # of the body's longer side: farther from every wrist a hand is nobody's
FEW = 0.5  # the length of a body of which too little is seen to tell, as a share of the picture


def from_picture(image, lane: str | None = None) -> list[Skeleton]:
    """List the people that are seen in a picture, to be corrected by hand: `Skeleton.moved`, `hidden`, `shown`.

    Args:
        image: whatever `pictures.as_picture` takes.
        lane: "clay" asks the reader, "sd15" OpenPose's detector; None asks `env.choose_lane`.

    Returns:
        People, their hands at the nearest wrist; a hand that is nobody's is a person without a body.

    Raises:
        ValueError, FileNotFoundError, ImportError, OSError: as `controls.make`.
    """
    picture = as_picture(image)
    bodies, hands = controls.joints(picture, lane)
    owned: dict[tuple[int, str], np.ndarray] = {}
    loose = []
    for hand in map(_seen, hands):
        places = [(away, owner) for away, owner in _wrists(hand, bodies, max(picture.size)) if owner not in owned]
        if places:
            owned[min(places)[1]] = hand
        else:
            loose.append(Skeleton(np.zeros((POINTS["body"], 3)), hand))
    people = [
        Skeleton(_seen(body), *(owned.get((index, side)) for side in ("left", "right")))
        for index, body in enumerate(bodies)
    ]
    return people + loose


def _seen(points: np.ndarray) -> np.ndarray:
    """Make a point's confidence 1 or 0."""
    return np.column_stack([points[:, :2], points[:, 2] > 0])


def _wrists(hand: np.ndarray, bodies: list[np.ndarray], side: int) -> list[tuple[float, tuple[int, str]]]:
    """List the wrists near a hand, and how far each is."""
    found = []
    for index, body in enumerate(bodies):
        seen = body[body[:, 2] > 0, :2]
        size = np.ptp(seen, axis=0).max() if len(seen) > 3 else FEW * side
        for name in ("left", "right"):
            wrist = body[JOINTS.index(f"{name}_wrist")]
            away = float(np.linalg.norm(wrist[:2] - hand[0, :2]))
            if wrist[2] and hand[0, 2] and away < AT_WRIST * size:
                found.append((away, (index, name)))
    return found
