"""Exercises of lesson 04: joining, the score, a map from metres, and how a layer of zeros learns."""

from __future__ import annotations

from typing import Any

import numpy as np

from .asking import NotYet, ask, exercise, expect, expect_pair, expect_shape, noise

SKIPS = ((1, 4, 6, 5), (1, 8, 3, 2))  # shapes, not square


@exercise("04.1")
def joining(joined: Any) -> str:
    """`joined(skips, additions, scale)` adds what the ControlNet says to each skip (Zhang et al., 2023)."""
    skips, additions = ([noise(seed, *shape) for shape in SKIPS] for seed in (0, 1))
    for scale in (1.0, 0.0, 0.5):
        given = ask(joined, skips, additions, scale)
        if not isinstance(given, list | tuple) or len(given) != len(skips):
            raise NotYet(f"Give a list of {len(skips)} tensors, one for each skip; this gives {type(given).__name__}.")
        otherwise = f"With scale={scale:g} it should give skip + scale * addition for each pair."
        if scale == 0:
            otherwise = "At scale 0 the skips must come out untouched: no control."
        for joined_skip, skip, more in zip(given, skips, additions, strict=True):
            slips = (
                (skip + more, f"With scale={scale:g} the control is at full strength: the scale is left out."),
                (scale * (skip + more), "The scale is for the ControlNet alone: the locked model's skips stay as is."),
            )
            expect(joined_skip, skip + scale * more, slips, otherwise)
    return "At scale 0 nothing is added, so the picture is that of the locked model, to the last bit."


@exercise("04.2")
def share_of_the_way(score: Any) -> str:
    """`score(reached, floor, ceiling)` gives the share of the way from floor to ceiling, from the means."""
    nan = float("nan")
    reached, floor, ceiling = np.array([[0.6, 0.5, 0.7, nan], [0.1, 0.4, 0.2, nan], [0.9, 0.5, 0.8, nan]])
    given, (x, low, high) = ask(score, reached, floor, ceiling), (np.nanmean(a) for a in (reached, floor, ceiling))
    if np.ndim(given) or np.isnan(given):
        raise NotYet(f"It should be one number, and a scene of nan must not spoil it; this gives {given}.")
    single, wanted = np.nanmean((reached - floor) / (ceiling - floor)), (x - low) / (high - low)
    slips = (
        (x / high, "The floor is left out: without a map some edges match by luck, and that is no merit."),
        (x - low, "Divide by the way there was to go, from the floor to the ceiling."),
        (single, "The mean of single shares is ruled by the scene with hardly a way to go: take the means first."),
    )
    expect(given, wanted, slips, f"For these four scenes it should be {wanted:.3f}, not {float(given):.3f}.")
    return "0 at the floor, 1 at the ceiling, and below 0 if the map did harm."


@exercise("04.3")
def metres_to_map(depth_map: Any) -> str:
    """`depth_map(metres)` draws metric depth as the depth net expects it: inverse, stretched, near = bright."""
    metres = np.array([[1.0, 2.0, 4.0], [8.0, 2.0, 1.6]])
    given, near = np.asarray(ask(depth_map, metres)), 1 / metres
    wanted = (near - near.min()) / np.ptp(near) * 255
    expect_shape(given, (*metres.shape, 3), "with a last axis for RGB")
    if given.dtype != np.uint8:
        raise NotYet(f"The map is of dtype {given.dtype}; a picture is uint8, 0 to 255.")
    if np.ptp(given, axis=2).any():
        raise NotYet("Its three channels differ: a grey map has the same number in red, green and blue.")
    if np.abs(given - wanted[..., None]).max() <= 1:
        return "Near is bright, and the sky, however far, is merely black."
    if (given[..., 0] == given[..., 0].max())[metres == metres.max()].all():
        raise NotYet("Far is bright in it: the sign is the wrong way round, and no net would complain.")
    straight = (metres.max() - metres) / np.ptp(metres) * 255
    if np.abs(given[..., 0] - straight).max() <= 1:
        raise NotYet("It turns the metres over, but not into their inverse: what is near would get too few levels.")
    if given.max() < 255 or given.min() > 0:
        raise NotYet(f"It spans {given.min()} to {given.max()}: stretch it over the whole range, 0 to 255.")
    raise NotYet(f"Where the metres are 2 it should be {wanted[0, 1]:.0f}, not {given[0, 1, 0]}.")


@exercise("04.4")
def how_zero_learns(after_one_step: Any) -> str:
    """`after_one_step(x, slope, rate)` gives (w, b) of y = w x + b after one step from w = b = 0."""
    for x, slope, rate in ((2.0, 3.0, 0.1), (-1.0, 0.5, 1.0), (0.0, 2.0, 0.5)):
        given, wanted = ask(after_one_step, x, slope, rate), (-rate * slope * x, -rate * slope)
        expect_pair(given, "the new w and the new b")
        case = f"With x={x:g}, slope={slope:g}, rate={rate:g}"
        slips = (
            ((0, 0), f"{case} it stays zero. But dL/dw = slope * x, and x is not zero: only w is."),
            ((-wanted[0], -wanted[1]), f"{case} it climbs: descent goes against the slope, with a minus."),
            ((wanted[1],) * 2, f"{case} the weight's slope is slope * x, by the chain rule: x is missing."),
        )
        expect(given, wanted, slips, f"{case} it should give {wanted}, not {tuple(given)}.")
    return "The weight moves at once, because its input is not zero. From the second step on the copy learns too."
