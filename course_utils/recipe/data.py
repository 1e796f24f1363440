"""Stage ``data``: render scenes into shards, in as many processes as there are cores.

A shard holds what every later stage reads: the scenes, pictures as JPEG, class and
instance maps at 64 x 64.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from ..clay import layout
from ..clay import vocabulary as words
from ..clay.render import render
from ..clay.sample import MIXES, sample, walk_around
from ..clay.scenes import Scene
from ..env import ASSETS, cache_folder

TRAIN, HELD_OUT, JUDGE, READER, DECODER = 1, 2, 3, 4, 5  # seeds of the worlds: nothing is ever trained on HELD_OUT
EDITION = int(os.environ.get("COURSE_EDITION", "1"))  # of the clay world that everything is trained on (`MIXES`)
SHARD = 500
SHIPPED = ASSETS / "models" / "clay-base"  # what stages fall back to where the cache is gone
SMALL = 64


def cache() -> Path:
    """Give the folder that long work lives in, outside the repository: COURSE_CACHE or the user's cache.

    Each edition of the clay world has its own, so that nothing made from one is taken for the other's.
    """
    return cache_folder() / ("recipe" if EDITION == 1 else f"recipe-edition{EDITION}")


def scene_of(seed: int, index: int) -> Scene:
    """Draw a scene of a world; those of judge, reader and decoder also have what the base never sees."""
    mix = MIXES[EDITION]
    if seed in (TRAIN, HELD_OUT):
        return sample(seed, index, mix)
    scene = sample(seed, index, replace(mix, around=0.0))
    if scene.framing != "full":
        return scene
    rng = np.random.default_rng([seed, index, 1])
    if rng.random() < 0.15:
        old, word = scene.things[0], str(rng.choice(words.HELD_OUT))
        wears = old.wears if words.NOUNS[word].head else ()
        new = replace(old, word=word, wears=wears, pose=None, hand=None, shows=None, head_size=None)
        scene = scene.with_(things=layout.line_up([new, *scene.things[1:]], rng, EDITION))
        scene = scene.with_(camera=layout.frame(scene, rng))
    if rng.random() < 0.15:
        scene = scene.with_(style=str(rng.choice(words.HELD_OUT_STYLES)))
    return scene if EDITION == 1 else walk_around(scene, rng, mix)


@dataclass
class Shard:
    """Scenes first..first+len-1 of the world ``seed``.

    scenes: the scenes' JSON;
    jpeg: one file a picture; klass: uint8 [n, 64, 64]; instance: int8 [n, 64, 64], -1 is background.
    """

    seed: int
    first: int
    scenes: list[str]
    jpeg: list[bytes]
    klass: np.ndarray
    instance: np.ndarray

    def pictures(self) -> np.ndarray:
        """Decode the pictures: uint8 [n, 256, 256, 3]."""
        return np.stack([np.asarray(Image.open(io.BytesIO(j)).convert("RGB")) for j in self.jpeg])


def shard_path(seed: int, number: int) -> Path:
    """Say where a shard lies."""
    return cache() / "data" / f"world{seed}-{number:04d}.npz"


def make_shard(seed: int, number: int) -> Path:
    """Render one shard unless it is there."""
    path = shard_path(seed, number)
    if path.exists():
        return path
    scenes, jpeg, klass, instance = [], [], [], []
    for index in range(number * SHARD, (number + 1) * SHARD):
        made = render(scene_of(seed, index))
        scenes.append(made.scene.to_json())
        out = io.BytesIO()
        Image.fromarray(made.image).save(out, "JPEG", quality=96, subsampling=0)
        jpeg.append(np.frombuffer(out.getvalue(), np.uint8))
        step = slice(2, None, 256 // SMALL)
        klass.append(made.klass[step, step])
        instance.append(made.instance[step, step].astype(np.int8))
    path.parent.mkdir(parents=True, exist_ok=True)
    spare = path.with_suffix(".new.npz")
    sizes = np.array([len(j) for j in jpeg])
    np.savez(spare, scenes=np.array(scenes), jpeg=np.concatenate(jpeg), sizes=sizes, klass=np.stack(klass),
             instance=np.stack(instance))  # fmt: skip
    spare.replace(path)
    return path


def read_shard(seed: int, number: int) -> Shard:
    """Read a shard that ``make_shard`` wrote."""
    kept = np.load(shard_path(seed, number))
    cuts = np.cumsum(kept["sizes"])[:-1]
    files = [part.tobytes() for part in np.split(kept["jpeg"], cuts)]
    return Shard(seed, number * SHARD, list(map(str, kept["scenes"])), files, kept["klass"], kept["instance"])


def shards(seed: int) -> list[int]:
    """List the numbers of the shards that are there."""
    return sorted(int(p.stem.split("-")[1]) for p in (cache() / "data").glob(f"world{seed}-????.npz"))


def make(seed: int, numbers: Iterable[int], workers: int | None = None, shard=make_shard) -> Iterator[Path]:
    """Render shards in parallel, giving each path as it is done; ``shard`` makes one from seed and number."""
    os.environ["NUMBA_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        jobs = [pool.submit(shard, seed, number) for number in numbers]
        for job in jobs:
            yield job.result()
