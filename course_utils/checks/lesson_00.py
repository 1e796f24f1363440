"""Exercises of lesson 00: words that the model knows, noise from a seed, truth read off a render."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from .asking import NotYet, ask, exercise, expect, expect_shape, noise

if TYPE_CHECKING:
    from ..clay import Render

SHAPE = (1, 12, 16, 16)  # of clay's latents
SEEDS = 3, 5  # to try


@exercise("00.1")
def own_words(prompt: Any) -> str:
    """A prompt with two things, a colour before each, and a place, in words that clay knows."""
    from ..catalog import unknown_words
    from ..clay import vocabulary as words

    if not isinstance(prompt, str):
        raise NotYet(f"A prompt is a text in quotation marks; this is {prompt!r:.60}.")
    if unknown := unknown_words(prompt, "clay"):
        raise NotYet(f"The clay model never met: {', '.join(unknown)}. The cell above lists what it knows.")
    tokens = re.findall(r"[a-z]+", prompt.lower().replace("grey", "gray"))
    pairs = [(before, word) for before, word in zip(["", *tokens], tokens, strict=False) if word in words.THINGS]
    if (count := len({word for _, word in pairs})) < 2:
        raise NotYet(f"Name two different things; this names {count}.")
    if bare := [word for before, word in pairs if before not in words.COLOURS]:
        raise NotYet(f"Put a colour right before each thing; {bare[0]!r} has none.")
    if not {*words.PLACES, "grass"} & set(tokens):
        raise NotYet(f"Say where: on, in or at one of {', '.join(words.PLACES)}.")
    return "Two things, two colours, a place: lesson 01 counts how often such a prompt comes true."


@exercise("00.2")
def noise_from_a_seed(draw: Any) -> str:
    """`noise(seed, shape)` gives the noise that a seed stands for, from a generator of its own."""
    import torch

    first, other = SEEDS
    before = torch.get_rng_state()
    once, again = ask(draw, first, SHAPE), ask(draw, first, SHAPE)
    expect_shape(once, SHAPE, "the one that was asked for")
    if not torch.equal(before, torch.get_rng_state()):
        raise NotYet(
            "It draws from torch's global generator, which every other cell draws from too: a picture then depends on "
            "what ran before. Pass `generator=` a `torch.Generator` of its own."
        )
    if not torch.equal(once, again):
        raise NotYet(f"Seed {first} gave two different noises: make the generator anew in each call.")
    if torch.equal(once, ask(draw, other, SHAPE)):
        raise NotYet(f"Seeds {first} and {other} gave the same noise: start the generator from `seed`.")
    if not torch.equal(once, noise(first, *SHAPE)):
        raise NotYet("A pipeline draws other noise: use torch.randn, which is normal, with mean 0 and deviation 1.")
    return "Same seed, same noise, same picture; and no other cell is disturbed."


@exercise("00.3")
def share_of_a_word(share: Any) -> str:
    """`share(made, word)` gives how much of a render's pixels belong to a class, 0-1."""
    from ..clay.vocabulary import CLASS_ID

    made = clock_and_bench()
    for word in ("clock", "bench", "sky", "lion"):
        wanted, given = float((made.klass == CLASS_ID[word]).mean()), float(ask(share, made, word))
        if given > 1:
            raise NotYet(f"For {word!r} it gives {given:.0f}: a share lies in 0-1, so divide by the number of pixels.")
        number = (made.instance == CLASS_ID[word]).mean()
        slips = [(number, "`instance` numbers the things of this scene; what kind of thing it is stands in `klass`.")]
        expect(given, wanted, slips, f"For {word!r} it gives {given:.4f}; {wanted:.4f} of the pixels are {word}.")
    return "You read the truth. The judge of lesson 01 was trained on nothing but such maps."


@cache
def clock_and_bench() -> Render:
    """Return the scene of the lesson, small and not square."""
    from .. import clay

    return clay.render(clay.scene(words="a red clock and a blue bench on the beach"), 64, 96)
