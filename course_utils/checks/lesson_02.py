"""Exercises of lesson 02: where the walk is entered, latents blended, what changed, and the best compromise."""

from __future__ import annotations

from typing import Any

from .asking import Exercise, NotYet, ask, close

LATENTS = (2, 12, 4, 6)  # not square, so that a slip with axes shows


def times_to_run(times_to_run: Any) -> str:
    """02.1: `times_to_run(times, strength)` gives the last part of the schedule."""
    for times, strength in (([901, 701, 501, 301, 101], 0.4), ([951, 634, 317, 1], 1.0), ([901, 601, 301, 1], 0.7)):
        count = int(len(times) * strength)
        given, wanted = [*ask(times_to_run, times, strength)], times[len(times) - count :]
        if given == wanted:
            continue
        where = f"Of {times} with strength {strength} it should give {wanted}, not {given}"
        if given == times[:count]:
            raise NotYet(f"{where}. It runs the first steps and stops in the noise: enter late, and go to the end.")
        if given == times[count:]:
            raise NotYet(f"{where}. It skips as many steps as should be run.")
        raise NotYet(f"{where}. int(n * strength) steps are run, the last ones.")
    return "The first of them also says how much noise the picture gets before the loop begins."


def blended(blend: Any) -> str:
    """02.2: `blend(inside, new, kept)` joins two sets of latents by a mask (Avrahami et al., 2023, algorithm 1)."""
    import torch

    draw = torch.Generator().manual_seed(0)
    new, kept = (torch.randn(LATENTS, generator=draw) for _ in range(2))
    inside = torch.zeros(1, 1, *LATENTS[2:])
    inside[..., 1:3, 2:5] = 1
    for mask in (inside, 0.25 + inside / 2):
        given = ask(blend, mask, new, kept)
        if close(given, mask * new + (1 - mask) * kept):
            continue
        if close(given, mask * kept + (1 - mask) * new):
            raise NotYet("It is the other way round: where inside is 1 the new latents count.")
        if close(given, mask * new + kept):
            raise NotYet("Inside, the kept latents are still there: multiply them by 1 - inside.")
        if mask is not inside:
            raise NotYet("A soft mask mixes: at 0.25 a quarter is new and three quarters are kept.")
        raise NotYet("The new latents should stand where inside is 1, the kept ones where it is 0.")
    return "That line, after each step, is the whole of a masked edit."


def what_changed(changed_outside: Any) -> str:
    """02.3: `changed_outside(before, after, mask)` gives the mean change where the mask is False, 0-255."""
    import numpy as np

    draw = np.random.default_rng(0)
    before, after = draw.integers(0, 256, (2, 8, 12, 3), dtype=np.uint8)
    mask = np.zeros((8, 12), bool)
    mask[2:6, 3:9] = True
    change = np.abs(after.astype(float) - before)
    given, wanted = float(ask(changed_outside, before, after, mask)), float(change[~mask].mean())
    if abs(given - wanted) < 1e-3:
        return "Now 'the rest stays' is a number, and a claim that can fail."
    reasons = {
        "That is the change inside: turn the mask round with ~mask.": change[mask].mean(),
        "That is the change of the whole picture: take the pixels outside only.": change.mean(),
        "Brighter and darker cancel out: take the absolute value before the mean.": (after.astype(float) - before)[
            ~mask
        ].mean(),
        "uint8 wraps around: 3 - 5 is 254. Turn the pictures into floats first.": (after - before)[~mask].mean(),
        "What is masked was set to 0 and counted: leave it out.": (change * ~mask[..., None]).mean(),
    }
    for reason, value in reasons.items():
        if abs(given - float(value)) < 1e-3:
            raise NotYet(reason)
    raise NotYet(f"It gives {given:.1f}; the pixels outside changed by {wanted:.1f} on average.")


def best_compromise(compromise: Any) -> str:
    """02.4: `compromise(kept, obeyed)` gives the strength at which the smaller of two numbers is largest."""
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
        where = f"For kept={kept} and obeyed={obeyed} it should give {wanted}, not {given}"
        if given == worst[wanted]:
            raise NotYet(f"{where}: that is the number that is reached there; say at which strength.")
        if given == max(kept, key=lambda s: kept[s] + obeyed[s]):
            raise NotYet(f"{where}: a sum lets one wish pay for the other. The weaker one counts.")
        raise NotYet(f"{where}: there the weaker of the two is {worst[wanted]}, more than anywhere else.")
    return "If even the best compromise is bad, the knob is the wrong one: lesson 03 brings another."


EXERCISES: dict[str, Exercise] = {
    "02.1": times_to_run,
    "02.2": blended,
    "02.3": what_changed,
    "02.4": best_compromise,
}
