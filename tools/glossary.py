"""Gather the words of all lessons into one glossary: `python -m tools.glossary` writes notebooks/GLOSSARY.md."""

from __future__ import annotations

import re
from pathlib import Path

from .template import ROOT

HEADING = "## Words of this lesson"
WORD = re.compile(r"^- \*\*(.+?)\*\*: (.+?)(?=\n- |\n*\Z)", re.M | re.S)
HEAD = """\
# Glossary

The words of all lessons, each with the lesson that introduces it. This page is written by the builder from the lists
at the end of the lessons (`python -m tools.glossary`): change a word there.

| word | means | lesson |
|---|---|---|
"""


def words(source: Path) -> dict[str, str]:
    """Return the words that a lesson lists at its end, each with its meaning; empty if it has no list."""
    prose = re.sub(r"^# ?", "", source.read_text(encoding="utf-8"), flags=re.M)
    listed = prose.partition(f"\n{HEADING}\n")[2].partition("\n## ")[0]
    return {word: " ".join(meaning.split()) for word, meaning in WORD.findall(listed)}


def glossary(root: Path = ROOT) -> str:
    """Return the glossary's page, in the order of the alphabet.

    Raises:
        ValueError: two lessons introduce the same word; names both.
    """
    found: dict[str, tuple[str, str, Path]] = {}
    for source in sorted((root / "notebooks/src").glob("[0-9][0-9]_*.py")):
        for word, meaning in words(source).items():
            if other := found.get(word.casefold()):
                raise ValueError(f"{word!r} is introduced in {other[2].stem} and in {source.stem}: leave it in one.")
            found[word.casefold()] = word, meaning, source
    rows = (found[word] for word in sorted(found))
    return HEAD + "".join(f"| {word} | {meaning} | [{at.stem[:2]}]({at.stem}.ipynb) |\n" for word, meaning, at in rows)


def write(root: Path = ROOT) -> None:
    """Write the glossary beside the notebooks."""
    (root / "notebooks/GLOSSARY.md").write_text(glossary(root), encoding="utf-8")


if __name__ == "__main__":
    write()
