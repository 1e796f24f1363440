"""Stage ``maps``: what is true of each scene at full size, for all that learns from maps.

One render gives the seven controls, true depth, and what the reader should read; about 50 kB a scene.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np

from ..clay import control_maps
from ..clay.render import render
from ..clay.straight import straight_edges
from ..clay.things.people import OPENPOSE_18
from ..clay.truth import keypoints
from ..clay.view import Render
from . import data

READER_SHARDS = 10
NOBODY = 255  # of ``Facts.person``
JPEG = [cv2.IMWRITE_JPEG_QUALITY, 96, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
PNG = [cv2.IMWRITE_PNG_COMPRESSION, 9]
# Where each joint of a person stands in the mirror: left and right change places.
MIRRORED = [
    OPENPOSE_18.index(name.replace("left", "*").replace("right", "left").replace("*", "right")) for name in OPENPOSE_18
]


@dataclass(frozen=True)
class Facts:
    """What is true of one scene; pictures share [height, width].

    picture: uint8 [height, width, 3], RGB.
    klass: uint8, index into ``vocabulary.CLASSES``.
    near: uint8, inverse depth, stretched so that the nearest is 255 and the farthest 0.
    normal: uint8 [height, width, 3], as ``control_maps.normal_map`` draws it.
    stroke: uint8, 0 or 255, as ``control_maps.scribble_map`` draws it.
    person: uint8, row of ``bodies`` of whom a pixel belongs to, or ``NOBODY``.
    bodies: float32 [n, 18, 3], column, row (pixels) and visible; hands: float32 [m, 21, 3].
    lines: float32 [k, 2, 2], both ends of the visible straight edges.
    """

    picture: np.ndarray
    klass: np.ndarray
    near: np.ndarray
    normal: np.ndarray
    stroke: np.ndarray
    person: np.ndarray
    bodies: np.ndarray
    hands: np.ndarray
    lines: np.ndarray

    @staticmethod
    def of(made: Render) -> Facts:
        """Collect the facts of a render."""
        found = keypoints(made)
        bodies = {thing: points["body"] for thing, points in found.items() if "body" in points}
        hands = [points[side] for points in found.values() for side in ("left", "right") if side in points]
        row = {thing: number for number, thing in enumerate(bodies)}
        owner = np.array([row.get(thing, NOBODY) for thing, _ in made.clay.owners] + [NOBODY], np.uint8)
        depth, normal, stroke = (
            np.asarray(draw(made))
            for draw in (control_maps.depth_map, control_maps.normal_map, control_maps.scribble_map)
        )
        return Facts(
            made.image, made.klass, depth[..., 0], normal, stroke[..., 0], owner[made.instance],
            np.array(list(bodies.values()), np.float32).reshape(-1, 18, 3),
            np.array(hands, np.float32).reshape(-1, 21, 3), straight_edges(made).astype(np.float32),
        )  # fmt: skip

    def mirrored(self) -> Facts:
        """Give the facts of the mirror image: left is right, and a surface that faced left faces right."""
        flat = {name: np.ascontiguousarray(getattr(self, name)[:, ::-1]) for name in PICTURES}
        # The drawn value is the floor of 127.5 - 127.5 x: that of -x is 254 less it.
        flat["normal"][..., 0] = np.maximum(254 - flat["normal"][..., 0].astype(int), 0)
        width = self.klass.shape[1]
        points = {name: getattr(self, name).copy() for name in POINTS}
        for found in points.values():
            found[..., 0] = width - found[..., 0]
        points["bodies"] = points["bodies"][:, MIRRORED]
        return replace(self, **flat, **points)


PICTURES = tuple(field.name for field in fields(Facts))[:6]
POINTS = tuple(field.name for field in fields(Facts))[6:]


@dataclass(frozen=True)
class MapShard:
    """The facts of scenes in a row, packed: for each field of ``Facts`` one array a scene (pictures as files)."""

    packed: dict[str, list[np.ndarray]]

    def __len__(self) -> int:
        return len(self.packed["picture"])

    def __getitem__(self, number: int) -> Facts:
        """Unpack the facts of a scene."""
        pictures = (_unfile(name, self.packed[name][number]) for name in PICTURES)
        return Facts(*pictures, *(self.packed[name][number] for name in POINTS))

    def seen(self, name: str) -> np.ndarray:
        """Tell which scenes have a line, or a visible joint of ``bodies`` or ``hands``: bool [scene]."""
        return np.array([bool(found.size if name == "lines" else found[..., 2].any()) for found in self.packed[name]])


def path(seed: int, number: int) -> Path:
    """Say where the facts of a shard lie."""
    return data.cache() / "maps" / f"world{seed}-{number:04d}.npz"


def make_shard(seed: int, number: int) -> Path:
    """Render one shard's facts unless they are there."""
    where = path(seed, number)
    if where.exists():
        return where
    scenes = range(number * data.SHARD, (number + 1) * data.SHARD)
    rows = [_pack(Facts.of(render(data.scene_of(seed, index)))) for index in scenes]
    kept = {}
    for name in (*PICTURES, *POINTS):
        kept[name] = np.concatenate([row[name] for row in rows])
        kept[f"{name} sizes"] = np.array([len(row[name]) for row in rows])
    where.parent.mkdir(parents=True, exist_ok=True)
    spare = where.with_suffix(".new.npz")
    np.savez(spare, **kept)
    spare.replace(where)
    return where


def _pack(facts: Facts) -> dict[str, np.ndarray]:
    files = {name: _file(name, getattr(facts, name)) for name in PICTURES}
    return files | {name: getattr(facts, name) for name in POINTS}


def _file(name: str, pixels: np.ndarray) -> np.ndarray:
    if name == "picture":
        return cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), JPEG)[1].ravel()
    return cv2.imencode(".png", pixels, PNG)[1].ravel()


def _unfile(name: str, file: np.ndarray) -> np.ndarray:
    pixels = cv2.imdecode(file, cv2.IMREAD_UNCHANGED)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if name == "picture" else pixels


def read(seed: int, number: int) -> MapShard:
    """Read a shard that ``make_shard`` wrote."""
    kept = np.load(path(seed, number))
    return MapShard({n: np.split(kept[n], np.cumsum(kept[f"{n} sizes"])[:-1]) for n in (*PICTURES, *POINTS)})


def shards(seed: int) -> list[int]:
    """List the numbers of the shards that are there."""
    return sorted(int(p.stem.split("-")[1]) for p in (data.cache() / "maps").glob(f"world{seed}-????.npz"))


def make() -> Iterator[Path]:
    """Render what is missing of the held-out, the reader's and the training world, giving each path as it is done."""
    worlds = {data.HELD_OUT: [0], data.READER: range(READER_SHARDS), data.TRAIN: data.shards(data.TRAIN)}
    for seed, numbers in worlds.items():
        yield from data.make(seed, numbers, shard=make_shard)
