"""Stage ``card``: ship the base and write what it can do into its README, measured now."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import torch
from PIL import Image

from .. import metrics
from . import autoencoder, base, data, dependents, exam, ship, word_maps

RESTS_ON = dependents.NEEDS["clay-base"]
SHEET = 64  # pictures to look at, left in the cache

CARD = """# clay-base

A small Stable Diffusion of our own, trained on the clay world alone: text encoder, autoencoder, UNet.
Source: `python -m course_utils.recipe` ({samples} samples). Licence: CC BY 4.0.

The word maps were *taught* (TokenCompose, CVPR 2024); Stable Diffusion's are emergent.
Clay scenes are easier than photographs: same metric, not the same feat.

| measured on the clay lane | |
|---|---|
{rows}

The figures rest on these parts, this judge (SHA-256) and these arguments of a call:

{base}
"""
SAMPLES = re.compile(r"\((.+) samples\)")  # of a card


def write(folder: Path = data.SHIPPED) -> dict:
    """Save the base, measure it and write its card; give the figures by name."""
    ship.save(folder)
    return again(folder, _samples())


def again(folder: Path = data.SHIPPED, samples: str | None = None) -> dict:
    """Measure the base that ships, keep the raw rows of its exam, write its card, leave a sheet of it in the cache.

    Args:
        folder: of the base.
        samples: how many it was trained on, in words; None keeps what its card says.

    Returns:
        The figures by name.
    """
    samples = samples or SAMPLES.search((folder / "README.md").read_text())[1]
    pipe = ship.load(folder)  # in half precision
    figures = {"autoencoder, PSNR on held-out renders (dB)": f"{autoencoder.held_out_psnr(pipe.vae):.2f}"}
    layer, t, first, last = word_maps.best(word_maps.measure(pipe))
    figures[f"word maps, AUC of the first / last noun ({layer.split('.attn2')[0]}, step {t})"] = (
        f"{first:.3f} / {last:.3f}"
    )
    log = data.cache() / "exam" / f"{dependents.mark(RESTS_ON, folder.parent)}.jsonl"
    singles, pairs = exam.sit(pipe, exam.singles(), log), exam.sit(pipe, exam.pairs(), log)
    Image.fromarray(exam.sheet(pipe, exam.singles()[::4][:SHEET])).save(data.cache() / "sheet.png")
    figures |= rates(singles, pairs)
    (folder / "exam.jsonl").write_text("".join(json.dumps(r) + "\n" for r in singles + pairs))
    rows = "\n".join(f"| {k} | {v} |" for k, v in figures.items())
    (folder / "README.md").write_text(
        CARD.format(samples=samples, base=dependents.lines(RESTS_ON, folder.parent), rows=rows)
    )
    return figures


def rates(singles: list[dict], pairs: list[dict]) -> dict[str, str]:
    """Sum the exam's rows up with their intervals."""
    out = {
        "single thing with colour and place: there": _rate(r["present"][0] for r in singles),
        "single thing: colour right": _rate(r["colour"][0] for r in singles),
        "276 prompts, both things there": _rate(all(r["present"]) for r in pairs),
    }
    for category in sorted({r["category"] for r in pairs}):
        rows = [r for r in pairs if r["category"] == category]
        out[f"{category}, both there"] = _rate(all(r["present"]) for r in rows)
    for seen, name in ((True, "pairs met in training"), (False, "pairs never met")):
        rows = [r for r in pairs if r["seen"] == seen and r["category"] != "animal-object"]
        out[f"{name}, both there"] = _rate(all(r["present"]) for r in rows)
    return out | {
        "276 prompts, colour right where the thing is there": _rate(c for r in pairs for c in r["colour"]),
        "276 prompts, a thing took the other's colour": _rate(c for r in pairs for c in r["leaked"]),
    }


def _rate(outcomes: Iterable[bool | None]) -> str:
    """Write a rate down, of those outcomes that can be told."""
    known = [outcome for outcome in outcomes if outcome is not None]
    return str(metrics.rate(known)) if known else "-"


def _samples() -> str:
    kept = torch.load(data.cache() / "base" / "checkpoint.pt", weights_only=True, mmap=True)
    return f"{kept['step'] * base.BATCH:,}"
