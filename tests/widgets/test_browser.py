"""Panels in JupyterLab, driven as a learner drives them."""

import io
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageColor

from course_utils import editing, pictures
from course_utils.widgets import ControlSettings, browser, from_png
from tests.widgets.press import CONTROLLED
from tools.lab import ROOT

expect = pytest.importorskip("playwright.sync_api").expect  # Colab has none
pytestmark = [pytest.mark.browser, pytest.mark.slow]

LOAD = """\
from course_utils import catalog, env, widgets
runtime = env.start(seed=7, lane="clay")
pipe = catalog.load("text2img", lane="clay", folder={folder!r})"""
SHOW = """\
panel = widgets.text2img_panel(pipe, runtime)
panel"""
SCRIBBLE = """\
panel = widgets.controlnet_panel(pipe, runtime, control="scribble", picture="a clock")
panel"""
PIXEL = """(canvas, [x, y]) => {
    const pen = canvas.getContext("2d"), scale = canvas.width / 256;
    return [...pen.getImageData(x * scale, y * scale, 1, 1).data].slice(0, 3);
}"""
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
PHOTOGRAPH = """\
from course_utils import catalog, widgets
pipe = catalog.load("text2img", lane="clay", folder={folder!r})
panel = widgets.text2img_panel(pipe, num_inference_steps=1)
panel.generate.click()
panel.wait()
photograph = panel.picture()
print(*photograph.size, len(photograph.getcolors(1 << 24)))"""
MADE = re.compile("256 × 256 pixels in")


def start(lab, page, folder, extra=""):
    lab.write("panel.ipynb", LOAD.format(folder=str(folder)), extra, SHOW)
    lab.open(page, "panel.ipynb")
    lab.run_all(page)
    panel = page.locator(".course-panel")
    panel.wait_for()
    return panel


# The button's half in the browser, alone: it is given a file and hands on what it would send.
ALONE = """async ([source, data]) => {
    const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
    const button = (await import(url)).default, state = {longest: 1536, accept: "image/*"};
    const set = (name, value) => Object.assign(state, typeof name === "object" ? name : {[name]: value});
    const model = {get: (name) => state[name], set, save_changes() {}, on() {}};
    const el = document.body.appendChild(document.createElement("div"));
    button.render({model, el});
    const files = new DataTransfer(), input = el.querySelector("input");
    files.items.add(new File([Uint8Array.from(data)], "x.png", {type: "image/png"}));
    input.files = files.files;
    input.dispatchEvent(new Event("change"));
    while (!state.data) await new Promise((go) => setTimeout(go, 50));
    return [...new Uint8Array(state.data.buffer)];
}"""


@pytest.mark.parametrize("side", [200, 800])
@pytest.mark.parametrize("ground", ["white", "black"])
def test_what_is_transparent_stays_so_in_small_and_large_files(page, side, ground):
    """A large file is reduced in the browser; after it a photograph lies on white and a map on black, as before."""
    pixels = np.zeros((side, side, 4), np.uint8)
    pixels[:, side // 2 :] = np.random.default_rng(0).integers(0, 255, (side, side - side // 2, 4))
    pixels[:, side // 2 :, 3] = 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    page.goto("about:blank")
    sent = bytes(page.evaluate(ALONE, [(browser.HERE / "upload.js").read_text(), list(buffer.getvalue())]))
    found = pictures.as_picture(sent, ground=ground).getpixel((5, side // 2))
    assert all(abs(level - wanted) < 12 for level, wanted in zip(found, ImageColor.getrgb(ground), strict=True))


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
    # Any step: a glance may miss one.
    expect(panel.locator(".course-status")).to_contain_text(re.compile(r"Step \d+ of 20"))
    panel.get_by_role("button", name="Stop").click()
    expect(panel.locator(".course-status")).to_contain_text("Stopped")
    expect(panel.get_by_role("button", name="Generate")).to_be_enabled()
    expect(panel.get_by_text("Download PNG")).to_be_hidden()


def test_heartbeat_carries_what_a_thread_cannot_send(lab, page, tiny_folder):
    panel = start(lab, page, tiny_folder, DEAF)
    first = source(panel)
    panel.get_by_role("button", name="Generate").click()
    expect(panel.locator(".course-status")).to_contain_text(MADE)
    assert source(panel) != first


def test_the_static_picture_is_a_photograph_of_the_panel(tiny_folder, chromium):
    """In a process of its own, as the builder's kernels are: a page is open in this one."""
    command = {"COURSE_SNAPSHOT": f"{sys.executable} -m tools.snapshot", "COURSE_CHROMIUM": chromium}
    done = subprocess.run(
        [sys.executable, "-c", PHOTOGRAPH.format(folder=str(tiny_folder))], cwd=ROOT, env=os.environ | command,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    width, height, colours = map(int, done.stdout.split()[-3:])
    assert 900 < width < 1500 and 500 < height < 1400 and colours > 1000, "the knobs, and a picture of noise"


def pull(page, box, *points):
    """Draw a line with the mouse through points of the picture's 256 x 256 pixels."""
    for number, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + x * box["width"] / 256, box["y"] + y * box["height"] / 256, steps=10)
        if number == 0:
            page.mouse.down()
    page.mouse.up()


def test_draw_a_scribble_and_a_picture_follows_it(lab, page, tiny_assets):
    lab.write("scribble.ipynb", CONTROLLED.format(assets=str(tiny_assets), control="scribble"), SCRIBBLE)
    lab.open(page, "scribble.ipynb")
    lab.run_all(page)
    panel = page.locator(".course-panel")
    panel.get_by_role("button", name="Draw", exact=True).first.click()
    canvas = panel.locator(".course-pad canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    pull(page, box, (40, 60), (200, 60), (200, 180))
    pull(page, box, (20, 230), (230, 230))
    panel.get_by_role("button", name="Undo").click()
    panel.get_by_role("button", name="Erase").click()
    pull(page, box, (120, 60), (121, 60))
    map_before = panel.locator(".course-looks img").last.get_attribute("src")
    panel.get_by_role("button", name="Generate").click()
    expect(panel.locator(".course-status")).to_contain_text(MADE)
    assert panel.locator(".course-looks img").last.get_attribute("src") != map_before
    with page.expect_download() as download:
        panel.get_by_text("Download PNG").click()
    (unit,) = from_png(download.value.path(), ControlSettings).units
    assert [stroke[0] for stroke in unit.picture.strokes] == ["#ffffff", "erase"] and unit.preprocessor == "none"
    drawn = unit.map(256, 256, "clay")
    assert drawn == editing.scribble(unit.picture.strokes, 256, 256)
    lines, rest = [(60, 60), (200, 120)], [(121, 60), (100, 230), (128, 128)]  # of the rest one was erased, one undone
    for at in lines + rest:
        seen = canvas.evaluate(PIXEL, list(at))
        assert (min(seen) > 250) is (drawn.getpixel(at) == (255, 255, 255)) is (at in lines), (at, seen)


LOOK = """\
panel = widgets.explorer_panel(pipe, runtime, prompt="a lion with a crown")
panel"""


def test_click_a_word_choose_a_layer_and_point_at_a_place(lab, page, tiny_folder):
    lab.write("panel.ipynb", LOAD.format(folder=str(tiny_folder)), LOOK)
    lab.open(page, "panel.ipynb")
    lab.run_all(page)
    panel = page.locator(".course-panel")
    panel.get_by_role("button", name="Generate").click()
    expect(panel.locator(".course-status")).to_contain_text(MADE)
    words = panel.locator(".course-explorer-words button")
    expect(words).to_have_count(7)
    image = panel.locator(".course-explorer-picture img")
    plain = image.get_attribute("src")
    words.nth(2).click()
    expect(words.nth(2)).to_have_attribute("aria-pressed", "true")
    expect(image).not_to_have_attribute("src", plain)
    image.scroll_into_view_if_needed()
    most = words.all_inner_texts()
    image.hover(position={"x": 10, "y": 10})
    expect(panel.locator(".course-explorer-line")).to_contain_text("row 1, column 1 looks at")
    paid = [int(re.search(r"(\d+) %", text)[1]) for text in words.all_inner_texts()]
    assert abs(sum(paid) - 100) <= 4, "shares of one place, each rounded"
    assert all(share <= int(re.search(r"(\d+) %", text)[1]) for share, text in zip(paid, most, strict=True))
    glow = image.get_attribute("src")
    panel.get_by_label("Layer").select_option("mid_block.attentions.0")
    expect(image).not_to_have_attribute("src", glow)
    step = panel.get_by_label("Step", exact=True)
    step.focus()
    step.press("ArrowRight")
    expect(panel.locator(".course-explorer-knobs output")).to_contain_text("1 of 20")
    words.nth(2).click()
    expect(words.nth(2)).to_have_attribute("aria-pressed", "false")
