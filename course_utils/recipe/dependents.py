"""Models that stand on the frozen base: each card names what it rests on, and is stale when something else ships."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from .. import catalog
from . import data, ship, shipped
from .shipped import AUTOENCODER, PAINTED_BY, TRAINED_ON

NAMED = re.compile(r"^- ([\w/-]+): `([^`]+)`$", re.MULTILINE)
NEEDS = {  # what a card has to name, by the folder
    "clay-base": (*PAINTED_BY, "clay-base/encoder", "clay-judge", "defaults"),
    "clay-control-*": TRAINED_ON,
    "clay-depth": TRAINED_ON,
    "clay-loras": TRAINED_ON,
    "clay-judge": AUTOENCODER,  # learned from trips, as the reader did
    "clay-reader": AUTOENCODER,
}


def facts(names: Sequence[str], models: Path | None = None) -> dict[str, str]:
    """Give what a card names: hashes as `shipped.hashes` does, and as "defaults" the lane's arguments of a call.

    Args:
        names: of models and parts, or "defaults".
        models: holds the models; None is where the base ships.
    """
    found = shipped.hashes([name for name in names if name != "defaults"], models or data.SHIPPED.parent)
    if "defaults" in names:
        found["defaults"] = ", ".join(f"{name}={value}" for name, value in catalog.defaults("clay").items())
    return {name: str(value) for name, value in found.items()}


def lines(names: Sequence[str], models: Path | None = None, trained: Path | None = None) -> str:
    """Give the list of a card that names what its model or its figures rest on, for `strangers` to read.

    Args:
        names: see `facts`.
        models: see `facts`.
        trained: folder of a model that is only measured again: what its card names is what it was trained on, whatever
            ships by now; new weights ship without a card (`uncarded`) and get today's names.
    """
    named = named_by(trained) if trained else {}
    found = named if {*names} <= named.keys() else facts(names, models)
    return "\n".join(f"- {name}: `{found[name]}`" for name in names)


def named_by(folder: Path) -> dict[str, str]:
    """Read what a model's card names; nothing where there is no card."""
    card = folder / "README.md"
    return dict(NAMED.findall(card.read_text())) if card.exists() else {}


def uncarded(folder: Path) -> Path:
    """Take the card away from a folder that gets new weights: it told of others."""
    (folder / "README.md").unlink(missing_ok=True)
    return folder


def folder_of(name: str) -> Path:
    """Say where a dependent model ships: beside the base."""
    return data.SHIPPED.parent / f"clay-{name}"


def workshop(name: str) -> Path:
    """Say where a dependent's checkpoint lies: elsewhere with another UNet, text encoder or encoder."""
    return data.cache() / "dependents" / mark(TRAINED_ON) / name


def mark(names: Sequence[str], models: Path | None = None) -> str:
    """Give eight letters that stand for the present state of what `facts` names."""
    return hashlib.sha256(json.dumps(facts(names, models)).encode()).hexdigest()[:8]


def frozen_base() -> StableDiffusionPipeline:
    """Load the base as it ships, in float32.

    Raises:
        FileNotFoundError: it has not shipped.
    """
    if not (data.SHIPPED / "model_index.json").exists():
        raise FileNotFoundError(f"{data.SHIPPED} holds no whole base yet; stage `card` ships it.")
    return ship.load(data.SHIPPED)


def save(model: torch.nn.Module, folder: Path) -> None:
    """Write a copy of a model as float16 safetensors that everybody may read."""
    copy.deepcopy(model).half().save_pretrained(uncarded(folder))
    for file in folder.rglob("*.safetensors"):
        file.chmod(0o644)


def samples(log: Path, batch: int, onward: bool = False) -> str:
    """Say how many samples a run has seen, from its log, and whether it went on from a model that had seen others."""
    lines = log.read_text().splitlines() if log.exists() else []
    seen = f"{json.loads(lines[-1])['step'] * batch:,}" if lines else "an unrecorded number of"
    return f"{seen} further" if onward else seen


def strangers(models: Path) -> dict[str, str]:
    """Find shipped models whose card does not name what they rest on, or names something that no longer ships.

    Args:
        models: holds ``clay-base`` and what stands on it.

    Returns:
        What is wrong, by the folder's name; empty if all is well.
    """
    wrong = {}
    for pattern, needed in NEEDS.items():
        for folder in sorted(models.glob(pattern)):
            named = named_by(folder)
            unnamed = [name for name in needed if name not in named]
            others = [name for name, value in facts(needed, models).items() if named.get(name, value) != value]
            if unnamed:
                wrong[folder.name] = f"its card does not name {', '.join(unnamed)}"
            elif others:
                wrong[folder.name] = f"made with another {', '.join(others)} than ships: make it anew"
    return wrong
