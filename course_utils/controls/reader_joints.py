"""From maps to points: the reader's peaks, put together into people and hands.

Places are (column, row) in cells of the reader's maps: the middle of the first cell is (0.5, 0.5).
"""

from __future__ import annotations

import cv2
import numpy as np

from ..judge.network import square

REACH = 64.0  # cells: the unit of the way from a pixel to its person's neck
HAND = 32.0  # cells: the hand whose size is 0
ROOM = 1.3  # a hand is cut out with this much room
JOINT_BAR, PALM_BAR, FINGER_BAR = 0.25, 0.35, 0.1  # least heights of peaks
FEWEST = 3  # joints of a person
MOST = 8  # peaks of one map that are looked at
TOGETHER = 0.15  # joints whose necks lie closer than this share of the smaller side are one person's
window = square  # cut out around a hand, which is looked at again, larger


def peaks(heat: np.ndarray, bar: float, reach: int = 3) -> list[tuple[float, np.ndarray]]:
    """List the local maxima of a map [height, width] above a bar, the ``MOST`` highest: height and place."""
    highest = cv2.dilate(heat, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    rows, columns = np.nonzero((heat == highest) & (heat > bar))
    found = [(float(heat[r, c]), _centre(heat, r, c)) for r, c in zip(rows, columns, strict=True)]
    return sorted(found, key=lambda peak: -peak[0])[:MOST]


def _centre(heat: np.ndarray, row: int, column: int) -> np.ndarray:
    """Place a peak between the cells: the top of the hill through it and its neighbours, a Gaussian's exactly."""
    low = np.log(np.pad(heat, 1, mode="edge")[row : row + 3, column : column + 3] + 1e-6)
    return np.array([column + _top(*low[1]), row + _top(*low[:, 1])]) + 0.5


def _top(before: float, here: float, after: float) -> float:
    """Give where a parabola through three points is highest, -0.5 to 0.5 from the middle one."""
    bend = before - 2 * here + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0


def _cell(at: np.ndarray, field: np.ndarray) -> tuple[int, int]:
    """Give row and column of the cell of a field [..., height, width] that a place lies in; its edge is inside."""
    row, column = (min(int(value), size - 1) for value, size in zip(at[::-1], field.shape[-2:], strict=True))
    return row, column


def bodies(heat: np.ndarray, neck: np.ndarray) -> list[np.ndarray]:
    """Give each joint to a person: joints that point to the same neck belong together.

    Args:
        heat: [18, height, width], 0-1.
        neck: [2, height, width], way to the neck in ``REACH``.

    Returns:
        float32 [18, 3] a person: place and visibility; 0 where a joint is not seen.
    """
    found = [(*peak, joint) for joint, channel in enumerate(heat) for peak in peaks(channel, JOINT_BAR)]
    people: list[tuple[np.ndarray, np.ndarray]] = []
    for score, at, joint in sorted(found, key=lambda peak: -peak[0]):
        points_to = at + neck[:, *_cell(at, neck)] * REACH
        near = [(np.linalg.norm(points_to - where), points) for where, points in people if not points[joint, 2]]
        away, points = min(near, key=lambda person: person[0], default=(np.inf, None))
        if away > TOGETHER * min(heat.shape[1:]):
            points = np.zeros((len(heat), 3), np.float32)
            people.append((points_to, points))
        points[joint] = *at, score
    return [points for _, points in people if (points[:, 2] > 0).sum() >= FEWEST]


def palms(heat: np.ndarray, size: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """List the hands of a picture: middle, and size in cells; from maps [height, width], ``size`` as told."""
    places = [at for _, at in peaks(heat, PALM_BAR, reach=5)]
    return [(at, float(np.exp(size[_cell(at, size)])) * HAND) for at in places]


def highest(heat: np.ndarray) -> np.ndarray:
    """Give the top of each map [point, height, width]: float32 [point, 3], place and height; 0 if it is too low."""
    found = [np.unravel_index(channel.argmax(), channel.shape) for channel in heat]
    pairs = zip(heat, found, strict=True)
    points = np.array([(*_centre(channel, *at), channel[at]) for channel, at in pairs], np.float32)
    points[points[:, 2] < FINGER_BAR, 2] = 0
    return points
