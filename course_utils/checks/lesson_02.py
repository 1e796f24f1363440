"""Exercises of lesson 02: where the walk is entered, latents blended, what changed, and the best compromise."""

from __future__ import annotations

from typing import Any

from .asking import NotYet, ask, exercise, expect, noise

LATENTS = (2, 12, 4, 6)  # not square, so that a slip with axes shows


@exercise("02.1")
def times_to_run(times_to_run: Any) -> str:
    """`times_to_run(times, strength)` gives the last part of the schedule."""
    for times, strength in (([901, 701, 501, 301, 101], 0.4), ([951, 634, 317, 1], 1.0), ([901, 601, 301, 1], 0.7)):
        count = int(len(times) * strength)
        given, wanted = [*ask(times_to_run, times, strength)], times[len(times) - count :]
        if given == wanted:
            continue
        reason = "int(n * strength) steps are run, the last ones."
        if given == times[:count]:
            reason = "It runs the first steps and stops in the noise: enter late, and go to the end."
        elif given == times[count:]:
            reason = "It skips as many steps as should be run."
        raise NotYet(f"Of {times} with strength {strength} it should give {wanted}, not {given}. {reason}")
    return "The first of them also says how much noise the picture gets before the loop begins."


@exercise("02.2")
def blended(blend: Any) -> str:
    """`blend(inside, new, kept)` joins two sets of latents by a mask (Avrahami et al., 2023, algorithm 1)."""
    import torch

    new, kept = noise(0, *LATENTS), noise(1, *LATENTS)
    hard = torch.zeros(1, 1, *LATENTS[2:])
    hard[..., 1:3, 2:5] = 1
    soft = 0.25 + hard / 2
    for inside, otherwise in (
        (hard, "The new latents should stand where inside is 1, the kept ones where it is 0."),
        (soft, "A soft mask mixes: at 0.25 a quarter is new and three quarters are kept."),
    ):
        slips = (
            (
                inside * kept + (1 - inside) * new,
                "It is the other way round: inside is 1 for the new latents.",
            ),
            (inside * new + kept, "Inside, the kept latents are still there: multiply them by 1 - inside."),
        )
        expect(ask(blend, inside, new, kept), inside * new + (1 - inside) * kept, slips, otherwise)
    return "That line, after each step, is the whole of a masked edit."


@exercise("02.3")
def what_changed(changed_outside: Any) -> str:
    """`changed_outside(before, after, mask)` gives the mean change where the mask is False, 0-255."""
    import numpy as np

    before, after = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 3), dtype=np.uint8)
    mask = np.zeros((8, 12), bool)
    mask[2:6, 3:9] = True
    signed = after.astype(float) - before
    change = np.abs(signed)
    given, wanted = float(ask(changed_outside, before, after, mask)), change[~mask].mean()
    slips = (
        (change[mask].mean(), "That is the change inside: turn the mask round with ~mask."),
        (change.mean(), "That is the change of the whole picture: take the pixels outside only."),
        (signed[~mask].mean(), "Brighter and darker cancel out: take the absolute value before the mean."),
        ((after - before)[~mask].mean(), "uint8 wraps around: 3 - 5 is 254. Turn the pictures into floats first."),
        ((change * ~mask[..., None]).mean(), "What is masked was set to 0 and counted: leave it out."),
    )
    expect(given, wanted, slips, f"It gives {given:.1f}; the pixels outside changed by {wanted:.1f} on average.")
    return "Now 'the rest stays' is a number, and a claim that can fail."


@exercise("02.4")
def best_compromise(compromise: Any) -> str:
    """`compromise(kept, obeyed)` gives the strength at which the smaller of two numbers is largest."""
    cases = (
        ({0.3: 0.9, 0.5: 0.6, 0.7: 0.5, 0.9: 0.1}, {0.3: 0.0, 0.5: 0.2, 0.7: 0.4, 0.9: 1.0}),
        ({0.2: 1.0, 0.8: 0.3}, {0.2: 0.25, 0.8: 0.35}),
        ({0.4: 0.5, 0.6: 0.5}, {0.4: 0.5, 0.6: 0.9}),
    )
    for kept, obeyed in cases:
        given, worst = ask(compromise, kept, obeyed), {s: min(kept[s], obeyed[s]) for s in kept}
        wanted = max(worst, key=worst.get)
        if given == wanted:
            continue
        reason = f"there the weaker of the two is {worst[wanted]}, more than anywhere else."
        if given == worst[wanted]:
            reason = "that is the number that is reached there; say at which strength."
        elif given == max(kept, key=lambda s: kept[s] + obeyed[s]):
            reason = "a sum lets one wish pay for the other. The weaker one counts."
        raise NotYet(f"For kept={kept} and obeyed={obeyed} it should give {wanted}, not {given}: {reason}")
    return "If even the best compromise is bad, the knob is the wrong one: lesson 03 brings another."
