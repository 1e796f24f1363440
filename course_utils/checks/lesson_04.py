"""Exercises of lesson 04: who speaks, the score, a map from metres, how zeros learn, and a map against words."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import metrics
from ..adherence import score
from .asking import NotYet, as_expected, ask, exercise, expect, expect_parts, expect_shape, expect_verdicts, noise

SKIPS = ((1, 4, 6, 5), (1, 8, 3, 2))  # shapes, not square
BOTH = ("agree", "contradict")  # what words may do with a map
WINNERS = {
    "map": "The shapes hold, and the words get what fits into them.",
    "words": "The words rule: this map is too weak for them, or says too little.",
    "both": "They contradict each other less than they seem to: what the map leaves open, the words fill.",
    "neither": "Nobody gets what was asked. A smaller scale, or an earlier end of the map, lets the words in again.",
}


@exercise("04.1")
def who_speaks(only: Any) -> str:
    """`only(additions, keep)` silences all additions but those whose numbers, from 1, are kept."""
    additions = [noise(seed, *SKIPS[seed % 2]) for seed in range(4)]
    for keep in ({4}, {1, 3}, set(), {1, 2, 3, 4}):
        given = ask(only, additions, keep)
        if not isinstance(given, list | tuple) or [*map(len, given)] != [*map(len, additions)]:
            raise NotYet(f"Give a list of {len(additions)} tensors: who is silent adds zeros, and is not missing.")
        said, numbers = _flat(additions), range(1, len(additions) + 1)
        allowed = ([n in keep for n in numbers], [n - 1 in keep for n in numbers], [n not in keep for n in numbers])
        wanted, late, turned = (
            _flat([part * speaks for part, speaks in zip(additions, each, strict=True)]) for each in allowed
        )
        case = f"With keep={keep or '{}'}"
        slips = (
            (late, f"{case} it counts from 0; the lesson counts from 1."),
            (turned, f"{case} it silences those that may speak."),
            (said, f"{case} nothing is silenced."),
        )
        expect(_flat(given), wanted, slips, f"{case} it should hand on these as they are, and zeros for all others.")
    return "Now look: what can the middle do alone, and where do the edges come from?"


def _flat(parts: Any) -> Any:
    import torch

    return torch.cat([part.flatten() for part in parts])


@exercise("04.2")
def hangs_on_one(without_each: Any) -> str:
    """`without_each(reached, floor, ceiling)` gives for each scene the score of all the others."""
    nan = float("nan")
    sides = np.array([[0.6, 0.5, 0.7, nan], [0.1, 0.4, 0.2, nan], [0.9, 0.5, 0.8, nan]])
    given = np.asarray(ask(without_each, *sides), float)
    expect_shape(given, (4,), "a score for each scene that is left out")
    if np.isnan(given).any():
        raise NotYet(f"A scene of nan must not spoil the scores; this gives {given}.")

    def scores(kept: Any) -> Any:  # which scenes count, for each score
        x, low, high = ([np.nanmean(side[list(scenes)]) for scenes in kept] for side in sides)
        return np.subtract(x, low) / np.subtract(high, low)

    others = [[k for k in range(4) if k != out] for out in range(4)]
    single = (sides[0] - sides[1]) / (sides[2] - sides[1])
    slips = (
        (scores([range(4)] * 4), "Each time all scenes count: leave one out."),
        ([np.nanmean(np.delete(single, out)) for out in range(4)],
         "The mean of single scores is ruled by the scene with hardly a way to go: take the means first."),
        ([np.nanmean(np.delete(sides[0], out)) for out in range(4)],
         "Those are means of what was reached: the score also needs floor and ceiling, of the same scenes."),
    )  # fmt: skip
    wanted = scores(others)
    expect(given, wanted, slips, f"For these four scenes it should be {wanted.round(3)}, not {given.round(3)}.")
    return "If one scene moves the score much, the score is that scene's. Of 64 none should."


@exercise("04.3")
def metres_to_map(depth_map: Any) -> str:
    """`depth_map(metres)` draws metric depth as the depth net expects it: inverse, stretched, near = bright."""
    metres = np.array([[1.0, 2.0, 4.0], [8.0, 2.0, 1.6]])
    given, near = np.asarray(ask(depth_map, metres)), 1 / metres
    wanted = (near - near.min()) / np.ptp(near) * 255
    expect_shape(given, (*metres.shape, 3), "with a last axis for RGB")
    if given.dtype != np.uint8:
        raise NotYet(f"The map is of dtype {given.dtype}; a picture is uint8, 0 to 255.")
    if np.ptp(given, axis=2).any():
        raise NotYet("Its three channels differ: a grey map has the same number in red, green and blue.")
    if np.abs(given - wanted[..., None]).max() <= 1:
        return "Near is bright, and the sky, however far, is merely black."
    if (given[..., 0] == given[..., 0].max())[metres == metres.max()].all():
        raise NotYet("Far is bright in it: the sign is the wrong way round, and no net would complain.")
    straight = (metres.max() - metres) / np.ptp(metres) * 255
    if np.abs(given[..., 0] - straight).max() <= 1:
        raise NotYet("It turns the metres over, but not into their inverse: what is near would get too few levels.")
    if given.max() < 255 or given.min() > 0:
        raise NotYet(f"It spans {given.min()} to {given.max()}: stretch it over the whole range, 0 to 255.")
    raise NotYet(f"Where the metres are 2 it should be {wanted[0, 1]:.0f}, not {given[0, 1, 0]}.")


@exercise("04.4")
def how_zero_learns(after_one_step: Any) -> str:
    """`after_one_step(x, slope, rate)` gives (w, b) of y = w x + b after one step from w = b = 0."""
    for x, slope, rate in ((2.0, 3.0, 0.1), (-1.0, 0.5, 1.0), (0.0, 2.0, 0.5)):
        given, wanted = ask(after_one_step, x, slope, rate), (-rate * slope * x, -rate * slope)
        expect_parts(given, "the new w and the new b")
        case = f"With x={x:g}, slope={slope:g}, rate={rate:g}"
        slips = (
            ((0, 0), f"{case} it stays zero. But dL/dw = slope * x, and x is not zero: only w is."),
            ((-wanted[0], -wanted[1]), f"{case} it climbs: descent goes against the slope, with a minus."),
            ((wanted[1],) * 2, f"{case} the weight's slope is slope * x, by the chain rule: x is missing."),
        )
        expect(given, wanted, slips, f"{case} it should give {wanted}, not {tuple(given)}.")
    return "The weight moves at once, because its input is not zero. From the second step on the copy learns too."


@exercise("04.5")
def map_against_words(experiment: Any) -> str:
    """`experiment()` gives a guess of `WINNERS`, the ceiling, {"agree" and "contradict": (without, with the map)}.

    Without and with are lists of pairs, one a seed: how far the map is obeyed, and whether the words came true.
    """
    guess, ceiling, seen = expect_parts(ask(experiment), "guess, ceiling and seen", 3)
    if guess not in (*WINNERS,):
        raise NotYet(f"guess says who wins, one of {', '.join(WINNERS)}; this is {guess!r:.60}.")
    if not isinstance(seen, dict) or {*seen} != {*BOTH} or any(len(both) != 2 for both in seen.values()):
        raise NotYet('seen is {"agree": (without, with_map), "contradict": (without, with_map)}: lists of pairs.')
    if not all(pairs for both in seen.values() for pairs in both):
        raise NotYet("A list is still empty: paint, and give a pair for each seed, such as (0.62, True).")
    obeyed, came = {}, {}
    for words, both in seen.items():
        for pairs, which in zip(both, ("without the map", "with it"), strict=True):
            obeyed[words, which], came[words, which] = (list(column) for column in zip(*pairs, strict=True))
            expect_verdicts(f"the words that {words}, {which}", came[words, which])
    _expect_a_way(obeyed, came, float(ceiling))
    return _who_won(guess, float(ceiling), obeyed, came)


def _expect_a_way(obeyed: dict, came: dict, ceiling: float) -> None:
    """Go on if map and words could each win or lose: the controls of the experiment."""
    if len({*map(len, obeyed.values())}) != 1:
        raise NotYet("Paint all four with the same seeds: the lists differ in length.")
    if np.isnan([*obeyed.values()]).any():
        raise NotYet("Some adherence is nan: the map asks for nothing there. Take a scene that has what it shows.")
    without = [obeyed[words, "without the map"] for words in BOTH]
    if without[0] == without[1]:
        raise NotYet("Both floors are the same numbers: each prompt has its own, painted at scale 0 with its words.")
    if not ceiling > max(map(np.mean, without)):
        raise NotYet(f"The ceiling of {ceiling:.2f} is not above your floors: there is no way that a map could go.")
    if score(obeyed["agree", "with it"], without[0], np.full(len(without[0]), ceiling)).low <= 0:
        raise NotYet("Even where words agree the map is not obeyed for sure: nothing contradicts them. Which net?")
    alone = metrics.rate(came["contradict", "without the map"])
    if alone.value < 0.5:
        raise NotYet(
            f"Without the map your words come true in {alone.value:.0%}: they cannot lose to it what they never had. "
            "Ask for something easier."
        )


def _who_won(guess: str, ceiling: float, obeyed: dict, came: dict) -> str:
    """Tell whether map and words each keep at least half of what they have when nobody contradicts."""
    scores = {
        words: score(obeyed[words, "with it"], floor := obeyed[words, "without the map"], np.full(len(floor), ceiling))
        for words in BOTH
    }
    alone, against = (metrics.rate(came["contradict", which]) for which in ("without the map", "with it"))
    map_holds = scores["contradict"].value >= scores["agree"].value / 2
    words_hold = against.value >= alone.value / 2
    winner = {(1, 1): "both", (1, 0): "map", (0, 1): "words"}.get((map_holds, words_hold), "neither")
    unsure = scores["contradict"].high >= scores["agree"].low
    doubt = " That the quarrel costs the map anything is not shown: the intervals overlap." if unsure else ""
    return (
        f"The map's score is {scores['agree']} where the words agree, {scores['contradict']} where they contradict. "
        f"These come true in {alone.value:.0%} without the map, in {against.value:.0%} with it.{doubt} Who keeps half "
        f"or more: {winner}, {as_expected(winner, guess)}. {WINNERS[winner]}"
    )
