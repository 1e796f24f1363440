"""Scenes by the dozen: a scene is a pure function of (seed, index)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from . import layout
from . import vocabulary as words
from .scenes import Hand, Light, Pose, Scene, Thing, Wear
from .things.hands import GESTURES
from .things.poses import random_pose
from .things.stances import FACING, KINDS, draw_pose

PAIRED = words.ANIMALS + words.OBJECTS


@dataclass(frozen=True)
class Mix:
    """The dials of the world: how often what is drawn. Shares are 0-1."""

    # How many things stand in a full scene: one, two, three.
    counts: tuple[float, float, float] = (0.66, 0.30, 0.04)
    # Framings: full, portrait, half-body, hand.
    framings: tuple[float, float, float, float] = (0.76, 0.12, 0.05, 0.07)
    # A head wears something; half as often a second thing.
    wears: float = 0.24
    # A thing that has a natural colour comes in a colour word's clay instead.
    dyed: float = 0.22
    # The whole picture is cubist; a painting is.
    cubist: float = 0.05
    cubist_painting: float = 0.45
    # How likely a thing is a wearable on the ground, a person, scenery (else animal or object).
    people: float = 0.12
    scenery: float = 0.17
    # Which edition of the world. The rest is asked in the second only.
    edition: int = 1
    # A person is seen from behind; any other thing that is not flat is turned anyhow.
    behind: float = 0.20
    turned: float = 0.15
    # The camera walks around the scene (where a place looks alike from all sides).
    around: float = 0.5
    # How often people stand, sit, wave ..., in any unit.
    poses: Mapping[str, float] = field(default_factory=lambda: KINDS)
    # Head sizes of people, from and to.
    heads: tuple[float, float] = (1.4, 1.7)


MIX = Mix()
# By edition. In the second every third thing is a person, so that full figures and their poses are learned well.
MIXES = {1: MIX, 2: Mix(edition=2, people=0.35)}


def unseen_pair(first: str, second: str) -> bool:
    """Tell whether two words are kept apart in training: a fixed fifth of animal-animal and object-object pairs."""
    same = any(first in kind and second in kind for kind in (words.ANIMALS, words.OBJECTS))
    name = "+".join(sorted((first, second))).encode()
    return same and first != second and int(hashlib.sha256(name).hexdigest(), 16) % 5 == 0


def sample(seed: int, index: int = 0, mix: Mix = MIX) -> Scene:
    """Draw scene number ``index`` of the world ``seed``."""
    rng = np.random.default_rng([seed, index])
    place = str(rng.choice(words.PLACES))
    light = Light(
        azimuth=float(rng.choice([-1, 1]) * rng.uniform(0.25, 0.9)), height=float(rng.uniform(0.7, 1.1)),
        shade=float(rng.uniform(-0.07, 0.07)), phase=float(rng.uniform(0, 6.28)),
    )  # fmt: skip
    framing = str(rng.choice(["full", "portrait", "half-body", "hand"], p=mix.framings))
    things = _SUBJECTS[framing](rng, mix)
    style = "cubist" if framing == "full" and rng.random() < mix.cubist else "clay"
    scene = Scene(things, place, style, framing, light=light, edition=mix.edition)
    scene = scene.with_(camera=layout.frame(scene, rng))
    return scene if mix.edition == 1 else walk_around(scene, rng, mix)


def walk_around(scene: Scene, rng: np.random.Generator, mix: Mix) -> Scene:
    """Turn all before the backdrop now and then: not behind a room's wall, and with the sea in view."""
    most = {"room": 0.0, "beach": 0.9}.get(scene.place, np.pi)
    return layout.turn(scene, float(rng.uniform(-most, most))) if rng.random() < mix.around else scene


def _full(rng: np.random.Generator, mix: Mix) -> tuple[Thing, ...]:
    count = 1 + int(rng.choice(3, p=mix.counts))
    chosen: list[str] = []
    while len(chosen) < count:
        word = _word(rng, mix)
        if word not in chosen and not any(unseen_pair(word, other) for other in chosen):
            chosen.append(word)
    return layout.line_up([draw_thing(word, rng, mix) for word in chosen], rng, mix.edition)


def _portrait(rng: np.random.Generator, mix: Mix) -> tuple[Thing, ...]:
    word = str(rng.choice(words.PEOPLE if rng.random() < 0.55 else words.ANIMALS))
    thing = draw_thing(word, rng, mix)
    if rng.random() < 0.55:
        thing = replace(thing, wears=_wears(word, rng, moustache=0.3))
    yaw = float(rng.normal(0, 0.25 if mix.edition == 1 else 0.40))
    return layout.line_up([replace(thing, yaw=yaw)], rng, mix.edition)


def _half_body(rng: np.random.Generator, mix: Mix) -> tuple[Thing, ...]:
    thing = draw_thing(str(rng.choice(words.PEOPLE)), rng, mix)
    if mix.edition == 1:
        pose = random_pose(rng, "raised hand")
    else:
        pose = draw_pose(rng, "both hands" if rng.random() < 0.25 else "raised hand")
    return layout.line_up([replace(thing, pose=pose, yaw=float(rng.normal(0, 0.15)))], rng, mix.edition)


def _hand(rng: np.random.Generator, mix: Mix) -> tuple[Thing, ...]:
    gesture = GESTURES[str(rng.choice(list(GESTURES)))]
    held = replace(
        gesture, spread=float(np.clip(gesture.spread + rng.normal(0, 0.15), 0.25, 1)),
        yaw=float(rng.normal(0, 0.22)), pitch=float(rng.normal(0, 0.10)), roll=float(rng.normal(0, 0.18)),
    )  # fmt: skip
    colour = str(rng.choice(list(words.COLOURS)))
    thing = Thing("hand", colour, int(rng.integers(2**31)), hand=held)
    return layout.line_up([thing], rng, mix.edition)


_SUBJECTS = {"full": _full, "portrait": _portrait, "half-body": _half_body, "hand": _hand}


def _word(rng: np.random.Generator, mix: Mix) -> str:
    kind = rng.random()
    if kind < mix.people:
        return str(rng.choice(words.PEOPLE))
    if kind < mix.people + mix.scenery:
        return str(rng.choice((*words.SCENERY, "painting", "hat")))
    return str(rng.choice(PAIRED))


def draw_thing(word: str, rng: np.random.Generator, mix: Mix) -> Thing:
    """Draw how one thing looks: colour, variant, turn, pose, what it wears and shows."""
    if mix.edition > 1 and word in words.PEOPLE:
        return _draw_person(word, rng, mix)
    natural = words.NATURAL.get(word)
    if natural and rng.random() > mix.dyed:
        colour = natural[0] if rng.random() < 0.5 else str(rng.choice(natural))
    else:
        colour = str(rng.choice(list(words.COLOURS)))
    wears = _wears(word, rng) if words.NOUNS[word].head and rng.random() < mix.wears else ()
    pose = None
    if word in words.PEOPLE:
        pose = random_pose(rng, str(rng.choice(["stand", "walk", "raised hand"], p=[0.6, 0.22, 0.18])))
    shows = _picture(rng, mix) if word == "painting" else None
    variant, yaw = int(rng.integers(2**31)), _yaw(word, rng)
    if mix.edition > 1 and words.NOUNS[word].view != "front" and rng.random() < mix.turned:
        yaw = float(rng.uniform(-np.pi, np.pi))
    return Thing(word, colour, variant, yaw=yaw, wears=wears, pose=pose, shows=shows)


def _draw_person(word: str, rng: np.random.Generator, mix: Mix) -> Thing:
    total = sum(mix.poses.values())
    kind = str(rng.choice(list(mix.poses), p=[share / total for share in mix.poses.values()]))
    pose = draw_pose(rng, kind)
    wears = _wears(word, rng) if rng.random() < mix.wears else ()
    if kind not in FACING and rng.random() < mix.behind / (1 - sum(mix.poses.get(k, 0.0) for k in FACING) / total):
        yaw = np.pi + rng.normal(0, 0.45)
        wears = tuple(wear for wear in wears if wear.word not in ("moustache", "glasses"))  # nobody would see them
    else:
        yaw = rng.normal(0, 0.25 if kind in FACING else 0.55)
    return Thing(
        word, str(rng.choice(list(words.COLOURS))), int(rng.integers(2**31)), yaw=float(yaw), wears=wears, pose=pose,
        head_size=round(float(rng.uniform(*mix.heads)), 3),
    )  # fmt: skip


def _yaw(word: str, rng: np.random.Generator) -> float:
    """Turn a thing as it is best seen: long ones from the side, flat ones from the front."""
    if words.NOUNS[word].view == "side":
        return float(rng.choice([-1, 1]) * rng.uniform(0.35, 1.0))
    if words.NOUNS[word].view == "front":
        return float(rng.normal(0, 0.2))
    return float(rng.normal(0, 0.42))


def _wears(word: str, rng: np.random.Generator, moustache: float = 0.12) -> tuple[Wear, ...]:
    if rng.random() < moustache:
        return (Wear("moustache", str(rng.choice(["black", "brown", "gray", "white", "orange"]))),)
    chosen = [str(rng.choice(words.STANDALONE_WEARABLES))]
    if rng.random() < 0.2:
        chosen.append("glasses" if chosen[0] != "glasses" else str(rng.choice(["crown", "bow", "hat"])))
    return tuple(Wear(w, None if rng.random() < 0.3 else str(rng.choice(list(words.COLOURS)))) for w in chosen)


def _picture(rng: np.random.Generator, mix: Mix) -> Scene:
    """Paint what a painting shows: one thing, clay or cubist."""
    word = str(rng.choice([*words.ANIMALS, "apple", "car", "tree", "house", "mushroom", "balloon"]))
    thing = replace(draw_thing(word, rng, replace(mix, wears=0.0)), wears=())
    style = "cubist" if rng.random() < mix.cubist_painting else "clay"
    scene = Scene(
        layout.line_up([thing], rng, mix.edition), str(rng.choice(words.PLACES)), style,
        light=Light(phase=float(rng.uniform(0, 6))), edition=mix.edition,
    )  # fmt: skip
    return scene.with_(camera=layout.frame(scene, rng))


def raise_hand(rng: np.random.Generator, edition: int, shown: Hand | None = None) -> Pose:
    """Draw a pose with a raised hand, which shows ``shown`` or whatever."""
    return random_pose(rng, "raised hand", shown) if edition == 1 else draw_pose(rng, "raised hand", shown)


def hand_pose(count: int) -> Hand:
    """Give the hand that shows ``count`` fingers, 0-5."""
    names = ("fist", "one", "two", "three", "four", "five")
    if not 0 <= count <= 5:
        raise ValueError(f"count={count}: a hand shows 0 to 5 fingers.")
    return GESTURES[names[count]]


__all__ = ["MIX", "MIXES", "Mix", "Pose", "hand_pose", "sample", "unseen_pair"]
