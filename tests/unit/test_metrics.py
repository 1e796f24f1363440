"""Metrics: held against definitions written another way, and against cases with a known answer."""

import math

import numpy as np
import pytest

from course_utils import metrics


def test_rate_is_honest_at_the_ends():
    """Wilson's interval never claims certainty, stays within 0-1 and holds the share."""
    for hits in (0, 1, 5, 10):
        found = metrics.rate([True] * hits + [False] * (10 - hits))
        assert 0 <= found.low <= found.value <= found.high <= 1 and found.high - found.low > 0.2
        assert found.value == hits / 10
    assert metrics.rate([True] * 10).low == pytest.approx(10 / (10 + 1.959964**2))


def test_rate_covers_the_true_share():
    """Of a hundred experiments about 95 must hold the truth."""
    drawn = np.random.default_rng(0).random((400, 60)) < 0.9
    held = [(found := metrics.rate(row)).low <= 0.9 <= found.high for row in drawn]
    assert np.mean(held) > 0.91


def test_more_trials_and_less_confidence_make_it_narrower():
    few, many = metrics.rate([1, 0] * 5), metrics.rate([1, 0] * 500)
    assert few.high - few.low > 5 * (many.high - many.low)


def test_paired_comparison_sees_what_unpaired_means_hide():
    """Large differences between prompts cancel where the same prompt is measured twice."""
    rng = np.random.default_rng(0)
    before = rng.normal(0, 10, 50)
    after = before + 1 + rng.normal(0, 0.1, 50)
    found = metrics.difference(before, after)
    assert found.low > 0.9 and found.high < 1.1
    assert metrics.mean(after).high - metrics.mean(after).low > 2


def test_ratio():
    assert metrics.ratio([2, 2, 2], [1, 1, 1]) == metrics.Interval(0.5, 0.5, 0.5)
    faults = np.random.default_rng(1).random((2, 300)) < np.array([[0.4], [0.2]])
    found = metrics.ratio(*faults)
    assert found.low < found.value < found.high < 1 and abs(found.value - 0.5) < 0.15
    assert math.isinf(metrics.ratio([0, 0], [1, 1]).value)


def test_bootstrap_is_the_same_each_time():
    values = np.random.default_rng(0).normal(size=30)
    assert metrics.mean(values) == metrics.mean(values)


def test_f1():
    assert metrics.f1([1, 1, 0, 0], [1, 0, 1, 0]) == 0.5
    assert metrics.f1([1, 0], [1, 0]) == 1 and metrics.f1([1, 0], [0, 1]) == 0
    assert math.isnan(metrics.f1([0, 0], [0, 0]))


def test_auc_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 6, 60), rng.random(60) < 0.4
    pairs = scores[truth][:, None] - scores[~truth][None]
    assert metrics.auc(scores, truth) == pytest.approx((pairs > 0).mean() + 0.5 * (pairs == 0).mean())
    assert metrics.auc([[1, 2], [3, 4]], [[False, False], [True, True]]) == 1
    with pytest.raises(ValueError, match="all False"):
        metrics.auc([1, 2], [False, False])


def test_iou_and_miou():
    a = np.zeros((4, 4), int)
    b = a.copy()
    a[:2], b[1:3] = 1, 1
    assert metrics.iou(a == 1, b == 1) == pytest.approx(4 / 12)
    assert metrics.miou(a, b) == pytest.approx((4 / 12 + 4 / 12) / 2)
    assert metrics.miou(a, a) == 1
    assert metrics.miou(a, np.where(a, 7, 5)) == 0
    assert math.isnan(metrics.iou(a > 1, b > 1))


def test_psnr():
    black = np.zeros((8, 8, 3), np.uint8)
    assert metrics.psnr(black, black) == math.inf
    assert metrics.psnr(black, np.full_like(black, 255)) == 0  # and no wrap-around of bytes
    assert metrics.psnr(black, black + 1) == pytest.approx(48.13, abs=0.01)


@pytest.mark.parametrize("bad", [lambda: metrics.rate([]), lambda: metrics.mean([])])
def test_nothing_measured_is_an_error(bad):
    with pytest.raises(ValueError, match="empty"):
        bad()


@pytest.mark.parametrize("two", ["difference", "ratio", "f1", "auc", "iou", "psnr"])
def test_what_does_not_pair_up_is_an_error(two):
    with pytest.raises(ValueError, match="pair up"):
        getattr(metrics, two)([True, False, True], [True, False])
