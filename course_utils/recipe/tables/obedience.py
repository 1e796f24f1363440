"""Tables of lesson 04: how far each ControlNet is obeyed, and what it makes of maps drawn for the others."""

from __future__ import annotations

from functools import lru_cache

from ... import catalog, controls
from ...catalog import CONTROLS
from .. import data, trials
from ..shipped import PAINTED_BY
from .making import Table

SHARED = 16  # scenes of the mismatch matrix: each has straight lines and somebody in it, so no map is empty
BLOCK = 8  # scenes a job
NETS = tuple(f"clay-control-{kind}" for kind in CONTROLS)
MODELS = (*PAINTED_BY, "clay-base/encoder", "clay-depth", "clay-reader", *NETS)
SETTINGS = {"world": data.HELD_OUT}
WITHOUT, TRUE = "none", "truth"  # in place of a net: no control, and the true render through the autoencoder


@lru_cache(maxsize=1)
def _scenes(*kinds: str, count: int) -> list[trials.Trial]:
    return trials.choose(*kinds, count=count)


def _block(chosen: list[trials.Trial], number: int) -> list[trials.Trial]:
    return chosen[number * BLOCK : (number + 1) * BLOCK]


def _adherence_jobs() -> dict[str, tuple[str, int]]:
    return {f"{kind} {number}": (kind, number) for kind in CONTROLS for number in range(trials.SCENES // BLOCK)}


def _adherence(job: tuple[str, int]) -> list[dict]:
    kind, number = job
    chosen = _block(_scenes(kind, count=trials.SCENES), number)
    return trials.measure(kind, chosen, _steered(kind, kind, chosen), catalog.load("text2img", "clay"))


def _mismatch_jobs() -> dict[str, tuple[str, int]]:
    """Net by net, so that each is read once."""
    return {f"{net} {n}": (net, n) for net in (WITHOUT, TRUE, *CONTROLS) for n in range(SHARED // BLOCK)}


def _mismatch(job: tuple[str, int]) -> list[dict]:
    """Give each map to one net: how far the picture is what the map asked for."""
    net, number = job
    chosen = _block(_scenes(*CONTROLS, count=SHARED), number)
    if net in CONTROLS:
        painted = {kind: _steered(kind, net, chosen) for kind in CONTROLS}
    else:
        base = catalog.load("text2img", "clay")
        pictures = trials.generate(base, chosen) if net == WITHOUT else trials.tripped(base, chosen)
        painted = dict.fromkeys(CONTROLS, pictures)
    return [
        {"map": kind, "net": net, "scene": trial.number, "prompt": trial.prompt}
        | {"reached": trials.plain(controls.adherence_of(kind, trial.made, picture))}
        for kind, pictures in painted.items()
        for trial, picture in zip(chosen, pictures, strict=True)
    ]


def _steered(kind: str, net: str, chosen: list[trials.Trial]) -> list:
    """Paint each trial with a net, given the map of a kind."""
    pipe = catalog.load("controlnet", "clay", control=net)
    return trials.generate(pipe, chosen, image=[controls.from_truth(trial.made, kind) for trial in chosen])


TABLES = {
    "adherence": Table("adherence", MODELS, _adherence_jobs, _adherence, SETTINGS | {"scenes": trials.SCENES}),
    "mismatch": Table("mismatch", MODELS, _mismatch_jobs, _mismatch, SETTINGS | {"scenes": SHARED}),
}
