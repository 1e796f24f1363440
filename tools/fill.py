"""What holds a lesson's prose to what the lesson measures; the reader sees nothing of it.

`{{rate.value:.0%}}` in a text of the source: while the notebook is built a short cell before the text reads the value
as it stands there; afterwards the text holds it. So no sentence tells a number that its notebook did not measure.

A code cell tagged `remove-cell`, Jupyter Book's name: it runs while the notebook is built, asserts what a sentence of
the text says (`assert snowy >= 3, "Three of four lie in snow"`), and is gone afterwards. When other models make the
sentence untrue the build stops and quotes it.
"""

from __future__ import annotations

import json
import re

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

PLACE = re.compile(r"\{\{([^{}]+)\}\}")
ASKS = "fill"  # the short cells' tag
REMOVED = {ASKS, "remove-cell"}


def shown(nb: NotebookNode) -> NotebookNode:
    """Drop the cells that only the builder runs, in place."""
    nb.cells = [cell for cell in nb.cells if not REMOVED & set(cell.metadata.get("tags", ()))]
    return nb


def ask(nb: NotebookNode) -> NotebookNode:
    """Put a cell before each text with places to fill, in place: it prints their values as JSON."""
    cells = []
    for cell in nb.cells:
        if cell.cell_type == "markdown" and (places := PLACE.findall(cell.source)):
            values = ", ".join(f"f'''{{{place}}}'''" for place in places)
            cells.append(new_code_cell(f"print(__import__('json').dumps([{values}]))", metadata={"tags": [ASKS]}))
        cells.append(cell)
    nb.cells = cells
    return nb


def fits(text: str, source: str) -> bool:
    """Tell whether a text is its source with every place filled."""
    parts = PLACE.split(source)[::2]
    return re.fullmatch("([^{}]+?)".join(map(re.escape, parts)), text) is not None


def fill(nb: NotebookNode) -> NotebookNode:
    """Write what the cells of `ask` printed into the texts after them, and drop the builder's cells, in place.

    Raises:
        ValueError: a value is empty or not a number; names its place.
    """
    values: list[str] = []
    for cell in nb.cells:
        if ASKS in cell.metadata.get("tags", ()):
            values = json.loads("".join(output.text for output in cell.outputs if output.output_type == "stream"))
        elif cell.cell_type == "markdown" and values:
            for place, value in zip(PLACE.findall(cell.source), values, strict=True):
                if not value.strip() or re.search(r"\b(nan|inf|None)\b", value):
                    raise ValueError(f"{{{{{place}}}}} is {value!r}: the lesson has measured nothing there.")
                cell.source = cell.source.replace(f"{{{{{place}}}}}", value, 1)
            values = []
    ran = [cell for cell in shown(nb).cells if cell.cell_type == "code" and cell.execution_count]
    for count, cell in enumerate(ran, start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    return nb
