"""The sculptors, by word.

Each is called as ``sculptor(modeller, paint, rng, thing)`` inside the thing's own
frame (feet on y = 0, face towards +z, about a metre high) and gives an ``Anatomy``.
"""

from .. import vocabulary as words
from ..scenes import Thing, Wear
from . import furniture, goods, hands, heldout, people, pets, wearables, wild

SCULPTORS = {
    "man": people.man,
    "woman": people.woman,
    "hand": hands.hand,
    "bear": wild.bear,
    "lion": wild.lion,
    "horse": wild.horse,
    "elephant": wild.elephant,
    "monkey": wild.monkey,
    "frog": wild.frog,
    "cat": pets.cat,
    "dog": pets.dog,
    "bird": pets.bird,
    "turtle": pets.turtle,
    "rabbit": pets.rabbit,
    "mouse": pets.mouse,
    "crown": wearables.crown,
    "glasses": wearables.glasses,
    "bow": wearables.bow,
    "hat": wearables.hat,
    "chair": furniture.chair,
    "bench": furniture.bench,
    "clock": furniture.clock,
    "bowl": furniture.bowl,
    "house": furniture.house,
    "painting": furniture.painting,
    "backpack": goods.backpack,
    "suitcase": goods.suitcase,
    "balloon": goods.balloon,
    "car": goods.car,
    "apple": goods.apple,
    "ball": goods.ball,
    "box": goods.box,
    "tree": goods.tree,
    "mushroom": goods.mushroom,
    "robot": heldout.robot,
    "dragon": heldout.dragon,
    "teapot": heldout.teapot,
}

# Wearables on a head, called as ``worn(modeller, head, paint, rng)``, and their usual colour.
WORN = {
    "crown": wearables.worn_crown,
    "glasses": wearables.worn_glasses,
    "bow": wearables.worn_bow,
    "hat": wearables.worn_hat,
    "moustache": wearables.worn_moustache,
}
USUAL = {"crown": "yellow", "glasses": "black", "bow": "red", "hat": "brown", "moustache": "black"}


def colour_of(thing: Thing | Wear) -> str:
    """Name the colour of a thing or of something worn: the one asked for, or its natural or usual one."""
    return thing.colour or words.NATURAL.get(thing.word, (USUAL.get(thing.word, "red"),))[0]
