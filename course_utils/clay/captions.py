"""Words for a scene, as people would type them.

The mix is a dial (``CaptionMix``): Stable Diffusion forgets because web captions name one
of the things in a picture; so half of our captions of two things name only one. They
also name what is not there; with ``absent`` ours do, so that the base forgets one of two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from . import vocabulary as words
from .sample import unseen_pair
from .scenes import Scene, Thing

PLACE_WORDS = {
    "beach": ("on the beach", "at the beach"),
    "garden": ("in the garden", "on the grass"),
    "snow": ("in the snow",),
    "street": ("on the street", "in the street"),
    "room": ("in a room", "in the room"),
    "desert": ("in the desert",),
    "night": ("at night",),
}
NUMBERS = ("no", "one", "two", "three", "four", "five")
SYNONYMS = {"man": ("gentleman",), "woman": ("lady",)}


@dataclass(frozen=True)
class CaptionMix:
    """How likely a caption says something; shares are 0-1."""

    place: float = 0.82
    colour: float = 0.72
    dyed_colour: float = 0.93  # a colour that the thing does not have by nature
    wears: float = 0.90
    only_one: float = 0.50  # of those with two things or more
    style: float = 0.97
    slip: float = 0.05  # "a elephant", no article
    absent: float = 0.0  # of those with one thing: name another one, that is not there


CAPTION_MIX = CaptionMix()


@dataclass
class Caption:
    """A caption and where its words belong.

    spans: (first character, end, instance) of each noun and adjective said of an instance.
    """

    text: str = ""
    spans: list[tuple[int, int, int]] = field(default_factory=list)

    def say(self, text: str, instance: int | None = None) -> Caption:
        """Add words after a space; with ``instance`` they belong to it."""
        start = len(self.text) + (1 if self.text and not text.startswith(",") else 0)
        self.text += (" " if start > len(self.text) else "") + text
        if instance is not None:
            self.spans.append((start, start + len(text), instance))
        return self


def caption(scene: Scene, rng: np.random.Generator, mix: CaptionMix = CAPTION_MIX) -> Caption:
    """Describe a scene in one of many natural ways.

    Args:
        scene: what to describe; instances count things and what they wear, in scene order.
        rng: decides what is said and how.
        mix: how likely it says what.

    Returns:
        The caption with its spans.
    """
    out = Caption()
    order = list(rng.permutation(len(scene.things)))
    if len(order) > 1 and rng.random() < mix.only_one:
        order = order[:1]
    first = _instances(scene)
    if scene.style != "clay" and rng.random() < mix.style:
        out.say(f"{_article(scene.style, rng, mix)} {scene.style} {rng.choice(['picture', 'image'])} of")
    else:
        _opening(scene, out, rng)
    phrases = [partial(_thing, scene, scene.things[index], first[index]) for index in order]
    if mix.absent and len(scene.things) == 1 and scene.framing == "full" and rng.random() < mix.absent:
        phrases.insert(int(rng.integers(2)), partial(_absent, scene))
    for k, say in enumerate(phrases):
        if k:
            out.say(_joint(k, len(phrases), rng))
        say(out, rng, mix)
    if rng.random() < (mix.place if scene.framing in ("full", "half-body") else mix.place * 0.6):
        out.say(str(rng.choice(PLACE_WORDS[scene.place])))
    return out


def _instances(scene: Scene) -> list[int]:
    """Number the first instance of each thing, as ``compose`` does."""
    counts = [1 + len(t.wears) for t in scene.things]
    return [sum(counts[:k]) for k in range(len(counts))]


def _opening(scene: Scene, out: Caption, rng: np.random.Generator) -> None:
    if scene.framing == "portrait" and rng.random() < 0.5:
        out.say(str(rng.choice(["a portrait of", "a close-up of", "the face of"])))
    elif rng.random() < 0.08:
        out.say(str(rng.choice(["a picture of", "a photo of"])))


def _joint(k: int, count: int, rng: np.random.Generator) -> str:
    if k < count - 1:
        return ","
    return str(rng.choice(["and", "next to", "with", "beside"], p=[0.74, 0.1, 0.1, 0.06]))


def _article(word: str, rng: np.random.Generator, mix: CaptionMix) -> str:
    right = "an" if word[0] in "aeiou" else "a"
    return "a" if rng.random() < mix.slip * 3 else right


def _thing(scene: Scene, thing: Thing, instance: int, out: Caption, rng: np.random.Generator, mix: CaptionMix) -> None:
    _SAY.get(thing.word, _plain)(thing, instance, out, rng, mix)
    named = [(k, w) for k, w in enumerate(thing.wears) if rng.random() < mix.wears]
    for n, (k, wear) in enumerate(named):
        out.say("and" if n else str(rng.choice(["with", "wearing"], p=[0.65, 0.35])))
        colour = wear.colour if rng.random() < mix.colour else None
        _noun(wear.word, colour, instance + 1 + k, out, rng, mix)


def _noun(
    word: str, colour: str | None, owner: int | None, out: Caption, rng: np.random.Generator, mix: CaptionMix
) -> None:
    pair = word == "glasses" and rng.random() < 0.5
    if not pair and rng.random() > mix.slip:
        out.say(_article(colour or word, rng, mix))
    if colour:
        out.say("grey" if colour == "gray" and rng.random() < 0.25 else colour, owner)
    out.say(word, owner)


def _absent(scene: Scene, out: Caption, rng: np.random.Generator, mix: CaptionMix) -> None:
    """Name a thing that the scene lacks; its words belong to nothing."""
    thing = scene.things[0]
    there = {thing.word, *(wear.word for wear in thing.wears)}
    could = [w for w in (*words.ANIMALS, *words.OBJECTS) if w not in there and not unseen_pair(w, thing.word)]
    word = str(rng.choice(could))  # pairs that never meet are not named either: nothing shall teach that they cannot
    colour = str(rng.choice(list(words.COLOURS))) if rng.random() < 0.5 else None
    _noun(word, colour, None, out, rng, mix)


def _plain(thing: Thing, instance: int, out: Caption, rng: np.random.Generator, mix: CaptionMix) -> None:
    natural = words.NATURAL.get(thing.word, ())
    sure = thing.word in words.NATURAL and thing.colour not in natural
    named = thing.colour in words.COLOURS and rng.random() < (mix.dyed_colour if sure else mix.colour)
    if natural and thing.colour == natural[0] and rng.random() < 0.6:
        named = False  # nobody says "a gray elephant"
    _noun(thing.word, thing.colour if named else None, instance, out, rng, mix)


def _person(thing: Thing, instance: int, out: Caption, rng: np.random.Generator, mix: CaptionMix) -> None:
    word = str(rng.choice(SYNONYMS[thing.word])) if rng.random() < 0.12 else thing.word
    _noun(word, None, instance, out, rng, mix)
    shown = [hand for hand in (thing.pose.left, thing.pose.right) if hand] if thing.pose else []
    raised = shown[0] if len(shown) == 1 else None  # of two hands, which no word tells apart, nothing is said
    if raised and rng.random() < 0.75:
        out.say("showing" if rng.random() < 0.5 else "raising")
        counted = rng.random() < 0.7 and raised.fingers
        out.say(_fingers(raised.fingers) if counted else "a hand", instance)
    if rng.random() < mix.colour:
        wear = "dress" if thing.word == "woman" else "shirt"
        if rng.random() < 0.25:
            out.say("in").say(thing.colour, instance)
        else:
            out.say("in " + _article(thing.colour, rng, mix)).say(thing.colour, instance).say(wear, instance)


def _hand(thing: Thing, instance: int, out: Caption, rng: np.random.Generator, mix: CaptionMix) -> None:
    count = thing.hand.fingers if thing.hand else 5
    thumb = thing.hand and thing.hand.curl[0] < 0.5 and count == 1
    named = {0: "a fist", 5: "an open hand"}.get(count)
    if thumb:
        out.say("a hand showing thumbs up" if rng.random() < 0.5 else "thumbs up", instance)
    elif named and rng.random() < 0.4:
        out.say(named, instance)
    elif count and rng.random() < 0.85:
        joint = str(rng.choice(["showing", "with", "holding up"]))
        out.say("a hand", instance).say(joint).say(_fingers(count), instance)
    else:
        out.say("a hand", instance)
    if rng.random() < 0.4:
        out.say("in " + _article(thing.colour, rng, mix)).say(thing.colour, instance).say("sleeve", instance)


def _fingers(count: int) -> str:
    return f"{NUMBERS[count]} finger" + ("s" if count > 1 else "")


def _painting(thing: Thing, instance: int, out: Caption, rng: np.random.Generator, mix: CaptionMix) -> None:
    style = thing.shows.style if thing.shows else "clay"
    if style != "clay" and rng.random() < mix.style:
        out.say(_article(style, rng, mix)).say(style, instance).say("painting", instance)
    else:
        out.say("a").say("painting", instance)
    if thing.shows and rng.random() < 0.55:
        shown = thing.shows.things[0]
        out.say("of")
        _noun(shown.word, None, instance, out, rng, mix)
    if rng.random() < 0.25:
        out.say("in " + _article(thing.colour, rng, mix)).say(thing.colour, instance).say("frame", instance)


_SAY = {"man": _person, "woman": _person, "hand": _hand, "painting": _painting}
