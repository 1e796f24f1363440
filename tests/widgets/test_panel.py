"""The text2img panel without a browser: knobs are set, buttons pressed, and what changed is looked at."""

import base64
import dataclasses
import io
import json
import sys
import threading
import types

import accelerate
import numpy as np
import pytest
import torch
from ipywidgets import Widget
from ipywidgets.embed import dependency_state
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from course_utils import catalog, env, personalize, widgets
from course_utils.widgets import record, running
from tests.widgets.press import LONG, make


@pytest.fixture
def panel(pipe, tmp_path):
    panel = widgets.text2img_panel(pipe, prompt="a cat", folder=tmp_path / "pictures", num_inference_steps=3)
    yield panel
    panel.runner.stop()
    assert panel.wait(LONG)


def pixels(shot):
    return np.asarray(shot.image)


def slowly(pipe, step=None):
    """Hold the UNet in its `step`-th call until the returned event is set; the other one says it is there."""
    there, go, calls = threading.Event(), threading.Event(), []

    def hold(*_):
        calls.append(0)
        if len(calls) == step:
            there.set()
            go.wait(LONG)

    return pipe.unet.register_forward_pre_hook(hold), there, go


def test_a_click_makes_a_picture(panel):
    before = panel.stage.image.value
    shot = make(panel, prompt="a red clock", seed=5)
    assert panel.stage.image.value == shot.png != before and panel.stage.image.format == "png"
    assert (shot.settings.prompt, shot.settings.seed, shot.settings.num_inference_steps) == ("a red clock", 5, 3)
    assert shot.image.size == (256, 256)
    assert panel.history.shots == [shot] and not panel.error.value
    assert not panel.generate.disabled and panel.stop.disabled and not panel.stage.save.disabled


def test_the_click_returns_at_once_and_a_second_one_does_nothing(panel, pipe):
    hook, there, go = slowly(pipe, step=1)
    with hook:
        panel.generate.click()
        assert there.wait(LONG) and panel.generate.disabled and not panel.stop.disabled
        panel.generate.click()
        go.set()
        assert panel.wait(LONG)
    assert len(panel.history.shots) == 1


def stop_in(panel, pipe, step):
    """Press the button, and Stop while the step is under way."""
    hook, there, go = slowly(pipe, step)
    with hook:
        panel.generate.click()
        assert there.wait(LONG)
        panel.stop.click()
        go.set()
        assert panel.wait(LONG)


def test_stop_leaves_out_the_remaining_steps(panel, pipe):
    stop_in(panel, pipe, step=2)
    assert "Stopped" in panel.stage.status.value and panel.stage.progress.value == 1
    assert panel.shot is None and not panel.history.shots and panel.stage.save.disabled
    assert make(panel) is not None


def test_stop_in_the_last_step_keeps_the_picture(panel, pipe):
    stop_in(panel, pipe, step=3)
    assert panel.shot is not None


def test_an_error_is_said_beside_the_button(panel, pipe):
    def fail(*_):
        raise RuntimeError("the <model> is broken")

    with pipe.unet.register_forward_pre_hook(fail):
        assert make(panel) is None
    assert panel.error.value == "RuntimeError: the &lt;model&gt; is broken"
    assert isinstance(panel.problem, RuntimeError) and not panel.generate.disabled
    assert make(panel) and not panel.error.value and panel.problem is None


def test_full_memory_is_said_plainly(panel, pipe):
    def fail(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    with pipe.unet.register_forward_pre_hook(fail):
        make(panel)
    assert panel.error.value.startswith("The memory is full.")


def test_a_picture_that_would_be_black_is_an_error(panel, pipe):
    """As float16 gives where a value outgrows it."""
    with pipe.unet.register_forward_hook(lambda unet, arguments, output: (output[0] * float("nan"), *output[1:])):
        assert make(panel) is None
    assert panel.error.value.startswith("The picture holds numbers that are infinite or none at all")
    assert make(panel) and not panel.error.value


def test_restore_turns_the_knobs_back(panel):
    first = make(panel, prompt="a cat", seed=1, num_inference_steps=2, guidance_scale=3.0, scheduler="euler")
    second = make(
        panel,
        prompt="a dog",
        negative_prompt="red",
        seed=2,
        num_inference_steps=3,
        guidance_scale=5.0,
        scheduler="ddim",
    )
    assert panel.history.shots == [second, first]
    panel.history.click(1)
    assert panel.settings == first.settings and panel.shot == first
    assert panel.stage.image.value == first.png
    again = make(panel)
    assert np.array_equal(pixels(again), pixels(first)) and not np.array_equal(pixels(again), pixels(second))


def test_history_keeps_the_newest(panel):
    shots = [make(panel, seed=seed, num_inference_steps=1) for seed in range(10)]
    assert panel.history.shots == shots[:-9:-1]
    assert all(slot.layout.display is None for slot in panel.history.children)


def test_the_shown_call_makes_the_same_picture(panel, pipe, tiny_folder):
    shot = make(panel, prompt='a "red" bench\nand é', negative_prompt="blue", seed=3, scheduler="dpm++ 2m")
    code = shot.settings.code()
    load = "catalog.load('text2img', lane='clay')"
    assert code.count(load) == 1 and code in panel.code.value.replace("&#x27;", "'").replace("&quot;", '"')
    names = {}
    exec(code.replace(load, f"catalog.load('text2img', lane='clay', folder={str(tiny_folder)!r})"), names)
    assert np.array_equal(np.asarray(names["image"]), pixels(shot))


def test_the_pipeline_is_left_as_it_was(panel, pipe):
    scheduler, steps, config = pipe.scheduler, pipe.scheduler.num_inference_steps, dict(pipe.config)
    make(panel, scheduler="euler")
    assert pipe.scheduler is scheduler and "step" not in vars(scheduler)
    assert pipe.scheduler.num_inference_steps == steps and dict(pipe.config) == config


def test_the_png_holds_its_settings(panel):
    shot = make(panel, prompt="a cat with an é", seed=9)
    assert widgets.from_png(io.BytesIO(shot.png)) == shot.settings
    with Image.open(io.BytesIO(shot.png)) as image:
        assert image.text["Description"] == "a cat with an é" and "catalog.load" in image.text["Source"]
    assert panel.stage.download.name == "a-cat-with-an-9.png"
    assert panel.stage.download.of == panel.stage.image.model_id and not panel.stage.download.data, "it travels once"


OLD = {
    widgets.Settings: {},
    widgets.ControlSettings: {
        "units": [{"given": {"kind": "scene", "words": "a cat", "seed": 3, "file": "", "strokes": []},
                   "preprocessor": "canny", "control": "canny", "scale": 0.5, "start": 0.0, "end": 1.0}],
        "guess": True,
    },
    widgets.ExciterSettings: {"words": ["cat"], "scale": 2.5, "until": 0.3, "smooth": True, "refine": False},
}  # fmt: skip


@pytest.mark.parametrize("kind", OLD, ids=lambda kind: kind.kind)
def test_pictures_saved_with_old_names_are_read(kind):
    common = {"prompt": "a cat", "negative_prompt": "", "seed": 7, "steps": 12, "guidance": 4.5, "scheduler": "ddim"}
    common |= {"height": 64, "width": 96, "lane": "clay", "kind": kind.kind}
    texts, buffer = PngInfo(), io.BytesIO()
    texts.add_text("course_utils", json.dumps(common | OLD[kind]))
    Image.new("RGB", (96, 64)).save(buffer, "PNG", pnginfo=texts)
    settings = widgets.from_png(buffer, kind)
    assert (settings.seed, settings.num_inference_steps, settings.guidance_scale) == (7, 12, 4.5)
    if kind is widgets.ControlSettings:
        (unit,) = settings.units
        assert settings.guess_mode and unit.picture == widgets.PictureSource("scene", "a cat", 3) and unit.scale == 0.5
    if kind is widgets.ExciterSettings:
        assert (settings.words, settings.scale_factor, settings.alter_share) == (("cat",), 2.5, 0.3)
    saved = widgets.from_png(io.BytesIO(record.to_png(Image.open(buffer), settings)), kind)
    assert saved == settings and "guidance_scale=4.5" in settings.code()


def test_another_picture_is_refused():
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "PNG")
    with pytest.raises(ValueError, match="text2img"):
        widgets.from_png(plain)


def test_save_writes_whole_files_and_overwrites_none(panel):
    shot = make(panel, seed=4)
    panel.stage.save.click()
    panel.stage.save.click()
    assert sorted(file.name for file in panel.folder.iterdir()) == ["a-cat-4-2.png", "a-cat-4.png"]
    assert widgets.from_png(panel.folder / "a-cat-4.png") == shot.settings
    assert "Saved as" in panel.stage.status.value


def test_a_full_disk_loses_nothing(panel):
    resource = pytest.importorskip("resource")
    make(panel)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # no file may grow beyond 100 bytes
    try:
        panel.stage.save.click()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "The disk is full" in panel.error.value and "Nothing is lost" in panel.error.value
    assert not list(panel.folder.iterdir()) and panel.shot and panel.stage.download.name
    panel.stage.save.click()
    assert len(list(panel.folder.iterdir())) == 1 and not panel.error.value


def test_a_folder_that_cannot_be_used_is_named(panel):
    make(panel)
    panel.folder.write_text("a file in the folder's place")
    panel.stage.save.click()
    assert str(panel.folder) in panel.error.value and "cannot be used" in panel.error.value
    assert "cannot be written to" in record._reason(PermissionError(13, "denied"), panel.folder)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [("", "empty"), ("a zebra", "zebra"), ("cat " * 2500, "cut off"), ("a cat", "")],
)
def test_prompts_are_commented(panel, prompt, said):
    shot = make(panel, prompt=prompt, num_inference_steps=1)
    assert shot and (said in panel.notes.value if said else panel.notes.value == "")


def test_impossible_arguments_are_refused(pipe):
    for wrong in ({"height": 250}, {"num_inference_steps": -3}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            widgets.text2img_panel(pipe, **wrong)
    with pytest.raises(TypeError, match="step"):
        widgets.text2img_panel(pipe, step=3)


def test_not_square(pipe):
    panel = widgets.text2img_panel(pipe, height=128, width=192, num_inference_steps=2)
    assert make(panel).image.size == (192, 128)
    assert panel.picture().width > panel.picture().height


@pytest.mark.parametrize(
    ("argument", "value"), [("guidance_scale", 20), ("guidance_scale", 0), ("num_inference_steps", 0), ("seed", 2**40)]
)
def test_what_no_slider_can_stand_at_is_refused(pipe, argument, value):
    """Ipywidgets would take the nearest in silence."""
    runtime = env.start(seed=value, lane="clay") if argument == "seed" else None
    with pytest.raises(ValueError, match=f"{argument}={value}"):
        widgets.text2img_panel(pipe, runtime, **({} if runtime else {argument: value}))


@pytest.mark.parametrize(
    ("value", "says"), [("high", "must be a number"), (None, "must be a number"), (float("nan"), "not finite")]
)
def test_what_is_no_number_is_refused_by_the_same_words(pipe, value, says):
    with pytest.raises((TypeError, ValueError), match=f"guidance_scale={value!r}.*{says}"):
        widgets.text2img_panel(pipe, guidance_scale=value)


def test_every_slider_reaches_both_ends(pipe):
    """By the arithmetic of the sliders of ipywidgets 7 too."""
    from ipywidgets import FloatSlider, IntSlider

    def within(widget):
        yield widget
        for child in getattr(widget, "children", ()):
            yield from within(child)

    panels = [make_panel(pipe) for make_panel in (widgets.text2img_panel, widgets.exciter_panel, widgets.lora_panel)]
    panels.append(widgets.img2img_panel(pipe))
    sliders = [each for panel in panels for each in within(panel) if isinstance(each, FloatSlider | IntSlider)]
    assert len(sliders) > 12
    for slider in sliders:
        top = round((slider.max - slider.min) / slider.step) * slider.step + slider.min
        assert slider.max >= top > slider.max - slider.step / 2, slider.description


@pytest.mark.parametrize(("scheduler", "calls"), [("heun", 5), ("pndm", 4), ("ddim", 3), ("euler a", 3)])
def test_progress_counts_by_ones_and_ends_full(panel, scheduler, calls):
    seen, bar = [], panel.stage.progress
    bar.observe(lambda change: seen.append((change.new, bar.max)), "value")
    make(panel, scheduler=scheduler)
    *steps, (last, _) = seen  # the last is the finished picture's: 1 of 1
    assert steps == [(number, calls) for number in range(1, calls + 1)] and last == 1 == bar.value == bar.max


def test_a_handler_that_fails_says_so_beside_the_button(panel, monkeypatch):
    monkeypatch.setattr(catalog, "prompt_notes", lambda *_, **__: 1 / 0)
    panel.generate.click()
    assert "division by zero" in panel.error.value and not panel.generate.disabled
    assert isinstance(panel.problem, ZeroDivisionError)


def test_dice_throws_another_seed(panel):
    from ipywidgets import Button, HBox

    rows = panel.children[1].children[0].children
    buttons = (part for row in rows if isinstance(row, HBox) for part in row.children if isinstance(part, Button))
    (dice,) = (button for button in buttons if button.description == "⚄")
    thrown = []
    for _ in range(5):
        dice.click()
        thrown.append(panel.settings.seed)
    assert len(set(thrown)) > 1


def test_a_run_shares_only_what_no_call_changes(pipe):
    own = running.own_pipeline(pipe, "euler")
    assert own.unet is pipe.unet and own.vae is pipe.vae and own.text_encoder is pipe.text_encoder
    assert own.scheduler is not pipe.scheduler and own.tokenizer is not pipe.tokenizer
    assert pipe.config["scheduler"][1] == type(pipe.scheduler).__name__


def test_a_view_of_a_model_takes_turns_with_the_other_parts(tiny_folder):
    """On a small card; what accelerate hooks on must not be copied, for it leads to the other parts' weights."""
    pipe = catalog.load("text2img", lane="clay", folder=tiny_folder)
    _, before = accelerate.cpu_offload_with_hook(pipe.text_encoder, "cpu")
    accelerate.cpu_offload_with_hook(pipe.unet, "cpu", prev_module_hook=before)
    own = running.own_model(pipe.unet)
    assert own._hf_hook is pipe.unet._hf_hook and own._hf_hook.prev_module_hook is before
    passed = []
    own.conv_in.register_forward_hook(lambda *_: passed.append("own"))
    pipe.unet.conv_in.register_forward_hook(lambda *_: passed.append("shared"))
    latents, words = torch.zeros(1, 12, 4, 4), torch.zeros(1, 32, pipe.unet.config.cross_attention_dim)
    with torch.no_grad():
        assert torch.equal(own(latents, 1, words).sample, pipe.unet(latents, 1, words).sample)
    assert passed == ["own", "shared"]


def test_two_panels_on_one_pipeline_do_not_disturb_each_other(pipe):
    alone = [
        make(widgets.text2img_panel(pipe, num_inference_steps=4), seed=seed, scheduler="euler") for seed in (1, 2)
    ]
    both = [widgets.text2img_panel(pipe, num_inference_steps=4) for _ in (1, 2)]
    for seed, panel in enumerate(both, start=1):
        panel.knobs["seed"].value, panel.knobs["scheduler"].value = seed, "euler"
        panel.generate.click()
    assert all(panel.wait(LONG) for panel in both)
    for panel, shot in zip(both, alone, strict=True):
        assert np.allclose(pixels(panel.shot).astype(int), pixels(shot), atol=1)


def test_on_colab_nothing_is_sent_before_a_heartbeat(pipe, monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "a rehearsal")
    panel = widgets.text2img_panel(pipe, num_inference_steps=2)
    assert env.place() == "colab" and panel._heart.beating is False
    before = panel.stage.image.value
    panel.generate.click()
    assert panel._heart.beating and panel.generate.disabled
    assert panel.runner.wait(LONG)
    assert panel.stage.image.value == before and panel.generate.disabled
    panel._heart.beats += 1
    assert panel.stage.image.value == panel.shot.png and not panel.generate.disabled
    assert panel._heart.beating is False


MAKERS = [widgets.text2img_panel, widgets.explorer_panel, widgets.exciter_panel, widgets.lora_panel]


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_to_drive_is_colabs_and_copies_as_save_does(pipe, maker, tmp_path, monkeypatch):
    small = {"prompt": "a cat and a dog", "num_inference_steps": 1, "height": 64, "width": 64}
    assert maker(pipe, **small).stage.drive.layout.display == "none"
    monkeypatch.setenv("COLAB_RELEASE_TAG", "a rehearsal")
    asked = []
    colab = types.SimpleNamespace(drive=types.SimpleNamespace(mount=asked.append))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    panel = maker(pipe, folder=tmp_path / "pictures", **small)
    stage = panel.stage
    assert stage.drive.layout.display is None and stage.drive.disabled
    make(panel)
    assert not stage.drive.disabled
    monkeypatch.setattr(personalize.weights, "DRIVE", tmp_path / "drive")
    for _ in range(2):
        stage.drive.click()
    name = panel.shot.name
    assert asked == [str(tmp_path / "drive")] * 2 and not panel.folder.exists()
    kept = sorted((tmp_path / "drive/MyDrive/course_utils").iterdir())
    assert [file.name for file in kept] == [name.replace(".png", "-2.png"), name]
    assert kept[1].read_bytes() == panel.shot.png and "Saved as" in stage.status.value
    colab.drive.mount = lambda folder: (_ for _ in ()).throw(ValueError("mount failed"))
    stage.drive.click()
    assert "mount failed" in panel.error.value


@pytest.mark.parametrize("maker", MAKERS[:3], ids=lambda maker: maker.__name__)
def test_a_picture_travels_once(pipe, maker, monkeypatch):
    """Its PNG goes to the browser in one message, and stands once in what a notebook saves."""
    sent = []
    panel = maker(pipe, prompt="a cat and a dog", num_inference_steps=1, height=64, width=64)
    monkeypatch.setattr(Widget, "_send", lambda self, message, buffers=None: sent.append((message, buffers or [])))
    png = make(panel).png
    times = sum(bytes(buffer) == png for _, buffers in sent for buffer in buffers)
    assert times == 1 or not sent, "ipywidgets 7 sends nothing where there is no kernel"
    written = base64.b64encode(png).decode()
    assert not [message for message, _ in sent if written in repr(message)]
    assert json.dumps(dependency_state([panel], drop_defaults=False)).count(written) == 1


def test_the_newest_letter_counts():
    from ipywidgets import Label

    letters, label = running.Outbox(hold=True), Label("old")
    for value in "123":
        letters(label, value=value)
    assert label.value == "old"
    letters.flush()
    assert label.value == "3"


@pytest.mark.parametrize("scheduler", ["ddim", "euler", "heun", "dpm++ 2m", "lms"])
def test_preview_solves_for_x0(pipe, scheduler):
    """Whatever the scheduler: noise the known latents as it does, answer with the very noise, get the latents back."""
    own = running.own_pipeline(pipe, scheduler)
    own.scheduler.set_timesteps(10)
    watch = running.Preview(own)
    clean, noise = (torch.randn(1, 12, 4, 4, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    timestep = own.scheduler.timesteps[4]
    if hasattr(own.scheduler, "set_begin_index"):
        own.scheduler.set_begin_index(4)
    noisy = own.scheduler.add_noise(clean, noise, timestep[None])
    own.scheduler.step(noise, timestep, noisy)
    assert torch.allclose(watch.x0(), clean, atol=2e-2)  # Euler's steps lie between the whole ones


def test_previews_cost_a_share_of_the_time(pipe):
    own = running.own_pipeline(pipe, "ddim")
    own.scheduler.set_timesteps(10)
    watch = running.Preview(own, share=1e-6)
    assert watch.picture() is None
    latents = torch.zeros(1, 12, 16, 16)
    own.scheduler.step(latents, own.scheduler.timesteps[0], latents)
    assert watch.picture().size == (256, 256)
    assert watch.picture() is None, "too soon for another one"


def test_log_lines_stay_out_of_the_cells(panel, capfd):
    make(panel, prompt="cat " * 100, num_inference_steps=1)
    out, err = capfd.readouterr()
    assert "truncated" not in out + err and "it/s" not in err


def test_settings_are_plain_data(panel):
    settings = panel.settings
    assert dataclasses.replace(settings, seed=1) != settings
    catalog.check_call(settings.lane, **settings.arguments(), seed=settings.seed)
