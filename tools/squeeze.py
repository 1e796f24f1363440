"""Squeeze long front ends: `python -m tools.squeeze` writes `widgets/NAME.js` from `widgets/source/NAME.js`.

A front end is saved with every widget of a notebook, so what travels is small; what is read and changed is the source.
It needs Node's `npx`, which fetches esbuild. A test holds the first line of the product against its source.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

WIDGETS = Path(__file__).resolve().parents[1] / "course_utils/widgets"
SQUEEZE = ["npx", "--yes", "esbuild@0.25", "--minify", "--format=esm", "--target=es2022", "--charset=utf8"]


def first_line(source: Path) -> str:
    """Return what a product begins with: where it comes from."""
    return (
        f"// From source/{source.name}, sha256 {hashlib.sha256(source.read_bytes()).hexdigest()}: tools/squeeze.py\n"
    )


def main() -> None:
    """Squeeze all sources."""
    for source in sorted((WIDGETS / "source").glob("*.js")):
        script = subprocess.run(SQUEEZE, input=source.read_bytes(), check=True, capture_output=True).stdout.decode()
        (WIDGETS / source.name).write_text(first_line(source) + script, encoding="utf-8")


if __name__ == "__main__":
    main()
