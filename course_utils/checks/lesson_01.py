"""Exercises of lesson 01: guidance, what a net is asked to guess, how few steps do, and counting what came true."""

from __future__ import annotations

import math
from typing import Any

from ..metrics import rate
from .asking import NotYet, ask, exercise, expect, expect_parts, expect_verdicts, noise

LATENTS = (1, 12, 4, 6)  # not square, so that a slip with axes shows
NEAR = 0.3  # of a spiral: so near its points count as drawn


@exercise("01.1")
def several_prompts(combined: Any) -> str:
    """`combined(uncond, conds, scales)` follows several prompts at once (Liu et al., 2022, eq. 11)."""
    uncond, conds = noise(0, *LATENTS), [noise(1, *LATENTS), noise(2, *LATENTS)]
    for scales in ([4.0, 0.0], [1.0, 2.0], [0.0, 0.0]):
        pulls = [scale * (cond - uncond) for scale, cond in zip(scales, conds, strict=True)]
        slips = (
            (sum(pulls), "The start is missing: uncond, and the pulls are added to it."),
            (2 * uncond + sum(pulls), "uncond counts once, however many prompts there are."),
            (uncond + pulls[0], "Only the first prompt is followed."),
            (uncond - sum(pulls), "It walks away from the prompts: the direction is cond - uncond."),
            (uncond + sum(pulls) / 2, "Their mean halves each pull; with a second scale of 0 the first counts whole."),
        )
        otherwise = f"With scales={scales} it should be uncond plus each scale times (its cond - uncond)."
        expect(ask(combined, uncond, conds, scales), uncond + sum(pulls), slips, otherwise)
    return "Each prompt pulls for itself, from the same start. A negative scale pushes away from a prompt."


@exercise("01.2")
def another_target(eps_from_v: Any) -> str:
    """`eps_from_v(x_t, v, alpha_bar)` gives the noise from the velocity (Salimans and Ho, 2022, appendix D)."""
    import torch

    clean, eps = noise(2, *LATENTS), noise(3, *LATENTS)
    for level in (0.9, 0.6, 0.05):
        alpha_bar = torch.tensor(level)
        signal, spread = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
        x_t, v = signal * clean + spread * eps, signal * eps - spread * clean
        slips = (
            (clean, "That is the clean picture; the noise was asked for."),
            (signal * v - spread * x_t, "A sign is wrong: look at what cancels the clean picture."),
            (spread * v + signal * x_t, "The two factors are in each other's place: the clean picture is left over."),
            (alpha_bar * v + (1 - alpha_bar) * x_t, "alpha_bar is a share of the variance: take square roots."),
        )
        otherwise = f"At alpha_bar={level} the noise does not come back: cancel x_0 from the two equations."
        expect(ask(eps_from_v, x_t, v, alpha_bar), eps, slips, otherwise)
    return "Noise, picture and velocity say the same thing of x_t: whoever knows one of them knows all three."


@exercise("01.3")
def came_true(all_there: Any) -> str:
    """`all_there(sight, wanted)` tells whether everything wanted is seen, in its colour where one is wanted."""
    from ..judge import Detection, Detections

    wanted = {"cat": "black", "crown": None}
    cases = (
        ("the black cat and a yellow crown", True, [("cat", "black"), ("crown", "yellow")]),
        ("the black cat and no crown", False, [("cat", "black")]),
        ("a crown and no cat", False, [("crown", "yellow")]),
        ("an orange cat and a crown", False, [("cat", "orange"), ("crown", "yellow")]),
        ("an orange cat and a black crown", False, [("cat", "orange"), ("crown", "black")]),
        ("a dog beside both", True, [("dog", "brown"), ("cat", "black"), ("crown", "red")]),
        ("nothing at all", False, []),
    )
    for shown, right, things in cases:
        found = Detections(tuple(Detection(word, colour, share=0.1, confidence=0.9) for word, colour in things))
        if bool(given := ask(all_there, found, wanted)) != right:
            raise NotYet(f"With wanted={wanted} a picture of {shown} should give {right}; this gives {given!r}.")
    return "Every thing must be there, and a colour counts only on the thing that it was said of."


@exercise("01.4")
def fewest_steps(fewest: Any) -> str:
    """`fewest()` gives the number of steps that should do, and {steps: points [point, 2] after the last step}."""
    guess, drawn = expect_parts(ask(fewest), "guess and points")
    if isinstance(guess, bool) or not isinstance(guess, int) or guess < 1:
        raise NotYet(f"guess is a whole number of steps; this is {guess!r:.60}.")
    if not isinstance(drawn, dict) or not {1, 5, 50} <= {*drawn} or len(drawn) < 4:
        raise NotYet("points is a dict with four numbers of steps or more as keys, 1, 5 and 50 among them.")
    away = {steps: _from_spiral(steps, points) for steps, points in sorted(drawn.items())}
    enough = [steps for steps, far in away.items() if far < NEAR]
    if not enough or away[50] > away[1]:
        raise NotYet(f"After 50 steps the points are {away[50]:.2f} off: give those after the last step, `[-1]`.")
    said = ", ".join(f"{far:.2f} after {steps}" for steps, far in away.items())
    hit = "as you expected" if guess == enough[0] else f"and you expected {guess}"
    return (
        f"From the spiral on average: {said}. Of these {enough[0]} is the smallest number that does, {hit}. One step "
        "gives the mean of all points that are possible, and that lies between the arms; each further step asks again."
    )


def _from_spiral(steps: Any, points: Any) -> float:
    """Give the mean distance of points from the lesson's spiral, whose radius is a third of its angle."""
    import torch

    points = torch.as_tensor(points).detach().cpu().float()
    if points.ndim != 2 or points.shape[1] != 2:
        raise NotYet(f"For {steps} steps give points [point, 2]; these have shape {tuple(points.shape)}.")
    turn = torch.linspace(0, 3 * torch.pi, 3000)[:, None]
    return float(torch.cdist(points, torch.cat([turn * turn.cos(), turn * turn.sin()], 1) / 3).amin(1).mean())


@exercise("01.5")
def how_many_tickets(tickets: Any) -> str:
    """`tickets(p, sure)` gives how many pictures to draw to be so sure that one is right."""
    for p, sure in ((0.5, 0.95), (0.3, 0.95), (0.9, 0.5), (1.0, 0.95), (0.05, 0.99)):
        wanted = 1 if p == 1 else math.ceil(math.log(1 - sure) / math.log(1 - p))
        given = ask(tickets, p, sure)
        if given == wanted:
            continue
        if p == 1:
            raise NotYet("If every picture is right, one is enough; log(0) is the trap here.")
        if given in (1 / p, math.ceil(1 / p)):
            raise NotYet(f"1/p is the average wait; with p={p} you are then only {1 - (1 - p) ** (1 / p):.0%} sure.")
        if math.ceil(given) == wanted:
            raise NotYet(f"You cannot draw {given:.2f} pictures: round up to a whole number.")
        raise NotYet(
            f"With p={p} and sure={sure} it should give {wanted}, not {given}: "
            f"{wanted} pictures all fail with chance {1 - p:g}**{wanted} = {(1 - p) ** wanted:.3f}."
        )
    given = ask(tickets, 0.0, 0.95)
    if given != math.inf:
        raise NotYet(f"With p=0 no number of pictures is enough: give math.inf, not {given!r:.40}.")
    return "That is what a prompt costs. A control is worth what it saves of this."


@exercise("01.6")
def more_things(experiment: Any) -> str:
    """`experiment()` gives what the reader expected and saw: {count: rate}, {count: [whether all were there]}."""
    guess, seen = expect_parts(ask(experiment), "guess and seen")
    if not isinstance(guess, dict) or not isinstance(seen, dict) or {*guess} != {*seen} or not {1, 2, 3, 4} <= {*seen}:
        raise NotYet("guess and seen are dicts, both with the numbers of things, 1 to 4, as keys.")
    if wrong := [count for count, rate in guess.items() if not 0 <= rate <= 1]:
        raise NotYet(f"A guess is a share from 0 to 1; that for {wrong[0]} things is {guess[wrong[0]]!r}.")
    for count, hits in seen.items():
        expect_verdicts(f"{count} things", hits)
    rates = {count: rate(hits) for count, hits in sorted(seen.items())}
    inside = [count for count, found in rates.items() if found.low <= guess[count] <= found.high]
    alone = rates[1].value ** 4
    found = rates[4]
    if alone > found.high:
        meaning = "Four are rarer than four draws apart would make them: the things are in each other's way."
    elif alone < found.low:
        meaning = "Four are more frequent than four draws apart would make them: is your first thing a hard one?"
    else:
        meaning = "Four draws apart explain it; that they hinder each other is not shown by so few pictures."
    return (
        f"All there: {'; '.join(f'{count}: {each}' for count, each in rates.items())}. "
        f"Your guess lies in the interval for {len(inside)} of {len(rates)}. If each thing came or not for itself, "
        f"as often as the first, four would come in {alone:.0%}. {meaning}"
    )
