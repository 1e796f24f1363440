"""Exercises of lesson 12: how a mode weighs the layers, a region, others' texts, a map in a PNG, two units."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from .. import metrics
from .asking import LEAST, NotYet, as_expected, ask, exercise, expect, expect_parts, expect_shape, noise

FALL = 0.825  # of the tab, from layer to layer
POSE, WORDS = (1, 0), (0, 0)  # strengths of both units: the pose alone, and neither
LAYERS = 13  # residuals of an SD 1.5 ControlNet: one for each skip, and the middle


@exercise("12.1")
def louder(weights: Any) -> str:
    """`weights(layers, first)` gives the factor of each residual, from `first` to 1, each so many times the last."""
    for layers, first in ((LAYERS, FALL ** (LAYERS - 1)), (LAYERS, 0.1), (5, 0.5)):
        given = np.array(ask(weights, layers, first), float)
        expect_shape(given, (layers,), "one factor for each layer")
        steps = np.arange(layers)[::-1]
        rising = first ** (steps / (layers - 1))
        slips = (
            (rising[::-1].copy(), "This is the wrong way round: the middle, the last one, keeps its full weight."),
            (np.linspace(first, 1, layers), "These grow by the same sum; they should grow by the same factor."),
            (
                first ** (steps / layers),
                f"From the first of {layers} to the last there are {layers - 1} steps, not {layers}.",
            ),
            (FALL**steps, "This is always the tab's 0.825: let `first` decide."),
            (np.ones(layers), "All ones are the balanced mode."),
        )
        ends = f"they are {given[0]:.3g} and {given[-1]:.3g}"
        otherwise = f"For {layers} layers the first should be {first:.3g} and the last 1, in even factors; {ends}."
        expect(given, rising, slips, otherwise)
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
def map_inside(packed: Any) -> str:
    """`packed(image, drawn)` gives the bytes of a PNG of `image` with the map in its text "map", as base64."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), dtype=np.uint8)
    image, drawn = (Image.fromarray(each) for each in pixels)
    given = ask(packed, image, drawn)
    if not isinstance(given, bytes):
        raise NotYet(f"Give the bytes of the file, `buffer.getvalue()`; this is of type {type(given).__name__}.")
    outer = _opened(given, "What you give")
    if not np.array_equal(np.asarray(outer.convert("RGB")), pixels[0]):
        raise NotYet("The picture itself has changed. Which of the two pictures did you save?")
    if "map" not in outer.text:
        raise NotYet(f'The PNG has no text named "map"; it has {", ".join(outer.text) or "none"}.')
    try:
        data = base64.b64decode(outer.text["map"], validate=True)
    except ValueError:
        raise NotYet("The text is no base64: `base64.b64encode(data).decode()` makes letters of bytes.") from None
    inner = _opened(data, "The map inside")
    if not np.array_equal(np.asarray(inner.convert("RGB")), pixels[1]):
        raise NotYet("The map inside is another one: write `drawn`, at its own size.")
    return "Whoever has this file has the map. The studio's PNGs do the same, with one text for each unit."


def _opened(data: bytes, what: str) -> PngImageFile:
    """Open a PNG, or say what it is instead."""
    try:
        image = Image.open(io.BytesIO(data))
    except OSError:
        raise NotYet(f"{what} is no picture file: let `save` write a PNG into a buffer.") from None
    if not isinstance(image, PngImageFile):
        raise NotYet(
            f"{what} is a {image.format}, which may change pixels. In a map they mean something: label maps that were "
            "saved as JPEG once spoiled the first numbers of a paper (ControlNet++). Take PNG."
        )
    image.load()
    return image


@exercise("12.5")
def two_units(experiment: Any) -> str:
    """`experiment()` gives (strength or None, {(pose, second): [(joints, is it a beach) of each seed]})."""
    guess, seen = expect_parts(ask(experiment), "guess and seen")
    if not isinstance(seen, dict) or not {POSE, WORDS} <= {*seen}:
        raise NotYet(f"seen is a dict; its keys are pairs of strengths, {POSE} and {WORDS} among them: the controls.")
    seconds = sorted({second for pose, second in seen if pose == 1 and second})
    if len(seconds) < 2:
        raise NotYet("Beside the pose at strength 1, try two strengths of the second unit or more, above 0.")
    if guess is not None and guess not in seconds:
        raise NotYet(f"guess is the strength at which the beach goes, of {seconds}, or None; this is {guess!r:.30}.")
    if len(counts := {len(pairs) for pairs in seen.values()}) > 1 or min(counts) < LEAST:
        raise NotYet(f"The same seeds in each cell, {LEAST} or more; there are {sorted(counts)}.")
    if any(
        len(pair) != 2 or not 0 <= pair[0] <= 1 or pair[1] not in (True, False) for c in seen.values() for pair in c
    ):
        raise NotYet(
            "For each seed a pair: the share of the joints, 0 to 1, and whether it is a beach, True or False."
        )
    joints, beaches = ({at: np.array(pairs, float)[:, k] for at, pairs in seen.items()} for k in (0, 1))
    if metrics.difference(joints[WORDS], joints[POSE]).low <= 0:
        raise NotYet(
            f"The pose alone brings {joints[POSE].mean():.2f} of the joints, the words {joints[WORDS].mean():.2f}: "
            "it is not obeyed, so nothing can make it better or worse. Is its scale 1?"
        )
    if beaches[POSE].mean() < 0.5:
        raise NotYet(f"The pose alone makes {beaches[POSE].mean():.0%} beaches: what was never there cannot go.")
    if all(np.array_equal(np.array(seen[1, second]), np.array(seen[POSE])) for second in seconds):
        raise NotYet("With and without the second unit all is the same: is it enabled, and its strength above 0?")
    lines = [
        _cell(second, *(part[at] for at in ((1, second), POSE) for part in (joints, beaches))) for second in seconds
    ]
    gone = next((second for second in seconds if beaches[1, second].mean() < beaches[POSE].mean() / 2), None)
    found = "The beach stays" if gone is None else f"More than half of the beaches are gone at {gone}"
    return f"{' '.join(lines)} {found}, {as_expected(gone, guess)}. Each cell holds {len(joints[POSE])} pictures."


def _cell(second: float, joints: np.ndarray, beaches: np.ndarray, plain: np.ndarray, before: np.ndarray) -> str:
    """Say what a second unit did, beside the pose alone, and what so few pictures cannot tell."""
    better, rates = metrics.difference(plain, joints), [metrics.rate(each) for each in (before, beaches)]
    sure = "surely" if better.low > 0 or better.high < 0 else "which may be chance"
    apart = rates[1].high < rates[0].low
    doubt = "" if apart or rates[1].value >= rates[0].value else ", too few to be sure"
    went = f"{rates[1].value:.0%} beaches (before {rates[0].value:.0%}{doubt})"
    return f"At {second} there are {went}, joints {better.value:+.2f} ({sure})."
