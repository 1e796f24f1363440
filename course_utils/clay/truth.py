"""What is true of a scene: what is there, how much of it shows, where its joints are.

The control maps drawn from this truth are in ``control_maps``, motion between two moments in ``flow``.
"""

from __future__ import annotations

import numpy as np

from .render import render
from .scenes import Scene
from .things import colour_of
from .things.people import OPENPOSE_18
from .view import Render

# Metres that a joint may lie under the surface of its own body: limbs hide each other and still can be told,
# a face is seen or is not.
INSIDE = np.where([name.split("_")[-1] in ("nose", "eye", "ear") for name in OPENPOSE_18], 0.20, 0.45)
BEHIND_OTHERS = 0.10  # the same, where another thing is seen there


def things_seen(made: Render, whole: list[np.ndarray] | None = None) -> list[dict]:
    """List what the picture shows.

    Args:
        made: the picture and its truth.
        whole: ``whole_masks`` of the same scene and size, if the visible share is wanted.

    Returns:
        One dict for each thing and each thing worn, in the order of ``clay.owners``: ``word``, ``colour``,
        ``thing`` (index in the scene), ``parent`` (the wearer's word, or None), ``share`` of the picture's
        pixels, 0-1, and, if ``whole`` is given, ``visible_share`` of the thing with all it wears, 0-1.
    """
    pixels = np.bincount(made.instance.ravel() + 1, minlength=len(made.clay.owners) + 1)[1:]
    seen, worn = [], 0
    for k, (index, word) in enumerate(made.clay.owners):
        thing = made.scene.things[index]
        first = k == 0 or made.clay.owners[k - 1][0] != index
        worn = 0 if first else worn + 1
        source = thing if first else thing.wears[worn - 1]
        entry = {"word": word, "colour": colour_of(source), "thing": index, "parent": None if first else thing.word,
                 "share": float(pixels[k] / made.instance.size)}  # fmt: skip
        if whole is not None:
            own = [i for i, owner in enumerate(made.clay.owners) if owner[0] == index]
            entry["visible_share"] = float(pixels[own].sum() / max(whole[index].sum(), 1))
        seen.append(entry)
    return seen


def whole_masks(scene: Scene, height: int = 256, width: int = 256) -> list[np.ndarray]:
    """Draw each thing of a scene alone: bool masks [height, width] of it and what it wears, hidden parts included."""
    alone = (scene.with_(things=(thing,), style="clay") for thing in scene.things)
    return [render(scene, height, width).instance >= 0 for scene in alone]


def keypoints(made: Render) -> dict[int, dict[str, np.ndarray]]:
    """Project the joints of people and hands.

    A point is visible (1) if it is in the frame and not far behind the surface seen there: as far as a joint
    lies inside its own body, hardly at all behind another thing; otherwise 0.

    Returns:
        For each thing that has joints: ``body`` float [18, 3] in OpenPose's order and ``left``, ``right``
        [21, 3], whichever it has; each point is (column, row, visible) in pixels.
    """
    found = {}
    for index, (thing, anatomy) in enumerate(zip(made.scene.things, made.clay.anatomy, strict=True)):
        points = {}
        if anatomy.body:
            joints = np.array([anatomy.body.get(name, (np.nan,) * 3) for name in OPENPOSE_18])
            points["body"] = _seen(made, index, joints, INSIDE * thing.size)
        for side, joints in anatomy.hands.items():
            palm = np.linalg.norm(joints[9] - joints[0])  # folded fingers may hide the knuckles, not the hand
            points[side] = _seen(made, index, np.asarray(joints), 0.9 * palm)
        if points:
            found[index] = points
    return found


def joints(made: Render) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """List what `keypoints` finds: a body [18, 3] for each person, and all hands [21, 3]."""
    found = keypoints(made).values()
    hands = [points[side] for points in found for side in ("left", "right") if side in points]
    return [points["body"] for points in found if "body" in points], hands


def _seen(made: Render, index: int, joints: np.ndarray, inside: float | np.ndarray) -> np.ndarray:
    height, width = made.depth.shape
    known = ~np.isnan(joints).any(1)
    at = made.view.project(np.where(known[:, None], joints, 0.0), height, width)
    column, row = np.floor(at[:, :2]).astype(int).T
    framed = known & (at[:, 2] > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    there = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
    owner = np.array([*(thing for thing, _ in made.clay.owners), index])[made.instance[there]]  # -1: background
    allowed = np.where(owner == index, inside, BEHIND_OTHERS)
    at[:, 2] = framed & (at[:, 2] - made.depth[there] < allowed)
    return at
