"""Exercises of lesson 05: the sum of several nets, their turns, and what counts as a promise kept."""

from __future__ import annotations

from typing import Any

from .asking import Exercise, NotYet, ask, close

SHAPES = ((1, 4, 6, 5), (1, 8, 3, 2))  # of the skips, not square


def the_sum(summed: Any) -> str:
    """05.1: `summed(said, weights)` adds up what several nets say at each skip (Zhang et al., 2023)."""
    import torch

    generator = torch.Generator().manual_seed(0)
    for weights in ((1.0, 1.0), (1.0, 0.0), (0.5, 2.0, 1.5)):
        said = [[torch.randn(shape, generator=generator) for shape in SHAPES] for _ in weights]
        given = ask(summed, said, list(weights))
        if not isinstance(given, list | tuple) or len(given) != len(SHAPES):
            raise NotYet(f"Give a list of {len(SHAPES)} tensors, one for each skip, for {len(weights)} nets.")
        skips = [*zip(*said, strict=True)]
        wanted = [sum(weight * one for weight, one in zip(weights, skip, strict=True)) for skip in skips]
        if all(map(close, given, wanted)):
            continue
        if all(map(close, given, [sum(skip) for skip in skips])):
            raise NotYet(f"With weights={list(weights)} every net speaks at full strength: the weights are left out.")
        if all(map(close, given, [one / sum(weights) for one in wanted])):
            raise NotYet("That is the mean. The nets are summed, with no further weighting: two friends push harder.")
        raise NotYet(f"With weights={list(weights)} each skip should be the sum of weight times tensor over the nets.")
    return "No referee, no mean, only a sum. And with weights (1, 0) it is the first net alone."


def turns(speaks: Any) -> str:
    """05.2: `speaks(step, steps, start, end)` tells whether the whole of a step lies between start and end."""
    cases = ((0, 10, 0.0, 1.0), (9, 10, 0.0, 1.0), (2, 10, 0.3, 1.0), (3, 10, 0.25, 1.0), (5, 10, 0.0, 0.5),
             (4, 10, 0.0, 0.5), (4, 8, 0.5, 0.75), (6, 8, 0.5, 0.75), (0, 20, 0.0, 0.04), (2, 10, 0.22, 1.0),
             (2, 10, 0.28, 1.0), (7, 10, 0.0, 0.78), (7, 10, 0.0, 0.72))  # fmt: skip
    for step, steps, start, end in cases:
        wanted, given = step / steps >= start and (step + 1) / steps <= end, ask(speaks, step, steps, start, end)
        if bool(given) == wanted:
            continue
        begins, ends = step / steps, (step + 1) / steps
        case = f"Step {step} of {steps} lasts from {begins:g} to {ends:g}, the net's turn from {start:g} to {end:g}"
        if wanted:
            raise NotYet(f"{case}: the whole step lies in it, so the net speaks.")
        if begins >= start:
            raise NotYet(f"{case}: the step ends too late, so the net is silent.")
        raise NotYet(f"{case}: the step begins too early, so the net is silent.")
    return "That is the pipelines' own rule. An end before the first step is over switches a net off."


def promises(keeps_both: Any) -> str:
    """05.3: `keeps_both(alone, together)` tells whether neither control loses more than a tenth of what it reaches."""
    cases = (
        ((0.8, 0.6), (0.8, 0.6), "nothing is lost"),
        ((0.8, 0.6), (0.73, 0.55), "each keeps more than nine tenths of its own"),
        ((0.5, 0.9), (0.42, 0.9), "0.42 is less than nine tenths of 0.5"),
        ((0.9, 0.5), (0.9, 0.42), "the second lost more than a tenth of its own"),
        ((0.5, 0.5), (0.9, 0.4), "what the first gains does not make up for the second"),
        ((0.5, 0.5), (0.7, 0.6), "to gain is to keep"),
    )
    for alone, together, why in cases:
        wanted = all(now >= 0.9 * before for before, now in zip(alone, together, strict=True))
        given = ask(keeps_both, alone, together)
        if bool(given) != wanted:
            raise NotYet(f"alone {alone}, together {together} should give {wanted}: {why}.")
    return "Both, each measured by what it reaches alone: that is the bar of the table in this lesson."


def right_or_not(right_rate: Any) -> str:
    """05.4: `right_rate(rows, control)` gives the share of pictures with the count that was asked for, 0-1."""
    with_control, without = ((3, 3), (2, 4), (5, None), (1, 1)), ((1, 2), (4, None), (4, 4))
    rows = [{"asked": asked, "counted": counted, "control": True} for asked, counted in with_control]
    rows += [{"asked": asked, "counted": counted, "control": False} for asked, counted in without]
    for control, wanted in ((True, 0.5), (False, 1 / 3)):
        given = float(ask(right_rate, rows, control))
        if abs(given - wanted) < 1e-9:
            continue
        mine = [row for row in rows if row["control"] == control]
        hits = sum(row["asked"] == row["counted"] for row in mine)
        if abs(given - hits / sum(row["counted"] is not None for row in mine)) < 1e-9:
            raise NotYet("It leaves out where no hand could be counted. But that is no right hand: the row stays in.")
        if abs(given - sum(row["asked"] == row["counted"] for row in rows) / len(rows)) < 1e-9:
            raise NotYet("It mixes pictures with and without control: take only the rows of `control`.")
        if abs(given - hits) < 1e-9:
            raise NotYet(f"{hits} is the number of right ones: divide by how many pictures there are.")
        raise NotYet(f"With control={control}, {hits} of {len(mine)} are right: {wanted:.3f}, not {given:.3f}.")
    return "A missing hand is a broken promise too. Whoever drops such rows makes any method look good."


EXERCISES: dict[str, Exercise] = {"05.1": the_sum, "05.2": turns, "05.3": promises, "05.4": right_or_not}
