"""The studio on the sd15 lane: Stable Diffusion 1.5's own shapes, random weights, each kind of unit pressed once."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import catalog, controls, env, pose, widgets
from course_utils.widgets.pictures import PictureSource
from tests.tiny import sd15
from tests.widgets.press import make

SMALL = {"num_inference_steps": 1, "height": 64, "width": 96}
STATE = pose.state_of([{"word": "man"}], 96 / 64)
DOLL = PictureSource("doll", doll=json.dumps(STATE, separators=(",", ":")))
LINE = PictureSource("paper", strokes=(("#ffffff", 4, (10, 10, 80, 50)),))


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    from huggingface_hub import constants

    hub, folder = tmp_path_factory.mktemp("hub"), tmp_path_factory.mktemp("pictures")
    with pytest.MonkeyPatch.context() as patch:
        pickles = sd15.build(hub)
        for use, entry in catalog.CHECKPOINTS["sd15"].items():
            known = tuple(replace(file, sha256=pickles.get(file.name, file.sha256)) for file in entry.pickles)
            patch.setitem(catalog.CHECKPOINTS["sd15"], use, replace(entry, pickles=known))
        patch.setattr(constants, "HF_HUB_CACHE", str(hub))
        patch.setattr(torch.cuda, "is_available", lambda: False)
        patch.setattr(env, "choose_dtype", lambda lane: torch.float32)
        catalog.release()
        pipe = catalog.load("controlnet", lane="sd15", control="canny")
        yield widgets.studio_panel(pipe, controls=["canny"], picture="a man", folder=folder, **SMALL)
        catalog.release()


UNITS = {
    **{control: ("scene", "truth", control) for control in controls.KINDS},
    "canny of a photograph": ("file", "canny", "canny"),
    "the depth network": ("scene", "depth", "depth"),
    "the segmenter": ("scene", "seg", "seg"),
    "a drawing": ("paper", "none", "scribble"),
    "a doll": ("doll", "truth", "openpose"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", UNITS)
def test_each_kind_of_unit_is_pressed_once(panel, tmp_path, name):
    kind, preprocessor, control = UNITS[name]
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8)).save(tmp_path / "photo.png")
    photo = PictureSource("file", file=(tmp_path / "photo.png").as_posix(), resize="fill")
    picture = {"scene": PictureSource("scene", "a man"), "file": photo, "paper": LINE, "doll": DOLL}[kind]
    (first,) = panel.knobs["units"].value[:1]
    unit = replace(first, picture=picture, preprocessor=preprocessor, control=control, knobs=())
    shot = make(panel, units=(unit,), use_source=False)
    assert shot and shot.settings.units == (unit,) and shot.settings.lane == "sd15", panel.error.value
    panel.file.name, panel.file.data = "mine.png", shot.png
    assert not panel.error.value and "other weights" not in panel.told.value
    assert np.array_equal(np.asarray(make(panel).image), np.asarray(shot.image))


@pytest.mark.slow
def test_two_units_with_mode_region_source_and_words(panel):
    (first,) = panel.knobs["units"].value[:1]
    one = replace(first, picture=DOLL, preprocessor="truth", control="openpose", mode="control", knobs=())
    two = replace(one, control="depth", mode="balanced", region=(("mark", 30, (40, 30, 60, 40)),))
    shot = make(panel, units=(one, two), use_source=True, strength=1.0, words=("man",))
    assert shot, panel.error.value
    assert shot.settings.pipeline == "controlnet_img2img" and len(shot.more or ()) in (0, 2)
