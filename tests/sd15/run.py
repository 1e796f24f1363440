"""Run a lesson on the sd15 lane against a Hub cache of random weights, and say what a learner would not forgive."""

import json
import os
import tempfile
from pathlib import Path

import nbclient
import nbformat

from tools.build import lesson
from tools.tidy import problems

STARTUP = Path(__file__).with_name("kernel_startup.py")
PANEL = "if 'panel' in globals():\n    assert panel.shot and not panel.error.value, panel.error.value"
SMALL = {"num_inference_steps": 5, "height": 128, "width": 128}


def run(source: Path, hub: Path, pickles: dict[str, str], defaults: dict | None = None) -> list[str]:
    """Execute a lesson's source, cell for cell.

    Args:
        source: notebooks/src/NN_topic.py.
        hub: the Hub cache.
        pickles: SHA-256 by file name, of the detectors' random weights.
        defaults: of the lane's calls, in place of `SMALL`.

    Returns:
        What is wrong: cells that fail, warnings, progress bars; empty if all is well.
    """
    nb = lesson(source)
    nb.cells.insert(_last_of_panel(nb) + 1, nbformat.v4.new_code_cell(PANEL))
    with tempfile.TemporaryDirectory() as home:
        startup = Path(home) / "ipython/profile_default/startup"
        startup.mkdir(parents=True)
        (startup / "00-small.py").write_text(STARTUP.read_text())
        settings = {
            "COURSE_LANE": "sd15",
            "COURSE_CACHE": f"{home}/course",
            "COURSE_TEST_DEFAULTS": json.dumps(defaults or SMALL),
            "COURSE_TEST_PICKLES": json.dumps(pickles),
            "HF_HUB_CACHE": str(hub),
            "HF_HUB_OFFLINE": "1",
            "IPYTHONDIR": f"{home}/ipython",
            "JUPYTER_PREFER_ENV_PATH": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(source.parents[2]),
        }
        client = nbclient.NotebookClient(
            nb,
            timeout=600,
            kernel_name="python3",
            resources={"metadata": {"path": str(source.parents[1])}},
            allow_errors=True,
            store_widget_state=False,
        )
        client.execute(env=os.environ | settings)
    return [*failures(nb), *problems(nb)]


def _last_of_panel(nb: nbformat.NotebookNode) -> int:
    """Return the place of the cell that shows the lesson's panel, which has pressed its button."""
    return max(number for number, cell in enumerate(nb.cells) if "widget" in cell.metadata.get("tags", []))


def failures(nb: nbformat.NotebookNode) -> list[str]:
    """Return the cells that failed, with the error's last line."""
    return [
        f"cell {number}: {output.ename}: {output.evalue}"
        for number, cell in enumerate(nb.cells)
        if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", [])
        for output in cell.outputs
        if output.output_type == "error"
    ]
