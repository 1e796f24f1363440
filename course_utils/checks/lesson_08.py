"""Exercises of lesson 08: the parts of a LoRA (Hu et al., 2021), its size, what it spoils."""

from __future__ import annotations

from typing import Any

from ..metrics import rate
from .asking import NotYet, as_expected, ask, exercise, expect, expect_parts, expect_shape, expect_verdicts, noise

BATCH, IN, OUT, RANK = 5, 7, 6, 3  # all different, so that a slip with axes shows
KEPT = ("kept", "nothing kept")
SHAPES = ((320, 768), (640, 640), (96, 256))  # (out, in)
LAYERS = sum(map(sum, SHAPES))  # numbers at rank 1


@exercise("08.1")
def rank_for(largest_rank: Any) -> str:
    """`largest_rank(shapes, limit)` gives the largest rank whose tensors take at most so many bytes."""
    for shapes, limit in ((SHAPES, 1_000_000), (SHAPES[:1], 30_000), (SHAPES[::-1], 8 * 4 * LAYERS)):
        rows, columns = (sum(sides) for sides in zip(*shapes, strict=True))
        one = 4 * (rows + columns)
        wanted = limit // one
        slips = (
            (limit / one, "A rank is a whole number: what fits is rounded down."),
            (limit // (rows + columns), "Each number takes four bytes."),
            (limit // (4 * sum(out * into for out, into in shapes)), "Rows + columns, not rows * columns."),
            (wanted + 1, f"Rank {wanted + 1} takes {one * (wanted + 1):,} bytes, more than {limit:,}."),
            (wanted - 1, f"Rank {wanted} takes {one * wanted:,} bytes, which is at most {limit:,}: it fits."),
            (limit // (4 * rows), "Only one of the two is counted: A has rank x in numbers, B has out x rank."),
            (limit // (4 * columns), "Only one of the two is counted: A has rank x in numbers, B has out x rank."),
        )
        otherwise = f"For {list(shapes)} and {limit:,} bytes it should be rank {wanted}."
        expect(ask(largest_rank, list(shapes), limit), wanted, slips, otherwise)
    return "The file grows with the sides of a matrix, not with its area: the larger the model, the more is saved."


@exercise("08.2")
def squeezed_change(squeeze: Any) -> str:
    """`squeeze(change, rank)` gives A and B with the nearest product of that rank (Eckart and Young, 1936)."""
    import torch

    for seed, rank in ((0, 2), (1, 1), (2, 4)):
        change = noise(seed, OUT, IN)
        a, b = expect_parts(ask(squeeze, change, rank), "a and b")
        expect_shape(a, (rank, IN), "rank and in")
        expect_shape(b, (OUT, rank), "out and rank")
        u, s, vh = torch.linalg.svd(change, full_matrices=False)
        strong, weak = slice(None, rank), slice(-rank, None)
        slips = (
            ((u[:, weak] * s[weak]) @ vh[weak], "It keeps the weakest directions; svd lists the strongest first."),
            (u[:, strong] @ vh[strong], "The singular values are left out: each direction has its strength."),
            ((u[:, strong] * s[strong].sqrt()) @ vh[strong], "The strength is halved away: its root goes into both."),
            ((u[:, strong] * s[strong] ** 2) @ vh[strong], "The strength went in twice: into A or B, or its root."),
        )
        otherwise = f"b @ a is further from the change than it need be at rank {rank}: let torch.linalg.svd find it."
        expect(b @ a, (u[:, strong] * s[strong]) @ vh[strong], slips, otherwise)
    return "No other matrix of that rank is nearer. So a tuned model can become a LoRA, and a LoRA a thinner one."


@exercise("08.3")
def without_cross_terms(put_together: Any) -> str:
    """`put_together(first, second)` gives A and B whose product is the sum of both products, exactly."""
    for ranks in ((RANK, RANK), (2, 4)):
        pairs = [(noise(k, rank, IN), noise(k + 9, OUT, rank)) for k, rank in enumerate(ranks)]
        (a1, b1), (a2, b2) = pairs
        a, b = ask(put_together, *pairs)
        if a.ndim != 2 or b.ndim != 2 or a.shape[1] != IN or b.shape[0] != OUT or a.shape[0] != b.shape[1]:
            raise NotYet(
                f"a has shape {list(a.shape)} and b {list(b.shape)}; wanted [rank, {IN}] and [{OUT}, rank]: stack the "
                "rows of the As and the columns of the Bs."
            )
        slips = [(b1 @ a1, "Only one of the two is in it."), (b2 @ a2, "Only one of the two is in it.")]
        if ranks[0] == ranks[1]:
            slips += [
                ((b1 + b2) @ (a1 + a2), "The cross terms B1 A2 and B2 A1 came in: nobody has learned those."),
                (b1 @ a2 + b2 @ a1, "The partners are swapped: the first A belongs to the first B."),
            ]
        expect(b @ a, b1 @ a1 + b2 @ a2, slips, "b @ a should be b1 @ a1 + b2 @ a2.")
    return "The ranks add up and the sum is exact. What two LoRAs do to each other after that is not the file's fault."


@exercise("08.4")
def forgotten(experiment: Any) -> str:
    """`experiment()` gives ({"kept", "nothing kept": expected share}, the same keys: is it there, by seed)."""
    guess, seen = expect_parts(ask(experiment), "guess and seen")
    if any(not isinstance(each, dict) or {*each} != {*KEPT} for each in (guess, seen)):
        raise NotYet(f"guess and seen are dicts with the keys {' and '.join(map(repr, KEPT))}.")
    if wrong := [name for name in KEPT if not 0 <= guess[name] <= 1]:
        raise NotYet(f"A guess is a share from 0 to 1; {wrong[0]!r} is {guess[wrong[0]]!r}.")
    for name in KEPT:
        expect_verdicts(name, seen[name])
    if len({len(seen[name]) for name in KEPT}) > 1:
        raise NotYet("Paint the same seeds with both, in the same order.")
    rates = {name: rate(seen[name]) for name in KEPT}
    kept, free = rates.values()
    inside = sum(rates[name].low <= guess[name] <= rates[name].high for name in KEPT)
    if kept.low > free.high:
        meaning = "Keeping is worth it: the intervals do not touch."
    elif free.low > kept.high:
        meaning = "Keeping harms here. Look at the pictures: what stands in place of the car?"
    else:
        meaning = "The intervals overlap: so few pictures do not show what keeping is worth. Paint more."
    shares = "; ".join(f"{name} {found}" for name, found in rates.items())
    return f"The other thing is there: {shares}. Your guess lies in the interval for {inside} of 2. {meaning}"


@exercise("08.5")
def own_knob(experiment: Any) -> str:
    """`experiment()` gives the value that was expected to be best, and {value: (subject there, rest obeyed)}."""
    guess, seen = expect_parts(ask(experiment), "guess and seen")
    if not isinstance(seen, dict) or len(seen) < 3 or guess not in seen:
        raise NotYet("seen is a dict with at least three values of your knob as keys, and guess is one of them.")
    for value, pair in seen.items():
        for hits in expect_parts(pair, f"for {value} two lists: is the subject there, and is the rest obeyed"):
            expect_verdicts(str(value), hits)
    rates = {value: tuple(rate(hits) for hits in pair) for value, pair in seen.items()}
    worse = {value: min(pair, key=lambda each: each.value) for value, pair in rates.items()}  # a chain's weak link
    best = max(worse, key=lambda value: worse[value].value)
    rivals = [value for value in worse if value != best and worse[value].high >= worse[best].low]
    meaning = (
        f"But {', '.join(map(str, rivals))} cannot be told from it by so few pictures: their intervals overlap. "
        "Then take what is cheaper, or paint more."
        if rivals
        else "No other value's interval reaches it."
    )
    lines = "; ".join(f"{at}: subject {own.value:.0%}, rest {rest.value:.0%}" for at, (own, rest) in rates.items())
    hit = as_expected(best, guess)
    return f"{lines}. Where the worse of the two is best, the knob stands at {best}, {hit}. {meaning}"
