"""A ControlNet's card: how well it is obeyed on held-out scenes."""

from __future__ import annotations

import numpy as np
import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline, StableDiffusionPipeline

from .. import adherence, catalog, controlnet, controls, metrics
from . import dependents, trials
from .shipped import TRAINED_ON

GAINS = (1.0, 1.25, 1.5, 1.75)
TUNING = 32  # held-out scenes after those of the card, to choose a gain on

CARD = """# clay-control-{kind}

A ControlNet for clay-base: the trainable copy of its encoder ({parameters:.1f} M parameters), with a hint encoder for
the clay autoencoder's 16 pixels a latent. `catalog.load("controlnet", lane="clay", control="{kind}")`.

Trained on these parts of the base (SHA-256):

{base}

Made by `python -m course_utils.recipe control {kind}` from {samples} pairs of the training world: part of
the maps drawn from truth, part worn as a preprocessor's or a hand's are; half of the prompts emptied.
{start}
{loud}Licence: CC BY 4.0.

Clay scenes with exact truth are easier than photographs: the measure is the same, the feat is not.

{table}

The map drawn from truth, the scene's caption as prompt, the lane's usual settings; raw rows in `adherence.jsonl`.
"""
COPY = "It began as a copy of the UNet's encoder, its connections zero."
FIRST_NET = "It did not begin at zero: it went on from clay-control-{first}, which had begun as a copy of the encoder."
ONWARD = "It did not begin at zero: it went on from clay-control-{first} as it shipped with the base before this one."
LOUD = f"""What it says is multiplied by {{gain}}, already in its weights: of {", ".join(map(str, GAINS))} the least
that scored within 0.01 of the best, on {TUNING} held-out scenes that are not among those below.
"""


def write(kind: str, samples: str, first: str | None = None, gain: float = 1.0) -> list[dict]:
    """Measure the ControlNet that ships on held-out scenes, keep the rows and write the card.

    Args:
        kind: of ``catalog.CONTROLS``.
        samples: how many pairs it was trained on, in words.
        first: the control whose net it went on from, ``kind`` for the one that shipped with the base before; None
            for a fresh copy of the UNet's encoder.
        gain: what its connections were multiplied by before they shipped.

    Returns:
        The rows.
    """
    folder = dependents.folder_of(f"control-{kind}")
    pipe, base = _shipped(kind)
    chosen = trials.choose(kind)
    rows = trials.measure(kind, chosen, _steered(pipe, kind, chosen), base)
    trials.keep(rows, folder)
    card = CARD.format(
        kind=kind, parameters=sum(p.numel() for p in pipe.controlnet.parameters()) / 1e6, samples=samples,
        start=_start(kind, first), loud="" if gain == 1 else LOUD.format(gain=gain),
        base=dependents.lines(TRAINED_ON, trained=folder), table=trials.table(rows),
    )  # fmt: skip
    (folder / "README.md").write_text(card)
    return rows


def _start(kind: str, first: str | None) -> str:
    return COPY if first is None else (ONWARD if first == kind else FIRST_NET).format(first=first)


def gains(kind: str, gain: float) -> dict[float, metrics.Interval]:
    """Score the ControlNet that ships at several gains.

    Args:
        kind: of ``catalog.CONTROLS``.
        gain: what its connections were multiplied by before they shipped.

    Returns:
        The score by gain, the shipped one's among them, on ``TUNING`` scenes that its card does not know.
    """
    pipe, base = _shipped(kind)
    chosen = trials.choose(kind, count=trials.SCENES + TUNING)[trials.SCENES :]

    def measured(pictures: list) -> list[float]:
        return [
            controls.adherence_of(kind, trial.made, picture) for trial, picture in zip(chosen, pictures, strict=True)
        ]

    def score(other: float) -> metrics.Interval:
        scale = {"controlnet_conditioning_scale": other / gain}
        return adherence.score(measured(_steered(pipe, kind, chosen, scale)), *ends)

    ends = measured(trials.generate(base, chosen)), measured(trials.tripped(base, chosen))
    return {other: score(other) for other in GAINS}


def _shipped(kind: str) -> tuple[StableDiffusionControlNetPipeline, StableDiffusionPipeline]:
    """Load a ControlNet as it ships, in float32, and the base that it stands on."""
    base, folder = dependents.frozen_base(), dependents.folder_of(f"control-{kind}")
    net = ControlNetModel.from_pretrained(folder, **{catalog.dtype_keyword(): torch.float32})
    pipe = controlnet.with_control(base, net)
    trials.just_trained()
    return pipe, base


def _steered(pipe, kind: str, chosen: list[trials.Trial], how: dict | None = None) -> list[np.ndarray]:
    return trials.generate(pipe, chosen, how, image=[controls.from_truth(trial.made, kind) for trial in chosen])
