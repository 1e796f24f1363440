"""From words to a scene: the captions' grammar, read backwards.

Not a language model: it knows the clay world's words, colours that stand before them,
what is worn "with" or "wearing", places, styles and fingers; other words it skips.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from . import layout
from . import vocabulary as words
from .captions import NUMBERS, PLACE_WORDS, SYNONYMS
from .sample import MIXES, Mix, draw_thing, hand_pose, raise_hand
from .scenes import Light, Scene, Thing, Wear
from .things.stances import FACING, KINDS

ALIASES = {"grey": "gray", **{synonym: word for word, synonyms in SYNONYMS.items() for synonym in synonyms}}
RAISES = {"hand", "finger", "fingers"}  # said after a person, they raise a hand
PLACE_OF = {phrase.split()[-1]: place for place, phrases in PLACE_WORDS.items() for phrase in phrases}


def from_words(text: str, seed: int = 0, edition: int = 1) -> Scene:
    """Build the scene that a prompt speaks of.

    Args:
        text: for example "a lion with a red crown and a blue bench on the beach".
        seed: decides all that the words leave open.
        edition: of the world, see ``scenes.EDITIONS``.

    Returns:
        A scene with the things in the order named; one thing "of" a painting is in the painting.

    Raises:
        ValueError: if no word names a thing of the clay world.
    """
    rng = np.random.default_rng(seed)
    tokens = [ALIASES.get(t, t) for t in re.findall(r"[a-z]+", text.lower())]
    poses = {kind: share for kind, share in KINDS.items() if kind not in FACING}  # fingers are shown if asked for
    mix = replace(MIXES[edition], wears=0.0, dyed=0.0, behind=0.0, turned=0.0, poses=poses)
    things = _things(tokens, rng, mix)
    if not things:
        raise ValueError(f"words={text!r} names nothing of the clay world; it knows {', '.join(words.THINGS)}.")
    place = next((PLACE_OF[t] for t in tokens if t in PLACE_OF), None) or str(rng.choice(words.PLACES))
    style = next((s for s in words.STYLES[1:] + words.HELD_OUT_STYLES if _whole_style(s, text.lower())), "clay")
    framing = _framing(tokens, things)
    light = Light(float(rng.choice([-0.6, 0.6])), 0.9, 0.0, float(rng.uniform(0, 6.28)))
    scene = Scene(layout.line_up(things, rng, edition), place, style, framing, light=light, edition=edition)
    return scene.with_(camera=layout.frame(scene, rng))


def _whole_style(style: str, text: str) -> bool:
    return style in text and f"{style} painting" not in text


def _framing(tokens: list[str], things: list[Thing]) -> str:
    if things[0].word == "hand" and len(things) == 1:
        return "hand"
    if {"portrait", "face", "close"} & set(tokens) and words.NOUNS[things[0].word].head:
        return "portrait"
    if len(things) == 1 and things[0].word in words.PEOPLE and RAISES & set(tokens):
        return "half-body"  # three in four captions that speak of a person's hand or fingers are of one
    return "full"


def _things(tokens: list[str], rng: np.random.Generator, mix: Mix) -> list[Thing]:
    """Walk the words: a colour waits for its noun, a wearable after "with" goes on the last head."""
    things: list[Thing] = []
    colour, linked = None, False
    for k, token in enumerate(tokens):
        if token in words.COLOURS:
            colour = token
            continue
        if token in ("with", "wearing", "and", "in", "of", "next", "beside", "on"):
            linked = token in ("with", "wearing") or (linked and token == "and")
            continue
        if token in ("shirt", "dress", "sleeve", "frame") and things and colour:
            things[-1] = replace(things[-1], colour=colour)
        elif token in words.WEARABLES and linked and things and words.NOUNS[things[-1].word].head:
            things[-1] = replace(things[-1], wears=(*things[-1].wears, Wear(token, colour)))
        elif token in RAISES and things and things[-1].word in words.PEOPLE:
            things[-1] = replace(things[-1], pose=raise_hand(rng, mix.edition, hand_pose(_count(tokens))))
        elif token in words.THINGS and token != "moustache":
            _add(things, _new(token, colour, tokens, rng, mix), tokens[k - 2 : k])
            linked = False
        else:
            continue
        colour = None
    return things


def _add(things: list[Thing], thing: Thing, before: list[str]) -> None:
    """Append a thing, or put it into the painting that it is "of"."""
    if things and things[-1].word == "painting" and "of" in before:
        shown = layout.line_up([thing], np.random.default_rng(thing.variant), things[-1].shows.edition)
        inside = replace(things[-1].shows, things=shown)
        inside = inside.with_(camera=layout.frame(inside, np.random.default_rng(thing.variant)))
        things[-1] = replace(things[-1], shows=inside)
    else:
        things.append(thing)


def _new(word: str, colour: str | None, tokens: list[str], rng: np.random.Generator, mix: Mix) -> Thing:
    thing = replace(draw_thing(word, rng, mix), wears=())
    if colour:
        thing = replace(thing, colour=colour)
    if word == "hand":
        thing = replace(thing, hand=hand_pose(_count(tokens)))
    if word == "painting":
        style = "cubist" if "cubist" in tokens else "clay"
        thing = replace(thing, shows=thing.shows.with_(style=style))
    return thing


def _count(tokens: list[str]) -> int:
    return next((NUMBERS.index(t) for t in tokens if t in NUMBERS), 0 if "fist" in tokens else 5)
