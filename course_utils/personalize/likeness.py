"""How like the subject is it? A picture is laid beside true views of the subject, part by part.

The judge says where the subject is, and that square is turned into a map of paints: each pixel gets the nearest paint
of the subject, by day or by night. For every view of the true subject the renderer knows that map, and which part each
pixel shows. The view that agrees best, at its best place and size, is the measure: does the outline fit, and does each
part bear its paint at its place?

It says which parts are lost, and tells the subject from other things and from torn pictures. Whether a smeared face
is worse than a lost arm it does not know: between pictures that have most of the parts, trust your eyes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from .. import clay, judge
from ..clay.camera import fit
from ..clay.compose import Clay, compose
from ..clay.scenes import Light, Scene, Thing
from ..clay.shapes import PAINT
from ..judge import network
from ..pictures import as_picture
from .subjects import shapes

SIDE, PADDED = 64, 96  # pixels of the square that is compared; with room, so that a view may slide
ROOM = 1.3  # the square is this many times as large as the subject in it
YAWS, PITCHES = np.linspace(-0.9, 0.9, 9), (0.08, 0.22)  # of the bank, in radians; each also in the mirror
SIZES = (0.86, 0.93, 1.0, 1.08, 1.17)  # a view is tried at: a lost antenna makes the square smaller
PLACES, SUNS = ("garden", "night"), (0.6, -0.6)  # where the paints are seen, and from where the sun shines
SHADES = 8  # colours that stand for a surface in light and shade
NEAR, FAR = 18.0, 28.0  # CIELAB distances: up to which a pixel bears a paint, and from which on none at all
SLIDE = 2  # pixels that a part may be off its place
LEAST = 6  # pixels that a part must show in a view to be asked for
LARGE = 0.1  # a piece of the judge's mask counts for the square from this share of the largest on
NOWHERE = -1


@dataclass(frozen=True)
class Views:
    """The true subject from many sides; arrays [view, 64, 64] if nothing else is said.

    images: uint8 [view, 64, 64, 3], RGB.
    surfaces: what each pixel shows, -1 outside of the subject; a surface is one paint of one part.
    parts, paints: of each surface, its part's place in `names`, and its paint.
    palettes: by place, CIELAB [surface, shade, 3] of each surface there.
    spectra: of the maps of paints, complex64 [view, paint, 96, 49].
    """

    word: str
    names: tuple[str, ...]
    images: np.ndarray
    surfaces: np.ndarray
    parts: np.ndarray
    paints: np.ndarray
    palettes: dict[str, np.ndarray]
    spectra: np.ndarray


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
    sides = [(yaw, pitch, SUNS[k % 2]) for k, yaw in enumerate(YAWS) for pitch in PITCHES]
    drawn = {place: [_view(thing, place, *side) for side in sides] for place in PLACES}
    names, surfaces, parts, paints = _surfaces(compose(Scene((thing,))))
    palettes = {place: _palette(each, len(parts), surfaces) for place, each in drawn.items()}
    sized = [_resized(step, one, size) for one in drawn["garden"] for size in SIZES for step in (1, -1)]
    images, prims = (np.stack(each) for each in zip(*sized, strict=True))
    shown = np.append(surfaces, NOWHERE)[prims]
    spectra = _spectra(np.append(paints, NOWHERE)[shown], paints.max() + 1)
    return Views(word, names, images, shown, parts, paints, palettes, spectra)


def _surfaces(made: Clay) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Give the names of parts, the surface of each primitive, and the part and the paint of each surface."""
    names = tuple(dict.fromkeys(made.names))
    paint = np.unique(made.rows[:, PAINT], axis=0, return_inverse=True)[1].ravel()
    pairs = np.stack([[names.index(name) for name in made.names], paint], axis=1)
    each, surfaces = np.unique(pairs, axis=0, return_inverse=True)
    return names, surfaces.ravel(), each[:, 0], each[:, 1]


def _view(thing: Thing, place: str, yaw: float, pitch: float, sun: float) -> tuple[np.ndarray, np.ndarray]:
    """Render a view: its image, and which primitive each pixel shows."""
    scene = Scene((thing,), place, light=Light(sun, 0.9))
    scene = scene.with_(camera=fit(compose(scene).rows, 1 / ROOM, yaw, pitch))
    made = clay.render(scene, 2 * SIDE, 2 * SIDE)
    matrix = _square(made.primitive >= 0)
    return _cut(made.image, matrix), _cut(made.primitive, matrix)


def _square(mask: np.ndarray) -> np.ndarray:
    """Give the affine map [2, 3] that carries the square around a mask to SIDE x SIDE."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    scale = SIDE / (ROOM * max(width, height))
    return np.array([[scale, 0, SIDE / 2 - scale * (x + width / 2)], [0, scale, SIDE / 2 - scale * (y + height / 2)]])


def _cut(one: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Carry an image (smoothly) or a map of numbers (nearest) to SIDE x SIDE; outside is -1 in maps."""
    if one.ndim == 3:
        if (scale := matrix[0, 0]) < 1:
            one = cv2.GaussianBlur(one, (0, 0), 0.4 / scale)
        return cv2.warpAffine(one, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    flat = cv2.warpAffine(one.astype(np.float32), matrix, (SIDE, SIDE), flags=cv2.INTER_NEAREST, borderValue=NOWHERE)
    return flat.astype(np.int16)


def _resized(step: int, view: tuple, size: float) -> tuple:
    """Give a view's image and primitives at a size; step -1 is in the mirror."""
    middle = (1 - size) * SIDE / 2
    matrix = np.array([[size, 0, middle], [0, size, middle]])
    return tuple(np.ascontiguousarray(_cut(one, matrix)[:, ::step]) for one in view)


def _lab(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _palette(drawn: list[tuple], count: int, surfaces: np.ndarray) -> np.ndarray:
    """Give CIELAB of each surface at several shades, from dark to light: [surface, shade, 3]."""
    colours = np.concatenate([_lab(one[0]).reshape(-1, 3) for one in drawn])
    shown = np.append(surfaces, NOWHERE)[np.concatenate([one[1].ravel() for one in drawn])]
    far = np.full((SHADES, 3), 1e3, np.float32)  # of what no view shows
    seen = [colours[shown == k] for k in range(count)]
    return np.stack([_shades(one) if len(one) >= SHADES else far for one in seen])


def _shades(colours: np.ndarray) -> np.ndarray:
    """Sum up colours [n, 3] from dark to light: the means of SHADES groups."""
    return np.stack([group.mean(0) for group in np.array_split(colours[colours[:, 0].argsort()], SHADES)])


def _spectra(paints: np.ndarray, count: int) -> np.ndarray:
    """Transform maps of paints [..., 64, 64], one channel a paint: complex64 [..., paint, 96, 49]."""
    channels = np.stack([paints == k for k in range(count)], axis=-3)
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
    mask, large = _found(pixels, bank.word)
    if not large.any():
        return Likeness(0.0, dict.fromkeys(bank.names, 0.0))
    matrix = _square(large)
    crop, inside = _cut(pixels, matrix), _cut(mask, matrix) == 1
    far = _distances(crop, inside, bank)
    reach = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) == 1
    far[~reach] = np.inf
    best, down, right = _fit(far, inside, bank)
    shift = np.float64([[1, 0, right], [0, 1, down]])
    view, surfaces = _cut(bank.images[best], shift), _cut(bank.surfaces[best], shift)
    there, part = surfaces >= 0, np.append(bank.parts, NOWHERE)[surfaces]
    shape = (there & inside).sum() / max((there | inside).sum(), 1)
    shown = {name: part == k for k, name in enumerate(bank.names)}
    scores = {name: _part(far, surfaces, at) for name, at in shown.items() if at.sum() >= LEAST}
    return Likeness(float(shape), scores, crop, view)


def _found(pixels: np.ndarray, word: str) -> np.ndarray:
    """Say where the judge sees a thing, and its large pieces alone: bool [2, height, width]; empty if too little."""
    trained = judge.load()
    cells = judge.classify(trained.model, network.shrink(pixels))
    thing = next((one for one in judge.candidates(cells) if one.word == word), None)
    if thing is None or not trained.thresholds[word].passes(thing):
        return np.zeros((2, *pixels.shape[:2]), bool)
    mask = (cells.label == network.label_of(word)).astype(np.uint8)
    _, pieces, sizes, _ = cv2.connectedComponentsWithStats(mask)
    areas = sizes[1:, cv2.CC_STAT_AREA]
    large = np.isin(pieces, 1 + np.flatnonzero(areas >= LARGE * areas.max()))
    size = pixels.shape[1::-1]
    return np.stack([cv2.resize(one.astype(np.float32), size) > 0.5 for one in (mask, large)])


def _distances(crop: np.ndarray, inside: np.ndarray, bank: Views) -> np.ndarray:
    """Give how far each pixel's colour is from each surface's: [64, 64, surface], in the light that explains it."""
    lab = _lab(crop)[:, :, None, None]
    each = [np.linalg.norm(lab - palette, axis=-1).min(-1) for palette in bank.palettes.values()]
    return min(each, key=lambda far: np.minimum(far.min(-1), FAR)[inside].mean())


def _fit(far: np.ndarray, inside: np.ndarray, bank: Views) -> tuple[int, int, int]:
    """Find the view and its place (down, right) with the most pixels of one paint over those of either outline."""
    seen = np.where(far.min(-1) < FAR, bank.paints[far.argmin(-1)], NOWHERE)
    own = _spectra(seen, bank.spectra.shape[1])
    same = np.fft.irfft2((np.conj(bank.spectra) * own).sum(1), s=(PADDED, PADDED))
    area = (bank.surfaces >= 0).sum((1, 2))[:, None, None] + inside.sum()
    score = same / (area - same)
    best, down, right = np.unravel_index(score.argmax(), score.shape)
    return int(best), *(int(n) - PADDED * (n > PADDED // 2) for n in (down, right))


def _part(far: np.ndarray, surfaces: np.ndarray, at: np.ndarray) -> float:
    """Give the share of a part's pixels (bool map) that bear its paint, at the best place within SLIDE pixels."""
    rows, columns = np.nonzero(at)
    room = np.pad(far, ((SLIDE, SLIDE), (SLIDE, SLIDE), (0, 0)), constant_values=np.inf)
    steps = range(2 * SLIDE + 1)
    found = (room[rows + y, columns + x, surfaces[at]] < NEAR for y in steps for x in steps)
    return float(max(one.mean() for one in found))
