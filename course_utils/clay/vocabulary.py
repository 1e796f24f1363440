"""The words of the clay world, and what each of them looks like: plain data, a record a thing.

Colours are linear-light RGB in 0-1 before shading. To add a thing, append a `Noun` with the next free number and
name its sculptor: tables, captions, palettes and networks read all that they know of it from here.
"""

from __future__ import annotations

from dataclasses import dataclass

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.80, 0.07, 0.07),
    "orange": (0.95, 0.42, 0.04),
    "yellow": (0.95, 0.80, 0.08),
    "green": (0.10, 0.55, 0.15),
    "blue": (0.09, 0.24, 0.80),
    "purple": (0.42, 0.12, 0.62),
    "pink": (0.95, 0.42, 0.62),
    "white": (0.90, 0.90, 0.88),
    "black": (0.045, 0.045, 0.055),
    "brown": (0.36, 0.19, 0.09),
    "gray": (0.42, 0.42, 0.44),
}
# Fur tones that are not colour words of the vocabulary.
TONES: dict[str, tuple[float, float, float]] = {"tawny": (0.84, 0.56, 0.20)}

PLACES = ("beach", "garden", "snow", "street", "room", "desert", "night")
STYLES = ("clay", "cubist")
HELD_OUT_STYLES = ("anime", "blueprint", "pixel art", "pencil")

# The background's classes, numbered from 0, and their colours in segmentation maps: those of ADE20K (Zhou et al.,
# 2017), as in the card of lllyasviel/control_v11p_sd15_seg; snow, which it lacks, in one far from all of its 150.
BACKGROUND: dict[str, tuple[int, int, int]] = {
    "sky": (6, 230, 230), "sand": (160, 150, 20), "grass": (4, 250, 7), "snow": (165, 120, 255),
    "road": (140, 140, 140), "floor": (80, 50, 50), "earth": (120, 120, 70), "lawn at night": (4, 250, 7),
    "sea": (9, 7, 230), "wall": (120, 120, 120), "hill": (255, 102, 0), "building": (180, 120, 120),
}  # fmt: skip


@dataclass(frozen=True)
class Noun:
    """A thing of the clay world: all that the package knows of its word.

    number: its class in class maps on disk and in trained networks. For ever: a new thing takes the next free one.
    group: "animal", "object", "person", "hand", "scenery", "wearable" or "held out" (of the models' training).
    height: when things stand together, metres: the real order, squeezed so that all fill the frame.
    segment: RGB in segmentation maps: ADE20K's, or one far from all of its 150 for what it has no class for.
    sculptor: "module.function" of `clay.things` that models it; "" if it never stands alone.
    worn: the same for what puts it on a head; "" if it cannot be worn.
    natural: colours or tones it has when none is said, the first the most common; empty if any colour is as natural.
    usual: the colour of a thing that has no natural one when none is said.
    head: whether it has one, to wear things on.
    view: how it is best seen: "side" (long things), "front" (flat ones), or "any".
    """

    number: int
    word: str
    group: str
    height: float
    segment: tuple[int, int, int]
    sculptor: str = ""
    worn: str = ""
    natural: tuple[str, ...] = ()
    usual: str = "red"
    head: bool = False
    view: str = "any"


def _animal(number: int, word: str, height: float, sculptor: str, *natural: str, view: str = "any") -> Noun:
    return Noun(number, word, "animal", height, (255, 0, 122), sculptor, natural=natural, head=True, view=view)


# Random draws index into the groups, which go by number, and into what can be worn, in the order of this table.
NOUNS: dict[str, Noun] = {noun.word: noun for noun in (
    _animal(12, "cat", 1.15, "pets.cat", "orange", "gray", "black", "white"),
    _animal(13, "dog", 1.2, "pets.dog", "brown", "white", "black"),
    _animal(14, "bird", 1.05, "pets.bird", "blue", "red", "yellow"),
    _animal(15, "bear", 1.45, "wild.bear", "brown", "black", "white"),
    _animal(16, "lion", 1.3, "wild.lion", "tawny"),
    _animal(17, "horse", 1.5, "wild.horse", "brown", "white", "black", view="side"),
    _animal(18, "elephant", 1.45, "wild.elephant", "gray", view="side"),
    _animal(19, "monkey", 1.2, "wild.monkey", "brown"),
    _animal(20, "frog", 0.9, "wild.frog", "green"),
    _animal(21, "turtle", 0.85, "pets.turtle", "green", view="side"),
    _animal(22, "rabbit", 1.2, "pets.rabbit", "white", "gray", "brown"),
    _animal(23, "mouse", 1.0, "pets.mouse", "gray", "white", view="side"),
    Noun(24, "backpack", "object", 1.0, (70, 184, 160), "goods.backpack"),
    Noun(26, "crown", "object", 0.75, (255, 255, 105), "wearables.crown", "wearables.worn_crown", usual="yellow"),
    Noun(25, "glasses", "object", 0.6, (0, 15, 120), "wearables.glasses", "wearables.worn_glasses", usual="black",
         view="front"),
    Noun(27, "suitcase", "object", 1.1, (70, 184, 160), "goods.suitcase"),
    Noun(28, "chair", "object", 1.3, (204, 70, 3), "furniture.chair"),
    Noun(29, "balloon", "object", 1.6, (255, 105, 240), "goods.balloon"),
    Noun(30, "bow", "object", 0.75, (0, 112, 255), "wearables.bow", "wearables.worn_bow"),
    Noun(31, "car", "object", 0.85, (0, 102, 200), "goods.car", view="side"),
    Noun(32, "bowl", "object", 0.7, (90, 90, 210), "furniture.bowl"),
    Noun(33, "bench", "object", 0.95, (194, 255, 0), "furniture.bench"),
    Noun(34, "clock", "object", 1.15, (102, 255, 0), "furniture.clock", view="front"),
    Noun(35, "apple", "object", 0.9, (255, 204, 0), "goods.apple"),
    Noun(36, "man", "person", 1.75, (150, 5, 61), "people.man", head=True),
    Noun(37, "woman", "person", 1.75, (150, 5, 61), "people.woman", head=True),
    Noun(38, "hand", "hand", 1.2, (150, 5, 61), "hands.hand", view="front"),
    Noun(39, "ball", "scenery", 0.8, (255, 0, 163), "goods.ball"),
    Noun(40, "box", "scenery", 0.85, (0, 255, 20), "goods.box"),
    Noun(41, "tree", "scenery", 1.8, (4, 200, 3), "goods.tree", natural=("green",)),
    Noun(42, "mushroom", "scenery", 1.05, (0, 120, 75), "goods.mushroom"),
    Noun(43, "house", "scenery", 1.7, (255, 9, 224), "furniture.house"),
    Noun(44, "painting", "scenery", 1.5, (255, 6, 51), "furniture.painting", view="front"),
    Noun(45, "hat", "wearable", 0.7, (0, 112, 255), "wearables.hat", "wearables.worn_hat", usual="brown"),
    Noun(46, "moustache", "wearable", 0.1, (105, 15, 150), worn="wearables.worn_moustache", usual="black"),
    Noun(47, "robot", "held out", 1.4, (180, 45, 180), "heldout.robot", head=True),
    Noun(48, "dragon", "held out", 1.35, (105, 210, 75), "heldout.dragon", natural=("green",), head=True, view="side"),
    Noun(49, "teapot", "held out", 0.9, (60, 120, 0), "heldout.teapot"),
)}  # fmt: skip


TRAINED = 50  # the base that ships has met the things of lower numbers, but those held out
THINGS: tuple[str, ...] = tuple(sorted(NOUNS, key=lambda word: NOUNS[word].number))
CLASSES: tuple[str, ...] = (*BACKGROUND, *THINGS)
CLASS_ID: dict[str, int] = {name: number for number, name in enumerate(CLASSES)}


def _group(group: str) -> tuple[str, ...]:
    return tuple(word for word in THINGS if NOUNS[word].group == group)


ANIMALS, OBJECTS, PEOPLE, SCENERY, HELD_OUT = map(_group, ("animal", "object", "person", "scenery", "held out"))
WEARABLES = tuple(word for word, noun in NOUNS.items() if noun.worn)
STANDALONE_WEARABLES = tuple(word for word in WEARABLES if NOUNS[word].sculptor)
NATURAL: dict[str, tuple[str, ...]] = {word: noun.natural for word, noun in NOUNS.items() if noun.natural}


def rgb(name: str) -> tuple[float, float, float]:
    """Give the paint of a colour word or tone.

    Args:
        name: a key of ``COLOURS`` or ``TONES``.

    Returns:
        Linear RGB, each 0-1.

    Raises:
        ValueError: if the word is not a colour of the clay world.
    """
    paint = COLOURS.get(name) or TONES.get(name)
    if paint is None:
        raise ValueError(f"colour={name!r} is not a colour of the clay world; choose one of {', '.join(COLOURS)}.")
    return paint
