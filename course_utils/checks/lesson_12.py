"""Exercises of lesson 12: how a mode weighs the layers, a region, what other tools write, the order of a grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from .asking import NotYet, ask, exercise, expect, expect_parts, expect_shape, noise

FALL = 0.825  # of the tab, from layer to layer
LAYERS = 13  # residuals of an SD 1.5 ControlNet: one for each skip, and the middle


@exercise("12.1")
def prompt_first(weights: Any) -> str:
    """`weights(layers)` gives the factor of each residual where the prompt is more important, the middle's last."""
    given = np.array(ask(weights, LAYERS), float)
    expect_shape(given, (LAYERS,), "one factor for each layer")
    rising, falling = (FALL ** np.arange(*steps) for steps in ((LAYERS - 1, -1, -1), (LAYERS,)))
    slips = (
        (falling, "This is the wrong way round: the middle, the last one, keeps its full weight."),
        (rising * FALL, "The last one should be 1: the power is 12 - i for thirteen layers, so 0 for the last."),
        (np.ones(LAYERS), "All ones are the balanced mode."),
        (np.logspace(-1, 0, LAYERS), "These are the factors of guess_mode, the third way: from 0.1 to 1."),
    )
    expect(given, rising, slips, f"The first should be {rising[0]:.3f} and the last 1, not {given[[0, -1]]}.")
    otherwise = "For five layers, as ours have, the last should be 1 as well: count from the end."
    expect(np.array(ask(weights, 5), float), rising[-5:], (), otherwise)
    return "The early layers, which say where edges run, are whispered; the middle, which says what it is, is heard."


@exercise("12.2")
def one_region(inside: Any) -> str:
    """`inside(residual, mask)` lets a control speak in its region only."""
    residual, mask = noise(0, 2, 3, 4, 4), np.zeros((16, 16), np.float32)
    mask[:5, 4:] = 1
    shrunk = mask.reshape(4, 4, 4, 4).mean((1, 3))
    given = ask(inside, residual, mask)
    expect_shape(given, (2, 3, 4, 4), "as the residual")
    parts = {name: residual * residual.new_tensor(part) for name, part in (
        ("right", shrunk), ("out", 1 - shrunk), ("corner", mask[::4, ::4]), ("rounded", shrunk >= 0.5),
    )}  # fmt: skip
    slips = (
        (residual, "Nothing changed: multiply by the mask."),
        (parts["out"], "This is the outside: the control should speak where the mask is 1."),
        (parts["corner"], "One pixel of each cell decides here: take the mean of all of its pixels."),
        (parts["rounded"], "A cell that is half covered should be heard by half: no rounding."),
    )
    expect(given, parts["right"], slips, "Each place times the share of its pixels that the mask covers.")
    return "Five lines, and a control has a region. A cell of a latent or more is the finest that it can be."


TEXT = (
    "a lion, with a crown\nin the garden\nNegative prompt: blurry, grey\n"
    'Steps: 20, Sampler: DDIM, CFG scale: 4.0, Seed: 7, Size: 256x256, Note: "a, b: c"'
)
PLAIN = "a cat\nSteps: 5, Sampler: PNDM, CFG scale: 7.5, Seed: 42, Size: 64x64"


@exercise("12.3")
def others_text(read: Any) -> str:
    """`read(text)` gives (prompt, seed) of the text that other programs write into their PNGs."""
    for text, prompt, seed in ((PLAIN, "a cat", 42), (TEXT, "a lion, with a crown\nin the garden", 7)):
        found, number = expect_parts(ask(read, text), "the prompt and the seed")
        if not isinstance(found, str) or "Negative prompt" in found or "Steps:" in found:
            raise NotYet(f"The prompt ends before 'Negative prompt:' or 'Steps:'; yours is {found!r:.70}.")
        if found.strip() != prompt:
            lost = "A prompt may have commas and several lines: keep them all." if found in prompt else ""
            raise NotYet(lost or f"The prompt should be {prompt!r}, not {found!r:.60}.")
        if number == str(seed):
            raise NotYet("The seed should be a number: int(...).")
        if number != seed:
            raise NotYet(f"The seed should be {seed}, not {number!r:.40}: look behind 'Seed: '.")
    return "So do image browsers read pictures of a dozen programs. What stands there is all that they know."


@exercise("12.4")
def dear_outside(order: Any) -> str:
    """`order(x, y, x_cost, y_cost)` lists the cells (x, y) of a grid so that the dear knob turns least often."""
    x, y = ["a", "b", "c"], [1, 2]
    for costs, turns in (((9.0, 0.1), 2), ((0.1, 9.0), 1)):
        given = ask(order, x, y, *costs)
        try:
            cells = [tuple(cell) for cell in given]
        except TypeError:
            raise NotYet("Give a list of pairs (x, y), one for each cell.") from None
        if sorted(cells, key=str) != sorted([(a, b) for a in x for b in y], key=str):
            raise NotYet(
                f"Each of the {len(x) * len(y)} pairs (x, y) should come once; this begins {cells[:3]!r:.60}."
            )
        axis = int(costs[1] > costs[0])
        done = sum(before[axis] != after[axis] for before, after in zip(cells, cells[1:], strict=False))
        if done != turns:
            raise NotYet(f"With costs {costs} the {'xy'[axis]} axis is dear and is turned {done} times; {turns} do.")
    return "A model that takes a minute to load is loaded once for each of its values, not once for each cell."
