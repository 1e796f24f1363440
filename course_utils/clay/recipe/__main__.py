"""Run a stage of the recipe: ``python -m course_utils.clay.recipe STAGE [--minutes M]``.

In order: data, autoencoder, latents, text, base, judge, card. Each goes on where it stopped.
The same command trains on a GPU where there is one. On several cores or GPUs:
``torchrun --nproc_per_node 2 -m course_utils.clay.recipe base`` (with ``ACCELERATE_USE_CPU=true`` on CPUs).
"""

from __future__ import annotations

import argparse
import math

from tqdm import tqdm

STAGES = ("data", "autoencoder", "latents", "text", "base", "judge", "card")
SHARDS = {1: 40, 2: 2, 3: 18}  # shards of 500 scenes by world: training, held out, the judge's


def _data(minutes: float) -> None:
    from . import data

    for seed, count in sorted(SHARDS.items(), reverse=True):
        for _ in tqdm(data.make(seed, range(count)), total=count, desc=f"world {seed}", unit="shard"):
            pass


def _autoencoder(minutes: float) -> None:
    from . import autoencoder

    autoencoder.train(minutes)


def _latents(minutes: float) -> None:
    from . import autoencoder, data, latents

    vae = autoencoder.trained()
    for number in tqdm(data.shards(data.TRAIN), desc="latents", unit="shard"):
        latents.make(vae, data.TRAIN, number)


def _text(minutes: float) -> None:
    from . import text

    text.train(minutes)


def _base(minutes: float) -> None:
    from . import base

    base.train(minutes)


def _judge(minutes: float) -> None:
    from . import judge

    judge.train(minutes)


def _card(minutes: float) -> None:
    from . import card

    card.write()


RUN = dict(zip(STAGES, (_data, _autoencoder, _latents, _text, _base, _judge, _card), strict=True))


def main() -> None:
    """Read the command line and run the stage."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.clay.recipe", description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop and save after this long")
    asked = parser.parse_args()
    RUN[asked.stage](asked.minutes)


if __name__ == "__main__":
    main()
