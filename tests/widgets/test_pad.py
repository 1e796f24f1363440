"""The scribble pad and the upload button without a browser: what they keep, and what Python makes of it."""

import io
import json
import re

import numpy as np
import pytest
import traitlets
from PIL import Image

from course_utils import editing, widgets
from course_utils.widgets.browser import INKS, Download, Heartbeat, Upload

HEIGHT, WIDTH = 64, 96
LINE = ["#ffffff", 4, [10, 20, 60, 20, 60, 50]]


@pytest.fixture
def picture():
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def drawn(mode, *strokes):
    pad = widgets.Pad(HEIGHT, WIDTH, mode)
    pad.strokes = list(strokes)
    return pad


def test_load_stretches_to_the_pad_and_shows_the_browser(picture):
    pad = drawn("over")
    pad.load(picture.resize((30, 30)))
    assert Image.open(io.BytesIO(pad.underlay)).size == (WIDTH, HEIGHT)
    pad.load(None)
    assert pad.underlay == b""


def test_strokes_survive_the_wire():
    """What the browser sends is JSON; drawn again after a reconnect it is the same, to the last pixel."""
    pad, again = drawn("scribble", LINE, ["erase", 6, [30, 20]]), drawn("scribble")
    again.set_state({"strokes": json.loads(json.dumps(pad.get_state()["strokes"]))})
    one, other = (np.asarray(editing.scribble(pad.strokes, HEIGHT, WIDTH)) for pad in (pad, again))
    assert np.array_equal(one, other) and other[20, 30].max() == 0 < other[20, 45].min()


def test_brushes_grow_with_the_picture():
    assert widgets.Pad(512, 768).brush == 2 * widgets.Pad(256, 512).brush


def test_an_unknown_mode_is_refused():
    with pytest.raises(traitlets.TraitError, match="mode"):
        widgets.Pad(mode="oil")


@pytest.mark.parametrize("kind", [widgets.Pad, Upload, Download, Heartbeat])
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
    assert inks == set(INKS), "a set of tools for each mode"
    assert {editing.MARK, editing.ERASE} <= set(re.findall(r"\"(\w+)\"", script))
    assert "touch-action: none" in str(widgets.Pad._css)


def test_upload_takes_what_ipywidgets_hands_over():
    upload = Upload()
    upload.set_state({"data": memoryview(b"abc"), "name": "a.png"})  # buffers come as views
    assert upload.data == b"abc" and isinstance(upload.data, bytes)
    assert upload.take() == b"abc" and upload.data == b""
