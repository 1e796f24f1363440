"""Build the lessons: `python -m tools.build [NN ...]` turns notebooks/src/*.py into executed notebooks.

Only what changed is run again: a notebook remembers the hashes of its source and of the assets it saw.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from . import glossary
from .fill import ask, fill, shown
from .template import ROOT, address, drafts, expand, readme
from .tidy import problems, tidy

TIMEOUT = 600  # seconds a cell
OFFLINE = {"HF_HUB_OFFLINE": "1", "COURSE_LANE": "clay", "JUPYTER_PREFER_ENV_PATH": "1"}
SNAPSHOT = shlex.join([sys.executable, "-m", "tools.snapshot"])  # photographs a panel, see Panel.picture
ASSET_FOLDERS = ("models", "results", "diagrams")  # what a lesson's outputs depend on
CARDS = {".md", ".jsonl"}  # but for what was measured of the models: a lesson that quotes it is tested


def sources(root: Path = ROOT, wanted: list[str] | None = None) -> list[Path]:
    """Return the lessons' sources in teaching order, or those whose name starts with a wanted number.

    Raises:
        ValueError: a wanted number is no lesson's.
    """
    found = sorted((root / "notebooks/src").glob("[0-9][0-9]_*.py"))
    for number in wanted or ():
        if not any(path.name.startswith(number) for path in found):
            known = ", ".join(path.stem for path in found) or "none"
            raise ValueError(f"No lesson starts with {number!r}; there are: {known}.")
    return [path for path in found if not wanted or path.name.startswith(tuple(wanted))]


def published(root: Path = ROOT) -> list[Path]:
    """Return the sources that have a notebook: all but the drafts."""
    return [path for path in sources(root) if not path.name.startswith(drafts(root))]


def product(source: Path) -> Path:
    """Return where the notebook of a source stands."""
    return source.parents[1] / f"{source.stem}.ipynb"


def written(source: Path) -> str:
    """Return a source with its markers expanded: all that the learner will see, and what only the builder runs."""
    return expand(source.read_text(encoding="utf-8"), source.stem, address(source.parents[2]))


def lesson(source: Path) -> NotebookNode:
    """Return a lesson as the learner gets it, but for places to fill in; nothing is run."""
    return shown(jupytext.reads(written(source), fmt="py:percent"))


def fingerprint(source: Path) -> dict[str, str]:
    """Return the hashes of what a notebook is made from."""
    return {"source": _short(hashlib.sha256(written(source).encode())), "assets": _assets(source.parents[2])}


def stale(source: Path) -> list[str]:
    """Return what changed since the notebook was built: "source", "assets"; both when there is none."""
    try:
        built = nbformat.read(product(source), as_version=4).metadata.get("course", {})
    except FileNotFoundError:
        built = {}
    return [part for part, value in fingerprint(source).items() if built.get(part) != value]


def execute(source: Path, photograph: bool = False) -> NotebookNode:
    """Run a lesson from its source, cell by cell with a line of progress, and return it tidied.

    The course's cache is a fresh one: a training that was stopped here before would go on, and show only its end.

    Args:
        source: the lesson's.
        photograph: let `panel.picture()` be a photograph of the panel in JupyterLab; needs Chromium.
    """
    nb = ask(jupytext.reads(written(source), fmt="py:percent"))
    total, began = len(nb.cells), time.monotonic()

    def progress(cell: NotebookNode, cell_index: int) -> None:
        sys.stderr.write(f"\r{source.stem}: cell {cell_index + 1}/{total}, {time.monotonic() - began:.0f} s ")
        sys.stderr.flush()

    folder = {"metadata": {"path": str(source.parents[1])}}
    client = NotebookClient(
        nb,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources=folder,
        record_timing=False,
        store_widget_state=False,
        on_cell_start=progress,
    )
    try:
        with tempfile.TemporaryDirectory() as cache:
            own = {"PYTHONPATH": str(source.parents[2]), "COURSE_CACHE": cache}
            own |= {"COURSE_SNAPSHOT": SNAPSHOT} if photograph else {}
            client.execute(env=os.environ | own)
    finally:
        sys.stderr.write("\n")
    return tidy(fill(nb), source.parents[2])


def build(source: Path) -> None:
    """Run one lesson and keep it.

    Raises:
        ValueError: an output holds a warning, an error, a machine's path or a progress bar.
    """
    made_from = fingerprint(source)
    nb = execute(source, photograph=True)
    if wrong := problems(nb):
        raise ValueError(f"{source.stem} is not fit to be kept:\n  " + "\n  ".join(wrong))
    nb.metadata["course"] = made_from
    nbformat.write(nb, product(source))


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Build what changed, write the README's badges and the glossary, and return 1 if a lesson failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", help="numbers such as 01; all but drafts when none is given")
    parser.add_argument("--force", action="store_true", help="build what has not changed too")
    wanted = parser.parse_args(arguments)
    os.environ.update(OFFLINE)
    page = root / "README.md"
    page.write_text(readme(page.read_text(encoding="utf-8"), address(root)), encoding="utf-8")
    glossary.write(root)
    failed = 0
    for source in sources(root, wanted.lessons) if wanted.lessons else published(root):
        changed = stale(source)
        if not changed and not wanted.force:
            print(f"{source.stem}: up to date")
            continue
        print(f"{source.stem}: building ({' and '.join(changed) or 'forced'})")
        try:
            build(source)
        except Exception as error:  # the next lessons are still built; nbclient's message names the cell
            print(f"{source.stem}: {error}", file=sys.stderr)
            failed += 1
    return bool(failed)


@cache
def _assets(root: Path) -> str:
    digest = hashlib.sha256()
    for folder in ASSET_FOLDERS:
        for path in sorted((root / "assets" / folder).rglob("*")):
            if path.is_file() and path.suffix not in CARDS:
                digest.update(path.relative_to(root).as_posix().encode() + hashlib.sha256(path.read_bytes()).digest())
    return _short(digest)


def _short(digest: hashlib._Hash) -> str:
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    raise SystemExit(main())
