"""How good the base is: rates by the judge, word maps against true masks. Used for cards, never for training."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ... import judge
from ...env import ASSETS
from .. import vocabulary as words
from ..captions import PLACE_WORDS
from ..sample import unseen_pair

PROMPTS = ASSETS / "data" / "attend_excite_prompts.tsv"
STEPS, GUIDANCE = 20, 4.0


@dataclass(frozen=True)
class Ask:
    """A prompt and what should be in the picture: (word, colour or None) each."""

    prompt: str
    wanted: tuple[tuple[str, str | None], ...]
    category: str
    seen: bool = True


def singles(seeds: int = 8) -> list[Ask]:
    """Ask for every word of the base with a colour and a place, ``seeds`` times."""
    out = []
    for i, word in enumerate((*words.ANIMALS, *words.OBJECTS, *words.PEOPLE, "hand", *words.SCENERY, "hat")):
        for k in range(seeds):
            colour = list(words.COLOURS)[(3 * i + 4 * k) % 11]
            place = PLACE_WORDS[words.PLACES[(i + k) % 7]][0]
            out.append(Ask(_single(word, colour, place), ((word, _judged(word, colour)),), "single"))
    return out


def _single(word: str, colour: str, place: str) -> str:
    article = "an" if colour[0] in "aeiou" else "a"
    worn = {"man": "shirt", "woman": "dress", "hand": "sleeve"}
    if word in worn:
        return f"a {word} in {article} {colour} {worn[word]} {place}"
    if word == "painting":
        return f"a painting in {article} {colour} frame {place}"
    return f"{article} {colour} {word} {place}"


def _judged(word: str, colour: str) -> str | None:
    return None if word == "hand" else colour  # a sleeve is too small a share of the hand to vote


def pairs() -> list[Ask]:
    """Read the 276 prompts of Attend-and-Excite (Chefer et al., 2023)."""
    with open(PROMPTS, encoding="utf8") as f:
        rows = list(csv.DictReader(f, delimiter="\t"))
    return [
        Ask(
            r["prompt"],
            tuple((r[k], r[f"{k}_color"] or None) for k in ("first", "second")),
            r["category"],
            not unseen_pair(r["first"], r["second"]),
        )
        for r in rows
    ]


def pictures(pipe, prompts: list[str], seeds: list[int], batch: int = 16) -> Iterator[np.ndarray]:
    """Generate a picture for each prompt and seed: uint8 [256, 256, 3]."""
    pipe.set_progress_bar_config(disable=True)
    for k in range(0, len(prompts), batch):
        noise = [torch.Generator().manual_seed(s) for s in seeds[k : k + batch]]
        out = pipe(
            prompts[k : k + batch],
            generator=noise,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            output_type="np",
        )
        yield from (out.images * 255).round().astype(np.uint8)


def sit(pipe, asks: list[Ask], seeds: list[int]) -> list[dict]:
    """Generate and judge: one row for each ask and seed with what was found."""
    jobs = [(a, s) for a in asks for s in seeds]
    rows = []
    for (ask, seed), image in zip(
        jobs, pictures(pipe, [a.prompt for a, _ in jobs], [s for _, s in jobs]), strict=True
    ):
        sight = judge.look(image)
        colours = {seen.word: seen.colour for seen in sight.things}
        rows.append(
            {
                "prompt": ask.prompt, "category": ask.category, "seen": ask.seen, "seed": seed,
                "present": [word in colours for word, _ in ask.wanted],
                "colour": [colours.get(word) == c if c and word in colours else None for word, c in ask.wanted],
                "found": colours,
            }
        )  # fmt: skip
    return rows
