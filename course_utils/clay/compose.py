"""From a scene to clay: call the sculptors, dress the heads, remember who owns which instance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import vocabulary as words
from .backdrop import palette
from .scenes import Scene, Thing
from .shapes import TEXTURE, Modeller, parts, rotation
from .things import SCULPTORS, WORN, colour_of
from .things.anatomy import Anatomy, clay


@dataclass
class Clay:
    """Sculpted things, ready for the tracer.

    rows: primitives [n, COLUMNS]; parts: [m, 7].
    owners: for each instance, (index of the thing in the scene, its word or the wearable's).
    anatomy: one for each thing of the scene.
    wall: z of the back wall (only a room shows it).
    names: of each row, the name of its part where its sculptor gave one, else "".
    """

    rows: np.ndarray
    parts: np.ndarray
    owners: list[tuple[int, str]]
    anatomy: list[Anatomy]
    wall: float
    names: tuple[str, ...]


def compose(scene: Scene) -> Clay:
    """Sculpt every thing of ``scene`` where it stands."""
    ground = None if scene.edition == 1 else palette(scene.place, scene.light.shade)[2]
    m = Modeller(edition=scene.edition, ground=ground)
    owners: list[tuple[int, str]] = []
    anatomy, pictures = [], 0
    for index, thing in enumerate(scene.things):
        first = len(m.rows)
        anatomy.append(sculpt(m, thing, index, owners))
        for row in m.rows[first:]:
            if row[TEXTURE] >= 0:  # the sculptor says "a picture here"; it is the next one of the scene
                row[TEXTURE] = pictures if thing.shows else -1
        pictures += thing.shows is not None
    rows = np.array(m.rows)
    back = min([0.0, *(t.z - 0.9 * t.size for t in scene.things)])
    return Clay(rows, parts(rows), owners, anatomy, back - 1.3, tuple(m.names))


def sculpt(m: Modeller, thing: Thing, index: int, owners: list[tuple[int, str]]) -> Anatomy:
    """Add one thing and what it wears to the modeller; append its instances to ``owners``."""
    rng = np.random.default_rng(thing.variant)
    paint = clay(colour_of(thing), rng)
    m.class_id, m.instance = words.CLASS_ID[thing.word], len(owners)
    owners.append((index, thing.word))
    with m.frame((thing.x, 0.0, thing.z), rotation(yaw=thing.yaw), thing.size):
        made = SCULPTORS[thing.word](m, paint, rng, thing)
    for wear in thing.wears:
        m.class_id, m.instance = words.CLASS_ID[wear.word], len(owners)
        owners.append((index, wear.word))
        WORN[wear.word](m, made.head, clay(colour_of(wear), rng), rng)
    return made
