"""Write assets/manifest.json and the table in assets/README.md: `python -m tools.assets`.

The doctor and the tests hold the files against the manifest.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from .template import ROOT

BEGIN, END = "<!-- files: written by tools/assets.py -->", "<!-- end of files -->"
UNLISTED = {"manifest.json", "README.md"}


def manifest(folder: Path) -> dict[str, dict]:
    """Return size and SHA-256 of each file under `folder`, by path."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in UNLISTED and not path.name.startswith("."):
            data = path.read_bytes()
            files[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return files


def table(files: dict[str, dict]) -> str:
    """Return the files as a Markdown table."""
    rows = [f"| `{name}` | {entry['bytes'] / 1e3:,.1f} | `{entry['sha256']}` |" for name, entry in files.items()]
    return "\n".join(["| file | kB | SHA-256 |", "|---|---:|---|", *rows])


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
