"""A clip: frames, and where each pixel of one frame is in another. Of the clay world that is known, else estimated."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from .. import clay, controls
from ..clay.flow import flow
from ..clay.motion import moving as moments
from . import files

FPS = 8  # frames a second, of clips that are read and of films that are shown
MOST = 64  # frames of a clip: a model that paints one picture at a time needs minutes for more
CUT = 0.22  # mean change of two small neighbouring frames, 0-1, from which the scene has cut ...
JUMP = 5.0  # ... if it is also this many times the usual change
SMALL = (32, 32)  # pixels at which frames are compared


@dataclass
class Clip:
    """Frames of one size, and how they move.

    frames: PIL, RGB; what the camera saw.
    words: a prompt for it.
    made: the renders that the frames come from; empty where the truth is not known.
    notes: what was done to the file, in sentences.
    """

    frames: list[Image.Image]
    words: str = ""
    made: list[clay.Render] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    _flows: dict = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> tuple[int, int]:
        """Return (height, width) in pixels."""
        return self.frames[0].height, self.frames[0].width

    def flow(self, a: int, b: int) -> tuple[np.ndarray, np.ndarray]:
        """Say where each pixel of frame ``a`` is in frame ``b``: exactly where the clip is of clay, else estimated.

        Returns:
            float32 [height, width, 2]: (dx, dy) in pixels; bool [height, width]: whether it is to be seen there.
        """
        if (a, b) not in self._flows:
            between, frames = (flow, self.made) if self.made else (estimate, self.frames)
            self._flows[a, b] = between(frames[a], frames[b])
        return self._flows[a, b]

    def maps(self, control: str, lane: str | None = None) -> list[Image.Image]:
        """Return a control map for each frame: drawn from truth where it is known, else by the lane's preprocessor."""
        if self.made:
            return [controls.from_truth(made, control) for made in self.made]
        return [controls.make(control, frame, lane) for frame in self.frames]


def moving(
    words: str, motion: str = "walk", frames: int = 8, height: int = 256, width: int = 256, seed: int = 0
) -> Clip:
    """Make a clip of the clay world, with its truth; the arguments are those of `clay.motion.moving` and a size."""
    _check_count(frames)
    made = [clay.render(scene, height, width) for scene in moments(words, motion, frames, seed)]
    return Clip([Image.fromarray(render.image) for render in made], words, made)


def from_frames(frames, words: str = "", height: int = 256, width: int = 256, notes: tuple[str, ...] = ()) -> Clip:
    """Make a clip of pictures, whatever `controls.as_picture` takes; each is cut to the size.

    A clip ends where the scene cuts, and a note says so: nothing can be carried over a cut.

    Raises:
        ValueError: fewer than two frames, or more than `MOST`.
    """
    frames = [ImageOps.fit(controls.as_picture(frame), (width, height)) for frame in frames]
    _check_count(len(frames))
    if cut := _cut(frames):
        notes = (*notes, f"The scene cuts after frame {cut}: the clip ends there.")
        frames = frames[:cut]
        _check_count(len(frames), " before its first cut")
    return Clip(frames, words, notes=notes)


def read(
    source: str | Path | bytes, words: str = "", frames: int = 16, height: int = 256, width: int = 256, fps: int = FPS
) -> Clip:
    """Read the reader's own video or moving GIF.

    Frames are taken at equal times, whatever the file's own rate: at each moment the picture that is on the screen
    then. Sound is not read. What is transparent becomes white. Reading ends with the last frame that is taken, so a
    long file costs no more than a short one.

    Args:
        source: a path, or the bytes of a file: MP4, WebM, MOV, GIF, WebP, PNG.
        words: a prompt for it.
        frames: how many are taken at most, 2 to `MOST`.
        height, width: of the clip; frames are cut to this shape.
        fps: frames a second that are taken.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is broken, holds no pictures, or one only.
    """
    _check_count(frames)
    taken, length = files.read_frames(source, frames, Fraction(1, fps))
    if len(taken) < 2:
        raise ValueError(f"source shows one picture only, at {fps} frames a second; a clip has 2 to {MOST}.")
    whole = f"of {length:.1f} s " if length else ""
    notes = (f"The first {len(taken)} frames {whole}were taken, {fps} a second.",) if len(taken) == frames else ()
    return from_frames(taken, words, height, width, notes)


def estimate(a: Image.Image, b: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Estimate where each pixel of ``a`` is in ``b``, both RGB of one size, by DIS (Kroeger et al., 2016).

    A pixel counts as seen if the way back leads home: |forth + back|^2 <= 0.01 (|forth|^2 + |back|^2) + 0.5
    (Lai et al., 2018, whose second rule, for the borders of motion, is left out).
    """
    finder = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2GRAY) for picture in (a, b)]
    forth, back = finder.calc(*grey, None), finder.calc(*grey[::-1], None)
    back, (height, width), (column, row) = pull(back, forth), grey[0].shape, _landed(forth)
    inside = (column >= 0) & (column <= width - 1) & (row >= 0) & (row <= height - 1)
    lengths = (forth**2).sum(-1) + (back**2).sum(-1)
    return forth, inside & (((forth + back) ** 2).sum(-1) <= 0.01 * lengths + 0.5)


def pull(image, flow: np.ndarray) -> np.ndarray:
    """Pull a picture back along the flow: each pixel takes what is where it went to (bilinear).

    Args:
        image: frame b: PIL, or an array [height, width, channel].
        flow: float32 [height, width, 2], from frame a to b, (dx, dy) in pixels.

    Returns:
        float32 [height, width, channel], on the grid of frame a.
    """
    there = _landed(flow)
    return cv2.remap(np.asarray(image, np.float32), *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _landed(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each pixel goes: column and row, float32 [height, width]."""
    height, width = flow.shape[:2]
    column, row = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return column + flow[..., 0], row + flow[..., 1]


def _check_count(count: int, where: str = "") -> None:
    if not 2 <= count <= MOST:
        raise ValueError(f"frames={count}{where}: a clip has 2 to {MOST}.")


def _cut(frames: list[Image.Image]) -> int:
    """Return how many frames there are before the scene cuts; 0 if it does not."""
    small = np.stack([np.asarray(frame.resize(SMALL), float) / 255 for frame in frames])
    change = np.abs(np.diff(small, axis=0)).mean((1, 2, 3))
    for k in np.flatnonzero(change > CUT):
        others = np.delete(change, k)
        if change[k] > JUMP * (np.median(others) if len(others) else 0.0):
            return int(k) + 1
    return 0
