"""Fetch a checkpoint from the Hub once: pinned revision, safetensors only, and say first how much comes."""

from __future__ import annotations

from pathlib import Path

from .. import env
from .checkpoints import Checkpoint
from .files import check_model, missing

INDICES = ("model_index.json", "config.json")  # a pipeline has the first, a single model only the second


def fetch(entry: Checkpoint) -> Path:
    """Return the folder of a checkpoint, downloading what is missing; it is whole.

    Raises:
        OSError: it cannot be had, or a file of it is broken; says what to do.
    """
    folder = cached(entry)
    if folder is None or missing(folder, entry.variant):
        env.say(announcement(entry))
        folder = _download(entry)
    check_model(folder, entry.variant, f"Delete {folder.parents[1]} and run this again: it is then downloaded anew.")
    return folder


def cached(entry: Checkpoint) -> Path | None:
    """Return the folder that an earlier download left, perhaps not whole; the network is not asked."""
    from huggingface_hub import try_to_load_from_cache

    for name in INDICES:
        found = try_to_load_from_cache(entry.id, name, revision=entry.revision)
        if isinstance(found, str):
            return Path(found).parent
    return None


def announcement(entry: Checkpoint) -> str:
    """Return what to say before a download: gigabytes, where from, where to, licence."""
    from huggingface_hub import constants

    return (
        f"Downloading {entry.id}, about {entry.size_gb:.2g} GB, once, into {constants.HF_HUB_CACHE} "
        f"(licence: {entry.licence})."
    )


def patterns(entry: Checkpoint) -> list[str]:
    """Return which files of the repository are wanted: settings, words, and one set of safetensors."""
    return ["*.json", "*.txt", "*." + ".".join(filter(None, (entry.variant, "safetensors")))]


def _download(entry: Checkpoint) -> Path:
    import httpx
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(entry.id, revision=entry.revision, allow_patterns=patterns(entry)))
    except (OSError, httpx.HTTPError) as error:
        reason = f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"
        instead = f" If it is gone for good: {entry.fallback}." if entry.fallback else ""
        raise OSError(
            f"{entry.id} at revision {entry.revision or 'main'} is not on this computer and could not be downloaded "
            f"({reason}). Go online and run this again, or work without it: COURSE_LANE=clay.{instead}"
        ) from error
