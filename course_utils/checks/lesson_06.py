"""Exercises of lesson 06: a word turned up, regions, luck, and what a map foretells."""

from __future__ import annotations

from typing import Any

import numpy as np

from .asking import NotYet, as_expected, ask, exercise, expect, expect_parts, expect_shape, noise

HEADS, ROWS, COLUMNS, TOKENS = 2, 3, 5, 7  # not square, so that a slip with axes shows
CHANCE = 0.05  # what chance does more often than this is not shown


@exercise("06.1")
def turned_up(louder: Any) -> str:
    """`louder(scores, places, factor)` gives shares in which a word has `factor` times its weight."""
    scores = noise(0, HEADS, ROWS * COLUMNS, TOKENS)
    for places, factor in (((2,), 3.0), ((4, 5), 0.5), ((1, 2), 0.0)):
        given, shares = ask(louder, scores, places, factor), scores.softmax(-1)
        expect_shape(given, scores.shape, "head, place, token")
        own, first, turned = scores.new_ones(TOKENS), scores.new_ones(TOKENS), scores.clone()
        own[list(places)] = first[places[0]] = factor
        turned[..., list(places)] *= factor
        case = f"With factor={factor:g}"
        slips = (
            (shares * own, f"{case} the shares of a place no longer add up to 1: share out anew."),
            (turned.softmax(-1), "A score may be negative, and a softmax is not linear: weigh what comes out of it."),
            (_shared_out(shares * first), f"Only the first of the word's tokens is turned; it has {len(places)}."),
            (_shared_out(shares * own, 1), "Each place shares out among the tokens, axis -1, not a token its places."),
            (shares, "Nothing is turned: these are the shares as they were."),
        )
        otherwise = f"{case} it should be the shares, those at `places` times it, divided by what a place now pays."
        expect(given, _shared_out(shares * own), slips, otherwise)
    return "What one word gains the others lose. At factor 0 it is the deafness of this lesson."


@exercise("06.2")
def whose_place(owner: Any) -> str:
    """`owner(heat, words)` tells for each place which of the words it pays most."""
    import torch

    heat = noise(2, TOKENS, ROWS, COLUMNS).softmax(0)
    for words in (((1,), (2, 3, 4)), ((5,), (3, 4), (2,))):
        given = torch.as_tensor(ask(owner, heat, words))
        expect_shape(given, (ROWS, COLUMNS), "height, width: a number for each place")
        sums, means, first = (
            torch.stack([paid(heat[list(places)]) for places in words])
            for paid in (lambda own: own.sum(0), lambda own: own.mean(0), lambda own: own[0])
        )
        slips = (
            (heat.argmax(0), "It counts tokens, start and end among them: only the words on the list compete."),
            (means.argmax(0), "The tokens of a word are averaged: they share its attention, so add them up."),
            (first.argmax(0), "Only the first token of each word is read."),
            (sums.amax(0), "That is how much it pays; asked is to whom: the word's number on the list."),
            (sums.argmin(0), "That is the word that it pays least."),
        )
        otherwise = f"For words={words} a place belongs to the number of the word whose tokens' shares add up most."
        expect(given, sums.argmax(0), slips, otherwise)
    return "A map of regions, and nobody drew one. But each place has an owner now, even the sky: so maps hide things."


@exercise("06.3")
def luck_of_many(best_coin: Any) -> str:
    """`best_coin(choose, measure)` gives what the luckiest of many choices has where it was chosen, and elsewhere."""
    tosses = np.random.default_rng(6).integers(0, 2, size=(2, 448, 64))
    small = np.array([[[1, 0, 1, 1], [1, 1, 1, 1], [0, 0, 1, 0]], [[1, 1, 0, 1], [0, 1, 0, 0], [1, 0, 1, 0]]])
    for choose, measure in (small, small[:, ::-1, :3], tosses):
        means, others = choose.mean(1), measure.mean(1)
        best = int(np.argmax(means))
        given = expect_parts(ask(best_coin, choose, measure), "the best mean, and the mean of that choice elsewhere")
        slips = (
            ((means[best], others.max()), "The second is the best of the others: keep to the choice that was made."),
            ((others.max(), means[int(np.argmax(others))]), "It chooses on `measure`, which must not help to choose."),
            ((means[best], means[best]), "Both are of the captions that it was chosen by: the second is too good."),
            ((means.mean(), others.mean()), "Those are the means of all choices: take the best one."),
            ((best, others[best]), "The first is the number of the choice; asked is its mean."),
        )
        wanted = means[best], others[best]
        expect([float(each) for each in given], wanted, slips, f"It should give {wanted}, not {tuple(given)}.")
    return f"The best of 448 fair coins shows {wanted[0]:.0%} heads, and {wanted[1]:.0%} when it is tossed again."


@exercise("06.4")
def pointing_game(pointing: Any) -> str:
    """`pointing(heats, masks)` gives the share of peaks that lie in their mask, and that of a blind finger."""
    import torch

    masks = torch.zeros(5, ROWS, COLUMNS, dtype=torch.bool)
    masks[:, 0, 1:4], masks[0], masks[1, 2] = True, True, True
    heats = 0.1 * noise(3, *masks.shape).abs()
    for heat, (row, column) in zip(heats, ((2, 4), (2, 0), (0, 2), (1, 2), (2, 1)), strict=True):
        heat[row, column] = 1
    heats[3] *= 0.5
    for chosen in (slice(None), slice(2, None)):
        heat, mask = heats[chosen], masks[chosen]
        given = expect_parts(ask(pointing, [*heat], [*mask]), "the share of hits, and that of a blind finger")
        inside = heat.flatten(1).gather(1, heat.flatten(1).argmax(1)[:, None])[:, 0]
        hits = torch.stack([each[own].max() for each, own in zip(heat, mask, strict=True)]) == inside
        slips = (
            (hits.sum(), f"{int(hits.sum())} is the number of hits: divide by how many pictures there are."),
            ((heat * mask).sum() / heat.sum(), "Only the strongest place counts here, not the sum inside."),
        )
        otherwise = f"{int(hits.sum())} of {len(hits)} peaks lie inside their mask."
        expect(float(given[0]), hits.float().mean(), slips, otherwise)
        blind = mask.float().mean()
        slips = (
            (1 - blind, "That is the share outside: a finger hits what lies inside."),
            (0.5, "A blind finger has no coin: it hits a thing as often as the thing is large."),
        )
        expect(float(given[1]), blind, slips, f"The masks cover {float(blind):.2f} of their pictures on average.")
    return "A hit rate without that of a blind finger says nothing: a large thing is easily hit."


@exercise("06.5")
def foretold(experiment: Any) -> str:
    """`experiment()` gives (step, {step: [(column of the map's peak, column of the thing)]}), columns 0-1."""
    guess, seen = expect_parts(ask(experiment), "guess and seen")
    if not isinstance(seen, dict) or len(seen) < 3 or 0 not in seen or guess not in seen:
        raise NotYet("seen is a dict with three steps or more as keys, 0 among them, and guess is one of them.")
    pairs = {step: np.array(each, float) for step, each in sorted(seen.items())}
    if any(each.ndim != 2 or each.shape[1] != 2 or len(each) < 8 for each in pairs.values()):
        raise NotYet("For each step give a list of at least eight pairs: column of the peak, column of the thing.")
    if any(not ((each >= 0) & (each <= 1)).all() for each in pairs.values()):
        raise NotYet("Columns are shares of the width, 0 to 1; leave out pictures in which the thing did not come.")
    things = [each[:, 1] for each in pairs.values()]
    if any(len(each) != len(things[0]) or (each != things[0]).any() for each in things):
        raise NotYet("The things stand elsewhere from step to step: each step has its maps, but the pictures are one.")
    if _dealt(np.stack([things[0], things[0]], 1), slack=0.05)[2] > CHANCE:
        raise NotYet(
            "Even a map that knew all could not show it here: the thing stands in nearly the same column each time. "
            "Paint more seeds, or a prompt in which it stands left as often as right."
        )
    dealt = {step: _dealt(each) for step, each in pairs.items()}
    lines = "; ".join(
        f"step {step}: off by {own:.2f} of the width, maps of other seeds by {other:.2f}, "
        f"and {share:.1%} of the deals fit as well"
        for step, (own, other, share) in dealt.items()
    )
    knows = [step for step, (*_, share) in dealt.items() if share <= CHANCE]
    if not knows:
        meaning = "No map fits its own picture clearly better than another seed's: by so few, nothing is foretold."
    else:
        hit = as_expected(knows[0], guess)
        meaning = f"The first of your steps whose map foretells the place is {knows[0]}, {hit}."
        if knows[0] == 0:
            meaning += " It had seen nothing but noise: so the noise has a say in where things stand."
    return f"{lines}. (A deal gives the maps to the pictures in another order.) {meaning}"


def _dealt(pairs: np.ndarray, deals: int = 4000, slack: float = 1e-9) -> tuple[float, float, float]:
    """Give the mean distance of own pairs and of all others, and the share of orders that come as near."""
    peaks, things = pairs.T
    apart = np.abs(peaks[:, None] - things)  # [map, picture]
    own, count = np.diag(apart).mean(), len(pairs)
    orders = np.random.default_rng(0).permuted(np.tile(np.arange(count), (deals, 1)), axis=1)
    near = apart[np.arange(count), orders].mean(1) <= own + slack
    return own, apart[~np.eye(count, dtype=bool)].mean(), (near.sum() + 1) / (deals + 1)


def _shared_out(shares: Any, axis: int = -1) -> Any:
    return shares / shares.sum(axis, keepdim=True)
