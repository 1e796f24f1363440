"""Exercises of lesson 10: front or back, shares or pixels, two bones that reach, which limb is nearer or missed."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import metrics
from ..pose.skeleton import FACE_FRONT, JOINTS, SWAPPED
from .asking import LEAST, NotYet, as_expected, ask, exercise, expect, expect_parts, expect_shape

WHOLE, BARE = "all", "no map"  # what a hidden joint is held against: the map with all joints, and none
FRONT, BACK, TORN = "front", "back", "contradiction"
AHEAD = [JOINTS.index(name) for name in FACE_FRONT]  # nose and eyes


@exercise("10.1")
def front_or_back(which_way: Any) -> str:
    """`which_way(body)` tells of a skeleton [18, 3] "front", "back" or "contradiction"."""
    x = np.array([50, 50, 40, 30, 25, 60, 70, 75, 44, 43, 42, 56, 57, 58, 47, 53, 44, 56], float)
    front = np.column_stack([x, np.arange(18)[::-1] * 5.0, np.ones(18)])
    behind = front[SWAPPED]  # the same outline
    cases = {
        "a front": (front, FRONT),
        "a back": (_hidden(behind, *AHEAD), BACK),
        "a back with its face left in": (behind, TORN),
        "a front whose face was hidden, but not its sides": (_hidden(front, *AHEAD), TORN),
        "a front whose nose is not seen, but an eye": (_hidden(front, 0, 14), FRONT),
        "a front of whom a shoulder is not seen": (_hidden(front, 5, gone=True), FRONT),
        "a back of whom a shoulder is not seen": (_hidden(behind, *AHEAD, 2, gone=True), BACK),
    }
    for name, (body, wanted) in cases.items():
        given = ask(which_way, body)
        if given not in (FRONT, BACK, TORN):
            raise NotYet(f"Give one of {FRONT!r}, {BACK!r} and {TORN!r}, not {given!r:.40}.")
        if given != wanted:
            sides = "Who faces us has the left shoulder, number 5, farther right in the picture than number 2."
            raise NotYet(f"For {name} you say {given!r}; it is {wanted!r}. {sides if wanted != TORN else ''}")
    return "Two signs for one thing: who edits a pose must change both, or the net hears two orders."


def _hidden(body: np.ndarray, *joints: int, gone: bool = False) -> np.ndarray:
    """Give a copy in which these joints are not seen; if `gone`, they have lost their place as well."""
    out = body.copy()
    out[[*joints], 2] = 0
    if gone:
        out[[*joints], :2] = 0
    return out


@exercise("10.2")
def shares_or_pixels(in_pixels: Any) -> str:
    """`in_pixels(points, height, width)` brings points [n, 3] to pixels if they are shares of the canvas."""
    height, width = 40, 100
    pixels = np.array([[50.0, 10.0, 1], [25.0, 20.0, 1], [0.0, 0.0, 0], [99.0, 39.0, 1]])
    shares = pixels / [width, height, 1]
    for points, name in ((shares, "shares"), (pixels, "pixels")):
        given = np.asarray(ask(in_pixels, points, height, width), float)
        expect_shape(given, points.shape, "a row for each point")
        scaled = points * [width, height, 1]
        slips = (
            (points, "These are all between 0 and 1, so they are shares: multiply them by the canvas."),
            (points * [height, width, 1], "Column times width and row times height: a point is (column, row)."),
            (points * [width, height, width], "The third number says whether a point is seen: leave it as it is."),
            (scaled, "These are pixels already (some are above 1): leave them."),
        )
        expect(given, pixels, slips, f"The {name} should come out as pixels: the first point at (50, 10).")
    return "It is a guess, and the file's reader in this course says so. A single point at (1, 1) would fool it."


@exercise("10.3")
def two_bones(elbow: Any) -> str:
    """`elbow(shoulder, wrist, upper, lower)` places the joint between two bones, in the plane."""
    for shoulder, wrist, upper, lower in (
        ((0, 0), (4, 0), 3, 3),
        ((1, 1), (1, 5), 3, 2.5),
        ((0, 0), (-3, 2), 2.0, 4.0),
    ):
        given = ask(elbow, np.array(shoulder, float), np.array(wrist, float), upper, lower)
        if np.shape(given) != (2,):
            raise NotYet(f"Give two numbers, x and y, not {given!r:.60}.")
        way = np.subtract(wrist, shoulder).astype(float)
        far = np.linalg.norm(way)
        along = (far**2 + upper**2 - lower**2) / (2 * far)
        up, side = way / far, np.array([-way[1], way[0]]) / far
        wanted, high = shoulder + up * along + side * np.sqrt(upper**2 - along**2), np.sqrt(upper**2 - along**2)
        case = f"shoulder {shoulder}, wrist {wrist}, bones {upper} and {lower}"
        slips = (
            (shoulder + up * along - side * high, f"For {case} the elbow is on the other side: turn the way by +90°."),
            (up * along + side * high, f"For {case} you start at the origin: add the shoulder."),
            (shoulder + up * far / 2 + side * np.sqrt(max(upper**2 - far**2 / 4, 0)),
             f"For {case} the bones differ, so the elbow is not above the middle."),
        )  # fmt: skip
        length = np.linalg.norm(np.asarray(given, float) - shoulder)
        otherwise = (
            f"For {case} your upper bone has length {length:.2f}; the elbow should be at {np.round(wanted, 2)}."
        )
        expect(np.asarray(given, float), wanted, slips, otherwise)
    return "That is what happens when you drag the doll's hand: the shoulder stays, the elbow is computed."


@exercise("10.4")
def right_order(ordered: Any) -> str:
    """`ordered(near, depth, pairs, least)` gives the share of pairs of places whose order is right."""
    rng = np.random.default_rng(0)
    depth = rng.uniform(2, 4, (6, 8))
    near = 1 / depth + rng.normal(0, 0.05, depth.shape)
    pairs = np.stack([rng.integers(0, size, (40, 2)) for size in depth.shape], axis=-1)  # [pair, end, row or column]
    given = float(ask(ordered, near, depth, pairs, 0.3))
    (a, b), (first, second) = ([values[tuple(pairs[:, end].T)] for end in (0, 1)] for values in (depth, near))
    told, right = np.abs(a - b) > 0.3, (first > second) == (a < b)
    slips = (
        (1 - right[told].mean(), "The signs are crossed: what is *near* has a *small* depth."),
        (right[a != b].mean(), "Where the two depths hardly differ there is no order: leave those pairs out."),
        (right[told].sum(), "That is a count: divide by the number of pairs that can be told apart."),
        (right[told].sum() / len(told), "Divide by the pairs that can be told apart, not by all."),
    )
    expect(given, right[told].mean(), slips, f"Here it should be {right[told].mean():.3f}, not {given:.3f}.")
    return "One half is what a coin would get. A skeleton that is the same for both cannot do better."


@exercise("10.5")
def hidden_joint(experiment: Any) -> str:
    """`experiment()` gives (joint, {"all", "no map", joint, ...: [share of the arm that is right, for each seed]})."""
    guess, seen = expect_parts(ask(experiment), "guess and seen")
    if not isinstance(seen, dict) or not {WHOLE, BARE} <= {*seen}:
        raise NotYet(
            f'seen is a dict; beside the joints it has "{WHOLE}" (none is hidden) and "{BARE}", the controls.'
        )
    joints = [name for name in seen if name not in (WHOLE, BARE)]
    if len(joints) < 2:
        raise NotYet("Hide two joints or more, one at a time: who stands alone always costs most.")
    if guess not in joints:
        raise NotYet(f"guess is the joint that costs most, one of {', '.join(joints)}; this is {guess!r:.40}.")
    shares = {name: np.array(values, float) for name, values in seen.items()}
    if len({each.shape for each in shares.values()}) > 1 or shares[WHOLE].ndim != 1 or len(shares[WHOLE]) < LEAST:
        raise NotYet(f"The same seeds for all, {LEAST} or more: a list of one share for each.")
    if not all(((each >= 0) & (each <= 1)).all() for each in shares.values()):
        raise NotYet("A share is a number from 0 to 1: of the arm's joints, how many are right? No arm found is 0.")
    whole, bare = shares[WHOLE].mean(), shares[BARE].mean()
    if metrics.difference(shares[BARE], shares[WHOLE]).low <= 0:
        raise NotYet(
            f"With all joints {whole:.2f} of the arm is right, without a map {bare:.2f}: what is not obeyed cannot be "
            "lost. Take a pose that is, or more seeds."
        )
    if all(np.array_equal(shares[name], shares[WHOLE]) for name in joints):
        raise NotYet("Hidden or not, the shares are the same to the last digit: was the changed skeleton drawn?")
    return (
        f"With all joints {whole:.2f} of the arm is right, without a map {bare:.2f}. {_costs(shares, joints, guess)}"
    )


def _costs(shares: dict[str, np.ndarray], joints: list[str], guess: str) -> str:
    """Say what each hidden joint costs, which costs most, and what so few seeds cannot tell."""
    lost = {name: metrics.difference(shares[name], shares[WHOLE]) for name in joints}
    worst, second = sorted(joints, key=lambda name: -lost[name].value)[:2]
    costs = ", ".join(f"{name} {lost[name]}" for name in joints)
    if lost[worst].low <= 0:
        meaning = "None of these losses is sure: the joints that are left say enough, or the seeds are too few."
    elif metrics.difference(shares[worst], shares[second]).low <= 0:
        meaning = f"But {len(shares[WHOLE])} seeds cannot tell it from the {second}: paint more before you believe it."
    else:
        meaning = f"Seed by seed it costs more than the {second}, surely."
    return f"Hidden, they cost: {costs}. The {worst} costs most, {as_expected(worst, guess)}. {meaning}"
