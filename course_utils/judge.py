"""The judge: looks at a picture and says which things are there, how big, in what colour, and how many fingers.

It is a network of its own, trained on rendered truth alone (``clay.recipe.judge``), and only measures: nothing
is trained on what it says. Its own error is printed on its card, ``assets/models/clay-judge/README.md``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from . import env
from .clay import vocabulary as words

SIZE = 128  # pixels of the shorter side that the network sees
COLOURS = (*words.COLOURS, *words.TONES)
NOTHING, RAISED = 0, len(words.THINGS) + 1  # labels of a pixel: 0, then the things, then a raised hand
LABELS = RAISED + 1
UNCOUNTABLE = 6  # the answer of the finger head beside 0-5
WIDTHS = (32, 64, 128, 256)  # channels at 1/2, 1/4, 1/8, 1/16 of SIZE
HAND_ROOM = 1.3  # a window for counting is this many times as wide as the hand seen
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


class Block(nn.Module):
    """Two 3 x 3 convolutions around which the input passes by."""

    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = _conv(width, width), _conv(width, width)
        nn.init.zeros_(self.second[1].weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add what the convolutions find to ``x`` [batch, channel, height, width]."""
        return F.relu(x + self.second(F.relu(self.first(x))))


class Judge(nn.Module):
    """A small U of convolutions: class and colour of each second pixel, and the fingers of the whole picture."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS, blocks: tuple[int, ...] = (1, 2, 2, 2)):
        super().__init__()
        self.stem = _conv(3, widths[0], 4, 2)
        self.down = nn.ModuleList(_conv(a, b, 2, 2) for a, b in zip(widths, widths[1:], strict=False))
        self.inner = nn.ModuleList(nn.Sequential(*map(Block, [w] * n)) for w, n in zip(widths, blocks, strict=True))
        self.rise = nn.ModuleList(_conv(b, a, 1) for a, b in zip(widths, widths[1:], strict=False))
        self.outer = nn.ModuleList(Block(w) for w in widths[:-1])
        self.klass, self.colour = nn.Conv2d(widths[0], LABELS, 1), nn.Conv2d(widths[0], len(COLOURS), 1)
        self.hand = nn.Sequential(_conv(widths[1], widths[2], 2, 2), nn.ReLU(), Block(widths[2]))
        self.fingers = nn.Linear(2 * widths[2], UNCOUNTABLE + 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Judge pictures.

        Args:
            x: [batch, 3, height, width] in -1..1, sides multiples of 16.

        Returns:
            Logits of the label and of the colour of pixels, [batch, LABELS or len(COLOURS), height/2, width/2],
            and of the finger count [batch, 7].
        """
        x = self.inner[0](F.relu(self.stem(x)))
        kept = []
        for down, inner in zip(self.down, self.inner[1:], strict=True):
            kept.append(x)
            x = inner(F.relu(down(x)))
        hand = None
        for level in reversed(range(len(kept))):
            up = F.interpolate(self.rise[level](x), scale_factor=2.0, mode="nearest")
            x = self.outer[level](F.relu(up + kept[level]))
            hand = self.hand(x) if level == 1 else hand
        pooled = torch.cat([hand.mean((2, 3)), hand.amax((2, 3))], dim=1)
        return self.klass(x), self.colour(x), self.fingers(pooled)


def _conv(a: int, b: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    made = nn.Conv2d(a, b, size, stride, (size - stride + 1) // 2, bias=False)
    return nn.Sequential(made, nn.BatchNorm2d(b, momentum=0.05))
