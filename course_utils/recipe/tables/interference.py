"""Table of lesson 08: what two LoRAs do to each other, on together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from ... import catalog, judge, personalize
from ...personalize import pretrained
from .making import Table
from .personal import MODELS, STAND_IN

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL import Image

PAIRS = (("robot", "dragon"), ("robot", "teapot"), ("dragon", "teapot"))
SEEDS = 16
NOBODY = "a cat in the garden"


def interference(
    pipe: DiffusionPipeline,
    loras: Mapping[str, personalize.Lora],
    score: Callable[[Image.Image, str], float],
    prompts: Sequence[str],
    seeds: Sequence[int] = range(8),
    weight: float = 1.0,
    **settings,
) -> list[dict]:
    """Paint each prompt with no LoRA, with each alone, and with both: do they leave each other alone?

    Args:
        pipe: stands on their base.
        loras: two, by name.
        score: from a picture and its prompt to how well it came out, for example by the judge.
        prompts: such as one for each LoRA's subject, one for both, and one for neither.
        seeds: the same for every cell.
        weight: how strongly each LoRA counts.
        settings: arguments of the pipeline call.

    Returns:
        Raw rows: on ("none", a name, "both"), prompt, seed, score. `results.personal.matrix` sums them up.
    """
    import torch

    if len(loras) != 2:
        raise ValueError(f"loras has {len(loras)} LoRAs; give two, by name.")
    cells = {"none": [], **{name: [lora] for name, lora in loras.items()}, "both": list(loras.values())}
    rows = []
    for on, chosen in cells.items():
        with personalize.attached(pipe, *chosen, weights=weight) if chosen else nullcontext():
            for prompt in prompts:
                for seed in seeds:
                    generator = torch.Generator().manual_seed(seed)
                    picture = pipe(prompt, generator=generator, **settings).images[0]
                    rows.append({"on": on, "prompt": prompt, "seed": seed, "score": float(score(picture, prompt))})
    return rows


def prompts_of(pair: tuple[str, str]) -> dict[str, tuple[str, ...]]:
    """Give the prompts of a pair's matrix, and which subjects each asks for: one, the other, both, none."""
    first, second = pair
    trigger, other = (pretrained.trigger_of(word) for word in pair)
    both = f"a {trigger} and a {other} in the garden"
    alone = {f"a {trigger} in the garden": (first,), f"a {other} in the garden": (second,)}
    return alone | {both: pair, NOBODY: (STAND_IN,)}


def found_share(image: Image.Image, wanted: tuple[str, ...]) -> float:
    """Give the share of things that are there, a subject in its colour."""
    sight = judge.look(image)
    return sum(sight.has(word, pretrained.SUBJECTS.get(word)) for word in wanted) / len(wanted)


def _jobs() -> dict[str, tuple[tuple[str, str], int]]:
    return {f"{' + '.join(pair)}, seed {seed}": (pair, seed) for pair in PAIRS for seed in range(SEEDS)}


def _measure(job: tuple[tuple[str, str], int]) -> list[dict]:
    pair, seed = job
    pipe, wanted = catalog.load("text2img", "clay"), prompts_of(pair)
    both = {word: pretrained.load(word, pipe, "clay") for word in pair}

    def score(image: Image.Image, prompt: str) -> float:
        return found_share(image, wanted[prompt])

    rows = interference(pipe, both, score, list(wanted), [seed], **catalog.defaults("clay"))
    return [{"pair": " + ".join(pair), **row} for row in rows]


TABLES = {
    "interference": Table(
        "interference", MODELS, _jobs, _measure,
        {"pairs": [list(pair) for pair in PAIRS], "seeds": SEEDS, "weight": 1.0},
    ),
}  # fmt: skip
