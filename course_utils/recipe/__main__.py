"""Run a stage of the recipe: ``python -m course_utils.recipe STAGE [KIND] [--minutes M]``.

In order: data, autoencoder, latents, text, base, decoder, judge, card (ships the base), then what stands on the
frozen base: maps, reader, depth, control KIND (without one, all seven; canny first, from which the others go on),
loras. Each goes on where it stopped.
``card KIND`` measures what ships again: a ControlNet, ``base``, ``depth2img``, ``reader``, ``judge`` or ``loras``.
``gain KIND`` scores a ControlNet that ships at several gains (`control.GAIN`), on scenes that its card does not know.
``yardstick`` tells how far painted pictures are from renders, by a network that it trains first.
``eye`` lays generated pictures out for a person to label; the judge's card tells how often it agrees with them.
``--onward`` lets base, judge, reader, depth and controls start from the weights that ship, where the cache is gone.
``COURSE_EDITION=2`` in the environment trains on the second edition of the clay world, in a cache of its own.
The same command trains on a GPU where there is one. On several cores or GPUs:
``torchrun --nproc_per_node 2 -m course_utils.recipe base`` (with ``ACCELERATE_USE_CPU=true`` on CPUs).
"""

from __future__ import annotations

import argparse
import math

from tqdm import tqdm

from ..catalog import CONTROLS

KINDS = {"control": CONTROLS, "gain": CONTROLS, "card": ("base", "depth2img", "reader", "judge", "loras", *CONTROLS)}
ONWARD = ("base", "judge", "reader", "depth", "control", "card")
SHARDS = {1: 40, 2: 2, 3: 30, 5: 6}  # shards of 500 scenes by world: training, held out, the judge's, the decoder's


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
    worlds = [(seed, number) for seed in (data.HELD_OUT, data.DECODER, data.TRAIN) for number in data.shards(seed)]
    for seed, number in tqdm(worlds, desc="latents", unit="shard"):
        latents.make(vae, seed, number)


def _text(minutes: float) -> None:
    from . import text

    text.train(minutes)


def _base(minutes: float, onward: bool = False) -> None:
    from . import base

    base.train(minutes, onward=onward)


def _decoder(minutes: float) -> None:
    from . import decoder

    decoder.train(minutes)


def _judge(minutes: float, onward: bool = False) -> None:
    from . import judge

    judge.train(minutes, onward=onward)


def _card(minutes: float, kind: str | None = None, onward: bool = False) -> None:
    from . import card, control, depth, judge, loras, reader

    if kind in CONTROLS:
        control.card(kind, onward)
    elif kind == "depth2img":
        depth.card(onward)
    elif kind == "reader":
        reader.card(onward)
    else:
        {None: card.write, "base": card.again, "judge": judge.card, "loras": loras.card}[kind]()


def _eye(minutes: float) -> None:
    from . import eye

    print(f"{eye.draw()}: look at the sheets, fill in labels.tsv, keep it as {eye.LABELS.name}, then: card judge")


def _maps(minutes: float) -> None:
    from . import maps

    for _ in tqdm(maps.make(), desc="maps", unit="shard"):
        pass


def _reader(minutes: float, onward: bool = False) -> None:
    from . import reader

    reader.train(minutes, onward=onward)


def _depth(minutes: float, onward: bool = False) -> None:
    from . import depth

    depth.train(minutes, onward=onward)


def _control(minutes: float, kind: str | None = None, onward: bool = False) -> None:
    from . import control

    for name in [kind] if kind else CONTROLS:
        control.train(name, minutes, onward=onward)


def _gain(minutes: float, kind: str | None = None) -> None:
    from . import control

    for name in [kind] if kind else CONTROLS:
        print(name, *(f"gain {gain}: {score}" for gain, score in control.gain(name).items()), sep="\n  ", flush=True)


def _loras(minutes: float) -> None:
    from . import loras

    loras.train(minutes)


def _yardstick(minutes: float) -> None:
    from . import yardstick

    yardstick.train(minutes)
    print(*(f"{name}: {figure}" for name, figure in yardstick.measure("shipped").items()), sep="\n")


RUN = {
    "data": _data, "autoencoder": _autoencoder, "latents": _latents, "text": _text, "base": _base, "decoder": _decoder,
    "judge": _judge, "card": _card, "maps": _maps, "reader": _reader, "depth": _depth, "control": _control,
    "loras": _loras,
}  # fmt: skip
STAGES = tuple(RUN)  # what `make models` runs; of those below one waits for a person, the others measure
RUN |= {"eye": _eye, "gain": _gain, "yardstick": _yardstick}


def main() -> None:
    """Read the command line and run the stage."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.recipe", description=__doc__)
    parser.add_argument("stage", choices=RUN)
    parser.add_argument("kind", nargs="?", help="of a control or a card")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop and save after this long")
    parser.add_argument(
        "--onward", action="store_true", help=f"of {', '.join(ONWARD)}: start from the weights that ship"
    )
    asked = parser.parse_args()
    kinds = KINDS.get(asked.stage, ())
    if asked.kind and asked.kind not in kinds:
        parser.error(f"kind={asked.kind!r} is none of stage {asked.stage}; it takes {', '.join(kinds) or 'no kind'}.")
    if asked.onward and asked.stage not in ONWARD:
        parser.error(f"--onward: stage {asked.stage} starts anew; only {', '.join(ONWARD)} go on from what ships.")
    RUN[asked.stage](asked.minutes, *filter(None, [asked.kind]), **{"onward": True} if asked.onward else {})


if __name__ == "__main__":
    main()
