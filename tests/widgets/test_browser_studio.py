"""The studio in JupyterLab: a PNG that is dropped brings everything back; two pictures are held against each other."""

import re

import pytest

from course_utils.widgets import studio_png
from tests.widgets.press import CONTROLLED, generate

expect = pytest.importorskip("playwright.sync_api").expect  # Colab has none
pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOW = """\
panel = widgets.studio_panel(pipe, runtime, prompt="a cat", picture="a clock", num_inference_steps=1)
panel.measure.value = False
panel"""
DROP = """(panel, [name, data]) => {
    const files = new DataTransfer();
    files.items.add(new File([Uint8Array.from(data)], name));
    panel.dispatchEvent(new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true}));
}"""
SEEN = "image => getComputedStyle(image).clipPath"


def painted(page, panel):
    """Generate, and return the PNG."""
    generate(panel)
    with page.expect_download() as download:
        panel.get_by_text("Download PNG").click()
    return download.value.path().read_bytes()


def test_a_dropped_png_brings_everything_back_and_two_pictures_are_compared(lab, page, tiny_assets):
    lab.write("studio.ipynb", CONTROLLED.format(assets=str(tiny_assets), control="canny"), SHOW)
    lab.open(page, "studio.ipynb")
    lab.run_all(page)
    panel = page.locator(".course-panel")
    prompt, told = panel.get_by_label("Prompt"), panel.locator(".course-notes", has_text="everything")
    first = painted(page, panel)
    prompt.fill("a dog on the beach")
    page.keyboard.press("Tab")
    page.wait_for_timeout(600)
    assert painted(page, panel) != first

    panel.get_by_label("Compare with").select_option(label="2: seed 7")
    other = panel.locator(".course-compare img").last
    expect(other).to_be_visible()
    line = panel.get_by_label("The line between the two pictures")
    expect(line).to_be_visible()
    half = other.evaluate(SEEN)
    box = line.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    assert float(line.input_value()) > 80 and other.evaluate(SEEN) != half

    panel.evaluate(DROP, ["mine.png", list(first)])
    expect(told).to_be_visible()
    expect(prompt).to_have_value("a cat")
    again = painted(page, panel)
    assert studio_png.read_png(again)[1]["course_utils map 0"] == studio_png.read_png(first)[1]["course_utils map 0"]
    panel.evaluate(DROP, ["bad.json", list(b"[]")])
    expect(panel.locator(".course-error", has_text=re.compile("kind"))).to_be_visible()
    expect(prompt).to_have_value("a cat")
