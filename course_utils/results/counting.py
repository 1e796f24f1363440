"""What went wrong in the pictures of lesson 07's audit, counted: pure functions of its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .. import metrics
from ..metrics import Interval
from .rows import Result

CATEGORIES = ("animal-animal", "animal-object", "object-object")
MIXED, HELD = 0.99, 0.05  # quantiles of true pictures, where the bars are


@dataclass(frozen=True)
class Bars:
    """From where on a picture counts as mixed, by category, and up to where a thing is not held."""

    mixed: dict[str, float]
    held: float | None  # None where no true picture told


@dataclass(frozen=True)
class PairedComparison:
    """A fault's rate before and after, measured on the same prompts and seeds."""

    before: float
    after: float
    ratio: Interval  # after / before
    difference: Interval  # after - before
    pictures: int  # in which it could be told, both times
    prompts: int


def bars(true: Sequence[dict]) -> Bars:
    """Set the bars so that 99 of 100 true pictures (rows of way "truth") are not mixed, 95 of 100 held things held.

    Raises:
        ValueError: there are none.
    """
    if not true:
        raise ValueError("true is empty; give the rows of way 'truth'.")
    mixing: dict[str, list[float]] = {}
    for row in true:
        mixing.setdefault(row["category"], []).append(row["mixing"])
    held = [row["held"] for row in true if row["held"] is not None]
    mixed = {category: float(np.quantile(values, MIXED)) for category, values in mixing.items()}
    return Bars(mixed, float(np.quantile(held, HELD)) if held else None)


def _any(wrong: Sequence[bool | None]) -> float | None:
    known = [value for value in wrong if value is not None]
    return float(any(known)) if known else None


# What can go wrong, and how much of it a picture has by its row, 0-1; None where that cannot be told.
FAULTS: dict[str, Callable[[dict, Bars], float | None]] = {
    # share of the two things that are not there
    "missing": lambda row, bars: 1 - float(np.mean(row["present"])),
    # lacks one of them, or both
    "incomplete": lambda row, bars: float(not all(row["present"])),
    # one creature scores as both
    "mixed": lambda row, bars: float(row["mixing"] > bars.mixed[row["category"]]),
    # what nobody would call two things: incomplete, or mixed
    "no clean pair": lambda row, bars: float(not all(row["present"]) or row["mixing"] > bars.mixed[row["category"]]),
    # a thing has the colour that was asked of the other
    "leaked": lambda row, bars: _any(row["leaked"]),
    # a thing that is there has not the colour that was asked
    "wrong colour": lambda row, bars: _any([None if right is None else not right for right in row["colour"]]),
    # "X with Y": both are there, but Y is not X's
    "not held": lambda row, bars: None if None in (row["held"], bars.held) else float(row["held"] < bars.held),
    # something that nobody asked for
    "extra": lambda row, bars: float(bool(row["extra"])),
}


def fault(row: dict, name: str, bars: Bars) -> float | None:
    """Tell how much of a fault, a key of `FAULTS`, a picture has: 0-1; None where that cannot be told.

    Raises:
        ValueError: no such fault.
    """
    if name not in FAULTS:
        raise ValueError(f"name={name!r} is no fault; use one of {', '.join(FAULTS)}.")
    return FAULTS[name](row, bars)


def example(rows: Sequence[dict], name: str, bars: Bars) -> dict:
    """Return a row that has a fault, and as little as possible of the others: the first such.

    Raises:
        ValueError: no such fault, or no row has it.
    """
    have = [row for row in rows if fault(row, name, bars)]
    if not have:
        raise ValueError(f"name={name!r}: no row of {len(rows)} has this fault.")
    return min(have, key=lambda row: sum(fault(row, other, bars) or 0 for other in FAULTS))


def compare(before: Sequence[dict], after: Sequence[dict], name: str, bars: Bars) -> PairedComparison | None:
    """Compare a fault in rows of the same prompts and seeds (others are left out); a prompt's seeds are averaged.

    Returns:
        The rates with paired bootstrap intervals over prompts; None where no pair can be told.
    """
    first = {(row["prompt"], row["seed"]): fault(row, name, bars) for row in before}
    pairs: dict[str, list[tuple[float, float]]] = {}
    for row in after:
        pair = first.get((row["prompt"], row["seed"])), fault(row, name, bars)
        if None not in pair:
            pairs.setdefault(row["prompt"], []).append(pair)
    if not pairs:
        return None
    rates = np.array([np.mean(values, 0) for values in pairs.values()])
    columns, count = tuple(rates.T), sum(map(len, pairs.values()))
    ratio, gap = metrics.ratio(*columns), metrics.difference(*columns)
    return PairedComparison(*map(float, rates.mean(0)), ratio, gap, count, len(pairs))


def cost(before: Sequence[dict], after: Sequence[dict]) -> Interval:
    """Give how many times as long a picture takes, measured on the same prompts and seeds."""
    first = {(row["prompt"], row["seed"]): row["seconds"] for row in before}
    both = [(first[key], row["seconds"]) for row in after if (key := (row["prompt"], row["seed"])) in first]
    return metrics.ratio(*zip(*both, strict=True))


def by_kind(before: Sequence[dict], after: Sequence[dict], name: str, bars: Bars) -> dict[str, PairedComparison]:
    """Compare a fault for each kind of prompt, and for pairs that met in training and that did not.

    Of pairs that met, only prompts of the same kinds as those that did not are counted: kinds differ too much.
    """
    kinds = {category: _where(after, category=category) for category in CATEGORIES}
    strange = {row["category"] for row in after if not row["seen"]}
    alike = [row for row in after if row["category"] in strange]
    kinds |= {"pairs seen": _where(alike, seen=True), "pairs never seen": _where(alike, seen=False)}
    found = {kind: compare(before, rows, name, bars) for kind, rows in kinds.items()}
    return {kind: rates for kind, rates in found.items() if rates}


def report_kinds(kinds: Mapping[str, PairedComparison]) -> str:
    """Write down a fault for each kind of prompt: both rates, what is left, what changed, and how many prompts."""
    lines = [f"{'':16}{'without':>9}{'with':>9}   {'with / without (95 %)':25}{'change (95 %)':28}prompts"]
    for kind, found in kinds.items():
        rates = f"{found.before:9.1%}{found.after:9.1%}   {found.ratio!s:25}{found.difference!s:28}"
        lines.append(f"{kind:16}{rates}{found.prompts}")
    return "\n".join(lines)


def by_scale(tried: Result, sharpness: float, names: Sequence[str], bars: Bars) -> tuple[list[float], dict]:
    """Give the rates of faults over the scale, from table "excite_knobs": what clay's settings were chosen by.

    Returns:
        The scales that were tried at this sharpness, 0 for the pictures without; and for each fault its rates.
    """
    made = {"without": {"scale_factor": 0.0, "sharpness": sharpness}, **tried.settings["knobs"]}
    scales = {way: config["scale_factor"] for way, config in made.items() if config["sharpness"] == sharpness}
    ways = [tried.where(way=way) for way in scales]
    return list(scales.values()), {name: [_rate(rows, name, bars) for rows in ways] for name in names}


def report(rows: Sequence[dict]) -> str:
    """Write table "excite" down: for each fault the judge's own error, the rates, and what is left of it."""
    true, before, after = (_where(rows, way=way) for way in ("truth", "without", "with"))
    lines, limits = [f"{'':14}{'renders':>9}{'without':>9}{'with':>9}   with / without (95 %)"], bars(true)
    for name in FAULTS:
        found, own = compare(before, after, name, limits), _rate(true, name, limits)
        rates = f"{found.before:9.1%}{found.after:9.1%}   {found.ratio}" if found else "   cannot be told"
        lines.append(f"{name:14}{own:9.1%}{rates}")
    return "\n".join(lines)


def report_parts(rows: Sequence[dict], parts: Sequence[dict]) -> str:
    """Write down what each part does, against all as it is, on the prompts that "excite" and "excite_parts" share.

    Returns:
        A line for each way: missing things, how many more than with all as it is, and pushes a picture.
    """
    limits, shared = bars(_where(rows, way="truth")), {row["prompt"] for row in parts}
    whole = [row for row in _where(rows, way="with") if row["prompt"] in shared]
    ways = {way: _where(parts, way=way) for way in dict.fromkeys(row["way"] for row in parts)}
    lines = [f"{'':17}{'missing':>8}   {'more than as it is (95 %)':33}pushes a picture"]
    for way, made in {"all as it is": whole, **ways}.items():
        found = compare(whole, made, "missing", limits)
        more = "" if made is whole else str(found.difference)
        pushes = np.mean([len(row["losses"]) for row in made])
        lines.append(f"{way:17}{found.after:8.1%}   {more:33}{pushes:.1f}")
    return "\n".join(lines)


def _where(rows: Sequence[dict], **wanted: object) -> list[dict]:
    return [row for row in rows if all(row[column] == value for column, value in wanted.items())]


def _rate(rows: Sequence[dict], name: str, bars: Bars) -> float:
    """Give a fault's rate in the pictures in which it can be told; nan if there are none."""
    known = [share for row in rows if (share := fault(row, name, bars)) is not None]
    return float(np.mean(known)) if known else float("nan")
