"""How well a picture obeys its control: pure functions of arrays, one a control; higher is better, 1 is perfect.

What was asked for comes first and is called truth; what is found in the picture that came out, found. Where the
truth holds nothing (no person, no straight line) nothing was asked for, and the answer is nan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from . import metrics
from .pictures import as_picture

TOLERANCE = 2.0  # pixels by which an edge may be off: one is the detector's, one the autoencoder's
REACH = 0.1  # the 0.1 of PCK@0.1
FEWEST = 3  # points that make a body or hand: fewer have no box to speak of
ANGLE = 22.5  # degrees by which a normal may be off
BEACH = 0.3  # from here on a picture counts as a beach: half of what is looked at may be hidden
# Paints of the clay beach: hue in degrees, saturation and value 0-1, each from, to; read off renders.
SKY = ((180, 225), (0.12, 1.0), (0.40, 1.0))  # and the sea before it
SEA = ((180, 215), (0.35, 1.0), (0.30, 1.0))
SAND = ((28, 52), (0.18, 0.50), (0.40, 1.0))  # in the sun and in a shadow


def edge_f1(truth: np.ndarray, found: np.ndarray, tolerance: float = TOLERANCE) -> float:
    """Give the F1 of two edge maps, an edge counting as hit if the other map has one within the tolerance.

    The harmonic mean of the share of found edges that were asked for and the share of asked edges that were found,
    as in the boundary benchmark (Martin et al., 2004), but without its one-to-one matching: lines are thin.

    Args:
        truth, found: bool [height, width].
        tolerance: pixels.

    Returns:
        0-1; nan where the truth has no edge.
    """
    hit = edges_found(truth, found, tolerance)
    if math.isnan(hit) or not hit:
        return hit
    right = edges_found(found, truth, tolerance)
    return 2 * right * hit / (right + hit)


def edges_found(truth: np.ndarray, found: np.ndarray, tolerance: float = TOLERANCE) -> float:
    """Give the share of the edges asked for that are found within the tolerance, whatever else is found.

    The half of `edge_f1` that does not mind more edges: the outline of one thing in a picture of many. Arguments and
    what is returned are those of `edge_f1`.
    """
    from scipy.ndimage import distance_transform_edt

    truth, found = (mask.astype(bool) for mask in metrics.same_shape(truth=truth, found=found))
    if not truth.any():
        return math.nan
    return float((distance_transform_edt(~found)[truth] <= tolerance).mean()) if found.any() else 0.0


def pck(
    truth: Sequence[np.ndarray],
    found: Sequence[np.ndarray],
    reach: float = REACH,
    only: Sequence[int] | None = None,
) -> float:
    """Give the share of visible points that are found where they should be: PCK (Yang and Ramanan, 2013).

    A point is right if it lies within `reach` times the longer side of the box around the visible points of its
    body or hand. Nobody tells who is who among several people: they are paired so that most points are right.

    Args:
        truth: an array [point, 3] a body or hand: column, row (pixels), visible (0 or not).
        found: the same, as many as were found.
        reach: share of the box.
        only: numbers of the points that count, such as those of the arms; the box stays that of all.

    Returns:
        0-1; nan where the truth shows nobody. Of whom fewer than `FEWEST` points are visible does not count.
    """
    from scipy.optimize import linear_sum_assignment

    truth = [points for points in map(np.asarray, truth) if (points[:, 2] > 0).sum() >= FEWEST]
    if not truth:
        return math.nan
    counts = [*range(len(truth[0]))] if only is None else [*only]
    right = np.array(
        [[_right(asked, seen, reach)[counts].sum() for seen in map(np.asarray, found)] for asked in truth], float
    )
    best = right[linear_sum_assignment(right, maximize=True)].sum() if right.size else 0.0
    asked = sum((points[counts, 2] > 0).sum() for points in truth)
    return float(best / asked) if asked else math.nan


def _right(truth: np.ndarray, found: np.ndarray, reach: float) -> np.ndarray:
    if truth.shape != found.shape:
        raise ValueError(f"truth has shape {truth.shape} and found {found.shape}; both need the same points.")
    asked = truth[:, 2] > 0
    off = np.linalg.norm(found[:, :2] - truth[:, :2], axis=1)
    return asked & (off <= reach * np.ptp(truth[asked, :2], axis=0).max()) & (found[:, 2] > 0)


def eyes(image, body: np.ndarray) -> float:
    """Give how much brightness goes up and down from left to right where a clay figure's eyes would be.

    Eyes are dark and light spots side by side, hair is smooth: on true renders any front has more of it than any
    back. It says nothing of a photograph.

    Args:
        image: whatever `as_picture` takes.
        body: [18, 3] in OpenPose's order, (column, row, seen) in pixels; both ears must have a place.

    Returns:
        The mean change between neighbouring pixels of a row, 0-255.
    """
    left, right = body[[17, 16], :2]
    (column, row), gap = (left + right) / 2, float(np.linalg.norm(left - right))
    grey = cv2.cvtColor(np.asarray(as_picture(image)), cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = cv2.GaussianBlur(grey, (0, 0), max(0.3, 0.03 * gap))  # a grain of the paint is no eye
    rows = slice(max(0, int(row - 0.30 * gap)), int(row + 0.25 * gap) + 1)
    columns = slice(max(0, int(column - 0.36 * gap)), int(column + 0.36 * gap) + 1)
    return float(np.abs(np.diff(grey[rows, columns], axis=1)).mean())


def depth_rank(truth: np.ndarray, found: np.ndarray) -> float:
    """Give the rank correlation (Spearman) of two depth maps, -1 to 1: a depth map's scale means nothing.

    Args:
        truth, found: numbers [height, width], larger where nearer (or where farther, in both).

    Returns:
        1 for the same order, 0 for none, -1 for the opposite; nan where the truth is all one depth.
    """
    from scipy.stats import rankdata

    truth, found = (rankdata(depth) for depth in metrics.same_shape(truth=truth, found=found))
    if truth.std() == 0:
        return math.nan
    return float(np.corrcoef(truth, found)[0, 1]) if found.std() else 0.0


def normal_share(truth: np.ndarray, found: np.ndarray, degrees: float = ANGLE) -> float:
    """Give the share of normals that are off by no more than an angle (Fouhey et al., 2013).

    Args:
        truth, found: [height, width, 3], the same axes, any length.
        degrees: the angle.
    """
    truth, found = metrics.same_shape(truth=truth, found=found)
    along = (truth * found).sum(-1)
    length = np.linalg.norm(truth, axis=-1) * np.linalg.norm(found, axis=-1)
    return float(((along >= math.cos(math.radians(degrees)) * length - 1e-9) & (length > 0)).mean())


def beach(image) -> float:
    """Give how much of a picture looks like a beach of the clay world, by its colours alone.

    Of its seven places only the beach has blue above and sand or sea below. What stands in the middle hides the
    place, so only the outer quarters are looked at. Of a photograph this says little: skies can be overcast.

    Args:
        image: whatever `as_picture` takes.

    Returns:
        The share of blue in the upper third or that of sand and sea in the lower third, whichever is smaller: 0-1.

    Raises:
        TypeError, ValueError: no picture, or one of less than 16 pixels a side.
    """
    pixels = np.asarray(as_picture(image, largest=None))
    third, quarter = len(pixels) // 3, pixels.shape[1] // 4
    sides = np.concatenate([pixels[:, :quarter], pixels[:, -quarter:]], axis=1)
    return min(_painted(sides[:third], SKY), _painted(sides[-third:], SEA, SAND))


def is_beach(image) -> bool:
    """Tell whether a picture counts as a beach of the clay world."""
    return beach(image) >= BEACH


def _painted(pixels: np.ndarray, *paints: tuple[tuple[float, float], ...]) -> float:
    """Give the share of pixels uint8 [height, width, 3] that lie within the bounds of any paint."""
    hsv = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    bounds = (np.array(paint).T for paint in paints)
    return float(np.any([((hsv >= low) & (hsv <= high)).all(-1) for low, high in bounds], axis=0).mean())


def score(reached, floor, ceiling) -> metrics.Interval:
    """Give the share of the way from no control to the best possible: (x - floor) / (ceiling - floor) of the means.

    Args:
        reached: a measure of each scene with the control.
        floor: the same scenes and seeds without it.
        ceiling: the same measure of the true render after one trip through the autoencoder: about the best that can
            be expected of a picture that comes out of it.

    Returns:
        1 at the ceiling (above it more), 0 at the floor (below it less), with a bootstrap interval over scenes. Scenes
        in which nothing was asked for (nan) are left out.

    Raises:
        ValueError: not the same scenes, none left, or a ceiling that is not above the floor.
    """
    rows = [np.asarray(column, float).ravel() for column in (reached, floor, ceiling)]
    if len({len(row) for row in rows}) > 1:
        raise ValueError(f"reached, floor and ceiling have {[*map(len, rows)]} scenes; they must be the same.")
    x, low, high = np.array(rows)[:, ~np.isnan(rows).any(0)]
    if not len(x):
        raise ValueError("reached, floor and ceiling have no scene in which all three are known.")
    if high.mean() <= low.mean():
        raise ValueError(f"ceiling={high.mean():.3f} is not above floor={low.mean():.3f}: there is no way to go.")

    def statistic(draw):
        way = high[draw].mean(-1) - low[draw].mean(-1)
        return (x[draw].mean(-1) - low[draw].mean(-1)) / np.where(way > 0, way, np.nan)

    return metrics.bootstrap(statistic, len(x))
