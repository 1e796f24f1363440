"""Where things stand and what the camera sees of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import vocabulary as words
from .camera import fit
from .compose import Clay, compose
from .scenes import Camera, Scene, Thing
from .shapes import INSTANCE, bounding_spheres, outline_spheres, rotation

ABOVE = 0.30  # how often the second edition's camera looks from well above


def extent(thing: Thing, edition: int = 1) -> tuple[float, float]:
    """Measure a thing at the origin as it is turned: half width and height (what it wears not counted), metres."""
    clay = compose(Scene((replace(thing, x=0.0, z=0.0, wears=()),), edition=edition))
    centre, reach = outline_spheres(clay.rows)
    return float((np.abs(centre[:, 0]) + reach).max()), float((centre[:, 1] + reach).max())


def line_up(things: list[Thing], rng: np.random.Generator, edition: int = 1) -> tuple[Thing, ...]:
    """Give each thing its height and stand them side by side, touching little or not at all.

    Who sits or raises an arm is as large as who stands (in the first edition, as tall).
    """
    placed, x = [], 0.0
    for k, thing in enumerate(things):
        half, height = extent(thing, edition)
        if edition > 1 and thing.pose:
            height = extent(replace(thing, pose=None), edition)[1]
        size = words.NOUNS[thing.word].height / height * rng.uniform(0.93, 1.07)
        half = min(half * size, 1.1)
        x += half * rng.uniform(0.80, 1.05) if k else 0.0
        placed.append(replace(thing, x=x, z=float(rng.uniform(-0.25, 0.25)), size=float(size)))
        x += half * rng.uniform(0.80, 1.05) + 0.06
    middle = (placed[0].x + placed[-1].x) / 2
    return tuple(replace(t, x=float(t.x - middle)) for t in placed)


def frame(scene: Scene, rng: np.random.Generator) -> Camera:
    """Choose a camera for the scene's framing."""
    clay = compose(scene)
    if scene.framing == "portrait":
        return _portrait(clay, rng)
    if scene.framing == "half-body":
        return _half_body(clay, rng, 0.45 if scene.edition == 1 else 0.9)
    many = len(scene.things) > 1
    if scene.edition > 1 and not many and scene.things[0].word in words.PEOPLE:
        fill = rng.uniform(0.885, 0.995)  # spheres reach farther than heads and shoes: 0.86-0.97 of the picture
    else:
        fill = rng.uniform(0.86, 0.97) if many or scene.framing == "hand" else rng.uniform(0.70, 0.95)
    slack = 0.0 if many else (1 - fill) * 0.35
    shift = (rng.uniform(-slack, slack), rng.uniform(-0.05, 0.0))
    if scene.edition == 1:
        return fit(clay.rows, fill, rng.normal(0, 0.16), rng.uniform(0.06, 0.26), shift=shift)
    # Who is seen from behind is all hair from above.
    away = any(thing.word in words.PEOPLE and np.cos(thing.yaw) < -0.3 for thing in scene.things)
    above = rng.uniform(0.30, 0.80) if rng.random() < ABOVE and not away else rng.uniform(0.05, 0.30)
    shift = (shift[0], rng.uniform(-(1 - fill) * 0.4, 0.0))
    return fit(clay.rows, fill, rng.normal(0, 0.16), above, shift=shift)


def turn(scene: Scene, angle: float) -> Scene:
    """Turn things, sun and camera together by ``angle`` (radians, to the left seen from above) before the backdrop."""
    if not angle:
        return scene
    spin = rotation(yaw=angle)

    def carry(point):
        return tuple(map(float, spin @ np.array(point)))

    def turned(thing: Thing) -> Thing:
        x, _, z = carry((thing.x, 0.0, thing.z))
        return replace(thing, x=x, z=z, yaw=thing.yaw + angle)

    camera = replace(scene.camera, eye=carry(scene.camera.eye), target=carry(scene.camera.target))
    light = replace(scene.light, azimuth=scene.light.azimuth + angle)
    return scene.with_(things=tuple(map(turned, scene.things)), camera=camera, light=light)


def _portrait(clay: Clay, rng: np.random.Generator) -> Camera:
    head = clay.anatomy[0].head
    wide = head.width * head.scale
    target = head.origin + np.array([0.0, rng.uniform(-0.25, 0.1) * wide, 0.0])
    share = rng.uniform(0.36, 0.48)  # of the frame's width that the head takes
    distance = wide / share / np.tan(0.24)
    yaw, pitch = rng.normal(0, 0.18), rng.uniform(-0.02, 0.14)
    face = head.turn @ np.array([0.0, 0.0, 1.0])
    yaw += 0.6 * np.arctan2(face[0], face[2])
    away = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    return Camera(tuple(map(float, target + away * distance)), tuple(map(float, target)), 0.48)


def _half_body(clay: Clay, rng: np.random.Generator, largest: float) -> Camera:
    rows = clay.rows[clay.rows[:, INSTANCE] >= 0]
    centre, reach = bounding_spheres(rows)
    hips = clay.anatomy[0].body["right_hip"][1]
    upper = (centre[:, 1] > hips) & (reach < largest)
    return fit(rows[upper], rng.uniform(0.92, 1.02), rng.normal(0, 0.12), rng.uniform(0.02, 0.14), fov=0.55)
