"""The doll: what its front end sends as plain JSON, turned into a clay scene whose renderer knows every truth.

A person of the doll is a dict, all of it optional::

    {"word": "woman", "colour": "blue", "variant": 0, "x": 0.0, "z": 0.0, "yaw": 0.0, "size": 1.0,
     "bones": {"left_upper_arm": [0.3, -1.0, 0.0], ...},     directions, of any length (`clay` BONES, REST)
     "lengths": {"legs": 1.2, ...},                          times the usual (PARTS), 0.5-2
     "head_size": 1.6,                                       times the first edition's, 0.8-2; null: the edition's
     "left": null | "fist" | {"curl": [0, 0, 1, 1, 1], "spread": 0.8, "palm": 0.0},    a hand; null: a mitten
     "right": ...,
     "hidden": ["nose", "left_hand", ...]}                   joints that the map leaves out

Directions are in the person's own frame: x to the person's left (the viewer's right), y up, z to the viewer. A hand
goes on along its forearm; ``palm`` turns it about the forearm (radians; 0: the palm looks to the front as far as it
can, pi: the back of the hand does).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Real

import numpy as np

from ..clay import Camera, Hand, Light, Pose, Render, Scene, Thing, vocabulary
from ..clay.camera import fit
from ..clay.compose import compose
from ..clay.layout import frame
from ..clay.things.hands import GESTURES as COUNTS
from ..clay.things.poses import BONES, PARTS, REST, place_joints, unit
from ..clay.truth import keypoints
from .skeleton import JOINTS, POINTS, Skeleton

# Hands by name: the counts of lesson 05, and what people call them.
GESTURES: dict[str, Hand] = {
    **COUNTS, "open": Hand(spread=1.0), "point": COUNTS["one"], "thumb": Hand((0, 1, 1, 1, 1), spread=1.0),
    "victory": Hand((1, 0, 0, 1, 1), spread=1.0),
}  # fmt: skip
MOST = 2  # people of a doll
FIELDS = ("word", "colour", "variant", "x", "z", "yaw", "size", "bones", "lengths", "head_size", "left", "right",
          "hidden")  # fmt: skip
FILL, FOV = 0.92, 0.70  # of the frame that people fill, and the angle of the camera that the clay models know


def figure(person: Mapping) -> Thing:
    """Turn a person of the doll into a thing of the clay world.

    Raises:
        TypeError, ValueError: a field that is unknown, no number, not finite or out of bounds; names it.
    """
    _known("person", person, FIELDS)
    bones = {name: _direction(f"bones[{name!r}]", v) for name, v in _mapping("bones", person).items()}
    lengths = {part: _number(f"lengths[{part!r}]", v) for part, v in _mapping("lengths", person).items()}
    hands = {side: hold(person.get(side), side, bones.get(f"{side}_forearm")) for side in ("left", "right")}
    pose = Pose(bones, **hands, lengths=lengths)
    place_joints(pose)
    word = person.get("word", "woman")
    if word not in vocabulary.PEOPLE:
        raise ValueError(f"word={word!r}: a doll is one of {', '.join(vocabulary.PEOPLE)}.")
    hidden(person)
    numbers = {name: _number(name, person[name]) for name in ("x", "z", "yaw", "size") if name in person}
    head = person.get("head_size")
    variant = int(_number("variant", person.get("variant", 0), 0, 2**32))
    return Thing(word, person.get("colour"), variant, pose=pose, **numbers,
                 head_size=None if head is None else _number("head_size", head))  # fmt: skip


def hidden(person: Mapping) -> tuple[str, ...]:
    """Return the joints that a person of the doll has hidden by hand.

    Raises:
        TypeError, ValueError: no list, or no such joint.
    """
    names = person.get("hidden") or ()
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise TypeError(f"hidden={names!r:.40}: give a list of joints.")
    names = tuple(names)
    for name in names:
        if name not in (*JOINTS, "left_hand", "right_hand"):
            raise ValueError(f"hidden has {name!r}, which is no joint; choose from {', '.join(JOINTS)}, left_hand, "
                             "right_hand.")  # fmt: skip
    return names


def hold(hand: str | Mapping | Hand | None, side: str, forearm: Sequence[float] | None = None) -> Hand | None:
    """Turn a hand so that it goes on along its forearm.

    Args:
        hand: a key of `GESTURES`, {"curl", "spread", "palm"}, or a `Hand` (its turn is replaced); None is a mitten.
        side: "left" or "right".
        forearm: direction [3] of the forearm in the person's frame; None is at rest.

    Raises:
        TypeError, ValueError: no such hand; names what is wrong.
    """
    if hand is None:
        return None
    palm = 0.0
    if isinstance(hand, Mapping):
        _known(side, hand, ("curl", "spread", "palm"))
        palm = _number(f"{side}['palm']", hand.get("palm", 0.0))
        curl = hand.get("curl", (0, 0, 0, 0, 0))
        if isinstance(curl, str) or not isinstance(curl, Sequence) or len(curl) != 5:
            raise ValueError(f"{side}['curl']={curl!r:.40}: give 5 numbers, from the thumb to the little finger.")
        curl = tuple(_number(f"{side}['curl']", value, 0, 1) for value in curl)
        hand = Hand(curl, _number(f"{side}['spread']", hand.get("spread", 0.5), 0, 1))
    elif isinstance(hand, str):
        if hand not in GESTURES:
            raise ValueError(f"{side}={hand!r} is no gesture; choose one of {', '.join(GESTURES)}.")
        hand = GESTURES[hand]
    elif not isinstance(hand, Hand):
        raise TypeError(f"{side}={hand!r:.40}: give a gesture's name, a dict with curl, spread and palm, or None.")
    yaw, pitch, roll = _angles(_along(forearm or REST[f"{side}_forearm"], palm if side == "right" else -palm))
    mirror = 1 if side == "right" else -1
    return replace(hand, yaw=mirror * yaw, pitch=pitch, roll=mirror * roll)


def to_scene(
    people: Sequence[Mapping | Thing],
    place: str = "garden",
    edition: int = 1,
    yaw: float = 0.0,
    pitch: float = 0.12,
    framing: str = "full",
    aspect: float = 1.0,
    camera: Camera | None = None,
) -> Scene:
    """Stand the doll's people in a clay scene, seen by a camera that fits them.

    `clay.render` of it has the truth; `controls.from_truth` draws depth, normals, classes of that, and `skeletons`
    gives the people with what is hidden left out.

    Args:
        people: one or two persons of the doll, or things of the clay world.
        place: a place of the clay world.
        edition: of the clay world; the shipped models know the first.
        yaw, pitch: from where the camera looks, radians; positive pitch is from above.
        framing: "full", or "half-body", which comes near, so that hands are large; it looks from the front.
        aspect: width over height of the picture.
        camera: in place of one that fits.

    Raises:
        TypeError, ValueError: nobody, more than `MOST`, or a field that is wrong; names it.
    """
    if not 1 <= len(people) <= MOST:
        raise ValueError(f"people has {len(people)} entries; a doll scene has 1 to {MOST}.")
    things = tuple(one if isinstance(one, Thing) else figure(one) for one in people)
    if framing not in ("full", "half-body"):
        raise ValueError(f"framing={framing!r}: choose 'full' or 'half-body'.")
    scene = Scene(things, place, framing=framing, light=Light(), edition=edition)
    if camera is None and framing == "half-body":
        camera = frame(scene, np.random.default_rng(0))
    return scene.with_(camera=camera or fit(compose(scene).rows, FILL, yaw, pitch, FOV, aspect=aspect))


def skeletons(made: Render, people: Sequence[Mapping] = ()) -> list[Skeleton]:
    """List the people of a render, points behind anything not seen; ``people`` say what is hidden by hand as well."""
    found = []
    for index, points in keypoints(made).items():
        body = points.get("body", np.zeros((POINTS["body"], 3)))
        names = hidden(people[index]) if index < len(people) else ()
        found.append(Skeleton(body, points.get("left"), points.get("right")).hidden(*names))
    return found


def _along(forearm: Sequence[float], palm: float) -> np.ndarray:
    """Build the turn [3, 3] of a hand whose fingers (+y) go along the forearm, its palm (+z) to the front."""
    y = unit(forearm)
    front = np.array([0.0, 0.0, 1.0]) if abs(y[2]) < 0.95 else np.array([0.0, -1.0, 0.0])
    z = unit(front - y * (front @ y))
    z = z * math.cos(palm) + np.cross(y, z) * math.sin(palm)
    return np.stack([np.cross(y, z), y, z], axis=1)


def _angles(turn: np.ndarray) -> tuple[float, float, float]:
    """Take a turn [3, 3] apart into the yaw, pitch and roll of `clay.shapes.rotation`."""
    yaw, roll = math.atan2(turn[0, 2], turn[2, 2]), math.atan2(turn[1, 0], turn[1, 1])
    return yaw, math.asin(float(np.clip(-turn[1, 2], -1, 1))), roll


def _known(name: str, given, fields: Sequence[str]) -> None:
    if not isinstance(given, Mapping):
        raise TypeError(f"{name} is of type {type(given).__name__}; give a dict.")
    for key in given:
        if key not in fields:
            raise ValueError(f"{name} has {key!r}, which is unknown; it may have {', '.join(fields)}.")


def _mapping(name: str, person: Mapping) -> Mapping:
    _known(name, person.get(name) or {}, tuple(BONES) if name == "bones" else tuple(PARTS))
    return person.get(name) or {}


def _number(name: str, value, low: float = -math.inf, high: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}={value!r} is no number.")
    if not math.isfinite(value) or not low <= value <= high:
        bounds = f", {low:g} to {high:g}" if math.isfinite(low) else ""
        raise ValueError(f"{name}={value!r}: give a finite number{bounds}.")
    return float(value)


def _direction(name: str, value) -> tuple[float, float, float]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 3:
        raise ValueError(f"{name}={value!r:.40}: give three numbers, x, y and z.")
    return tuple(_number(name, part) for part in value)
