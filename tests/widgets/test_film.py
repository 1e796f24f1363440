"""The panel of lesson 11: clips of both kinds, frames as they come, Stop, errors, what is saved and repeated."""

import io
import re
import threading
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from course_utils import catalog, env, video, widgets
from tests.widgets.press import LONG, make

SMALL = {"num_inference_steps": 2, "height": 64, "width": 96}


@pytest.fixture
def panel(tiny_assets, tmp_path, monkeypatch):
    monkeypatch.setattr(env, "ASSETS", tiny_assets)
    monkeypatch.chdir(tmp_path)
    catalog.release()
    pipe = catalog.with_scheduler(catalog.load("controlnet", control="canny"), "ddim")
    clip = widgets.ClipSource("a man in the garden", "walk", frames=3)
    yield widgets.film_panel(pipe, control="canny", rung="alone", clip=clip, **SMALL)
    catalog.release()


def frames_of(shot):
    with Image.open(io.BytesIO(shot.png)) as film:
        return film.n_frames


def test_a_film_is_made_saved_and_taken_home(panel):
    shot = make(panel)
    assert frames_of(shot) == 3 and shot.name.endswith(".gif") and panel.stage.image.format == "gif"
    assert panel.mp4.name.endswith(".mp4") and len(video.read(bytes(panel.mp4.data), height=64, width=96)) == 3
    panel.stage.save.click()
    assert [path.suffix for path in panel.folder.glob("*")] == [".gif"]
    (path,) = panel.folder.glob("*")
    assert widgets.from_png(path, widgets.FilmSettings) == shot.settings
    with pytest.raises(ValueError, match="a video holds no settings; give a GIF that a 'film' panel made"):
        widgets.from_png(io.BytesIO(panel.mp4.data), widgets.FilmSettings)
    with pytest.raises(ValueError, match="settings of kind 'film'; give a PNG that a 'text2img' panel made"):
        widgets.from_png(path)
    assert {"first frame", "its map", "last frame"} == set(panel.knobs["clip"].looks.images)
    assert panel.pipe.unet.attn_processors  # the pipeline is left as it was


@pytest.mark.parametrize("rung", ["first and previous", "warped, then median"])
def test_the_call_that_is_shown_makes_the_same_film(panel, rung):
    shot = make(panel, rung=rung)
    names = {}
    exec(shot.settings.code(), names)
    with Image.open("film.gif") as again, Image.open(io.BytesIO(shot.png)) as shown:
        assert np.array_equal(np.asarray(again.convert("RGB")), np.asarray(shown.convert("RGB")))
    assert len(names["frames"]) == 3


def test_a_clip_of_ones_own(panel, tmp_path):
    rng = np.random.default_rng(0)
    ground = rng.integers(0, 255, (64, 96, 3), np.uint8)
    video.to_mp4([Image.fromarray(np.roll(ground, 4 * k, 1)) for k in range(12)], tmp_path / "mine.mp4")
    own = widgets.ClipSource(file="mine.mp4", frames=4, own=True)
    shot = make(panel, clip=own, rung="warped, anchored")
    there = make(panel, clip=replace(own, file=(tmp_path / "mine.mp4").as_posix()))
    assert there.png == shot.png and widgets.from_png(io.BytesIO(there.png), widgets.FilmSettings) == shot.settings
    assert frames_of(shot) == 4 and "first 4 frames" in panel.notes.value
    panel.preview.click()
    assert panel.wait(LONG) and "4 frames" in panel.stage.status.value


@pytest.mark.parametrize(
    "file, word", [("", "no file that can be read"), ("gone.mp4", "gone.mp4"), ("bad.mp4", "no video")]
)
def test_a_bad_clip_says_so_beside_the_button(panel, tmp_path, file, word):
    (tmp_path / "bad.mp4").write_bytes(b"nothing of the kind")
    first = make(panel)
    assert make(panel, clip=widgets.ClipSource(file=file, own=True)) is None
    assert word in panel.error.value and panel.history.shots == [first]


@pytest.mark.parametrize("comment", ["", "made by hand", "[]", '{"course_utils": 1}', '{"kind": "film"}'])
def test_a_gif_of_another_program_is_refused(comment):
    gif = video.to_gif([Image.new("RGB", (96, 64), shade) for shade in ("#204060", "#284060")], comment=comment)
    with pytest.raises(ValueError, match="source holds settings of kind .*; give a GIF that a 'film' panel made"):
        widgets.from_png(io.BytesIO(gif), widgets.FilmSettings)


def test_stop_keeps_the_finished_frames(panel):
    step, go = threading.Event(), threading.Event()
    say = panel.stage.say

    def slowly(text):
        say(text)
        if text.startswith("Frame 3"):
            step.set()
            go.wait(LONG)

    panel.stage.say = slowly
    panel.generate.click()
    assert step.wait(LONG)
    panel.stop.click()
    go.set()
    assert panel.wait(LONG) and frames_of(panel.shot) == 2 and "2 of 3 frames are kept" in panel.stage.status.value


def test_an_upload_is_kept_and_a_film_brought_back(panel):
    knob = panel.knobs["clip"]
    knob.upload.name = "../walk.gif"
    knob.upload.data = video.to_gif([Image.new("RGB", (96, 64), shade) for shade in ("#204060", "#284060")])
    assert re.fullmatch(r"pictures/inputs/walk-[0-9a-f]{8}\.gif", knob.file.value)
    shot = make(panel)
    panel.knobs["rung"].value, knob.own.value = "all", True
    panel.history.click(0)
    assert panel.settings == shot.settings and panel.stage.image.format == "gif"


def test_what_does_not_exist_says_so(panel):
    with pytest.raises(ValueError, match="rung='glue'"):
        widgets.film_panel(panel.pipe, control="canny", rung="glue", **SMALL)
    with pytest.raises(ValueError, match="control='glue'"):
        widgets.film_panel(panel.pipe, control="glue", **SMALL)
