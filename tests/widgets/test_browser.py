"""The text2img panel in JupyterLab, driven as a learner drives it."""

import re

import pytest
from playwright.sync_api import expect

from course_utils.widgets import from_png

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LOAD = """\
from course_utils import catalog, env, widgets
room = env.start(seed=7, lane="clay")
pipe = catalog.load("text2img", lane="clay", folder={folder!r})"""
SHOW = """\
panel = widgets.text2img_panel(pipe, room)
panel"""
# As on Colab: what a thread sends that answers no message of the browser is lost.
DEAF = """\
import threading
from ipykernel.comm.comm import BaseComm
publish = BaseComm.publish_msg
def deaf(self, *arguments, **more):
    if threading.current_thread().name != "panel":
        publish(self, *arguments, **more)
BaseComm.publish_msg = deaf
import os
os.environ["COLAB_RELEASE_TAG"] = "a rehearsal"
"""
SLOW = """\
import time
pipe.unet.register_forward_pre_hook(lambda *_: time.sleep(0.4))"""
MADE = re.compile("256 × 256 pixels in")


def start(lab, page, folder, extra=""):
    lab.write("panel.ipynb", LOAD.format(folder=str(folder)), extra, SHOW)
    lab.open(page, "panel.ipynb")
    lab.run_all(page)
    panel = page.locator(".course-panel")
    panel.wait_for()
    return panel


def source(panel):
    return panel.locator(".course-stage img").get_attribute("src")


def test_type_generate_see_download_and_restore(lab, page, tiny_folder, tmp_path):
    panel = start(lab, page, tiny_folder)
    first = source(panel)
    panel.get_by_label("Prompt").fill("a zebra on the beach")
    panel.get_by_role("button", name="Generate").click()
    expect(panel.locator(".course-status")).to_contain_text(MADE)
    assert source(panel) not in (None, first)
    expect(panel.locator(".course-notes")).to_contain_text("zebra")
    with page.expect_download() as download:
        panel.get_by_text("Download PNG").click()
    settings = from_png(download.value.path())
    assert download.value.suggested_filename == "a-zebra-on-the-beach-7.png"
    assert (settings.prompt, settings.seed, settings.lane) == ("a zebra on the beach", 7, "clay")
    panel.get_by_label("Prompt").fill("another one")
    panel.get_by_role("button", name="seed 7").click()
    expect(panel.get_by_label("Prompt")).to_have_value("a zebra on the beach")
    page.screenshot(path=tmp_path / "panel.png")


def test_stop_is_heard_while_it_runs(lab, page, tiny_folder):
    panel = start(lab, page, tiny_folder, SLOW)
    panel.get_by_role("button", name="Generate").click()
    expect(panel.locator(".course-status")).to_contain_text("Step 2 of 20")
    panel.get_by_role("button", name="Stop").click()
    expect(panel.locator(".course-status")).to_contain_text("Stopped")
    expect(panel.get_by_role("button", name="Generate")).to_be_enabled()
    assert panel.get_by_text("Download PNG").count() == 0


def test_heartbeat_carries_what_a_thread_cannot_send(lab, page, tiny_folder):
    panel = start(lab, page, tiny_folder, DEAF)
    first = source(panel)
    panel.get_by_role("button", name="Generate").click()
    expect(panel.locator(".course-status")).to_contain_text(MADE)
    assert source(panel) != first
