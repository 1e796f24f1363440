"""Other ways to draw the same scene: whole-picture styles made from a render and its truth.

Each style is a pure function of the scene, so that the same scene always gives the same picture; what is
random is seeded by what the things are, not by where they stand, so that a film does not flicker.
"""

from __future__ import annotations

import zlib

import cv2
import numpy as np
from PIL import Image

from .regions import borders, creases, regions, soften
from .shapes import PAINT, TEXTURE
from .view import GAMMA, Render

SPECK = 0.003  # of the picture: what is smaller is an eye or a button
CELLS = {1: 9, 2: 4.5}  # across a cubist picture; each is cut in two
INK = np.array([0.10, 0.08, 0.13], np.float32)


def restyle(render: Render, style: str) -> np.ndarray:
    """Draw a clay render again in another style.

    Args:
        render: the clay picture and its truth.
        style: one of ``vocabulary.STYLES`` or ``vocabulary.HELD_OUT_STYLES``.

    Returns:
        uint8 [height, width, 3], RGB.

    Raises:
        ValueError: if the style is unknown.
    """
    if style == "clay":
        return render.image
    if style not in _STYLES:
        raise ValueError(f"style={style!r} is not known; choose one of clay, {', '.join(_STYLES)}.")
    return (np.clip(_STYLES[style](render), 0, 1) * 255).round().astype(np.uint8)


def _rng(render: Render) -> np.random.Generator:
    kept = [(t.word, t.colour, t.variant) for t in render.scene.things]
    return np.random.default_rng(zlib.crc32(repr((kept, render.scene.place, render.scene.light.phase)).encode()))


def _mean(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Average ``values`` [height, width(, 3)] over each label: [count(, 3)]."""
    flat, size = labels.ravel(), np.maximum(np.bincount(labels.ravel(), minlength=count), 1)
    channels = values.reshape(len(flat), -1)
    sums = np.stack([np.bincount(flat, channels[:, k], count) for k in range(channels.shape[1])], axis=1)
    return (sums / size[:, None]).astype(np.float32).reshape(count, *values.shape[2:])


def _vivid(colour: np.ndarray, gain: float) -> np.ndarray:
    """Push colours away from their own grey by ``gain``; near-greys stay grey."""
    grey = colour.mean(-1, keepdims=True)
    colourful = np.clip((colour.max(-1, keepdims=True) - colour.min(-1, keepdims=True)) * 6, 0, 1)
    return np.clip(grey + (colour - grey) * (1 + (gain - 1) * colourful), 0, 1)


def _turn(colour: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Turn the hue of colours [n, 3] by ``degrees`` [n]."""
    hsv = cv2.cvtColor(np.clip(colour, 0, 1).astype(np.float32)[None], cv2.COLOR_RGB2HSV)
    hsv[0, :, 0] = (hsv[0, :, 0] + degrees) % 360
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0]


def _textured(render: Render) -> np.ndarray:
    """Mark the pixels of things that bear a picture."""
    return (render.primitive >= 0) & (render.clay.rows[render.primitive, TEXTURE] >= 0)


def _painted(render: Render) -> np.ndarray:
    """Mark the pixels whose colour changes within their region: background and pictures."""
    return (render.primitive < 0) | _textured(render)


def _specks(render: Render, labels: np.ndarray, share: float = SPECK) -> np.ndarray:
    """Mark the pixels of a thing's smallest regions, less than ``share`` of the picture: eyes, buttons."""
    return (np.bincount(labels.ravel()) < share * labels.size)[labels] & (render.primitive >= 0)


def _light(render: Render, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a picture into each region's colour in good light [n, 3] and the light on it [height, width], about 1."""
    image, count = render.image.astype(np.float32) / 255, labels.max() + 1
    grey = image.mean(-1)
    usual = np.maximum(_mean(grey, labels, count), 0.02)[labels]
    lit = _mean(image, np.where(grey >= usual * 0.85, labels, count), count + 1)[:count]
    small = SPECK if render.scene.edition == 1 else 3 * SPECK
    specks = _specks(render, labels, small)  # all edge and no middle: the clay itself says what colour they are
    lit[labels[specks]] = (0.9 * render.clay.rows[render.primitive[specks], PAINT]) ** (1 / GAMMA)
    return lit, np.where(specks | _textured(render), 1.0, grey / usual)


def _shards(labels: np.ndarray, rng: np.random.Generator, cells: float) -> np.ndarray:
    """Cut the regions into straight-edged facets: int [height, width].

    Every pixel goes to the nearest seed of a jittered grid that lies in its own region, then to one side of a
    line through that seed. Pieces without a seed stay whole.
    """
    height, width = labels.shape
    cell = min(height, width) / cells
    rows, columns = int(np.ceil(height / cell)) + 2, int(np.ceil(width / cell)) + 2
    y = (np.arange(rows)[:, None] - 0.5 + rng.uniform(-0.42, 0.42, (rows, columns))) * cell
    x = (np.arange(columns)[None] - 0.5 + rng.uniform(-0.42, 0.42, (rows, columns))) * cell
    angle = rng.uniform(0, 2 * np.pi, (rows, columns))
    home = labels[np.clip(y.astype(int), 0, height - 1), np.clip(x.astype(int), 0, width - 1)]
    i, j = np.arange(height, dtype=np.float32)[:, None] + 0.5, np.arange(width, dtype=np.float32)[None] + 0.5
    ci, cj = (i / cell).astype(int), (j / cell).astype(int)
    best, seed = np.full(labels.shape, np.inf, np.float32), np.full(labels.shape, -1)
    for di in range(3):
        for dj in range(3):
            k = (ci + di) * columns + cj + dj
            far = (i - y.ravel().astype(np.float32)[k]) ** 2 + (j - x.ravel().astype(np.float32)[k]) ** 2
            nearer = (far < best) & (home.ravel()[k] == labels)
            best, seed = np.where(nearer, far, best), np.where(nearer, k, seed)
    across = np.sin(angle).ravel(), np.cos(angle).ravel()
    side = (i - y.ravel()[seed]) * across[0][seed] + (j - x.ravel()[seed]) * across[1][seed] > 0
    return np.where(seed < 0, labels, labels.max() + 1 + seed * 2 + side)


def _large(labels: np.ndarray, facets: np.ndarray, count: int) -> np.ndarray:
    """Tell which facets belong to a region of some size: float [count], 0 or 1."""
    region = np.zeros(count, int)
    region[facets.ravel()] = labels.ravel()
    return (np.bincount(labels.ravel()) >= 3 * SPECK * labels.size)[region].astype(float)


def cubist(render: Render) -> np.ndarray:
    """Flat facets in a few strong tones of each region's own colour, leaded like stained glass."""
    image, labels, rng = render.image.astype(np.float32) / 255, regions(render), _rng(render)
    first = render.scene.edition == 1
    facets, unit = _shards(labels, rng, CELLS[render.scene.edition]), min(labels.shape) / 256
    if (picture := _textured(render)).any() and first:  # a painting in the picture is small, and so are its facets
        facets = np.where(picture, facets.max() + 1 + _shards(labels, rng, 30), facets)
    count = facets.max() + 1
    typical, light = _light(render, labels)
    colour = _mean(np.where(_painted(render)[..., None], image, typical[labels]), facets, count)
    varied = 1.0 if first else _large(labels, facets, count)  # an eye or a mouth keeps its tone
    tone = _mean(light, facets, count) * 0.9 + 0.1 + rng.uniform(-0.24, 0.24, count) * varied
    level = np.digitize(tone, (0.80, 0.96, 1.12))
    colour = _vivid(colour, 1.45) ** np.array([1.35, 1.12, 1.0, 0.90])[level][:, None]
    colour = _turn(colour, rng.uniform(-9, 9, count) * varied) * np.array([0.74, 0.88, 1.0, 1.06])[level][:, None]
    flat = cv2.GaussianBlur(np.clip(colour, 0, 1).astype(np.float32)[facets], (0, 0), 0.5)
    if not first:  # what a painting in the picture shows is cubist of its own
        flat = np.where(picture[..., None], image, flat)
    seams = soften(borders(facets), 0.8 * unit) * np.where(picture, 0.12 if first else 0.0, 0.36)
    flat = flat * (1 - seams[..., None])
    return flat + (INK - flat) * 0.92 * soften(_outlines(render, labels), 1.4 * unit)[..., None]


def anime(render: Render) -> np.ndarray:
    """Two or three flat bands of light, saturated paint, ink outlines."""
    image, labels = render.image.astype(np.float32) / 255, regions(render)
    typical, light = _light(render, labels)
    band = cv2.GaussianBlur(light, (0, 0), min(labels.shape) / 200)
    band = np.select([band < 0.80, band < 1.13], [0.74, 1.0], 1.12).astype(np.float32)
    grey = np.maximum(cv2.GaussianBlur(image.mean(-1), (0, 0), 1.0), 0.02)
    steps = image * (np.ceil(grey * 8) / 8 / grey)[..., None]
    flat = np.where(_painted(render)[..., None], steps, typical[labels] * band[..., None])
    flat = cv2.GaussianBlur(_vivid(flat, 1.4).astype(np.float32), (0, 0), 0.5)
    unit = min(labels.shape) / 256
    ink = _outlines(render, labels, folds=True) & ((render.primitive >= 0) | _beside_things(render))
    line = soften(ink, 1.6 * unit)[..., None]
    return flat + (INK - flat) * line


def blueprint(render: Render) -> np.ndarray:
    """White and pale blue lines on blue paper with a faint grid."""
    height, width = render.depth.shape
    paper = np.empty((height, width, 3), np.float32)
    paper[:] = 0.07, 0.22, 0.52
    paper += 0.10 * (render.image.mean(-1, keepdims=True) / 255 - 0.4) * (render.primitive >= 0)[..., None]
    step = max(4, round(min(height, width) / 16))
    paper[::step] += 0.055
    paper[:, ::step] += 0.055
    labels, unit = regions(render), min(height, width) / 256
    things = (render.primitive >= 0) | _beside_things(render)
    strong = soften((borders(labels) & things) | _folds(render), 1.2 * unit)[..., None]
    pale = soften(borders(labels) & ~things, 1.0 * unit)[..., None]
    paper += (np.array([0.62, 0.80, 0.95], np.float32) - paper) * 0.6 * pale
    return paper + (np.array([0.96, 0.98, 1.0], np.float32) - paper) * strong


def pixel_art(render: Render) -> np.ndarray:
    """Large square pixels, twenty colours."""
    height, width = render.depth.shape
    block = max(2, round(min(height, width) / 42))
    rows, columns = -(-height // block), -(-width // block)
    of = (np.arange(height) // block)[:, None] * columns + (np.arange(width) // block)[None]
    labels = regions(render)
    count = labels.max() + 1
    votes = np.bincount((of * count + labels).ravel(), minlength=rows * columns * count).reshape(-1, count)
    rare = np.bincount(labels.ravel(), minlength=count) < 0.01 * labels.size
    winner = (votes * np.where(rare, 1.8, 1.0)).argmax(1)  # an eye wins over the face around it
    small = _mean(render.image / 255.0, np.where(labels == winner[of], of, rows * columns), rows * columns + 1)[:-1]
    small = (_vivid(small, 1.3) * 255).astype(np.uint8).reshape(rows, columns, 3)
    few = Image.fromarray(small).quantize(20, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
    return (np.asarray(few.convert("RGB"), np.float32) / 255).reshape(-1, 3)[of]


def pencil(render: Render) -> np.ndarray:
    """Grey hatching by shade on rough paper, with outlines."""
    height, width = render.depth.shape
    rng, unit = _rng(render), min(height, width) / 256
    shade = cv2.GaussianBlur(render.image.astype(np.float32).mean(-1) / 255, (0, 0), unit)
    shade = np.clip(1 - shade, 0, 1) + np.where(render.primitive < 0, -0.12, 0.04)
    y, x = np.mgrid[:height, :width].astype(np.float32) / unit
    wobble = cv2.resize(rng.normal(0, 1, (9, 9)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    grain = rng.normal(0, 1, (height, width)).astype(np.float32)
    paper = 0.95 + 0.012 * grain
    for least, angle, pitch in ((0.18, 0.8, 4.6), (0.42, -0.7, 4.4), (0.64, 0.1, 4.0), (0.80, 1.5, 3.6)):
        wave = np.cos((x * np.cos(angle) + y * np.sin(angle) + 1.2 * wobble) * 2 * np.pi / pitch)
        depth = np.clip((shade - least) * 4, 0, 1)
        paper -= 0.32 * depth * np.clip(wave + 0.25 * grain + 0.1, 0, 1)
    paper -= 0.5 * np.clip((shade - 0.82) * 8, 0, 1)
    labels = regions(render)
    line = soften(borders(labels) | _folds(render), 1.4 * unit)
    return np.repeat((paper * (1 - 0.80 * line * np.clip(1 + 0.12 * grain, 0, 1)))[..., None], 3, axis=-1)


def _outlines(render: Render, labels: np.ndarray, folds: bool = False) -> np.ndarray:
    """Mark the borders of regions (and folds), but not around specks on a thing: lines would drown them."""
    beside = cv2.dilate(_specks(render, labels).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    lines = borders(labels) | _folds(render) if folds else borders(labels)
    return lines & ~beside | borders(render.instance)


def _beside_things(render: Render) -> np.ndarray:
    """Mark the background's pixels that touch a thing."""
    return cv2.dilate((render.primitive >= 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def _folds(render: Render) -> np.ndarray:
    """Mark where a thing's own surface bends sharply or hides what lies behind it."""
    return creases(render, bend=0.9, jump=0.03) & (render.primitive >= 0)


_STYLES = {"cubist": cubist, "anime": anime, "blueprint": blueprint, "pixel art": pixel_art, "pencil": pencil}
