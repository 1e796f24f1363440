"""Exercises of lesson 09: what a ControlNet learns from, and how (Zhang et al., ICCV 2023)."""

from __future__ import annotations

from typing import Any

from .asking import NotYet, ask, exercise, expect, expect_pair, expect_shape, noise

IN, OUT, PLACES = 5, 3, 7  # all different, so that a slip with axes shows
STEPS = 1000  # noise steps of a Stable Diffusion
MILLIONS = (5.4, 361.0)  # of our copy, and of SD 1.5's
BYTES = {"weights": 4, "gradients": 4, "Adam's means": 8, "the moving average": 4}  # of each trained number


@exercise("09.1")
def zero_convolution(gradients: Any) -> str:
    """`gradients(weight, x, g)` differentiates y = weight @ x, for the weights and for what lies below."""
    for seed, loud in ((0, 0.0), (1, 1.0)):
        weight, x, g = loud * noise(seed, OUT, IN), noise(seed + 9, IN, PLACES), noise(seed + 99, OUT, PLACES)
        given = ask(gradients, weight, x, g)
        expect_pair(given, "the gradient of the weights and that of x")
        for gradient, like, name in zip(given, (weight, x), ("weights", "x"), strict=True):
            if not hasattr(gradient, "shape"):
                raise NotYet(f"The gradient of {name} should be a tensor; this is {gradient!r:.60}.")
            expect_shape(gradient, tuple(like.shape), f"as {name} themselves")
        slips = ((x @ g.T, "It lies on its side: the gradient has the shape of the weights, [out, in]."),
                 (g @ x.T / PLACES, "Sum over the places, do not take their mean."))  # fmt: skip
        expect(
            given[0], g @ x.T, slips, "The gradient of the weights is g @ x.T: what went in, times what comes back."
        )
        otherwise = "The gradient of x is weight.T @ g: with weights of zero nothing gets through."
        expect(given[1], weight.T @ g, ((g.new_ones(IN, OUT) @ g, "The weights are left out."),), otherwise)
    return "With zero weights the first is alive and the second is zero: the gate opens first, then what is behind it."


@exercise("09.2")
def estimate_of_the_picture(one_step: Any) -> str:
    """`one_step(noisy, guess, alpha)` solves noisy = sqrt(alpha) x0 + sqrt(1 - alpha) noise for x0 (DDPM, eq. 4)."""
    for seed, alpha in ((0, 0.9), (1, 0.2)):
        x0, guess = noise(seed, 2, 4, 3, 3), noise(seed + 9, 2, 4, 3, 3)
        noisy = alpha**0.5 * x0 + (1 - alpha) ** 0.5 * guess
        slips = (
            (noisy - (1 - alpha) ** 0.5 * guess, "The picture is still dimmed: divide by the square root of alpha."),
            (
                (noisy - (1 - alpha) * guess) / alpha,
                "alpha is a variance: take its square root, and that of 1 - alpha.",
            ),
            (noisy - guess, "The noise was weakened before it was added: by the square root of 1 - alpha."),
        )
        otherwise = "It should be (noisy - (1 - alpha) ** 0.5 * guess) / alpha ** 0.5."
        expect(ask(one_step, noisy, guess, alpha), x0, slips, otherwise)
    return "One guess, and the whole picture is there to be measured: that is how the curve by noise step was made."


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
            raise NotYet(
                f"At share {share:g} there are steps from {given.min()} to {given.max()}; they go from 0 to 999."
            )
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
        wanted = millions * sum(BYTES.values()) / 1000
        partly = (
            (millions * (sum(BYTES.values()) - size) / 1000, f"You left out {part}.") for part, size in BYTES.items()
        )
        slips = (*partly, (millions * 4 / 1000, "These are the weights alone."),
                 (wanted * 1000, "That is in megabytes: a thousand make a gigabyte."))  # fmt: skip
        expect(
            ask(training_gb, millions),
            wanted,
            slips,
            f"For {millions:g} million numbers it should be {wanted:.3f} GB.",
        )
    return "Five numbers for each one that learns. That is why small nets are loved, and 8-bit Adam."
