"""Write assets/manifest.json and the table in assets/README.md: `python -m tools.assets`.

Both give source, licence, size and SHA-256 of each file. The doctor, the catalogue and the tests hold the files
against the manifest.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from .template import ROOT

BEGIN, END = "<!-- files: written by tools/assets.py -->", "<!-- end of files -->"
UNLISTED = {"manifest.json", "README.md"}
ORIGINS = {  # folder or file: (source, licence); what comes from elsewhere gets a line of its own
    "models": ("`make models`", "CC BY 4.0"),
    "diagrams": ("`python -m tools.diagrams`", "CC BY 4.0"),
    "figures": ("`python -m course_utils.clay.sheet --scenes 24 --seed 21`", "CC BY 4.0"),
    "figures/lessons": ("`python -m tools.gallery`", "CC BY 4.0"),
    "results": ("`make results`", "CC BY 4.0"),
    "data": ("the authors of Attend-and-Excite (2023): yuval-alaluf/Attend-and-Excite, issue 17", "MIT"),
    "data/eye_labels.tsv": ("pictures of `make models STAGE=eye`, labelled by an AI viewer", "CC BY 4.0"),
}


def manifest(folder: Path) -> dict[str, dict]:
    """Return source, licence, size and SHA-256 of each file under `folder`, by path."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in UNLISTED and not path.name.startswith("."):
            data = path.read_bytes()
            source, licence = origin(name)
            digest = hashlib.sha256(data).hexdigest()
            files[name] = {"source": source, "licence": licence, "bytes": len(data), "sha256": digest}
    return files


def origin(name: str) -> tuple[str, str]:
    """Return the source and the licence of a file under assets/, from the longest path that is listed.

    Raises:
        ValueError: nobody has said where it comes from.
    """
    folders = [folder for folder in ORIGINS if f"{name}/".startswith(f"{folder}/")]
    if not folders:
        raise ValueError(
            f"assets/{name} has no source and licence: give its folder a line in ORIGINS, tools/assets.py."
        )
    return ORIGINS[max(folders, key=len)]


def table(files: dict[str, dict]) -> str:
    """Return the files as a Markdown table."""
    rows = [
        f"| `{name}` | {entry['source']} | {entry['licence']} | {entry['bytes'] / 1e3:,.1f} | `{entry['sha256']}` |"
        for name, entry in files.items()
    ]
    return "\n".join(["| file | source | licence | kB | SHA-256 |", "|---|---|---|---:|---|", *rows])


def main(folder: Path = ROOT / "assets") -> None:
    """Write both; the words around the README's table are left alone."""
    files = manifest(folder)
    (folder / "manifest.json").write_text(json.dumps({"files": files}, indent=1) + "\n")
    page = folder / "README.md"
    head, rest = page.read_text(encoding="utf-8").split(BEGIN)
    tail = rest.split(END)[1]
    page.write_text(f"{head}{BEGIN}\n{table(files)}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
