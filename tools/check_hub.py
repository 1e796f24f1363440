"""Ask the Hub, online, whether each checkpoint of the catalogue still lives: `python -m tools.check_hub`.

Run by hand before a release. Says which repository or revision is dead, which files are gone, where size or
licence differ from the table, and which commit to pin where none is pinned. Ends with 0 only if all live.
"""

from __future__ import annotations

import sys
from fnmatch import fnmatch

from course_utils.catalog import CHECKPOINTS, Checkpoint
from course_utils.catalog.hub import INDICES, patterns

SLACK = 0.15  # by how much of itself a size may differ from the table


def complaints(entry: Checkpoint, files: dict[str, int]) -> list[str]:
    """Return what makes a repository useless to the course.

    Args:
        entry: the line of the table.
        files: what the repository holds at that revision: name to bytes.
    """
    if entry.pickles:  # single files are fetched from it
        return [f"no file {pickle.name}" for pickle in entry.pickles if pickle.name not in files]
    *_, weights = patterns(entry)
    wrong = [] if any(fnmatch(name, weights) for name in files) else [f"no file {weights}"]
    if not any(name in files for name in INDICES) and not any("lora" in name for name in files):
        wrong.append(f"neither {' nor '.join(INDICES)}")
    return wrong


def remarks(entry: Checkpoint, files: dict[str, int], commit: str, licence: str | None) -> list[str]:
    """Return what the table should say instead."""
    size = sum(size for name, size in files.items() if any(fnmatch(name, wanted) for wanted in patterns(entry))) / 1e9
    wrong = []
    if abs(size - entry.size_gb) > SLACK * max(size, entry.size_gb):
        wrong.append(f"{size:.2f} GB, the table says {entry.size_gb}")
    if entry.revision != commit:
        wrong.append(f"pin {commit}")
    if licence and licence.lower().replace("creativeml-", "") not in entry.licence.lower().replace(" ", "-"):
        wrong.append(f"licence {licence}, the table says {entry.licence}")
    return wrong


def ask(entry: Checkpoint) -> tuple[dict[str, int], str, str | None]:
    """Return the files, the commit and the licence that the Hub tells."""
    from huggingface_hub import HfApi

    info = HfApi().model_info(entry.id, revision=entry.revision, files_metadata=True)
    files = {file.rfilename: file.size or 0 for file in info.siblings}
    return files, info.sha, getattr(info.card_data, "license", None)


def look(entry: Checkpoint) -> tuple[str, list[str]]:
    """Return "ok", "DEAD" or "?" (the Hub could not be asked) and what there is to say."""
    import httpx
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        files, commit, licence = ask(entry)
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        wrong = [type(error).__name__]
    except (OSError, httpx.HTTPError) as error:
        return "?", [f"not asked: {type(error).__name__}"]
    else:
        wrong = complaints(entry, files)
        if not wrong:
            return "ok", [] if entry.pickles else remarks(entry, files, commit, licence)
    return "DEAD", wrong + ([f"in its place: {entry.fallback}"] if entry.fallback else [])


def main() -> int:
    """Print a line a checkpoint; return 0 only if all live."""
    states = []
    for use, entry in CHECKPOINTS["sd15"].items():
        state, notes = look(entry)
        print(f"{state:<4}  {use:<16}  {entry.id}@{entry.revision or 'main'}")
        for line in notes:
            print(f"{'':<22}  -> {line}")
        states.append(state)
    return int(set(states) != {"ok"})


if __name__ == "__main__":
    sys.exit(main())
