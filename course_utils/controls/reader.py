"""The reader: sees classes, joints and surface directions in a clay picture that nobody rendered.

A network of its own, trained on rendered truth (``recipe.reader``). It also says how unlike a clay picture
its input is: on a photograph it can only guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from .. import env
from ..clay import vocabulary as words
from ..judge.network import prepare, restore
from . import reader_joints as joints

FOLDER = env.ASSETS / "models" / "clay-reader"
SIDE, HAND_SIDE = 256, 128  # pixels of the shorter side that the network sees, and of a hand cut out
SHARP = 512  # hands are cut out of a picture whose shorter side is at most this
LONGEST = 4  # longer sides than so many shorter ones are shrunk further
STEP = 16  # sides that the network sees are multiples of it
HEADS = {"klass": len(words.CLASSES), "normal": 3, "body": 18, "neck": 2, "palm": 1, "size": 1, "fingers": 21}
RARE = ("body", "palm", "fingers")  # heads that say "nothing here" nearly everywhere


class ReaderOutput(NamedTuple):
    """What the network says of each second pixel: [batch, channel, height / 2, width / 2].

    klass: logits. normal: camera space, of any length. body: logits of the joints' places. neck: the way from a
    person's pixel to their neck, (column, row) in ``joints.REACH``. palm: logits of the middles of hands. size: of
    those, the logarithm in ``joints.HAND``. fingers: logits of a hand's points, where one hand fills the picture.
    """

    klass: torch.Tensor
    normal: torch.Tensor
    body: torch.Tensor
    neck: torch.Tensor
    palm: torch.Tensor
    size: torch.Tensor
    fingers: torch.Tensor


@dataclass(frozen=True)
class Reading:
    """What the reader sees; maps have the picture's [height, width].

    seg: uint8, index into ``vocabulary.CLASSES``.
    normal: float32 [height, width, 3], unit, camera space: x right, y up, z towards the viewer.
    body: a float32 [18, 3] for each person, in OpenPose's order: column, row (pixels), visibility 0-1.
    hands: a float32 [21, 3] for each hand.
    doubt: 0-1, how unlike a clay picture: how unsure of its classes; 0.5 is more than 19 in 20.
    """

    seg: np.ndarray
    normal: np.ndarray
    body: list[np.ndarray]
    hands: list[np.ndarray]
    doubt: float


class ResidualBlock(nn.Module):
    """Two convolutions whose finding is added to what comes in: nothing at first."""

    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Look at ``x`` [batch, channel, height, width] once more."""
        return x + self.second(F.relu(self.first(F.relu(x))))


class Reader(nn.Module):
    """A small encoder-decoder without normalisation, with a head for each thing to read."""

    def __init__(self, widths: tuple[int, ...] = (64, 128, 208), blocks: tuple[int, ...] = (1, 2, 3)):
        super().__init__()
        low, high = widths[0], widths[-1]
        steps = list(zip(widths, widths[1:], strict=False))
        self.stem = nn.Sequential(nn.Conv2d(3, low // 2, 4, 2, 1), nn.ReLU(), nn.Conv2d(low // 2, low, 4, 2, 1))
        self.inner = nn.ModuleList(_blocks(width, count) for width, count in zip(widths, blocks, strict=True))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in steps)
        self.whole = nn.Linear(high, high)
        self.rise = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in steps)
        self.outer = nn.ModuleList(_blocks(width, 2 if width == low else 1) for width in widths[:-1])
        self.heads = nn.ModuleDict({name: nn.Conv2d(low, 4 * count, 1) for name, count in HEADS.items()})
        for name in RARE:
            nn.init.constant_(self.heads[name].bias, -4.0)
        self.register_buffer("far", torch.ones(()))  # entropy that one picture in 20 of its own world exceeds

    def forward(self, x: torch.Tensor) -> ReaderOutput:
        """Read pictures [batch, 3, height, width] in -1..1, sides multiples of ``STEP``."""
        x = self.inner[0](self.stem(x))
        kept = []
        for down, inner in zip(self.down, self.inner[1:], strict=True):
            kept.append(x)
            x = inner(down(F.relu(x)))
        x = x + self.whole(F.relu(x).mean((2, 3)))[..., None, None]
        for level in reversed(range(len(kept))):
            x = self.outer[level](kept[level] + F.interpolate(self.rise[level](F.relu(x)), scale_factor=2.0))
        x = F.relu(x)
        return ReaderOutput(*(F.pixel_shuffle(head(x), 2) for head in self.heads.values()))

    def doubt(self, klass: torch.Tensor) -> torch.Tensor:
        """Give the doubt, 0-1 [batch], from the classes' logits (after Hendrycks & Gimpel, 2017)."""
        away = class_entropy(klass) / self.far
        return away**4 / (1 + away**4)

    @torch.inference_mode()
    def read(self, image: Image.Image) -> Reading:
        """Read a picture; what is no clay scene gives a guess and a large doubt.

        Args:
            image: PIL, RGB, any size of at least 16 pixels each way.

        Raises:
            ValueError: if the picture is smaller.
        """
        pixels = np.asarray(image.convert("RGB"))
        height, width = pixels.shape[:2]
        if min(height, width) < STEP:
            raise ValueError(f"image has {height} x {width} pixels; the reader needs at least {STEP} each way.")
        sharp = scaled(pixels, SHARP) if min(height, width) > SHARP else pixels
        output = self(prepare(scaled(sharp, SIDE)[None]))
        klass, normal = (F.interpolate(m, scale_factor=2.0, mode="bilinear")[0] for m in (output.klass, output.normal))
        seg = cv2.resize(klass.argmax(0).byte().numpy(), (width, height), interpolation=cv2.INTER_NEAREST)
        normal = cv2.resize(normal.permute(1, 2, 0).numpy(), (width, height), interpolation=cv2.INTER_LINEAR)
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
        bodies, hands = self._points(output, sharp)
        for points in (*bodies, *hands):
            points[:, :2] *= np.array([width, height]) / sharp.shape[1::-1]
        return Reading(seg, normal, bodies, hands, self.doubt(output.klass).item())

    def _points(self, output: ReaderOutput, sharp: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Find the points of people and hands in a picture; each hand is looked at again, larger."""
        heat = output.body[0].sigmoid().numpy()
        cell = np.array(sharp.shape[1::-1]) / heat.shape[:0:-1]
        bodies = joints.bodies(heat, output.neck[0].numpy())
        for points in bodies:
            points[:, :2] *= cell
        hands = []
        for middle, size in joints.palms(output.palm[0, 0].sigmoid().numpy(), output.size[0, 0].numpy()):
            cut, back = joints.window(sharp, middle * cell, size * cell.max() * joints.ROOM, HAND_SIDE)
            points = joints.highest(self(prepare(cut[None])).fingers[0].sigmoid().numpy())
            points[:, :2] = 2 * points[:, :2] @ back[:, :2].T + back[:, 2]
            hands.append(points)
        return bodies, hands


def class_entropy(klass: torch.Tensor) -> torch.Tensor:
    """Give the entropy of the classes, in nats, mean over a picture: [batch], from logits [batch, class, h, w]."""
    return torch.special.entr(klass.float().softmax(1)).sum(1).mean((1, 2))


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(width) for _ in range(count)))


def scaled(pixels: np.ndarray, side: int) -> np.ndarray:
    """Resize a picture so that its shorter side is ``side``, less if it is very long, and both fit ``STEP``."""
    height, width = pixels.shape[:2]
    scale = min(side / min(height, width), LONGEST * side / max(height, width))
    size = [max(STEP, round(n * scale / STEP) * STEP) for n in (width, height)]
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def load(folder: Path = FOLDER) -> Reader:
    """Read the reader from ``model.safetensors`` and ``config.json``.

    Raises:
        FileNotFoundError: if a file is missing, with the command that makes it.
        ValueError: if the weights are damaged or were trained for another vocabulary.
    """
    model = Reader()
    restore(model, Path(folder), "reader", {"classes": list(words.CLASSES)})
    return model
