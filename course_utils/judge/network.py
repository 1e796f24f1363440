"""The judge's network, and how pictures come into it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..clay import vocabulary as words

SIZE = 256  # pixels of the shorter side that the network sees
CELL = 4  # pixels of it that share an answer: their labels are a grid of SIZE / CELL
COLOURS = (*words.COLOURS, *words.TONES)
NOTHING, RAISED_HAND = 0, "raised hand"  # a person's: no thing of its own, but its fingers are counted
# Of the labels 1, 2, ... of a cell. The raised hand follows the things that the first judge knew: later ones go after
# it, so that no number of a trained network ever changes.
LABELLED: tuple[str, ...] = (*words.THINGS[:38], RAISED_HAND, *words.THINGS[38:])
LABELS = 1 + len(LABELLED)
NEVER = -1e4  # the bias of an output for a word that came after the training
UNCOUNTABLE = 6  # what the finger head may answer beside 0-5
FINE = 16  # channels at half of SIZE, which only gather what is small: glasses, a moustache
WIDTHS = (32, 64, 128, 240)  # channels at 1/4, 1/8, 1/16, 1/32 of SIZE
HAND_ROOM = 1.3  # a window for counting is this many times as wide as the hand seen


def restore(model: nn.Module, folder: Path, name: str, known: dict[str, list[str]]) -> dict:
    """Fill a network from ``model.safetensors``, set it up for looking, and give its ``config.json``.

    Args:
        model: untrained, of the right shape.
        folder: holds both files.
        name: of the recipe's stage, for messages.
        known: the vocabulary, by key of the config. The network may know its beginning alone: it was trained before
            the last words were added, and never says them.

    Raises:
        FileNotFoundError: if a file is missing, with the command that makes it.
        ValueError: if the weights are damaged or were trained for another vocabulary.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    missing = [file for file in ("config.json", "model.safetensors") if not (folder / file).exists()]
    if missing:
        raise FileNotFoundError(f"folder={str(folder)!r} has no {missing[0]}; `make models STAGE={name}` makes it.")
    config = json.loads((folder / "config.json").read_text())
    if any(value[: len(config[key])] != config[key] for key, value in known.items()):
        raise ValueError(
            f"folder={str(folder)!r} holds a {name} of other words; `make models STAGE={name}` trains anew."
        )
    try:
        state = load_file(folder / "model.safetensors")
        newer = any(len(value) > len(config[key]) for key, value in known.items())
        model.load_state_dict(_widened(state, model) if newer else state)
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"folder={str(folder)!r} holds a damaged model.safetensors: {error}") from error
    ready(model)
    return config


def _widened(state: dict[str, torch.Tensor], model: nn.Module) -> dict[str, torch.Tensor]:
    """Give weights outputs for the words that came after the training: they never win."""
    for name, wanted in model.state_dict().items():
        if wanted.ndim and name in state and (more := len(wanted) - len(state[name])) > 0:
            fill = torch.full((more, *wanted.shape[1:]), NEVER if name.endswith("bias") else 0.0)
            state[name] = torch.cat([state[name], fill.to(state[name])])
    return state


def ready(model: nn.Module) -> nn.Module:
    """Set a network up for looking: no training, channels last."""
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def label_of(word: str) -> int:
    """Give the label of a thing's cells, or of a raised hand's."""
    return LABELLED.index(word) + 1


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
    """A small U of convolutions: class and colour of cells of 4 x 4 pixels, and the fingers of the whole picture."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS, blocks: tuple[int, ...] = (1, 1, 2, 2)):
        super().__init__()
        self.fine = nn.Conv2d(3, FINE, 4, 2, 1)
        self.stem = _conv(FINE, widths[0], 4, 2)
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
            x: [batch, 3, height, width] in -1..1, sides multiples of 32.

        Returns:
            Logits of the label and of the colour of cells, [batch, LABELS or len(COLOURS), height/4, width/4],
            and of the finger count [batch, 7].
        """
        x = self.inner[0](F.relu(self.stem(F.relu(self.fine(x)))))
        skips = []
        for down, inner in zip(self.down, self.inner[1:], strict=True):
            skips.append(x)
            x = inner(F.relu(down(x)))
        hand = None
        for level in reversed(range(len(skips))):
            up = F.interpolate(self.rise[level](x), scale_factor=2.0, mode="nearest")
            x = self.outer[level](F.relu(up + skips[level]))
            hand = self.hand(x) if level == 1 else hand
        pooled = torch.cat([hand.mean((2, 3)), hand.amax((2, 3))], dim=1)
        return self.klass(x), self.colour(x), self.fingers(pooled)


def _conv(a: int, b: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(a, b, size, stride, (size - stride + 1) // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(b, momentum=0.05))


def prepare(pixels: np.ndarray) -> torch.Tensor:
    """Turn uint8 [batch, height, width, 3] into float32 [batch, 3, height, width] in -1..1."""
    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
    return x.float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)


def shrink(pixels: np.ndarray) -> np.ndarray:
    """Resize a picture so that its shorter side is ``SIZE`` and the longer a multiple of 32."""
    height, width = pixels.shape[:2]
    scale = SIZE / min(height, width)
    size = [max(SIZE, round(n * scale / 32) * 32) for n in (width, height)]
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def window(mask: np.ndarray, pixels: np.ndarray, room: float = HAND_ROOM, size: int = SIZE) -> np.ndarray:
    """Cut the square around the largest piece of a mask out of a picture of any size: uint8 [size, size, 3]."""
    _, _, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    x, y, width, height, _ = boxes[1 + boxes[1:, 4].argmax()]
    scale = pixels.shape[0] / mask.shape[0]
    return crop(pixels, (x + width / 2) * scale, (y + height / 2) * scale, max(width, height) * scale * room, size)


def crop(pixels: np.ndarray, column: float, row: float, side: float, size: int = SIZE) -> np.ndarray:
    """Cut a square of ``side`` pixels around a point and resize it to ``size``, the picture's edge repeated."""
    return square(pixels, (column, row), side, size)[0]


def square(pixels: np.ndarray, middle: Sequence[float], side: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut a square out of a picture and resize it, the picture's edge repeated.

    Returns:
        uint8 [size, size, 3], and float [2, 3] that carries (column, row, 1) in it back to the picture.
    """
    half = max(2, round(side / 2))
    around = cv2.copyMakeBorder(pixels, half, half, half, half, cv2.BORDER_REPLICATE)
    x, y = (min(max(round(float(at)), 0), most) for at, most in zip(middle, pixels.shape[1::-1], strict=True))
    how = cv2.INTER_AREA if 2 * half > size else cv2.INTER_LINEAR
    cut = cv2.resize(around[y : y + 2 * half, x : x + 2 * half], (size, size), interpolation=how)
    scale = 2 * half / size
    return cut, np.array([[scale, 0, x - half], [0, scale, y - half]])
