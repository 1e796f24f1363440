"""Fixtures of the panels: a tiny pipeline, and JupyterLab in a real Chromium."""

import pytest

from tests.tiny import models
from tests.widgets.press import build_family
from tools.lab import Lab
from tools.snapshot import PATIENCE, browser_page


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A tiny random clay base on disk."""
    return models.build_clay_folder(tmp_path_factory.mktemp("tiny") / "clay-base")


@pytest.fixture(scope="session")
def pipe(tiny_folder):
    from course_utils import catalog

    return catalog.load("text2img", lane="clay", folder=tiny_folder)


@pytest.fixture(scope="session")
def tiny_assets(tmp_path_factory):
    """Assets with a tiny random clay family: the base, depth2img, two ControlNets that do steer."""
    folder = build_family(tmp_path_factory.mktemp("family") / "assets", ("canny", "scribble"))
    models.build_clay_depth(folder / "models/clay-depth", folder / "models/clay-base")
    return folder


@pytest.fixture(scope="module")
def page(chromium):
    """A page of a fresh browser."""
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
    with browser_page(viewport={"width": 1280, "height": 1100}, accept_downloads=True) as page:
        yield page


@pytest.fixture
def lab(tmp_path):
    """JupyterLab on an empty folder, with folders of its own for everything that it writes."""
    with Lab(tmp_path) as lab:
        yield lab
