"""Exercises of lesson 08: the parts of a LoRA (Hu et al., 2021), its size, and DreamBooth's loss."""

from __future__ import annotations

from typing import Any

from .asking import Exercise, NotYet, ask, close

BATCH, IN, OUT, RANK = 5, 7, 6, 3  # all different, so that a slip with axes shows
SHAPES = ((320, 768), (640, 640), (96, 256))  # (out, in)


def law_of_size(lora_bytes: Any) -> str:
    """08.1: `lora_bytes(shapes, rank)` counts the bytes of a LoRA's tensors."""
    for shapes, rank in ((SHAPES, 3), (SHAPES[:1], 1), (SHAPES[::-1], 16)):
        given = ask(lora_bytes, list(shapes), rank)
        numbers = sum(rows + columns for rows, columns in shapes)
        if given == 4 * rank * numbers:
            continue
        if given == rank * numbers:
            raise NotYet("These are the numbers; each takes four bytes.")
        if given == 4 * numbers:
            raise NotYet(f"The rank is left out: at rank {rank} there are {rank} rows in A and {rank} columns in B.")
        if given == 4 * sum(rows * columns for rows, columns in shapes):
            raise NotYet("That is the size of the matrices themselves: rows + columns, not rows * columns.")
        if given in (4 * rank * sum(rows for rows, _ in shapes), 4 * rank * sum(columns for _, columns in shapes)):
            raise NotYet("Only one of the two is counted: A has rank x in numbers, B has out x rank.")
        raise NotYet(f"For {list(shapes)} at rank {rank} it should give {4 * rank * numbers:,}.")
    return "It grows with the sides of a matrix, not with its area: the larger the model, the more is saved."


def one_layer(lora_linear: Any) -> str:
    """08.2: `lora_linear(x, weight, a, b, scale)` gives x W^T + scale * x A^T B^T (Hu et al., 2021, eq. 3)."""
    for seed, scale in ((0, 0.5), (1, 2.0), (2, 0.0)):
        x, weight, a, b = (_numbers(seed, *size) for size in ((BATCH, IN), (OUT, IN), (RANK, IN), (OUT, RANK)))
        given, change = ask(lora_linear, x, weight, a, b, scale), x @ a.T @ b.T
        if close(given, x @ weight.T + scale * change):
            continue
        if close(given, x @ weight.T + change):
            raise NotYet(f"The scale is left out: here it is {scale:g}.")
        if close(given, scale * (x @ weight.T + change)):
            raise NotYet("The scale weakens the layer itself too; it belongs to what is added only.")
        if close(given, scale * change):
            raise NotYet("The layer itself is missing: what is learned is added to what it gave before.")
        if close(given, x @ weight.T):
            raise NotYet("This is the layer without its LoRA.")
        if tuple(given.shape) != (BATCH, OUT):
            raise NotYet(f"It should have shape {(BATCH, OUT)}, batch and out; it has {tuple(given.shape)}.")
        raise NotYet("It should be x @ weight.T + scale * (x @ a.T @ b.T).")
    return "Two thin products in place of one thick one: B A is never built while it learns."


def without_cross_terms(put_together: Any) -> str:
    """08.3: `put_together(first, second)` gives A and B whose product is the sum of both products, exactly."""
    for seed, (one, two) in enumerate(((RANK, RANK), (2, 4))):
        ranks = ((one, 2 * seed), (two, 2 * seed + 1))
        first, second = ((_numbers(k, rank, IN), _numbers(k + 9, OUT, rank)) for rank, k in ranks)
        a, b = ask(put_together, first, second)
        if a.ndim != 2 or b.ndim != 2 or a.shape[1] != IN or b.shape[0] != OUT or a.shape[0] != b.shape[1]:
            raise NotYet(
                f"a has shape {list(a.shape)} and b {list(b.shape)}; wanted [rank, {IN}] and [{OUT}, rank]: stack the "
                "rows of the As and the columns of the Bs."
            )
        wanted = first[1] @ first[0] + second[1] @ second[0]
        if close(b @ a, wanted):
            continue
        if one == two and close(b @ a, (first[1] + second[1]) @ (first[0] + second[0])):
            raise NotYet("The cross terms B1 A2 and B2 A1 came in: nobody has learned those.")
        if close(b @ a, first[1] @ first[0]) or close(b @ a, second[1] @ second[0]):
            raise NotYet("Only one of the two is in it.")
        if one == two and close(b @ a, first[1] @ second[0] + second[1] @ first[0]):
            raise NotYet("The partners are swapped: the first A belongs to the first B.")
        raise NotYet("b @ a should be b1 @ a1 + b2 @ a2.")
    return "The ranks add up and the sum is exact. What two LoRAs do to each other after that is not the file's fault."


def not_forgetting(preserving: Any) -> str:
    """08.4: `preserving(errors, share, weight)` is DreamBooth's loss (Ruiz et al., 2023, eq. 2)."""
    for seed, share, weight in ((0, 2, 1.0), (1, 4, 0.5), (2, 3, 0.0)):
        errors = _numbers(seed, 6).abs()
        given, own, prior = ask(preserving, errors, share, weight), errors[:share].mean(), errors[share:].mean()
        if close(given, own + weight * prior):
            continue
        if close(given, errors.mean()):
            raise NotYet("The mean over all of them has no weight in it, and counts each picture alike.")
        if close(given, weight * own + prior):
            raise NotYet("The weight stands before the wrong part: it says how much is to be kept.")
        if close(given, own + prior):
            raise NotYet(f"The weight is left out: here it is {weight:g}.")
        if close(given, errors[:share].sum() + weight * errors[share:].sum()):
            raise NotYet("These are sums: the loss would grow with the batch. Take means.")
        raise NotYet(f"With {share} of 6 pictures of the subject and weight {weight:g} it should give "
                     f"{own + weight * prior:.4f}.")  # fmt: skip
    return "Two lessons at once: what is new, and what it shall still know tomorrow."


def _numbers(seed: int, *shape: int):
    import torch

    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


EXERCISES: dict[str, Exercise] = {
    "08.1": law_of_size,
    "08.2": one_layer,
    "08.3": without_cross_terms,
    "08.4": not_forgetting,
}
