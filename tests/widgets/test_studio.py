"""The studio: every kind of run, scores, what its PNG brings back, grid, presets, errors beside the button."""

import hashlib
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from course_utils import catalog, clay, controlnet, controls, env, excite, personalize, pose, widgets
from course_utils.widgets import studio_carry, studio_png, studio_settings
from course_utils.widgets.pictures import PictureSource
from tests.widgets.press import LONG, make

SMALL = {"num_inference_steps": 2, "height": 64, "width": 96}
MARK = ("mark", 20, (60, 30, 80, 40))


@pytest.fixture
def panel(tiny_assets, tmp_path, monkeypatch):
    monkeypatch.setattr(env, "ASSETS", tiny_assets)
    monkeypatch.chdir(tmp_path)
    catalog.release()
    pipe = catalog.with_scheduler(catalog.load("controlnet", control=["canny"]), "ddim")
    yield widgets.studio_panel(pipe, prompt="a cat and a dog", controls=["canny"], picture="a clock", **SMALL)
    catalog.release()


@pytest.fixture
def lora(panel, tmp_path):
    subject = personalize.subject("robot", 0, "orange", 0, height=64, width=96)
    config = personalize.preset("lora", "clay", max_train_steps=1, height=64, width=96, rank=1)
    personalize.lora(panel.pipe, subject.train, "sks robot", config).save(tmp_path / "robot.safetensors")
    return "robot.safetensors"


def two(panel, **changes):
    """Two units, the second with a mode and a region of its own."""
    unit = panel.settings.units[0]
    other = replace(unit, preprocessor="scribble", control="scribble", mode="prompt", region=(MARK,), **changes)
    return (unit, other)


def drop(panel, data, name="dropped.png"):
    panel.file.name, panel.file.data = name, data


def test_all_at_once_comes_back_from_its_png_to_the_bit(panel, lora):
    shot = make(panel, units=two(panel), loras=((lora, 0.7),), words=("cat", "dog"))
    assert shot, panel.error.value
    fresh = widgets.studio_panel(panel.pipe, controls=["canny"], picture="a bench", **SMALL)
    drop(fresh, shot.png)
    assert fresh.settings == shot.settings and not fresh.error.value
    again = make(fresh)
    assert np.array_equal(np.asarray(again.image), np.asarray(shot.image))


@pytest.mark.parametrize("change", ["plain", "units", "lora", "words", "source", "source alone", "modes"])
def test_the_call_that_is_shown_makes_the_same_picture(panel, lora, change):
    source = PictureSource("scene", "a portrait of a man", 3, strokes=(MARK,))
    unit = panel.settings.units[0]
    knobs = {
        "plain": {"units": (replace(unit, enabled=False),)},
        "units": {"units": two(panel)},
        "lora": {"loras": ((lora, 1.0),)},
        "words": {"words": ("cat",)},
        "source": {"use_source": True, "source": source},
        "source alone": {"use_source": True, "source": source, "units": (replace(unit, enabled=False),)},
        "modes": {"units": (replace(unit, mode="control"),)},
    }[change]
    panel.measure.value = False
    shot = make(panel, **knobs)
    assert shot, panel.error.value
    names = {}
    exec(shot.settings.code(), names)
    assert np.array_equal(np.asarray(names["image"]), np.asarray(shot.image))


def test_each_unit_is_scored_and_the_picture_is_that_of_the_panel_without_scores(panel):
    shot = make(panel)
    ((floor, reached, ceiling),) = shot.more
    assert all(0 <= value <= 1 for value in (floor, reached, ceiling))
    knob = panel.knobs["units"].knobs[0]
    assert f"{reached:.2f}" in knob.obeyed.value
    knob.control.value = "scribble"
    assert not knob.obeyed.value, "another model has no score yet"
    knob.control.value = "canny"
    panel.measure.value = False
    assert np.array_equal(np.asarray(make(panel).image), np.asarray(shot.image))


def test_weight_and_range_follow_one_strength(panel):
    knob = panel.knobs["units"].knobs[0]
    knob.strength.value = 0.5
    assert (knob.value.scale, knob.value.start, knob.value.end) == (0.5, 0.0, 0.7)
    knob.scale.value = 0.9
    assert (knob.value.scale, knob.value.end) == (0.9, 0.7)
    restored = replace(knob.value, scale=0.3, end=0.95)
    knob.value = restored
    assert knob.value == restored


def texts_of(shot):
    return Image.open(io.BytesIO(shot.png)).text


def noise(path, height=80, width=200, seed=0):
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)).save(path)
    return PictureSource("file", file=path.as_posix())


@pytest.mark.parametrize("preprocessor", ["canny", "none"])
def test_the_png_carries_its_pictures_and_no_path(panel, lora, tmp_path, monkeypatch, preprocessor):
    home = tmp_path / "home of jane"
    home.mkdir()
    source = noise(home / "face.png", seed=1)
    unit = replace(panel.settings.units[0], picture=noise(home / "mine.png"), preprocessor=preprocessor)
    given = (tmp_path / lora).rename(home / lora).as_posix()
    shot = make(panel, units=(unit,), source=source, use_source=True, loras=((given, 0.5),))
    assert shot, panel.error.value
    assert not any("jane" in text for text in texts_of(shot).values()) and "jane" in shot.settings.code()
    for file in ("mine.png", "face.png"):
        (home / file).unlink()
    drop(panel, shot.png)
    assert not panel.error.value and panel.settings.loras == ((given, 0.5),), "the row that is there knows where"
    monkeypatch.setattr(studio_settings.controls, "make", None)  # the map came with it
    panel.measure.value = False
    again = make(panel)
    assert np.array_equal(np.asarray(again.image), np.asarray(shot.image))
    drop(panel, bytes(panel.preset.data), "mine.json")
    assert panel.settings == again.settings, "and so does a preset"
    (home / lora).unlink()
    drop(panel, shot.png)
    assert f"{lora} is not here" in panel.told.value


def test_other_weights_are_named_and_not_refused(panel, lora, tmp_path):
    shot = make(panel, loras=((lora, 1.0),))
    weights = json.loads(texts_of(shot)["course_utils"])["weights"]
    assert set(weights) == {"unet", "text_encoder", "vae", "control canny", lora}
    net = env.ASSETS / "models/clay-control-canny/diffusion_pytorch_model.safetensors"
    assert weights["control canny"] == hashlib.sha256(net.read_bytes()).hexdigest()
    drop(panel, shot.png)
    assert "other weights" not in panel.told.value
    file = tmp_path / lora
    file.write_bytes(file.read_bytes() + b" ")
    drop(panel, shot.png)
    assert panel.settings == shot.settings and f"made with other weights of {lora}" in panel.told.value


def test_a_word_that_a_lora_brings_is_known_while_it_is_in_use(panel, lora):
    panel.knobs["prompt"].value = "a sks robot in a fridge"
    assert "does not know: sks, robot, fridge." in panel.notes.value
    panel.knobs["loras"].value = ((lora, 0.7),)
    assert "does not know: fridge." in panel.notes.value
    panel.knobs["loras"].value = ((lora, 0.0),)
    assert "does not know: sks, robot, fridge." in panel.notes.value, "at weight 0 it is not there"
    panel.knobs["loras"].value = (("lost.safetensors", 1.0),)
    assert "does not know: sks, robot, fridge." in panel.notes.value, "a file that is lost brings no words"


def test_others_read_our_text_and_we_read_theirs(panel):
    shot = make(panel, negative_prompt="grey", seed=5)
    text = Image.open(io.BytesIO(shot.png)).text["parameters"]
    assert (
        text.startswith("a cat and a dog\nNegative prompt: grey\nSteps: 2, Sampler: ddim") and "ControlNet 0" in text
    )
    texts = PngInfo()
    texts.add_text("parameters", 'a lion,\nroaring\nSteps: 9, Sampler: Euler a, CFG scale: 3, Seed: 7, Note: "a, b"')
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=texts)
    drop(panel, buffer.getvalue())
    now = panel.settings
    assert (now.prompt, now.seed, now.num_inference_steps, now.active) == ("a lion,\nroaring", 7, 9, ())
    assert not panel.error.value and now.scheduler == "euler a" and "Note" in panel.told.value


def large(pixels=(9000, 9000)):
    import struct
    import zlib

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", *pixels, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def preset(panel, **changes):
    return json.dumps(panel.settings.facts() | changes).encode()


def unit(panel, **changes):
    """A preset whose only unit differs."""
    (found,) = panel.settings.facts()["units"]
    return preset(panel, units=[found | changes])


def drawn(panel):
    """The unit's clay scene with a stroke on it: a unit's pad is for a drawing alone."""
    return panel.settings.facts()["units"][0]["picture"] | {"kind": "scene", "strokes": [["#ff0000", 3, [1, 1, 9, 9]]]}


def told(panel, size=(96, 64), **changes):
    """A PNG of a size with the panel's settings in it."""
    texts = PngInfo()
    texts.add_text("course_utils", json.dumps({"version": 1, **panel.settings.facts()} | changes))
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, "PNG", pnginfo=texts)
    return buffer.getvalue()


NAN = float("nan")
PEOPLE = {"people": [{"pose_keypoints_2d": [1, 2, 1] * 18}] * 200, "canvas_height": 64, "canvas_width": 96}


BAD = {
    "empty JSON": (lambda panel: b"{}", "kind"),
    "broken": (lambda panel: b"{nonsense", "neither a PNG nor JSON"),
    "newer": (lambda panel: preset(panel, tiles=4), "tiles"),
    "not a number": (lambda panel: preset(panel, guidance_scale=float("nan")), "guidance_scale"),
    "another size": (lambda panel: preset(panel, height=128), "height=128"),
    "100 megapixels": (lambda panel: large((10_000, 10_000)), "10000 x 10000"),
    "a size that lies": (lambda panel: told(panel, (8, 8)), "96 x 64 pixels, and it has 8 x 8"),
    "a length that lies": (lambda panel: told(panel).replace(b"tEXt", b"tEXu"), "broken"),
    "half a PNG": (lambda panel: told(panel)[:-40], "broken"),
    "a newer version": (lambda panel: preset(panel, version=99), "version 99"),
    "a newer version's PNG": (lambda panel: told(panel, version=2, more=1), "update the course"),
    "200 people": (lambda panel: json.dumps(PEOPLE).encode(), "choose Doll"),
    "200 units": (lambda panel: preset(panel, units=panel.settings.facts()["units"] * 200), "units holds 200"),
    "no unit": (lambda panel: preset(panel, units=[]), "units holds 0"),
    "no number of a unit": (lambda panel: unit(panel, scale=NAN), "scale=nan"),
    "no number of a stroke": (lambda panel: unit(panel, region=[["mark", 3, [NAN, 1, 2, 2]]]), "strokes hold"),
    "no stroke": (lambda panel: unit(panel, region=[["mark"]]), "cannot be read"),
    "strokes that no knob holds": (lambda panel: unit(panel, picture=drawn(panel)), "can hold only"),
    "folded a thousand times": (lambda panel: b"[" * 100_000, "neither a PNG nor JSON"),
    "plain PNG": (lambda panel: plain(), "no settings"),
    "units that are none": (lambda panel: preset(panel, units=[3]), "cannot be read"),
    "a base on the clay lane": (lambda panel: preset(panel, base="mine.safetensors"), "goes with the sd15 lane"),
    "too many LoRAs": (lambda panel: preset(panel, loras=[["a", 1.0]] * 9), "rows"),
}


def plain():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_said_beside_the_button_and_nothing_is_lost(panel, name):
    before = panel.settings
    data, word = BAD[name]
    drop(panel, data(panel), "bad.json")
    assert word in panel.error.value and panel.settings == before


def test_a_preset_comes_back_and_is_what_the_download_holds(panel):
    shot = make(panel, units=two(panel), seed=3)
    assert studio_png.preset(bytes(panel.preset.data))[0] == shot.settings
    panel.knobs["seed"].value = 4
    drop(panel, bytes(panel.preset.data), "mine.json")
    assert panel.settings == shot.settings


def test_a_grid_over_any_two_knobs_and_stop_keeps_what_is_there(panel):
    make(panel)
    panel.grid.names[0].value, panel.grid.values[0].value = "unit 1: strength", "0, 1"
    panel.grid.names[1].value, panel.grid.values[1].value = "seed", "1, 2"
    assert "= 4 pictures, about" in panel.grid.cost.value
    panel.grid.run.click()
    assert panel.wait(LONG) and "4 of 4" in panel.stage.status.value
    assert Image.open(io.BytesIO(panel.sheet.value)).width > 300
    painted = []
    paint = panel._paint

    def stopping(settings, stop, note=""):
        painted.append(settings)
        if len(painted) == 3:
            stop.set()
        return paint(settings, stop, note)

    panel._paint = stopping
    panel.grid.run.click()
    assert panel.wait(LONG) and "2 of 4" in panel.stage.status.value


@pytest.mark.parametrize("values, word", [("", "values for both"), ("a, b", "is no value of")])
def test_a_grid_that_cannot_be_says_so(panel, values, word):
    panel.grid.names[0].value, panel.grid.values[0].value = "seed", values
    panel.grid.run.click()
    assert word in panel.error.value


def test_the_dear_knob_is_turned_least_often():
    cells = studio_settings.ordered("ab", "cde", 1.0, 0.0)
    assert [column for column, _ in cells] == [0, 0, 0, 1, 1, 1]
    assert [row for _, row in studio_settings.ordered("ab", "cde", 0.0, 1.0)] == [0, 0, 1, 1, 2, 2]


def test_two_pictures_are_held_against_each_other_and_the_last_is_taken_as_a_source(panel):
    make(panel)
    second = make(panel, seed=9)
    panel.against.value = 1
    assert panel.stage.image.other
    assert [name for name, _ in panel.against.options][-1] == "map 1: canny"
    panel.against.index = len(panel.against.options) - 1
    laid = np.asarray(Image.open(io.BytesIO(panel.stage.image.other)).convert("L"), int)
    (drawn,) = second.settings.maps()
    assert laid.shape == (64, 96) and np.abs(laid - np.asarray(drawn)[..., 0]).mean() < 10, "its map lies over it"
    panel.against.value = -1
    assert not panel.stage.image.other
    knob = panel.knobs["units"].knobs[0]
    knob.last.click()
    assert knob.value.picture.kind == "file" and second.name[:5] in knob.value.picture.file


def test_a_batch_is_as_many_pictures_of_following_seeds(panel):
    panel.batch.value = 3
    make(panel, seed=4)
    assert [shot.settings.seed for shot in panel.history.shots] == [6, 5, 4]


def test_modes_and_regions_follow_their_formulas(panel):
    pipe, seen = panel.pipe, []
    prompt = {"prompt": "a cat", "image": panel.settings.maps()[0], "num_inference_steps": 1}
    mask = Image.new("L", (96, 64))
    mask.paste(255, (0, 0, 48, 64))
    for mode, region in (("balanced", None), ("prompt", None), ("control", None), ("balanced", mask)):
        with controlnet.steered(pipe, [mode], [region]):
            look = pipe.controlnet.register_forward_hook(lambda net, inputs, out: seen.append([*out[0], out[1]]))
            pipe(**prompt, generator=torch.Generator().manual_seed(0))
            look.remove()
    plain, falling, conditional, left = seen
    last = len(plain) - 1
    for place, one in enumerate(plain):
        assert np.allclose(falling[place], 0.825 ** (last - place) * one, atol=1e-6)
        assert not conditional[place][:1].any() and np.array_equal(conditional[place][1:], falling[place][1:])
    half = plain[0].shape[-1] // 2
    assert np.array_equal(left[0][..., :half], plain[0][..., :half]) and not left[0][..., half:].any()
    assert not pipe.controlnet._forward_hooks and not pipe.controlnet._forward_pre_hooks
    assert "forward" not in vars(pipe.controlnet)
    with pytest.raises(ValueError, match="modes"), controlnet.steered(pipe, ["loud"]):
        pass
    with pytest.raises(ValueError, match="one for each"), controlnet.steered(pipe, ["balanced"] * 2):
        pass


def test_who_asks_for_forward_alone_gets_the_mode_and_the_region_too(panel):
    """Attend-and-Excite asks for the rows that know their prompt, past all hooks."""
    pipe, kept, answers = panel.pipe, [], []
    mask = Image.new("L", (96, 64))
    mask.paste(255, (0, 0, 48, 64))
    look = pipe.controlnet.register_forward_pre_hook(lambda *call: kept.append(call[1:]), with_kwargs=True)
    for mode, region in (("balanced", None), ("control", mask)):
        with controlnet.steered(pipe, [mode], [region]), torch.no_grad():
            pipe("a cat", panel.settings.maps()[0], num_inference_steps=1, generator=torch.Generator().manual_seed(0))
            (sample, timestep), given = kept[-1]
            given = {name: value[1:] if torch.is_tensor(value) else value for name, value in given.items()}
            down, middle = pipe.controlnet.forward(sample[1:], timestep, **given)
            answers.append([*down, middle])
    look.remove()
    plain, weighed = answers
    last = len(plain) - 1
    for place, (before, after) in enumerate(zip(plain, weighed, strict=True)):
        left = before.shape[-1] // 2
        assert len(after) == 1 and torch.allclose(after[..., :left], 0.825 ** (last - place) * before[..., :left])
        assert not after[..., (before.shape[-1] + 1) // 2 :].any()


@pytest.mark.parametrize("units", [1, 2])
def test_words_are_excited_beside_a_mode_at_thresholds_too(panel, monkeypatch, units):
    lane = excite.AttendExciteConfig.for_lane
    monkeypatch.setattr(
        excite.AttendExciteConfig, "for_lane", lambda name: replace(lane(name), thresholds=((0.0, 0.99),))
    )
    unit = replace(panel.settings.units[0], mode="control")
    assert make(panel, units=(unit, replace(unit, preprocessor="scribble", control="scribble"))[:units],
                words=("cat",)), panel.error.value  # fmt: skip


def test_maps_of_any_size_come_back(panel):
    noise = np.random.default_rng(0).integers(0, 255, (700, 700, 3), np.uint8)
    drawn = studio_carry.packed(Image.fromarray(noise))
    assert len(drawn) > 1_100_000
    shot = make(panel)
    with Image.open(io.BytesIO(shot.png)) as image:
        texts = PngInfo()
        for key, text in image.text.items():
            texts.add_text(key, drawn if key.startswith("course_utils map") else text)
        buffer = io.BytesIO()
        image.save(buffer, "PNG", pnginfo=texts)
    drop(panel, buffer.getvalue())
    assert not panel.error.value


@pytest.mark.parametrize("line", ["Steps: 20.5", "Steps: many", "Steps: 2, Seed: 1e999", "Steps: 2, CFG scale: x"])
def test_numbers_of_other_programs_are_named(panel, line):
    with pytest.raises(ValueError, match=r"'parameters' has (Steps|Seed|CFG scale): .* is not a"):
        studio_png.foreign(f"a cat\n{line}", panel.settings)
    assert studio_png.foreign("a cat\nSteps: 20.0", panel.settings)[0].num_inference_steps == 20


def test_a_preset_from_before_the_field_of_the_base_is_read(panel):
    found = panel.settings.facts()
    assert "base" not in panel.knobs and found.pop("base") == ""
    drop(panel, json.dumps(found | {"seed": 9}).encode(), "old.json")
    assert panel.settings.seed == 9 and not panel.error.value


def test_two_units_of_one_kind_are_two(panel):
    """One net serves both: each with its own map, strength, region and score."""
    first = panel.settings.units[0]
    second = replace(first, picture=PictureSource("scene", "a bench", 2), region=(MARK,), mode="control")
    shot = make(panel, units=(first, second))
    assert shot and len(shot.more) == 2, panel.error.value
    both = np.asarray(shot.image)
    assert not np.array_equal(both, np.asarray(make(panel, units=(first,)).image))
    drop(panel, shot.png)
    assert panel.settings == shot.settings and np.array_equal(np.asarray(make(panel).image), both)


@pytest.mark.parametrize("controls", [["scribble"], ["canny", "scribble"], ["scribble", "canny"]])
def test_controls_that_the_pipeline_was_not_loaded_with_are_refused(panel, controls):
    with pytest.raises(ValueError, match=f"controls are {', '.join(controls)}, and pipe has the ControlNets canny"):
        widgets.studio_panel(panel.pipe, controls=controls, **SMALL)


def test_a_control_net_of_ones_own_may_be_any(panel):
    pipe = catalog.load("controlnet", folder=env.ASSETS / "models/clay-control-scribble")
    assert widgets.studio_panel(pipe, controls=["canny"], **SMALL).settings.units[0].control == "canny"


def test_a_dolls_maps_steer_and_come_back(panel):
    knob = panel.knobs["units"].knobs[0]
    knob.source.kind.value = "doll"
    assert knob.preprocessor.value == "truth"
    doll = knob.source.doll
    doll.state = state = pose.state_of([pose.library()["wave"] | {"word": "man"}], 96 / 64)
    shot = make(panel)
    assert shot and knob.source.looks.images, panel.error.value
    (drawn,) = shot.settings.maps()
    made = clay.render(pose.scene_of(state), 64, 96)
    assert np.array_equal(np.asarray(drawn), np.asarray(controls.from_truth(made, "canny")))
    assert not np.isnan(shot.more[0][1]), "a doll's truth is known, so how far it is obeyed too"
    names = {}
    exec(shot.settings.code(), names)
    assert np.array_equal(np.asarray(names["image"]), np.asarray(shot.image))
    knob.source.kind.value = "scene"
    assert knob.preprocessor.value == "canny"
    drop(panel, shot.png)
    assert panel.settings == shot.settings
    doll.file = {"name": "crowd.json", "text": json.dumps(PEOPLE), "number": 1}
    assert "200" in doll.problem and panel.settings == shot.settings


def test_the_skeleton_of_a_doll_leaves_out_what_is_hidden():
    state = pose.state_of([{"hidden": ["nose"]}])
    unit = studio_settings.StudioUnit(PictureSource("doll", doll=json.dumps(state)), "truth", "openpose")
    names = {"controls": controls, "pose": pose, "clay": clay}
    exec(unit.code(64, 64, "clay"), names)
    assert np.array_equal(np.asarray(names["control"]), np.asarray(unit.map(64, 64, "clay")))


def upload(widget, image, name="mask.png"):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    widget.name, widget.data = name, buffer.getvalue()


def test_a_region_is_uploaded_or_refused_where_its_shape_is_another(panel):
    knob = panel.knobs["units"].knobs[0]
    for size, colour, word in (((96, 96), 255, "64 x 96"), ((96, 64), 0, "black everywhere")):
        upload(knob.mask, Image.new("L", size, colour))
        assert word in knob.mask_error.value and not knob.value.region_file
    left = Image.new("L", (192, 128))
    left.paste(255, (0, 0, 96, 128))
    upload(knob.mask, left)
    assert not knob.mask_error.value and knob.mask.name.startswith("mask")
    knob.region.strokes = [["mark", 20, [80, 40, 90, 50]]]
    shot = make(panel)
    mask = np.asarray(shot.settings.units[0].mask(64, 96)) > 127
    assert mask[:, :46].all() and mask[45, 85] and not mask[10, 60]
    names = {}
    exec(shot.settings.code(), names)
    assert np.array_equal(np.asarray(names["image"]), np.asarray(shot.image))
    knob.no_mask.click()
    assert not knob.value.region_file
    drop(panel, shot.png)
    assert panel.settings == shot.settings and knob.value.region_file


@pytest.mark.parametrize("resize", ["fit", "fill", "stretch"])
@pytest.mark.parametrize("preprocessor", ["canny", "none"])
def test_uploads_of_another_shape_are_cut_filled_or_pulled(panel, tmp_path, resize, preprocessor):
    picture = replace(noise(tmp_path / "tall.png", 120, 40), resize=resize)
    unit = replace(panel.settings.units[0], picture=picture, preprocessor=preprocessor)
    panel.knobs["units"].value = (unit,)
    assert panel.settings.units == (unit,)
    drawn, names = unit.map(64, 96, "clay"), {"controls": controls, "editing": studio_settings.editing}
    exec(unit.code(64, 96, "clay"), names)
    assert drawn.size == (96, 64) and np.array_equal(np.asarray(names["control"]), np.asarray(drawn))
    side = np.asarray(unit.picture.base(64, 96))[:, :10]
    assert (len(np.unique(side.reshape(-1, 3), axis=0)) == 1) is (resize == "fill")


@pytest.mark.parametrize("resize", ["fit", "fill", "stretch"])
def test_the_picture_that_a_run_starts_from_is_cut_filled_or_pulled(panel, resize):
    knob = panel.knobs["source"]
    tall = np.random.default_rng(0).integers(0, 255, (120, 40, 3), np.uint8)
    upload(knob.upload, Image.fromarray(tall), "tall.png")
    knob.resize.value = resize
    knob.pad.strokes = [list(MARK)]
    assert knob.value.kind == "file" and knob.resize.layout.display is None and not knob.error.value
    wanted = studio_settings.editing.fit(Image.fromarray(tall), 64, 96, resize)
    assert np.array_equal(np.asarray(knob.value.picture(64, 96)), np.asarray(wanted))
    off = replace(panel.settings.units[0], enabled=False)
    shot = make(panel, use_source=True, strength=0.5, units=(off,))
    assert shot, panel.error.value
    names = {}
    exec(shot.settings.code(), names)
    assert np.array_equal(np.asarray(names["image"]), np.asarray(shot.image))
    knob.resize.value = "fit" if resize == "stretch" else "stretch"
    drop(panel, shot.png)
    assert panel.settings.source.resize == resize and not panel.error.value
    assert np.array_equal(np.asarray(make(panel).image), np.asarray(shot.image))


def test_the_preprocessors_knobs_are_turned_kept_and_shown_in_the_call(panel):
    knob = panel.knobs["units"].knobs[0]
    assert [each.description for each in knob.tuning.children] == ["low", "high"] and not knob.value.knobs
    plain = knob.value.map(64, 96, "clay")
    knob.tuning.children[0].value = 5
    knob.tuning.children[1].value = 20
    assert knob.value.knobs == (("low", 5), ("high", 20)) and "low=5, high=20" in panel.settings.code()
    assert np.asarray(knob.value.map(64, 96, "clay")).sum() > np.asarray(plain).sum()
    turned = panel.settings
    drop(panel, studio_png.studio_png(Image.new("RGB", (96, 64)), turned))
    knob.control.value = "scribble"
    assert not knob.tuning.children and not knob.value.knobs
    drop(panel, studio_png.studio_png(Image.new("RGB", (96, 64)), turned))
    assert panel.settings == turned and not panel.error.value
    drop(panel, unit(panel, knobs=[["low", 900]]))
    assert "low" in panel.error.value and panel.settings == turned
