"""Contact sheets: ``python -m course_utils.clay.sheet cat dog --out sheet.png``.

One row a word: natural look at a few angles and places, then colours. Look at it.
With ``--scenes 24`` instead, scenes of the world as the models are trained on them.
"""

from __future__ import annotations

import argparse

import numpy as np
from PIL import Image

from . import vocabulary as words
from .camera import fit
from .compose import compose
from .render import render
from .sample import MIXES, sample
from .scenes import Light, Scene, Thing, Wear


def tile(
    thing: Thing,
    place: str = "garden",
    fill: float = 0.8,
    height: int = 160,
    light: Light | None = None,
    edition: int = 1,
) -> np.ndarray:
    """Render one thing filling the frame: uint8 [height, height, 3]."""
    light = light or Light(0.5 + 0.3 * np.sin(thing.variant), 0.85, 0.0, thing.variant * 1.7)
    scene = Scene((thing,), place, light=light, edition=edition)
    return render(scene.with_(camera=fit(compose(scene).rows, fill, yaw=0.1, pitch=0.16)), height, height).image


def row(word: str, wears: tuple[Wear, ...] = (), height: int = 160, edition: int = 1) -> np.ndarray:
    """Render a word eight times: four turns and places, four colours."""
    natural = words.NATURAL.get(word, ("red", "blue", "yellow", "green"))
    colours = ("red", "blue", "white", "black") if word in words.NATURAL else ("orange", "white", "black", "gray")
    turns = (0.0, 0.5, -0.5, 0.9)
    tiles = [
        tile(
            Thing(word, natural[k % len(natural)], k, yaw=turns[k], wears=wears),
            words.PLACES[k],
            height=height,
            edition=edition,
        )
        for k in range(4)
    ]
    tiles += [
        tile(
            Thing(word, c, 10 + k, yaw=0.3 - 0.2 * k, wears=wears),
            words.PLACES[(k + 3) % 7],
            height=height,
            edition=edition,
        )
        for k, c in enumerate(colours)
    ]
    return np.hstack(tiles)


def world(count: int, seed: int, height: int, columns: int = 8, edition: int = 1) -> np.ndarray:
    """Render the first ``count`` scenes of a world, ``columns`` in a row."""
    tiles = [render(sample(seed, index, MIXES[edition]), height, height).image for index in range(count)]
    return np.vstack([np.hstack(tiles[k : k + columns]) for k in range(0, count, columns)])


def main() -> None:
    """Write a sheet with a row for each word asked for (all of them by default)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", default=list(words.THINGS))
    parser.add_argument("--out", default="sheet.png")
    parser.add_argument("--height", type=int, default=160)
    parser.add_argument("--wear", default=None, help="word[:colour] of a wearable put on every head")
    parser.add_argument("--scenes", type=int, default=0, help="so many scenes of the world --seed instead of words")
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--edition", type=int, default=1)
    asked = parser.parse_args()
    if asked.scenes:
        Image.fromarray(world(asked.scenes, asked.seed, asked.height, edition=asked.edition)).save(
            asked.out, quality=88
        )
        return
    wears = ()
    if asked.wear:
        name, _, colour = asked.wear.partition(":")
        wears = (Wear(name, colour or None),)
    Image.fromarray(np.vstack([row(w, wears, asked.height, asked.edition) for w in asked.words])).save(asked.out)


if __name__ == "__main__":
    main()
