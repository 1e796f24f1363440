"""The exciter's panel in JupyterLab, driven as a learner drives it."""

import re

import pytest

from course_utils.widgets import ExciterSettings, from_png

expect = pytest.importorskip("playwright.sync_api").expect  # Colab has none
pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOW = """\
from course_utils import catalog, env, widgets
runtime = env.start(seed=7, lane="clay")
pipe = catalog.load("text2img", lane="clay", folder={folder!r})
panel = widgets.exciter_panel(pipe, runtime, num_inference_steps=4)
panel"""


def test_choose_words_and_see_both_pictures_and_the_curve(lab, page, tiny_assets, tmp_path):
    lab.write("exciter.ipynb", SHOW.format(folder=str(tiny_assets / "models/clay-base")))
    lab.open(page, "exciter.ipynb")
    lab.run_all(page)
    panel = page.locator(".course-panel")
    panel.wait_for()
    words, pair, curve = (panel.locator(f".course-{part}") for part in ("words", "pair", "curve"))
    expect(words.get_by_role("button", name="crown")).to_have_class(re.compile("mod-active"))
    panel.get_by_label("Prompt").fill("a cat and a dog in the garden")
    panel.get_by_label("Prompt").press("Tab")  # the field tells the kernel when it is left
    words.get_by_role("button", name="garden").click()
    words.get_by_role("button", name="dog").click()
    expect(words.get_by_role("button", name="garden")).to_have_class(re.compile("mod-active"))
    expect(words.get_by_role("button", name="crown")).to_have_count(0)
    before = [image.get_attribute("src") for image in (*pair.locator("img").all(), curve)]
    panel.get_by_role("button", name="Generate").click()
    expect(panel.locator(".course-status").last).to_contain_text("256 × 256 pixels in")
    after = [image.get_attribute("src") for image in (*pair.locator("img").all(), curve)]
    assert len(after) == 3 and not set(before) & set(after)
    left, right = (image.bounding_box() for image in pair.locator("img").all())
    assert left["y"] == right["y"] and left["x"] + left["width"] <= right["x"], "side by side"
    with page.expect_download() as download:
        panel.get_by_text("Download PNG").click()
    settings = from_png(download.value.path(), ExciterSettings)
    assert (settings.words, settings.seed) == (("cat", "garden"), 7)
    page.screenshot(path=tmp_path / "panel.png")
