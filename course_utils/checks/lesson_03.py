"""Exercises of lesson 03: inverse depth, aligned, let in by a new channel, compared by order; what depth keeps."""

from __future__ import annotations

from typing import Any

from ..metrics import difference, rate
from .asking import (
    NotYet,
    ask,
    close,
    exercise,
    expect,
    expect_parts,
    expect_shape,
    expect_unnamed,
    expect_verdicts,
    noise,
)

LATENTS = (2, 12, 4, 6)  # not square, so that a slip with axes shows


@exercise("03.1")
def near_is_large(nearness: Any) -> str:
    """`nearness(depth)` gives inverse depth, whose order is that of nearness."""
    import numpy as np

    depth = np.array([[1.0, 2.0, 4.0], [2.5, 5.0, 40.0]])
    given = np.asarray(ask(nearness, depth), float)
    expect_shape(given, depth.shape, "that of the map")
    if np.ptp(given) and abs(np.corrcoef(given.ravel(), (1 / depth).ravel())[0, 1] - 1) < 1e-6:
        return "Of any scale and offset: a depth network gives no more than that, and no more is needed."
    if (np.diff(given.ravel()[np.argsort(depth.ravel())]) > 0).all():
        raise NotYet("Far is large in it: near should be.")
    if np.allclose(np.diff(given, axis=1), -np.diff(depth, axis=1)):
        raise NotYet("The order is right, but the far place takes nearly the whole range: divide, do not subtract.")
    raise NotYet("At twice the distance it should be half as large: 1 m gives 1, 4 m give 0.25.")


@exercise("03.2")
def aligned(aligned: Any) -> str:
    """`aligned(near, true)` brings a guess by scale and offset nearest to the truth (Ranftl et al., 2019)."""
    import numpy as np

    rng = np.random.default_rng(0)
    true = 1 / rng.uniform(1, 8, (5, 7))
    near = 40 * true + 3 + rng.normal(0, 2, true.shape)
    given = np.asarray(ask(aligned, near, true), float)
    expect_shape(given, true.shape, "that of the map")
    slope, offset = np.polyfit(near.ravel(), true.ravel(), 1)
    turned, start = np.polyfit(true.ravel(), near.ravel(), 1)
    spread = (near - near.mean()) / near.std() * true.std() + true.mean()
    span = (near - near.min()) / np.ptp(near) * np.ptp(true) + true.min()
    slips = (
        (near * (near * true).sum() / (near**2).sum(), "A scale alone is not enough: find the offset as well."),
        (near + (true - near).mean(), "An offset alone is not enough: find the scale as well."),
        (span, "Its ends fit, but two pixels decide for all: let every pixel count, by least squares."),
        (spread, "Mean and spread fit, but the spread of a guess is partly its error: least squares gives less."),
        ((near - start) / turned, "You fitted the truth to the guess and turned that round: fit guess to truth."),
        (slope * true + offset, "The truth was scaled; the guess should be."),
    )
    error = float(((given - true) ** 2).mean() ** 0.5)
    best = float(((slope * near + offset - true) ** 2).mean() ** 0.5)
    expect(given, slope * near + offset, slips, f"It is off by {error:.4f} on average; {best:.4f} is possible.")
    return "Now metres can be compared, if you had the truth to find them. Without it the order is all that is known."


@exercise("03.3")
def one_more_channel(widened: Any) -> str:
    """`widened(weight)` gives a first convolution one more channel, which says nothing at first."""
    import torch
    from torch.nn.functional import conv2d

    for out in (5, 3):
        weight, latents = noise(out, out, LATENTS[1], 3, 3), noise(8, *LATENTS)
        planes = noise(9, LATENTS[0], 1, *LATENTS[2:])
        given = ask(widened, weight)
        if tuple(given.shape) == (out + 1, *weight.shape[1:]):
            raise NotYet("That is one more channel *out*; the depth goes *in*, along dim 1.")
        expect_shape(given, (out, LATENTS[1] + 1, 3, 3), "out, in, height, width")
        if close(given[:, 1:], weight):
            raise NotYet("The new channel is the first; depth2img lays depth behind the latents, so it is the last.")
        shown = torch.cat([latents, planes], dim=1)
        if not close(given[:, :-1], weight):
            raise NotYet("The old channels have new weights: what the model has learned is lost.")
        if not close(conv2d(shown, given, padding=1), conv2d(latents, weight, padding=1)):
            raise NotYet("The new channel speaks before it has learned anything: the picture is spoiled at the start.")
    return "On the first day the model paints as before, whatever the depth. What zero learns from, lesson 04 asks."


@exercise("03.4")
def order_of_depths(rank_correlation: Any) -> str:
    """`rank_correlation(a, b)` compares the order of two arrays (Spearman, 1904)."""
    import numpy as np
    from scipy.stats import spearmanr

    a, other = np.random.default_rng(0).random((2, 6, 9))
    for what, b in (
        ("a map and a curved copy of it", np.exp(9 * a)), ("a map and its opposite", -(a**3)), ("two maps", a + other)
    ):  # fmt: skip
        given, wanted = float(ask(rank_correlation, a, b)), float(spearmanr(a, b, axis=None).statistic)
        order = [values.ravel().argsort() for values in (a, b)]
        slips = (
            (np.corrcoef(a.ravel(), b.ravel())[0, 1], "these are the values' correlation. Put ranks in their place."),
            (np.corrcoef(*order)[0, 1], "one argsort says who is first, second; a rank is the argsort of that."),
            (abs(wanted), "the sign tells whether near and far are swapped, so keep it."),
        )
        where = f"For {what} it should give {wanted:.3f}, not {given:.3f}: "
        otherwise = f"{where}replace each value by its place in the order, then correlate."
        expect(given, wanted, [(value, where + reason) for value, reason in slips], otherwise)
    return "Scale and offset of a depth map mean nothing, and this measure does not see them."


@exercise("03.5")
def what_depth_keeps(experiment: Any) -> str:
    """`experiment()` gives the prompt, {property: expected to be kept} and {property: (own depth, other depth)}."""
    prompt, guess, seen = expect_parts(ask(experiment), "prompt, guess and seen", 3)
    if not isinstance(guess, dict) or {*guess.values()} != {True, False}:
        raise NotYet("guess is a dict: at least one property that you expect to be kept, True, and one lost, False.")
    expect_unnamed(prompt, guess)
    if not isinstance(seen, dict) or {*seen} != {*guess}:
        raise NotYet(f"seen is a dict with the properties of your guess as keys: {', '.join(guess)}.")
    for name, both in seen.items():
        expect_parts(both, f"for {name} two lists: with the depth of your picture, and with that of another scene")
        for verdicts, which in zip(both, ("its own depth", "the other depth"), strict=True):
            expect_verdicts(f"{name} with {which}", verdicts)
        if len(both[0]) != len(both[1]):
            raise NotYet(f"For {name} both depths need the same seeds: {len(both[0])} and {len(both[1])} differ.")
    lines, kept = [], {}
    for name, (own, other) in seen.items():
        gain = difference(other, own)
        kept[name] = gain.low > 0
        hit = "as you expected" if kept[name] == guess[name] else "which you did not expect"
        shares = f"{rate(own).value:.0%} with its own depth, {rate(other).value:.0%} with the other"
        lines.append(f"{name}: {shares}; {_brought(gain, rate(other).value)}, {hit}")
    return f"{'. '.join(lines)}. {_surprise(guess, kept)}"


def _brought(gain: Any, without: float) -> str:
    """Say what a property owes to the depth: the gain over another depth, and how often it comes with that."""
    if gain.low > 0:
        return "the depth brings it"
    if gain.high < 0:
        return "the depth is in its way"
    if without >= 0.5:
        return "it comes anyway, of words or habit"
    return "that the depth brings it is not shown"


def _surprise(guess: dict[str, bool], kept: dict[str, bool]) -> str:
    """Say where to look when a property was not what it was expected to be."""
    if lost := [name for name in guess if guess[name] and not kept[name]]:
        return (
            f"Look for {lost[0]} in the depth map as the UNet gets it: is it larger than a latent, and not flat? And "
            "a shape is not a name: one that came may still be read as something else."
        )
    if came := [name for name in guess if kept[name] and not guess[name]]:
        return f"No colour passes through the depth: which shape asks for {came[0]}, and what does habit do with it?"
    return "What has a shape of its own came along, and what has none did not. Now find a case between the two."
