"""Stage ``eye``: generated pictures that a person labels before the judge sees them, and how well the two agree.

The stage lays the pictures out on numbered sheets, without their prompts, so that nobody reads into a picture what
was asked for, and writes an empty list of labels beside them. Filled in, the list is kept as ``LABELS``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from .. import metrics
from ..clay import vocabulary as words
from ..env import ASSETS
from ..judge import Detections, Trained, look
from ..judge.network import COLOURS
from . import data, dependents, exam, ship
from .shipped import PAINTED_BY

LABELS = ASSETS / "data" / "eye_labels.tsv"
COUNT = 200
FIRST_SEED = 1000  # the exam's pictures have small seeds: none of them is labelled here
ROWS, COLUMNS = 4, 5  # of a sheet
FIELDS = ("number", "prompt", "seed", "things", "fingers")


@dataclass(frozen=True)
class Label:
    """What a person saw in a picture: the colour by word, and the fingers that a hand shows (None: not to be told)."""

    prompt: str
    seed: int
    things: dict[str, str]
    fingers: int | None


def jobs(count: int = COUNT) -> list[tuple[exam.Ask, int]]:
    """Choose what to ask for: single things and pairs in turn, spread over their lists, each with its own seed."""
    lists = exam.singles(), exam.pairs()
    return [(lists[k % 2][k * len(lists[k % 2]) // count][0], FIRST_SEED + k) for k in range(count)]


def draw(folder: Path = data.SHIPPED) -> Path:
    """Generate the pictures with the base that ships; leave sheets and an empty list in the cache."""
    out = data.cache() / "eye"
    out.mkdir(parents=True, exist_ok=True)
    asked = jobs()
    images = list(_pictures(folder, [(ask.prompt, seed) for ask, seed in asked]))
    for first in range(0, len(images), ROWS * COLUMNS):
        _sheet(images[first : first + ROWS * COLUMNS], first).save(out / f"sheet-{first:03d}.png")
    with open(out / "labels.tsv", "w", encoding="utf8", newline="") as f:
        f.write(f"# {json.dumps(_painter(folder))}\n")
        rows = csv.writer(f, delimiter="\t", lineterminator="\n")
        rows.writerow(FIELDS)
        rows.writerows((k, ask.prompt, seed, "", "") for k, (ask, seed) in enumerate(asked))
    return out


def _pictures(folder: Path, asked: list[tuple[str, int]]) -> Iterator[np.ndarray]:
    return exam.pictures(ship.load(folder), [prompt for prompt, _ in asked], [seed for _, seed in asked])


def _sheet(images: list[np.ndarray], first: int) -> Image.Image:
    height, width = images[0].shape[:2]
    sheet = Image.new("RGB", (COLUMNS * width, ROWS * height))
    pen = ImageDraw.Draw(sheet)
    for k, image in enumerate(images):
        where = (k % COLUMNS * width, k // COLUMNS * height)
        sheet.paste(Image.fromarray(image), where)
        pen.text((where[0] + 4, where[1] + 2), str(first + k), fill="white", stroke_fill="black", stroke_width=2)
    return sheet


def _painter(folder: Path) -> dict[str, str]:
    return dependents.facts((*PAINTED_BY, "defaults"), folder.parent)


def read(path: Path = LABELS) -> tuple[dict[str, str], list[Label]]:
    """Read a filled list: what made the pictures, as `dependents.facts` gives it, and a label for each.

    ``things`` reads like "black cat, yellow crown", ``fingers`` like "3"; both may be empty.

    Raises:
        ValueError: a word or a colour that the vocabulary does not have; names the row.
    """
    head, *lines = path.read_text(encoding="utf8").splitlines()
    rows = csv.DictReader(lines, delimiter="\t")
    return json.loads(head.removeprefix("# ")), [_label(row) for row in rows]


def _label(row: dict[str, str]) -> Label:
    things = {}
    for named in filter(None, map(str.strip, row["things"].split(","))):
        colour, _, word = named.partition(" ")
        if word not in words.THINGS or colour not in COLOURS:
            raise ValueError(f"number={row['number']}: things={named!r} is no colour and thing of the vocabulary.")
        things[word] = colour
    return Label(row["prompt"], int(row["seed"]), things, int(row["fingers"]) if row["fingers"] else None)


def measure(judge: Trained, folder: Path = data.SHIPPED, path: Path = LABELS) -> dict[str, list[bool]]:
    """Make the labelled pictures again, let the judge look, and compare.

    Raises:
        ValueError: what ships paints other pictures than those that were labelled.
    """
    painter, labels = read(path)
    others = [name for name, value in _painter(folder).items() if painter.get(name) != value]
    if others:
        raise ValueError(f"{path.name} was labelled on pictures of another {', '.join(others)}: label anew.")
    sights = (look(p, judge) for p in _pictures(folder, [(label.prompt, label.seed) for label in labels]))
    return answers(labels, list(sights))


def answers(labels: list[Label], sights: list[Detections]) -> dict[str, list[bool]]:
    """Compare eye and judge, question by question.

    Returns:
        ``there``: for each word that was asked for, or that either of them saw; ``colour``: for each thing that both
        saw; ``fingers``: for each hand that the eye counted.
    """
    out: dict[str, list[bool]] = {"there": [], "colour": [], "fingers": []}
    for label, sight in zip(labels, sights, strict=True):
        seen = {thing.word: thing.colour for thing in sight.things}
        asked = {word for word in words.THINGS if word in label.prompt.split()}
        out["there"] += [(word in seen) == (word in label.things) for word in sorted(asked | {*seen, *label.things})]
        out["colour"] += [seen[word] == label.things[word] for word in sorted({*seen} & {*label.things})]
        out["fingers"] += [sight.fingers == label.fingers] if label.fingers is not None else []
    return out


def table(compared: dict[str, list[bool]]) -> str:
    """Write the agreement as rows of a table."""
    named = {"there": "the thing is there", "colour": "its colour", "fingers": "fingers"}
    compared = {"all answers": sum(compared.values(), []), **{named[k]: v for k, v in compared.items()}}
    return "\n".join(f"| {k} | {len(v)} | {metrics.rate(v)} |" for k, v in compared.items() if v)
