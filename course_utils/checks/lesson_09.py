"""Exercises of lesson 09: what a ControlNet learns from, and how (Zhang et al., ICCV 2023)."""

from __future__ import annotations

from typing import Any

from .. import adherence, metrics
from .asking import NotYet, ask, exercise, expect, expect_parts, expect_shape

STEPS = 1000  # noise steps of a Stable Diffusion
ROWS = ("floor", "relative", "yours", "ceiling")  # what a score is made of, and what it is held against
# By way to train: millions of numbers, bytes for each of them, GB of what is locked, GB of activations.
CARDS = {
    "the whole UNet": (860.0, 16, 0.4, 6.0),
    "the copy": (361.0, 18, 2.1, 3.7),
    "the copy, 8-bit": (361.0, 12, 2.1, 1.0),
    "a thin copy": (36.0, 12, 3.5, 1.2),
    "a thin copy, four at once": (36.0, 12, 3.5, 4.4),
    "ours": (5.4, 20, 0.1, 0.9),
}


@exercise("09.1")
def two_gates(reached: Any) -> str:
    """`reached(weights, steps)` tells, step by step, which weights of a chain a gradient reaches."""
    for weights in ([0.5, 0.0, 2.0], [1.0, 3.0], [0.5, 0.0, 2.0, 0.0], [0.0], [0.0, 0.0, 1.0]):
        given, wanted, before = ask(reached, weights, 3), _reached(weights, 3), _reached(weights, 3, own=True)
        try:
            rows = [[bool(hit) for hit in row] for row in given]
        except TypeError:
            raise NotYet(f"Give a list for each step, True or False for each weight; not {given!r:.60}.") from None
        if [len(row) for row in rows] != [len(weights)] * 3:
            raise NotYet(f"For {weights} and 3 steps give 3 lists of {len(weights)}; this is {given!r:.60}.")
        if rows == wanted:
            continue
        if rows == before:
            raise NotYet("A weight's own value does not matter for its gradient: it is the product of all others.")
        if rows == [wanted[0]] * 3:
            raise NotYet("The weights never change here: one that was reached is no longer 0 in the next step.")
        if rows == [*wanted[1:], wanted[-1]]:
            raise NotYet("That is a step too early: first say whom the gradient reaches, then change the weights.")
        step = next(k for k in range(3) if rows[k] != wanted[k])
        raise NotYet(f"For {weights} it should be {wanted[step]} in step {step + 1}, not {rows[step]}.")
    return (
        "One gate opens in its first step. Two in a row never open, each waits for the other: that is why it matters "
        "that the latents enter between them."
    )


def _reached(weights: list[float], steps: int, own: bool = False) -> list[list[bool]]:
    """Say whom a gradient reaches; `own` is the slip that a weight itself must not be 0."""
    alive, rows = [weight != 0 for weight in weights], []
    for _ in range(steps):
        rows.append([all(alive if own else alive[:k] + alive[k + 1 :]) for k in range(len(alive))])
        alive = [old or new for old, new in zip(alive, rows[-1], strict=True)]
    return rows


@exercise("09.2")
def mirrored_normals(mirrored: Any) -> str:
    """`mirrored(normals)` turns a normal map round: its places, and the direction that red tells."""
    import numpy as np

    for seed, (height, width) in ((0, (4, 6)), (1, (5, 3))):
        normals = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
        given = np.ascontiguousarray(ask(mirrored, normals))
        expect_shape(given, normals.shape, "height, width, colour")
        if given.dtype != np.uint8:
            raise NotYet(f"A map is uint8, 0 to 255; this is {given.dtype}.")
        turned = normals[:, ::-1].copy()
        wanted = np.where([True, False, False], 255 - turned, turned)
        slips = (
            (turned, "The places are turned, but a wall that looked left still says left: red is to turn, too."),
            (255 - turned, "Green and blue tell up and towards us: a mirror beside a thing leaves them as they are."),
            (wanted[:, ::-1].copy(), "The colours are right, but each stands where it stood: turn the columns."),
            (wanted[::-1, ::-1].copy(), "Upside down: a mirror beside a thing leaves the rows where they are."),
        )
        expect(given, wanted, slips, "Turn the columns round, and make red 255 - red; leave the rest as it is.")
    return "A map of directions has directions in its colours. To mirror only the places teaches a contradiction."


@exercise("09.3")
def large_first(draw: Any) -> str:
    """`draw(share, uniform)` makes noise steps of uniform numbers: the large ones first, all of them in the end."""
    import torch

    uniform = torch.linspace(0, 0.999, 50)
    for share in (0.0, 0.25, 0.5, 1.0):
        given = ask(draw, share, uniform)
        expect_shape(given, (50,), "one noise step for each number")
        if given.dtype.is_floating_point:
            raise NotYet("Noise steps are whole numbers: end with .long().")
        if given.min() < 0 or given.max() >= STEPS:
            raise NotYet(f"At share {share:g} there are {given.min()} to {given.max()}; they go from 0 to 999.")
        least, wanted = int(given.min()), 500 * (1 - share)
        if abs(least - wanted) > 12:
            raise NotYet(f"At share {share:g} the least step is {least}; it should be about {wanted:.0f}.")
        if given.max() < 970:
            raise NotYet(f"At share {share:g} the largest step is {int(given.max())}: the large ones stay to the end.")
        if (given.float().sort().values.diff() > 60).any():
            raise NotYet(f"At share {share:g} there are gaps: spread the numbers evenly between the least and 999.")
    return "Give it to `controlnet.train(timesteps=...)` and see whether control comes sooner. Predict first."


@exercise("09.4")
def what_fits(fitting: Any) -> str:
    """`fitting(ways, card_gb)` names the ways to train that fit, the smallest first."""
    for ways, card in ((CARDS, 15.0), (CARDS, 8.0), (CARDS, 2.0)):
        given = ask(fitting, ways, card)
        if isinstance(given, str) or not hasattr(given, "__iter__"):
            raise NotYet(f"Give a list of names; this is {given!r:.60}.")
        given, wanted = list(given), _fitting(ways, card)
        if given == wanted:
            continue
        if given == _fitting(ways, card, locked=False):
            raise NotYet("What is locked lies on the card, too: add its gigabytes.")
        if given == _fitting(ways, card, kept=False):
            raise NotYet("The activations are left out: they are kept for the way back.")
        if {*map(str, given)} == {*wanted}:
            raise NotYet(f"These are the right ones; the smallest total comes first: {wanted}.")
        totals = {name: f"{_total(way):.1f} GB" for name, way in ways.items()}
        raise NotYet(f"On {card:g} GB it should be {wanted}; the totals are {totals}.")
    return "Count before you start: a training that does not fit fails late, and takes the whole evening with it."


def _total(way: tuple[float, float, float, float], locked: bool = True, kept: bool = True) -> float:
    """Give the GB of millions of numbers at so many bytes, with what is locked and what is kept."""
    return way[0] * way[1] / 1000 + locked * way[2] + kept * way[3]


def _fitting(ways: dict, card: float, **parts: bool) -> list[str]:
    totals = {name: _total(way, **parts) for name, way in ways.items()}
    return [name for name in sorted(totals, key=totals.get) if totals[name] <= card]


@exercise("09.5")
def own_condition(experiment: Any) -> str:
    """`experiment()` gives (score, {"floor", "relative", "yours", "ceiling": [measure of each held-out scene]})."""
    import numpy as np

    guess, seen = expect_parts(ask(experiment), "guess and seen")
    if not isinstance(seen, dict) or {*seen} != {*ROWS}:
        raise NotYet(f"seen is a dict with the keys {', '.join(ROWS)}: without any of them a number means nothing.")
    if not -1 <= guess <= 2:
        raise NotYet(f"A guess is a score, 0 at the floor and 1 at the ceiling; this is {guess!r}.")
    rows = {name: np.array(seen[name], float) for name in ROWS}
    if {row.ndim for row in rows.values()} != {1} or len({len(row) for row in rows.values()}) > 1:
        raise NotYet("The same held-out scenes in all four, in the same order: a list of one number for each.")
    if len(rows["yours"]) < 8 or not all(np.isfinite(row).all() for row in rows.values()):
        raise NotYet("Measure at least eight scenes, and leave out those in which the map asks for nothing (nan).")
    if rows["ceiling"].mean() <= rows["floor"].mean():
        raise NotYet("The ceiling is not above the floor: your measure does not see the condition in the true scenes.")
    if np.array_equal(rows["yours"], rows["floor"]):
        raise NotYet("Yours is the floor to the last digit: a net at step 0, or a call without its maps.")
    ends = rows["floor"], rows["ceiling"]
    found, other = (adherence.score(rows[name], *ends) for name in ("yours", "relative"))
    gap = metrics.difference(rows["relative"], rows["yours"])
    hit = "holds" if found.low <= guess <= found.high else "does not hold"
    if found.low <= 0:
        meaning = "The floor is inside: these scenes do not show that anything was learned. Train on, or ask the map."
    elif gap.low > 0:
        meaning = "That is more than a net reaches that never saw your map: it was learned."
    elif gap.high < 0:
        meaning = "A net that never saw your map obeys it better: begin from that one, not from a fresh copy."
    else:
        meaning = "It cannot be told from a net that never saw your map: a control it is, but not one that was needed."
    return f"Your condition scores {found}, which {hit} your {guess:g}; the relative {other}. {meaning}"
