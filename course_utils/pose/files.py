"""Skeletons in files: OpenPose's JSON written as ControlNet's tab wants it, and read in all the forms that are around.

Formats: OpenPose's own (doc/02_output.md of CMU-Perceptual-Computing-Lab/openpose); the tab's, which adds the canvas
and lets parts be null (sd-webui-controlnet, ``annotator/openpose``); the first editor's (fkunn1326/openpose-editor).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .skeleton import JOINTS, POINTS, Skeleton

MOST = 20  # people of a file
LARGEST = 20_000_000  # bytes of a file
SEEN = 0.05  # confidence from which a point counts; OpenPose itself draws from here on
CANVAS = (16, 8192)  # pixels a side
FAR = 4  # canvases that a point may lie away
BODY_25 = [*range(8), *range(9, 19)]  # of 25 points those that the 18 have, in order: all but the hip and the feet
PARTS = {"body": "pose_keypoints_2d", "left": "hand_left_keypoints_2d", "right": "hand_right_keypoints_2d"}


class PoseFile(NamedTuple):
    """What a file holds, in pixels of a canvas, and in sentences what had to be guessed of it."""

    people: list[Skeleton]
    height: int
    width: int
    notes: list[str]


def write(people: Sequence[Skeleton], height: int, width: int) -> str:
    """Write people as JSON in the form of ControlNet's tab: pixels, the canvas, confidence 1 or 0.

    Both kinds of readers take it: those that drop every point below full confidence and those that count zeros as
    missing. Places keep all their digits, so that a map drawn from the file is the same to the bit.

    Raises:
        ValueError: a canvas that is none.
    """
    height, width = _side("height", height), _side("width", width)
    persons = []
    for person in people:
        lists = {key: _numbers(getattr(person, part)) for part, key in PARTS.items()}
        persons.append({**lists, "face_keypoints_2d": []})
    return json.dumps({"people": persons, "animals": [], "canvas_height": height, "canvas_width": width})


def read(
    source: str | bytes | Path | Mapping | Sequence, height: int | None = None, width: int | None = None
) -> PoseFile:
    """Read people from a file, its text, or what JSON made of it; of a list of frames the first.

    Args:
        source: a path, JSON text, or the dict or list itself.
        height, width: of the canvas, pixels, where the file does not say; what it says goes first.

    Raises:
        FileNotFoundError: no such file.
        ValueError: empty or broken JSON, another format, too many people, points that are no finite numbers or lie far
            off; says where, and what would be right.
    """
    notes: list[str] = []
    frame = _frame(_parsed(source), notes)
    persons = {index: _parts(person, index, notes) for index, person in enumerate(_persons(frame))}
    persons = {k: person for k, person in persons.items() if any((part[:, 2] > 0).any() for part in person.values())}
    if not persons:
        notes.append("Nobody is in this file: every point is missing.")
    canvas = _canvas(frame, list(persons.values()), (height, width), notes)
    people = [_skeleton(person, index, canvas) for index, person in persons.items()]
    return PoseFile(people, *canvas, [*dict.fromkeys(notes)])


def _numbers(points: np.ndarray | None) -> list[float]:
    """Lay points out in a row; what is not seen becomes three zeros."""
    if points is None or not points[:, 2].any():
        return []
    return [float(value) for value in (points * points[:, 2:]).ravel()]


def _parsed(source):
    if isinstance(source, Mapping) or (isinstance(source, Sequence) and not isinstance(source, str | bytes)):
        return source
    if isinstance(source, Path) or (isinstance(source, str) and source.strip()[:1] not in ("{", "[", "")):
        source = _text_of(Path(source))
    if len(source) > LARGEST:
        raise ValueError(f"The file has {len(source):,} bytes; a file of poses has at most {LARGEST:,}.")
    try:
        text = source.decode("utf-8-sig") if isinstance(source, bytes) else source
        if not text.strip():
            raise ValueError("The file is empty. It should hold JSON with `people` in it.")
        return json.loads(text)
    except UnicodeDecodeError as error:
        raise ValueError("The file is no text. Give the JSON of the pose, not its picture.") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"This is no JSON ({error}). Was the file cut off?") from error


def _text_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        name = str(path) if len(str(path)) <= 80 else f"{str(path)[:20]} ... {str(path)[-55:]}"
        raise FileNotFoundError(f"source={name!r} is neither JSON nor a file that is there.") from error


def _frame(data, notes: list[str]) -> Mapping:
    """Take the first frame, which must be a dict with people in one of the known forms."""
    if isinstance(data, Sequence) and not isinstance(data, str):
        if not data:
            raise ValueError("The list of frames is empty.")
        if len(data) > 1:
            notes.append(f"The file has {len(data)} frames; this is the first.")
        data = data[0]
    if not isinstance(data, Mapping) or not ("people" in data or "keypoints" in data):
        keys = ", ".join(map(str, data))[:80] if isinstance(data, Mapping) else ""
        holds = f"it has {keys or 'nothing'}" if isinstance(data, Mapping) else repr(data)[:80]
        raise ValueError(f"No `people` (OpenPose) and no `keypoints` (the old editor) in it; {holds}.")
    return data


def _persons(frame: Mapping) -> list[Mapping]:
    """List the people; those of the old editor, plain lists of [x, y], get the names of the parts."""
    given = frame["people"] if "people" in frame else frame["keypoints"]
    given = [] if given is None else given
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ValueError(f"`people` is {type(given).__name__}; it should be a list.")
    if len(given) > MOST:
        raise ValueError(f"people has {len(given)} entries; at most {MOST} are read.")
    if "people" in frame:
        wrong = [index for index, person in enumerate(given) if not isinstance(person, Mapping)]
        if wrong:
            raise ValueError(f"people[{wrong[0]}] is {given[wrong[0]]!r:.40}; it should be a dict of keypoints.")
        return list(given)
    return [{PARTS["body"]: _with_confidence(person, index)} for index, person in enumerate(given)]


def _with_confidence(points, person: int) -> list:
    if not isinstance(points, Sequence) or isinstance(points, str):
        raise ValueError(f"keypoints[{person}] is {points!r:.40}; it should be a list of [x, y].")
    flat = []
    for index, point in enumerate(points):
        if point is None:
            flat += [0, 0, 0]
        elif isinstance(point, Sequence) and not isinstance(point, str) and len(point) in (2, 3):
            flat += [*point, 1][:3]
        else:
            raise ValueError(f"keypoints[{person}][{index}] is {point!r:.40}; it should be [x, y].")
    return flat


def _parts(person: Mapping, index: int, notes: list[str]) -> dict[str, np.ndarray]:
    """Read the parts of a person that there are, each [point, 3], missing points all zero."""
    found = {}
    for part, key in PARTS.items():
        if person.get(key):
            found[part] = _points(person[key], part, f"people[{index}].{key}", notes)
    if person.get("face_keypoints_2d"):
        notes.append("Points of the face are left out: the nets of this course know bodies and hands.")
    return found


def _points(numbers, part: str, where: str, notes: list[str]) -> np.ndarray:
    numbers = [0 if number is None else number for number in numbers] if isinstance(numbers, Sequence) else numbers
    try:
        values = np.array(numbers, float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where} holds something that is no number: {numbers!r:.60}.") from error
    known = (POINTS[part], 25) if part == "body" else (POINTS[part],)
    if values.ndim != 1 or len(values) not in [3 * count for count in known]:
        counts = " or ".join(f"{3 * count} ({count} points)" for count in known)
        more = " 51 are COCO's 17 points, which have no neck." if values.size == 51 else ""
        raise ValueError(f"{where} has {values.size} numbers; it should have {counts}.{more}")
    points = values.reshape(-1, 3)
    if not np.isfinite(points).all():
        raise ValueError(f"{where}: point {int(np.argmax(~np.isfinite(points).all(1)))} is not finite.")
    if len(points) == 25 and part == "body":
        points = points[BODY_25]
        notes.append("25 points were read as 18: the middle of the hips and the feet are left out.")
    missing = (points[:, :2] == 0).all(1) | (points[:, :2] == -1).all(1)
    seen = (points[:, 2] >= SEEN) & ~missing
    if (seen & (points[:, 2] < 1)).any():
        notes.append("Some points have a confidence below 1. They count as seen here; ControlNet's tab drops them.")
    return np.where(seen[:, None], np.column_stack([points[:, :2], seen]), 0.0)


def _canvas(frame: Mapping, persons: list[dict], given, notes: list[str]) -> tuple[int, int]:
    """Find height and width, and bring points to pixels of them."""
    seen = [points[points[:, 2] > 0, :2] for person in persons for points in person.values()]
    places = np.concatenate([*seen, np.zeros((0, 2))])
    asked = [frame.get(f"canvas_{side}", frame.get(side)) for side in ("height", "width")]
    sides = [own if own is not None else other for own, other in zip(asked, given, strict=True)]
    relative = len(places) > 0 and np.abs(places).max() <= 1
    signed = relative and places.min() < 0
    if None in sides:
        known = not relative and len(places)
        least = [math.ceil(most / 64) * 64 for most in places.max(0)[::-1]] if known else [512, 512]
        sides = [max(64, guess) if side is None else side for side, guess in zip(sides, least, strict=True)]
        notes.append(f"The file does not say its canvas's size; {sides[0]} x {sides[1]} (height x width) is a guess.")
    height, width = (_side(name, side) for name, side in zip(("height", "width"), sides, strict=True))
    if relative:
        notes.append(f"All places lie within {'-1 to 1' if signed else '0 to 1'}: they count as shares of the canvas.")
        for points in (points for person in persons for points in person.values()):
            places = (points[:, :2] + 1) / 2 if signed else points[:, :2]
            points[:, :2] = places * [width, height] * points[:, 2:]
    return height, width


def _skeleton(person: dict[str, np.ndarray], index: int, canvas: tuple[int, int]) -> Skeleton:
    """Put the parts together; a person without a body is two hands."""
    limit = FAR * np.array(canvas[::-1])
    for part, points in person.items():
        off = (np.abs(points[:, :2]) > limit).any(1)
        if off.any():
            where = int(np.argmax(off))
            raise ValueError(
                f"people[{index}].{PARTS[part]}: point {where} lies at ({points[where, 0]:g}, {points[where, 1]:g}), "
                f"far off the canvas of {canvas[0]} x {canvas[1]} pixels (height x width)."
            )
    body = person.get("body", np.zeros((len(JOINTS), 3)))
    hands = (person.get(side) for side in ("left", "right"))
    return Skeleton(body, *(hand if hand is not None and hand[:, 2].any() else None for hand in hands))


def _side(name: str, value) -> int:
    low, high = CANVAS
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer) or not low <= value <= high:
        raise ValueError(f"{name}={value!r:.20} is no side of a canvas: give {low} to {high} pixels.")
    return int(value)
