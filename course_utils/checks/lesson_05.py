"""Exercises of lesson 05: the sum of several nets, their turns, and what counts as a promise kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from .asking import NotYet, ask, exercise, expect, noise

SHAPES = ((1, 4, 6, 5), (1, 8, 3, 2))  # of the skips, not square


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
def promises(keeps_both: Any) -> str:
    """`keeps_both(alone, together)` tells whether neither control loses more than a tenth of what it reaches."""
    for alone, together, why in (
        ((0.8, 0.6), (0.8, 0.6), "nothing is lost"),
        ((0.8, 0.6), (0.73, 0.55), "each keeps more than nine tenths of its own"),
        ((0.5, 0.9), (0.42, 0.9), "0.42 is less than nine tenths of 0.5"),
        ((0.9, 0.5), (0.9, 0.42), "the second lost more than a tenth of its own"),
        ((0.5, 0.5), (0.9, 0.4), "what the first gains does not make up for the second"),
        ((0.5, 0.5), (0.7, 0.6), "to gain is to keep"),
    ):
        wanted = all(now >= 0.9 * before for before, now in zip(alone, together, strict=True))
        if bool(ask(keeps_both, alone, together)) != wanted:
            raise NotYet(f"alone {alone}, together {together} should give {wanted}: {why}.")
    return "Both, each measured by what it reaches alone: that is the bar of the table in this lesson."


@exercise("05.4")
def right_or_not(right_rate: Any) -> str:
    """`right_rate(rows, control)` gives the share of pictures with the count that was asked for, 0-1."""
    with_control, without = ((3, 3), (2, 4), (5, None), (1, 1)), ((1, 2), (4, None), (4, 4))
    rows = [{"asked": asked, "counted": counted, "control": True} for asked, counted in with_control]
    rows += [{"asked": asked, "counted": counted, "control": False} for asked, counted in without]
    right = np.array([row["asked"] == row["counted"] for row in rows])
    seen = np.array([row["counted"] is not None for row in rows])
    for control in (True, False):
        own = np.array([row["control"] == control for row in rows])
        given, hits, wanted = float(ask(right_rate, rows, control)), right[own].sum(), right[own].mean()
        slips = (
            (right[own & seen].mean(), "Where no hand can be counted is no right hand either: the row stays in."),
            (right.mean(), "It mixes pictures with and without control: take only the rows of `control`."),
            (hits, f"{hits} is the number of right ones: divide by how many pictures there are."),
        )
        otherwise = f"With control={control}, {hits} of {own.sum()} are right: {wanted:.3f}, not {given:.3f}."
        expect(given, wanted, slips, otherwise)
    return "A missing hand is a broken promise too. Whoever drops such rows makes any method look good."
