"""Exercises of lesson 04: joining, the score, a map from metres, and how a layer of zeros learns."""

from __future__ import annotations

from typing import Any

import numpy as np

from .asking import Exercise, NotYet, ask, close

SKIPS = ((1, 4, 6, 5), (1, 8, 3, 2))  # shapes, not square


def joining(joined: Any) -> str:
    """04.1: `joined(skips, additions, scale)` adds what the ControlNet says to each skip (Zhang et al., 2023)."""
    skips, additions = _tensors(0), _tensors(1)
    for scale in (1.0, 0.0, 0.5):
        given = ask(joined, skips, additions, scale)
        if not isinstance(given, list | tuple) or len(given) != len(skips):
            raise NotYet(f"Give a list of {len(skips)} tensors, one for each skip; this gives {type(given).__name__}.")
        if all(close(one, skip + scale * more) for one, skip, more in zip(given, skips, additions, strict=True)):
            continue
        if all(close(one, skip + more) for one, skip, more in zip(given, skips, additions, strict=True)):
            raise NotYet(f"With scale={scale:g} the control still speaks at full strength: the scale is left out.")
        if all(close(one, scale * (skip + more)) for one, skip, more in zip(given, skips, additions, strict=True)):
            raise NotYet("The scale belongs to the ControlNet alone: the locked model's skips stay as they are.")
        if scale == 0:
            raise NotYet("At scale 0 the skips must come out untouched: no control.")
        raise NotYet(f"With scale={scale:g} it should give skip + scale * addition for each pair.")
    return "At scale 0 nothing is added, so the picture is that of the locked model, to the last bit."


def share_of_the_way(score: Any) -> str:
    """04.2: `score(reached, floor, ceiling)` gives the share of the way from floor to ceiling, from the means."""
    nan = float("nan")
    reached, floor, ceiling = np.array([[0.6, 0.5, 0.7, nan], [0.1, 0.4, 0.2, nan], [0.9, 0.5, 0.8, nan]])
    given, (x, low, high) = ask(score, reached, floor, ceiling), (np.nanmean(a) for a in (reached, floor, ceiling))
    wrong = {
        "The floor is left out: without a map some edges match by luck, and that is no merit.": x / high,
        "Divide by the way there was to go, from the floor to the ceiling.": x - low,
        "That is the mean of the single shares, ruled by the scene with hardly any way to go: take the means first.": (
            np.nanmean((reached - floor) / (ceiling - floor))
        ),
    }
    if np.ndim(given) or np.isnan(given):
        raise NotYet(f"It should be one number, and a scene of nan must not spoil it; this gives {given}.")
    if close(given, (x - low) / (high - low)):
        return "0 at the floor, 1 at the ceiling, and below 0 if the map did harm."
    for reason, value in wrong.items():
        if close(given, value):
            raise NotYet(reason)
    raise NotYet(f"For these four scenes it should be {(x - low) / (high - low):.3f}, not {float(given):.3f}.")


def metres_to_map(depth_map: Any) -> str:
    """04.3: `depth_map(metres)` draws metric depth as the depth net expects it: inverse, stretched, near = bright."""
    metres = np.array([[1.0, 2.0, 4.0], [8.0, 2.0, 1.6]])
    given, near = np.asarray(ask(depth_map, metres)), 1 / metres
    wanted = (near - near.min()) / np.ptp(near) * 255
    if given.shape != (*metres.shape, 3):
        raise NotYet(f"The map of {metres.shape} numbers has shape {given.shape}; it needs a last axis of 3, for RGB.")
    if given.dtype != np.uint8:
        raise NotYet(f"The map is of dtype {given.dtype}; a picture is uint8, 0 to 255.")
    if np.ptp(given, axis=2).any():
        raise NotYet("Its three channels differ: a grey map has the same number in red, green and blue.")
    off = np.abs(given.astype(int) - wanted[..., None])
    if off.max() <= 1:
        return "Near is bright, and the sky, however far, is merely black."
    if (given[..., 0] == given[..., 0].max())[metres == metres.max()].all():
        raise NotYet("Far is bright in it: the sign is the wrong way round, and no net would complain.")
    straight = (metres.max() - metres) / np.ptp(metres) * 255
    if np.abs(given[..., 0] - straight).max() <= 1:
        raise NotYet("It turns the metres over, but not into their inverse: what is near would get too few levels.")
    if given.max() < 255 or given.min() > 0:
        raise NotYet(f"It spans {given.min()} to {given.max()}: stretch it over the whole range, 0 to 255.")
    raise NotYet(f"Where the metres are 2 it should be {wanted[0, 1]:.0f}, not {given[0, 1, 0]}.")


def how_zero_learns(after_one_step: Any) -> str:
    """04.4: `after_one_step(x, slope, rate)` gives (w, b) of y = w x + b after one step from w = b = 0."""
    for x, slope, rate in ((2.0, 3.0, 0.1), (-1.0, 0.5, 1.0), (0.0, 2.0, 0.5)):
        given, wanted = ask(after_one_step, x, slope, rate), (-rate * slope * x, -rate * slope)
        if not isinstance(given, tuple | list) or len(given) != 2:
            raise NotYet(f"Give a pair, the new w and the new b; this gives {given!r:.40}.")
        if np.allclose(given, wanted):
            continue
        case = f"With x={x:g}, slope={slope:g}, rate={rate:g}"
        if np.allclose(given, (0, 0)):
            raise NotYet(f"{case} it stays zero. But dL/dw = slope * x, and x is not zero: only w is.")
        if np.allclose(given, (-wanted[0], -wanted[1])):
            raise NotYet(f"{case} it climbs: descent goes against the slope, with a minus.")
        if np.allclose(given, (wanted[1], wanted[1])):
            raise NotYet(f"{case} the weight's slope is slope * x, by the chain rule: x is missing.")
        raise NotYet(f"{case} it should give {wanted}, not {tuple(given)}.")
    return "The weight moves at once, because its input is not zero. From the second step on the copy learns too."


def _tensors(seed: int) -> list:
    import torch

    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in SKIPS]


EXERCISES: dict[str, Exercise] = {
    "04.1": joining,
    "04.2": share_of_the_way,
    "04.3": metres_to_map,
    "04.4": how_zero_learns,
}
