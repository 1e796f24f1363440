"""The scribble pad and the upload button without a browser: what they keep, and what Python makes of it."""

import io
import json
import re

import numpy as np
import pytest
import traitlets
from PIL import Image

from course_utils import editing, widgets
from course_utils.widgets import pad as pads
from course_utils.widgets.upload import Upload

HEIGHT, WIDTH = 64, 96
LINE = ["#ffffff", 4, [10, 20, 60, 20, 60, 50]]
MARK = ["mark", 12, [20, 40, 70, 40]]


@pytest.fixture
def picture():
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def drawn(mode, *strokes, picture=None):
    pad = widgets.Pad(HEIGHT, WIDTH, mode, picture)
    pad.strokes = list(strokes)
    return pad


def test_a_scribble_is_white_on_black(picture):
    pad = drawn("scribble", LINE, picture=picture)
    scribble = pad.picture()
    assert scribble.mode == "RGB" and scribble.size == (WIDTH, HEIGHT)
    assert scribble.getpixel((40, 20)) == (255, 255, 255) and scribble.getpixel((30, 40)) == (0, 0, 0)
    share = np.asarray(scribble).mean() / 255
    assert 0 < share < 0.1, "the picture below is there to be traced, it is no part of the drawing"
    pad.clear()
    assert not np.asarray(pad.picture()).any()


def test_drawing_over_a_picture(picture):
    pad = drawn("over", ["#ff0000", 4, LINE[2]], MARK, picture=picture)
    over, mask = pad.picture(), pad.mask()
    assert over.mode == "RGB" and over.getpixel((40, 20)) == (255, 0, 0)
    assert over.getpixel((30, 40)) == picture.getpixel((30, 40)), "marks are not painted"
    assert mask.mode == "L" and mask.getpixel((30, 40)) == 255 and mask.getpixel((40, 20)) == 0


def test_mask_mode_gives_the_mask(picture):
    pad = drawn("mask", MARK, picture=picture)
    assert pad.picture().mode == "L" and pad.picture().getpixel((30, 40)) == 255


def test_without_a_picture_one_draws_over_white():
    assert drawn("over").picture().getpixel((0, 0)) == (255, 255, 255)


def test_load_stretches_to_the_pad_and_shows_the_browser(picture):
    pad = drawn("over", picture=picture.resize((30, 30)))
    assert pad.picture().size == (WIDTH, HEIGHT)
    assert Image.open(io.BytesIO(pad.underlay)).size == (WIDTH, HEIGHT)
    pad.load(None)
    assert pad.underlay == b"" and pad.picture().getpixel((0, 0)) == (255, 255, 255)


def test_strokes_survive_the_wire():
    """What the browser sends is JSON; drawn again after a reconnect it is the same, to the last pixel."""
    pad, again = drawn("scribble", LINE, ["erase", 6, [30, 20]]), drawn("scribble")
    again.set_state({"strokes": json.loads(json.dumps(pad.get_state()["strokes"]))})
    assert np.array_equal(np.asarray(again.picture()), np.asarray(pad.picture()))
    assert np.asarray(again.picture())[20, 30].max() == 0 < np.asarray(again.picture())[20, 45].min()


def test_shown_is_what_the_screen_shows(picture):
    pad = drawn("over", ["#ff0000", 4, LINE[2]], MARK, picture=picture)
    shown = pad.shown()
    assert shown.getpixel((40, 20)) == (255, 0, 0)
    assert shown.getpixel((30, 40)) not in (picture.getpixel((30, 40)), (255, 61, 127)), "marks are half seen through"
    pad.opacity = 0
    assert pad.shown().getpixel((0, 0)) == (255, 255, 255) and pad.picture().getpixel((0, 0)) == picture.getpixel(
        (0, 0)
    )
    assert drawn("scribble", picture=picture).shown().getpixel((0, 0)) != (0, 0, 0)


def test_brushes_grow_with_the_picture():
    assert widgets.Pad(512, 768).brush == 2 * widgets.Pad(256, 512).brush


def test_an_unknown_mode_is_refused():
    with pytest.raises(traitlets.TraitError, match="mode"):
        widgets.Pad(mode="oil")


@pytest.mark.parametrize("kind", [widgets.Pad, Upload])
def test_the_browser_s_half_is_whole(kind):
    """Nothing is fetched from elsewhere, and both halves speak of the same traits."""
    script = str(kind._esm)
    assert "http" not in script and not re.search(r"\bimport\b", script)
    names = set(re.findall(r"model\.(?:get|set)\(\"(\w+)\"", script))
    names |= set(re.findall(r"\"change:(\w+)\"", script))
    assert names and names <= set(kind.class_trait_names(sync=True))


def test_the_browser_s_half_draws_as_python_does():
    script = str(widgets.Pad._esm)
    inks = set(re.findall(r"(\w+): \[\"", script))
    assert inks == set(pads.INKS), "a set of tools for each mode"
    assert {editing.MARK, editing.ERASE} <= set(re.findall(r"\"(\w+)\"", script))
    assert pads.MARKED[0] in script and f", {pads.MARKED[1]})" in script
    assert "touch-action: none" in str(widgets.Pad._css)


def test_upload_takes_what_ipywidgets_hands_over():
    upload = Upload()
    upload.set_state({"data": memoryview(b"abc"), "name": "a.png"})  # buffers come as views
    assert upload.data == b"abc" and isinstance(upload.data, bytes)
