"""Scene in, picture and truth out."""

from __future__ import annotations

import math

import numpy as np

from . import backdrop, raymarch
from . import vocabulary as words
from .compose import Clay, compose
from .scenes import Scene
from .styles import restyle
from .view import GAMMA, Render, View

PAINTING = 96  # pixels a side of the picture on an easel


def render(scene: Scene, height: int = 256, width: int = 256) -> Render:
    """Render a scene with its truth.

    Args:
        scene: what to draw.
        height, width: size in pixels, each at least 16.

    Returns:
        The picture and its maps.

    Raises:
        ValueError: if a size is too small.

    Example:
        >>> from course_utils import clay
        >>> clay.render(clay.scene(seed=0), height=64, width=96).image.shape
        (64, 96, 3)
    """
    if height < 16 or width < 16:
        raise ValueError(f"height={height}, width={width}: a render needs at least 16 pixels each way.")
    clay = compose(scene)
    view = View.of(scene.camera)
    setting = _setting(scene, clay, view)
    out = _maps(height, width)
    raymarch.first_pass(*setting, *out.values())
    mask = _edges(out["rgb"], out["prim"], out["klass"], out["normal"])
    raymarch.smooth_edges(*setting, mask, out["rgb"])
    out["normal"][..., 2] *= -1  # the tracer's third axis looks away from the viewer
    image = (np.clip(out["rgb"], 0, 1) ** (1 / GAMMA) * 255).round().astype(np.uint8)
    made = Render(scene, clay, image, out["depth"], out["normal"], out["klass"], out["who"], out["prim"], view)
    if scene.style != "clay":
        made.image = restyle(made, scene.style)
    return made


def _setting(scene: Scene, clay: Clay, view: View) -> tuple:
    sun = scene.light
    light = np.array([math.sin(sun.azimuth) * math.cos(sun.height), math.sin(sun.height),
                      math.cos(sun.azimuth) * math.cos(sun.height)])  # fmt: skip
    palette = backdrop.palette(scene.place, sun.shade, sun.phase)
    place = words.PLACES.index(scene.place)
    return clay.rows, clay.parts, _pictures(scene), view.eye, view.basis, view.tan, light, place, palette, clay.wall


def _pictures(scene: Scene) -> np.ndarray:
    """Paint the pictures that the scene's paintings show: linear float32 [k, PAINTING, PAINTING, 3]."""
    shows = [thing.shows for thing in scene.things if thing.shows]
    if scene.edition > 1 and scene.style == "cubist":
        shows = [shown.with_(style="cubist") for shown in shows]
    shown = [render(inner, PAINTING, PAINTING).image for inner in shows]
    blank = np.zeros((1, PAINTING, PAINTING, 3), np.float32)
    return (np.stack(shown) / 255).astype(np.float32) ** GAMMA if shown else blank


def _maps(height: int, width: int) -> dict[str, np.ndarray]:
    size = (height, width)
    return {
        "rgb": np.empty((*size, 3), np.float32),
        "depth": np.empty(size, np.float32),
        "klass": np.empty(size, np.uint8),
        "who": np.empty(size, np.int16),
        "prim": np.empty(size, np.int16),
        "normal": np.empty((*size, 3), np.float32),
    }


def _edges(rgb, prim, klass, normal) -> np.ndarray:
    """Mark the pixels that differ from a neighbour in colour, owner or normal."""
    colour = np.clip(rgb, 0, 1) ** 0.5
    mask = np.zeros(prim.shape, np.bool_)
    for axis in (0, 1):
        jump = np.abs(np.diff(colour, axis=axis)).max(-1) > 0.06
        jump |= np.diff(klass.astype(np.int16), axis=axis) != 0
        jump |= (np.diff(prim, axis=axis) != 0) & ((np.diff(normal, axis=axis) ** 2).sum(-1) > 0.15)
        before = [slice(None)] * 2
        after = [slice(None)] * 2
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        mask[tuple(before)] |= jump
        mask[tuple(after)] |= jump
    return mask
