"""The judge: looks at a picture and says which things are there, how big, in what colour, and how many fingers.

It is a network of its own, trained on rendered truth alone (``recipe.judge``), and only measures: nothing
is trained on what it says. Its own error is printed on its card, ``assets/models/clay-judge/README.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from .. import env
from ..clay import vocabulary as words
from ..pictures import as_picture
from . import network
from .network import COLOURS, LABELLED, RAISED_HAND, Judge, label_of, prepare

FOLDER = env.ASSETS / "models" / "clay-judge"


@dataclass(frozen=True)
class Detection:
    """A thing in a picture. ``share`` of the picture, ``confidence`` and ``column``, left to right, are 0-1."""

    word: str
    colour: str
    share: float
    confidence: float
    column: float = math.nan  # of its middle


@dataclass(frozen=True)
class Detections:
    """What the judge finds: the largest thing first; ``fingers`` is None where no hand can be counted.

    known: the words that it was trained to find.
    """

    things: tuple[Detection, ...]
    fingers: int | None = None
    known: tuple[str, ...] = words.THINGS

    def get(self, word: str) -> Detection | None:
        """Give what is found of a word, or None.

        Raises:
            ValueError: if the judge does not know the word.
        """
        if word not in self.known:
            raise ValueError(f"word={word!r} is unknown to the judge; it knows {', '.join(self.known)}.")
        return next((thing for thing in self.things if thing.word == word), None)

    def has(self, word: str, colour: str | None = None) -> bool:
        """Tell whether a thing is there, and in this colour if one is asked for.

        Raises:
            ValueError: if the judge does not know the word or the colour.
        """
        if colour is not None and colour not in COLOURS:
            raise ValueError(f"colour={colour!r} is unknown to the judge; it knows {', '.join(COLOURS)}.")
        thing = self.get(word)
        return thing is not None and colour in (None, thing.colour)


@dataclass(frozen=True)
class Threshold:
    """What a thing must pass to count as there: least ``share`` of the picture, least mean ``confidence``."""

    share: float
    confidence: float

    def passes(self, thing: Detection) -> bool:
        """Tell whether what is found is enough."""
        return thing.share >= self.share and thing.confidence >= self.confidence


@dataclass(frozen=True)
class Trained:
    """The judge's network, and by word (one of ``network.LABELLED``) what must be passed to count as there."""

    model: Judge
    thresholds: dict[str, Threshold]


@lru_cache(maxsize=2)
def load(folder: Path = FOLDER) -> Trained:
    """Read the judge from ``model.safetensors`` and ``config.json``.

    Raises:
        FileNotFoundError: if a file is missing, with the command that makes it.
        ValueError: if the weights are damaged or were trained for another vocabulary.
    """
    model = Judge()
    config = network.restore(model, Path(folder), "judge", {"things": list(words.THINGS), "colours": list(COLOURS)})
    return Trained(model, {word: Threshold(*least) for word, least in config["bars"].items()})


def look(image, judge: Trained | None = None) -> Detections:
    """Say what a picture shows.

    Args:
        image: whatever `as_picture` takes; any size, made for 256 x 256.
        judge: None takes the one that ships.

    Raises:
        TypeError, ValueError: no picture, or one of less than 16 pixels a side.
    """
    judge, pixels = judge or load(), np.asarray(as_picture(image, largest=None))
    cells = classify(judge.model, network.shrink(pixels))
    there = [thing for thing in candidates(cells) if judge.thresholds[thing.word].passes(thing)]
    there.sort(key=lambda thing: -thing.share)
    things = tuple(thing for thing in there if thing.word != RAISED_HAND)
    known = tuple(word for word in judge.thresholds if word != RAISED_HAND)
    return Detections(things, _count(judge.model, cells, pixels, there), known)


@dataclass(frozen=True)
class Cells:
    """Of each cell: its label, the probability of that, and of each colour [colour, height, width]."""

    label: np.ndarray
    probability: np.ndarray
    colours: np.ndarray


@torch.inference_mode()
def classify(model: Judge, pixels: np.ndarray) -> Cells:
    """Label the cells of a picture uint8 [height, width, 3] whose sides are multiples of 32."""
    label_logits, colour_logits, _ = model(prepare(pixels[None]))
    probability, label = label_logits[0].softmax(0).max(0)
    return Cells(label.numpy(), probability.numpy(), colour_logits[0].softmax(0).numpy())


def candidates(cells: Cells) -> list[Detection]:
    """List everything that has a cell, whether or not it is enough; a raised hand is called so."""
    return [_detection(cells, label) for label in np.unique(cells.label) if label != network.NOTHING]


def _detection(cells: Cells, label: int) -> Detection:
    mask = cells.label == label
    votes = (cells.colours[:, mask] * cells.probability[mask]).sum(1)
    share, confidence = float(mask.mean()), float(cells.probability[mask].mean())
    column = (np.nonzero(mask)[1].mean() + 0.5) / mask.shape[1]
    return Detection(LABELLED[label - 1], COLOURS[votes.argmax()], share, confidence, float(column))


def _count(model: Judge, cells: Cells, pixels: np.ndarray, there: list[Detection]) -> int | None:
    """Look at the hand again, larger, and count; None where no hand is seen or it cannot be counted."""
    hand = next((thing.word for thing in there if thing.word in ("hand", RAISED_HAND)), None)
    if hand is None:
        return None
    with torch.inference_mode():
        answer = model(prepare(network.window(cells.label == label_of(hand), pixels)[None]))[2].argmax().item()
    return answer if answer != network.UNCOUNTABLE else None
