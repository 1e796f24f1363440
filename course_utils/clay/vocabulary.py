"""The words of the clay world, and what each of them looks like.

Everything here is plain data. Colours are linear-light RGB in 0-1 before
shading. The order of ``CLASSES`` is frozen: class maps on disk use its indices.
"""

from __future__ import annotations

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

ANIMALS = ("cat", "dog", "bird", "bear", "lion", "horse", "elephant", "monkey", "frog", "turtle", "rabbit", "mouse")
OBJECTS = (
    "backpack", "glasses", "crown", "suitcase", "chair", "balloon", "bow", "car", "bowl", "bench", "clock", "apple",
)  # fmt: skip
PEOPLE = ("man", "woman")
SCENERY = ("ball", "box", "tree", "mushroom", "house", "painting")
WEARABLES = ("crown", "glasses", "bow", "hat", "moustache")
STANDALONE_WEARABLES = ("crown", "glasses", "bow", "hat")
HELD_OUT = ("robot", "dragon", "teapot")

# What "a lion" looks like when no colour is said: the first is the most common.
NATURAL: dict[str, tuple[str, ...]] = {
    "cat": ("orange", "gray", "black", "white"),
    "dog": ("brown", "white", "black"),
    "bird": ("blue", "red", "yellow"),
    "bear": ("brown", "black", "white"),
    "lion": ("tawny",),
    "horse": ("brown", "white", "black"),
    "elephant": ("gray",),
    "monkey": ("brown",),
    "frog": ("green",),
    "turtle": ("green",),
    "rabbit": ("white", "gray", "brown"),
    "mouse": ("gray", "white"),
    "tree": ("green",),
    "dragon": ("green",),
}
# Fur tones that are not colour words of the vocabulary.
TONES: dict[str, tuple[float, float, float]] = {"tawny": (0.84, 0.56, 0.20)}

PLACES = ("beach", "garden", "snow", "street", "room", "desert", "night")

CLASSES: tuple[str, ...] = (
    "sky", "sand", "grass", "snow", "road", "floor", "earth", "lawn at night", "sea", "wall", "hill", "building",
    *ANIMALS,
    *OBJECTS,
    *PEOPLE,
    "hand",
    *SCENERY,
    "hat", "moustache",
    *HELD_OUT,
)  # fmt: skip
CLASS_ID: dict[str, int] = {name: i for i, name in enumerate(CLASSES)}
BACKGROUND_CLASSES = CLASSES[:12]
THINGS: tuple[str, ...] = CLASSES[12:]

STYLES = ("clay", "cubist")
HELD_OUT_STYLES = ("anime", "blueprint", "pixel art", "pencil")


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
