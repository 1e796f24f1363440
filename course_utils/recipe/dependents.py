"""Models that stand on the frozen base: each card names the base's hash, and another base makes it worthless."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from . import data, ship

NAMED = re.compile(r"^Trained on the base with SHA-256 `([0-9a-f]{64})`\.$", re.MULTILINE)
PATTERNS = ("clay-control-*", "clay-depth", "clay-loras")


def line(digest: str) -> str:
    """Give the sentence of a card that names the base."""
    return f"Trained on the base with SHA-256 `{digest}`."


def folder_of(name: str) -> Path:
    """Say where a dependent model ships: beside the base."""
    return data.SHIPPED.parent / f"clay-{name}"


def workshop(name: str) -> Path:
    """Say where a dependent's checkpoint lies: with each base anew, so that nothing goes on from another base."""
    return data.cache() / "dependents" / ship.base_hash(data.SHIPPED)[:8] / name


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
    copy.deepcopy(model).half().save_pretrained(folder)
    for file in folder.rglob("*.safetensors"):
        file.chmod(0o644)


def samples(log: Path, batch: int) -> str:
    """Say how many samples a run has seen, from its log."""
    lines = log.read_text().splitlines() if log.exists() else []
    return f"{json.loads(lines[-1])['step'] * batch:,}" if lines else "an unrecorded number of"


def strangers(models: Path) -> dict[str, str]:
    """Find shipped models whose card names no base, or another than the one that ships.

    Args:
        models: holds ``clay-base`` and what stands on it.

    Returns:
        What is wrong, by the folder's name; empty if all is well.
    """
    wrong, mine = {}, None
    for folder in sorted(f for pattern in PATTERNS for f in models.glob(pattern)):
        card = folder / "README.md"
        named = NAMED.findall(card.read_text()) if card.exists() else []
        mine = mine or ship.base_hash(models / "clay-base")
        if not named:
            wrong[folder.name] = "its card names no base"
        elif named[0] != mine:
            wrong[folder.name] = f"trained on the base {named[0][:8]}, but {mine[:8]} ships: train it anew"
    return wrong
