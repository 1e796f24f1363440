"""A stranger's checkout: no network, an empty home, a tree that cannot be written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CAN_ISOLATE = sys.platform == "linux" and os.geteuid() == 0 and shutil.which("unshare") and shutil.which("setpriv")
# Root may write everywhere: take that right away. Cut the network, but for the loopback that kernels talk over.
ISOLATED = """
import fcntl, os, socket, struct, sys
up_and_running, set_flags = 0x41, 0x8914
fcntl.ioctl(socket.socket(), set_flags, struct.pack("16sh14x", b"lo", up_and_running))
os.execvp("setpriv", ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--", *sys.argv[1:]])
"""
LOOK = """
import os, socket, sys
assert not os.access("course_utils", os.W_OK), "the tree can be written"
try:
    socket.create_connection(("192.0.2.1", 80), timeout=1)
except OSError as error:
    assert error.errno == 101, f"the network is not cut: {error}"
else:
    raise AssertionError("the network is not cut")
from course_utils import clay, doctor, env
assert env.__file__.startswith(os.getcwd()), env.__file__
env.start(lane="clay")
wrong = [f for f in doctor.report("clay") if not f.ok and f.name not in ("writing", "memory", "disk")]
assert not wrong, wrong
assert clay.render
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A read-only copy of what git would bring, without write bits."""
    folder = tmp_path_factory.mktemp("stranger") / "course"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.mark.slow
@pytest.mark.skipif(not CAN_ISOLATE, reason="needs root, unshare and setpriv on Linux (see QUARANTINE.md)")
@pytest.mark.parametrize("what", ["package", "lesson"])
def test_runs_offline_read_only(checkout, tmp_path, what):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(checkout)}
    nbval = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", "notebooks/00_start_here.ipynb"]
    inside = [sys.executable, *(["-c", LOOK] if what == "package" else nbval)]
    command = ["unshare", "--net", sys.executable, "-c", ISOLATED, *inside]
    done = subprocess.run(
        command, cwd=checkout, env=environment | {"COURSE_LANE": "clay"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
