"""The sphere tracer: one ray, one pixel, compiled by numba.

Sphere tracing after Hart (1996), smooth unions and primitive distances after
Quilez. Two things make it quick: a ray asks only the parts whose bounding sphere
it meets, and a part is skipped while its sphere is farther than the best distance
so far. Axes: x right, y up, z towards the viewer; units of about a metre.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from .backdrop import ground_paint, sky_paint, wall_paint

FAR = 60.0


@njit(fastmath=True, cache=True, inline="always")
def _primitive(rows, i, x, y, z):
    kind = int(rows[i, 0])
    if kind == 1:  # capsule
        ax, ay, az = rows[i, 7], rows[i, 8], rows[i, 9]
        bx, by, bz = rows[i, 10] - ax, rows[i, 11] - ay, rows[i, 12] - az
        px, py, pz = x - ax, y - ay, z - az
        h = (px * bx + py * by + pz * bz) * rows[i, 26]
        h = min(1.0, max(0.0, h))
        dx, dy, dz = px - h * bx, py - h * by, pz - h * bz
        return math.sqrt(dx * dx + dy * dy + dz * dz) - (rows[i, 13] + (rows[i, 14] - rows[i, 13]) * h)
    px, py, pz = x - rows[i, 7], y - rows[i, 8], z - rows[i, 9]
    qx = rows[i, 16] * px + rows[i, 17] * py + rows[i, 18] * pz
    qy = rows[i, 19] * px + rows[i, 20] * py + rows[i, 21] * pz
    qz = rows[i, 22] * px + rows[i, 23] * py + rows[i, 24] * pz
    if kind == 0:  # ellipsoid
        a, b, c = rows[i, 26], rows[i, 27], rows[i, 28]
        ux, uy, uz = qx * a, qy * b, qz * c
        k0 = math.sqrt(ux * ux + uy * uy + uz * uz)
        ux, uy, uz = ux * a, uy * b, uz * c
        k1 = math.sqrt(ux * ux + uy * uy + uz * uz) + 1e-9
        return k0 * (k0 - 1.0) / k1
    r = rows[i, 13]
    if kind == 2:  # box
        dx, dy, dz = abs(qx) - rows[i, 10] + r, abs(qy) - rows[i, 11] + r, abs(qz) - rows[i, 12] + r
        mx, my, mz = max(dx, 0.0), max(dy, 0.0), max(dz, 0.0)
        return math.sqrt(mx * mx + my * my + mz * mz) + min(max(dx, max(dy, dz)), 0.0) - r
    q = math.sqrt(qx * qx + qz * qz)
    if kind == 3:  # cylinder
        d0, d1 = q - rows[i, 10] + r, abs(qy) - rows[i, 11] + r
        m0, m1 = max(d0, 0.0), max(d1, 0.0)
        return math.sqrt(m0 * m0 + m1 * m1) + min(max(d0, d1), 0.0) - r
    if kind == 4:  # torus
        k = q - rows[i, 10]
        return math.sqrt(k * k + qy * qy) - r
    if kind == 5:  # capped cone
        h, r1, r2 = rows[i, 10] - r, rows[i, 11] - r, rows[i, 12] - r
        cx, cy = q - min(q, r1 if qy < 0.0 else r2), abs(qy) - h
        k1x, k1y = r2 - r1, 2.0 * h
        t = min(1.0, max(0.0, ((r2 - q) * k1x + (h - qy) * k1y) / (k1x * k1x + k1y * k1y)))
        ex, ey = q - r2 + k1x * t, qy - h + k1y * t
        inside = -1.0 if (ex < 0.0 and cy < 0.0) else 1.0
        return inside * math.sqrt(min(cx * cx + cy * cy, ex * ex + ey * ey)) - r
    w = math.sqrt(max(rows[i, 10] * rows[i, 10] - rows[i, 11] * rows[i, 11], 0.0))  # bowl: a hollow ball, cut
    if rows[i, 11] * q < w * qy:
        ex, ey = q - w, qy - rows[i, 11]
        return math.sqrt(ex * ex + ey * ey) - r
    return abs(math.sqrt(q * q + qy * qy) - rows[i, 10]) - r


@njit(fastmath=True, cache=True)
def _distance(rows, parts, active, n_active, x, y, z):
    """Distance to the nearest active part, the primitive it belongs to and its place in ``active``."""
    best, who, where = 1e9, -1, -1
    for j in range(n_active):
        a = active[j]
        dx, dy, dz = x - parts[a, 2], y - parts[a, 3], z - parts[a, 4]
        far = best + parts[a, 5]
        if far <= 0.0 or dx * dx + dy * dy + dz * dz > far * far:
            continue
        acc, nearest, mine, k = 1e9, 1e9, -1, parts[a, 6]
        for i in range(int(parts[a, 0]), int(parts[a, 1])):
            d = _primitive(rows, i, x, y, z)
            if d < nearest:
                nearest, mine = d, i
            gap = k - abs(acc - d)
            acc = min(acc, d)
            if gap > 0.0:
                acc -= gap * gap * parts[a, 7]
        if acc < best:
            best, who, where = acc, mine, j
    return best, who, where


@njit(fastmath=True, cache=True)
def _meet(parts, ox, oy, oz, dx, dy, dz, grow, active):
    """List the parts whose sphere the ray meets; give the count, first entry and last exit."""
    n, enter, leave = 0, 1e9, 0.0
    for j in range(len(parts)):
        px, py, pz = ox - parts[j, 2], oy - parts[j, 3], oz - parts[j, 4]
        b = px * dx + py * dy + pz * dz
        r = parts[j, 5] + grow
        c = px * px + py * py + pz * pz - r * r
        disc = b * b - c
        if disc > 0.0:
            s = math.sqrt(disc)
            if s - b > 0.0:
                active[n] = j
                n += 1
                enter, leave = min(enter, max(0.0, -b - s)), max(leave, s - b)
    return n, enter, leave


@njit(fastmath=True, cache=True)
def _normal(rows, parts, active, n, x, y, z):
    e = 0.003
    a, _i, _j = _distance(rows, parts, active, n, x + e, y - e, z - e)
    b, _i, _j = _distance(rows, parts, active, n, x - e, y - e, z + e)
    c, _i, _j = _distance(rows, parts, active, n, x - e, y + e, z - e)
    d, _i, _j = _distance(rows, parts, active, n, x + e, y + e, z + e)
    nx, ny, nz = a - b - c + d, -a - b + c + d, -a + b - c + d
    length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
    return nx / length, ny / length, nz / length


@njit(fastmath=True, cache=True)
def _shadow(rows, parts, light, x, y, z, spare):
    """Soft shadow: 1 in the open, 0 in the dark."""
    n, enter, leave = _meet(parts, x, y, z, light[0], light[1], light[2], 0.22, spare)
    if n == 0:
        return 1.0
    lit, t = 1.0, max(0.04, enter)
    for _ in range(24):
        d, _i, _j = _distance(rows, parts, spare, n, x + light[0] * t, y + light[1] * t, z + light[2] * t)
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
def _trace(rows, parts, textures, eye, dx, dy, dz, light, place, palette, wall, active, spare):
    """Follow one ray: (r, g, b, depth along the ray, class, instance, primitive, normal x, y, z)."""
    tg, ground = FAR, 1
    if dy < -1e-5:
        tg = min(FAR, -eye[1] / dy)
    if place == 4 and dz < -1e-5 and (wall - eye[2]) / dz < tg:
        tg, ground = (wall - eye[2]) / dz, 2
    hit, nearest, t = -1, -1, 0.0
    n, enter, leave = _meet(parts, eye[0], eye[1], eye[2], dx, dy, dz, 0.0, active)
    if n > 0:
        t, end = enter, min(tg, leave)
        for _ in range(140):
            d, i, j = _distance(rows, parts, active, n, eye[0] + dx * t, eye[1] + dy * t, eye[2] + dz * t)
            if d < 0.001 * t:
                hit, nearest = i, active[j]
                break
            t += d * 0.92
            if t > end:
                break
    if hit < 0 and tg >= FAR:
        r, g, b, c = sky_paint(place, dx, dy, dz, palette)
        return r, g, b, FAR, c, -1, -1, -dx, -dy, -dz
    if hit < 0:
        t = tg
    x, y, z = eye[0] + dx * t, eye[1] + dy * t, eye[2] + dz * t
    if hit >= 0:
        spare[0] = nearest
        nx, ny, nz = _normal(rows, parts, spare, 1, x, y, z)
        r, g, b = _paint(rows[hit], textures, x, y, z)
        c, who = int(rows[hit, 2]), int(rows[hit, 3])
    elif ground == 2:
        nx, ny, nz, who = 0.0, 0.0, 1.0, -1
        r, g, b, c = wall_paint(x, y, palette)
    else:
        nx, ny, nz, who = 0.0, 1.0, 0.0, -1
        r, g, b, c = ground_paint(place, x, z, palette)
    diffuse = max(0.0, nx * light[0] + ny * light[1] + nz * light[2])
    lit = 0.0
    if diffuse > 0.0:
        lit = _shadow(rows, parts, light, x + nx * 0.012, y + ny * 0.012, z + nz * 0.012, spare)
    m, _e, _l = _meet(parts, x + nx * 0.1, y + ny * 0.1, z + nz * 0.1, nx, ny, nz, 0.2, spare)
    open_ = 0.2
    if m > 0:
        open_, _i, _j = _distance(rows, parts, spare, m, x + nx * 0.2, y + ny * 0.2, z + nz * 0.2)
    if hit >= 0:
        open_ = min(open_, y + ny * 0.2)
    ao = 0.5 + 0.5 * min(1.0, max(0.0, open_ / 0.2))
    shine = 0.0
    if hit >= 0 and lit > 0.0:
        hx, hy, hz = light[0] - dx, light[1] - dy, light[2] - dz
        hl = math.sqrt(hx * hx + hy * hy + hz * hz)
        s = max(0.0, (nx * hx + ny * hy + nz * hz) / hl)
        shine = 0.10 * lit * s**24
    ambient = (0.37 + 0.13 * ny + 0.08 * nz) * ao
    sun = 0.74 * diffuse * lit
    if place == 6:  # by night the moon is blue and weak
        r, g, b = r * (ambient + 0.70 * sun), g * (ambient * 1.02 + 0.76 * sun), b * (1.12 * ambient + 0.9 * sun)
    else:
        li = ambient + sun
        r, g, b = r * li, g * li, b * li
    r, g, b = r + shine, g + shine, b + shine
    if hit < 0 and ground == 1:
        fog = 1.0 - math.exp(-max(0.0, t - 7.0) * 0.05)
        r, g, b = (r + (palette[0, 0] - r) * fog, g + (palette[0, 1] - g) * fog, b + (palette[0, 2] - b) * fog)
    return r, g, b, t, c, who, hit, nx, ny, nz


@njit(parallel=True, fastmath=True, cache=True)
def first_pass(rows, parts, textures, eye, basis, tan, light, place, palette, wall, rgb, depth, klass, who, prim, normal):
    """Trace one ray through every pixel's centre and fill all the maps in place."""
    height, width = depth.shape
    for i in prange(height):
        active, spare = np.empty(len(parts) + 1, np.int64), np.empty(len(parts) + 1, np.int64)
        for j in range(width):
            u, v = ((j + 0.5) / width * 2 - 1) * tan * width / height, (1 - (i + 0.5) / height * 2) * tan
            dx = basis[2, 0] + u * basis[0, 0] + v * basis[1, 0]
            dy = basis[2, 1] + u * basis[0, 1] + v * basis[1, 1]
            dz = basis[2, 2] + u * basis[0, 2] + v * basis[1, 2]
            n = math.sqrt(dx * dx + dy * dy + dz * dz)
            o = _trace(rows, parts, textures, eye, dx / n, dy / n, dz / n, light, place, palette, wall, active, spare)
            rgb[i, j, 0], rgb[i, j, 1], rgb[i, j, 2] = o[0], o[1], o[2]
            depth[i, j] = o[3] / n  # along the optical axis
            klass[i, j], who[i, j], prim[i, j] = o[4], o[5], o[6]
            for k in range(3):
                normal[i, j, k] = basis[k, 0] * o[7] + basis[k, 1] * o[8] + basis[k, 2] * o[9]


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
                a, c = 0.25 + 0.5 * (s % 2), 0.25 + 0.5 * (s // 2)
                u, v = ((j + a) / width * 2 - 1) * tan * width / height, (1 - (i + c) / height * 2) * tan
                dx = basis[2, 0] + u * basis[0, 0] + v * basis[1, 0]
                dy = basis[2, 1] + u * basis[0, 1] + v * basis[1, 1]
                dz = basis[2, 2] + u * basis[0, 2] + v * basis[1, 2]
                n = math.sqrt(dx * dx + dy * dy + dz * dz)
                o = _trace(rows, parts, textures, eye, dx / n, dy / n, dz / n, light, place, palette, wall, active, spare)
                r, g, b = r + min(1.0, o[0]), g + min(1.0, o[1]), b + min(1.0, o[2])
            rgb[i, j, 0], rgb[i, j, 1], rgb[i, j, 2] = r / 4, g / 4, b / 4
