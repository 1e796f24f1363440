"""Edges, straight lines and outlines of any picture, by arithmetic alone: the same on both lanes, without weights."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from ..clay.regions import soften


@dataclass(frozen=True)
class Lines:
    """The knobs of the line detector. Lengths are shares of the picture's smaller side."""

    change: float = 3.0  # grey levels: what is weaker is noise (LSD's quantisation)
    shortest: float = 0.08  # what is shorter is not drawn
    piece: float = 0.03  # what is longer may be a piece of a curve that betrays another
    joint: float = 0.02  # ends that lie closer touch
    bend: tuple[float, float] = (8.0, 30.0)  # degrees: where touching pieces turn by so much, a curve runs on
    covered: float = 0.5  # a line of which so much is drawn already, two pixels to the side, is the same line


@dataclass(frozen=True)
class Strokes:
    """The knobs of the scribble. Lengths are pixels of a picture of 256; changes are Lab units a pixel times 8."""

    scale: float = 1.0  # the picture is blurred by so much: a hand draws no grain
    light: float = 0.5  # weight of lightness beside colour: shadows are dark, but have the ground's colour
    weak: float = 20.0  # an edge is followed down to this change,
    strong: float = 50.0  # if it somewhere reaches this
    shortest: int = 25  # a hand does not draw a shorter stroke
    pen: float = 3.0  # width of a stroke


LINES, STROKES = Lines(), Strokes()
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


def straight_lines(pixels: np.ndarray, knobs: Lines = LINES) -> np.ndarray:
    """Find straight lines by LSD (von Gioi et al., 2010) in lightness and in both colour channels.

    LSD breaks a curve into short lines that touch at a small angle. M-LSD, whose maps the ControlNet was trained
    on, draws none of them; so a line that runs on into another with a slight bend is left out.

    Args:
        pixels: uint8 [height, width, 3], RGB.
        knobs: of the detector.

    Returns:
        float [n, 2, 2]: both ends of each line, (column, row) in pixels; the longest first.
    """
    side = min(pixels.shape[:2])
    found = [_unbent(_segments(channel, knobs, side), knobs, side) for channel in cv2.split(_lab8(pixels))]
    lines = np.concatenate(found)
    length = np.linalg.norm(lines[:, 1] - lines[:, 0], axis=1)
    order = np.argsort(-length)[: int((length >= knobs.shortest * side).sum())]
    return _each_once(lines[order], pixels.shape[:2], knobs.covered)


def outlines(pixels: np.ndarray, knobs: Strokes = STROKES) -> np.ndarray:
    """Draw the outlines that a hand would: those of colour rather than of shadow, without grain and short bits.

    Args:
        pixels: uint8 [height, width, 3], RGB.
        knobs: of the strokes.

    Returns:
        bool [height, width]: thick, rounded strokes.
    """
    unit = min(pixels.shape[:2]) / 256
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab[..., 0] *= knobs.light
    lab = cv2.GaussianBlur(lab, (0, 0), max(0.5, knobs.scale * unit))
    slopes = np.stack([cv2.Sobel(lab, -1, 1, 0), cv2.Sobel(lab, -1, 0, 1)]) * unit
    steepest = (slopes**2).sum(0).argmax(-1)[None, ..., None]
    across, down = np.take_along_axis(slopes, steepest, axis=-1)[..., 0]
    whole = ((slope * 8).clip(-32767, 32767).astype(np.int16) for slope in (across, down))
    edges = cv2.Canny(*whole, knobs.weak * 8, knobs.strong * 8, L2gradient=True)
    _, labels, sizes, _ = cv2.connectedComponentsWithStats(edges)
    drawn = sizes[:, cv2.CC_STAT_AREA] >= knobs.shortest * unit
    drawn[0] = False  # the paper
    return soften(drawn[labels], knobs.pen * unit) > 0.5


def resize_lines(drawn: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize a drawing to (width, height): a pixel is white if it touches a line, so that thin lines survive."""
    grey = drawn.convert("L")
    if grey.width > size[0]:
        grey = grey.resize(size, Image.Resampling.BOX).point(lambda value: 255 * (value > FAINT))
    return grey.resize(size, Image.Resampling.NEAREST).convert("RGB")


def _lab8(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)


def _segments(channel: np.ndarray, knobs: Lines, side: int) -> np.ndarray:
    """Find the line segments of one channel: [n, 2, 2]."""
    detector = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD, 1.0, 0.6, knobs.change)
    found = detector.detect(np.ascontiguousarray(channel))[0]
    segments = np.zeros((0, 2, 2)) if found is None else found.reshape(-1, 2, 2).astype(float)
    return segments[np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1) >= knobs.piece * side]


def _unbent(segments: np.ndarray, knobs: Lines, side: int) -> np.ndarray:
    """Leave out the pieces of curves: segments [n, 2, 2] that run on into another at a small angle."""
    ends = segments.reshape(-1, 2)
    ahead = segments[:, 1] - segments[:, 0]
    heading = np.arctan2(ahead[:, 1], ahead[:, 0])
    outward = np.stack([heading + np.pi, heading], axis=1).ravel()  # at each end, away from its segment
    near = np.linalg.norm(ends[:, None] - ends[None], axis=-1) <= knobs.joint * side
    turn = np.degrees(np.abs(np.angle(np.exp(1j * (outward[:, None] - outward[None] - np.pi)))))
    owner = np.arange(len(ends)) // 2
    least, most = knobs.bend
    runs_on = near & (owner[:, None] != owner[None]) & (turn >= least) & (turn <= most)
    return segments[~runs_on.any(1).reshape(-1, 2).any(1)]


def _each_once(lines: np.ndarray, shape: tuple[int, int], covered: float) -> np.ndarray:
    """Drop a line that another channel has found already."""
    taken, kept = np.zeros(shape, np.uint8), []
    for line in lines:
        a, b = line.round().astype(int).tolist()
        own = cv2.line(np.zeros(shape, np.uint8), a, b, 1)
        if taken[own > 0].mean() > covered:
            continue
        cv2.line(taken, a, b, 1, thickness=5)
        kept.append(line)
    return np.array(kept).reshape(-1, 2, 2)
