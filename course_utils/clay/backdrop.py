"""What lies around the things: ground, wall and sky of the seven places.

Patterns are broad and smooth on purpose: a grain finer than the autoencoder's
16-pixel patches would spend its capacity on sand.
``palette`` [5, 3] = horizon, zenith, ground, second paint, (phase, phase, -).
Places are indices into ``vocabulary.PLACES``; classes into ``vocabulary.CLASSES``.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

PALETTES = {
    "beach": [(0.74, 0.89, 0.97), (0.22, 0.55, 0.92), (0.88, 0.72, 0.44), (0.05, 0.38, 0.58)],
    "garden": [(0.80, 0.91, 0.97), (0.36, 0.66, 0.95), (0.26, 0.58, 0.13), (0.16, 0.40, 0.16)],
    "snow": [(0.84, 0.90, 0.98), (0.48, 0.64, 0.88), (0.80, 0.86, 0.96), (0.56, 0.68, 0.86)],
    "street": [(0.84, 0.82, 0.78), (0.60, 0.68, 0.78), (0.20, 0.20, 0.22), (0.62, 0.42, 0.34)],
    "room": [(0.80, 0.72, 0.56), (0.80, 0.72, 0.56), (0.50, 0.28, 0.13), (0.86, 0.78, 0.62)],
    "desert": [(0.98, 0.76, 0.46), (0.84, 0.44, 0.26), (0.80, 0.47, 0.20), (0.66, 0.28, 0.14)],
    "night": [(0.13, 0.14, 0.34), (0.02, 0.02, 0.10), (0.06, 0.13, 0.12), (0.03, 0.05, 0.12)],
}


def palette(place: str, shade: float = 0.0, phase: float = 0.0) -> np.ndarray:
    """Give the place's colours [5, 3], ``shade`` (about -0.1..0.1) lighter or darker, its hills moved by ``phase``."""
    out = np.empty((5, 3))
    out[:4] = np.array(PALETTES[place]) * (1 + shade)
    out[4] = phase, math.sin(phase * 3.1) * 2, 0
    return out


@njit(fastmath=True, cache=True)
def sky_paint(place, dx, dy, dz, palette):
    """Colour and class of the far away in direction (dx, dy, dz)."""
    flat = math.sqrt(dx * dx + dz * dz) + 1e-9
    rise, turn, phase = dy / flat, math.atan2(dx, -dz), palette[4, 0]
    t = max(0.0, min(1.0, rise * 1.8))
    r = palette[0, 0] + (palette[1, 0] - palette[0, 0]) * t
    g = palette[0, 1] + (palette[1, 1] - palette[0, 1]) * t
    b = palette[0, 2] + (palette[1, 2] - palette[0, 2]) * t
    c, top = 0, -1.0
    if place == 1:  # garden: rolling hills
        top = 0.07 + 0.035 * math.sin(4 * turn + phase) + 0.015 * math.sin(9 * turn + 2 * phase)
    elif place == 2:  # snow: mountains
        top = 0.10 + 0.07 * abs(math.sin(3 * turn + phase)) + 0.03 * abs(math.sin(7 * turn + 3 * phase))
    elif place == 5:  # desert: mesas
        top = 0.05 + 0.11 * min(1.0, max(0.0, 4 * math.sin(4 * turn + phase) - 1.5))
    elif place == 6:  # night: dark hills
        top = 0.06 + 0.04 * math.sin(3 * turn + phase)
    if rise < top:
        r, g, b, c = palette[3, 0], palette[3, 1], palette[3, 2], 10
        fade = 0.35 if place != 6 else 0.0
        r, g, b = r + (palette[0, 0] - r) * fade, g + (palette[0, 1] - g) * fade, b + (palette[0, 2] - b) * fade
    elif place == 3:  # street: a row of houses
        u = (turn + phase) / 0.26
        k = math.floor(u)
        f = u - k
        s = math.sin(k * 12.9898) * 43758.5453
        s = s - math.floor(s)
        if rise < 0.20 + 0.22 * s and f > 0.04:
            c = 11
            w = 0.55 + 0.35 * s
            r, g, b = palette[3, 0] * w + 0.22 * (1 - s), palette[3, 1] * w + 0.20 * s, palette[3, 2] * w + 0.22 * s
            a, e = f * 3.0 - math.floor(f * 3.0), rise / 0.085 - math.floor(rise / 0.085)
            if 0.3 < a < 0.75 and 0.35 < e < 0.8:
                r, g, b = 0.85, 0.83, 0.62
    elif place == 6:  # moon and a few stars
        m = (turn - 0.35 * math.sin(phase)) ** 2 + (rise - 0.42) ** 2
        if m < 0.0028:
            r, g, b = 0.92, 0.90, 0.74
        else:
            u, v = turn * 9.0 + phase, rise * 9.0
            i, j = math.floor(u), math.floor(v)
            s = math.sin(i * 127.1 + j * 311.7) * 43758.5453
            s = s - math.floor(s)
            if s > 0.6 and (u - i - 0.5) ** 2 + (v - j - 0.5) ** 2 < 0.007:
                r, g, b = 0.75, 0.76, 0.85
    return r, g, b, c


@njit(fastmath=True, cache=True)
def ground_paint(place, x, z, palette):
    """Colour and class of the ground at (x, z)."""
    r, g, b, c = palette[2, 0], palette[2, 1], palette[2, 2], place + 1
    phase, v = palette[4, 0], 0.0
    if place == 0:
        shore = -3.0 + 0.25 * math.sin(0.9 * x + phase)
        if z < shore - 0.3:
            r, g, b, c = palette[3, 0], palette[3, 1], palette[3, 2], 8
            v = 0.03 * math.sin(z * 2.2 + math.sin(x * 0.9 + phase))
        elif z < shore:
            r, g, b, c = 0.93, 0.96, 0.97, 8
        else:
            v = 0.025 * math.sin(x * 3.0 + 2 * math.sin(z * 1.7 + phase))
    elif place == 1:
        v = 0.028 * math.sin(x * 2.6 + phase) * math.sin(z * 3.1 + x * 0.8)
    elif place == 2:
        v = 0.02 * math.sin(x * 1.7 + phase) * math.sin(z * 1.3)
    elif place == 3:
        if z < -2.3:
            r, g, b = 0.55, 0.54, 0.52  # pavement
        elif abs(z + 1.25) < 0.07:
            u = x * 0.7 + phase
            if u - math.floor(u) < 0.55:
                r, g, b = 0.86, 0.85, 0.80
    elif place == 4:
        u = x * 1.3 + phase
        k = math.floor(u)
        v = -0.10 if u - k < 0.05 else 0.03 * math.sin(k * 12.9)
    elif place == 5:
        v = 0.03 * math.sin(x * 1.2 + 1.5 * math.sin(z * 1.1 + phase))
    return r + v, g + v, b + v, c


@njit(fastmath=True, cache=True)
def wall_paint(x, y, palette):
    """Colour and class of the room's back wall: plain, with a skirting board."""
    if y < 0.16:
        return 0.90, 0.88, 0.84, 9
    return palette[3, 0], palette[3, 1], palette[3, 2], 9
