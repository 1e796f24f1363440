"""Exercises of lesson 02: how strong, two edits blended, what changed, a strength by bisection, and what survives."""

from __future__ import annotations

import math
from typing import Any

from ..metrics import rate
from .asking import NotYet, ask, exercise, expect, expect_parts, expect_unnamed, expect_verdicts, noise

LATENTS = (2, 12, 4, 6)  # not square, so that a slip with axes shows
CALLS = 5  # of a bisection


@exercise("02.1")
def how_strong(strength_for: Any) -> str:
    """`strength_for(left, least)` gives a strength that begins where at least so much of the picture is left."""
    many = [0.1] * 48 + [0.9]  # int(49 * (1 / 49)) is 0
    for left, least in (
        ([0.1, 0.2, 0.4, 0.9], 0.5), ([0.1, 0.4, 0.5, 0.6, 0.95], 0.4), ([0.5, 0.6], 0.2), (many, 0.5)
    ):  # fmt: skip
        count, wanted = len(left), sum(share >= least for share in left)
        given = ask(strength_for, left, least)
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
            raise NotYet(f"Give a strength, from 0 to 1; this gives {given!r:.40}.")
        run = int(count * given)
        if run == wanted:
            continue
        if round(count * given) == wanted:
            raise NotYet(f"int({count} * {given!r}) is {run}, not {wanted}: `int` cuts off. Aim at half a step more.")
        case = f"For left={left[-5:]} and least={least} strength {given:g} runs {run} of {count} steps"
        if run == count - wanted:
            raise NotYet(f"{case}: as many as should be skipped.")
        if run > wanted:
            raise NotYet(f"{case} and begins where only {left[count - run]:.0%} is left.")
        raise NotYet(f"{case}; {wanted} would leave {left[count - wanted]:.0%} still, so it may be stronger.")
    return "What you can bear to lose says how strong you may be. But it is a share of everything, large and small."


@exercise("02.2")
def blended(blend: Any) -> str:
    """`blend(insides, news, kept)` joins several edits and the kept latents (after Avrahami et al., 2023)."""
    import torch

    news, kept = [noise(0, *LATENTS), noise(2, *LATENTS)], noise(1, *LATENTS)
    hard = torch.zeros(2, 1, 1, *LATENTS[2:])
    hard[0, ..., 1:3, :2] = hard[1, ..., 2:, 3:] = 1
    for insides, otherwise in (
        ([*hard], "Where a mask is 1 its own new latents should stand, where all are 0 the kept ones."),
        ([*(0.2 + hard / 2)], "Soft masks share a place out: each of the new by its mask, what is left to the kept."),
    ):
        own = sum(inside * new for inside, new in zip(insides, news, strict=True))
        one_by_one = insides[1] * news[1] + (1 - insides[1]) * (insides[0] * news[0] + (1 - insides[0]) * kept)
        slips = (
            (own + sum(1 - inside for inside in insides) * kept, "The kept latents are counted once for each mask."),
            (own + kept, "Inside, the kept latents are still there: they get only what no mask takes."),
            (own, "Outside there is nothing: the kept latents get what no mask takes."),
            (insides[0] * news[0] + (1 - insides[0]) * kept, "Only the first edit is made."),
            (one_by_one, "One after the other, the second edit takes from the first: share out all at once."),
            (own + (1 - insides[0]) * (1 - insides[1]) * kept, "The shares do not add up to 1: take 1 - their sum."),
        )
        expect(ask(blend, insides, news, kept), own + (1 - sum(insides)) * kept, slips, otherwise)
    return "Two prompts, two places, one picture: that line, after each step, is all it takes."


@exercise("02.3")
def what_changed(changed_outside: Any) -> str:
    """`changed_outside(before, after, mask, least)` gives the share of pixels outside that changed visibly."""
    import numpy as np

    rng = np.random.default_rng(0)
    before = rng.integers(0, 256, (8, 12, 3), dtype=np.uint8)
    after = (before.astype(int) + rng.integers(-30, 31, before.shape)).clip(0, 255).astype(np.uint8)
    mask = np.zeros((8, 12), bool)
    mask[2:6, 3:9] = True
    after[mask] = 255 - after[mask]
    signed, least = after.astype(int) - before, 20
    seen = (np.abs(signed) > least).any(-1)
    given, wanted = float(ask(changed_outside, before, after, mask, least)), seen[~mask].mean()
    slips = (
        (seen[mask].mean(), "That is the share inside: turn the mask round with ~mask."),
        (seen.mean(), "That is the share of the whole picture: take the pixels outside only."),
        ((seen & ~mask).mean(), "Divide by the number of pixels outside, not by all."),
        (seen[~mask].sum(), "That is their number: divide by how many pixels lie outside."),
        ((signed > least).any(-1)[~mask].mean(), "What got darker has changed as well: take the absolute value."),
        (((after - before) > least).any(-1)[~mask].mean(), "uint8 wraps around: 3 - 5 is 254. Take numbers first."),
        ((np.abs(signed).mean(-1) > least)[~mask].mean(), "A mean over the channels hides red that became green."),
        ((np.abs(signed) > least)[~mask].mean(), "That counts channels: a pixel has changed when any channel has."),
    )
    expect(given, wanted, slips, f"It gives {given:.3f}; outside {wanted:.3f} of all changed by more than {least}.")
    return "A mean over the picture hides a small spot that has wholly changed; a share of pixels counts it."


@exercise("02.4")
def half_by_bisection(half_of_them: Any) -> str:
    """`half_of_them(share_at)` finds by bisection where a growing share reaches a half, in five calls."""
    for where in (0.61, 0.23, 0.94):
        tried: list[float] = []

        def share_at(strength: float, where: float = where, tried: list[float] = tried) -> float:
            tried.append(float(strength))
            return 1 / (1 + math.exp(40 * (where - strength)))

        given = ask(half_of_them, share_at)
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise NotYet(f"Give a strength, a number from 0 to 1; this gives {given!r:.40}.")
        if len(tried) > CALLS:
            raise NotYet(f"It paints at {len(tried)} strengths: five are enough, each halves what is left.")
        if abs(given - where) <= 0.5**CALLS:
            continue
        after = ", ".join(f"{strength:g}" for strength in tried)
        raise NotYet(
            f"With half of the seeds at {where} it tries {after or 'nothing'} and gives {given:g}. Where the share is "
            "less than a half, the answer is stronger: go on with the upper half."
        )
    return "Five calls for 1/32, ten for 1/1024: that is how one searches where each look is dear."


@exercise("02.5")
def what_survives(experiment: Any) -> str:
    """`experiment()` gives the prompt, {thing: strength that takes it} as expected, {strength: {thing: verdicts}}."""
    prompt, guess, seen = expect_parts(ask(experiment), "prompt, guess and seen", 3)
    if not isinstance(guess, dict) or len(guess) != 2 or not all(0 < strength <= 1 for strength in guess.values()):
        raise NotYet("guess is a dict of two things in your picture, each with the strength at which it will be gone.")
    expect_unnamed(prompt, guess)
    if not isinstance(seen, dict) or len(seen) < 4 or max(seen) != 1 or not 0 < min(seen) <= 0.4:
        raise NotYet(
            "seen is a dict with four strengths or more as keys. One is 1, to see what comes without the picture, one "
            "0.4 or less, to see that your measure finds what is there."
        )
    for strength, verdicts in seen.items():
        if not isinstance(verdicts, dict) or {*verdicts} != {*guess}:
            raise NotYet(f"For strength {strength} give a dict with the things of your guess: {', '.join(guess)}.")
        for thing, hits in verdicts.items():
            expect_verdicts(f"{thing} at strength {strength}", hits)
    rates = {thing: {at: rate(seen[at][thing]) for at in sorted(seen)} for thing in guess}
    for thing, found in rates.items():
        _expect_both_ends(thing, found)
    return _what_went_first(guess, rates)


def _expect_both_ends(thing: str, found: dict[float, Any]) -> None:
    """Go on if a thing is found where hardly anything has changed, and not where nothing of the picture is left."""
    low, high = min(found), max(found)
    if found[low].value < 0.5:
        raise NotYet(
            f"At strength {low} hardly anything has changed, and yet {thing} is found in {found[low].value:.0%}: your "
            "measure does not see it. Take a clearer thing, or look with your own eyes."
        )
    if found[high].value >= 0.5:
        raise NotYet(
            f"At strength 1 next to nothing of the picture is left, and {thing} is there in {found[high].value:.0%}: "
            "it comes of the words, or of habit. Take a thing that they do not bring."
        )


def _what_went_first(guess: dict[str, float], rates: dict[str, dict[float, Any]]) -> str:
    """Tell at which strength each thing is gone from half of the pictures, and whether that was expected."""
    gone = {thing: min(at for at, found in each.items() if found.value < 0.5) for thing, each in rates.items()}
    lines = []
    for thing, each in rates.items():
        before = max(at for at in each if at < gone[thing])
        hit = "as you expected" if before < guess[thing] <= gone[thing] else f"and you expected {guess[thing]}"
        shares = ", ".join(f"{found.value:.0%} at {at}" for at, found in each.items())
        lines.append(f"{thing}: {shares}; gone between {before} and {gone[thing]}, {hit}")
    early, late = sorted(gone, key=gone.get)
    if gone[early] == gone[late]:
        meaning = "Both went in the same gap: strengths within it would tell which goes first."
    elif rates[early][gone[early]].high < rates[late][gone[early]].low:
        meaning = f"{early} went first, and at {gone[early]} their intervals do not touch."
    else:
        meaning = f"{early} went first, but at {gone[early]} their intervals overlap: so few pictures do not show it."
    return (
        f"{'. '.join(lines)}. {meaning} Noise drowns what is small before what is large; if yours went the other way "
        "round, look what saved the smaller one: a strong colour, a place where the model likes to put it?"
    )
