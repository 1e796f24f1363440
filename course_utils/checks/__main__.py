"""Grade notebooks of a class: `python -m course_utils.checks NOTEBOOK [NOTEBOOK ...] [--out FILE]`.

Each notebook is run from its first cell to its last, on the clay lane, without a network, beside the file: the file
itself stays as it is. What `checks.check` printed in its cells becomes a list in JSON, a line of summary is printed.
A wrong answer, a cell that stops and a cell that never ends do not stop the rest. It runs what the notebook says:
grade only what you would open yourself.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .. import __version__
from .asking import EXERCISES, NotYet, find

CELL_S = 300  # seconds for one cell
ANSWER = re.compile(r"^(\d\d\.\d+) · (right|not yet)\. ?(.*(?:\n(?!\d\d\.\d+ · ).*)*)", re.MULTILINE)
CALL = re.compile(r"""checks?\s*\.\s*check\(\s*["'](\d\d)\.\d+["']""")


def grade(notebook: Path, cell_s: int = CELL_S) -> dict[str, Any]:
    """Run a notebook and tell what its exercises came to.

    Args:
        notebook: a lesson's notebook as a student saved it; it is read, never written.
        cell_s: seconds after which a cell is interrupted.

    Returns:
        ``notebook``, ``lesson``, ``course`` (the version), ``right`` and ``exercises`` (how many), ``answers`` (by
        number, the last check of each: ``result`` is "right", "not yet" or "not asked", with its ``message``),
        ``stopped`` (for each cell that raised: its number from 0 among all cells, and the error) and ``seconds``.

    Raises:
        ValueError: the file is no notebook, or asks no exercise of the course; names it.
    """
    import nbformat

    path, began = Path(notebook), time.monotonic()
    try:
        nb = nbformat.read(path, as_version=4)
        nbformat.validate(nb)
    except Exception as problem:  # nbformat raises whatever a malformed file makes it stumble over
        raise ValueError(f"notebook={str(path)!r} is no notebook that can be read ({problem!s:.200}).") from problem
    lesson = _lesson(path, nb)
    died = _run(nb, cell_s)
    checked = [answer for cell in nb.cells if cell.cell_type == "code" for answer in ANSWER.findall(_printed(cell))]
    found = {number: {"result": result, "message": message.strip()} for number, result, message in checked}
    asked = [number for number in EXERCISES if number.startswith(f"{lesson}.")]
    answers = {number: found.get(number, {"result": "not asked", "message": ""}) for number in asked}
    stopped = [{"cell": k, "error": error} for k, cell in enumerate(nb.cells) for error in _errors(cell)] + died
    return {
        "notebook": str(path), "lesson": lesson, "course": __version__,
        "right": sum(answer["result"] == "right" for answer in answers.values()), "exercises": len(asked),
        "answers": answers, "stopped": stopped, "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip


def _lesson(path: Path, nb) -> str:
    """Return the number of the lesson that most of the notebook's checks belong to, and read its exercises."""
    asked = CALL.findall("\n".join(cell.source for cell in nb.cells if cell.cell_type == "code"))
    if not asked:
        raise ValueError(f"notebook={str(path)!r} asks no exercise: no cell calls checks.check.")
    lesson = max(asked, key=asked.count)
    try:
        find(f"{lesson}.1")
    except NotYet as problem:
        raise ValueError(f"notebook={str(path)!r} is of no lesson of this course: {problem}") from problem
    return lesson


def _run(nb, cell_s: int) -> list[dict[str, Any]]:
    """Execute all cells in an empty folder, each to its end, its error or its time; tell the one that ended it all."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = []

    class Client(NotebookClient):
        """Ends a notebook whose cell goes on after it was interrupted; nbclient would wait for ever."""

        interrupted = None

        async def _async_handle_timeout(self, timeout, cell=None):
            if cell is self.interrupted:
                raise CellTimeoutError.error_from_timeout_and_cell("It goes on though interrupted.", timeout, cell)
            self.interrupted = cell
            return await super()._async_handle_timeout(timeout, cell)

    reached = [0]
    with tempfile.TemporaryDirectory(prefix="course-grade-") as folder:
        client = Client(
            nb, timeout=cell_s, interrupt_on_timeout=True, allow_errors=True, kernel_name="python3",
            resources={"metadata": {"path": folder}},
            on_cell_start=lambda cell, cell_index: reached.append(cell_index),
        )  # fmt: skip
        try:
            client.execute(env=os.environ | {"COURSE_LANE": "clay", "HF_HUB_OFFLINE": "1", "PYTHONPATH": path})
        except (CellTimeoutError, DeadKernelError) as end:
            return [{"cell": reached[-1], "error": f"{end}"[:300]}]
    return []


def _printed(cell) -> str:
    return "".join(out.text for out in cell.outputs if out.output_type == "stream" and out.name == "stdout")


def _errors(cell) -> list[str]:
    if cell.cell_type != "code":
        return []
    return [f"{out.ename}: {out.evalue}"[:300] for out in cell.outputs if out.output_type == "error"]


def main(arguments: list[str]) -> int:
    """Grade the notebooks named; return 1 where one could not be graded, whatever its answers are."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.checks", description=__doc__.split("\n")[0])
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--out", type=Path, default=Path("grades.json"), help="where the results go (%(default)s)")
    parser.add_argument("--cell-seconds", type=int, default=CELL_S, help="for one cell (%(default)s)")
    given = parser.parse_args(arguments)
    grades, wrong = [], 0
    for notebook in given.notebooks:
        try:
            result = grade(notebook, given.cell_seconds)
            stopped = len(result["stopped"])
            print(f"{notebook}: {result['right']} of {result['exercises']} right, {stopped} cells stopped")
        except ValueError as problem:
            result, wrong = {"notebook": str(notebook), "problem": str(problem)}, 1
            print(problem, file=sys.stderr)
        grades.append(result)
        given.out.write_text(json.dumps(grades, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"The results are in {given.out}.")
    return wrong


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
