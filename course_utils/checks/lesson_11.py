"""Exercises of lesson 11: the warping error, cross-frame attention, white noise, and which rung is best."""

from __future__ import annotations

from typing import Any

import numpy as np

from .asking import NotYet, ask, exercise, expect, expect_shape, noise


@exercise("11.1")
def error(warping_error: Any) -> str:
    """`warping_error(a, pulled, visible)` is a mean square over visible points (Lai et al., 2018)."""
    rng = np.random.default_rng(0)
    a, pulled = rng.random((6, 5, 3)), rng.random((6, 5, 3))
    visible = rng.random((6, 5)) > 0.4
    square = (pulled - a) ** 2
    given = float(ask(warping_error, a, pulled, visible))
    slips = (
        (square.mean(), "Hidden points count too: leave out where visible is False."),
        ((square * visible[..., None]).mean(), "Divide by the visible points, not by all."),
        (np.sqrt(square[visible].mean()), "No root: the error is the mean of squares."),
        (np.abs(pulled - a)[visible].mean(), "Squares, not absolute values."),
    )
    expect(given, square[visible].mean(), slips, "It should be the mean of (pulled - a) squared, where visible.")
    nothing = float(ask(warping_error, a, pulled, np.zeros((6, 5), bool)))
    expect(nothing, 0.0, (), f"Where nothing is visible it should be 0, not {nothing}.")
    return "Only points that both frames show can flicker."


@exercise("11.2")
def looks(first_and_previous: Any) -> str:
    """`first_and_previous(tokens, frames)` gathers keys and values, each half of guidance for itself."""
    frames, tokens = 3, noise(0, 6, 4, 2)
    given = ask(first_and_previous, tokens, frames)
    expect_shape(given, (6, 8, 2), "[half * frame, 2 * token, channel]")

    def gather(first: list[int], previous: list[int]) -> Any:
        import torch

        return torch.cat([tokens[first], tokens[previous]], dim=1)

    first, previous = [0, 0, 0, 3, 3, 3], [0, 0, 1, 3, 3, 4]
    slips = (
        (gather([0] * 6, [0, 0, 1, 2, 3, 4]), "The halves are mixed: the second half's first frame is number 3."),
        (gather([0] * 6, previous), "The second half looks at the first half's first frame: take the halves apart."),
        (
            gather(first, [2, 0, 1, 5, 3, 4]),
            "The first frame has none before it: it looks at itself, not at the last.",
        ),
        (gather(previous, first), "The first frame's tokens come first, then the previous frame's."),
        (gather(first, [0, 1, 2, 3, 4, 5]), "That is the frame itself, not the one before it."),
    )
    expect(given, gather(first, previous), slips, "Some frame looks elsewhere: print which rows it should take.")
    return "That is all that cross-frame attention needs."


@exercise("11.3")
def white(landed: Any) -> str:
    """`landed(values)` keeps the variance at 1 however many values land."""
    for values in ([0.5], [1.0, -2.0], [0.3, 1.1, -0.4, 2.0]):
        total, count = sum(values), len(values)
        slips = (
            (total / count, "That is the mean: its variance is one over their number, and the noise fades."),
            (total, "That is the sum: its variance is their number."),
            (values[-1], "The last one wins: that is white too, but it throws away what else landed."),
        )
        expect(ask(landed, values), total / count**0.5, slips if count > 1 else (),
               f"For {values} it should be {total / count**0.5:.3f}.")  # fmt: skip
    return "The sum over the root of their number: as white as what came in."


@exercise("11.4")
def honest(best_rung: Any) -> str:
    """`best_rung(rows)` is the steadiest rung among those that neither blur nor disobey."""
    alone = {"warping error": 2.0, "adherence": 0.9, "sharpness": 1.0}
    rows = {
        "alone": alone,
        "noise": alone | {"warping error": 0.8},
        "blurred": alone | {"warping error": 0.1, "sharpness": 0.5},
        "frozen": alone | {"warping error": 0.2, "adherence": 0.4},
        "median": {"warping error": 0.3, "adherence": 0.87, "sharpness": 0.96},
        "sharp": {"warping error": 0.4, "adherence": 0.91, "sharpness": 1.3},
    }
    given = ask(best_rung, rows)
    why = {
        "blurred": "it has lost half of its sharpness",
        "frozen": "it does not obey its maps any more",
        "sharp": "'median' is steadier, and both are honest",
        "noise": "it is honest, but others are steadier",
        "alone": "it is where we started",
    }
    if given != "median":
        raise NotYet(f"It should be 'median', not {given!r}: {why.get(given, 'no such rung')}.")
    if (left := ask(best_rung, {"alone": alone, "blurred": rows["blurred"]})) != "alone":
        raise NotYet(f"If all others cheat, 'alone' is the best, not {left!r}.")
    return "A measure that stands alone gets cheated; this one does not stand alone."
