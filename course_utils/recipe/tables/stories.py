"""Tables of the two stories: the grey pose that shall go to the beach, and the hand that shall show N fingers."""

from __future__ import annotations

from functools import partial

import numpy as np
from PIL import Image

from ... import adherence, catalog, clay, controls, judge
from ...clay import Render
from ...clay.captions import NUMBERS
from ...clay.regions import borders
from ...controls import edges
from ..shipped import PAINTED_BY
from ..trials import Trial, generate, plain
from .making import Table
from .together import maps_of

SEEDS, BLOCK = 16, 8
STRENGTHS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
GREY_WORDS, BEACH_WORDS = "a man on the street", "a man on the beach"
WORDS, DEPTH, POSE = "text2img", "depth2img", "openpose"  # ways that have no strength
SUBJECTS = {"hand": "a hand showing {}", "person": "a woman showing {}"}
COUNTS = (1, 2, 3, 4, 5)


def grey(made: Render) -> Image.Image:
    """Take the colours out of a render: PIL, RGB, as an old photograph."""
    return Image.fromarray(made.image).convert("L").convert("RGB")


def outline_kept(made: Render, picture: np.ndarray) -> float:
    """Give the share of the outline of a render's things that is found as an edge, as lesson 02 counts it."""
    tolerance = min(made.depth.shape) / 128
    return adherence.edges_found(borders(made.instance >= 0), edges.canny(picture, 50, 100), tolerance)


def fingers(count: int) -> str:
    """Say a count as captions do: "one finger", "two fingers"."""
    return f"{NUMBERS[count]} finger{'s' * (count > 1)}"


def _beach_jobs() -> dict[str, tuple[str, float | None, int]]:
    ways = [(WORDS, None), *(("img2img", strength) for strength in STRENGTHS), (DEPTH, None), (POSE, None)]
    return {f"{way} {strength} {n}": (way, strength, n) for way, strength in ways for n in range(SEEDS // BLOCK)}


def _beach(job: tuple[str, float | None, int]) -> list[dict]:
    """Ask for the beach in one way: is the pose kept, is the beach reached? All ways know the grey picture alone."""
    way, strength, number = job
    chosen = [_trial(seed, GREY_WORDS, BEACH_WORDS) for seed in range(number * BLOCK, (number + 1) * BLOCK)]
    given = {
        WORDS: lambda: {},
        "img2img": lambda: {"image": [grey(trial.made) for trial in chosen], "how": {"strength": strength}},
        DEPTH: lambda: {"image": [grey(trial.made) for trial in chosen], "how": {"strength": 1.0}},
        POSE: lambda: {"image": [controls.make(POSE, grey(trial.made), lane="clay") for trial in chosen]},
    }[way]()
    load = partial(catalog.load, "controlnet", control=POSE) if way == POSE else partial(catalog.load, way)
    pictures = generate(load(lane="clay"), chosen, **given)
    return [
        {"way": way, "strength": strength, "seed": trial.number}
        | {"pose": plain(controls.adherence_of_joints(trial.made, picture)["body"])}
        | {"outline": plain(outline_kept(trial.made, picture)), "beach": plain(adherence.beach(picture))}
        for trial, picture in zip(chosen, pictures, strict=True)
    ]


def _fingers_jobs() -> dict[str, tuple[str, int, bool]]:
    return {
        f"{subject} {count} {'with' if steered else 'without'}": (subject, count, steered)
        for steered in (False, True)
        for subject in SUBJECTS
        for count in COUNTS
    }


def _fingers(job: tuple[str, int, bool]) -> list[dict]:
    """Ask for a count, with or without a map of the hand, and of the body where there is one; the judge counts."""
    subject, count, steered = job
    prompt = SUBJECTS[subject].format(fingers(count))
    chosen = [_trial(seed, prompt, prompt) for seed in range(SEEDS)]
    if steered:
        maps = [maps_of("body + hand", trial, trial) for trial in chosen]
        alone = subject == "hand"
        pipe = catalog.load("controlnet", "clay", control=POSE if alone else [POSE, POSE])
        pictures = generate(pipe, chosen, image=[hand for _, hand in maps] if alone else maps)
    else:
        pictures = generate(catalog.load("text2img", "clay"), chosen)
    return [
        {"subject": subject, "asked": count, "control": steered, "seed": trial.number}
        | {"counted": judge.look(picture).fingers}
        for trial, picture in zip(chosen, pictures, strict=True)
    ]


def _trial(seed: int, words: str, prompt: str) -> Trial:
    """Render a scene for a prompt; the seed is that of the scene and of the noise."""
    return Trial(seed, clay.render(clay.scene(seed, words=words)), prompt)


TABLES = {
    "beach": Table(
        "beach",
        (*PAINTED_BY, "clay-base/encoder", "clay-depth", "clay-reader", "clay-control-openpose"),
        _beach_jobs,
        _beach,
        {"grey": GREY_WORDS, "prompt": BEACH_WORDS, "seeds": SEEDS},
    ),
    "fingers": Table(
        "fingers",
        (*PAINTED_BY, "clay-judge", "clay-control-openpose"),
        _fingers_jobs,
        _fingers,
        {"prompts": list(SUBJECTS.values()), "seeds": SEEDS},
    ),
}
