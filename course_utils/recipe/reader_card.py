"""The reader's card: what it reads right on renders it never saw, and what it doubts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from .. import adherence, metrics
from ..controls.reader import Reader, load
from . import autoencoder, data, dependents, maps
from .judge_truth import trip
from .reader_batches import unit
from .shipped import AUTOENCODER

RENDERS = 200
# What scikit-image brings along: photographs, in colour and grey.
PHOTOGRAPHS = ("astronaut", "brick", "camera", "cat", "coffee", "coins", "grass", "gravel", "moon", "rocket")
LINES = {
    "seg": "classes: mIoU of a picture", "normal": "normals within 22.5 degrees",
    "body": "joints of people: PCK@0.1 of a picture", "hands": "points of hands: PCK@0.1 of a picture",
    "doubted": "doubt of 0.5 or more",
}  # fmt: skip

CARD = """# clay-reader

Reads classes, joints of people and hands, and surface directions in a clay picture, so that any picture, not only a
render, can be turned into a control map: `course_utils.controls.reader.load().read(image)`. It also says how unlike
a clay picture its input is.

A convolutional encoder-decoder with a head for each, {parameters:.1f} M parameters; a hand is cut out and looked at
again, larger. Licence: CC BY 4.0.

Made by `python -m course_utils.recipe reader` from {samples} pictures of a world of its own (seed 4) with exact
truth: renders and their trips through the autoencoder `{mark}`, blurred, noisy, JPEG, brighter and darker. It never
saw a generated picture, and shares nothing with the judge.

The autoencoder of these trips (SHA-256):

{base}

| renders of the held-out world (seed 2) | {heads} |
|---|{rule}
{table}

Doubt is how unsure the reader is of its classes (their entropy, mean over the picture), set so that one picture in
20 of its own world, which has drawings in it, reaches 0.5. Photographs that come with scikit-image: {doubted} of
{photographs} reach it.
"""


def measure(reader: Reader, facts: list[maps.Facts], pictures: np.ndarray) -> dict[str, list[float]]:
    """Hold what is read in pictures [n, height, width, 3] against the facts; nan where there is nothing to read."""
    rows = {name: [] for name in LINES}
    for true, picture in zip(facts, pictures, strict=True):
        read = reader.read(Image.fromarray(picture))
        rows["seg"].append(metrics.miou(true.klass, read.seg))
        rows["normal"].append(adherence.normal_share(unit(true.normal), read.normal))
        rows["body"].append(adherence.pck(true.bodies, read.body))
        rows["hands"].append(adherence.pck(true.hands, read.hands))
        rows["doubted"].append(float(read.doubt >= 0.5))
    return rows


def write(folder: Path, samples: str) -> dict[str, dict[str, list[float]]]:
    """Measure the reader that ships on held-out renders and write its card.

    Args:
        folder: where it ships.
        samples: how many pictures it was trained on, in words.

    Returns:
        What was measured, by column and line.
    """
    reader, shard, vae = load(folder), maps.read(data.HELD_OUT, 0), autoencoder.trained()
    facts = [shard[k] for k in range(min(RENDERS, len(shard)))]
    pictures = np.stack([fact.picture for fact in facts])
    tripped = trip(vae, pictures, np.random.default_rng(0), noise=0.0)
    columns = {
        f"{len(facts)} as they are": measure(reader, facts, pictures),
        "after one trip through the autoencoder": measure(reader, facts, tripped),
    }
    table = [f"| {text} | {' | '.join(_cell(c[name]) for c in columns.values())} |" for name, text in LINES.items()]
    photographs = [Image.fromarray(getattr(skimage.data, name)()).convert("RGB") for name in PHOTOGRAPHS]
    card = CARD.format(
        base=dependents.lines(AUTOENCODER, trained=folder),
        parameters=sum(p.numel() for p in reader.parameters()) / 1e6, samples=samples, mark=autoencoder.mark(vae),
        heads=" | ".join(columns), rule="---|" * len(columns), table="\n".join(table),
        doubted=sum(reader.read(one).doubt >= 0.5 for one in photographs), photographs=len(photographs),
    )  # fmt: skip
    (folder / "README.md").write_text(card)
    return columns


def _cell(values: list[float]) -> str:
    known = [value for value in values if not np.isnan(value)]
    return f"{metrics.mean(known)}" if known else "-"
