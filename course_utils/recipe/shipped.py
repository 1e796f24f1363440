"""What ships, by its parts: the hashes that tables and cards name, so that each goes stale alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from .. import catalog, env

# Parts of the clay base, as `hashes` names them: what its pictures rest on, and what was trained beside it.
PAINTED_BY = ("clay-base/unet", "clay-base/text_encoder", "clay-base/decoder", "clay-base/scheduler")
TRAINED_ON = ("clay-base/unet", "clay-base/text_encoder", "clay-base/encoder")
AUTOENCODER = ("clay-base/encoder", "clay-base/decoder")


def hashes(names: Iterable[str], models: Path | None = None) -> dict[str, str | None]:
    """Give the SHA-256 of models and of parts of pipelines.

    Args:
        names: "MODEL" (all its weights) or "MODEL/PART"; a part is a folder with weights such as "unet", "encoder" or
            "decoder" (a half of the autoencoder's tensors), "scheduler" (its class and configuration) or "noise" (of
            that configuration only the noise schedule).
        models: holds the models; None is ``assets/models``.

    Returns:
        The hashes by name; None where there is nothing.
    """
    return {name: _hash_of((models or env.ASSETS / "models") / name) for name in names}


def _hash_of(path: Path) -> str | None:
    model, part = path.parent, path.name
    try:
        if part in ("encoder", "decoder"):
            return _hash_of_tensors(model / "vae" / "diffusion_pytorch_model.safetensors", f"{part}.")
        if part in ("scheduler", "noise"):
            return _hash_of_scheduler(model, part == "noise")
        return catalog.weights_hash(path)
    except FileNotFoundError:
        return None


def _hash_of_tensors(file: Path, prefix: str) -> str:
    """Hash the tensors whose names begin with `prefix`, in the order of their names."""
    data, digest = file.read_bytes(), hashlib.sha256()
    start = 8 + int.from_bytes(data[:8], "little")
    for name, entry in sorted(json.loads(data[8:start]).items()):
        if name.startswith(prefix):
            first, last = entry["data_offsets"]
            digest.update(f"{name} {entry['dtype']} {entry['shape']}".encode())
            digest.update(data[start + first : start + last])
    return digest.hexdigest()


def _hash_of_scheduler(model: Path, noise_only: bool) -> str:
    """Hash what decides a scheduler's steps; its class is the one that the pipeline's index names."""
    config = json.loads((model / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
    if noise_only:
        kept = {name: config.get(name) for name in catalog.NOISE}
    else:
        index = json.loads((model / "model_index.json").read_text(encoding="utf-8"))
        kept = {name: value for name, value in config.items() if name != "_diffusers_version"}
        kept["_class_name"] = index["scheduler"][1]
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
