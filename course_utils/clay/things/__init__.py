"""The sculptors, by word, as `vocabulary.NOUNS` names them.

Each is called as ``sculptor(modeller, paint, rng, thing)`` inside the thing's own
frame (feet on y = 0, face towards +z, about a metre high) and gives an ``Anatomy``.
"""

from collections.abc import Callable
from importlib import import_module

from .. import vocabulary as words
from ..scenes import Thing, Wear


def _function(path: str) -> Callable:
    module, _, name = path.partition(".")
    return getattr(import_module(f".{module}", __name__), name)


SCULPTORS = {word: _function(noun.sculptor) for word, noun in words.NOUNS.items() if noun.sculptor}
# Wearables on a head, called as ``worn(modeller, head, paint, rng)``.
WORN = {word: _function(noun.worn) for word, noun in words.NOUNS.items() if noun.worn}


def colour_of(thing: Thing | Wear) -> str:
    """Name the colour of a thing or of something worn: the one asked for, or its natural or usual one."""
    noun = words.NOUNS[thing.word]
    return thing.colour or (noun.natural or (noun.usual,))[0]
