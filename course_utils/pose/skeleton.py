"""A person in a picture, as OpenPose sees one: body and hands as points, found, drawn, mirrored, turned, corrected.

The order of the points is that of OpenPose: 18 of a body (`JOINTS`), 21 of a hand. Sides are the person's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from .. import controls
from ..clay.control_maps import draw_pose
from ..clay.things.people import OPENPOSE_18 as JOINTS
from ..pictures import as_picture

POINTS = {"body": len(JOINTS), "left": 21, "right": 21}
AT_WRIST = 0.2  # of the body's longer side: farther from every wrist a hand is nobody's
FEW = 0.5  # the length of a body of which too little is seen to tell, as a share of the picture
FACE_FRONT = ("nose", "left_eye", "right_eye")  # what nobody sees of a person from behind
SWAPPED = [JOINTS.index(_swap) for _swap in (
    name.replace("left", "?").replace("right", "left").replace("?", "right") for name in JOINTS
)]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Skeleton:
    """One person; each point is (column, row, seen), in pixels, and 1 or 0. A point that is not seen keeps its place.

    body: float [18, 3]. left, right: the hands, float [21, 3], or None.
    """

    body: np.ndarray
    left: np.ndarray | None = None
    right: np.ndarray | None = None

    def __post_init__(self):
        for part, count in POINTS.items():
            points = getattr(self, part)
            if points is None and part != "body":
                continue
            points = np.asarray(points, float)
            if points.shape != (count, 3):
                raise ValueError(f"{part} has shape {points.shape}; give ({count}, 3): column, row, seen.")
            if not np.isfinite(points).all():
                raise ValueError(f"{part}[{_first(~np.isfinite(points).all(1), part)}] is not finite.")
            wrong = ~np.isin(points[:, 2], (0, 1))
            if wrong.any():
                raise ValueError(f"{part}[{_first(wrong, part)}] has seen={points[wrong, 2][0]:g}; it is 1 or 0.")
            object.__setattr__(self, part, points)

    @property
    def hands(self) -> list[np.ndarray]:
        """List the hands that there are, the left one first."""
        return [hand for hand in (self.left, self.right) if hand is not None]

    def moved(self, joint: str, column: float, row: float) -> Skeleton:
        """Give a copy with a joint of the body elsewhere, and seen; a hand goes with its wrist."""
        index, body = _index(joint), self.body.copy()
        shift = np.array([column, row]) - body[index, :2]
        body[index] = column, row, 1
        side = joint.removesuffix("_wrist")
        hand = getattr(self, side, None) if joint.endswith("_wrist") else None
        return replace(self, body=body, **({} if hand is None else {side: hand + [*shift, 0]}))

    def hidden(self, *joints: str) -> Skeleton:
        """Give a copy in which these joints are not seen; "left_hand" and "right_hand" hide a whole hand."""
        return self._set(joints, 0)

    def shown(self, *joints: str) -> Skeleton:
        """Give a copy in which these joints are seen, where they lie; the counterpart of `hidden`."""
        return self._set(joints, 1)

    def mirrored(self, width: int) -> Skeleton:
        """Give the mirror image in a picture of ``width`` pixels: places change sides, and so do the names."""
        parts = (self.body, self.left, self.right)
        body, left, right = (None if part is None else part * [-1, 1, 1] + [width, 0, 0] for part in parts)
        return Skeleton(body[SWAPPED], right, left)

    def from_behind(self) -> Skeleton:
        """Give who fills the same outline, seen from behind: left and right exchanged, nose and eyes hidden."""
        return Skeleton(self.body[SWAPPED], self.right, self.left).hidden(*FACE_FRONT)

    def scaled(self, horizontal: float, vertical: float | None = None) -> Skeleton:
        """Give a copy for a picture that is so many times as wide and as high."""
        by = np.array([horizontal, horizontal if vertical is None else vertical, 1])
        return Skeleton(*(None if part is None else part * by for part in (self.body, self.left, self.right)))

    def _set(self, joints: Sequence[str], seen: int) -> Skeleton:
        body, hands = self.body.copy(), {}
        for joint in joints:
            side = joint.removesuffix("_hand")
            if joint.endswith("_hand") and side in ("left", "right"):
                hand = getattr(self, side)
                hands[side] = hand if hand is None else hand * [1, 1, 0] + [0, 0, seen]
            else:
                body[_index(joint), 2] = seen
        return replace(self, body=body, **hands)


def draw(people: Sequence[Skeleton], height: int, width: int) -> Image.Image:
    """Draw people as the openpose nets were taught: bodies and hands on black, PIL RGB, height x width pixels."""
    return draw_pose([one.body for one in people], [hand for one in people for hand in one.hands], height, width)


def apart(first: Skeleton, second: Skeleton) -> float:
    """Give how far apart the joints lie that both show: the median, in pixels; nan where they share none."""
    both = (first.body[:, 2] > 0) & (second.body[:, 2] > 0)
    ways = np.linalg.norm(first.body[both, :2] - second.body[both, :2], axis=1)
    return float(np.median(ways)) if len(ways) else float("nan")


def _index(joint: str) -> int:
    if joint not in JOINTS:
        raise ValueError(f"joint={joint!r} is no joint of a body; choose one of {', '.join(JOINTS)}.")
    return JOINTS.index(joint)


def _first(wrong: np.ndarray, part: str) -> str:
    """Name the first point that is wrong."""
    index = int(np.argmax(wrong))
    return repr(JOINTS[index]) if part == "body" else str(index)


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
    pairs = [[owned.get((index, side)) for side in ("left", "right")] for index in range(len(bodies))]
    return [Skeleton(_seen(body), *hands) for body, hands in zip(bodies, pairs, strict=True)] + loose


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
