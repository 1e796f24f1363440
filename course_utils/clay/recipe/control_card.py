"""A ControlNet's card: how well it is obeyed on held-out scenes."""

from __future__ import annotations

import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

from ... import catalog, controls
from . import data, dependents, ship, trials

CARD = """# clay-control-{kind}

A ControlNet for clay-base: the trainable copy of its encoder ({parameters:.1f} M parameters), with a hint encoder for
the clay autoencoder's 16 pixels a latent. `catalog.load("controlnet", lane="clay", control="{kind}")`.

{base}

Made by `python -m course_utils.clay.recipe control {kind}` from {samples} pairs of the training world: part of
the maps drawn from truth, part worn as a preprocessor's or a hand's are; half of the prompts emptied.
{start}
Licence: CC BY 4.0.

Clay scenes with exact truth are easier than photographs: the measure is the same, the feat is not.

{table}

The map drawn from truth, the scene's caption as prompt, the lane's usual settings; raw rows in `adherence.jsonl`.
"""
COPY = "It began as a copy of the UNet's encoder, its connections zero."
ONWARD = "It did not begin at zero: it went on from clay-control-{first}, which had begun as a copy of the encoder."


def write(kind: str, samples: str, first: str | None = None) -> list[dict]:
    """Measure the ControlNet that ships on held-out scenes, keep the rows and write the card.

    Args:
        kind: of ``catalog.CONTROLS``.
        samples: how many pairs it was trained on, in words.
        first: the control whose net it went on from; None for a fresh copy of the UNet's encoder.

    Returns:
        The rows.
    """
    folder = dependents.folder_of(f"control-{kind}")
    base, chosen = dependents.frozen_base(), trials.choose(kind)
    net = ControlNetModel.from_pretrained(folder, **{catalog.dtype_keyword(): torch.float32})
    pipe = StableDiffusionControlNetPipeline(**base.components, controlnet=net, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    drawn = [controls.from_truth(trial.made, kind) for trial in chosen]
    trials.just_trained()
    rows = trials.measure(kind, chosen, trials.generate(pipe, chosen, image=drawn), base)
    trials.keep(rows, folder)
    card = CARD.format(
        kind=kind, parameters=sum(p.numel() for p in net.parameters()) / 1e6, samples=samples,
        start=ONWARD.format(first=first) if first else COPY,
        base=dependents.line(ship.base_hash(data.SHIPPED)), table=trials.table(rows),
    )  # fmt: skip
    (folder / "README.md").write_text(card)
    return rows
