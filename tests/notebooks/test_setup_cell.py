"""The setup cell, run as Colab would run it: git clones from a folder, pip only writes down its arguments."""

import os
import subprocess
import sys

import pytest

from tools import template

WHERE = template.Address("https://github.com/someone/clay", "v9")
CODE = template.SETUP_CODE.format(folder=WHERE.folder, tag=WHERE.tag, repository=WHERE.repository)
COLAB = """
import sys, types, subprocess
sys.modules["google.colab"] = types.ModuleType("google.colab")
real_run = subprocess.run
subprocess.run = lambda args, **kw: print(*args[3:]) if "pip" in args else real_run(args, **kw)
"""


def course(folder, wanted=()):
    """A course that says where it is, and a doctor who wants some packages."""
    (folder / "course_utils").mkdir(parents=True)
    (folder / "course_utils/__init__.py").write_text("HERE = __file__\n")
    (folder / "course_utils/doctor.py").write_text(f"def to_install():\n    return {list(wanted)}\n")


@pytest.fixture
def published(tmp_path, monkeypatch, wanted):
    """A repository with one tag, to which git goes when it is asked for the published one."""
    origin = tmp_path / "origin"
    course(origin, wanted)
    git = ["git", "-C", str(origin), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["tag", "v9"]):
        subprocess.run([*git, *command], check=True)
    settings = {"COUNT": "1", "KEY_0": f"url.file://{origin}.insteadOf", "VALUE_0": WHERE.repository}
    for name, value in settings.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    return origin


def run(code, folder):
    """Run the code in a folder as an isolated Python: no course of ours on the path."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-S", "-c", code]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)


def test_is_short():
    assert len(CODE.splitlines()) <= 12 and max(map(len, CODE.splitlines())) <= 119


def test_does_nothing_at_home(tmp_path):
    done = run(CODE + "\nprint(sys.path[0])", tmp_path)
    assert (done.stdout, done.stderr) == ("\n", "") and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("wanted", "says"), [((), ""), (("peft>=0.20", "torch==2.11.0"), "install -q peft>=0.20 torch==2.11.0\n")]
)
def test_clones_the_tag_and_installs_what_the_doctor_wants(published, tmp_path, says):
    folder = tmp_path / "content"
    folder.mkdir()
    code = f"{COLAB}{CODE}\nimport course_utils\nprint(course_utils.HERE)"
    done = run(code, folder)
    assert done.stdout == f"{says}{folder}/clay/course_utils/__init__.py\n" and done.stderr == ""
    again = run(code, folder)  # finds what it cloned
    assert again.stdout == done.stdout


def test_finds_the_course_around_the_notebook(tmp_path):
    course(tmp_path)
    (tmp_path / "notebooks").mkdir()
    code = f"{COLAB}{CODE}\nimport course_utils\nprint(course_utils.HERE)"
    assert run(code, tmp_path / "notebooks").stdout == f"{tmp_path}/course_utils/__init__.py\n"
