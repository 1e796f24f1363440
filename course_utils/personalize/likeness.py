"""How like the subject is it? A picture is laid beside true views of the subject, part by part.

The judge says where the subject is, and that square is turned into a map of paints: each pixel gets the nearest paint
of the subject, by day or by night. For every view of the true subject the renderer knows that map, and which part each
pixel shows. The view that agrees best, at its best place and size, is the measure: does the outline fit, and does each
part bear its paint at its place?
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from .. import clay, judge
from ..clay.camera import fit
from ..clay.compose import compose
from ..clay.scenes import Light, Scene, Thing
from ..clay.shapes import PAINT
from ..judge import network
from ..pictures import as_picture
from .subjects import shapes

SIDE, PADDED = 64, 96  # pixels of the square that is compared; with room, so that a view may slide
ROOM = 1.3  # the square is this many times as large as the subject in it
YAWS, PITCHES = np.linspace(-0.9, 0.9, 9), (0.08, 0.22)  # of the bank, in radians; each also in the mirror
SIZES = (0.86, 0.93, 1.0, 1.08, 1.17)  # a view is tried at: a lost antenna makes the square smaller
LIGHTS = {"garden": (0.6, -0.6), "night": (0.6, -0.6)}  # where the paints are seen, and from where the sun shines
SHADES = (0.1, 0.35, 0.65, 0.9)  # quantiles of lightness that stand for a paint in light and shade
FAR = 28.0  # CIELAB distance from which on a pixel bears none of the paints
SLIDE = 2  # pixels that a part may be off its place
LEAST = 6  # pixels that a part must show in a view to be asked for
NOWHERE = -1


@dataclass(frozen=True)
class Views:
    """The true subject from many sides, all arrays [view, 64, 64].

    images: uint8 [view, 64, 64, 3], RGB.
    parts: which of `names` each pixel shows, -1 outside of the subject; paints: which paint, likewise.
    palettes: by place, CIELAB [paint, shade, 3] of each paint there.
    """

    word: str
    names: tuple[str, ...]
    images: np.ndarray
    parts: np.ndarray
    paints: np.ndarray
    palettes: dict[str, np.ndarray]
    spectra: np.ndarray  # of the maps of paints, complex [view, paint, padded, padded / 2 + 1]


@dataclass(frozen=True)
class Likeness:
    """How like: `shape` is the IoU of the outlines, `parts` the share of each part that is there in its paint, 0-1."""

    shape: float
    parts: dict[str, float]
    crop: np.ndarray | None = None  # what was looked at, uint8 [64, 64, 3]; None: no subject was found
    view: np.ndarray | None = None  # the true view that fits best, in its place

    @property
    def value(self) -> float:
        """Give the mean of the shape and of all parts."""
        return float(np.mean([self.shape, *self.parts.values()]))


@lru_cache(maxsize=4)
def views(word: str, variant: int = 0, colour: str | None = None) -> Views:
    """Draw the bank of a subject: from 18 sides, in the mirror, in five sizes.

    The mirror is there because training shows half of its pictures in it.

    Args:
        word, variant, colour: as in `subject`.

    Raises:
        ValueError: no such thing or shape.
    """
    known = shapes(word)
    if not 0 <= variant < len(known):
        raise ValueError(f"variant={variant}: a {word} comes in the shapes 0 to {len(known) - 1}.")
    thing = Thing(word, colour, variant)
    drawn = {place: [_view(thing, place, yaw, pitch, suns[k % 2]) for k, yaw in enumerate(YAWS) for pitch in PITCHES]
             for place, suns in LIGHTS.items()}  # fmt: skip
    names = tuple(dict.fromkeys(drawn["garden"][0][3]))
    count = 1 + max(one[2].max() for one in drawn["garden"])
    palettes = {place: _palette(each, count) for place, each in drawn.items()}
    sized = [_resized(part, one, size) for one in drawn["garden"] for size in SIZES for part in (1, -1)]
    images, prims, paints = (np.stack(each) for each in zip(*sized, strict=True))
    of_row = np.array([*(names.index(name) for name in drawn["garden"][0][3]), NOWHERE])
    return Views(word, names, images, of_row[prims], paints, palettes, _spectra(paints, count))


def _view(thing: Thing, place: str, yaw: float, pitch: float, sun: float) -> tuple:
    """Render a view: image, primitive and paint of each pixel, and the names of the primitives."""
    scene = Scene((thing,), place, light=Light(sun, 0.9))
    scene = scene.with_(camera=fit(compose(scene).rows, 1 / ROOM, yaw, pitch))
    made = clay.render(scene, 2 * SIDE, 2 * SIDE)
    paint = np.unique(made.clay.rows[:, PAINT], axis=0, return_inverse=True)[1].ravel()
    maps = made.primitive, np.where(made.primitive >= 0, paint[made.primitive], NOWHERE)
    matrix = _square(made.primitive >= 0)
    image, *maps = (_cut(one, matrix) for one in (made.image, *maps))
    return image, *maps, made.clay.names


def _square(mask: np.ndarray, room: float = ROOM) -> np.ndarray:
    """Give the affine map [2, 3] that carries the square around a mask to SIDE x SIDE."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    scale = SIDE / (room * max(width, height))
    return np.array([[scale, 0, SIDE / 2 - scale * (x + width / 2)], [0, scale, SIDE / 2 - scale * (y + height / 2)]])


def _cut(one: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Carry an image (smoothly) or a map of numbers (nearest) to SIDE x SIDE; outside is -1 in maps."""
    if one.ndim == 3:
        small = min(1.0, matrix[0, 0])
        one = cv2.GaussianBlur(one, (0, 0), 0.4 / small) if small < 1 else one
        return cv2.warpAffine(one, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    flat = cv2.warpAffine(one.astype(np.float32), matrix, (SIDE, SIDE), flags=cv2.INTER_NEAREST, borderValue=NOWHERE)
    return flat.astype(np.int16)


def _resized(step: int, view: tuple, size: float) -> tuple:
    """Give a view's image, primitives and paints at a size; step -1 is in the mirror."""
    middle = (1 - size) * SIDE / 2
    matrix = np.array([[size, 0, middle], [0, size, middle]])
    return tuple(np.ascontiguousarray(_cut(one, matrix)[:, ::step]) for one in view[:3])


def _lab(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _palette(drawn: list[tuple], count: int) -> np.ndarray:
    """Give CIELAB of each paint at several shades, from dark to light: [paint, shade, 3]."""
    colours = np.concatenate([_lab(one[0]).reshape(-1, 3) for one in drawn])
    paints = np.concatenate([one[2].ravel() for one in drawn])
    return np.stack([np.quantile(colours[paints == k], SHADES, axis=0) for k in range(count)])


def _spectra(paints: np.ndarray, count: int) -> np.ndarray:
    """Transform maps of paints [..., 64, 64], one channel a paint and one for all: complex64 [..., 1 + paint, ...]."""
    channels = np.stack([paints >= 0, *(paints == k for k in range(count))], axis=-3)
    return np.fft.rfft2(channels, s=(PADDED, PADDED)).astype(np.complex64)


def measure(image, bank: Views) -> Likeness:
    """Measure how like the subject of a bank what a picture shows is.

    Args:
        image: whatever `as_picture` takes.
        bank: of `views`.

    Returns:
        The likeness; all 0 where the judge finds no such thing. What lies beyond the picture's edge counts as lost.

    Raises:
        TypeError, ValueError: no picture, or one of less than 16 pixels a side.
    """
    pixels = np.asarray(as_picture(image, largest=None))
    mask = _found(pixels, bank.word)
    if not mask.any():
        return Likeness(0.0, dict.fromkeys(bank.names, 0.0))
    matrix = _square(mask)
    crop, inside = _cut(pixels, matrix), _cut(mask, matrix) == 1
    seen = _paints(crop, cv2.dilate(inside.astype(np.uint8), np.ones((5, 5), np.uint8)) == 1, bank)
    best, down, right = _fit(seen, inside, bank)
    shift = np.float64([[1, 0, right], [0, 1, down]])
    view, parts, paints = (_cut(each[best], shift) for each in (bank.images, bank.parts, bank.paints))
    there = parts >= 0
    shape = (there & inside).sum() / max((there | inside).sum(), 1)
    names = {name: parts == k for k, name in enumerate(bank.names)}
    scores = {name: _part(seen, paints, at) for name, at in names.items() if at.sum() >= LEAST}
    return Likeness(float(shape), scores, crop, view)


def _found(pixels: np.ndarray, word: str) -> np.ndarray:
    """Say where the judge sees a thing: bool [height, width], scraps left out; empty where that is too little."""
    trained = judge.load()
    cells = judge.classify(trained.model, network.shrink(pixels))
    thing = next((one for one in judge.candidates(cells) if one.word == word), None)
    if thing is None or not trained.thresholds[word].passes(thing):
        return np.zeros(pixels.shape[:2], bool)
    mask = (cells.label == network.label_of(word)).astype(np.uint8)
    _, pieces, sizes, _ = cv2.connectedComponentsWithStats(mask)
    areas = sizes[1:, cv2.CC_STAT_AREA]
    kept = np.isin(pieces, 1 + np.flatnonzero(areas >= 0.1 * areas.max())).astype(np.float32)
    return cv2.resize(kept, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0.5


def _paints(crop: np.ndarray, inside: np.ndarray, bank: Views) -> np.ndarray:
    """Name the nearest paint of each pixel, in the light that explains the picture better; -1 is none."""
    lab, best, least = _lab(crop), None, np.inf
    for palette in bank.palettes.values():
        distance = np.linalg.norm(lab[:, :, None, None] - palette, axis=-1).min(-1)
        nearest = distance.min(-1)
        if (cost := np.minimum(nearest, FAR)[inside].mean()) < least:
            best, least = np.where(inside & (nearest < FAR), distance.argmin(-1), NOWHERE), cost
    return best


def _fit(seen: np.ndarray, inside: np.ndarray, bank: Views) -> tuple[int, int, int]:
    """Find the view and its place (down, right) with the most pixels of one paint over those of either outline."""
    own = _spectra(seen, bank.spectra.shape[1] - 1)
    same = np.fft.irfft2((np.conj(bank.spectra[:, 1:]) * own[1:]).sum(1), s=(PADDED, PADDED))
    area = (bank.paints >= 0).sum((1, 2))[:, None, None] + inside.sum()
    score = same / (area - same)
    best, down, right = np.unravel_index(score.argmax(), score.shape)
    return int(best), *(int(n) - PADDED * (n > PADDED // 2) for n in (down, right))


def _part(seen: np.ndarray, paints: np.ndarray, at: np.ndarray) -> float:
    """Give the share of a part's pixels (bool map) that bear its paint, at the best place within SLIDE pixels."""
    steps = range(-SLIDE, SLIDE + 1)
    wanted, around = np.where(at, paints, NOWHERE), np.pad(seen, SLIDE, constant_values=NOWHERE)
    moved = (around[SLIDE + y : SLIDE + y + SIDE, SLIDE + x : SLIDE + x + SIDE] for y in steps for x in steps)
    return float(max((one == wanted)[at].mean() for one in moved))
