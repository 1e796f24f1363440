"""The studio on the sd15 lane: Stable Diffusion 1.5's own shapes, random weights, each kind of unit pressed once."""

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from skimage import data

from course_utils import catalog, controls, env, pose, widgets
from course_utils.catalog import own
from course_utils.catalog.files import sha256
from course_utils.widgets import studio_carry, studio_settings
from course_utils.widgets.pictures import PictureSource
from course_utils.widgets.units import MAP
from tests.tiny import annotators, sd15
from tests.widgets.press import LONG, make

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


@pytest.fixture(scope="module")
def detectors(panel):
    """controlnet_aux's four networks, of true size with random weights, in the panel's Hub cache."""
    from huggingface_hub import constants

    entry = catalog.checkpoint("annotators", "sd15")
    folder = annotators.build_annotators_hub(Path(constants.HF_HUB_CACHE), entry.id, entry.revision)
    pinned = tuple(replace(pickle, sha256=sha256(folder / pickle.name)) for pickle in entry.pickles)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(catalog.CHECKPOINTS["sd15"], "annotators", replace(entry, pickles=pinned))
        controls.release()
        yield
        controls.release()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("control", ["mlsd", "scribble", "openpose", "normal"])
def test_each_detector_of_controlnet_aux_is_pressed_once(panel, detectors, tmp_path, control):
    Image.fromarray(data.astronaut()).save(tmp_path / "photo.png")
    photo = PictureSource("file", file=(tmp_path / "photo.png").as_posix())
    unit = replace(panel.settings.units[0], picture=photo, preprocessor=control, control=control, knobs=())
    shot = make(panel, units=(unit,), use_source=False, words=())
    assert shot and shot.settings.units == (unit,), panel.error.value
    (drawn,) = shot.settings.maps()
    assert drawn.mode == "RGB" and drawn.size == (96, 64)
    knob = panel.knobs["units"].knobs[0]
    assert np.array_equal(np.asarray(knob.source.looks.images[MAP]), np.asarray(drawn)), "it is on show"
    assert drawn.getbbox() or "the map is empty and steers nothing" in knob.notes.value
    assert not panel.error.value and (control in studio_settings.LINES) == bool(shot.more), "edges are measured"
    panel.file.name, panel.file.data = "mine.png", shot.png
    assert not panel.error.value and np.array_equal(np.asarray(make(panel).image), np.asarray(shot.image))


@pytest.fixture
def mine(panel, tmp_path, monkeypatch):
    """The base once more, its words and UNet twice as loud, as one file and as a folder, where jane keeps it."""
    monkeypatch.setattr(own, "TOKEN", sd15.WIDTH)
    pipe = catalog.load(lane="sd15")
    home = tmp_path / "jane"
    pipe.save_pretrained(home / "folder")
    mine = StableDiffusionPipeline.from_pretrained(home / "folder")
    mine.unet.conv_out.weight.data *= 2
    mine.save_pretrained(home / "folder")
    return sd15.single_file(mine, home / "mine.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["file", "folder"])
def test_a_base_of_ones_own_paints_and_its_png_tells_no_path(panel, mine, monkeypatch, form):
    base = mine if form == "file" else mine.with_name("folder")
    plain = make(panel, units=panel.first.units, use_source=False, words=())
    shot = make(panel, base=base.as_posix())
    assert shot, panel.error.value
    assert shot.settings.base == base.as_posix() and shot.more, "it is measured too"
    assert not np.array_equal(np.asarray(shot.image), np.asarray(plain.image))
    names = {}
    exec(shot.settings.code(), names)
    assert np.abs(np.asarray(names["image"], int) - np.asarray(shot.image)).max() <= 1
    texts = Image.open(io.BytesIO(shot.png)).text
    assert not any("jane" in text for text in texts.values()) and f"Model: {base.stem}" in texts["parameters"]
    weights = json.loads(texts["course_utils"])["weights"]
    found = base if form == "file" else base / "unet/diffusion_pytorch_model.safetensors"
    digest = hashlib.sha256(found.read_bytes()).hexdigest()
    assert weights["base" if form == "file" else "unet"] == digest
    assert form == "folder" or f"Model hash: {digest[:10]}" in texts["parameters"]
    panel.file.name, panel.file.data = "mine.png", shot.png
    assert panel.settings == shot.settings and "other weights" not in panel.told.value, "its field knew where"
    panel.knobs["base"].value = ""
    panel.file.name, panel.file.data = "again.png", shot.png
    assert panel.settings.base == base.name and f"The base {base.name} is not here" in panel.told.value
    panel.generate.click()
    assert panel.wait(LONG) and "neither a folder nor a file on this computer" in panel.error.value
    panel.knobs["base"].value = ""
    assert np.array_equal(np.asarray(make(panel).image), np.asarray(plain.image)), "nothing is lost"


@pytest.mark.slow
def test_a_panel_on_a_base_of_ones_own_knows_it(mine, tmp_path):
    pipe = catalog.load("controlnet", lane="sd15", control="canny", base=mine)
    panel = widgets.studio_panel(pipe, controls=["canny"], picture="a man", folder=tmp_path, **SMALL)
    assert panel.knobs["base"].value == mine.as_posix()
    shot = make(panel)
    assert panel._pipe(shot.settings).unet is pipe.unet
    weights = studio_carry.weights_of(pipe, replace(shot.settings, base=""))
    assert weights["unet"] != studio_carry.weights_of(pipe, shot.settings)["base"], "which is the table's"


@pytest.mark.slow
def test_two_units_with_mode_region_source_and_words(panel):
    (first,) = panel.knobs["units"].value[:1]
    one = replace(first, picture=DOLL, preprocessor="truth", control="openpose", mode="control", knobs=())
    two = replace(one, control="depth", mode="balanced", region=(("mark", 30, (40, 30, 60, 40)),))
    shot = make(panel, units=(one, two), use_source=True, strength=1.0, words=("man",))
    assert shot, panel.error.value
    assert shot.settings.pipeline == "controlnet_img2img" and len(shot.more or ()) in (0, 2)
