"""The sphere tracer: one ray, one pixel, compiled by numba.

Sphere tracing after Hart (1996). A ray asks only the parts whose bounding sphere it
meets. Axes: x right, y up, z towards the viewer; units of about a metre.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from .backdrop import ground_paint, sky_paint, wall_paint
from .distance import distance, meet, normal

FAR = 60.0


@njit(fastmath=True, cache=True)
def _shadow(rows, parts, light, x, y, z, spare):
    """Soft shadow: 1 in the open, 0 in the dark."""
    n, enter, leave = meet(parts, x, y, z, light[0], light[1], light[2], 0.22, spare)
    if n == 0:
        return 1.0
    lit, t = 1.0, max(0.04, enter)
    for _ in range(24):
        d, _i, _j = distance(rows, parts, spare, n, x + light[0] * t, y + light[1] * t, z + light[2] * t)
        lit = min(lit, 14.0 * d / t)
        if lit < 0.02:
            return 0.0
        t += max(0.03, d)
        if t > leave:
            break
    return lit


@njit(fastmath=True, cache=True)
def _paint(row, textures, x, y, z):
    """The clay's colour at a point; a textured box shows its picture on its local +z face."""
    k = int(row[25])
    if k < 0:
        return row[4], row[5], row[6]
    px, py, pz = x - row[7], y - row[8], z - row[9]
    qx = (row[16] * px + row[17] * py + row[18] * pz) / row[10]
    qy = (row[19] * px + row[20] * py + row[21] * pz) / row[11]
    qz = row[22] * px + row[23] * py + row[24] * pz
    if qz < row[12] * 0.5 or abs(qx) > 1.0 or abs(qy) > 1.0:
        return row[4], row[5], row[6]
    h, w = textures.shape[1], textures.shape[2]
    i, j = min(h - 1, int((0.5 - 0.5 * qy) * h)), min(w - 1, int((0.5 + 0.5 * qx) * w))
    return textures[k, i, j, 0], textures[k, i, j, 1], textures[k, i, j, 2]


@njit(fastmath=True, cache=True)
def _march(rows, parts, eye, dx, dy, dz, stop, active):
    """Walk to the first surface before ``stop``: (primitive or -1, its part, distance along the ray)."""
    n, enter, leave = meet(parts, eye[0], eye[1], eye[2], dx, dy, dz, 0.0, active)
    t, end = enter, min(stop, leave)
    if n == 0:
        return -1, -1, stop
    for _ in range(140):
        d, i, j = distance(rows, parts, active, n, eye[0] + dx * t, eye[1] + dy * t, eye[2] + dz * t)
        if d < 0.001 * t:
            return i, active[j], t
        t += d * 0.92
        if t > end:
            break
    return -1, -1, stop


@njit(fastmath=True, cache=True)
def _light(rows, parts, light, place, is_clay, x, y, z, nx, ny, nz, dx, dy, dz, spare):
    """Light at a point: what its colour is multiplied with (r, g, b), and the highlight added to it."""
    diffuse = max(0.0, nx * light[0] + ny * light[1] + nz * light[2])
    lit = 0.0
    if diffuse > 0.0:
        lit = _shadow(rows, parts, light, x + nx * 0.012, y + ny * 0.012, z + nz * 0.012, spare)
    n, _e, _l = meet(parts, x + nx * 0.1, y + ny * 0.1, z + nz * 0.1, nx, ny, nz, 0.2, spare)
    room = 0.2
    if n > 0:
        room, _i, _j = distance(rows, parts, spare, n, x + nx * 0.2, y + ny * 0.2, z + nz * 0.2)
    shine = 0.0
    if is_clay:
        room = min(room, y + ny * 0.2)
        if lit > 0.0:
            hx, hy, hz = light[0] - dx, light[1] - dy, light[2] - dz
            s = max(0.0, (nx * hx + ny * hy + nz * hz) / math.sqrt(hx * hx + hy * hy + hz * hz))
            shine = 0.10 * lit * s**24
    ambient = (0.37 + 0.13 * ny + 0.08 * nz) * (0.5 + 0.5 * min(1.0, max(0.0, room / 0.2)))
    sun = 0.74 * diffuse * lit
    if place == 6:  # by night the moon is blue and weak
        return ambient + 0.70 * sun, 1.02 * ambient + 0.76 * sun, 1.12 * ambient + 0.9 * sun, shine
    return ambient + sun, ambient + sun, ambient + sun, shine


@njit(fastmath=True, cache=True)
def _trace(rows, parts, textures, eye, dx, dy, dz, light, place, palette, wall, active, spare):
    """Follow one ray: (r, g, b, depth along the ray, class, instance, primitive, normal x, y, z)."""
    stop, on_wall = FAR, False
    if dy < -1e-5:
        stop = min(FAR, -eye[1] / dy)
    if place == 4 and dz < -1e-5 and (wall - eye[2]) / dz < stop:
        stop, on_wall = (wall - eye[2]) / dz, True
    hit, part, t = _march(rows, parts, eye, dx, dy, dz, stop, active)
    if hit < 0 and stop >= FAR:
        r, g, b, c = sky_paint(place, dx, dy, dz, palette)
        return r, g, b, FAR, c, -1, -1, -dx, -dy, -dz
    x, y, z = eye[0] + dx * t, eye[1] + dy * t, eye[2] + dz * t
    nx, ny, nz, who = 0.0, 1.0, 0.0, -1
    if hit >= 0:
        spare[0] = part
        nx, ny, nz = normal(rows, parts, spare, 1, x, y, z)
        r, g, b = _paint(rows[hit], textures, x, y, z)
        c, who = int(rows[hit, 2]), int(rows[hit, 3])
    elif on_wall:
        ny, nz = 0.0, 1.0
        r, g, b, c = wall_paint(x, y, palette)
    else:
        r, g, b, c = ground_paint(place, x, z, palette)
    lr, lg, lb, shine = _light(rows, parts, light, place, hit >= 0, x, y, z, nx, ny, nz, dx, dy, dz, spare)
    r, g, b = r * lr + shine, g * lg + shine, b * lb + shine
    if hit < 0 and not on_wall:
        fog = 1.0 - math.exp(-max(0.0, t - 7.0) * 0.05)
        r, g, b = r + (palette[0, 0] - r) * fog, g + (palette[0, 1] - g) * fog, b + (palette[0, 2] - b) * fog
    return r, g, b, t, c, who, hit, nx, ny, nz


@njit(fastmath=True, cache=True)
def _ray(basis, tan, height, width, row, column):
    """Direction through a point of the picture (in pixels): unit x, y, z, and its length before it was made unit."""
    u, v = (column / width * 2 - 1) * tan * width / height, (1 - row / height * 2) * tan
    dx = basis[2, 0] + u * basis[0, 0] + v * basis[1, 0]
    dy = basis[2, 1] + u * basis[0, 1] + v * basis[1, 1]
    dz = basis[2, 2] + u * basis[0, 2] + v * basis[1, 2]
    n = math.sqrt(dx * dx + dy * dy + dz * dz)
    return dx / n, dy / n, dz / n, n


@njit(parallel=True, fastmath=True, cache=True)
def first_pass(
    rows, parts, textures, eye, basis, tan, light, place, palette, wall, rgb, depth, klass, who, prim, facing
):
    """Trace one ray through every pixel's centre and fill all the maps in place."""
    height, width = depth.shape
    for i in prange(height):
        active, spare = np.empty(len(parts) + 1, np.int64), np.empty(len(parts) + 1, np.int64)
        for j in range(width):
            dx, dy, dz, n = _ray(basis, tan, height, width, i + 0.5, j + 0.5)
            o = _trace(rows, parts, textures, eye, dx, dy, dz, light, place, palette, wall, active, spare)
            rgb[i, j, 0], rgb[i, j, 1], rgb[i, j, 2] = o[0], o[1], o[2]
            depth[i, j] = o[3] / n  # along the optical axis
            klass[i, j], who[i, j], prim[i, j] = o[4], o[5], o[6]
            for k in range(3):
                facing[i, j, k] = basis[k, 0] * o[7] + basis[k, 1] * o[8] + basis[k, 2] * o[9]


@njit(parallel=True, fastmath=True, cache=True)
def smooth_edges(rows, parts, textures, eye, basis, tan, light, place, palette, wall, mask, rgb):
    """Average four more rays in the pixels of ``mask``: antialiasing only where it shows."""
    height, width = mask.shape
    for i in prange(height):
        active, spare = np.empty(len(parts) + 1, np.int64), np.empty(len(parts) + 1, np.int64)
        for j in range(width):
            if not mask[i, j]:
                continue
            r, g, b = 0.0, 0.0, 0.0
            for s in range(4):
                dx, dy, dz, n = _ray(basis, tan, height, width, i + 0.25 + 0.5 * (s // 2), j + 0.25 + 0.5 * (s % 2))
                o = _trace(rows, parts, textures, eye, dx, dy, dz, light, place, palette, wall, active, spare)
                r, g, b = r + min(1.0, o[0]), g + min(1.0, o[1]), b + min(1.0, o[2])
            rgb[i, j, 0], rgb[i, j, 1], rgb[i, j, 2] = r / 4, g / 4, b / 4
