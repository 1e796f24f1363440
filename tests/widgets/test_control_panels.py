"""The panels of lessons 02-05 without a browser: pictures are given, buttons pressed, what changed is looked at."""

import dataclasses
import io
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import catalog, clay, controls, editing, env, widgets
from course_utils.widgets import record, units
from course_utils.widgets.img2img import estimate
from course_utils.widgets.pictures import PictureSource
from tests.widgets.press import LONG, make

SMALL = {"num_inference_steps": 2, "height": 64, "width": 96}
LINE = ["#ffffff", 4, [10, 20, 60, 20, 60, 50]]
MARK = ["mark", 20, [60, 30, 80, 40]]


@pytest.fixture(autouse=True)
def assets(tiny_assets, monkeypatch):
    """A tiny family in place of what ships."""
    monkeypatch.setattr(env, "ASSETS", tiny_assets)
    catalog.release()
    yield tiny_assets
    catalog.release()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the notebook runs: the shown call names files from here."""
    monkeypatch.chdir(tmp_path)
    return "pictures"


@pytest.fixture
def img2img(folder):
    return widgets.img2img_panel(catalog.load("img2img"), picture="a clock", folder=folder, **SMALL)


@pytest.fixture
def depth2img(folder):
    return widgets.depth2img_panel(catalog.load("depth2img"), picture="a clock", folder=folder, **SMALL)


@pytest.fixture
def controlnet(folder):
    pipe = catalog.load("controlnet", control="canny")
    return widgets.controlnet_panel(pipe, picture="a clock", folder=folder, **SMALL)


@pytest.fixture
def multi(folder):
    names = ["canny", "scribble"]
    pipe = catalog.load("controlnet", control=names)
    return widgets.multi_controlnet_panel(pipe, controls=names, picture="a clock", folder=folder, **SMALL)


def pixels(shot):
    return np.asarray(shot.image)


def source(panel):
    """The panel's first picture."""
    return panel.knobs["image"] if "image" in panel.knobs else panel.knobs["units"].knobs[0].source


def upload(panel, data, name="a photo.png"):
    source(panel).upload.set_state({"data": data, "name": name})


def png(height=64, width=96, seed=0):
    buffer = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


def draw(panel, *strokes):
    """Draw on the panel's first pad."""
    if source(panel).mode == "scribble":
        source(panel).kind.value = "paper"
    source(panel).pad.strokes = list(strokes)


def scene(panel):
    pass


def paint_and_mark(panel):
    draw(panel, ["#ff0000", 8, [10, 20, 60, 20]], MARK)


def uploaded(panel):
    upload(panel, png())


def true_depth(panel):
    panel.knobs["depth"].value = "true"


def true_edges(panel):
    panel.knobs["units"].knobs[0].preprocessor.value = "truth"


def scribble(panel):
    draw(panel, LINE)


def three_units(panel):
    panel.knobs["units"].add.click()
    panel.knobs["units"].knobs[2].scale.value = 0.4
    panel.knobs["units"].knobs[2].span.value = (0.0, 0.5)
    draw(panel, LINE)


@pytest.mark.parametrize(
    ("name", "prepare"),
    [
        ("img2img", scene),
        ("img2img", paint_and_mark),
        ("img2img", uploaded),
        ("depth2img", scene),
        ("depth2img", true_depth),
        ("controlnet", scene),
        ("controlnet", true_edges),
        ("controlnet", scribble),
        ("multi", three_units),
    ],
    ids=lambda part: getattr(part, "__name__", part),
)
def test_a_picture_and_all_that_is_needed_to_make_it_again(name, prepare, request):
    """The shown call, the PNG and the history each bring the same picture back."""
    panel = request.getfixturevalue(name)
    prepare(panel)
    shot = make(panel, seed=5, prompt="a red clock")
    assert shot and not panel.error.value and shot.image.size == (96, 64)
    names = {}
    exec(shot.settings.code(), names)
    assert np.array_equal(np.asarray(names["image"]), pixels(shot)), "the shown call"
    settings = widgets.from_png(io.BytesIO(shot.png), type(shot.settings))
    assert settings == record.without_paths(shot.settings), "the settings in the PNG"
    upload(panel, png(seed=9))
    make(panel, seed=6)
    panel.history.click(panel.history.shots.index(shot))
    assert panel.settings == shot.settings, "the knobs turned back"
    assert np.array_equal(pixels(make(panel)), pixels(shot)), "the same picture again"


@pytest.mark.parametrize("name", ["img2img", "depth2img", "controlnet", "multi"])
def test_a_png_tells_no_path(name, request, tmp_path):
    panel = request.getfixturevalue(name)
    home = tmp_path / "home of jane"
    home.mkdir()
    (home / "face.png").write_bytes(png())
    source(panel).value = widgets.PictureSource("file", file=(home / "face.png").as_posix())
    shot = make(panel)
    texts = shot_texts(shot)
    assert "jane" in shot.settings.code() and not any("jane" in text for text in texts.values())
    assert "'face.png'" in texts["Source"] and '"face.png"' in texts["course_utils"]


def shot_texts(shot):
    with Image.open(io.BytesIO(shot.png)) as image:
        return dict(image.text)


@pytest.mark.parametrize("name", ["img2img", "depth2img", "controlnet", "multi"])
def test_the_picture_given_matters(name, request):
    panel = request.getfixturevalue(name)
    first = make(panel)
    source(panel).words.value = "a lion"
    assert not np.array_equal(pixels(make(panel)), pixels(first))


# Image to image


def test_the_mask_keeps_the_rest(img2img):
    whole = make(img2img, strength=1.0)
    draw(img2img, MARK)
    masked = make(img2img)
    kept = np.asarray(_trip(img2img.pipe, source(img2img).value.picture(64, 96))).astype(int)
    left, right = slice(0, 32), slice(48, 96)  # the mark lies right; the decoder blends what lies between

    def off(shot, columns):
        return np.abs(pixels(shot) - kept)[:, columns].mean()

    assert off(masked, left) < 0.2 * off(whole, left) and off(masked, right) > 0.5 * off(whole, right)


def _trip(pipe, picture):
    """Send a picture through the autoencoder."""
    latents = editing.encode(pipe, picture)
    decoded = pipe.vae.decode(latents / pipe.vae.config.scaling_factor, return_dict=False)[0].detach()
    return pipe.image_processor.postprocess(decoded, output_type="pil")[0]


def test_a_mask_that_was_erased_again_is_none(img2img):
    whole = make(img2img)
    draw(img2img, MARK, ["erase", 60, MARK[2]])
    erased = make(img2img)
    assert np.array_equal(pixels(erased), pixels(whole)) and "mask" not in erased.settings.code()


def test_strength_that_leaves_no_step_is_said(img2img):
    assert make(img2img, strength=0.05) is None
    assert "strength=0.05 of num_inference_steps=2 leaves no step" in img2img.error.value


def test_the_pad_shows_the_picture(img2img):
    below = Image.open(io.BytesIO(source(img2img).pad.underlay))
    assert np.abs(np.asarray(below, int) - np.asarray(source(img2img).value.picture(64, 96), int)).mean() < 4
    before = source(img2img).pad.underlay
    source(img2img).words.value = "a lion"
    assert source(img2img).pad.underlay != before


# Depth to image


def test_both_depths_stand_side_by_side(depth2img):
    depth2img.preview.click()
    assert depth2img.wait(LONG)
    looks = source(depth2img).looks.images
    assert set(looks) == {"picture", "estimated", "true"} and depth2img.shot is None
    made = clay.render(clay.scene(0, words="a clock"), 64, 96)
    assert np.array_equal(np.asarray(looks["true"]), np.asarray(controls.from_truth(made, "depth")))
    upload(depth2img, png())
    assert set(looks) == {"picture"}, "they were of another picture"
    make(depth2img)
    assert set(looks) == {"picture", "estimated"}


def test_the_true_depth_of_a_photograph_is_not_known(depth2img):
    upload(depth2img, png())
    assert make(depth2img, depth="true") is None
    assert "Only a clay scene has a known truth" in depth2img.error.value


def test_depth_moves_the_picture(depth2img):
    estimated, true = make(depth2img, depth="estimated"), make(depth2img, depth="true")
    assert not np.array_equal(pixels(estimated), pixels(true))


def test_depth_is_estimated_by_a_network_that_was_put_aside_to_save_memory(depth2img):
    from accelerate import cpu_offload

    pipe, picture = depth2img.pipe, source(depth2img).value.picture(64, 96)
    there = estimate(pipe, picture)
    for part in (pipe.depth_estimator, pipe.text_encoder, pipe.unet, pipe.vae):
        cpu_offload(part, execution_device=torch.device("cpu"))
    assert pipe.depth_estimator.device.type == "meta"
    assert np.array_equal(np.asarray(estimate(pipe, picture)), np.asarray(there))


@pytest.mark.parametrize("name", ["img2img", "depth2img", "controlnet"])
def test_stop(name, request):
    """Depth2Img has no `interrupt`; the way out is the same for all."""
    panel = request.getfixturevalue(name)
    panel.knobs["num_inference_steps"].value = 4
    there, go = threading.Event(), threading.Event()

    def hold(*_):
        there.set()
        go.wait(LONG)

    with panel.pipe.unet.register_forward_pre_hook(hold):
        panel.generate.click()
        assert there.wait(LONG) and panel.preview.disabled
        panel.stop.click()
        go.set()
        assert panel.wait(LONG)
    assert "Stopped" in panel.stage.status.value and panel.shot is None and not panel.error.value
    assert make(panel)


# ControlNet


def unit(panel, number=0):
    return panel.knobs["units"].knobs[number]


def test_preview_shows_the_map_and_paints_nothing(controlnet):
    controlnet.preview.click()
    assert controlnet.wait(LONG)
    shown = unit(controlnet).source.looks.images["control map"]
    made = clay.render(clay.scene(0, words="a clock"), 64, 96)
    assert np.array_equal(np.asarray(shown), np.asarray(controls.canny(made.image)))
    assert controlnet.shot is None and not controlnet.history.shots and not controlnet.preview.disabled
    unit(controlnet).source.seed.value = 3
    assert "control map" not in unit(controlnet).source.looks.images, "it was the map of another scene"


def test_a_map_that_preview_made_is_not_made_again(controlnet, monkeypatch):
    made, make_map = [], controls.make
    monkeypatch.setattr(controls, "make", lambda *how, **more: made.append(how) or make_map(*how, **more))
    source(controlnet).seed.value = 11
    controlnet.preview.click()
    assert controlnet.wait(LONG) and len(made) == 1
    assert make(controlnet) and make(controlnet, seed=3) and len(made) == 1
    source(controlnet).seed.value = 12
    assert make(controlnet) and len(made) == 2


def test_a_file_that_changed_is_read_again(controlnet, tmp_path):
    upload(controlnet, png(seed=1))
    first = controlnet.settings.arguments()["image"]
    (file,) = (tmp_path / "pictures/inputs").iterdir()
    file.write_bytes(png(seed=2))
    assert not np.array_equal(np.asarray(controlnet.settings.arguments()["image"]), np.asarray(first))


def test_the_same_file_can_be_chosen_again(controlnet):
    data = png(seed=4)
    for _ in range(2):
        upload(controlnet, data)
        assert source(controlnet).kind.value == "file"
        source(controlnet).kind.value = "scene"


def test_another_model_is_loaded_when_it_is_chosen(controlnet):
    first = make(controlnet)
    unit(controlnet).control.value = "scribble"
    assert unit(controlnet).preprocessor.value == "scribble", "preprocessor and model are a pair"
    second = make(controlnet)
    assert "control='scribble'" in second.settings.code()
    unit(controlnet).preprocessor.value = "canny"
    unit(controlnet).control.value = "canny"
    assert np.array_equal(pixels(make(controlnet)), pixels(first))


def test_a_model_that_is_not_there_is_named(controlnet):
    unit(controlnet).control.value = "mlsd"
    assert make(controlnet) is None
    assert "clay-control-mlsd" in controlnet.error.value


def test_the_validator_speaks_below_the_map(controlnet):
    assert make(controlnet) and not unit(controlnet).notes.value
    unit(controlnet).preprocessor.value = "none"
    assert make(controlnet), "a warning stops nobody"
    assert "photograph" in unit(controlnet).notes.value and unit(controlnet).notes.layout.display is None


def test_an_empty_pad_is_said(controlnet):
    source(controlnet).kind.value = "paper"
    assert unit(controlnet).preprocessor.value == "none"
    assert make(controlnet) is None and "The pad is empty" in controlnet.error.value
    source(controlnet).kind.value = "scene"
    assert unit(controlnet).preprocessor.value == "canny"


def test_scale_span_and_guess_reach_the_pipeline(controlnet):
    full = make(controlnet)
    unit(controlnet).scale.value, unit(controlnet).span.value = 0.5, (0.0, 0.5)
    arguments = make(controlnet, guess_mode=True).settings.arguments()
    assert arguments["controlnet_conditioning_scale"] == 0.5 and arguments["guess_mode"] is True
    assert (arguments["control_guidance_start"], arguments["control_guidance_end"]) == (0.0, 0.5)
    assert not np.array_equal(pixels(controlnet.shot), pixels(full))
    unit(controlnet).scale.value = 0.0
    plain = catalog.load("text2img", folder=env.ASSETS / "models/clay-base")
    alone = widgets.text2img_panel(plain, prompt=controlnet.settings.prompt, **SMALL)
    assert np.array_equal(pixels(make(controlnet, guess_mode=False)), pixels(make(alone))), "scale 0 is no control"


# Multi-ControlNet


def test_units_come_and_go(multi):
    units = multi.knobs["units"]
    assert [unit.control for unit in units.value] == ["canny", "scribble"]
    assert list(units.choice.options) == ["1 · canny", "2 · scribble"]
    for _ in range(2):
        units.add.click()
    assert len(units.value) == 4 and units.add.disabled and units.choice.index == 3
    units.choice.index = 0
    units.remove.click()
    assert [unit.control for unit in units.value] == ["scribble", "canny", "canny"]
    units.knobs[0].control.value = "canny"
    assert units.choice.options[0] == "1 · canny"
    assert [knob.layout.display for knob in units.knobs] == [None, "none", "none"], "one is on show"
    for _ in range(2):
        units.remove.click()
    assert units.remove.disabled and "image=control," in make(multi).settings.code()


def test_each_unit_counts(multi):
    both = make(multi)
    assert both.settings.arguments()["controlnet_conditioning_scale"] == [1.0, 1.0]
    unit(multi, 1).scale.value = 0.0
    first = make(multi)
    multi.knobs["units"].choice.index = 1
    multi.knobs["units"].remove.click()
    assert np.array_equal(pixels(make(multi)), pixels(first)), "weights (1, 0) are the first alone"
    assert not np.array_equal(pixels(first), pixels(both))


# Uploads


def test_a_large_map_of_classes_that_is_uploaded_keeps_its_colours(controlnet):
    made = clay.render(clay.scene(0, words="a man and a red bench"), 128, 192)
    drawn, buffer = controls.from_truth(made, "seg"), io.BytesIO()
    drawn.save(buffer, "PNG")
    upload(controlnet, buffer.getvalue())
    knob = unit(controlnet)
    knob.control.value, knob.preprocessor.value = "seg", "none"
    used = knob.value.map(64, 96, "clay")
    colours = [{tuple(colour) for colour in np.asarray(each).reshape(-1, 3)} for each in (drawn, used)]
    assert used.size == (96, 64) and colours[1] <= colours[0] and not controls.problems(used, "seg", 64, 96)


def test_an_eighth_kind_of_control_is_in_the_lists(monkeypatch, tmp_path):
    monkeypatch.setitem(catalog.CHECKPOINTS["clay"], "control toy", catalog.checkpoint("control canny", "clay"))
    monkeypatch.setitem(controls.KINDS, "toy", dataclasses.replace(controls.KINDS["canny"], name="toy"))
    knob = units.UnitKnob(units.unit(PictureSource("scene", words="a cat"), "toy"), 64, 96, tmp_path, "clay")
    assert knob.control.value == "toy" and "toy" in dict(knob.preprocessor.options)


def test_an_upload_is_kept_once_and_small(controlnet, tmp_path):
    upload(controlnet, png(height=700, width=900), "My Photo (1).png")
    given = source(controlnet).value
    assert given.kind == "file" and given.picture(64, 96).size == (96, 64)
    upload(controlnet, png())
    upload(controlnet, png(height=700, width=900), "My Photo (1).png")
    names = sorted(path.name for path in (tmp_path / "pictures/inputs").iterdir())
    assert len(names) == 2 and names[1].startswith("my-photo-1-") and source(controlnet).value == given
    assert not source(controlnet).error.value and source(controlnet).error.layout.display == "none"


@pytest.mark.parametrize(("data", "said"), [(b"nothing of a picture", "is no picture"), (png()[:2000], "is broken")])
def test_a_broken_upload_is_said_beside_the_button(controlnet, data, said):
    upload(controlnet, data, "photo.png")
    assert "photo.png" in source(controlnet).error.value and said in source(controlnet).error.value
    assert source(controlnet).error.layout.display is None and not source(controlnet).upload.name
    upload(controlnet, png(), "photo.png")
    assert source(controlnet).kind.value == "file" and not source(controlnet).error.value


def test_what_the_browser_could_not_read_is_said(controlnet):
    source(controlnet).upload.set_state({"problem": "<a> is not a picture"})
    assert source(controlnet).error.value == "&lt;a&gt; is not a picture"


def test_without_an_upload_there_is_no_picture(controlnet):
    source(controlnet).kind.value = "file"
    assert not source(controlnet).error.value, "nothing is wrong yet"
    assert make(controlnet) is None and "no picture yet" in controlnet.error.value


def test_a_folder_that_cannot_be_used_is_named(controlnet, tmp_path):
    (tmp_path / "pictures").write_text("a file in the folder's place")
    upload(controlnet, png())
    assert "pictures" in source(controlnet).error.value and "cannot be used" in source(controlnet).error.value


def test_words_that_name_nothing(controlnet):
    source(controlnet).words.value = "wxyz"
    assert "wxyz" in source(controlnet).error.value
    assert make(controlnet) is None and "wxyz" in controlnet.error.value
    source(controlnet).words.value = ""
    assert make(controlnet), "without words the seed chooses"


def test_a_file_of_one_s_own(folder, tmp_path):
    (tmp_path / "mine.png").write_bytes(png(height=300, width=300))
    pipe = catalog.load("img2img")
    panel = widgets.img2img_panel(pipe, picture=tmp_path / "mine.png", folder=folder, **SMALL)
    assert panel.settings.image.file.endswith("mine.png") and make(panel).image.size == (96, 64)


# Around them


def test_on_colab_maps_wait_for_the_heartbeat(folder, monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "a rehearsal")
    pipe = catalog.load("controlnet", control="canny")
    panel = widgets.controlnet_panel(pipe, picture="a clock and a cat", folder=folder, **SMALL)
    slot = unit(panel).source.looks.slots["control map"].children[0]
    before = slot.value
    go, make_map = threading.Event(), units.controls.make
    monkeypatch.setattr(units.controls, "make", lambda *given: go.wait(LONG) and make_map(*given))
    panel.preview.click()  # what is made before the click is answered would go out with the answer
    go.set()
    assert panel.runner.wait(LONG) and slot.value == before
    panel._heart.beats += 1
    assert slot.value != before


def test_several_maps_may_begin_from_the_truth(folder):
    names = ["canny", "scribble"]
    panel = widgets.multi_controlnet_panel(
        catalog.load("controlnet", control=names), controls=names, folder=folder, preprocessor="truth", **SMALL
    )
    assert [unit.preprocessor for unit in panel.knobs["units"].value] == ["truth", "truth"]


def test_impossible_arguments_are_refused(folder):
    pipe = catalog.load("controlnet", control="canny")
    with pytest.raises(ValueError, match="control='edges' is no control"):
        widgets.controlnet_panel(pipe, control="edges")
    with pytest.raises(ValueError, match="controls are scribble, and pipe has the ControlNets canny"):
        widgets.controlnet_panel(pipe, control="scribble")
    with pytest.raises(ValueError, match="controls are canny, scribble, and pipe has the ControlNets canny"):
        widgets.multi_controlnet_panel(pipe, controls=["canny", "scribble"])
    with pytest.raises(ValueError, match="pipe has no ControlNet"):
        widgets.controlnet_panel(catalog.load("text2img"))
    with pytest.raises(ValueError, match="height=250"):
        widgets.controlnet_panel(pipe, height=250)
    with pytest.raises(TypeError, match="step"):
        widgets.img2img_panel(pipe, step=3)
    for strength in (1.5, -1, 0):
        with pytest.raises(ValueError, match=f"strength={strength}"):
            widgets.img2img_panel(pipe, strength=strength)
    with pytest.raises(ValueError, match="seed=-1"):
        widgets.img2img_panel(pipe, picture=widgets.PictureSource("scene", "a cat", seed=-1))


def test_given_is_plain_data():
    given = PictureSource("scene", "a cat", 3, strokes=(("mark", 3, (1, 2)),))
    assert given.marked(64, 96) and PictureSource.of(dataclasses.asdict(given)) == given
    assert hash(given) == hash(PictureSource.of(dataclasses.asdict(given)))
