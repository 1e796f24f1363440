"""Exercises of lesson 07: what Attend-and-Excite (Chefer et al., 2023) does not ask, how far to push, how sure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..metrics import rate
from .asking import NotYet, ask, exercise, expect, expect_parts, expect_verdicts

SIZE = (3, 4)  # of a map; not square, so that a slip with axes shows
TOO_OFTEN = 200  # looks after which a loop will never end
WAYS, CHANCE = ("without", "with"), 0.05  # what chance does more often than this is not shown


@exercise("07.1")
def two_or_one(together: Any) -> str:
    """`together(first, second)` tells how far two words' maps lie on one another, 0 to 1."""
    import torch

    maps = _positive(1, 2, *SIZE)
    apart = torch.zeros(2, *SIZE)
    apart[0, 0], apart[1, 2] = 0.4, 0.2
    for first, second in (maps, (maps[0], 0.3 * maps[0]), apart, (0.2 * maps[1], maps[0])):
        one, other = first / first.sum(), second / second.sum()
        wanted, given = torch.minimum(one, other).sum(), ask(together, first, second)
        slips = (
            (torch.minimum(first, second).sum(), "A faint map would never lie on anything: make each add up to 1."),
            (
                torch.minimum(first / first.max(), second / second.max()).sum(),
                "Their peaks are 1 now; it is the sums that should be, so that the whole is 1.",
            ),
            (torch.maximum(one, other).sum(), "Where only one of them is, they are not together: the smaller counts."),
            ((one * other).sum(), "A product of shares is small even for a map with itself: take the smaller share."),
            (torch.minimum(one, other).mean(), "The mean depends on how many places there are: add up."),
            (1 - wanted, "That tells how far they are apart; asked is how far together."),
        )
        expect(given, wanted, slips, f"Of these two maps {wanted:.2f} lies on one another, not {float(given):.2f}.")
    return "It has a gradient, too: put into the loss, it pushes two words off the same creature. That comes next."


@exercise("07.2")
def apart_too(loss: Any) -> str:
    """`loss(maps, weight)` is what the weaker word lacks, plus weight times how far the two maps lie together."""
    import torch

    for seed, weight in ((3, 0.5), (4, 0.0), (5, 2.0)):
        maps = _positive(seed, 1, 2, *SIZE) * torch.tensor([0.9, 0.4])[None, :, None, None]
        given = ask(loss, maps, weight)
        lacking, (first, second) = 1 - maps.amax((2, 3)).amin(), (each / each.sum() for each in maps[0])
        both, plain = torch.minimum(first, second).sum(), torch.minimum(*maps[0]).sum()
        if getattr(given, "shape", None) not in ((1,), ()):
            raise NotYet(f"A tensor of one number is asked for; this is {given!r:.60}.")
        slips = (
            (lacking - weight * both, "A sign is wrong: the loss should grow where the two lie together."),
            (lacking + both, "The weight is left out."),
            (weight * (lacking + both), "The weight belongs to the second part alone."),
            (weight * both, "What the weaker word lacks is left out: two words that nobody hears are apart, too."),
            (lacking + weight * plain, "Make each map add up to 1 before you compare them."),
            (1 - maps.amax((2, 3)).amax() + weight * both, "That is the stronger word; the weaker one lacks most."),
        )
        wanted = lacking + weight * both
        expect(given.reshape(()), wanted, slips, f"At weight {weight:g} it should be {float(wanted):.3f}.")
    return "Paint with it, and count. What it wins in pairs it may lose in pictures: look at both rows."


@exercise("07.3")
def how_sharp(sharpness_for: Any) -> str:
    """`sharpness_for(first, second, wanted)` solves softmax(k * [first, second])[0] = wanted for k."""
    for first, second, wanted in ((0.30, 0.10, 0.9), (0.031, 0.026, 0.6), (0.25, 0.15, 0.99)):
        gap, odds = first - second, wanted / (1 - wanted)
        k, given = np.log(odds) / gap, ask(sharpness_for, first, second, wanted)
        slips = (
            (-k, "A sign is wrong: who pays more to the first gives it more than half."),
            (odds / gap, "A softmax has exponentials in it: take the logarithm."),
            (np.log(wanted) / gap, "The others take their share as well: what counts is wanted / (1 - wanted)."),
            (np.log(odds), "The gap between the two is left out: the smaller it is, the sharper it must be."),
            (np.log(odds) / (first / second), "What counts is the difference of the two, not their ratio."),
            (np.log10(odds) / gap, "e is the base of a softmax: the natural logarithm."),
        )
        expect(given, k, slips, f"For {first} against {second} and a share of {wanted} it should give {k:.1f}.")
    return "Maps that differ by thousandths need hundreds. That is why the paper's 100 would be far too much on clay."


@exercise("07.4")
def as_far_as_it_helps(careful: Any) -> str:
    """`careful(latents, loss_of, step, patience)` halves a step until it lowers the loss (backtracking)."""
    for case, scale, patience, halved, looks in (
        ("the whole step helps", 0.5, 5, 1.0, 2),
        ("it leads uphill", -1.0, 3, 0.0, 5),
        ("an eighth of it helps", 9.0, 5, 1 / 8, 5),
        ("half of it helps, and there is patience for that", 3.0, 1, 1 / 2, 3),
        ("it helps only after more halvings than there is patience for", 40.0, 2, 0.0, 4),
    ):
        seen, start = [], _positive(7, *SIZE) * 0 + 1.0

        def loss_of(z, seen=seen):
            seen.append(z)
            if len(seen) > TOO_OFTEN:
                raise RecursionError(f"{TOO_OFTEN} looks and no end: it must stop when patience is at its end")
            return z.square().sum()

        given = ask(careful, start, loss_of, scale * start, patience)
        if len(seen) > 2 * looks + 2:
            raise NotYet(f"Where {case}, it asks for the loss {len(seen)} times; {looks} are enough.")
        slips = (
            (start - scale * start, "The whole step is taken, although the loss is not smaller after it."),
            (start + halved * scale * start, "It goes the other way: the step is taken from the latents."),
        )
        expect(given, start - halved * scale * start, slips, f"Where {case}, {halved:g} of the step should be taken.")
    return "A search along the line: it costs looks, and in exchange no step makes the loss worse."


@exercise("07.5")
def paired_interval(interval: Any) -> str:
    """`interval(before, after, draws)` gives the 95 % bootstrap interval of a ratio, pair by pair."""
    rng, ends = np.random.default_rng(8), [0.025, 0.975]
    before = rng.choice([0.0, 0.5, 1.0], 60, p=[0.4, 0.4, 0.2])
    after = before * rng.choice([0.0, 1.0], 60, p=[0.5, 0.5])
    draws = rng.integers(0, 60, (500, 60))
    given = ask(interval, before, after, draws)
    expect_parts([*given], "two numbers, low and high")
    first, second = before[draws].mean(1), after[draws].mean(1)
    low, high = wanted = np.quantile(second / first, ends)
    slips = (
        (np.quantile(second - first, ends), "That is the interval of the difference; divide in place of subtracting."),
        (
            [(second / first).min(), (second / first).max()],
            "The outermost draws depend on how many there are: take the 2.5 % and the 97.5 % quantile.",
        ),
        (
            np.quantile(after[draws[::-1]].mean(1) / first, ends),
            "Before and after are drawn apart: use one row of `draws` for both, they are the same prompts.",
        ),
    )
    otherwise = f"It should give {low:.3f} to {high:.3f}: for each row of `draws` the mean of `after` over that of "
    expect([float(end) for end in given], wanted, slips, otherwise + "`before`, then the quantiles.")
    return "Each drawn prompt brings its own before and after, so hard prompts do not blur the answer."


@exercise("07.6")
def own_pair(experiment: Any) -> str:
    """`experiment()` gives ({"without": rate, "with": rate}, {way: {seed: whether both are there}})."""
    guess, seen = expect_parts(ask(experiment), "guess and seen")
    if any(not isinstance(each, dict) or {*each} != {*WAYS} for each in (guess, seen)):
        raise NotYet('guess and seen are dicts with the keys "without" and "with".')
    if wrong := [way for way in WAYS if not 0 <= guess[way] <= 1]:
        raise NotYet(f"A guess is a share from 0 to 1; {wrong[0]!r} is {guess[wrong[0]]!r}.")
    if odd := {*seen["without"]} ^ {*seen["with"]}:
        raise NotYet(f"Paint the same seeds both ways: {sorted(odd)} stand on one side only, nothing beside them.")
    for way in WAYS:
        expect_verdicts(way, [*seen[way].values()])
    pairs = [tuple(seen[way][seed] for way in WAYS) for seed in seen["with"]]
    rates = {way: rate(column) for way, column in zip(WAYS, zip(*pairs, strict=True), strict=True)}
    inside = sum(rates[way].low <= guess[way] <= rates[way].high for way in WAYS)
    mended, spoiled = pairs.count((False, True)), pairs.count((True, False))
    return (
        f"Both there: {'; '.join(f'{way} {found}' for way, found in rates.items())}. Your guess lies in the interval "
        f"for {inside} of 2. Seed by seed: {mended} mended, {spoiled} spoiled, {len(pairs) - mended - spoiled} alike. "
        f"{_what_pairs_tell(mended, spoiled, len(pairs), rates['without'].value)}"
    )


def _what_pairs_tell(mended: int, spoiled: int, count: int, before: float) -> str:
    """Say what the pairs that changed show, by the sign test, and what so few cannot show."""
    if not mended + spoiled:
        whole = {1.0: " There was nothing to mend: take a harder pair.", 0.0: " Neither way brings both: an easier?"}
        return f"No seed changed its verdict, so these pictures tell nothing of the pushes.{whole.get(before, '')}"
    chance, enough = _coin(mended, spoiled), next(n for n in range(1, 99) if _coin(n, 0) <= CHANCE)
    coin = f"A fair coin, thrown for each seed that changed, falls as unevenly in {chance:.0%} of such series."
    if chance <= CHANCE:
        return f"{coin} So here the pushes {'help' if mended > spoiled else 'harm'}; for other pairs ask the audit."
    if mended + spoiled < enough:
        return f"{coin} With fewer than {enough} seeds that change nothing can be shown, whichever way they point."
    often = next((n for n in range(2, 100) if _coin(n * mended, n * spoiled) <= CHANCE), None)
    more = f"If it goes on like this, about {often * count} seeds show it." if often else "More would hardly tell."
    return f"{coin} That is too often to believe anything yet. {more}"


def _coin(mended: int, spoiled: int) -> float:
    """Give the chance that a fair coin falls at least so unevenly (sign test, both sides)."""
    count = mended + spoiled
    return min(1.0, 2 * sum(math.comb(count, k) for k in range(min(mended, spoiled) + 1)) / 2**count)


def _positive(seed: int, *shape: int):
    import torch

    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))
