"""What a film is worth: how much it flickers, and beside it what could buy that dearly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from .. import controls, editing
from .clips import Clip, pull

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


def warping_error(frames: Sequence[Image.Image], clip: Clip, first: bool = False) -> float:
    """Give the warping error: how much a point changes its colour from one frame to the next.

    The mean over pairs of the mean squared difference, over points that both frames show, of colours 0-1, between a
    frame and its successor pulled back along the motion (Lai et al., 2018, with the truth in place of their estimated
    flow and mask). The truth itself does not reach 0: light and sampling change.

    Args:
        frames: painted, one for each frame of the clip and of its size.
        clip: knows the motion.
        first: hold each frame against the first instead, which also sees slow drift.

    Returns:
        0 for no change; published tables show it times 100.

    Raises:
        ValueError: not as many frames as the clip has, or of another size.
    """
    _check(frames, clip)
    pairs = [(0 if first else k, k + 1) for k in range(len(frames) - 1)]
    return float(np.mean([_pair_error(frames[a], frames[b], *clip.flow(a, b)) for a, b in pairs]))


def _pair_error(a: Image.Image, b: Image.Image, flow: np.ndarray, visible: np.ndarray) -> float:
    """Give the mean squared difference of colours where both frames show the same point; 0 if they show none."""
    apart = ((pull(b, flow) - np.asarray(a, np.float32)) / 255) ** 2
    return float(apart[visible].mean()) if visible.any() else 0.0


def sharpness(frames: Sequence[Image.Image]) -> float:
    """Give the mean slope of brightness (0-1) from pixel to pixel: what blur takes away."""
    grey = [cv2.cvtColor(np.asarray(frame, np.uint8), cv2.COLOR_RGB2GRAY).astype(float) / 255 for frame in frames]
    return float(np.mean([np.hypot(*np.gradient(each)).mean() for each in grey]))


def measure(frames: Sequence[Image.Image], clip: Clip, control: str | None = None) -> dict[str, float]:
    """Measure a film by all that must be seen together.

    Args:
        frames: painted, one for each frame of the clip.
        clip: knows the motion.
        control: the kind of map that each frame should obey; None, or a clip without truth, leaves adherence out.

    Returns:
        "warping error" and, against the first frame, "drift", both times 100; "sharpness", times 100; "adherence":
        the mean over frames of how far each obeys *its own* map.
    """
    found = {
        "warping error": 100 * warping_error(frames, clip),
        "drift": 100 * warping_error(frames, clip, first=True),
        "sharpness": 100 * sharpness(frames),
    }
    if control and clip.made:
        obeyed = [controls.adherence_of(control, *pair) for pair in zip(clip.made, frames, strict=True)]
        found["adherence"] = float(np.nanmean(obeyed))
    return found


def through_autoencoder(pipe: DiffusionPipeline, frames: Sequence[Image.Image]) -> list[Image.Image]:
    """Send each frame through a pipeline's autoencoder and back: what is lost before anything is painted."""
    return [editing.decode(pipe, editing.encode(pipe, frame)) for frame in frames]


def blurred(frames: Sequence[Image.Image], sigma: float = 4.0) -> list[Image.Image]:
    """Blur every frame (Gaussian, ``sigma`` in pixels): a cheat that the warping error rewards."""
    return [Image.fromarray(cv2.GaussianBlur(np.asarray(frame), (0, 0), sigma)) for frame in frames]


def _check(frames: Sequence[Image.Image], clip: Clip) -> None:
    sizes = {(frame.height, frame.width) for frame in frames}
    if len(frames) != len(clip) or sizes != {clip.size}:
        raise ValueError(f"frames has {len(frames)} of {sorted(sizes)}; the clip has {len(clip)} of {clip.size}.")
