"""Lesson 04's table of maps by nets, read: scores between floor and ceiling, and which wrong pairs come close."""

import numpy as np
import pytest

from course_utils import results
from course_utils.results import Result

REACHED = {  # (map, net): scene by scene
    ("canny", "none"): [0.2, 0.2, 0.2], ("canny", "truth"): [1.0, 1.0, 1.0],
    ("canny", "canny"): [0.8, 0.9, 0.7], ("canny", "depth"): [0.3, 0.3, 0.2],
    ("depth", "none"): [0.5, 0.5, None], ("depth", "truth"): [0.9, 0.9, None],
    ("depth", "depth"): [0.8, 0.8, None], ("depth", "canny"): [0.7, 0.9, None],
}  # fmt: skip


@pytest.fixture
def table():
    rows = [
        {"map": kind, "net": net, "scene": scene, "reached": value}
        for (kind, net), values in REACHED.items()
        for scene, value in enumerate(values)
    ]
    return Result("mismatch", rows, {}, {}, {})


def test_scores_lie_between_no_control_and_the_truth(table):
    crossed = results.crossed(table)
    assert crossed.names == ["canny", "depth"]
    assert crossed.scores == pytest.approx(np.array([[0.75, 1 / 12], [0.75, 0.75]]))


def test_a_pair_is_close_where_the_difference_may_be_nothing(table):
    assert results.crossed(table).close == [("depth", "canny")]
