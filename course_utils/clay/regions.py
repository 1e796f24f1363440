"""Which pixels belong together, and where one surface ends and the next begins."""

from __future__ import annotations

import cv2
import numpy as np

from . import vocabulary as words
from .shapes import INSTANCE, PAINT
from .view import Render

AFAR = tuple(words.CLASS_ID[name] for name in ("sky", "hill", "building"))  # painted on the sky: no place in space


def regions(render: Render) -> np.ndarray:
    """Label the pixels of one thing and one paint, or of one class of the background.

    An eye, a wheel and the body of a car get labels of their own; two legs share one.

    Returns:
        int32 [height, width], 0 to the number of regions - 1.
    """
    rows = render.clay.rows
    shade = np.round(np.sqrt(rows[:, PAINT]) * 12).astype(int) @ (1, 20, 400)
    of_row = np.unique(rows[:, INSTANCE].astype(int) * 8000 + shade, return_inverse=True)[1]
    first = len(words.BACKGROUND)
    labels = np.where(render.primitive < 0, render.klass, of_row[render.primitive] + first)
    used = np.bincount(labels.ravel()) > 0
    return (np.cumsum(used) - 1)[labels].astype(np.int32)


def borders(labels: np.ndarray) -> np.ndarray:
    """Mark the last pixel of each region towards its right and lower neighbour: bool [height, width]."""
    out = np.zeros(labels.shape, bool)
    out[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    out[:-1] |= labels[1:] != labels[:-1]
    return out


def creases(render: Render, bend: float = 0.5, jump: float = 0.06) -> np.ndarray:
    """Mark where the surface bends or breaks off within two pixels.

    Args:
        render: the picture and its truth.
        bend: least length of the difference of two unit normals, 0-2.
        jump: least change of the slope of inverse depth, as a share of it (a plane has none, however slanted).

    Returns:
        bool [height, width].
    """
    near = 1 / np.maximum(render.depth, 1e-3)
    out = np.zeros(near.shape, bool)
    for axis in (0, 1):
        low, high = [slice(None)] * 2, [slice(None)] * 2
        low[axis], high[axis] = slice(None, -2), slice(2, None)
        low, high, middle = tuple(low), tuple(high), [slice(None)] * 2
        middle[axis] = slice(1, -1)
        middle = tuple(middle)
        turned = np.linalg.norm(render.normal[high] - render.normal[low], axis=-1) > bend
        broken = np.abs(near[high] + near[low] - 2 * near[middle]) > jump * near[middle]
        out[middle] |= turned | broken
    return out


def soften(mask: np.ndarray, width: float) -> np.ndarray:
    """Turn a mask into soft lines about ``width`` pixels wide, paler if that is below one: float32, 0-1."""
    blurred = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(0.45, width / 2.2))
    return np.clip(blurred * (1.3 + 0.5 * width), 0, 1) * min(1.0, max(width, 0.3))
