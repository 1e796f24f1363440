"""Fetch a checkpoint from the Hub once: pinned revision, safetensors only, and say first how much comes."""

from __future__ import annotations

from pathlib import Path

from .. import env
from .checkpoints import Checkpoint
from .files import check_model, missing, sha256

INDICES = ("model_index.json", "config.json")  # a pipeline has the first, a single model only the second


def fetch(entry: Checkpoint) -> Path:
    """Return the folder of a checkpoint, downloading what is missing; it is whole.

    Raises:
        OSError: it cannot be had, or a file of it is broken; says what to do.
    """
    folder = cached(entry)
    if folder is None or missing(folder, entry.variant, entry.part):
        env.say(announcement(entry))
        folder = _download(entry, patterns(entry))
    if missing(folder, entry.variant, entry.part):  # offline, the Hub hands out what an earlier download left
        restore = "Go online and run this again: what is here already is kept. Or work without it: COURSE_LANE=clay."
    else:
        restore = f"Delete {folder.parents[1]} and run this again: it is then downloaded anew."
    check_model(folder, entry.variant, restore, entry.part)
    for name, digest in entry.hashes:
        _check_hash(folder / name, digest, folder, "and it is not the model that the course was written for")
    return folder


def fetch_pickles(entry: Checkpoint, *names: str) -> Path:
    """Return the folder with some pickles of a checkpoint and its settings, downloading what is missing.

    Raises:
        OSError: they cannot be had, or one is not the file that it should be; nothing has loaded it then.
    """
    wanted = [pickle for pickle in entry.pickles if pickle.name in names]
    found = [_in_cache(entry, pickle.name) for pickle in wanted]
    if None in found:
        size = sum(pickle.size_gb for pickle, path in zip(wanted, found, strict=True) if path is None)
        env.say(announcement(entry, size))
        found = [_download(entry, ["*.json", *names]) / pickle.name for pickle in wanted]
    for pickle, path in zip(wanted, found, strict=True):
        if not path.is_file():  # offline, the Hub's library hands out what an earlier download left
            raise OSError(
                f"{pickle.name} of {entry.id} is not on this computer and could not be downloaded. "
                "Go online and run this again, or work without it: COURSE_LANE=clay."
            )
        _check_hash(path, pickle.sha256, path.parent, "and a pickle can run any code when it is loaded")
    return found[0].parent


def _check_hash(path: Path, wanted: str, folder: Path, because: str) -> None:
    if (digest := sha256(path)) != wanted:
        raise OSError(
            f"{path} is refused: SHA-256 {digest[:12]}... instead of {wanted[:12]}..., {because}. "
            f"Delete {folder.parents[1]} and run this again."
        )


def cached(entry: Checkpoint) -> Path | None:
    """Return the folder that an earlier download left, perhaps not whole; the network is not asked."""
    found = next(filter(None, (_in_cache(entry, name) for name in INDICES)), None)
    return found and found.parent


def _in_cache(entry: Checkpoint, name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(entry.id, name, revision=entry.revision)
    return Path(found) if isinstance(found, str) else None


def announcement(entry: Checkpoint, size_gb: float | None = None) -> str:
    """Return what to say before a download: gigabytes (of all of it, or so many), where from, where to, licence."""
    from huggingface_hub import constants

    return (
        f"Downloading {entry.id}, about {size_gb or entry.size_gb:.2g} GB, once, into {constants.HF_HUB_CACHE} "
        f"(licence: {entry.licence})."
    )


def patterns(entry: Checkpoint) -> list[str]:
    """Return which files of the repository are wanted: settings, words, and one set of safetensors."""
    weights = "*." + ".".join(filter(None, (entry.variant, "safetensors")))
    return ["*.json", "*.txt", f"{entry.part}/{weights}" if entry.part else weights]


def _download(entry: Checkpoint, wanted: list[str]) -> Path:
    import httpx
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.file_download import repo_folder_name

    if not env.writable(cache := Path(constants.HF_HUB_CACHE)):
        raise OSError(
            f"{entry.id} is not on this computer, and nothing can be written into {cache}. Set HF_HOME to a folder of "
            "your own before Python starts, or work without it: COURSE_LANE=clay."
        )
    if _locked(cache / ".locks" / repo_folder_name(repo_id=entry.id, repo_type="model")):
        env.say("Another program is downloading it right now; this one waits until it is done.")
    try:
        return Path(snapshot_download(entry.id, revision=entry.revision, allow_patterns=wanted))
    except (OSError, httpx.HTTPError) as error:
        reason = f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"
        instead = f" If it is gone for good: {entry.fallback}." if entry.fallback else ""
        raise OSError(
            f"{entry.id} at revision {entry.revision or 'main'} is not on this computer and could not be downloaded "
            f"({reason}). Go online and run this again, or work without it: COURSE_LANE=clay.{instead}"
        ) from error


def _locked(folder: Path) -> bool:
    """Tell whether another program holds one of the locks in a folder; the Hub's library would wait in silence."""
    from filelock import FileLock, Timeout

    for path in folder.glob("*.lock"):
        try:
            with FileLock(path, timeout=0):
                pass
        except Timeout:
            return True
    return False
