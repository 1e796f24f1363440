"""What went wrong in the pictures of the audit, counted: pure functions of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .. import metrics
from ..metrics import Interval
from .rows import Result

# What can go wrong, and what it means.
FAULTS = {
    "missing": "share of the two things that are not there",
    "incomplete": "a picture that lacks one of them, or both",
    "mixed": "one creature that scores as both",
    "leaked": "a thing has the colour that was asked of the other",
    "wrong colour": "a thing that is there has not the colour that was asked",
    "not held": "'X with Y': both are there, but Y is not X's",
    "extra": "something that nobody asked for",
}
CATEGORIES = ("animal-animal", "animal-object", "object-object")
MIXED, HELD = 0.99, 0.05  # quantiles of true pictures, where the bars are


@dataclass(frozen=True)
class Bars:
    """From where on a picture counts as mixed, by category, and up to where a thing is not held."""

    mixed: dict[str, float]
    held: float | None  # None where no true picture told


@dataclass(frozen=True)
class Compared:
    """A fault's rate before and after, measured on the same prompts and seeds."""

    before: float
    after: float
    ratio: Interval  # after / before
    difference: Interval  # after - before
    pictures: int  # in which it could be told, both times
    prompts: int


def bars(true: Sequence[dict]) -> Bars:
    """Set the bars so that 99 of 100 true pictures are not mixed, and 95 of 100 held things count as held.

    Args:
        true: rows of renders, of way "truth".

    Raises:
        ValueError: there are none.
    """
    if not true:
        raise ValueError("true is empty; give the rows of way 'truth'.")
    kinds = {row["category"] for row in true}
    mixing = {kind: [row["mixing"] for row in true if row["category"] == kind] for kind in kinds}
    held = [row["held"] for row in true if row["held"] is not None]
    mixed = {kind: float(np.quantile(values, MIXED)) for kind, values in mixing.items()}
    return Bars(mixed, float(np.quantile(held, HELD)) if held else None)


def fault(row: dict, name: str, bars: Bars) -> float | None:
    """Tell how much of a fault a picture has, 0-1; None where that cannot be told.

    Args:
        row: of the audit.
        name: a key of `FAULTS`.
        bars: from `bars`.

    Raises:
        ValueError: no such fault.
    """
    if name not in FAULTS:
        raise ValueError(f"name={name!r} is no fault; use one of {', '.join(FAULTS)}.")
    if name == "missing":
        return 1 - float(np.mean(row["present"]))
    if name == "incomplete":
        return float(not all(row["present"]))
    if name == "mixed":
        return float(row["mixing"] > bars.mixed[row["category"]])
    if name == "extra":
        return float(bool(row["extra"]))
    if name == "not held":
        return None if row["held"] is None or bars.held is None else float(row["held"] < bars.held)
    told = row["leaked"] if name == "leaked" else [None if right is None else not right for right in row["colour"]]
    known = [one for one in told if one is not None]
    return float(any(known)) if known else None


def compare(before: Sequence[dict], after: Sequence[dict], name: str, bars: Bars) -> Compared | None:
    """Compare a fault on the same prompts and seeds; a trial is a prompt, its seeds averaged.

    Args:
        before, after: rows; those of one picture are paired by prompt and seed, others left out.
        name: a key of `FAULTS`.
        bars: from `bars`.

    Returns:
        The rates with paired bootstrap intervals over prompts; None where no pair can be told.
    """
    first = {(row["prompt"], row["seed"]): fault(row, name, bars) for row in before}
    pairs: dict[str, list[tuple[float, float]]] = {}
    for row in after:
        one, two = first.get((row["prompt"], row["seed"])), fault(row, name, bars)
        if one is not None and two is not None:
            pairs.setdefault(row["prompt"], []).append((one, two))
    if not pairs:
        return None
    mean = np.array([np.mean(values, 0) for values in pairs.values()])
    sides = mean[:, 0], mean[:, 1]
    count = sum(map(len, pairs.values()))
    return Compared(*map(float, mean.mean(0)), metrics.ratio(*sides), metrics.difference(*sides), count, len(pairs))


def cost(before: Sequence[dict], after: Sequence[dict]) -> Interval:
    """Give how many times as long a picture takes, measured on the same prompts and seeds."""
    first = {(row["prompt"], row["seed"]): row["seconds"] for row in before}
    both = [(first[key], row["seconds"]) for row in after if (key := (row["prompt"], row["seed"])) in first]
    return metrics.ratio(*zip(*both, strict=True))


def by_kind(before: Sequence[dict], after: Sequence[dict], name: str, bars: Bars) -> dict[str, Compared]:
    """Compare a fault for each kind of prompt, and for pairs that met in training and that did not.

    Of pairs that met, only prompts of the same kinds as those that did not are counted: kinds differ too much.
    """
    kinds = {kind: [row for row in after if row["category"] == kind] for kind in CATEGORIES}
    strange = {row["category"] for row in after if not row["seen"]}
    alike = [row for row in after if row["category"] in strange]
    kinds |= {"pairs seen": _of(alike, "seen", True), "pairs never seen": _of(alike, "seen", False)}
    found = {kind: compare(before, rows, name, bars) for kind, rows in kinds.items()}
    return {kind: one for kind, one in found.items() if one}


def report_kinds(kinds: Mapping[str, Compared]) -> str:
    """Write down a fault for each kind of prompt: both rates, what is left, what changed, and how many prompts."""
    lines = [f"{'':16}{'without':>9}{'with':>9}   {'with / without (95 %)':25}{'change (95 %)':28}prompts"]
    for kind, one in kinds.items():
        lines.append(
            f"{kind:16}{one.before:9.1%}{one.after:9.1%}   {one.ratio!s:25}{one.difference!s:28}{one.prompts}"
        )
    return "\n".join(lines)


def by_scale(tried: Result, sharpness: float, names: Sequence[str], bars: Bars) -> tuple[list[float], dict]:
    """Give the rates of faults over the scale: what the clay lane's knobs were chosen by.

    Args:
        tried: table "excite_knobs".
        sharpness: the one at which the scales are compared.
        names: keys of `FAULTS`.
        bars: from `bars`.

    Returns:
        The scales, 0 for the pictures without; and for each fault its rates.
    """
    made = {"without": {"scale": 0.0, "sharpness": sharpness}, **tried.settings["knobs"]}
    scales = {way: knobs["scale"] for way, knobs in made.items() if knobs["sharpness"] == sharpness}
    rows = [tried.where(way=way) for way in scales]
    return list(scales.values()), {name: [_rate(one, name, bars) for one in rows] for name in names}


def report(rows: Sequence[dict]) -> str:
    """Write the audit down: for each fault the judge's own error, the rates, and what is left with their interval.

    Args:
        rows: of table "excite".
    """
    true, before, after = (_of(rows, "way", way) for way in ("truth", "without", "with"))
    lines, limits = [f"{'':13}{'renders':>9}{'without':>9}{'with':>9}   with / without (95 %)"], bars(true)
    for name in FAULTS:
        found, own = compare(before, after, name, limits), _rate(true, name, limits)
        rates = f"{found.before:9.1%}{found.after:9.1%}   {found.ratio}" if found else "   cannot be told"
        lines.append(f"{name:13}{own:9.1%}{rates}")
    return "\n".join(lines)


def report_parts(rows: Sequence[dict], parts: Sequence[dict]) -> str:
    """Write down what each part does, against all as it is, on the prompts that both tables have.

    Args:
        rows: of table "excite".
        parts: of table "excite_parts".

    Returns:
        A line for each way: missing things, how many more than with all as it is, and pushes a picture.
    """
    limits, asked = bars(_of(rows, "way", "truth")), {row["prompt"] for row in parts}
    whole = [row for row in _of(rows, "way", "with") if row["prompt"] in asked]
    ways = {way: _of(parts, "way", way) for way in dict.fromkeys(row["way"] for row in parts)}
    lines = [f"{'':17}{'missing':>8}   {'more than as it is (95 %)':33}pushes a picture"]
    for way, made in {"all as it is": whole, **ways}.items():
        found = compare(whole, made, "missing", limits)
        more = "" if made is whole else str(found.difference)
        pushes = np.mean([len(row["losses"]) for row in made])
        lines.append(f"{way:17}{found.after:8.1%}   {more:33}{pushes:.1f}")
    return "\n".join(lines)


def _of(rows: Sequence[dict], column: str, value: object) -> list[dict]:
    return [row for row in rows if row[column] == value]


def _rate(rows: Sequence[dict], name: str, bars: Bars) -> float:
    """Give a fault's rate in the pictures in which it can be told; nan if there are none."""
    known = [one for row in rows if (one := fault(row, name, bars)) is not None]
    return float(np.mean(known)) if known else float("nan")
