"""Exercises of lesson 09: what a ControlNet learns from, and how (Zhang et al., ICCV 2023)."""

from __future__ import annotations

from typing import Any

from .. import adherence, metrics
from .asking import NotYet, ask, exercise, expect, expect_parts, expect_shape, noise

IN, OUT, PLACES = 5, 3, 7  # all different, so that a slip with axes shows
STEPS = 1000  # noise steps of a Stable Diffusion
MILLIONS = (5.4, 361.0)  # of our copy, and of SD 1.5's
ROWS = ("floor", "relative", "yours", "ceiling")  # what a score is made of, and what it is held against
BYTES = {"weights": 4, "gradients": 4, "Adam's means": 8, "the moving average": 4}  # of each trained number


@exercise("09.1")
def zero_convolution(gradients: Any) -> str:
    """`gradients(weight, x, g)` differentiates y = weight @ x, for the weights and for what lies below."""
    for seed, loud in ((0, 0.0), (1, 1.0)):
        weight, x, g = loud * noise(seed, OUT, IN), noise(seed + 9, IN, PLACES), noise(seed + 99, OUT, PLACES)
        given = expect_parts(ask(gradients, weight, x, g), "the gradient of the weights and that of x")
        for gradient, like, name in zip(given, (weight, x), ("weights", "x"), strict=True):
            if not hasattr(gradient, "shape"):
                raise NotYet(f"The gradient of {name} should be a tensor; this is {gradient!r:.60}.")
            expect_shape(gradient, tuple(like.shape), f"as {name} themselves")
        slips = ((x @ g.T, "It lies on its side: the gradient has the shape of the weights, [out, in]."),
                 (g @ x.T / PLACES, "Sum over the places, do not take their mean."))  # fmt: skip
        expect(given[0], g @ x.T, slips, "The gradient of the weights is g @ x.T: what went in times what comes back.")
        otherwise = "The gradient of x is weight.T @ g: with weights of zero nothing gets through."
        expect(given[1], weight.T @ g, ((g.new_ones(IN, OUT) @ g, "The weights are left out."),), otherwise)
    return "With zero weights the first is alive and the second is zero: the gate opens first, then what is behind it."


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
def bytes_of_training(training_gb: Any) -> str:
    """`training_gb(millions)` counts float32 weights, gradients, Adam's two means and a moving average, in GB."""
    for millions in MILLIONS:
        each = sum(BYTES.values())
        wanted = millions * each / 1000
        partly = ((millions * (each - size) / 1000, f"You left out {part}.") for part, size in BYTES.items())
        slips = (*partly, (millions * 4 / 1000, "These are the weights alone."),
                 (wanted * 1000, "That is in megabytes: a thousand make a gigabyte."))  # fmt: skip
        otherwise = f"For {millions:g} million numbers it should be {wanted:.3f} GB."
        expect(ask(training_gb, millions), wanted, slips, otherwise)
    return "Five numbers for each one that learns. That is why small nets are loved, and 8-bit Adam."


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
        meaning = "A net that never saw your map obeys it better: begin from that one, not from zero."
    else:
        meaning = "It cannot be told from a net that never saw your map: a control it is, but not one that was needed."
    return f"Your condition scores {found}, which {hit} your {guess:g}; the relative {other}. {meaning}"
