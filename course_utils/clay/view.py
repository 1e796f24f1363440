"""The camera as numbers, and what a render is: a picture with the truth about it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .compose import Clay
from .scenes import Camera, Scene

GAMMA = 1.7  # of the screen that the picture is shown on


@dataclass(frozen=True)
class View:
    """The camera as numbers: eye [3], basis rows right, up, forward [3, 3], tangent of half the vertical angle."""

    eye: np.ndarray
    basis: np.ndarray
    tan: float

    @staticmethod
    def of(camera: Camera) -> View:
        """Point a view from the camera's eye to its target."""
        eye = np.array(camera.eye, float)
        forward = np.array(camera.target, float) - eye
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 1.0, 0.0))
        right /= np.linalg.norm(right)
        return View(eye, np.stack([right, np.cross(right, forward), forward]), math.tan(camera.fov / 2))

    def project(self, points: np.ndarray, height: int, width: int) -> np.ndarray:
        """Carry world points [n, 3] to (column, row, depth) in pixels and metres [n, 3]."""
        p = (np.asarray(points, float) - self.eye) @ self.basis.T
        depth = np.maximum(p[:, 2], 1e-6)
        u = p[:, 0] / depth / self.tan * height / width
        v = p[:, 1] / depth / self.tan
        return np.stack([(u + 1) / 2 * width, (1 - v) / 2 * height, p[:, 2]], axis=1)


@dataclass
class Render:
    """A picture and the truth about it; arrays share [height, width].

    image: uint8 [height, width, 3], RGB.
    depth: float32, metres along the optical axis; the sky lies ``raymarch.FAR`` along each ray.
    normal: float32 [height, width, 3], camera space: x right, y up, z towards the viewer.
    klass: uint8, index into ``vocabulary.CLASSES``.
    instance: int16, index into ``clay.owners``; -1 is background.
    primitive: int16, row of ``clay.rows``; -1 is background.
    """

    scene: Scene
    clay: Clay
    image: np.ndarray
    depth: np.ndarray
    normal: np.ndarray
    klass: np.ndarray
    instance: np.ndarray
    primitive: np.ndarray
    view: View
