"""The doll's state, {"figures", "view"}: a clay scene seen as the doll was, and people of a picture made into one.

`figures` are persons of the doll (see `figures`). `view` is where it is looked at from: yaw and pitch in radians, and
how far, in metres, from a target whose height is measured from the first figure's hips.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..clay import Camera, Scene
from ..clay.camera import fit
from ..clay.compose import Clay, compose
from ..clay.things.hands import FINGERS
from ..clay.things.poses import ANCHORS, BONES, REST
from .figures import FILL, GESTURES, MOST, to_scene
from .skeleton import JOINTS, Skeleton

LENS = 0.24  # radians, the camera's vertical angle: about 100 mm, so a near hand is hardly larger than a far one
YAW, PITCH = 0.3, 0.12  # where a doll is looked at from at first, radians
# What of a bone is foreshortened comes nearer (1) or goes away (-1), as limbs of people mostly do.
NEARER = {bone: -1 if bone.endswith(("shin", "upper_arm")) else 1 for bone in BONES}


def state_of(
    people: Sequence[Mapping] = ({},),
    aspect: float = 1.0,
    yaw: float = YAW,
    pitch: float = PITCH,
    target: Sequence[float] | None = None,
    distance: float | None = None,
) -> dict[str, Any]:
    """Return a doll's state, its hands written out.

    Args:
        people: persons of the doll, see `figures`.
        aspect: width over height of the picture.
        yaw, pitch: from where it is looked at, radians.
        target, distance: of the view, metres; without a distance all of the doll is in the picture.

    Raises:
        TypeError, ValueError: a person that is wrong, as `to_scene` says it.
    """
    figures = [dict(person) | {side: _hand(person.get(side)) for side in ("left", "right")} for person in people]
    if distance is None:
        clay = compose(to_scene(figures, camera=Camera()))
        camera = fit(clay.rows, FILL, yaw, pitch, LENS, aspect=aspect)
        distance = math.dist(camera.eye, camera.target)
        target = np.array(camera.target) - (0, _height(clay), 0)
    view = {"yaw": yaw, "pitch": pitch, "target": np.round(target, 4).tolist(), "distance": round(distance, 4)}
    return {"figures": figures, "view": view}


def scene_of(state: Mapping[str, Any], place: str = "garden", edition: int = 1) -> Scene:
    """Return the clay scene that a doll stands in, seen as the doll was.

    Args:
        state: of the doll.
        place, edition: of the clay world.

    Raises:
        TypeError, ValueError: a field that is wrong; names it.
    """
    figures, view = (state.get(name) if isinstance(state, Mapping) else None for name in ("figures", "view"))
    if not isinstance(figures, Sequence) or not isinstance(view, Mapping):
        raise ValueError("This holds no doll: give {'figures': [...], 'view': {...}}.")
    try:
        yaw, pitch, distance, *target = map(float, (view["yaw"], view["pitch"], view["distance"], *view["target"]))
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"view={view!r:.120}: give yaw, pitch, distance and three numbers for target.") from None
    if len(target) != 3 or not np.isfinite([yaw, pitch, distance, *target]).all() or distance <= 0:
        raise ValueError(f"view={view!r:.120}: all numbers must be finite, three for target, the distance above 0.")
    scene = to_scene(figures, place, edition, camera=Camera())
    target = np.array(target) + (0, _height(compose(scene)), 0)
    away = np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    return scene.with_(camera=Camera(tuple((target + away * distance).tolist()), tuple(target.tolist()), LENS))


def lift(people: Sequence[Skeleton], height: int, width: int) -> dict[str, Any]:
    """Guess the doll of people in a picture: every bone has its length, what it lacks in the picture is depth.

    The scale is the least at which no bone is too long (Taylor, 2000). Whether a bone comes nearer or goes away no
    skeleton says: knees and elbows bend as people's mostly do. Bones that are not seen hang or stand at rest.

    Args:
        people: in pixels.
        height, width: of their picture.

    Returns:
        A doll's state, seen from the front and level.

    Raises:
        ValueError: nobody, or more people than a doll has.
    """
    if not 1 <= len(people) <= MOST:
        raise ValueError(f"The file has {len(people)} people; the doll is one or two.")
    scales = [_scale(person) for person in people]
    hips = [_hips(person, scale) for person, scale in zip(people, scales, strict=True)]
    scale, (column, row) = scales[0], hips[0]
    figures = []
    for person, own, at in zip(people, scales, hips, strict=True):
        figures.append(_figure(person, own) | {"x": (at[0] - column) / scale, "size": own / scale})
    unit = height / 2 / math.tan(LENS / 2)
    target = [(width / 2 - column) / scale, (row - height / 2) / scale, 0.0]
    return state_of(figures, yaw=0.0, pitch=0.0, distance=unit / scale, target=target)


def _height(clay: Clay) -> float:
    """Return how high the first figure's hips are, metres."""
    body = clay.anatomy[0].body
    return float((body["left_hip"] + body["right_hip"])[1] / 2)


def _hand(hand: Any) -> Any:
    """Write a gesture out, as the doll's front end wants it."""
    if not isinstance(hand, str) or hand not in GESTURES:
        return hand
    return {"curl": list(GESTURES[hand].curl), "spread": GESTURES[hand].spread, "palm": 0.0}


def _ends(person: Skeleton) -> dict[str, np.ndarray]:
    """Return the joints that are seen, [2] in pixels, y up; the head is where the ears or the nose are."""
    at = {name: point[:2] * (1, -1) for name, point in zip(JOINTS, person.body, strict=True) if point[2]}
    for name, parts in (("head", ("left_ear", "right_ear")), ("head", ("nose",)), ("hip", ("left_hip", "right_hip"))):
        if name not in at and all(part in at for part in parts):
            at[name] = np.mean([at[part] for part in parts], axis=0)
    return at


def _scale(person: Skeleton) -> float:
    """Return pixels a metre."""
    at = _ends(person)
    pairs = [(a, b, length) for a, b, length in BONES.values() if b != "head"]
    pairs += [(f"left_{joint}", f"right_{joint}", 2 * ANCHORS[f"left_{joint}"][1][0]) for joint in ("shoulder", "hip")]
    found = [np.linalg.norm(at[a] - at[b]) / length for a, b, length in pairs if a in at and b in at]
    if not found or max(found) <= 0:
        raise ValueError("Too little of a person is seen: at least one whole limb or the trunk is needed.")
    return float(max(found))


def _hips(person: Skeleton, scale: float) -> tuple[float, float]:
    """Return column and row of the middle of the hips, seen or guessed below the neck."""
    at = _ends(person)
    if "hip" not in at and "neck" not in at:
        raise ValueError("Neither the neck nor both hips of a person are seen: nobody knows where it stands.")
    column, up = at["hip"] if "hip" in at else at["neck"] - (0, BONES["spine"][2] * scale)
    return float(column), float(-up)


def _figure(person: Skeleton, scale: float) -> dict[str, Any]:
    at = _ends(person)
    shoulders = [at[name] for name in ("left_shoulder", "right_shoulder") if name in at]
    behind = len(shoulders) == 2 and shoulders[0][0] < shoulders[1][0]
    flip = -1.0 if behind else 1.0  # seen from behind, x and z of the person's own frame are turned round
    bones = {}
    for bone, (start, end, length) in BONES.items():
        if start not in at or end not in at:
            continue
        x, y = (at[end] - at[start]) / scale / length
        z = 0.15 if bone == "head" else NEARER[bone] * math.sqrt(max(1 - x * x - y * y, 0.0)) * (bone != "spine")
        if math.hypot(x, y, z) > 0:
            bones[bone] = [flip * float(x), float(y), float(z)]
    hands = {side: _curls(hand) for side in ("left", "right") if (hand := getattr(person, side)) is not None}
    hidden = [name for name, point in zip(JOINTS, person.body, strict=True) if not point[2]]
    return {"bones": {**REST, **bones}, "yaw": math.pi if behind else 0.0, "hidden": hidden, **hands}


def _curls(hand: np.ndarray) -> dict[str, Any] | None:
    """Guess how far fingers are folded from how long they look beside the palm; None where too little is seen."""
    palm = np.linalg.norm(hand[9, :2] - hand[0, :2])
    if not hand[:, 2].all() or palm <= 0:
        return None
    long = np.linalg.norm(hand[8::4, :2] - hand[5::4, :2], axis=1) / palm * math.hypot(*FINGERS[1][0])
    thumb = np.linalg.norm(hand[4, :2] - hand[1, :2]) / palm
    curls = [1 - thumb / 0.95, *(1 - long / [finger[1] for finger in FINGERS])]
    return {"curl": [float(np.clip(1.4 * curl, 0, 1)) for curl in curls], "spread": 0.5, "palm": 0.0}
