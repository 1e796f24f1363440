"""Edges, straight lines and outlines of any picture, by arithmetic alone: the same on both lanes, without weights."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from ..clay.regions import soften

# The line detector. Lengths are shares of the picture's smaller side.
QUANTISATION = 3.0  # grey levels: a weaker change is noise (LSD's `quant`)
SHORTEST_LINE = 0.08  # what is shorter is not drawn
SHORTEST_PIECE = 0.03  # what is longer may be a piece of a curve that betrays another
JOINT = 0.02  # ends that lie closer touch
BEND = (8.0, 30.0)  # degrees: where touching pieces turn by so much, a curve runs on
COVERED = 0.5  # a line of which so much is drawn already, two pixels to the side, is the same line
# The scribble. Lengths are pixels of a picture of 256; changes are Lab units a pixel times 8.
BLUR = 1.0  # a hand draws no grain
LIGHTNESS = 0.5  # weight beside colour: shadows are dark, but have the ground's colour
WEAK, STRONG = 20.0, 50.0  # an edge is followed down to the one, if it somewhere reaches the other
SHORTEST_STROKE = 25  # a hand does not draw a shorter one
PEN = 3.0  # width of a stroke
FAINT = 8  # grey level from which a pixel of a shrunk drawing touches a line


def canny(pixels: np.ndarray, low: float = 100, high: float = 200) -> np.ndarray:
    """Find edges by Canny's detector (1986), with the thresholds of the ControlNet card.

    Args:
        pixels: uint8 [height, width, 3], RGB.
        low: an edge is followed down to this change of brightness,
        high: if it somewhere reaches this.

    Returns:
        bool [height, width].
    """
    return cv2.Canny(pixels, low, high) > 0


def straight_lines(pixels: np.ndarray) -> np.ndarray:
    """Find straight lines by LSD (von Gioi et al., 2010) in lightness and in both colour channels.

    LSD breaks a curve into short lines that touch at a small angle. M-LSD, whose maps the ControlNet was trained
    on, draws none of them; so a line that runs on into another with a slight bend is left out.

    Args:
        pixels: uint8 [height, width, 3], RGB.

    Returns:
        float [n, 2, 2]: both ends of each line, (column, row) in pixels; the longest first.
    """
    side = min(pixels.shape[:2])
    channels = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB))
    lines = np.concatenate([_unbent(_segments(channel, side), side) for channel in channels])
    length = np.linalg.norm(lines[:, 1] - lines[:, 0], axis=1)
    order = np.argsort(-length)[: int((length >= SHORTEST_LINE * side).sum())]
    return _each_once(lines[order], pixels.shape[:2])


def outlines(pixels: np.ndarray) -> np.ndarray:
    """Draw the outlines that a hand would: those of colour rather than of shadow, without grain and short bits.

    Args:
        pixels: uint8 [height, width, 3], RGB.

    Returns:
        bool [height, width]: thick, rounded strokes.
    """
    unit = min(pixels.shape[:2]) / 256
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab[..., 0] *= LIGHTNESS
    lab = cv2.GaussianBlur(lab, (0, 0), max(0.5, BLUR * unit))
    slopes = np.stack([cv2.Sobel(lab, -1, 1, 0), cv2.Sobel(lab, -1, 0, 1)]) * unit
    steepest = (slopes**2).sum(0).argmax(-1)[None, ..., None]
    across, down = np.take_along_axis(slopes, steepest, axis=-1)[..., 0]
    whole = ((slope * 8).clip(-32767, 32767).astype(np.int16) for slope in (across, down))
    edges = cv2.Canny(*whole, WEAK * 8, STRONG * 8, L2gradient=True)
    _, labels, sizes, _ = cv2.connectedComponentsWithStats(edges)
    drawn = sizes[:, cv2.CC_STAT_AREA] >= SHORTEST_STROKE * unit
    drawn[0] = False  # the paper
    return soften(drawn[labels], PEN * unit) > 0.5


def resize_lines(drawn: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize a drawing to (width, height): a pixel is white if it touches a line, so that thin lines survive."""
    grey = drawn.convert("L")
    if grey.width > size[0]:
        grey = grey.resize(size, Image.Resampling.BOX).point(lambda value: 255 * (value > FAINT))
    return grey.resize(size, Image.Resampling.NEAREST).convert("RGB")


def _segments(channel: np.ndarray, side: int) -> np.ndarray:
    """Find the line segments of one channel: [n, 2, 2]."""
    detector = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD, 1.0, 0.6, QUANTISATION)
    found = detector.detect(np.ascontiguousarray(channel))[0]
    segments = np.zeros((0, 2, 2)) if found is None else found.reshape(-1, 2, 2).astype(float)
    return segments[np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1) >= SHORTEST_PIECE * side]


def _unbent(segments: np.ndarray, side: int) -> np.ndarray:
    """Leave out the pieces of curves: segments [n, 2, 2] that run on into another at a small angle."""
    ends = segments.reshape(-1, 2)
    ahead = segments[:, 1] - segments[:, 0]
    heading = np.arctan2(ahead[:, 1], ahead[:, 0])
    outward = np.stack([heading + np.pi, heading], axis=1).ravel()  # at each end, away from its segment
    near = np.linalg.norm(ends[:, None] - ends[None], axis=-1) <= JOINT * side
    turn = np.degrees(np.abs(np.angle(np.exp(1j * (outward[:, None] - outward[None] - np.pi)))))
    owner = np.arange(len(ends)) // 2
    least, most = BEND
    runs_on = near & (owner[:, None] != owner[None]) & (turn >= least) & (turn <= most)
    return segments[~runs_on.any(1).reshape(-1, 2).any(1)]


def _each_once(lines: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Drop a line that another channel has found already."""
    taken, kept = np.zeros(shape, np.uint8), []
    for line in lines:
        a, b = line.round().astype(int).tolist()
        own = cv2.line(np.zeros(shape, np.uint8), a, b, 1)
        if taken[own > 0].mean() > COVERED:
            continue
        cv2.line(taken, a, b, 1, thickness=5)
        kept.append(line)
    return np.array(kept).reshape(-1, 2, 2)
