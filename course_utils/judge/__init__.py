"""The judge: looks at a picture and says which things are there, how big, in what colour, and how many fingers.

It is a network of its own, trained on rendered truth alone (``recipe.judge``), and only measures: nothing
is trained on what it says. Its own error is printed on its card, ``assets/models/clay-judge/README.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from .. import env
from ..clay import vocabulary as words
from .network import COLOURS, NOTHING, RAISED, UNCOUNTABLE, Judge, label_of, prepare, restore, shrink, window

RAISED_HAND = "raised hand"  # a person's; no thing of its own, but its fingers are counted
FOLDER = env.ASSETS / "models" / "clay-judge"


@dataclass(frozen=True)
class Seen:
    """A thing in a picture. ``share`` of the picture and ``confidence`` are 0-1."""

    word: str
    colour: str
    share: float
    confidence: float


@dataclass(frozen=True)
class Sight:
    """What the judge sees: the largest thing first; ``fingers`` is None where no hand can be counted."""

    things: tuple[Seen, ...]
    fingers: int | None = None

    def get(self, word: str) -> Seen | None:
        """Give what is seen of a word, or None."""
        if word not in words.THINGS:
            raise ValueError(f"word={word!r} is unknown to the judge; it knows {', '.join(words.THINGS)}.")
        return next((seen for seen in self.things if seen.word == word), None)

    def has(self, word: str, colour: str | None = None) -> bool:
        """Tell whether a thing is there, and in this colour if one is asked for.

        Raises:
            ValueError: if the judge does not know the word or the colour.
        """
        if colour is not None and colour not in COLOURS:
            raise ValueError(f"colour={colour!r} is unknown to the judge; it knows {', '.join(COLOURS)}.")
        seen = self.get(word)
        return seen is not None and colour in (None, seen.colour)


@dataclass(frozen=True)
class Bar:
    """What a thing must pass to count as there: least ``share`` of the picture, least mean ``confidence``."""

    share: float
    confidence: float

    def passes(self, seen: Seen) -> bool:
        """Tell whether what is seen is enough."""
        return seen.share >= self.share and seen.confidence >= self.confidence


@dataclass(frozen=True)
class Trained:
    """The judge's network and what each thing must pass to count as there."""

    model: Judge
    bars: dict[str, Bar]


@lru_cache(maxsize=2)
def load(folder: Path = FOLDER) -> Trained:
    """Read the judge from ``model.safetensors`` and ``config.json``.

    Raises:
        FileNotFoundError: if a file is missing, with the command that makes it.
        ValueError: if the weights are damaged or were trained for another vocabulary.
    """
    model = Judge()
    config = restore(model, Path(folder), "judge", {"things": list(words.THINGS), "colours": list(COLOURS)})
    return Trained(model, {word: Bar(*bar) for word, bar in config["bars"].items()})


def look(image, judge: Trained | None = None) -> Sight:
    """Say what a picture shows.

    Args:
        image: PIL picture or uint8 array [height, width, 3], RGB; any size, made for 256 x 256.
        judge: None takes the one that ships.

    Returns:
        What is seen.

    Raises:
        ValueError: if the picture is no RGB picture.
    """
    judge, pixels = judge or load(), _pixels(image)
    reading = read(judge.model, shrink(pixels))
    passed = [seen for seen in candidates(reading) if judge.bars[seen.word].passes(seen)]
    passed.sort(key=lambda seen: -seen.share)
    things = tuple(seen for seen in passed if seen.word != RAISED_HAND)
    return Sight(things, _count(judge, reading, pixels, passed))


@dataclass(frozen=True)
class Reading:
    """Of each cell: its label, the probability of that, and of each colour [colour, height, width]."""

    label: np.ndarray
    sure: np.ndarray
    colours: np.ndarray


@torch.inference_mode()
def read(model: Judge, pixels: np.ndarray) -> Reading:
    """Read a picture uint8 [height, width, 3] whose sides are multiples of 32."""
    klass, colour, _ = model(prepare(pixels[None]))
    sure, label = klass[0].softmax(0).max(0)
    return Reading(label.numpy(), sure.numpy(), colour[0].softmax(0).numpy())


def _pixels(image) -> np.ndarray:
    pixels = np.asarray(image.convert("RGB") if hasattr(image, "convert") else image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or min(pixels.shape[:2]) < 16:
        raise ValueError(
            f"image is {pixels.dtype} {list(pixels.shape)}; give RGB, uint8 [height, width, 3], each >= 16."
        )
    return pixels


def candidates(reading: Reading) -> list[Seen]:
    """List everything that has a cell, whether or not it passes its bar; a raised hand is called so."""
    return [_seen(reading, label) for label in np.unique(reading.label) if label != NOTHING]


def _seen(reading: Reading, label: int) -> Seen:
    mask = reading.label == label
    vote = (reading.colours[:, mask] * reading.sure[mask]).sum(1)
    word = RAISED_HAND if label == RAISED else words.THINGS[label - 1]
    return Seen(word, COLOURS[vote.argmax()], float(mask.mean()), float(reading.sure[mask].mean()))


def _count(judge: Trained, reading: Reading, pixels: np.ndarray, passed: list[Seen]) -> int | None:
    """Look at the hand again, larger, and count; None where no hand is seen or it cannot be counted."""
    hand = next((seen.word for seen in passed if seen.word in ("hand", RAISED_HAND)), None)
    if hand is None:
        return None
    mask = reading.label == (RAISED if hand == RAISED_HAND else label_of("hand"))
    with torch.inference_mode():
        answer = judge.model(prepare(window(mask, pixels)[None]))[2].argmax().item()
    return answer if answer != UNCOUNTABLE else None
