"""A scene as plain data: frozen dataclasses, JSON in and out.

Nothing here knows how a cat looks; ``compose`` turns a scene into clay, ``render``
into a picture. Lengths are in metres of the clay world, angles in radians.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace

from . import vocabulary as words

EDITIONS = (1, 2)  # 1: the world that the shipped models know; 2: clay toys, every pose and side
HEAD_SIZES = (0.8, 2.0)  # least and most that a figure's head may be, times that of the first edition
HEAD_SIZE = {1: 1.0, 2: 1.6}  # where a figure says nothing


@dataclass(frozen=True)
class Wear:
    """Something on a head: a word of ``vocabulary.WEARABLES``; ``colour`` None is its usual paint."""

    word: str
    colour: str | None = None


@dataclass(frozen=True)
class Hand:
    """How a hand is held.

    curl: thumb, index, middle, ring, little; 0 straight, 1 folded into the palm.
    spread: 0 fingers together, 1 fanned out.
    yaw, pitch, roll: turn of the whole hand; at zero the palm faces the viewer, fingers up.
    Said of a right hand: a left hand is its mirror image, turn included.
    """

    curl: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    spread: float = 0.5
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    @property
    def fingers(self) -> int:
        """Count the fingers that stand up (thumb included)."""
        return sum(c < 0.5 for c in self.curl)


Direction = tuple[float, float, float]


@dataclass(frozen=True)
class Pose:
    """Where a person's bones point, in the person's own frame (x to the viewer's right, y up, z to the viewer).

    ``bones`` maps a bone to its direction (any length but zero); the names are in
    ``things.people.BONES``. Bones left out hang or stand as in ``things.people.REST``. ``lengths`` stretches
    a person's parts, times their usual length: keys of ``things.poses.PARTS``.
    """

    bones: dict[str, Direction] = field(default_factory=dict)
    left: Hand | None = None
    right: Hand | None = None
    lengths: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Thing:
    """One thing of a scene. ``variant`` seeds its small differences; ``shows`` is what a painting is of.

    ``head_size``: of a man or woman, times that of the first edition (0.8-2, None: as usual in the scene's edition);
    hands, eyes and what heads wear grow with it.
    """

    word: str
    colour: str | None = None
    variant: int = 0
    x: float = 0.0
    z: float = 0.0
    yaw: float = 0.0
    size: float = 1.0
    wears: tuple[Wear, ...] = ()
    pose: Pose | None = None
    hand: Hand | None = None
    shows: Scene | None = None
    head_size: float | None = None

    def __post_init__(self):
        low, high = HEAD_SIZES
        if self.head_size is not None and not low <= self.head_size <= high:
            raise ValueError(f"head_size={self.head_size}: a figure's head is {low} to {high} times its usual size.")


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: ``eye`` looks at ``target``; ``fov`` is the full vertical angle."""

    eye: Direction = (0.0, 1.1, 4.0)
    target: Direction = (0.0, 0.7, 0.0)
    fov: float = 0.70


@dataclass(frozen=True)
class Light:
    """The sun's direction (towards it); ``shade`` -0.1..0.1 and ``phase`` move the backdrop's tone and hills."""

    azimuth: float = 0.5
    height: float = 0.9
    shade: float = 0.0
    phase: float = 0.0


@dataclass(frozen=True)
class Scene:
    """Things at a place, seen by a camera.

    ``framing`` is full, portrait, half-body or hand; ``edition`` says how figures and styles are made (``EDITIONS``).
    """

    things: tuple[Thing, ...]
    place: str = "garden"
    style: str = "clay"
    framing: str = "full"
    camera: Camera = Camera()
    light: Light = Light()
    edition: int = 1

    def __post_init__(self):
        if self.edition not in EDITIONS:
            raise ValueError(f"edition={self.edition!r} is not known; choose one of {', '.join(map(str, EDITIONS))}.")
        _known("place", self.place, words.PLACES)
        _known("style", self.style, words.STYLES + words.HELD_OUT_STYLES)
        for thing in self.things:
            _known("word", thing.word, words.THINGS)

    def with_(self, **changes) -> Scene:
        """Give a copy with some fields replaced (the scene itself never changes)."""
        return replace(self, **changes)

    def to_json(self) -> str:
        """Write the scene as one line of JSON, without what is newer where that says nothing."""
        return json.dumps(_plain(asdict(self)), separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Scene:
        """Read a scene back from ``to_json``."""
        return _scene(json.loads(text))


def _known(argument: str, value: str, choices) -> None:
    if value not in choices:
        raise ValueError(f"{argument}={value!r} is not in the clay world; choose one of {', '.join(choices)}.")


def _plain(scene: dict) -> dict:
    for thing in scene["things"]:
        if thing["head_size"] is None:
            del thing["head_size"]
        if thing["pose"] and not thing["pose"]["lengths"]:
            del thing["pose"]["lengths"]
        if thing["shows"]:
            _plain(thing["shows"])
    if scene["edition"] == 1:
        del scene["edition"]
    return scene


def _scene(d: dict | None) -> Scene | None:
    if d is None:
        return None
    things = tuple(_thing(t) for t in d["things"])
    camera = Camera(tuple(d["camera"]["eye"]), tuple(d["camera"]["target"]), d["camera"]["fov"])
    light = Light(**d["light"])
    return Scene(things, d["place"], d["style"], d["framing"], camera, light, d.get("edition", 1))


def _thing(d: dict) -> Thing:
    made = dict(d)
    made["wears"] = tuple(Wear(**w) for w in d["wears"])
    made["hand"] = _hand(d["hand"])
    made["shows"] = _scene(d["shows"])
    if d["pose"]:
        bones = {k: tuple(v) for k, v in d["pose"]["bones"].items()}
        hands = (_hand(d["pose"][side]) for side in ("left", "right"))
        made["pose"] = Pose(bones, *hands, d["pose"].get("lengths", {}))
    return Thing(**made)


def _hand(d: dict | None) -> Hand | None:
    return None if d is None else Hand(**{**d, "curl": tuple(d["curl"])})
