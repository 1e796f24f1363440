"""How well did it come out: pure functions of arrays, each rate and ratio with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

DRAWS = 2000  # resamples of a bootstrap
LEVEL = 0.95  # confidence of all intervals


@dataclass(frozen=True)
class Interval:
    """A measured value and the interval that holds the true one with 95 % confidence."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def rate(outcomes) -> Interval:
    """Give the share of successes with Wilson's interval, which is honest near 0 and 1 and for few trials.

    Args:
        outcomes: bools, one a trial; at least one.
    """
    hit = _flat("outcomes", outcomes).astype(bool)
    n, share = len(hit), float(hit.mean())
    z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(share, max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share)))


def mean(values) -> Interval:
    """Give the mean of numbers with its bootstrap interval."""
    values = _flat("values", values).astype(float)
    return bootstrap(lambda rows: values[rows].mean(-1), len(values))


def bootstrap(statistic: Callable, count: int) -> Interval:
    """Resample whole trials with replacement (Efron, 1979, percentile interval).

    Args:
        statistic: from rows [..., count] (numbers of trials) to values [...].
        count: how many trials there are; the same count is resampled in the same way each time.
    """
    rows = np.random.default_rng(0).integers(0, count, (DRAWS, count))
    drawn = np.asarray(statistic(rows), float)
    ends = [0.5 - LEVEL / 2, 0.5 + LEVEL / 2]
    low, high = (math.nan, math.nan) if np.isnan(drawn).all() else np.nanquantile(drawn, ends)
    return Interval(float(statistic(np.arange(count))), float(low), float(high))


def difference(before, after) -> Interval:
    """Give the mean of ``after - before``, measured on the same trials (same prompt, same seed)."""
    before, after = _trials(before=before, after=after)
    return mean(after - before)


def ratio(before, after) -> Interval:
    """Give ``mean(after) / mean(before)``, measured on the same trials; nan or inf where nothing was before.

    Example:
        >>> ratio([1, 1, 0, 1], [0, 1, 0, 0]).value  # faults without and with a control: a third is left
        0.3333333333333333
    """
    before, after = _trials(before=before, after=after)

    def statistic(rows):
        return after[rows].mean(-1) / before[rows].mean(-1)

    with np.errstate(divide="ignore", invalid="ignore"):
        return bootstrap(statistic, len(before))


def f1(truth, found) -> float:
    """Give 2 hits / (2 hits + false + missed) of bools; nan where there was nothing to find and nothing found."""
    truth, found = (values.astype(bool) for values in _trials(truth=truth, found=found))
    both = truth.sum() + found.sum()
    return float(2 * (truth & found).sum() / both) if both else math.nan


def auc(scores, truth) -> float:
    """Give the chance that a true one scores above a false one (area under the ROC curve); ties count half.

    Args:
        scores: numbers of any shape, such as a word's map.
        truth: bools of the same shape, such as the thing's mask; both kinds must occur.
    """
    from scipy.stats import rankdata

    scores, truth = _trials(scores=scores, truth=truth)
    truth = truth.astype(bool)
    yes = int(truth.sum())
    if yes in (0, truth.size):
        raise ValueError(f"truth is all {bool(yes)}; the AUC needs both kinds.")
    rank = rankdata(scores)
    return float((rank[truth].sum() - yes * (yes + 1) / 2) / (yes * (truth.size - yes)))


def iou(first, second) -> float:
    """Give the overlap of two masks over their union; nan if both are empty."""
    first, second = (mask.astype(bool) for mask in same_shape(first=first, second=second))
    union = (first | second).sum()
    return float((first & second).sum() / union) if union else math.nan


def miou(truth, found) -> float:
    """Give the mean IoU of two class maps, whole numbers of one shape, over the classes that occur in the truth."""
    truth, found = same_shape(truth=truth, found=found)
    return float(np.mean([iou(truth == k, found == k) for k in np.unique(truth)]))


def psnr(first, second) -> float:
    """Give the peak signal-to-noise ratio of two pictures, 0-255, in dB; inf if they are equal.

    Args:
        first: array of any shape.
        second: array of the same shape.
    """
    first, second = _trials(first=first, second=second)
    error = float(((first - second) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def _flat(name: str, values) -> np.ndarray:
    values = np.asarray(values).ravel()
    if not values.size:
        raise ValueError(f"{name} is empty; give at least one trial.")
    return values


def same_shape(**arrays) -> tuple[np.ndarray, ...]:
    """Return what is given by name as arrays of one shape.

    Raises:
        ValueError: their shapes differ.
    """
    values = tuple(map(np.asarray, arrays.values()))
    if len({value.shape for value in values}) > 1:
        shapes = " and ".join(f"{name} {value.shape}" for name, value in zip(arrays, values, strict=True))
        raise ValueError(f"The shapes of {shapes} differ; they must pair up.")
    return values


def _trials(**arrays) -> list[np.ndarray]:
    """Flatten paired arrays to floats, one a trial."""
    pairs = zip(arrays, same_shape(**arrays), strict=True)
    return [_flat(name, values).astype(float) for name, values in pairs]
