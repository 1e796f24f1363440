"""Exercises of lesson 03: depth drawn, aligned, let in by a new channel, compared by order; what depth keeps."""

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
def drawn_by_hand(drawn: Any) -> str:
    """`drawn(height, width)` gives inverse depth, 0-1: sky, ground that comes nearer, an upright disc."""
    import numpy as np

    height, width = 48, 80
    near = np.asarray(ask(drawn, height, width), float)
    expect_shape(near, (height, width), "height, width")
    if near.min() < -0.01 or near.max() > 1.01:
        raise NotYet(f"It goes from {near.min():.2f} to {near.max():.2f}; inverse depth here is 0 to 1.")
    side, disc = near[:, 2], near[height // 4 + 3 : 3 * height // 4 - 2, width // 2]  # a column of ground; the disc's
    if side[0] > 0.5:
        raise NotYet("The sky is near and large: it is the farthest, so 0. Far is small in inverse depth.")
    if side[: height // 2].max() > 0.05:
        raise NotYet("The upper half is sky: 0, but for the disc.")
    if side[-1] < 0.9 or (np.diff(side[height // 2 :]) < -1e-6).any() or abs(side[3 * height // 4] - 0.5) > 0.1:
        raise NotYet("From the middle row down the ground comes evenly nearer, from 0 up to 1 at the lower edge.")
    if np.abs(disc - 0.8).max() > 0.05:
        raise NotYet("The disc stands upright in the middle, all of it as near as 0.8; in its column there is more.")
    across = np.abs(near[height // 2] - 0.8) < 0.05
    if abs(across.sum() - height / 2) > 4:
        raise NotYet(
            f"In the middle row {across.sum()} pixels are disc; with a radius of {height // 4} it is twice that."
        )
    corner = near[height // 4 + 2, width // 2 - height // 4 + 2]
    if abs(corner - 0.8) < 0.05:
        raise NotYet("That is a box: in a disc, what is farther from the middle than the radius is left out.")
    return "A slope and a plate: no network has seen a picture here. Whatever says near and far is a control."


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
