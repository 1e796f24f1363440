"""Run one lesson headless in the lane of COURSE_LANE: `python -m tools.lesson 01` writes build/01_topic.html."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nbconvert import HTMLExporter

from .build import execute, sources
from .template import ROOT
from .tidy import problems


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Run the lessons named by their numbers; return 1 where an output is not clean."""
    if not arguments:
        print("Which lesson? For example: make lesson N=01", file=sys.stderr)
        return 2
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    wrong = []
    for source in sources(root, arguments):
        nb = execute(source)
        page, _ = HTMLExporter(embed_images=True).from_notebook_node(
            nb, resources={"metadata": {"path": str(source.parents[1]), "name": source.stem}}
        )
        target = root / "build" / f"{source.stem}.html"
        target.parent.mkdir(exist_ok=True)
        target.write_text(page, encoding="utf-8")
        print(target.relative_to(root))
        wrong += problems(nb)
    print(*wrong, sep="\n", file=sys.stderr, end="\n" if wrong else "")
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
