"""Lesson 09's tables, read: how ways to train a ControlNet on one condition differ, seed by seed, scene by scene."""

from __future__ import annotations

from collections.abc import Sequence

from .. import adherence, metrics
from ..metrics import Interval
from .rows import path_of, read

PLAIN = "as in the lesson"
ENDS = ("floor", "ceiling")  # of the score: without control, and the truth once through the autoencoder
# By table: the arms that are held against PLAIN, which is table "learned" itself.
TABLES = {
    "learned": (PLAIN,),
    "learned_longer": ("ten times as long",),
    "learned_noise": ("large noise steps first",),
    "learned_start": ("Gaussian in place of zero", "nothing inherited"),
    "learned_pairs": ("100 pairs", "1,000 pairs", "10,000 pairs"),
    "learned_words": ("no prompt emptied",),
}


def made() -> list[dict]:
    """Give the rows of all tables that have been made."""
    return [row for name in TABLES if path_of(name).is_file() for row in read(name).rows]


def last(rows: Sequence[dict], arm: str) -> dict[int, list[float]]:
    """Give what each scene reached at an arm's end, by seed."""
    own = [row for row in rows if row["arm"] == arm]
    return {row["seed"]: row["reached"] for row in sorted(own, key=lambda row: row["step"])}


def score_of(rows: Sequence[dict], arm: str) -> Interval:
    """Score an arm over its seeds and scenes, at its end.

    Raises:
        ValueError: it has no rows.
    """
    own = last(rows, arm)
    floor, ceiling = (next(iter(last(rows, end).values())) for end in ENDS)
    reached = [value for values in own.values() for value in values]
    return adherence.score(reached, floor * len(own), ceiling * len(own))


def difference(rows: Sequence[dict], arm: str) -> Interval:
    """Give how much more of a scene an arm reaches than `PLAIN` does, on the same seeds and scenes."""
    first, other = last(rows, PLAIN), last(rows, arm)
    shared = sorted(first.keys() & other.keys())
    before, after = ([value for seed in shared for value in side[seed]] for side in (first, other))
    return metrics.difference(before, after)


def report(rows: Sequence[dict]) -> str:
    """Write down each arm's score and whether it differs; arms that have not been measured are left out."""
    arms = [arm for names in TABLES.values() for arm in names if any(row["arm"] == arm for row in rows)]
    lines = [f"{'':28}{'score, 95 % interval':>26}{'seeds':>7}  against the first, IoU"]
    for arm in arms:
        seeds, gap = len(last(rows, arm)), ""
        if arm != PLAIN:
            found = difference(rows, arm)
            gap = f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
            gap += "" if found.low > 0 or found.high < 0 else ": no difference is shown"
        lines.append(f"{arm:28}{str(score_of(rows, arm)):>26}{seeds:7}  {gap}")
    return "\n".join(lines)
