"""Adherence: perfect input scores best, worse input worse, and each measure is held against another definition."""

import itertools
import math

import cv2
import numpy as np
import pytest
from scipy.stats import spearmanr

from course_utils import adherence, clay, metrics, pose

HEIGHT, WIDTH = 48, 80


def box(left=20, top=10, height=HEIGHT, width=WIDTH):
    canvas = np.zeros((height, width), np.uint8)
    cv2.rectangle(canvas, (left, top), (left + 40, top + 25), 1)
    return canvas > 0


def falls(values):
    return all(a > b for a, b in zip(values, values[1:], strict=False))


# Edges and lines


def test_edges_that_are_off_by_more_than_the_tolerance_count_less():
    measure, truth = adherence.edge_f1, box()
    assert measure(truth, truth) == 1
    assert measure(truth, box(22, 10)) == 1 > measure(truth, box(23, 10))
    assert falls([measure(truth, box(20 + off, 10 + off)) for off in (0, 2, 3)])
    assert measure(truth, box(22, 10), tolerance=1) < 1


def test_edges_that_are_missed_and_that_are_too_many_count_less():
    truth, rng = box(), np.random.default_rng(0)
    missed = [adherence.edge_f1(truth, truth & (np.arange(WIDTH) < cut)) for cut in (80, 50, 30)]
    more = [adherence.edge_f1(truth, truth | (rng.random(truth.shape) < share)) for share in (0, 0.05, 0.5)]
    assert falls(missed) and falls(more)


def test_edge_f1_is_what_its_definition_says():
    rng = np.random.default_rng(1)
    truth, found = rng.random((2, 24, 31)) < 0.01

    def near(some, others):
        return np.mean([min(math.dist(one, other) for other in others) <= 2 for one in some])

    right, hit = near(np.argwhere(found), np.argwhere(truth)), near(np.argwhere(truth), np.argwhere(found))
    assert adherence.edge_f1(truth, found) == pytest.approx(2 * right * hit / (right + hit))


def test_edges_found_do_not_mind_more_edges():
    truth, rng = box(), np.random.default_rng(0)
    assert adherence.edges_found(truth, truth | (rng.random(truth.shape) < 0.3)) == 1
    assert falls([adherence.edges_found(truth, truth & (np.arange(WIDTH) < cut)) for cut in (80, 50, 30, 0)])
    assert adherence.edges_found(truth, box(22, 10)) == 1 > adherence.edges_found(truth, box(23, 10))
    assert math.isnan(adherence.edges_found(np.zeros_like(truth), truth))


def test_edges_where_there_are_none():
    nothing = np.zeros((HEIGHT, WIDTH), bool)
    assert math.isnan(adherence.edge_f1(nothing, box())) and math.isnan(adherence.edge_f1(nothing, nothing))
    assert adherence.edge_f1(box(), nothing) == 0
    far = np.zeros_like(nothing)
    far[0, 0] = True
    assert adherence.edge_f1(box(), far) == 0


def test_a_line_in_two_pieces_is_still_the_line():
    whole, broken, half = (np.zeros((HEIGHT, WIDTH), bool) for _ in range(3))
    whole[20, 10:70] = broken[20, 10:38] = broken[20, 40:70] = half[20, 10:40] = True
    assert adherence.edge_f1(whole, broken) == 1 > adherence.edge_f1(whole, half)


# Points


def body(at=(0.0, 0.0), seed=0, points=18):
    places = np.random.default_rng(seed).random((points, 2)) * (40, 100)
    places[:2] = (0, 0), (40, 100)  # the box is 100 high
    return np.column_stack([places + at, np.ones(points)])


def test_points_within_a_tenth_of_the_box_are_right():
    truth = body()
    assert adherence.pck([truth], [truth]) == 1
    assert adherence.pck([truth], [truth + (9.9, 0, 0)]) == 1
    assert adherence.pck([truth], [truth + (10.1, 0, 0)]) == 0
    assert adherence.pck([truth], [truth + (15, 0, 0)], reach=0.2) == 1
    noise = np.random.default_rng(1).normal(size=(18, 3)) * (1, 1, 0)
    assert falls([adherence.pck([truth], [truth + scale * noise]) for scale in (1, 8, 40)])


def test_points_that_are_missed_are_wrong_and_unseen_ones_not_asked_for():
    truth, found = body(), body()
    found[:9, 2] = 0
    assert adherence.pck([truth], [found]) == 0.5
    truth[:9, 2] = 0
    assert adherence.pck([truth], [found]) == 1
    assert adherence.pck([truth], []) == 0
    truth[:, 2] = 0
    assert math.isnan(adherence.pck([truth], [found])) and math.isnan(adherence.pck([], [found]))


def test_people_are_paired_whatever_their_order():
    first, second = body((0, 0), 1), body((200, 0), 2)
    assert adherence.pck([first, second], [second, first]) == 1
    assert adherence.pck([first, second], [second]) == 0.5
    assert adherence.pck([first], [second, first]) == 1


def test_a_hand_is_no_body():
    with pytest.raises(ValueError, match="same points"):
        adherence.pck([body()], [body(points=21)])


# Classes, depth, normals


def test_classes():
    truth = np.repeat([[0, 1, 2, 3]], 4, axis=0)
    off = truth.copy()
    off[0] = 0
    assert metrics.miou(truth, truth) == 1 > metrics.miou(truth, off) > metrics.miou(truth, truth[:, ::-1])
    with pytest.raises(ValueError, match=r"truth \(4, 4\) and found \(4, 3\)"):
        metrics.miou(truth, off[:, :3])


def test_depth_is_compared_by_its_order():
    rng = np.random.default_rng(0)
    truth = rng.random((20, 30)).astype(np.float32)
    assert adherence.depth_rank(truth, np.exp(5 * truth) + 3) == pytest.approx(1)
    assert adherence.depth_rank(truth, -truth) == pytest.approx(-1)
    noisy = [adherence.depth_rank(truth, truth + scale * rng.normal(size=truth.shape)) for scale in (0.1, 0.5, 5)]
    assert falls([1, *noisy])
    coarse, other = (truth * 8).astype(int), (rng.random(truth.shape) * 8).astype(int)  # ties
    assert adherence.depth_rank(coarse, other) == pytest.approx(spearmanr(coarse, other, axis=None).statistic)
    assert math.isnan(adherence.depth_rank(np.ones((4, 4)), truth[:4, :4]))
    assert adherence.depth_rank(truth, np.ones_like(truth)) == 0


def test_normals_within_the_angle_count():
    truth = np.random.default_rng(0).normal(size=(12, 15, 3))
    across = np.cross(truth, (0.3, 0.5, 0.8))

    def turned(degrees):
        a, b = (one / np.linalg.norm(one, axis=-1, keepdims=True) for one in (truth, across))
        return math.cos(math.radians(degrees)) * a + math.sin(math.radians(degrees)) * b

    assert adherence.normal_share(truth, truth * 7) == 1
    assert [adherence.normal_share(truth, turned(angle)) for angle in (22, 23)] == [1, 0]
    assert adherence.normal_share(truth, turned(23), degrees=30) == 1
    assert adherence.normal_share(truth, np.zeros_like(truth)) == 0
    half = turned(90)
    half[:6] = truth[:6]
    assert adherence.normal_share(truth, half) == 0.5


# The score


def test_score_is_the_share_of_the_way():
    rng = np.random.default_rng(0)
    floor, ceiling = rng.uniform(0, 0.3, 64), rng.uniform(0.7, 1, 64)
    assert adherence.score(ceiling, floor, ceiling) == metrics.Interval(1, 1, 1)
    assert adherence.score(floor, floor, ceiling) == metrics.Interval(0, 0, 0)
    reached = floor + 0.8 * (ceiling - floor) + rng.normal(0, 0.1, 64)
    found = adherence.score(reached, floor, ceiling)
    assert found.low < found.value < found.high and abs(found.value - 0.8) < 0.05 < found.low
    assert found == adherence.score(reached, floor, ceiling) and adherence.score(floor - 0.1, floor, ceiling).value < 0


def test_scenes_that_ask_for_nothing_are_left_out():
    nan = math.nan
    assert adherence.score([0.5, nan, 0.5], [0, 0, 0], [1, nan, 1]) == metrics.Interval(0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (([1, 1], [0], [1, 1]), r"\[2, 1, 2\] scenes"),
        (([math.nan], [0], [1]), "no scene"),
        (([1, 1], [0.5, 0.7], [0.6, 0.6]), "ceiling=0.600 is not above floor=0.600"),
    ],
)
def test_scores_that_mean_nothing_are_refused(rows, said):
    with pytest.raises(ValueError, match=said):
        adherence.score(*rows)


def test_sizes_must_agree():
    for measure in (adherence.edge_f1, adherence.depth_rank, adherence.normal_share):
        with pytest.raises(ValueError, match="must pair up"):
            measure(np.ones((4, 4, 3)), np.ones((4, 5, 3)))


# Faces and arms


def test_any_front_has_more_of_eyes_than_any_back():
    found = {}
    for yaw in (0.0, math.pi):
        for word, (name, person) in itertools.product(("man", "woman"), list(pose.library().items())[::3]):
            made = clay.render(pose.to_scene([person | {"word": word, "yaw": yaw}]), 256, 256)
            found[yaw, word, name] = adherence.eyes(made.image, pose.skeletons(made)[0].body)
    fronts, backs = ([value for (yaw, *_), value in found.items() if bool(yaw) == back] for back in (False, True))
    assert min(fronts) > 2 * max(backs)


def test_points_that_do_not_count_change_nothing_but_the_box():
    truth = np.array([[0, 0, 1], [10, 0, 1], [0, 100, 1], [50, 50, 0]], float)
    found = truth + [[9, 0, 0], [30, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert adherence.pck([truth], [found]) == pytest.approx(2 / 3)
    assert adherence.pck([truth], [found], only=[0]) == 1, "9 is within a tenth of the box of all, 100"
    assert adherence.pck([truth], [found], only=[0, 1]) == 0.5 and adherence.pck([truth], [], only=[0]) == 0
    assert math.isnan(adherence.pck([truth], [found], only=[3])), "nobody has asked for a point that is not seen"
