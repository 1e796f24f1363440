"""Table of lesson 05: two controls at once, when they agree and when they fight."""

from __future__ import annotations

from functools import lru_cache

from PIL import Image

from ... import catalog, clay, controls
from ...clay import truth
from ...clay.control_maps import draw_pose
from .. import data, trials
from ..shipped import PAINTED_BY
from ..trials import Trial
from .making import Table

SCENES, BLOCK = 24, 8
NOBODY = (0.0, 0.0)
ALONE, BOTH = ((1.0, 0.0), (0.0, 1.0)), (1.0, 1.0)
SHARED = ((0.75, 0.25), (0.5, 0.5), (0.25, 0.75))  # one weight rises as the other falls
WORDS = "a {} showing {} fingers"
DUETS = {  # their ControlNets
    "pose + depth": ["openpose", "depth"],
    "body + hand": ["openpose", "openpose"],
    "canny + seg": ["canny", "seg"],
}
USED = sorted({kind for kinds in DUETS.values() for kind in kinds})
WAYS = {  # (duet, case): scales of the two
    ("pose + depth", "agree"): (NOBODY, *ALONE, BOTH, *SHARED),
    ("pose + depth", "fight"): (*ALONE, BOTH, *SHARED),
    ("body + hand", "agree"): (NOBODY, *ALONE, BOTH),
    ("canny + seg", "agree"): (NOBODY, *ALONE, BOTH),
}


@lru_cache(maxsize=1)
def _scenes(duet: str) -> list[Trial]:
    """Choose held-out scenes that both maps say something of, or make half-bodies that raise a hand."""
    if duet == "body + hand":
        return [_raising(seed) for seed in range(SCENES)]
    return trials.choose(*DUETS[duet], count=SCENES)


def _raising(seed: int) -> Trial:
    prompt = WORDS.format(("man", "woman")[seed % 2], ("two", "three", "four", "five")[seed // 2 % 4])
    return Trial(seed, clay.render(clay.scene(seed, words=prompt)), prompt)


def _jobs() -> dict[str, tuple[str, str, tuple[float, float], int]]:
    return {
        f"{duet} {case} {scales} {number}": (duet, case, scales, number)
        for (duet, case), ways in WAYS.items()
        for scales in ways
        for number in range(SCENES // BLOCK)
    }


def _measure(job: tuple[str, str, tuple[float, float], int]) -> list[dict]:
    duet, case, scales, number = job
    every = _scenes(duet)
    chosen = every[number * BLOCK : (number + 1) * BLOCK]
    # In a fight the second map is that of the next scene.
    others = [every[(number * BLOCK + k + (case == "fight")) % len(every)] for k in range(len(chosen))]
    pipe = catalog.load("controlnet", "clay", control=DUETS[duet])
    given = [maps_of(duet, first, second) for first, second in zip(chosen, others, strict=True)]
    pictures = trials.generate(pipe, chosen, {"controlnet_conditioning_scale": list(scales)}, image=given)
    return [
        {"duet": duet, "case": case, "first": scales[0], "second": scales[1]}
        | {"scene": first.number, "prompt": first.prompt}
        | {name: trials.plain(value) for name, value in obeyed(duet, first, second, picture).items()}
        for first, second, picture in zip(chosen, others, pictures, strict=True)
    ]


def maps_of(duet: str, first: Trial, second: Trial) -> list[Image.Image]:
    """Draw the two maps: the first control's of one scene, the second's of the other."""
    if duet != "body + hand":
        pairs = zip((first, second), DUETS[duet], strict=True)
        return [controls.from_truth(trial.made, kind) for trial, kind in pairs]
    (bodies, _), (_, hands) = truth.joints(first.made), truth.joints(second.made)
    size = first.made.depth.shape
    return [draw_pose(bodies, [], *size), draw_pose([], hands, *size)]


def obeyed(duet: str, first: Trial, second: Trial, picture) -> dict[str, float]:
    """Say how far a picture obeys each of the two."""
    if duet != "body + hand":
        pairs = zip((first, second), DUETS[duet], strict=True)
        reached = [controls.adherence_of(kind, trial.made, picture) for trial, kind in pairs]
        return dict(zip(("obeys first", "obeys second"), reached, strict=True))
    found = controls.adherence_of_joints(first.made, picture)
    return {"obeys first": found["body"], "obeys second": found["hand"]}


TABLES = {
    "together": Table(
        "together",
        (*PAINTED_BY, "clay-depth", "clay-reader", *(f"clay-control-{kind}" for kind in USED)),
        _jobs,
        _measure,
        {"world": data.HELD_OUT, "scenes": SCENES, "words": WORDS},
    )
}
