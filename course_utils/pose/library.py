"""Poses to begin with: persons of the doll, by name."""

from __future__ import annotations

import copy

import numpy as np

from ..clay.scenes import Direction, Pose
from ..clay.things.poses import BONES, place_joints, walk_pose
from ..clay.things.stances import ARMS, reach

Bones = dict[str, Direction]
SIDES = (("left", 1), ("right", -1))


def library() -> dict[str, dict]:
    """Return persons of the doll by the name of their pose; see `figures`. They are copies: change them at will."""
    return copy.deepcopy(_POSES)


def _arm(side: str, name: str) -> Bones:
    mirror = 1 if side == "left" else -1
    pair = zip(("upper_arm", "forearm"), ARMS[name], strict=True)
    return {f"{side}_{bone}": (mirror * x, y, z) for bone, (x, y, z) in pair}


def _arms(left: str, right: str) -> Bones:
    return _arm("left", left) | _arm("right", right)


def _reach(bones: Bones, root: str, pair: tuple[str, str], end, pole) -> Bones:
    """Bend a limb so that it ends at a point, metres from the middle of the hips."""
    at = place_joints(Pose(bones))[root]
    made = reach(at, end, pole, *(BONES[bone][2] for bone in pair))
    return {bone: tuple(np.round(v, 3).tolist()) for bone, v in zip(pair, made, strict=True)}


def _leg(side: str, ankle, pole) -> Bones:
    return _reach({}, f"{side}_hip", (f"{side}_thigh", f"{side}_shin"), ankle, pole)


def _hand_at(side: str, wrist, pole) -> Bones:
    return _reach({}, f"{side}_shoulder", (f"{side}_upper_arm", f"{side}_forearm"), wrist, pole)


def _both(limb, end, pole) -> Bones:
    """Do the same on both sides; ``end`` and ``pole`` are those of the left."""
    mirrored = ((side, (mirror * end[0], *end[1:]), (mirror * pole[0], *pole[1:])) for side, mirror in SIDES)
    return {bone: v for one in mirrored for bone, v in limb(*one).items()}


_POSES: dict[str, dict] = {
    "stand": {},
    "arms out": {"bones": _arms("out", "out")},
    "cheer": {"bones": _arms("up", "up")},
    "wave": {"bones": _arms("wave", "hip"), "left": "five"},
    "show two": {"bones": _arm("right", "raised"), "right": "two"},
    "point ahead": {"bones": _arms("hip", "ahead"), "right": "point"},
    "walk": {"bones": dict(walk_pose(0.12).bones)},
    "run": {"bones": {
        "spine": (0.0, 1.0, 0.22), "head": (0.0, 1.0, 0.1),
        "left_thigh": (0.04, -0.55, 0.85), "left_shin": (0.02, -0.9, -0.45),
        "right_thigh": (-0.04, -0.9, -0.45), "right_shin": (-0.02, -0.25, -1.0),
        "left_upper_arm": (0.3, -0.75, -0.65), "left_forearm": (0.05, -0.35, 0.95),
        "right_upper_arm": (-0.3, -0.75, 0.65), "right_forearm": (0.1, 0.6, 0.8),
    }},
    "arms crossed": {"bones": _hand_at("left", (-0.07, 0.33, 0.27), (1, -0.75, 0.35))
                     | _hand_at("right", (0.07, 0.24, 0.22), (-1, -0.75, 0.35))},
    "legs crossed": {"bones": _leg("left", (-0.06, -0.69, 0.15), (0.1, 0, 1))
                     | _leg("right", (0.06, -0.69, -0.05), (-0.1, 0, 1))},
    "carry": {"bones": {
        "left_upper_arm": (0.42, -0.85, 0.3), "left_forearm": (0.3, 0.05, 1.0),
        "right_upper_arm": (-0.42, -0.85, 0.3), "right_forearm": (-0.3, 0.05, 1.0),
    }},
    "sit": {"bones": _both(_leg, (0.18, -0.04, 0.40), (0.25, 1, 0.3))
            | _both(_hand_at, (0.22, 0.20, 0.22), (1, -0.5, -0.5))},
    "kneel": {"bones": {"left_thigh": (0.06, -1.0, -0.1), "left_shin": (0.0, -0.06, -1.0)}
              | _leg("right", (-0.15, -0.37, 0.37), (-0.15, 1, 1)) | _arms("down", "down")},
    "crouch": {"bones": {"spine": (0.0, 1.0, 0.34)} | _both(_leg, (0.18, -0.36, 0.04), (0.45, 0.25, 1))},
}  # fmt: skip
