"""Make an executed notebook fit to be kept: small pictures, no litter, the same bytes for the same run."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from pathlib import Path

from nbformat import NotebookNode
from PIL import Image

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
SMALL_PNG = 30_000  # bytes; a larger picture becomes a JPEG where that is smaller
QUALITY = 88
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
MACHINE_PATH = re.compile(r"(?:/root|/home|/Users|/tmp|/work|/var|/usr|/opt)/[\w.-]+|\b[A-Z]:\\\w+")
WARNING = re.compile(r"\b\w*Warning: |\bdeprecated\b")
PROGRESS_BAR = re.compile(r"\d+%\|.*\||\bit/s\b|\bs/it\b")


def tidy(nb: NotebookNode, root: Path) -> NotebookNode:
    """Tidy in place: drop widget state, shrink pictures, settle ids and metadata.

    Args:
        nb: the executed notebook.
        root: the checkout; its path becomes "." in cells whose output nbval does not compare.
    """
    nb.metadata = NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})
    seen: dict[str, int] = {}
    for cell in nb.cells:
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:10]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = f"{digest}-{seen[digest]}"
        tags = cell.metadata.get("tags", [])
        cell.metadata = NotebookNode({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_tidy_output, cell.outputs) if output is not None]
            if "nbval-ignore-output" in tags:
                _hide_root(cell, str(root))
    return nb


def problems(nb: NotebookNode) -> list[str]:
    """Return what must not stand in a kept notebook, one sentence each; empty when it is clean."""
    found = []
    for index, cell in enumerate(nb.cells):
        where = f"cell {index} ({cell.source.splitlines()[0] if cell.source else 'empty'!r})"
        for output in cell.get("outputs", ()):
            if output.output_type == "stream" and output.name == "stderr":
                found.append(f"{where} writes to stderr: {output.text.strip()[:200]!r}")
            if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", ()):
                found.append(f"{where} raises {output.ename}: {output.evalue[:200]!r}")
            text = _text(output)
            for what, pattern in (("a warning", WARNING), ("a path", MACHINE_PATH), ("a progress bar", PROGRESS_BAR)):
                if match := pattern.search(text):
                    found.append(f"{where} shows {what}: {match[0]!r}")
    return found


def _tidy_output(output: NotebookNode) -> NotebookNode | None:
    data = output.get("data")
    if data is None:
        return output
    if data.pop(WIDGET_VIEW, None) is not None:
        return None  # without a live kernel a widget shows as nothing: a static picture stands in the next cell
    png = data.get("image/png")
    if png is not None:
        jpeg = _jpeg(base64.b64decode(png))
        if jpeg is not None:
            del data["image/png"]
            data["image/jpeg"] = base64.b64encode(jpeg).decode()
    output["metadata"] = NotebookNode()
    return output


def _jpeg(png: bytes) -> bytes | None:
    """Return the picture as a JPEG on white, or None where the PNG is small or smaller."""
    if len(png) <= SMALL_PNG:
        return None
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    page = Image.new("RGBA", picture.size, "white")
    buffer = io.BytesIO()
    Image.alpha_composite(page, picture).convert("RGB").save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue() if buffer.tell() < len(png) else None


def _hide_root(cell: NotebookNode, root: str) -> None:
    for output in cell.outputs:
        if "text" in output:
            output.text = output.text.replace(root, ".")
        for kind, value in output.get("data", {}).items():
            if kind.startswith("text/") and isinstance(value, str):
                output.data[kind] = value.replace(root, ".")


def _text(output: NotebookNode) -> str:
    return output.get("text", "") + output.get("data", {}).get("text/plain", "")
