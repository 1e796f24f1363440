"""How good the base is: rates by the judge, word maps against true masks. Used for cards, never for training."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .. import catalog, judge
from ..clay import vocabulary as words
from ..clay.captions import PLACE_WORDS
from ..clay.sample import unseen_pair
from ..env import ASSETS

PROMPTS = ASSETS / "data" / "attend_excite_prompts.tsv"


@dataclass(frozen=True)
class Ask:
    """A prompt and what should be in the picture: (word, colour or None) each."""

    prompt: str
    wanted: tuple[tuple[str, str | None], ...]
    category: str
    seen: bool = True


def singles(seeds: int = 8) -> list[tuple[Ask, int]]:
    """Ask for every word of the base ``seeds`` times, each time with another colour, place and seed."""
    out = []
    for i, word in enumerate((*words.ANIMALS, *words.OBJECTS, *words.PEOPLE, "hand", *words.SCENERY, "hat")):
        for seed in range(seeds):
            colour = list(words.COLOURS)[(3 * i + 4 * seed) % 11]
            place = PLACE_WORDS[words.PLACES[(i + seed) % 7]][0]
            out.append((Ask(_single(word, colour, place), ((word, _judged(word, colour)),), "single"), seed))
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


def pairs(seeds: int = 4) -> list[tuple[Ask, int]]:
    """Ask for the 276 prompts of Attend-and-Excite (Chefer et al., 2023), each with ``seeds`` seeds."""
    with open(PROMPTS, encoding="utf8") as f:
        rows = list(csv.DictReader(f, delimiter="\t"))
    asks = [
        Ask(
            r["prompt"],
            tuple((r[k], r[f"{k}_color"] or None) for k in ("first", "second")),
            r["category"],
            not unseen_pair(r["first"], r["second"]),
        )
        for r in rows
    ]
    return [(ask, seed) for ask in asks for seed in range(seeds)]


def pictures(pipe, prompts: list[str], seeds: list[int], batch: int = 16) -> Iterator[np.ndarray]:
    """Generate a picture for each prompt and seed with the lane's defaults: uint8 [height, width, 3]."""
    settings = catalog.defaults("clay")
    for k in range(0, len(prompts), batch):
        noise = [torch.Generator().manual_seed(s) for s in seeds[k : k + batch]]
        out = pipe(prompts[k : k + batch], generator=noise, output_type="np", **settings)
        yield from (out.images * 255).round().astype(np.uint8)


def sit(pipe, jobs: list[tuple[Ask, int]], log: Path) -> list[dict]:
    """Generate and judge: one row for each ask and seed with what was found.

    Args:
        pipe: the base.
        jobs: asks and seeds.
        log: rows that it holds already are not made again; each new one is added at once.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    kept = {(r["prompt"], r["seed"]): r for r in map(json.loads, log.read_text().splitlines())}
    left = [(ask, seed) for ask, seed in jobs if (ask.prompt, seed) not in kept]
    images = pictures(pipe, [ask.prompt for ask, _ in left], [seed for _, seed in left])
    with log.open("a") as file:
        for (ask, seed), image in zip(left, images, strict=True):
            kept[ask.prompt, seed] = row(ask, seed, image)
            file.write(json.dumps(kept[ask.prompt, seed]) + "\n")
            file.flush()
    return [kept[ask.prompt, seed] for ask, seed in jobs]


def row(ask: Ask, seed: int, image: np.ndarray) -> dict:
    """Judge a picture: what was asked for, and what was found of it."""
    found = {seen.word: seen.colour for seen in judge.look(image).things}
    colours = [found[word] == colour if colour and word in found else None for word, colour in ask.wanted]
    return {
        "prompt": ask.prompt, "category": ask.category, "seen": ask.seen, "seed": seed,
        "present": [word in found for word, _ in ask.wanted], "colour": colours,
        "leaked": leaks(ask, found), "found": found,
    }  # fmt: skip


def leaks(ask: Ask, found: dict[str, str]) -> list[bool | None]:
    """Tell for each of two things whether it took the colour asked of the other.

    None where that cannot be told: the thing is not there, the other has no colour, or has one that is this one's own.
    """
    out = []
    for (word, own), (_, other) in zip(ask.wanted, reversed(ask.wanted), strict=True):
        its_own = (own,) if own else words.NATURAL.get(word, ())
        clear = len(ask.wanted) == 2 and word in found and other and other not in its_own
        out.append(found[word] == other if clear else None)
    return out


def sheet(pipe, jobs: list[tuple[Ask, int]], columns: int = 8) -> np.ndarray:
    """Lay generated pictures out: look at them before you believe a rate."""
    images = list(pictures(pipe, [ask.prompt for ask, _ in jobs], [seed for _, seed in jobs]))
    images += [np.zeros_like(images[0])] * (-len(images) % columns)
    return np.vstack([np.hstack(images[k : k + columns]) for k in range(0, len(images), columns)])
