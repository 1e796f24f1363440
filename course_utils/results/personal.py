"""Lesson 08's tables, read: ways to learn a subject side by side, and what two LoRAs do to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .. import metrics
from ..metrics import Interval

BASE, WHOLE, LORA = "base", "DreamBooth", "LoRA"
FREE = "LoRA, nothing kept"  # as many pictures a step, all of the subject
HELD = "DreamBooth, answers"  # kept as the LoRA does, in place of prior pictures
FEW = {f"{steps} steps": steps for steps in (5, 10, 15)}  # from a good start
LONGER = 10  # steps of those without a start; by way, the factor on the rate, so that it does not hold them back
SHORT = {f"{LONGER} steps, no start": 1.0, f"{LONGER} steps, no start, 3 x rate": 3.0}
WAYS = (BASE, WHOLE, HELD, LORA, FREE, *FEW, *SHORT)
SUBJECT, WITH, OTHER = "the subject", "with something else", "other things"
FACETS = (SUBJECT, WITH, OTHER)


@dataclass(frozen=True)
class WayResult:
    """One way of table "personal", summed up: rates with their intervals, and what it costs."""

    rates: dict[str, Interval]  # by facet
    intruded: Interval  # the subject where nobody asked for it
    seconds: float  # of learning, mean over the subjects; making what is kept included
    bytes: int  # of what is kept
    steps: int


def result_of(rows: Sequence[dict]) -> WayResult:
    """Sum up the rows of one way.

    Raises:
        ValueError: there are none.
    """
    if not rows:
        raise ValueError("rows is empty; give those of one way.")
    rates = {facet: metrics.rate([row["hit"] for row in rows if row["facet"] == facet]) for facet in FACETS}
    intruded = metrics.rate([row["word"] in row["found"] for row in rows if row["facet"] == OTHER])
    costs = {row["word"]: (row["seconds"], row["bytes"], row["steps"]) for row in rows}
    seconds, sizes, steps = zip(*costs.values(), strict=True)
    return WayResult(rates, intruded, sum(seconds) / len(seconds), max(sizes), max(steps))


def by_way(rows: Sequence[dict]) -> dict[str, WayResult]:
    """Sum up table "personal", way by way."""
    return {way: result_of([row for row in rows if row["way"] == way]) for way in WAYS}


def report(rows: Sequence[dict], ways: Sequence[str] = WAYS) -> str:
    """Write table "personal" down: by way, in per cent, a field for each subject, and what each way costs."""
    words = list(dict.fromkeys(row["word"] for row in rows))
    head = "".join(f"{facet:^{8 * len(words)}}" for facet in (*FACETS, "intruded"))
    names = "".join(f"{word:>8}" for word in words) * (len(FACETS) + 1)
    lines = [f"{'':29}{head}", f"{'':29}{names}{'steps':>8}{'seconds':>9}{'MB':>8}"]
    for way in ways:
        own = [row for row in rows if row["way"] == way]
        apart = [result_of([row for row in own if row["word"] == word]) for word in words]
        rates = [each.rates[facet] for facet in FACETS for each in apart] + [each.intruded for each in apart]
        cells, result = "".join(f"{rate.value:>8.0%}" for rate in rates), result_of(own)
        lines.append(f"{way:29}{cells}{result.steps:8}{result.seconds:9.0f}{result.bytes / 1e6:8.2f}")
    return "\n".join(lines)


def matrix(rows: Sequence[dict]) -> dict[str, dict[str, float]]:
    """Sum up table "interference": the mean score by the LoRAs that are on, then by prompt."""
    scores: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        scores.setdefault(row["on"], {}).setdefault(row["prompt"], []).append(row["score"])
    return {on: {prompt: sum(cell) / len(cell) for prompt, cell in line.items()} for on, line in scores.items()}


def by_knobs(rows: Sequence[dict]) -> dict[tuple[int, int, float], tuple[Interval, Interval]]:
    """Sum up table "likeness": by rank, steps and weight the mean likeness, and how often others are there."""
    cells: dict[tuple[int, int, float], tuple[list, list]] = {}
    for row in rows:
        likes, hits = cells.setdefault((row["rank"], row["steps"], row["weight"]), ([], []))
        likes.append(row["likeness"]) if row["facet"] == SUBJECT else hits.append(row["hit"])
    return {knobs: (metrics.mean(likes), metrics.rate(hits)) for knobs, (likes, hits) in cells.items()}
