"""Exercises of lesson 07: the parts of Attend-and-Excite (Chefer et al., 2023), and the interval of its audit."""

from __future__ import annotations

from typing import Any

import numpy as np

from .asking import NotYet, ask, exercise, expect, expect_pair

SIZE = (3, 4)  # of a map; not square, so that a slip with axes shows
TOO_OFTEN = 200  # pushes after which a loop will never end


@exercise("07.1")
def weakest_word(loss: Any) -> str:
    """`loss(maps)` gives what is missing to the weakest word's peak (Chefer et al., 2023, Algorithm 1)."""
    import torch

    for small in (1, 2, 0):  # the strongest word is that of a small thing: one peak, and little else
        maps = _positive(small, 3, *SIZE) * torch.tensor([0.9, 0.3, 0.6]).roll(small)[:, None, None]
        maps[small] *= 0.2
        maps[small, 0, 0] = 0.9
        peaks = maps.amax((1, 2))
        lacks, means = 1 - peaks, maps.mean((1, 2))
        slips = (
            (lacks[0], "That is what the first word lacks: take the weakest, whichever it is."),
            (peaks.min(), "That is the weakest word's peak; the loss is what it lacks of 1."),
            (lacks.min(), "That is what the strongest word lacks. The one in danger is the weakest."),
            (lacks.mean(), "The average over the words lets a strong lion hide a crown that nobody looks at."),
            (1 - means.min(), "The mean over places punishes small things: a crown needs one strong place, a peak."),
        )
        shown = ", ".join(f"{peak:.2f}" for peak in peaks.tolist())
        expect(ask(loss, maps), lacks.max(), slips, f"With peaks of {shown} it should give {lacks.max():.2f}.")
    return "One strong place for each word is enough, and only the weakest word counts."


@exercise("07.2")
def share_anew(sharpen: Any) -> str:
    """`sharpen(heat, sharpness)` shares each place out among the words, without the start token."""
    for seed, sharpness in ((3, 100.0), (4, 10.0)):
        heat = _positive(seed, 6, *SIZE).softmax(0)
        given, inner = ask(sharpen, heat, sharpness), heat[1:-1]
        if tuple(given.shape) != tuple(inner.shape):
            raise NotYet(f"Of {len(heat)} tokens {len(given)} are left; drop the first and the last only.")
        sharp = sharpness * inner
        slips = (
            ((sharpness * heat).softmax(0)[1:-1], "The start token took its share before it went: drop it first."),
            (inner.softmax(0), "The words differ by little, so they all get the same: multiply by `sharpness` first."),
            (sharp.flatten(1).softmax(1).view_as(inner), "Share out each place, not each word: axis 0."),
        )
        otherwise = "It should be the softmax over the words of sharpness times the maps, without first and last."
        expect(given, sharp.softmax(0), slips, otherwise)
    return "Small differences between words have become large ones, so the gradient has something to hold on to."


@exercise("07.3")
def step_down(push: Any) -> str:
    """`push(latents, loss_of, step_size)` gives z' = z - step_size * gradient (Chefer et al., 2023, Algorithm 1)."""
    import torch

    aim, start = _positive(5, *SIZE), _positive(6, *SIZE)
    for step_size in (0.5, 2.0):
        for loss_of in (lambda z: (z - aim).square().sum() / 2, lambda z: (z - aim).abs().pow(3).sum()):
            given, leaf = ask(push, start, loss_of, step_size), start.clone().requires_grad_()
            (slope,) = torch.autograd.grad(loss_of(leaf), leaf)
            step = step_size * slope
            slips = (
                (start + step, "The loss rises: the gradient points uphill, go against it."),
                (start - slope, "The move is step_size times the gradient, no more and no less."),
                (start - step / slope.norm(), "The move is step_size times the gradient, no more and no less."),
            )
            otherwise = "It should give latents - step_size * gradient; `torch.autograd.grad` gives the gradient."
            expect(given.detach(), start - step, slips, otherwise)
            if given.requires_grad:
                raise NotYet("The result drags the whole calculation along: step by step the memory fills. Use the "
                             "latents without gradient in the last line.")  # fmt: skip
    return "That is all the exciting there is: the weights stay, only the latents move."


@exercise("07.4")
def until_it_is_there(refine: Any) -> str:
    """`refine(latents, loss_of, push, peak, patience)` pushes until the peak is reached or patience ends."""
    for case, peak, patience, wanted in (
        ("a peak of 0.8 takes 8 pushes", 0.8, 20, 8),
        ("a peak of 0.2 is there after 1", 0.2, 20, 1),
        ("a peak of 0.05 is there already", 0.05, 20, 0),
        ("patience ends after 3", 0.8, 3, 3),
        ("there is no patience at all", 0.8, 0, 0),
    ):
        pushes, start = [], _positive(7, *SIZE) * 0 + 0.9

        def push(latents, pushes=pushes):
            pushes.append(latents)
            if len(pushes) > TOO_OFTEN:
                raise RecursionError(f"{TOO_OFTEN} pushes and no end: it must stop when patience is at its end")
            return latents * 0.82

        given = ask(refine, start, lambda z: z.max(), push, peak, patience)
        if len(pushes) != wanted:
            raise NotYet(f"Where {case}, it pushes {len(pushes)} times. Push while the loss is over 1 - peak, at most "
                         "`patience` times.")  # fmt: skip
        expect(given, start * 0.82**wanted, (), "Give back the latents after the last push.")
    return "A step that is repeated until the word is there: slow, but the paper's pictures owe much to it."


@exercise("07.5")
def paired_interval(interval: Any) -> str:
    """`interval(before, after, draws)` gives the 95 % bootstrap interval of a ratio, pair by pair."""
    rng, ends = np.random.default_rng(8), [0.025, 0.975]
    before = rng.choice([0.0, 0.5, 1.0], 60, p=[0.4, 0.4, 0.2])
    after = before * rng.choice([0.0, 1.0], 60, p=[0.5, 0.5])
    draws = rng.integers(0, 60, (500, 60))
    given = ask(interval, before, after, draws)
    expect_pair([*given], "two numbers, low and high")
    first, second = before[draws].mean(1), after[draws].mean(1)
    low, high = wanted = np.quantile(second / first, ends)
    slips = (
        (np.quantile(second - first, ends), "That is the interval of the difference; divide in place of subtracting."),
        (
            [(second / first).min(), (second / first).max()],
            "The outermost draws depend on how many there are: take the 2.5 % and the 97.5 % quantile.",
        ),
        (
            np.quantile(after[draws[::-1]].mean(1) / first, ends),
            "Before and after are drawn apart: use one row of `draws` for both, they are the same prompts.",
        ),
    )
    otherwise = f"It should give {low:.3f} to {high:.3f}: for each row of `draws` the mean of `after` over that of "
    expect([float(end) for end in given], wanted, slips, otherwise + "`before`, then the quantiles.")
    return "Each drawn prompt brings its own before and after, so hard prompts do not blur the answer."


def _positive(seed: int, *shape: int):
    import torch

    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))
