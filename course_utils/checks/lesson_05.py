"""Exercises of lesson 05: the sum of several nets, their turns, three at once, mended and broken."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import metrics
from .asking import NotYet, ask, exercise, expect, expect_parts, noise

SHAPES = ((1, 4, 6, 5), (1, 8, 3, 2))  # of the skips, not square
NAMES, ALONE = ("first", "second"), ((1, 0), (0, 1))  # of two maps; the weights at which one speaks alone
KEPT = 0.9  # the share of what it reaches alone that counts as kept
SEEDS, FEW_SEEDS = 6, 4  # least seeds of an experiment, and of one with three maps


@exercise("05.1")
def the_sum(summed: Any) -> str:
    """`summed(said, weights)` adds up what several nets say at each skip (Zhang et al., 2023)."""
    for weights in ((1.0, 1.0), (1.0, 0.0), (0.5, 2.0, 1.5)):
        nets = [[noise(10 * net + k, *shape) for k, shape in enumerate(SHAPES)] for net in range(len(weights))]
        given = ask(summed, nets, list(weights))
        if not isinstance(given, list | tuple) or len(given) != len(SHAPES):
            raise NotYet(f"Give a list of {len(SHAPES)} tensors, one for each skip, for {len(weights)} nets.")
        case = f"With weights={list(weights)}"
        for total, skip in zip(given, zip(*nets, strict=True), strict=True):
            wanted = sum(weight * tensor for weight, tensor in zip(weights, skip, strict=True))
            slips = (
                (sum(skip), f"{case} every net speaks at full strength: the weights are left out."),
                (wanted / sum(weights), "That is the mean. The nets are summed: two friends push harder."),
            )
            expect(total, wanted, slips, f"{case} each skip should be the sum of weight times tensor over the nets.")
    return "No referee, no mean, only a sum. And with weights (1, 0) it is the first net alone."


@exercise("05.2")
def turns(speaks: Any) -> str:
    """`speaks(step, steps, start, end)` tells whether the whole of a step lies between start and end."""
    cases = ((0, 10, 0.0, 1.0), (9, 10, 0.0, 1.0), (2, 10, 0.3, 1.0), (3, 10, 0.25, 1.0), (5, 10, 0.0, 0.5),
             (4, 10, 0.0, 0.5), (4, 8, 0.5, 0.75), (6, 8, 0.5, 0.75), (0, 20, 0.0, 0.04), (2, 10, 0.22, 1.0),
             (2, 10, 0.28, 1.0), (7, 10, 0.0, 0.78), (7, 10, 0.0, 0.72))  # fmt: skip
    for step, steps, start, end in cases:
        begins, ends = step / steps, (step + 1) / steps
        wanted = begins >= start and ends <= end
        if bool(ask(speaks, step, steps, start, end)) == wanted:
            continue
        reason = "the whole step lies in it, so the net speaks"
        if not wanted:
            reason = f"the step {'ends too late' if begins >= start else 'begins too early'}, so the net is silent"
        lasts = f"Step {step} of {steps} lasts from {begins:g} to {ends:g}"
        raise NotYet(f"{lasts}, the net's turn from {start:g} to {end:g}: {reason}.")
    return "That is the pipelines' own rule. An end before the first step is over switches a net off."


@exercise("05.3")
def three_promises(three_maps: Any) -> str:
    """`three_maps()` gives (names expected to be kept, {name: alone}, {name: together}), a number for each seed."""
    expected, alone, together = expect_parts(ask(three_maps), "expected, alone and together", 3)
    if not isinstance(alone, dict) or not isinstance(together, dict) or {*alone} != {*together} or len(alone) != 3:
        raise NotYet("alone and together are dicts with the names of the same three maps.")
    if isinstance(expected, str) or not {*expected} <= {*alone}:
        raise NotYet(f"expected is a list of those that keep their promise, of {', '.join(alone)}; none may be.")
    obeyed = [np.array([*values], float) for side in (alone, together) for values in side.values()]
    if len({len(each) for each in obeyed}) > 1 or len(obeyed[0]) < FEW_SEEDS:
        raise NotYet(f"The same seeds everywhere, {FEW_SEEDS} or more; there are {sorted({*map(len, obeyed)})}.")
    if any(not (np.abs(each) <= 1).all() for each in obeyed):
        raise NotYet("One number up to 1 for each seed. nan says that a map asks for nothing: take another scene.")
    if weak := [name for name, values in alone.items() if np.mean(values) < 0.1]:
        raise NotYet(f"Alone, {weak[0]} is obeyed by {np.mean(alone[weak[0]]):.2f}: what it never had it cannot lose.")
    shares = {name: metrics.ratio(alone[name], together[name]) for name in alone}
    kept = [name for name, share in shares.items() if share.value >= KEPT]
    told = "; ".join(f"{name} keeps {one.value:.0%} ({one.low:.0%} to {one.high:.0%})" for name, one in shares.items())
    who = "all three" if len(kept) == len(alone) else ", ".join(kept) or "none"
    return f"{told}. Kept: {who}, {'as you expected' if {*kept} == {*expected} else 'and you expected otherwise'}."


@exercise("05.4")
def mended_and_spoiled(changed: Any) -> str:
    """`changed(rows)` counts the pairs that only control made right, and those that only control made wrong."""
    counts = {  # (asked, seed): what was counted without and with control
        (3, 0): (2, 3), (3, 1): (None, 3), (2, 0): (4, 2), (1, 0): (1, 1), (1, 1): (1, None),
        (4, 0): (5, 3), (2, 1): (2, 3), (5, 0): (4, 5), (5, 1): (None, None),
    }  # fmt: skip
    both = "These are all right ones, with control and without it: look at the pairs that changed."
    for chosen in (counts, {key: counts[key] for key in [*counts][3:]}):
        rows = [
            {"subject": "hand", "asked": asked, "seed": seed, "control": bool(way), "counted": counted}
            for way in (1, 0)
            for (asked, seed), pair in chosen.items()
            for counted in [pair[way]]
        ]
        right = np.array([[counted == asked for counted in pair] for (asked, _), pair in chosen.items()])
        seen = np.array([None not in pair for pair in chosen.values()])
        given = expect_parts(ask(changed, rows), "how many were mended and how many spoiled")
        mended, spoiled = right[:, 1] & ~right[:, 0], right[:, 0] & ~right[:, 1]
        slips = (
            ((spoiled.sum(), mended.sum()), "The two are in each other's place: mended first."),
            (((mended & seen).sum(), (spoiled & seen).sum()), "Where no hand is counted none is right: it stays in."),
            (right.sum(0), both),
            (right.sum(0)[::-1].copy(), both),
            ((mended.mean(), spoiled.mean()), "These are shares: count the pairs."),
        )
        wanted = int(mended.sum()), int(spoiled.sum())
        expect([float(each) for each in given], wanted, slips, f"Of {len(chosen)} pairs it should give {wanted}.")
    return "Who gives the difference of two rates alone hides what was spoiled: both rates hold the pairs that agree."


@exercise("05.5")
def friends_or_enemies(experiment: Any) -> str:
    """`experiment()` gives ({weights: (share kept, share kept)}, {weights: [(obeyed, obeyed) of each seed]})."""
    guess, seen = expect_parts(ask(experiment), "guess and seen")
    if not isinstance(guess, dict) or not isinstance(seen, dict):
        raise NotYet("guess and seen are dicts; their keys are pairs of weights, such as (0.5, 0.5).")
    if missing := [weights for weights in ALONE if weights not in seen]:
        raise NotYet(f"What does each map reach alone? Paint the same seeds with the weights {missing[0]}, too.")
    if not guess or not {*guess} <= {*seen} - {*ALONE}:
        raise NotYet("guess holds the weights at which both maps speak, those that you painted: no others.")
    if any(not 0 <= share <= 1 for pair in guess.values() for share in pair):
        raise NotYet("A guess is a pair of shares, 0 to 1: how much of what it reaches alone does each map keep?")
    if len(counts := {len(pairs) for pairs in seen.values()}) > 1 or min(counts) < SEEDS:
        raise NotYet(f"The same seeds for all weights, {SEEDS} or more; there are {sorted(counts)}.")
    obeyed = {weights: np.array(pairs, float).T for weights, pairs in seen.items()}  # [map, seed]
    if any(len(each) != 2 or not (np.abs(each) <= 1).all() for each in obeyed.values()):
        raise NotYet("For each seed two numbers up to 1. nan says that a map asks for nothing: take another scene.")
    first, second = (obeyed[weights] for weights in ALONE)
    alone, stranger = (first[0], second[1]), (second[0], first[1])
    if weak := [side for side in (0, 1) if alone[side].mean() < 0.1]:
        value = alone[weak[0]].mean()
        raise NotYet(f"Alone, the {NAMES[weak[0]]} map is obeyed by {value:.2f}: what it never had it cannot lose.")
    if np.array_equal(first, second) and not np.isin(first, (0, 1)).all():
        raise NotYet("Each map alone gives the same pictures, to the last digit: did the weights reach the call?")
    kept = {weights: [metrics.ratio(alone[side], obeyed[weights][side]) for side in (0, 1)] for weights in guess}
    lines = [_at_these_weights(weights, kept[weights], guess[weights]) for weights in guess]
    for side in (0, 1):
        if (known := stranger[side].mean() / alone[side].mean()) >= KEPT:
            lines.append(f"But the other map alone brings {known:.0%} of what the {NAMES[side]} reaches: no stranger.")
    return " ".join(lines)


def _at_these_weights(weights: tuple, kept: list[metrics.Interval], guess: tuple) -> str:
    """Say what each map keeps, beside the guess, and what that means."""
    shares = "; ".join(
        f"the {name} map keeps {share.value:.0%} ({share.low:.0%} to {share.high:.0%}; you expected {wish:.0%})"
        for name, share, wish in zip(NAMES, kept, guess, strict=True)
    )
    broken = [name for name, share in zip(NAMES, kept, strict=True) if share.value < KEPT]
    unsure = any(share.low < KEPT <= share.high for share in kept)
    doubt = " Nine tenths lies in an interval: more seeds might say otherwise." if unsure else ""
    gives_way = f"The {''.join(broken)} gives way to the other."
    meaning = ("They agree.", gives_way, "Both lose: a mixture that neither asked for.")[len(broken)]
    return f"At {weights} {shares}. {meaning}{doubt}"
