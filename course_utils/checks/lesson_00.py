"""Exercises of lesson 00: known words, noise from a seed, truth read off a render, words against seeds."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from .asking import NotYet, ask, exercise, expect, expect_parts, expect_shape, noise

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


@exercise("00.4")
def words_or_seed(experiment: Any) -> str:
    """`experiment()` gives a guess, "words" or "seed", and {prompt: [picture of each seed]} for two prompts."""
    import numpy as np

    guess, pictures = expect_parts(ask(experiment), "guess and pictures")
    if guess not in ("words", "seed"):
        raise NotYet(f'guess is "words" or "seed", whichever you expect to change more; this is {guess!r:.60}.')
    if not isinstance(pictures, dict) or len(pictures) != 2 or len({*map(len, pictures.values())}) != 1:
        raise NotYet("pictures is a dict of two prompts, each with a list of pictures, the same seeds for both.")
    first, second = (prompt.lower().split() for prompt in pictures)
    if len(first) != len(second) or sum(a != b for a, b in zip(first, second, strict=True)) != 1:
        raise NotYet("Let your prompts differ in exactly one word, or nobody can say which of the words did it.")
    rows = [[np.asarray(picture, float) for picture in row] for row in pictures.values()]
    if len(rows[0]) < 4 or len({picture.shape for row in rows for picture in row}) != 1:
        raise NotYet("Paint at least four seeds of each prompt, all pictures in one size.")
    apart = np.array([[[np.abs(a - b).mean() for b in row] for a in row] for row in rows])
    count = len(rows[0])
    if (apart[:, ~np.eye(count, dtype=bool)] == 0).any():
        raise NotYet("Two pictures of the same prompt are equal: does each have a seed of its own?")
    by_words = np.array([np.abs(a - b).mean() for a, b in zip(*rows, strict=True)])
    if (by_words == 0).any():
        raise NotYet("Both prompts gave an equal picture: is the second prompt really painted?")
    return _what_moves(guess, by_words, apart.mean(0).sum(1) / (count - 1))


def _what_moves(guess: str, by_words: Any, by_seed: Any) -> str:
    """Tell what changes more: mean changes by word and by seed, one a seed, 0-255."""
    words_move = bool(by_words.mean() > by_seed.mean())
    agree = int(((by_words > by_seed) == words_move).sum())
    meaning = (
        "That word rules a large area, and pixels count area."
        if words_move
        else "Your words leave much open, and the seed decides it: where things stand, and how they are turned."
    )
    if agree < len(by_words):
        meaning += " But the seeds do not agree, so paint more before you believe it."
    return (
        f"Another word changes a pixel by {by_words.mean():.0f} of 255 on average, another seed by "
        f"{by_seed.mean():.0f}. {'The word' if words_move else 'The seed'} changes more, "
        f"{'as you expected' if (guess == 'words') == words_move else f'and you expected the {guess}'}, with {agree} "
        f"of {len(by_words)} seeds. {meaning}"
    )


@cache
def clock_and_bench() -> Render:
    """Return the scene of the lesson, small and not square."""
    from .. import clay

    return clay.render(clay.scene(words="a red clock and a blue bench on the beach"), 64, 96)
