"""Is a model's folder whole? What is missing, cut short, changed or a pickle is named before anything loads it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from .. import env

PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}
TRANSFORMERS = ("transformers", "stable_diffusion")  # libraries in a model_index.json that name weights "model"
SETTINGS = {  # the last word of a class that has no weights: its file
    "Scheduler": "scheduler_config.json",
    "Tokenizer": "tokenizer_config.json",
    "TokenizerFast": "tokenizer_config.json",
    "Processor": "preprocessor_config.json",
    "ProcessorFast": "preprocessor_config.json",
    "Extractor": "preprocessor_config.json",
}


def check_model(
    folder: Path, variant: str | None = None, restore: str = "Save the model again.", part: str = ""
) -> None:
    """Raise unless every file that a pipeline or model needs is there and whole.

    Args:
        folder: holds a model_index.json (a pipeline) or a config.json (one model).
        variant: "fp16" for NAME.fp16.safetensors.
        restore: ends each message: how to get the right files.
        part: of a pipeline whose weights alone are needed; empty needs all.

    Raises:
        FileNotFoundError: the folder or a file is missing.
        ValueError: the weights are a pickle.
        OSError: a file is broken, or not the one that the course shipped.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"The folder {shown(folder)} is missing. {restore}")
    shipped = _shipped()
    for path in required(folder, variant, restore, part):
        _check_there(path, restore)
        wrong = unlike(path, shipped[path]) if path in shipped else _broken(path)
        if wrong:
            raise OSError(f"{shown(path)} is broken: {wrong}. {restore}")


def weights_hash(folder: Path) -> str:
    """Give the SHA-256 over all weights of a model or pipeline.

    Raises:
        FileNotFoundError: there are none.
    """
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"{shown(folder)} holds no weights (*.safetensors) whose hash could be named.")
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def manifest(folder: Path) -> dict[str, dict]:
    """Return size and SHA-256 of each file that the course ships, as tools/assets.py wrote them.

    Raises:
        OSError: there is no such list.
        ValueError: it cannot be read.
    """
    content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not isinstance(content.get("files"), dict):
        raise ValueError(f"{folder / 'manifest.json'} has no table of files.")
    return content["files"]


def unlike(path: Path, entry: dict) -> str:
    """Say how a file differs from the one that the course shipped; an empty string if it does not."""
    if not path.is_file():
        return "missing"
    size = path.stat().st_size
    if size != entry["bytes"]:
        return f"not the file that the course shipped: {size:,} bytes instead of {entry['bytes']:,}"
    found = sha256(path)
    if found != entry["sha256"]:
        return f"not the file that the course shipped: SHA-256 {found[:12]}... instead of {entry['sha256'][:12]}..."
    return ""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def missing(folder: Path, variant: str | None = None, part: str = "") -> list[Path]:
    """Return the files that a download has still to bring."""
    try:
        return [path for path in required(folder, variant, part=part) if not path.is_file()]
    except FileNotFoundError:
        return [folder]


def required(folder: Path, variant: str | None = None, restore: str = "", part: str = "") -> list[Path]:
    """List the files that loading `folder` reads; with a `part`, the weights of that one only.

    Raises:
        FileNotFoundError: neither a pipeline nor a model.
        OSError: the list of a pipeline's parts cannot be read.
    """
    index = folder / "model_index.json"
    if not index.is_file():
        if (folder / "config.json").is_file():
            return [folder / name for name in ("config.json", *_single(folder / "config.json", variant))]
        raise FileNotFoundError(f"{shown(index)} is missing. {restore}")
    try:
        entries = json.loads(index.read_text(encoding="utf-8")).items()
    except ValueError as error:
        raise OSError(f"{shown(index)} is broken: {error}. {restore}") from error
    parts = [(folder / name, *entry) for name, entry in entries if isinstance(entry, list) and entry[0]]
    paths = [index, *(path for each in parts for path in _files(*each, variant))]
    return [path for path in paths if not part or path.suffix != ".safetensors" or path.parent.name == part]


def _single(config: Path, variant: str | None) -> list[str]:
    """List what a single model needs beside its config; those of transformers in the table look at pictures."""
    try:
        of_transformers = "architectures" in json.loads(config.read_text(encoding="utf-8"))
    except ValueError:
        return []  # the config is broken, which is said when it is looked at
    if of_transformers:
        return ["preprocessor_config.json", _weights("transformers", variant)]
    return [_weights("diffusers", variant)]


def shown(path: Path) -> str:
    """Return a path as the learner knows it: inside the course without what is peculiar to this computer."""
    return path.relative_to(env.ROOT).as_posix() if path.is_relative_to(env.ROOT) else str(path)


def _files(folder: Path, library: str, kind: str, variant: str | None) -> list[Path]:
    settings = next((file for ending, file in SETTINGS.items() if kind.endswith(ending)), None)
    if settings is None:
        return [folder / "config.json", folder / _weights(library, variant)]
    if not settings.startswith("tokenizer"):
        return [folder / settings]
    words = ["tokenizer.json"] if (folder / "tokenizer.json").is_file() else ["vocab.json", "merges.txt"]
    return [folder / settings, *(folder / name for name in words)]


def _weights(library: str, variant: str | None) -> str:
    stem = "model" if library in TRANSFORMERS else "diffusion_pytorch_model"
    return ".".join(filter(None, (stem, variant, "safetensors")))


def _check_there(path: Path, restore: str) -> None:
    if path.is_file():
        return
    pickles = sorted(other.name for other in path.parent.glob("*") if other.suffix in PICKLES)
    if path.suffix == ".safetensors" and pickles:
        raise ValueError(
            f"{shown(path.parent / pickles[0])} is refused: a pickle can run any code when it is loaded. "
            f"Wanted {path.name} in its place. {restore}"
        )
    raise FileNotFoundError(f"{shown(path)} is missing. {restore}")


def _shipped() -> dict[Path, dict]:
    """Return size and hash of the files that the course ships; the doctor says when that list itself is broken."""
    try:
        return {env.ASSETS / name: entry for name, entry in manifest(env.ASSETS).items()}
    except (OSError, ValueError):
        return {}


def _broken(path: Path) -> str:
    """Say what is wrong with a file that has no known hash: JSON and safetensors know their own shape."""
    if path.suffix == ".safetensors":
        try:
            shapes(path)
        except OSError as problem:
            return str(problem)
    if path.suffix == ".json":
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            return str(error)
    return ""


def shapes(path: Path) -> dict[str, list[int]]:
    """Return the shapes of the tensors in a safetensors file by their names; only its header is read.

    Raises:
        OSError: it is no whole safetensors file; says what is wrong.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if 8 + length <= size else b""
    try:
        tensors = {name: entry for name, entry in json.loads(header).items() if name != "__metadata__"}
        wanted = 8 + length + max(entry["data_offsets"][1] for entry in tensors.values())
        found = {name: list(entry["shape"]) for name, entry in tensors.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise OSError(f"{size:,} bytes, and its first bytes are no safetensors header") from None
    if size != wanted:
        raise OSError(f"{size:,} bytes instead of the {wanted:,} that its header tells")
    return found
