"""Distances to clay: primitives, parts, rays against their spheres, normals.

Primitive distances and the smooth union are Quilez's; a row's columns are named in
``shapes``. A part is skipped while its sphere is farther than the best distance so far.
"""

from __future__ import annotations

import math

from numba import njit


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
def distance(rows, parts, active, n_active, x, y, z):
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
def meet(parts, ox, oy, oz, dx, dy, dz, grow, active):
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
def normal(rows, parts, active, n, x, y, z):
    """Give the outward normal at a point, from four distances around it."""
    e = 0.003
    a, _i, _j = distance(rows, parts, active, n, x + e, y - e, z - e)
    b, _i, _j = distance(rows, parts, active, n, x - e, y - e, z + e)
    c, _i, _j = distance(rows, parts, active, n, x - e, y + e, z - e)
    d, _i, _j = distance(rows, parts, active, n, x + e, y + e, z + e)
    nx, ny, nz = a - b - c + d, -a - b + c + d, -a + b - c + d
    length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
    return nx / length, ny / length, nz / length
