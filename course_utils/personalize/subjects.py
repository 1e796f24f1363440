"""Subjects and styles that the base has never seen, from the clay world: scenes as data, drawn when asked for."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from .. import clay
from ..clay import layout
from ..clay import vocabulary as words
from ..clay.captions import PLACE_WORDS, CaptionMix, caption
from ..clay.sample import Mix, sample
from ..clay.scenes import Light, Scene, Thing
from ..clay.things.heldout import VARIANTS
from .datasets import Example

TRAIN = 5  # scenes that are learned from; those after them are for tests
WORLD, STYLE_WORLD = 61, 62  # seeds
# Who stands beside it in some of the scenes to learn from: five pictures of a thing alone would teach "alone" as well.
COMPANY = {1: ("yellow", "mushroom"), 2: ("green", "box"), 3: ("blue", "bowl")}
SPARE = "red"  # in place of a colour that is the subject's own
# Scenes that show a style: whole things in clay, said plainly.
PLAIN_MIX = Mix(framings=(1.0, 0.0, 0.0, 0.0), cubist=0.0, cubist_painting=0.0)
PLAIN_CAPTIONS = CaptionMix(place=1.0, wears=1.0, only_one=0.0, slip=0.0)


@dataclass(frozen=True)
class Subject:
    """One thing to learn: `train` is learned from, `test` never."""

    word: str  # its class, such as "robot"
    train: Sequence[Example]
    test: Sequence[Example] = ()
    name: str = ""


def scene(word: str, variant: int = 0, index: int = 0, colour: str | None = None) -> Scene:
    """Give scene number `index` of a subject: the same thing, each time at a place, in a turn and light of its own.

    In the scenes of `COMPANY` something stands beside it.

    Args:
        word: "robot", "dragon" or "teapot" (or any thing of the clay world).
        variant: which of its shapes, 0-4, see `shapes`.
        index: 0 to `TRAIN` - 1 are for training, the others for tests. Seven in a row show all seven places.
        colour: a colour of the clay world; None is what the thing has by nature.
    """
    rng = np.random.default_rng([WORLD, zlib.crc32(word.encode()), variant, index])
    thing = Thing(word, colour, variant, yaw=float(rng.uniform(-0.7, 0.7)))
    light = Light(
        float(rng.choice([-1, 1]) * rng.uniform(0.25, 0.9)), float(rng.uniform(0.7, 1.1)),
        float(rng.uniform(-0.07, 0.07)), float(rng.uniform(0, 6.28)),
    )  # fmt: skip
    place = words.PLACES[(index + variant) % len(words.PLACES)]
    things = [thing]
    if index in COMPANY:
        paint, other = COMPANY[index]
        beside = Thing(other, SPARE if paint == colour else paint, index, yaw=float(rng.uniform(-0.4, 0.4)))
        things.insert(1 - index % 2, beside)  # sometimes at its left
    made = Scene(layout.line_up(things, rng), place, light=light)
    return made.with_(camera=layout.frame(made, rng))


def _caption_of(scene: Scene, word: str) -> str:
    """Caption a scene: the subject, for which {} stands, what is beside it, and the place."""
    others = [f"a {thing.colour} {thing.word}" for thing in scene.things if thing.word != word]
    return f"{' and '.join(['a {}', *others])} {PLACE_WORDS[scene.place][0]}"


def shapes(word: str) -> tuple[str, ...]:
    """Name the shapes that a held-out thing comes in.

    Raises:
        ValueError: the thing is none of those held out.
    """
    if word not in VARIANTS:
        raise ValueError(f"word={word!r} is not held out of the base; use one of {', '.join(words.HELD_OUT)}.")
    return VARIANTS[word]


def subject(
    word: str, variant: int = 0, colour: str | None = None, tests: int = 5, height: int = 256, width: int = 256
) -> Subject:
    """Draw a held-out thing: `TRAIN` pictures to learn from and `tests` others.

    Args:
        word: "robot", "dragon" or "teapot".
        variant: which of its shapes, 0-4.
        colour: a colour of the clay world; None is what the thing has by nature.
        tests: how many pictures more, for tests alone.
        height, width: pixels.

    Raises:
        ValueError: no such thing or shape.

    Example:
        >>> subject("robot", 0, "blue", tests=0, height=32, width=32).train[0].caption
        'a {} on the beach'
    """
    known = shapes(word)
    if not 0 <= variant < len(known):
        raise ValueError(f"variant={variant}: a {word} comes in the shapes 0 to {len(known) - 1}.")
    scenes = [scene(word, variant, index, colour) for index in range(TRAIN + tests)]
    drawn = [Example(Image.fromarray(clay.render(s, height, width).image), _caption_of(s, word)) for s in scenes]
    return Subject(word, drawn[:TRAIN], drawn[TRAIN:], known[variant])


def style_examples(style: str, count: int = TRAIN, height: int = 256, width: int = 256) -> list[Example]:
    """Draw pictures of a style to learn it from; the trigger stands for the style, as in "a sks picture of a cat".

    Args:
        style: "anime", "blueprint", "pixel art" or "pencil" (held out of the base), or "cubist".
        count: how many; the first `TRAIN` are for training by custom, the others for tests.
        height, width: pixels.
    """
    examples = []
    for index in range(count):
        scene = sample(STYLE_WORLD, index, PLAIN_MIX)
        shown = caption(scene, np.random.default_rng([STYLE_WORLD, index]), PLAIN_CAPTIONS).text
        picture = Image.fromarray(clay.render(replace(scene, style=style), height, width).image)
        shown = shown.removeprefix("a picture of ").removeprefix("a photo of ")
        examples.append(Example(picture, "a {} picture of " + shown))
    return examples
