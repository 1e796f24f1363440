"""Where the camera stands: chosen so that the things fill the frame."""

from __future__ import annotations

import math

import numpy as np

from .scenes import Camera
from .shapes import outline_spheres
from .view import View


def fit(
    rows: np.ndarray,
    fill: float = 0.8,
    yaw: float = 0.0,
    pitch: float = 0.15,
    fov: float = 0.70,
    shift: tuple[float, float] = (0.0, 0.0),
    aspect: float = 1.0,
) -> Camera:
    """Step back until every primitive of ``rows`` [n, COLUMNS] is inside the frame.

    Args:
        rows: primitives to keep in view.
        fill: share of the frame's height and width that they may take, 0-1.
        yaw, pitch: from where the camera looks; pitch 0 is level, positive is from above; radians.
        fov: full vertical angle, radians.
        shift: moves the things right and up, in shares of the frame (0 is centred).
        aspect: width over height of the frame.

    Returns:
        A camera, its eye kept above the ground.
    """
    centres, radii = outline_spheres(rows)
    target = (centres - radii[:, None]).min(0) / 2 + (centres + radii[:, None]).max(0) / 2
    away = np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    tan, distance = math.tan(fov / 2), 1.0
    for _ in range(4):
        basis = View.of(Camera(tuple(target + away), tuple(target), fov)).basis
        p = (centres - target) @ basis.T
        span = fill * tan
        distance = max(((np.abs(p[:, 0]) + radii) / (span * aspect) - p[:, 2]).max(),
                       ((np.abs(p[:, 1]) + radii) / span - p[:, 2]).max())  # fmt: skip
        depth = np.maximum(distance + p[:, 2], 0.1)
        for axis in (0, 1):
            low, high = ((p[:, axis] - radii) / depth).min(), ((p[:, axis] + radii) / depth).max()
            target = target + basis[axis] * (low + high) / 2 * distance
    target = target - (basis[0] * shift[0] * aspect + basis[1] * shift[1]) * 2 * tan * distance
    eye = target + away * distance
    return Camera(tuple(float(v) for v in (eye[0], max(eye[1], 0.12), eye[2])), tuple(map(float, target)), fov)
