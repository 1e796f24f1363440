"""Ask the Hub, online, whether each checkpoint of the catalogue still lives: `python -m tools.check_hub`.

Run by hand before a release. Says which repository or revision is dead, which files are gone or are other ones, where
size or licence differ from the table; and prints, for what is not pinned to a whole commit, the arguments that pin it
in `course_utils/catalog/checkpoints.py`. Ends with 0 only if all live.
"""

from __future__ import annotations

import sys
from fnmatch import fnmatch
from typing import NamedTuple

from course_utils.catalog import CHECKPOINTS, Checkpoint
from course_utils.catalog.hub import INDICES, patterns

SLACK = 0.15  # by how much of itself a size may differ from the table


class Answer(NamedTuple):
    """What the Hub tells of a repository at a revision."""

    files: dict[str, int]  # name to bytes
    hashes: dict[str, str]  # name to SHA-256, of the large ones
    commit: str
    licence: str | None


def complaints(entry: Checkpoint, files: dict[str, int], hashes: dict[str, str] | None = None) -> list[str]:
    """Return what makes a repository useless to the course: files that are gone, or not those of the table."""
    known = {**dict(entry.hashes), **{pickle.name: pickle.sha256 for pickle in entry.pickles}}
    wrong = [
        f"{name}: SHA-256 {found}, the table says {known[name]}"
        for name, found in (hashes or {}).items()
        if found != known.get(name, found)
    ]
    if entry.pickles:  # single files are fetched from it
        return wrong + [f"no file {pickle.name}" for pickle in entry.pickles if pickle.name not in files]
    *_, weights = patterns(entry)
    wrong += [] if any(fnmatch(name, weights) for name in files) else [f"no file {weights}"]
    if not any(name in files for name in INDICES) and not any("lora" in name for name in files):
        wrong.append(f"neither {' nor '.join(INDICES)}")
    return wrong


def remarks(entry: Checkpoint, files: dict[str, int], licence: str | None) -> list[str]:
    """Return what the table should say instead."""
    size = sum(size for name, size in files.items() if any(fnmatch(name, wanted) for wanted in patterns(entry))) / 1e9
    wrong = []
    if abs(size - entry.size_gb) > SLACK * max(size, entry.size_gb):
        wrong.append(f"{size:.2f} GB, the table says {entry.size_gb}")
    if licence and licence.lower().replace("creativeml-", "") not in entry.licence.lower().replace(" ", "-"):
        wrong.append(f"licence {licence}, the table says {entry.licence}")
    return wrong


def pin(entry: Checkpoint, answer: Answer) -> str:
    """Return the arguments that pin an entry, as the table takes them; empty where it is pinned."""
    if entry.pickles or entry.revision == answer.commit:  # a pickle is pinned by its SHA-256
        return ""
    *_, weights = patterns(entry)
    hashes = tuple((name, digest) for name, digest in sorted(answer.hashes.items()) if fnmatch(name, weights))
    return f"revision={answer.commit!r}, hashes={hashes!r}"


def ask(entry: Checkpoint) -> Answer:
    """Ask the Hub for a repository at its revision."""
    from huggingface_hub import HfApi

    info = HfApi().model_info(entry.id, revision=entry.revision, files_metadata=True)
    files = {file.rfilename: file.size or 0 for file in info.siblings}
    hashes = {file.rfilename: file.lfs.sha256 for file in info.siblings if file.lfs}
    return Answer(files, hashes, info.sha, getattr(info.card_data, "license", None))


def look(entry: Checkpoint) -> tuple[str, list[str], str]:
    """Return "ok", "DEAD" or "?" (the Hub could not be asked), what there is to say, and what pins it."""
    import httpx
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        answer = ask(entry)
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        wrong = [type(error).__name__]
    except (OSError, httpx.HTTPError) as error:
        return "?", [f"not asked: {type(error).__name__}"], ""
    else:
        wrong = complaints(entry, answer.files, answer.hashes)
        if not wrong:
            notes = [] if entry.pickles else remarks(entry, answer.files, answer.licence)
            return "ok", notes, pin(entry, answer)
    return "DEAD", wrong + ([f"in its place: {entry.fallback}"] if entry.fallback else []), ""


def main() -> int:
    """Print a line a checkpoint, then the table of pins; return 0 only if all live."""
    states, pins = [], {}
    for use, entry in CHECKPOINTS["sd15"].items():
        state, notes, pins[use] = look(entry)
        print(f"{state:<4}  {use:<16}  {entry.id}@{entry.revision or 'main'}")
        for line in notes:
            print(f"{'':<22}  -> {line}")
        states.append(state)
    for use, arguments in pins.items():
        if arguments:
            print(f"pin   {use:<16}  {arguments}")
    return int(set(states) != {"ok"})


if __name__ == "__main__":
    sys.exit(main())
