"""Which lock `make lab` takes: with a pretended index of PyTorch, a pretended card and pretended environments."""

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


class Index(BaseHTTPRequestHandler):
    """Has torch, and nothing else."""

    def do_GET(self):
        self.send_response(200 if self.path == "/cpu/torch/" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def index():
    with HTTPServer(("127.0.0.1", 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/cpu"
        server.shutdown()


@pytest.fixture
def choose(root, tmp_path, monkeypatch, index):
    """Return the lock that is chosen and the reason that is given."""
    commands = tmp_path / "bin"
    commands.mkdir()

    def pretend(name, line):
        (commands / name).write_text(f"#!/bin/sh\n{line}\n")
        (commands / name).chmod(0o755)

    def run(system="Linux", card=False, reachable=True, torch=None):
        pretend("uname", f"echo {system}")
        pretend("nvidia-smi", "echo GPU 0" if card else "exit 9")
        monkeypatch.setenv("PATH", str(commands), prepend=":")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("COURSE_CPU_INDEX", index if reachable else "http://127.0.0.1:9/cpu")
        if torch:
            (tmp_path / f"venv/lib/python3.11/site-packages/torch-{torch}.dist-info").mkdir(parents=True)
        command = [root / "tools/choose_lock.sh", tmp_path / "venv"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return done.stdout.strip(), done.stderr.strip()

    return run


@pytest.mark.parametrize(
    ("machine", "lock", "reason"),
    [
        ({}, "requirements-cpu.lock", "no NVIDIA card"),
        ({"card": True}, "requirements.lock", "NVIDIA card"),
        ({"reachable": False}, "requirements.lock", "cannot be reached"),
        ({"system": "Darwin"}, "requirements.lock", "one build"),
        ({"torch": "2.14.1"}, "requirements.lock", "as before"),
        ({"torch": "2.14.1+cpu", "reachable": False}, "requirements-cpu.lock", "as before"),
    ],
)
def test_the_lock_suits_the_machine(choose, machine, lock, reason):
    chosen, said = choose(**machine)
    assert chosen == lock and reason in said and f"Taking {lock}" in said


def test_the_cpu_lock_is_the_full_one_without_cuda(root):
    first, remake, index, *pins = (root / "requirements-cpu.lock").read_text().splitlines()
    command = remake.removeprefix("# ")
    made = subprocess.run(["bash", "-c", command], cwd=root, capture_output=True, text=True, check=True).stdout
    assert made.splitlines() == pins and index.startswith("--extra-index-url https://download.pytorch.org/")
    names = [pin.split("=")[0] for pin in pins]
    assert not [name for name in names if name.startswith(("nvidia", "cuda", "triton"))]
    assert [pin for pin in pins if pin.endswith("+cpu")] == [pin for pin in pins if pin.startswith("torch")]
