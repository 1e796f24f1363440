"""JupyterLab on a free port of this machine alone, with a home of its own: for tests, and for pictures of panels."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
START, RUN = 240, 300  # seconds that JupyterLab and a whole notebook may take on a busy machine


class Lab:
    """A server in `folder`; notebooks lie in its `notebooks`."""

    KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}

    def __init__(self, folder: Path, **environment: str):
        self.folder, self.notebooks = folder, folder / "notebooks"
        self.notebooks.mkdir()
        silent = folder / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
        silent.parent.mkdir(parents=True)
        silent.write_text('{"fetchNews": "false", "checkForUpdates": false}')
        own = {"HOME": "home", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "IPYTHONDIR": "ipython"}
        own |= {"JUPYTER_RUNTIME_DIR": "runtime", "JUPYTERLAB_SETTINGS_DIR": "settings"}
        own |= {"JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
        self._environment = os.environ | {name: str(folder / part) for name, part in own.items()}
        self._environment |= {"PYTHONPATH": str(ROOT), **environment}

    def __enter__(self) -> Lab:
        command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--ip=127.0.0.1", "--port=0"]
        command += ["--allow-root", f"--ServerApp.root_dir={self.notebooks}", "--LabApp.extension_manager=readonly"]
        self._log = (self.folder / "lab.log").open("w")
        self._server = subprocess.Popen(
            command, env=self._environment, stdout=self._log, stderr=self._log, start_new_session=True
        )
        self._info = self._wait_for_server()
        return self

    def __exit__(self, *problem) -> None:
        try:
            os.killpg(self._server.pid, signal.SIGTERM)
            self._server.wait(15)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            self._server.kill()
            self._server.wait()
        self._log.close()

    def _wait_for_server(self) -> dict:
        until = time.monotonic() + START
        while time.monotonic() < until and self._server.poll() is None:
            for file in (self.folder / "runtime").glob("jpserver-*.json"):
                if text := file.read_text():
                    return json.loads(text)
            time.sleep(0.2)
        self.__exit__()
        raise RuntimeError(f"JupyterLab did not start:\n{(self.folder / 'lab.log').read_text()}")

    def write(self, name: str, *cells: str) -> None:
        """Write a notebook of code cells."""
        import nbformat

        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = self.KERNEL
        nbformat.write(notebook, self.notebooks / name)

    def trust(self, notebook: NotebookNode) -> None:
        """Sign a notebook: the widgets in others are not shown."""
        from nbformat.sign import NotebookNotary

        NotebookNotary(data_dir=self._environment["JUPYTER_DATA_DIR"]).sign(notebook)

    def open(self, page: Page, name: str) -> None:
        """Open a notebook and wait for its kernel."""
        page.goto(f"{self._info['url']}lab/tree/{name}?token={self._info['token']}&reset", timeout=START * 1000)
        page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=START * 1000)
        page.get_by_text(re.compile(r"^Python 3.* \| Idle$")).wait_for(timeout=START * 1000)

    def run_all(self, page: Page) -> None:
        """Run All Cells through the menu, and wait until the last code cell has run."""
        from playwright.sync_api import expect

        page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
        page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
        prompt = page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").last
        expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=RUN * 1000)
