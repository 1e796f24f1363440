"""What a map shows in numbers: its kind, or that it is a photograph; and the slips that can be seen in it."""

from __future__ import annotations

import cv2
import numpy as np

from ..clay.control_maps import LIMBS, RAINBOW, SEGMENTS
from .ade20k import COLOURS

GREY = 6  # levels by which the channels of a grey pixel may differ: JPEG leaves a few
FAINT = 8  # levels from black or white
LINE_LEVELS = 5  # grey levels in use, counted by their share: a drawing has 1-4, a depth map 6 and more
GRAIN = 0.6  # grey levels by which a picture differs from its surroundings: a depth map by less than 0.3
UNIT = 0.12  # by which the length of a drawn normal may miss 1
BLACK = 16  # brightest channel of an empty pixel of a pose
NEAR = 24  # levels by which a channel may miss a colour that it is meant to be
JPEG = 6  # levels by which JPEG moves the colour of a flat region
CURVED = 0.65  # share of straight lines that an M-LSD map has at least,
STRAIGHT = 0.90  # and an edge map at most
ENOUGH = 256  # pixels of the smaller side: of so many it is seen what kind a map is
ROOM_FOR_PEN = 128  # pixels of the smaller side: in smaller pictures all strokes are thin
DOWN = 25  # grey levels by which the bottom of a depth map may be darker than its top
PIECE = 0.05  # of the smaller side: pieces of a line at least this long count as straight
WHEEL = np.array(RAINBOW)
LIMB = (WHEEL * 0.6).astype(np.uint8)  # limbs are drawn darker than joints


def kind_of(pixels: np.ndarray) -> str:
    """Say which kind of map uint8 [height, width, 3] looks like; "photograph" for none, "" for an empty one."""
    if not _grey(pixels):
        step = max(1, min(pixels.shape[:2]) // ENOUGH)
        pixels = pixels[::step, ::step]
        if max(_painted(order, JPEG).mean() for order in (pixels, pixels[..., ::-1])) > 0.6:
            return "seg"
        if (pixels.max(-1) < BLACK).mean() > 0.5:
            return "openpose"
        length = np.linalg.norm(pixels / 127.5 - 1, axis=-1)  # of the normals that are drawn so
        if (np.abs(length - 1) <= UNIT).mean() > 0.85:
            return "normal"
        return "seg" if _colours(pixels) <= 64 else "photograph"
    values = pixels[..., 1]
    if _levels(values) > LINE_LEVELS:
        return "photograph" if _rough(values) > GRAIN else "depth"
    drawn = _lines(values)
    if not drawn.any():
        return ""
    if _thick(drawn) > 0.5:
        return "scribble"
    return "mlsd" if _straight(drawn) > STRAIGHT else "canny"


def nearly_straight(pixels: np.ndarray, seems: str) -> bool:
    """Take an edge map whose lines are mostly straight for one of straight lines: between the two lies doubt."""
    return seems == "canny" and _straight(_lines(pixels[..., 1])) >= CURVED


def small_drawing(pixels: np.ndarray, seems: str) -> bool:
    """Take thin lines in a small picture for strokes of a pen."""
    return seems in ("canny", "mlsd") and min(pixels.shape[:2]) < ROOM_FOR_PEN


def inverted(pixels: np.ndarray) -> list[str]:
    """See lines that are black on white."""
    if (pixels[..., 1] > 127).mean() <= 0.5:
        return []
    return ["The lines are dark on a bright ground: the model expects white on black. Invert the map."]


def swapped_pose(pixels: np.ndarray) -> list[str]:
    """See a pose in BGR."""
    limbs = _skeleton(pixels[..., ::-1]) - _skeleton(pixels)
    hands = _dots(pixels, (255, 0, 0)) - _dots(pixels, (0, 0, 255))  # 21 blue points a hand
    return [_swapped("limbs and joints")] if limbs > 0.3 or hands > 4 else []


def palette(pixels: np.ndarray) -> list[str]:
    """See colours that stand for no class."""
    known, turned = (float(_painted(order).mean()) for order in (pixels, pixels[..., ::-1]))
    if known > 0.999:
        return []
    if turned > known + 0.02:
        return [_swapped("the classes")]
    share = f"{100 * (1 - known):.1f} % of the pixels have a colour that stands for no class of ADE20K"
    if _smeared(pixels) > 0.9:
        return [f"{share}: the map was saved as JPEG or resized smoothly. Save PNG, resize with NEAREST."]
    return [f"{share}: this is another palette. Paint the classes in ADE20K's colours, controls.ADE20K."]


def upside_down(pixels: np.ndarray) -> list[str]:
    """See depths that seem to be bright where they are far, or the same everywhere."""
    values, fifth = pixels[..., 1].astype(float), max(1, len(pixels) // 5)
    if np.ptp(values) == 0:
        return ["The map is the same everywhere: it has no near and far, and steers nothing."]
    if values[-fifth:].mean() - values[:fifth].mean() >= -DOWN:
        return []
    return [
        "The bottom of the map is darker than its top: far seems to be bright. The model expects near = bright. "
        "(A guess from ground and sky; it can be wrong for a close-up.)"
    ]


def turned_normals(pixels: np.ndarray) -> list[str]:
    """Tell by what every picture shows: surfaces face the eye, the ground faces up. Left and right are not told."""
    red, green, blue = (pixels[..., channel].astype(float) for channel in range(3))
    if (blue < 118).mean() > (red < 118).mean() + 0.05:
        return [_swapped("the surfaces")]
    if green[-max(1, len(green) // 5) :].mean() < 100:
        return ["The ground faces down: green seems to be flipped (DirectX's convention). Here green is up."]
    return []


def _swapped(what: str) -> str:
    return f"The colours of {what} are those of a map in BGR order, as OpenCV writes it: turn it with map[..., ::-1]."


def _lines(values: np.ndarray) -> np.ndarray:
    """Mark what is drawn on the paper, whichever of them is white: bool [height, width]."""
    bright = values > 127
    return ~bright if bright.mean() > 0.5 else bright


def _grey(pixels: np.ndarray) -> bool:
    """Tell whether a picture uint8 [height, width, 3] has no colours; black pixels say nothing."""
    inked = pixels[pixels.max(-1) >= BLACK].astype(int)
    return bool((inked.max(-1) - inked.min(-1) <= GREY).mean() > 0.98) if len(inked) else True


def _levels(values: np.ndarray) -> float:
    """Count the grey levels in use, by their share: the exponential of the histogram's entropy, 1-256.

    What is nearly black or white counts as such: a drawing that was saved as JPEG is still one.
    """
    share = np.bincount(values.ravel(), minlength=256) / values.size
    share = np.array([share[:FAINT].sum(), *share[FAINT:-FAINT], share[-FAINT:].sum()])
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))


def _thick(drawn: np.ndarray) -> float:
    """Give the share of the drawn pixels (bool) that survive a thinning: lines of one pixel, also enlarged, vanish."""
    pen = max(2, round(min(drawn.shape) / 128))
    kept = cv2.erode(drawn.astype(np.uint8), np.ones((pen, pen), np.uint8)).sum()
    return float(kept / max(drawn.sum(), 1))


def _straight(drawn: np.ndarray) -> float:
    """Give the share of the lines' length (bool map) that runs straight for a while, 0-1."""
    contours, _ = cv2.findContours(drawn.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    pieces = [np.zeros(0)]
    for contour in contours:
        corners = cv2.approxPolyDP(contour, 0.8, True)[:, 0].astype(float)
        pieces.append(np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1))
    length = np.concatenate(pieces)
    return float(length[length >= PIECE * min(drawn.shape)].sum() / max(length.sum(), 1e-9))


def _rough(values: np.ndarray) -> float:
    """Give the median difference from the surroundings in grey levels: grain, which no depth map has."""
    around = cv2.GaussianBlur(values.astype(np.float32), (0, 0), 1.0)
    return float(np.median(np.abs(values - around)))


def _painted(pixels: np.ndarray, slack: int = 0) -> np.ndarray:
    """Mark the pixels in a colour of ADE20K or of the clay world, each channel off by `slack` levels at most."""
    codes, place = np.unique(_code(pixels), return_inverse=True)
    known = np.concatenate([COLOURS, SEGMENTS]).astype(np.int16)
    single = np.stack([codes % 256, codes // 256 % 256, codes // 65536], axis=1).astype(np.int16)
    near = np.any([np.abs(single - colour).max(-1) <= slack for colour in known], axis=0)
    return near[place].reshape(pixels.shape[:2])


def _smeared(pixels: np.ndarray) -> float:
    """Give the share of the pixels without a class that lie at a border or have nearly a class's colour."""
    lost = ~_painted(pixels)
    border = cv2.morphologyEx(pixels, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(-1) > 0
    return float((border | _painted(pixels, JPEG))[lost].mean()) if lost.any() else 0.0


def _colours(pixels: np.ndarray, share: float = 0.95) -> int:
    """Count how many colours, the most common first, cover a share of the pixels."""
    _, counts = np.unique(_code(pixels), return_counts=True)
    covered = np.cumsum(np.sort(counts)[::-1]) / counts.sum()
    return int((covered < share).sum()) + 1


def _skeleton(pixels: np.ndarray) -> float:
    """Give how well the colours of a pose fit its limbs: 1 if each limb ends in the joints that it should, else less.

    OpenPose's colours are a wheel that is the same read as RGB and as BGR; what betrays a swap is which limb then
    meets which joint.
    """
    joints, limbs = (_nearest(pixels, palette) for palette in (WHEEL, LIMB))
    fits = total = 0
    for number, ends in enumerate(LIMBS):
        around = cv2.dilate((limbs == number).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        met = set(np.unique(joints[around])) - {-1}
        total += len(met)
        fits += len(met & set(ends))
    return fits / total if total else 1.0


def _dots(pixels: np.ndarray, colour: tuple[int, int, int]) -> int:
    return cv2.connectedComponents((_nearest(pixels, np.array([colour])) == 0).astype(np.uint8))[0] - 1


def _nearest(pixels: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Give each pixel the number of its colour in a palette [n, 3]; -1 if it has none: int [height, width]."""
    found = np.full(pixels.shape[:2], -1)
    inked = pixels.max(-1) >= BLACK
    off = np.abs(pixels[inked][:, None].astype(np.int16) - palette.astype(np.int16)).max(-1)
    found[inked] = np.where(off.min(-1) <= NEAR, off.argmin(-1), -1)
    return found


def _code(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.int64) @ (1, 256, 65536)
