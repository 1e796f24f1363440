"""Table of lesson 11: what each rung of the ladder against flicker is worth, over clips of three kinds of motion."""

from __future__ import annotations

from functools import lru_cache

from PIL import Image

from ... import catalog, video
from .. import trials
from ..shipped import PAINTED_BY
from .making import Table

CLIPS = 10  # cast by turns, so that the first N are a fair sample of all motions; CAST has 18
FRAMES, CONTROL = 6, "depth"
CAST = {
    "walk": ("a man in the garden", "a woman on the beach", "a man in the snow", "a woman in the desert",
             "a man on the beach", "a woman in the garden"),
    "turn": ("a red car and a tree on the beach", "a house in the desert", "a blue bench in the garden",
             "a lion in the snow", "a chair in the garden", "a clock on the beach"),
    "behind": ("a cat and a tree in the garden", "a dog and a blue bench on the beach",
               "a red ball and a chair in the snow", "a rabbit and a bench in the desert",
               "a turtle and a tree in the snow", "a lion and a chair on the beach"),
}  # fmt: skip
HOW = {"num_inference_steps": 12, "guidance_scale": 4.0}
AFTER = {"all": "all, then median", "warped, anchored": "warped, then median"}  # painted once, measured twice


def _jobs() -> dict[str, tuple[int, str, str, str]]:
    clips = [(motion, words[turn]) for turn in range(6) for motion, words in CAST.items()][:CLIPS]
    rungs = ("bounds", *(rung for rung in video.RUNGS if rung not in AFTER.values()))
    return {
        f"{number} {rung}": (number, motion, words, rung)
        for number, (motion, words) in enumerate(clips)
        for rung in rungs
    }


@lru_cache(maxsize=1)
def _clip(words: str, motion: str, number: int) -> tuple[video.Clip, list[Image.Image]]:
    clip = video.moving(words, motion, FRAMES, seed=number)
    return clip, clip.maps(CONTROL)


def _measure(job: tuple[int, str, str, str]) -> list[dict]:
    number, motion, words, rung = job
    clip, maps = _clip(words, motion, number)
    pipe = catalog.with_scheduler(catalog.load("controlnet", "clay", control=CONTROL), "ddim")
    films = bounds(pipe, clip) if rung == "bounds" else {}
    if rung != "bounds":
        config = video.FilmConfig(seed=number, **HOW)
        films = {rung: [*video.paint(pipe, clip, maps, words, rung, config)]}
        if rung in AFTER:
            films[AFTER[rung]] = video.median(films[rung], clip, config.radius)
        if rung == "alone":
            films |= {"blurred": video.blurred(films[rung]), "frozen": films[rung][:1] * len(clip)}
    return [
        {"clip": number, "motion": motion, "prompt": words, "rung": name}
        | {measured: trials.plain(value) for measured, value in video.measure(frames, clip, CONTROL).items()}
        for name, frames in films.items()
    ]


def bounds(pipe, clip: video.Clip) -> dict[str, list[Image.Image]]:
    """Give what nothing painted can beat: the true renders, and the same after one trip through the autoencoder."""
    return {"truth": clip.frames, "autoencoder": video.through_autoencoder(pipe, clip.frames)}


TABLES = {
    "film": Table(
        "film",
        (*PAINTED_BY, "clay-depth", f"clay-control-{CONTROL}"),
        _jobs,
        _measure,
        {"frames": FRAMES, "control": CONTROL, "scheduler": "ddim", **HOW},
    )
}
