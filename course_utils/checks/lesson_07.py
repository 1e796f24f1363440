"""Exercises of lesson 07: the parts of Attend-and-Excite (Chefer et al., 2023), and the interval of its audit."""

from __future__ import annotations

from typing import Any

import numpy as np

from .asking import Exercise, NotYet, ask, close

SIZE = (3, 4)  # of a map; not square, so that a slip with axes shows
TOO_OFTEN = 200  # pushes after which a loop will never end


def weakest_word(loss: Any) -> str:
    """07.1: `loss(maps)` gives what is missing to the weakest word's peak (Chefer et al., 2023, Algorithm 1)."""
    import torch

    for small in (1, 2, 0):  # the strongest word is that of a small thing: one peak, and little else
        maps = _numbers(small, 3, *SIZE) * torch.tensor([0.9, 0.3, 0.6]).roll(small)[:, None, None]
        maps[small] *= 0.2
        maps[small, 0, 0] = 0.9
        given, peaks = ask(loss, maps), maps.amax((1, 2))
        if close(given, 1 - peaks.min()):
            continue
        if close(given, 1 - peaks[0]):
            raise NotYet("That is what the first word lacks: take the weakest, whichever it is.")
        if close(given, peaks.min()):
            raise NotYet("That is the weakest word's peak; the loss is what it lacks of 1.")
        if close(given, 1 - peaks.max()):
            raise NotYet("That is what the strongest word lacks. The one in danger is the weakest.")
        if close(given, 1 - peaks.mean()):
            raise NotYet("The average over the words lets a strong lion hide a crown that nobody looks at.")
        if close(given, 1 - maps.mean((1, 2)).min()):
            raise NotYet("The mean over the places punishes small things: a crown needs one strong place, a peak.")
        said = ", ".join(f"{peak:.2f}" for peak in peaks.tolist())
        raise NotYet(f"With peaks of {said} it should give {1 - peaks.min():.2f}.")
    return "One strong place for each word is enough, and only the weakest word counts."


def share_anew(sharpen: Any) -> str:
    """07.2: `sharpen(heat, sharpness)` shares each place out among the words, without the start token."""
    for seed, sharpness in ((3, 100.0), (4, 10.0)):
        heat = _numbers(seed, 6, *SIZE).softmax(0)
        given, inner = ask(sharpen, heat, sharpness), heat[1:-1]
        if close(given, (sharpness * inner).softmax(0)):
            continue
        if tuple(given.shape) != tuple(inner.shape):
            raise NotYet(f"Of {len(heat)} tokens {len(given)} are left; drop the first and the last only.")
        if close(given, (sharpness * heat).softmax(0)[1:-1]):
            raise NotYet("The start token has taken its share before it went: drop it first, then the softmax.")
        if close(given, inner.softmax(0)):
            raise NotYet("The words differ by little, so they all get the same: multiply by `sharpness` first.")
        if close(given, (sharpness * inner).flatten(1).softmax(1).view_as(inner)):
            raise NotYet("This shares each word out among the places. Share each place out among the words: axis 0.")
        raise NotYet("It should be the softmax over the words of sharpness times the maps, without first and last.")
    return "Small differences between words have become large ones, so the gradient has something to hold on to."


def step_down(push: Any) -> str:
    """07.3: `push(latents, loss_of, stride)` gives z' = z - stride * gradient (Chefer et al., 2023, Algorithm 1)."""
    import torch

    aim, start = _numbers(5, *SIZE), _numbers(6, *SIZE)
    for stride in (0.5, 2.0):
        for loss_of in (lambda z: (z - aim).square().sum() / 2, lambda z: (z - aim).abs().pow(3).sum()):
            given = ask(push, start, loss_of, stride)
            leaf = start.clone().requires_grad_()
            (slope,) = torch.autograd.grad(loss_of(leaf), leaf)
            if close(given, start + stride * slope):
                raise NotYet("The loss rises: the gradient points uphill, go against it.")
            if close(given, start - slope) or close(given, start - stride * slope / slope.norm()):
                raise NotYet("The move is stride times the gradient, no more and no less.")
            if not close(given, start - stride * slope):
                raise NotYet("It should give latents - stride * gradient; `torch.autograd.grad` gives the gradient.")
            if given.requires_grad:
                raise NotYet("The result drags the whole calculation along: step by step the memory fills. Use the "
                             "latents without gradient in the last line.")  # fmt: skip
    return "That is all the exciting there is: the weights stay, only the latents move."


def until_it_is_there(refine: Any) -> str:
    """07.4: `refine(latents, loss_of, push, peak, patience)` pushes until the peak is reached or patience ends."""
    cases = (
        ("a peak of 0.8 takes 8 pushes", 0.8, 20, 8),
        ("a peak of 0.2 is there after 1", 0.2, 20, 1),
        ("a peak of 0.05 is there already", 0.05, 20, 0),
        ("patience ends after 3", 0.8, 3, 3),
        ("there is no patience at all", 0.8, 0, 0),
    )
    for said, peak, patience, wanted in cases:
        count, start = [], _numbers(7, *SIZE) * 0 + 0.9

        def push(latents, count=count):
            count.append(latents)
            if len(count) > TOO_OFTEN:
                raise RecursionError(f"{TOO_OFTEN} pushes and no end: it must stop when patience is at its end")
            return latents * 0.82

        given = ask(refine, start, lambda z: z.max(), push, peak, patience)
        if len(count) != wanted:
            raise NotYet(f"Where {said}, it pushes {len(count)} times. Push while the loss is over 1 - peak, at most "
                         "`patience` times.")  # fmt: skip
        if not close(given, start * 0.82**wanted):
            raise NotYet("Give back the latents after the last push.")
    return "A step that is repeated until the word is there: slow, but the paper's pictures owe much to it."


def paired_interval(interval: Any) -> str:
    """07.5: `interval(before, after, draws)` gives the 95 % bootstrap interval of a ratio, pair by pair."""
    rng = np.random.default_rng(8)
    before = rng.choice([0.0, 0.5, 1.0], 60, p=[0.4, 0.4, 0.2])
    after = before * rng.choice([0.0, 1.0], 60, p=[0.5, 0.5])
    draws = rng.integers(0, 60, (500, 60))
    given = [float(end) for end in ask(interval, before, after, draws)]
    shares = after[draws].mean(1) / before[draws].mean(1)
    wanted, apart = np.quantile(shares, [0.025, 0.975]), after[draws[::-1]].mean(1) / before[draws].mean(1)
    if len(given) != 2:
        raise NotYet(f"Give two numbers, low and high; these are {len(given)}.")
    if np.allclose(given, wanted, atol=1e-3):
        return "Each drawn prompt brings its own before and after, so hard prompts do not blur the answer."
    if np.allclose(given, np.quantile(after[draws].mean(1) - before[draws].mean(1), [0.025, 0.975]), atol=1e-3):
        raise NotYet("That is the interval of the difference; divide in place of subtracting.")
    if np.allclose(given, [shares.min(), shares.max()], atol=1e-3):
        raise NotYet("The outermost draws depend on how many there are: take the 2.5 % and the 97.5 % quantile.")
    if np.allclose(given, np.quantile(apart, [0.025, 0.975]), atol=1e-3):
        raise NotYet("Before and after are drawn apart: use one row of `draws` for both, they are the same prompts.")
    raise NotYet(f"It should give {wanted[0]:.3f} to {wanted[1]:.3f}: for each row of `draws` the mean of `after` "
                 "over that of `before`, then the quantiles.")  # fmt: skip


def _numbers(seed: int, *shape: int):
    import torch

    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


EXERCISES: dict[str, Exercise] = {
    "07.1": weakest_word,
    "07.2": share_anew,
    "07.3": step_down,
    "07.4": until_it_is_there,
    "07.5": paired_interval,
}
