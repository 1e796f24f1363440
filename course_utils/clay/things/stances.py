"""Poses of the second edition: standing, sitting, crouching, kneeling, waving, limbs crossed, both hands shown.

A leg or arm of two bones reaches for a point, its knee or elbow bends towards a pole. Frame: as in ``poses``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..scenes import Direction, Hand, Pose
from .hands import GESTURES
from .poses import BONES, place_joints, unit, walk_pose

SEAT = -0.125  # height of the ground under one who sits on it, metres
SOLE = 0.085  # of an ankle above the ground that its shoe stands on
SIDES = (("left", 1), ("right", -1))
# Upper arm and forearm of a left arm; all keep clear of a large head.
ARMS: dict[str, tuple[Direction, Direction]] = {
    "down": ((0.38, -1.0, 0.0), (0.16, -1.0, 0.22)),
    "out": ((1.0, -0.16, 0.1), (1.0, 0.06, 0.15)),
    "up": ((1.0, 0.42, 0.05), (0.40, 1.0, 0.10)),
    "hip": ((0.90, -0.66, -0.14), (-0.55, -0.62, 0.40)),
    "wave": ((1.0, -0.16, 0.16), (0.52, 1.0, 0.20)),
    "ahead": ((0.42, -0.85, 0.30), (0.30, 0.05, 1.0)),
    "raised": ((0.88, -0.56, 0.26), (0.40, 1.0, 0.30)),
}
# How often each pose is drawn for a whole figure.
KINDS: dict[str, float] = {
    "stand": 0.26, "walk": 0.13, "wave": 0.10, "raised hand": 0.09, "both hands": 0.06, "arms crossed": 0.07,
    "legs crossed": 0.06, "sit": 0.12, "crouch": 0.05, "kneel": 0.06,
}  # fmt: skip
FACING = ("raised hand", "both hands")  # poses that show something to the viewer


def reach(root, end, pole, upper: float, lower: float) -> tuple[np.ndarray, np.ndarray]:
    """Bend two bones so that they lead from ``root`` to ``end``.

    Args:
        root: [3], where the first bone starts.
        end: [3], where the second shall end; what is too far or too near is come as close to as can be.
        pole: [3], the direction in which the joint between them bends.
        upper, lower: lengths of the bones, metres.

    Returns:
        The directions [3] of both bones, unit length.
    """
    root, way = np.asarray(root, float), np.asarray(end, float) - root
    straight = np.clip(np.linalg.norm(way), abs(upper - lower) + 0.02, upper + lower - 1e-4)
    way = unit(way)
    along = (straight**2 + upper**2 - lower**2) / (2 * straight)
    side = np.asarray(pole, float)
    side = unit(side - way * (side @ way))
    joint = way * along + side * np.sqrt(max(upper**2 - along**2, 0.0))
    return unit(joint), unit(way * straight - joint)


class _Body:
    """A pose in the making: a trunk first, then limbs that reach from it."""

    def __init__(self, rng: np.random.Generator, spine: Direction, head: Direction | None = None):
        self.rng = rng
        lean = self.jitter(0.05)
        spine = (spine[0] + lean, spine[1], spine[2])
        look = head or (self.jitter(0.10) - lean, 1.0, 0.04 + self.jitter(0.08))
        self.bones: dict[str, Direction] = {"spine": spine, "head": look}
        self.at = place_joints(Pose(self.bones))

    def jitter(self, most: float) -> float:
        return float(self.rng.uniform(-most, most))

    def _reach(self, root: str, bones: tuple[str, str], end, pole) -> None:
        upper, lower = (BONES[bone][2] for bone in bones)
        pair = reach(self.at[root], end, pole, upper, lower)
        self.bones |= {bone: tuple(map(float, v)) for bone, v in zip(bones, pair, strict=True)}

    def leg(self, side: str, ankle, pole) -> None:
        self._reach(f"{side}_hip", (f"{side}_thigh", f"{side}_shin"), ankle, pole)

    def arm_to(self, side: str, wrist, pole) -> None:
        self._reach(f"{side}_shoulder", (f"{side}_upper_arm", f"{side}_forearm"), wrist, pole)

    def arm(self, side: str, name: str, most: float = 0.07) -> None:
        mirror = 1 if side == "left" else -1
        for bone, (x, y, z) in zip(("upper_arm", "forearm"), ARMS[name], strict=True):
            lean = (mirror * (x + self.jitter(most)), y + self.jitter(most), z + self.jitter(most))
            self.bones[f"{side}_{bone}"] = lean

    def arms(self, *names: str) -> None:
        for side, _ in SIDES:
            self.arm(side, str(self.rng.choice(names)))

    def legs_down(self) -> None:
        apart = float(self.rng.uniform(0.04, 0.17))
        for side, mirror in SIDES:
            self.bones[f"{side}_thigh"] = self.bones[f"{side}_shin"] = (mirror * apart, -1.0, self.jitter(0.04))

    def pose(self, left: Hand | None = None, right: Hand | None = None) -> Pose:
        return Pose(self.bones, left, right)


def draw_pose(rng: np.random.Generator, kind: str | None = None, hand: Hand | None = None) -> Pose:
    """Draw a plausible pose of the second edition.

    Args:
        rng: source of chance.
        kind: a key of ``KINDS``; None draws one.
        hand: what a raised hand shows; None draws from ``GESTURES`` (not "thumbs up").

    Raises:
        ValueError: if the kind is unknown.
    """
    kind = kind or str(rng.choice(list(KINDS), p=list(KINDS.values())))
    if kind not in _POSES:
        raise ValueError(f"kind={kind!r} is not a kind of pose; choose one of {', '.join(KINDS)}.")
    if kind in FACING:
        return _POSES[kind](rng, hand)
    return _POSES[kind](rng)


def _upright(rng: np.random.Generator) -> _Body:
    body = _Body(rng, (0.0, 1.0, 0.0))
    body.legs_down()
    return body


def _stand(rng: np.random.Generator) -> Pose:
    body = _upright(rng)
    body.arms("down", "down", "out", "up", "hip", "wave", "ahead")
    return body.pose()


def _walk(rng: np.random.Generator) -> Pose:
    return walk_pose(float(rng.uniform()))


def _wave(rng: np.random.Generator) -> Pose:
    body = _upright(rng)
    waving, other = map(str, rng.permutation(("left", "right")))
    body.arm(waving, str(rng.choice(("wave", "up"))))
    body.arm(other, str(rng.choice(("down", "down", "hip", "wave"))))
    return body.pose()


def _gesture(rng: np.random.Generator) -> Hand:
    return GESTURES[str(rng.choice([name for name in GESTURES if name != "thumbs up"]))]


def _raised_hand(rng: np.random.Generator, hand: Hand | None) -> Pose:
    body = _upright(rng)
    raised, other = map(str, rng.permutation(("left", "right")))
    body.arm(raised, "raised", 0.035)
    body.arm(other, str(rng.choice(("down", "down", "hip"))))
    return body.pose(**{raised: hand or _gesture(rng)})


def _both_hands(rng: np.random.Generator, hand: Hand | None) -> Pose:
    body = _upright(rng)
    for side, _ in SIDES:
        body.arm(side, "raised", 0.05)
    return body.pose(hand or _gesture(rng), hand or _gesture(rng))


def _fold_arms(body: _Body) -> None:
    """Cross the forearms before the chest, one above the other."""
    upper = str(body.rng.choice(("left", "right")))
    for side, mirror in SIDES:
        over = side == upper
        wrist = np.array((-0.07 * mirror, -0.20 if over else -0.29, 0.27 if over else 0.22))
        body.arm_to(side, body.at["neck"] + wrist, (mirror, -0.75, 0.35))


def _arms_crossed(rng: np.random.Generator) -> Pose:
    body = _upright(rng)
    _fold_arms(body)
    return body.pose()


def _cross_ankles(body: _Body) -> None:
    """Set one foot before and across the other."""
    ahead = str(body.rng.choice(("left", "right")))
    for side, mirror in SIDES:
        z = 0.15 if side == ahead else -0.05
        body.leg(side, (-0.06 * mirror, -0.69, z), (0.1 * mirror, 0.0, 1.0))


def _legs_crossed(rng: np.random.Generator) -> Pose:
    body = _Body(rng, (0.0, 1.0, 0.0))
    _cross_ankles(body)
    body.arms("down", "down", "hip", "ahead", "wave")
    if rng.random() < 0.3:
        _fold_arms(body)
    return body.pose()


def _sit(rng: np.random.Generator) -> Pose:
    """Sit on the ground: legs ahead, knees up or legs crossed."""
    way = str(rng.choice(("ahead", "knees", "crossed")))
    back = way == "ahead" and rng.random() < 0.4
    body = _Body(rng, (0.0, 1.0, -0.28 if back else 0.04))
    ground = SEAT + SOLE
    front = str(rng.choice(("left", "right")))
    for side, mirror in SIDES:
        apart = float(rng.uniform(0.12, 0.24))
        if way == "ahead":
            body.leg(side, (mirror * apart, ground + 0.02, rng.uniform(0.60, 0.66)), (0.1 * mirror, 1.0, 0.2))
        elif way == "knees":
            body.leg(side, (mirror * apart, ground, rng.uniform(0.32, 0.46)), (0.25 * mirror, 1.0, 0.3))
        else:
            body.leg(side, (-mirror * 0.09, ground + 0.01, 0.40 if side == front else 0.23), (mirror, 0.16, 0.30))
    _rest_hands(body, back)
    return body.pose()


def _rest_hands(body: _Body, back: bool) -> None:
    """Prop the hands behind, lay them on the thighs, or let one of them wave."""
    joints = place_joints(body.pose())
    for side, mirror in SIDES:
        hip, knee = joints[f"{side}_hip"], joints[f"{side}_knee"]
        on_thigh = hip + (knee - hip) * 0.62 + (0.03 * mirror, 0.17, -0.02)
        target = (mirror * 0.36, SEAT + 0.22, -0.26) if back else on_thigh
        body.arm_to(side, target, (mirror, -0.5, -0.5))
    if not back and body.rng.random() < 0.35:
        body.arm(str(body.rng.choice(("left", "right"))), str(body.rng.choice(("wave", "up", "out"))))


def _crouch(rng: np.random.Generator) -> Pose:
    """Squat on flat feet, leaning forward."""
    body = _Body(rng, (0.0, 1.0, 0.34), (0.0, 1.0, 0.06))
    deep, apart = float(rng.uniform(0.30, 0.42)), float(rng.uniform(0.15, 0.21))
    for side, mirror in SIDES:
        body.leg(side, (mirror * apart, -deep, 0.04), (0.45 * mirror, 0.25, 1.0))
    _rest_hands(body, back=False)
    return body.pose()


def _kneel(rng: np.random.Generator) -> Pose:
    """Kneel on both knees or on one."""
    body = _Body(rng, (0.0, 1.0, 0.03))
    up = str(rng.choice(("left", "right", "none")))
    for side, mirror in SIDES:
        apart = float(rng.uniform(0.04, 0.14))
        if side == up:
            body.leg(side, (mirror * 0.15, -0.37, rng.uniform(0.33, 0.40)), (0.15 * mirror, 1.0, 1.0))
        else:
            body.bones[f"{side}_thigh"] = (mirror * apart, -1.0, -0.10 if up != "none" else 0.04)
            body.bones[f"{side}_shin"] = (0.0, -0.06, -1.0)
    body.arms("down", "hip", "wave", "ahead", "out")
    return body.pose()


_POSES: dict[str, Callable[..., Pose]] = {
    "stand": _stand, "walk": _walk, "wave": _wave, "raised hand": _raised_hand, "both hands": _both_hands,
    "arms crossed": _arms_crossed, "legs crossed": _legs_crossed, "sit": _sit, "crouch": _crouch, "kneel": _kneel,
}  # fmt: skip
