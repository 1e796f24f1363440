"""Exercises of lesson 01: guidance, the expected picture, and counting what came true."""

from __future__ import annotations

import math
from typing import Any

from .asking import NotYet, ask, exercise, expect, noise

LATENTS = (1, 12, 4, 6)  # not square, so that a slip with axes shows


@exercise("01.1")
def guidance(cfg: Any) -> str:
    """`cfg(uncond, cond, scale)` mixes the two guesses of the noise (Ho and Salimans, 2022, eq. 6)."""
    uncond, cond = noise(0, *LATENTS), noise(1, *LATENTS)
    for scale in (1.0, 0.0, 4.0):
        step = scale * (cond - uncond)
        slips = (
            (cond + step, "It starts from cond, so the prompt counts once too often: start from uncond."),
            (uncond - step, "It walks away from the prompt: the direction is cond - uncond."),
            (cond - step, "It walks away from the prompt: the direction is cond - uncond."),
        )
        meaning = {0.0: "uncond, the prompt unheard", 1.0: "cond, no guidance"}.get(scale, "beyond cond, not between")
        given = ask(cfg, uncond, cond, scale)
        expect(given, uncond + step, slips, f"With scale={scale:g} it should give {meaning}.")
    return "At 0 the prompt is not heard, at 1 it is heard, above 1 it is exaggerated."


@exercise("01.2")
def expected_picture(predict_x0: Any) -> str:
    """`predict_x0(x_t, eps, alpha_bar)` solves the noising formula for the clean latents (Ho et al., 2020)."""
    import torch

    clean, eps = noise(2, *LATENTS), noise(3, *LATENTS)
    for level in (0.9, 0.5, 0.05):
        alpha_bar = torch.tensor(level)
        faded, added = alpha_bar.sqrt() * clean, (1 - alpha_bar).sqrt() * eps
        x_t = faded + added
        slips = (
            (faded, "The noise is gone, but the picture is still faded: divide by the share it was faded to."),
            (
                (x_t - (1 - alpha_bar) * eps) / alpha_bar,
                "alpha_bar is a share of the variance: the latents are multiplied by its square root.",
            ),
            ((x_t + added) / alpha_bar.sqrt(), "It adds the noise a second time: take it away."),
        )
        otherwise = f"At alpha_bar={level} the clean latents do not come back: solve the formula above for x0."
        expect(ask(predict_x0, x_t, eps, alpha_bar), clean, slips, otherwise)
    return "If the model's guess of the noise were perfect, one step would do."


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
def failing_seeds(failures: Any) -> str:
    """`failures(verdicts)` lists for each way to fail the seeds that failed so."""
    for verdicts in ({3: "right", 5: "missing", 8: "swapped", 9: "missing"}, {2: "right"}, {7: "leaked"}):
        given, wanted = ask(failures, verdicts), {}
        for seed, verdict in verdicts.items():
            if verdict != "right":
                wanted.setdefault(verdict, []).append(seed)
        if not isinstance(given, dict):
            raise NotYet(f"Give a dict of verdict to list of seeds, such as {wanted}; this gives {given!r:.60}.")
        if "right" in given:
            raise NotYet("'right' is no failure: leave it out.")
        if {name: sorted(seeds) for name, seeds in given.items()} != wanted:
            raise NotYet(f"For {verdicts} it should give {wanted}; this gives {given}.")
    return "A failing seed fails each time: that makes it a test that every later lesson can run."


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
    return "That is what a prompt costs. A control is worth what it saves of this."
