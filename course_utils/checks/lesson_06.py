"""Exercises of lesson 06: attention, a word's map, an honest choice, and who owns a region."""

from __future__ import annotations

from typing import Any

from .asking import NotYet, ask, close, exercise, expect, expect_pair, expect_shape, noise

HEADS, ROWS, COLUMNS, TOKENS, WIDTH = 2, 3, 5, 7, 4  # not square, so that a slip with axes shows


@exercise("06.1")
def attention_by_hand(attend: Any) -> str:
    """`attend(query, key)` gives softmax(Q K^T / sqrt(d)) over the tokens (Vaswani et al., 2017, eq. 1)."""
    query, key = noise(0, HEADS, ROWS * COLUMNS, WIDTH), noise(1, HEADS, TOKENS, WIDTH)
    given, scores = ask(attend, query, key), query @ key.transpose(1, 2)
    expect_shape(given, scores.shape, "head, place, token")
    scaled = scores / WIDTH**0.5
    slips = (
        (scores.softmax(-1), f"The scores are not divided by sqrt(d), with d = {WIDTH}: the softmax is too hard."),
        ((scores / WIDTH).softmax(-1), "The scores are divided by d: divide by its square root."),
        (
            scaled.softmax(1),
            "The softmax runs over the places: each of them shares out among the tokens, axis -1.",
        ),
        (scaled, "These are the scores: a softmax makes shares of them that add up to 1."),
    )
    expect(given, scaled.softmax(-1), slips, "The shares are not softmax(Q K^T / sqrt(d)).")
    return "Each place has one whole attention to give, and the words compete for it."


@exercise("06.2")
def map_of_a_word(word_map: Any) -> str:
    """`word_map(shares, places, height, width)` makes of [head, place, token] the map of a word."""
    shares = noise(2, HEADS, ROWS * COLUMNS, TOKENS).softmax(-1)
    for places in ((2,), (4, 5)):
        given = ask(word_map, shares, places, ROWS, COLUMNS)
        own = shares[..., list(places)].unflatten(1, (ROWS, COLUMNS))
        if tuple(given.shape) == (COLUMNS, ROWS):
            raise NotYet("Rows and columns are swapped: places are counted row by row, so it is [height, width].")
        expect_shape(given, (ROWS, COLUMNS), "height, width")
        slips = (
            (own.sum((0, -1)), "The heads are added up, so a share may be above 1: take their mean."),
            (own.mean((0, -1)), "The tokens of a word are averaged: they share its attention, so add them up."),
            (own[..., 0].mean(0), f"Only the first of the word's tokens is read; it has {len(places)}."),
        )
        otherwise = f"For places={places} the map is another one: mean over heads, sum over the word's tokens."
        expect(given, own.sum(-1).mean(0), slips, otherwise)
    return "That is all that a word map is."


@exercise("06.3")
def honest_choice(pick: Any) -> str:
    """`pick(choose, measure)` chooses on some trials and reports on others."""
    many = {"down": [0.2, 0.3, 0.1], "up": [0.7, 0.6, 0.8], "mid": [0.9, 0.1, 0.5]}
    few = {"down": [0.9, 0.8], "up": [0.6, 0.4], "mid": [0.3, 0.2]}
    for choose, measure in ((many, few), ({"a": [0.3], "b": [0.4]}, {"a": [0.9, 0.1], "b": [0.2, 0.2]})):
        means, others = (
            {name: sum(values) / len(values) for name, values in trials.items()} for trials in (choose, measure)
        )
        best = max(means, key=means.get)
        given, wanted = ask(pick, choose, measure), (best, others[best])
        expect_pair(given, f"two values: the choice and its mean, such as {wanted}")
        if given[0] == max(others, key=others.get) != best:
            raise NotYet(f"{given[0]!r} is best on the trials that measure: they must not help to choose.")
        if given[0] == max(choose, key=lambda name: max(choose[name])) != best:
            raise NotYet(f"{given[0]!r} has the best single trial; choose by the mean of all.")
        if given[0] == best and close(given[1], means[best]):
            raise NotYet("It reports the mean on the trials that it chose by: too good. Use the others.")
        if given[0] != best or not close(given[1], wanted[1]):
            raise NotYet(f"For choose={choose} and measure={measure} it should give {wanted}, not {tuple(given)}.")
    return "A choice is learned, too. It is tested like anything learned: on what it has not seen."


@exercise("06.4")
def ownership(owned: Any) -> str:
    """`owned(heat, mask)` tells how many times as much a place inside pays to a word as one outside."""
    import torch

    mask = torch.zeros(4, 6, dtype=torch.bool)
    mask[1:3, 1:4] = True  # a quarter of the picture
    for name, heat, wanted in (
        ("spread evenly", torch.full((4, 6), 0.3), 1.0),
        ("mostly inside", 0.1 * mask + 0.02, 6.0),
        ("mostly outside", 0.4 * ~mask + 0.1, 0.2),
    ):
        given, inside, outside = ask(owned, heat, mask), heat[mask], heat[~mask]
        case = f"For a map that is {name}"
        slips = (
            (inside.sum() / outside.sum(), "Outside are three times as many places: compare means, not sums."),
            (1 / wanted, f"{case} it gives {float(given):.2f}: turn the fraction round."),
            (inside.mean() / heat.mean(), "That compares with all places, those inside too; take `heat[~mask]`."),
            (inside.mean(), "It depends on how strong the map is: divide by what a place outside pays."),
        )
        expect(given, wanted, slips, f"{case} it should give {wanted:.2f}; this gives {float(given):.2f}.")
    return "At 1 all places listen alike. A word that owns a thing is far above."
