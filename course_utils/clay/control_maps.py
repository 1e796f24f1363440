"""Control maps drawn from truth, in the colours that the SD 1.5 ControlNets were trained on.

Each function takes a render and gives an RGB picture of its size. A preprocessor would have to guess all this
from the picture; here it is known, so a map can be wrong only by convention. The conventions are those of
``controlnet_aux`` (huggingface/controlnet_aux) and of the ControlNet 1.1 model cards.
"""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
from PIL import Image

from . import truth
from . import vocabulary as words
from .regions import creases, regions, soften
from .straight import straight_edges
from .view import Render

SEGMENTS = np.array([*words.BACKGROUND.values(), *(words.NOUNS[word].segment for word in words.THINGS)], np.uint8)

# OpenPose: the 17 limbs that are drawn (pairs of body points), and the colours of limbs and points.
LIMBS = ((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
         (1, 0), (0, 14), (14, 16), (0, 15), (15, 17))  # fmt: skip
RAINBOW = ((255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0),
           (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255),
           (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85))  # fmt: skip
BONES = tuple((0 if k % 4 == 1 else k - 1, k) for k in range(1, 21))


def _grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.repeat(values.astype(np.uint8)[..., None], 3, axis=-1))


def depth_map(made: Render) -> Image.Image:
    """Draw inverse depth, near = bright, as MiDaS and Depth Anything show it."""
    return draw_depth(1 / np.maximum(made.depth, 1e-3))


def draw_depth(near: np.ndarray) -> Image.Image:
    """Draw inverse depth [height, width], of any scale, stretched to 0-255 over the picture."""
    return _grey((near - near.min()) / max(float(near.max() - near.min()), 1e-9) * 255 + 0.5)


def normal_map(made: Render) -> Image.Image:
    """Draw the normals of a render; the sky, which has none, faces the eye in each pixel."""
    return draw_normals(made.normal)


def draw_normals(normal: np.ndarray) -> Image.Image:
    """Draw normals as control_v11p_sd15_normalbae expects them.

    "Blue is front, red is left, green is top" (README of lllyasviel/ControlNet-v1-1-nightly, Normal 1.1; that x
    is flipped against the usual camera space is also noted in threestudio issue 189). The value is
    (n + 1) / 2 * 255, cut to whole numbers as in controlnet_aux's ``NormalBaeDetector``. The background keeps its
    normals: that map has no mask.

    Args:
        normal: [height, width, 3], unit, camera space: x right, y up, z towards the viewer.
    """
    turned = normal * np.array([-1, 1, 1], np.float32)
    return Image.fromarray(((turned + 1) / 2 * 255).clip(0, 255).astype(np.uint8))


def seg_map(made: Render) -> Image.Image:
    """Draw classes in ADE20K's colours, as control_v11p_sd15_seg expects; what ADE lacks, in colours of our own."""
    return Image.fromarray(SEGMENTS[made.klass])


def pose_map(made: Render) -> Image.Image:
    """Draw the visible joints of people and hands as OpenPose does."""
    return draw_pose(*truth.joints(made), *made.depth.shape)


def draw_pose(bodies: list[np.ndarray], hands: list[np.ndarray], height: int, width: int) -> Image.Image:
    """Draw joints as OpenPose does (controlnet_aux ``open_pose/util.py``).

    Sticks and dots are 4 pixels thick at 512 pixels and scale with the picture.

    Args:
        bodies: [18, 3] each, in OpenPose's order: column, row (pixels), visible (0 leaves the joint out).
        hands: [21, 3] each.
        height, width: of the picture.
    """
    canvas = np.zeros((height, width, 3), np.uint8)
    unit = max(1, round(min(height, width) / 128))
    for body in bodies:
        _limbs(canvas, body, unit)
    canvas = (canvas * 0.6).astype(np.uint8)
    for body in bodies:
        for (column, row, seen), colour in zip(body, RAINBOW, strict=True):
            if seen:
                cv2.circle(canvas, (int(column), int(row)), unit, colour, thickness=-1)
    for hand in hands:
        _fingers(canvas, hand, unit)
    return Image.fromarray(canvas)


def _limbs(canvas: np.ndarray, body: np.ndarray, unit: int) -> None:
    for (i, j), colour in zip(LIMBS, RAINBOW, strict=False):
        a, b = body[i], body[j]
        if not (a[2] and b[2]):
            continue
        middle, (dx, dy) = (a + b)[:2] / 2, (a - b)[:2]
        size = int(np.hypot(dx, dy) / 2), unit
        outline = cv2.ellipse2Poly(tuple(map(int, middle)), size, int(np.degrees(np.arctan2(dy, dx))), 0, 360, 1)
        cv2.fillConvexPoly(canvas, outline, colour)


def _fingers(canvas: np.ndarray, hand: np.ndarray, unit: int) -> None:
    at = hand[:, :2].astype(int).tolist()
    for k, (i, j) in enumerate(BONES):
        if hand[i, 2] and hand[j, 2]:
            colour = tuple(255 * c for c in colorsys.hsv_to_rgb(k / len(BONES), 1.0, 1.0))
            cv2.line(canvas, at[i], at[j], colour, max(1, unit // 2))
    for point, seen in zip(at, hand[:, 2], strict=True):
        if seen:
            cv2.circle(canvas, point, unit, (0, 0, 255), thickness=-1)


def line_map(made: Render) -> Image.Image:
    """Draw the visible straight edges, white on black and one pixel wide, as M-LSD's map is drawn."""
    return draw_lines(straight_edges(made), *made.depth.shape)


def draw_lines(lines: np.ndarray, height: int, width: int) -> Image.Image:
    """Draw lines [n, 2, 2], both ends (column, row) in pixels, white on black and one pixel wide."""
    canvas = np.zeros((height, width), np.uint8)
    for a, b in lines:
        cv2.line(canvas, a.astype(int).tolist(), b.astype(int).tolist(), 255, 1)
    return _grey(canvas)


def canny_map(made: Render, low: int = 100, high: int = 200) -> Image.Image:
    """Find edges of the picture itself with Canny's detector; ``low`` and ``high`` as in the ControlNet card."""
    return _grey(cv2.Canny(made.image, low, high))


def scribble_map(made: Render) -> Image.Image:
    """Draw the outlines of things, of their larger parts and of limbs before a body, thick and rounded as by hand."""
    unit = min(made.depth.shape) / 256
    canvas = np.zeros(made.depth.shape, np.uint8)
    labels = np.where(made.primitive >= 0, regions(made), -1)
    masks = [made.instance == k for k in np.unique(made.instance) if k >= 0]
    masks += [labels == k for k in np.unique(labels) if k >= 0]
    for mask in masks:
        outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        for outline in outlines:
            if cv2.contourArea(outline) > 36 * unit**2:
                cv2.polylines(canvas, [_eased(outline[:, 0], 4 * unit)], True, 255, max(1, round(3 * unit)))
    limbs = creases(made, bend=3, jump=0.045) & (made.primitive >= 0)
    canvas = np.maximum(canvas, soften(limbs, 2.5 * unit) * 255)
    return _grey(np.where(canvas > 127, 255, 0))


def _eased(outline: np.ndarray, reach: float) -> np.ndarray:
    """Smooth a closed outline [n, 2] over ``reach`` pixels, less where it is short: int32 [n, 2]."""
    steps = np.arange(-len(outline) // 8, len(outline) // 8 + 1)
    weight = np.exp(-0.5 * (steps / max(min(reach, len(outline) / 24), 0.5)) ** 2)
    around = np.arange(len(outline))[:, None] + steps
    eased = (outline[around % len(outline)] * (weight / weight.sum())[:, None]).sum(1)
    return eased.round().astype(np.int32)
