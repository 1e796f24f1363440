"""Pairs in a folder, as ControlNet's own tutorial lays them out: a line of JSON for each pair in prompt.json."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

INDEX = "prompt.json"  # lines {"source": the map, "target": the picture, "prompt": its words}
KEYS = ("target", "source", "prompt")


def write_pairs(
    folder: str | Path, pictures: Sequence[Image.Image], maps: Sequence[Image.Image], prompts: Sequence[str]
) -> Path:
    """Write pairs into a folder, maps as PNG, for `read_pairs` and for trainers elsewhere; return the folder."""
    folder = Path(folder)
    lines = []
    for number, (picture, drawn, prompt) in enumerate(zip(pictures, maps, prompts, strict=True)):
        names = {"source": f"source/{number}.png", "target": f"target/{number}.png"}
        for name, image in ((names["source"], drawn), (names["target"], picture)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            image.save(folder / name)
        lines.append(json.dumps({**names, "prompt": prompt}) + "\n")
    (folder / INDEX).write_text("".join(lines), encoding="utf-8")
    return folder


def read_pairs(folder: str | Path) -> tuple[list[Path], list[Path], list[str]]:
    """Read a folder of pairs: what `ControlPairs.of` takes after the pipeline.

    Returns:
        The files of the pictures, those of the maps, and the prompts.

    Raises:
        FileNotFoundError: no such folder, no prompt.json in it, or a file that it names is missing.
        ValueError: a line of it that is no pair, or none at all.
    """
    folder = Path(folder)
    index = folder / INDEX
    if not index.is_file():
        raise FileNotFoundError(
            f"folder={str(folder)!r} has no {INDEX}: write a line for each pair, such as "
            '{"source": "source/0.png", "target": "target/0.png", "prompt": "a cat in the snow"}.'
        )
    found = list(_lines(index))
    if not found:
        raise ValueError(f"folder={str(folder)!r} has no pairs: its {INDEX} is empty.")
    pictures, maps, prompts = map(list, zip(*found, strict=True))
    for path in (*pictures, *maps):
        if not path.is_file():
            raise FileNotFoundError(f"{INDEX} names {os.path.relpath(path, folder)!r}, which is not there.")
    return pictures, maps, prompts


def _lines(index: Path) -> Iterator[tuple[Path, Path, str]]:
    for number, line in enumerate(index.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            target, source, prompt = (json.loads(line)[key] for key in KEYS)
            if not all(isinstance(value, str) for value in (target, source, prompt)):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"Line {number} of {INDEX} is no pair: it needs {', '.join(KEYS)}, as JSON.") from None
        yield index.parent / target, index.parent / source, prompt
