"""What every test shares: no network, the clay lane, a home of its own."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# Before any test imports a library that reads them.
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TRANSFORMERS_VERBOSITY": "error"}
os.environ.setdefault("COURSE_LANE", "clay")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")

# Generated inputs are the same each time, on every machine, and nothing is kept of them.
settings.register_profile("course", derandomize=True, database=None, deadline=None)
settings.load_profile("course")


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory):
    """An empty home: nothing that the machine's user keeps may matter, and nothing is left there."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HF_HOME", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
            patch.delenv(name, raising=False)
        yield folder


@pytest.fixture(scope="session")
def root():
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def chromium():
    """The path of a Chromium; `make test` finds or installs one."""
    from tools.snapshot import find_chromium

    return find_chromium()
