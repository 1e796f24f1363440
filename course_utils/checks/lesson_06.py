"""Exercises of lesson 06: attention, a word's map, an honest choice, and who owns a region."""

from __future__ import annotations

from typing import Any

from .asking import Exercise, NotYet, ask, close

HEADS, ROWS, COLUMNS, TOKENS, WIDTH = 2, 3, 5, 7, 4  # not square, so that a slip with axes shows


def attention_by_hand(attend: Any) -> str:
    """06.1: `attend(query, key)` gives softmax(Q K^T / sqrt(d)) over the tokens (Vaswani et al., 2017, eq. 1)."""
    query, key = _noise(0, HEADS, ROWS * COLUMNS, WIDTH), _noise(1, HEADS, TOKENS, WIDTH)
    given, scores = ask(attend, query, key), query @ key.transpose(1, 2)
    wanted = (scores / WIDTH**0.5).softmax(-1)
    if close(given, wanted):
        return "Each place has one whole attention to give, and the words compete for it."
    if tuple(given.shape) != tuple(wanted.shape):
        raise NotYet(
            f"For {ROWS * COLUMNS} places and {TOKENS} tokens it gives the shape {tuple(given.shape)}; "
            f"{tuple(wanted.shape)} is wanted: [head, place, token]."
        )
    if close(given, scores.softmax(-1)):
        raise NotYet(f"The scores are not divided by sqrt(d); here d = {WIDTH}. Without that the softmax is too hard.")
    if close(given, (scores / WIDTH).softmax(-1)):
        raise NotYet("The scores are divided by d: divide by its square root.")
    if close(given, (scores / WIDTH**0.5).softmax(1)):
        raise NotYet("The softmax runs over the places: each place shares out among the tokens, the last axis.")
    if close(given, scores / WIDTH**0.5):
        raise NotYet("These are the scores: a softmax makes shares of them that add up to 1.")
    raise NotYet("The shares are not softmax(Q K^T / sqrt(d)).")


def map_of_a_word(word_map: Any) -> str:
    """06.2: `word_map(shares, places, height, width)` makes of [head, place, token] the map of a word."""
    shares = _noise(2, HEADS, ROWS * COLUMNS, TOKENS).softmax(-1)
    for places in ((2,), (4, 5)):
        given = ask(word_map, shares, places, ROWS, COLUMNS)
        mine = shares[..., list(places)]
        wanted = mine.sum(-1).mean(0).reshape(ROWS, COLUMNS)
        if close(given, wanted):
            continue
        if tuple(given.shape) == (COLUMNS, ROWS) != (ROWS, COLUMNS):
            raise NotYet("Rows and columns are swapped: places are counted row by row, so it is [height, width].")
        if tuple(given.shape) != (ROWS, COLUMNS):
            raise NotYet(f"It gives the shape {tuple(given.shape)}; {(ROWS, COLUMNS)} is wanted: [height, width].")
        if close(given, mine.sum(-1).sum(0).reshape(ROWS, COLUMNS)):
            raise NotYet("The heads are added up, so a share may be above 1: take their mean.")
        if close(given, mine.mean(-1).mean(0).reshape(ROWS, COLUMNS)):
            raise NotYet("The tokens of a word are averaged: they share its attention among them, so add them up.")
        if close(given, mine[..., 0].mean(0).reshape(ROWS, COLUMNS)):
            raise NotYet(f"Only the first of the word's tokens is read; it has {len(places)}.")
        raise NotYet(f"For places={places} the map is another one: mean over heads, sum over the word's tokens.")
    return "That is all that a word map is."


def honest_choice(pick: Any) -> str:
    """06.3: `pick(choose, measure)` chooses on some trials and reports on others."""
    choose = {"down": [0.2, 0.3, 0.1], "up": [0.7, 0.6, 0.8], "mid": [0.9, 0.1, 0.5]}
    measure = {"down": [0.9, 0.8], "up": [0.6, 0.4], "mid": [0.3, 0.2]}
    swapped = ({"a": [0.3], "b": [0.4]}, {"a": [0.9, 0.1], "b": [0.2, 0.2]})
    for one, other in ((choose, measure), swapped):
        given, means = ask(pick, one, other), {name: sum(values) / len(values) for name, values in one.items()}
        best = max(means, key=means.get)
        wanted = best, sum(other[best]) / len(other[best])
        if not isinstance(given, tuple | list) or len(given) != 2:
            raise NotYet(f"Give two values, the choice and its mean, such as {wanted}; this gives {given!r:.60}.")
        if given[0] == best and close(given[1], wanted[1]):
            continue
        others = {name: sum(values) / len(values) for name, values in other.items()}
        if given[0] == best and close(given[1], means[best]):
            raise NotYet("It reports the mean on the trials that it chose by: too good. Use the others.")
        if given[0] == max(others, key=others.get) != best:
            raise NotYet(f"{given[0]!r} is best on the trials that measure: they must not help to choose.")
        if given[0] == max(one, key=lambda name: max(one[name])) != best:
            raise NotYet(f"{given[0]!r} has the best single trial; choose by the mean of all.")
        raise NotYet(f"For choose={one} and measure={other} it should give {wanted}; this gives {tuple(given)}.")
    return "A choice is learned, too. It is tested like anything learned: on what it has not seen."


def ownership(owned: Any) -> str:
    """06.4: `owned(heat, mask)` tells how many times as much a place inside pays to a word as one outside."""
    import torch

    mask = torch.zeros(4, 6, dtype=torch.bool)
    mask[1:3, 1:4] = True  # a quarter of the picture
    cases = {
        "spread evenly": (torch.full((4, 6), 0.3), 1.0),
        "mostly inside": (0.1 * mask.float() + 0.02, 6.0),
        "mostly outside": (0.4 * (~mask).float() + 0.1, 0.2),
    }
    for name, (heat, wanted) in cases.items():
        given = ask(owned, heat, mask)
        if close(given, wanted):
            continue
        inside, outside = heat[mask], heat[~mask]
        if close(given, inside.sum() / outside.sum()):
            raise NotYet("There are three times as many places outside as inside: compare means, not sums.")
        if close(given, 1 / wanted):
            raise NotYet(f"For a map that is {name} it gives {float(given):.2f}: turn the fraction round.")
        if close(given, inside.mean() / heat.mean()):
            raise NotYet("That compares with all places, those inside too; take `heat[~mask]`.")
        if close(given, inside.mean()):
            raise NotYet("It depends on how strong the map is: divide by what a place outside pays.")
        raise NotYet(f"For a map that is {name} it should give {wanted:.2f}; this gives {float(given):.2f}.")
    return "At 1 all places listen alike. A word that owns a thing is far above."


def _noise(seed: int, *shape: int):
    import torch

    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


EXERCISES: dict[str, Exercise] = {
    "06.1": attention_by_hand,
    "06.2": map_of_a_word,
    "06.3": honest_choice,
    "06.4": ownership,
}
