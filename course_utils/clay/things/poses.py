"""The bones of clay people: where joints lie in a pose, and poses to choose from.

Everything is in the person's own frame: x to the person's left (the viewer's right
when they face us), y up, z to the viewer. Sides are the person's, as in OpenPose.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..scenes import Direction, Hand, Pose
from .hands import GESTURES

# Bone -> (parent joint, child joint, length in metres); parents come before children.
BONES: dict[str, tuple[str, str, float]] = {
    "spine": ("hip", "neck", 0.53),
    "head": ("neck", "head", 0.225),
    "left_upper_arm": ("left_shoulder", "left_elbow", 0.25),
    "left_forearm": ("left_elbow", "left_wrist", 0.23),
    "right_upper_arm": ("right_shoulder", "right_elbow", 0.25),
    "right_forearm": ("right_elbow", "right_wrist", 0.23),
    "left_thigh": ("left_hip", "left_knee", 0.355),
    "left_shin": ("left_knee", "left_ankle", 0.345),
    "right_thigh": ("right_hip", "right_knee", 0.355),
    "right_shin": ("right_knee", "right_ankle", 0.345),
}
# Joints that hang on another joint at an offset that turns with the spine.
ANCHORS: dict[str, tuple[str, Direction]] = {
    "left_shoulder": ("neck", (0.20, -0.03, 0.0)),
    "right_shoulder": ("neck", (-0.20, -0.03, 0.0)),
    "left_hip": ("hip", (0.105, -0.02, 0.0)),
    "right_hip": ("hip", (-0.105, -0.02, 0.0)),
}
REST: dict[str, Direction] = {
    "spine": (0.0, 1.0, 0.0),
    "head": (0.0, 1.0, 0.03),
    "left_upper_arm": (0.34, -1.0, 0.0),
    "left_forearm": (0.14, -1.0, 0.22),
    "right_upper_arm": (-0.34, -1.0, 0.0),
    "right_forearm": (-0.14, -1.0, 0.22),
    "left_thigh": (0.05, -1.0, 0.02),
    "left_shin": (0.03, -1.0, -0.02),
    "right_thigh": (-0.05, -1.0, 0.02),
    "right_shin": (-0.03, -1.0, -0.02),
}
# Upper arm and forearm of a left arm.
ARMS: dict[str, tuple[Direction, Direction]] = {
    "down": ((0.34, -1.0, 0.0), (0.14, -1.0, 0.22)),
    "out": ((1.0, -0.12, 0.1), (1.0, 0.06, 0.15)),
    "up": ((0.75, 0.62, 0.0), (0.22, 1.0, 0.05)),
    "hip": ((0.84, -0.66, -0.12), (-0.62, -0.70, 0.34)),
    "wave": ((0.95, -0.30, 0.1), (0.42, 1.0, 0.15)),
    "ahead": ((0.42, -0.85, 0.30), (0.30, 0.05, 1.0)),
    "raised": ((0.74, -0.60, 0.12), (0.30, 1.0, 0.14)),
}
# What `Pose.lengths` may stretch, and between which factors.
PARTS: dict[str, tuple[str, ...]] = {
    "trunk": ("spine",), "arms": tuple(bone for bone in BONES if bone.endswith("arm")),
    "legs": tuple(bone for bone in BONES if bone.endswith(("thigh", "shin"))),
    "shoulders": ("left_shoulder", "right_shoulder"), "hips": ("left_hip", "right_hip"),
}  # fmt: skip
STRETCH = (0.5, 2.0)
WALK_OUT = {"thigh": 0.03, "shin": 0.0, "upper_arm": 0.33, "forearm": 0.08}  # how far bones lean outwards


def unit(direction) -> np.ndarray:
    """Scale a direction [3] to length 1."""
    v = np.asarray(direction, float)
    return v / np.linalg.norm(v)


def tilt(direction) -> np.ndarray:
    """Build the rotation [3, 3] that carries +y to ``direction`` with the least turn (not straight down)."""
    x, y, z = unit(direction)
    cross = np.array([[0, -x, 0], [x, 0, z], [0, -z, 0]])
    return np.eye(3) + cross + cross @ cross / (1 + max(y, -0.999))


def place_joints(pose: Pose) -> dict[str, np.ndarray]:
    """Find every joint [3] of a pose, the hip's centre at the origin.

    Raises:
        ValueError: if the pose names an unknown bone or part, a direction of length zero, or a length out of bounds.
    """
    for name, direction in pose.bones.items():
        if name not in BONES:
            raise ValueError(f"bones[{name!r}] is not a bone; choose from {', '.join(BONES)}.")
        if not np.linalg.norm(direction) > 0:
            raise ValueError(f"bones[{name!r}]={direction!r} points nowhere; give a direction of any length but zero.")
    for part, factor in pose.lengths.items():
        if part not in PARTS:
            raise ValueError(f"lengths[{part!r}] is no part; choose from {', '.join(PARTS)}.")
        if not STRETCH[0] <= factor <= STRETCH[1]:
            raise ValueError(f"lengths[{part!r}]={factor!r}: a part is {STRETCH[0]} to {STRETCH[1]} times its length.")
    stretch = {name: pose.lengths.get(part, 1.0) for part, names in PARTS.items() for name in names}
    directions = {**REST, **pose.bones}
    turn = tilt(directions["spine"])
    at = {"hip": np.zeros(3)}
    for name, (parent, child, length) in BONES.items():
        if parent in ANCHORS:
            base, offset = ANCHORS[parent]
            at[parent] = at[base] + turn @ np.array(offset) * stretch[parent]
        at[child] = at[parent] + length * stretch.get(name, 1.0) * unit(directions[name])
    return at


def _arm(name: str, side: str, jitter: Callable[[], float]) -> dict[str, Direction]:
    mirror = 1 if side == "left" else -1
    return {
        f"{side}_{bone}": (mirror * (x + jitter()), y + jitter(), z + jitter())
        for bone, (x, y, z) in zip(("upper_arm", "forearm"), ARMS[name], strict=True)
    }


def walk_pose(phase: float) -> Pose:
    """Give a moment of walking towards +z; ``phase`` 0-1 is one cycle of two steps."""
    bones: dict[str, Direction] = {"spine": (0.0, 1.0, 0.07), "head": (0.0, 1.0, 0.05)}
    for side, mirror, turn in (("left", 1, phase), ("right", -1, phase + 0.5)):
        swing, forth = math.sin(2 * math.pi * turn), math.cos(2 * math.pi * turn)
        thigh, arm = 0.08 + 0.46 * swing, -0.60 * swing
        shin = thigh - 0.12 - 0.85 * max(0.0, forth) ** 1.5
        angles = {"thigh": thigh, "shin": shin, "upper_arm": arm, "forearm": arm + 0.45}
        for bone, angle in angles.items():
            bones[f"{side}_{bone}"] = (mirror * WALK_OUT[bone], -math.cos(angle), math.sin(angle))
    return Pose(bones)


def random_pose(rng: np.random.Generator, kind: str, hand: Hand | None = None) -> Pose:
    """Draw a plausible pose.

    Args:
        rng: source of chance.
        kind: "stand", "walk" or "raised hand".
        hand: what the raised hand shows; None draws from ``GESTURES`` (not "thumbs up").

    Raises:
        ValueError: if the kind is unknown.
    """

    def jitter() -> float:
        return float(rng.uniform(-0.07, 0.07))

    if kind == "walk":
        return walk_pose(float(rng.uniform()))
    if kind not in ("stand", "raised hand"):
        raise ValueError(f"kind={kind!r} is not a kind of pose; choose 'stand', 'walk' or 'raised hand'.")
    lean = jitter()
    bones: dict[str, Direction] = {"spine": (lean, 1.0, 0.0), "head": (jitter() - lean, 1.0, 0.05 + jitter())}
    apart = float(rng.uniform(0.03, 0.16))
    for side, mirror in (("left", 1), ("right", -1)):
        bones[f"{side}_thigh"] = bones[f"{side}_shin"] = (mirror * apart - lean / 2, -1.0, 0.0)
        bones |= _arm(str(rng.choice(("down", "down", "out", "up", "hip", "wave", "ahead"))), side, jitter)
    if kind == "stand":
        return Pose(bones)
    raised, other = rng.permutation(("left", "right"))
    bones |= _arm("raised", raised, lambda: jitter() / 2)
    bones |= _arm(str(rng.choice(("down", "down", "hip"))), other, jitter)
    shown = hand or GESTURES[str(rng.choice([g for g in GESTURES if g != "thumbs up"]))]
    return Pose(bones, **{str(raised): shown})
