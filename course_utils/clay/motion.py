"""Scenes that move: the same things at one moment after the other, so that `flow` knows where each point goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .camera import fit
from .compose import compose
from .reading import from_words
from .scenes import Scene
from .shapes import rotation
from .things.poses import walk_pose

STRIDE = 1.15  # metres that a figure of usual size goes in a cycle of two steps
CYCLE = 16  # frames of that cycle
ORBIT = 0.035  # radians that the camera turns from frame to frame
PASS = 0.15  # metres that a thing goes from frame to frame
FILL = 0.92  # of the frame that what moves may take


def moving(words: str, motion: str = "walk", frames: int = 8, seed: int = 0, edition: int = 1) -> list[Scene]:
    """Give a scene at one moment after the other.

    Args:
        words: what the clip shows, as for `clay.scene`: "walk" lets its first man or woman walk, "behind" lets its
            first thing pass behind its second.
        motion: "walk": a figure walks, and the camera follows it half the way; "turn": nothing moves but the camera,
            which goes round; "behind".
        frames: how many moments, at least 2; two neighbours lie equally far apart however many there are.
        seed, edition: as for `clay.scene`.

    Returns:
        The scenes, all with the same things in the same order; `render` draws each, `flow` joins any two.

    Raises:
        ValueError: no such motion, fewer than two frames, or words without the things that should move.
    """
    if motion not in MOTIONS:
        raise ValueError(f"motion={motion!r} is no motion; use one of {', '.join(map(repr, MOTIONS))}.")
    if frames < 2:
        raise ValueError(f"frames={frames}: what moves needs at least 2.")
    times = np.arange(frames) - (frames - 1) / 2  # in frames, 0 in the middle
    return MOTIONS[motion](from_words(words, seed, edition), times)


def _walk(scene: Scene, times: np.ndarray) -> list[Scene]:
    walker = next((i for i, thing in enumerate(scene.things) if thing.word in ("man", "woman")), None)
    if walker is None:
        raise ValueError("motion='walk' needs a man or a woman in words.")
    thing = replace(scene.things[walker], yaw=0.9)
    stride = STRIDE * thing.size / CYCLE

    def at(time: float) -> Scene:
        go = stride * time
        pose = walk_pose((time / CYCLE) % 1.0)
        moved = replace(thing, x=thing.x + go * np.sin(0.9), z=thing.z + go * np.cos(0.9), pose=pose)
        return scene.with_(things=(*scene.things[:walker], moved, *scene.things[walker + 1 :]))

    moments = [at(time) for time in times]
    camera = _seeing([moments[0], at(0.0), moments[-1]])
    pan = stride * np.sin(0.9) / 2

    def follow(moment: Scene, time: float) -> Scene:
        eye, target = ((x + pan * time, y, z) for x, y, z in (camera.eye, camera.target))
        return moment.with_(camera=replace(camera, eye=eye, target=target))

    return [follow(moment, time) for moment, time in zip(moments, times, strict=True)]


def _turn(scene: Scene, times: np.ndarray) -> list[Scene]:
    camera = _seeing([scene])
    eye, target = np.array(camera.eye), np.array(camera.target)
    eyes = (target + rotation(yaw=ORBIT * time) @ (eye - target) for time in times)
    return [scene.with_(camera=replace(camera, eye=tuple(map(float, eye)))) for eye in eyes]


def _behind(scene: Scene, times: np.ndarray) -> list[Scene]:
    if len(scene.things) < 2:
        raise ValueError("motion='behind' needs two things in words.")
    first, second, *others = scene.things
    second = replace(second, x=0.0, z=0.35)
    moments = [scene.with_(things=(replace(first, x=float(PASS * time), z=-0.75), second, *others)) for time in times]
    camera = _seeing([moments[0], moments[-1]])
    return [moment.with_(camera=camera) for moment in moments]


def _seeing(moments: list[Scene]):
    """Find the camera that has all these moments in view."""
    return fit(np.concatenate([compose(moment).rows for moment in moments]), FILL, pitch=0.12)


MOTIONS: dict[str, Callable[[Scene, np.ndarray], list[Scene]]] = {"walk": _walk, "turn": _turn, "behind": _behind}
