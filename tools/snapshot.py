"""Photograph a widget in JupyterLab: `python -m tools.snapshot < state.json > picture.png`.

The builder names this command in COURSE_SNAPSHOT; `Panel.picture` hands over the state of its widgets. So the picture
in a lesson is the panel that a learner sees. It needs Chromium (`tools/find_chromium.sh`) and the test requirements.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .lab import Lab

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync", "--hide-scrollbars"]
VIEW = "application/vnd.jupyter.widget-view+json"
SCALE = 1.5  # pixels of the picture for each of the page's: letters stay sharp on fine screens
PAGE = {"width": 1440, "height": 2400}  # a common screen, tall enough that the whole panel is on the screen
PATIENCE = 120_000  # milliseconds that anything may take on a busy machine


def find_chromium() -> str:
    """Return the path of a Chromium.

    Raises:
        FileNotFoundError: there is none.
    """
    names = (os.environ.get("COURSE_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, (shutil.which(name) for name in names if name)), None)
    if not path:
        raise FileNotFoundError("No Chromium: run `bash tools/find_chromium.sh`, or set COURSE_CHROMIUM to one.")
    return path


@contextmanager
def browser_page(**options: Any) -> Iterator[Any]:
    """Give a page of a fresh, quiet Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=QUIET)
        page = browser.new_page(**options)
        page.set_default_timeout(PATIENCE)
        yield page
        browser.close()


def photograph(view: dict[str, Any]) -> bytes:
    """Return a widget as it looks in JupyterLab.

    Args:
        view: `model_id`, and `state` as `ipywidgets.embed.dependency_state` gives it.

    Returns:
        A PNG.
    """
    import nbformat

    data = {VIEW: {"model_id": view["model_id"], "version_major": 2, "version_minor": 0}}
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", data)])
    kept = {"application/vnd.jupyter.widget-state+json": {"version_major": 2, "version_minor": 0, **view["state"]}}
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab:
        notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": kept, "kernelspec": lab.KERNEL})
        nbformat.write(notebook, lab.notebooks / "panel.ipynb")
        lab.trust(notebook)
        with browser_page(viewport=PAGE, device_scale_factor=SCALE) as page:
            lab.open(page, "panel.ipynb")
            panel = page.locator(".course-panel")
            panel.wait_for()
            page.add_style_tag(content=".jupyter-widgets-disconnected::before { content: none !important; }")
            page.wait_for_function("[...document.querySelectorAll('.course-panel img')].every((one) => one.complete)")
            page.wait_for_timeout(1000)  # canvases are painted, fields have grown to their text
            return panel.screenshot(animations="disabled")


def main() -> None:
    """Read a view from the standard input and write its picture to the standard output."""
    sys.stdout.buffer.write(photograph(json.load(sys.stdin)))


if __name__ == "__main__":
    main()
