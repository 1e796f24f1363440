"""The explorer without a browser: words are clicked, layers, heads and steps chosen, and what comes is looked at."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import attention, catalog, widgets
from course_utils.widgets import explorer as explorers

LONG = 120  # seconds, far more than a tiny picture takes
PROMPT = "a lion with a crown"
WORDS = ["start", "a", "lion", "with", "a", "crown", "end"]


@pytest.fixture
def panel(pipe, tmp_path):
    panel = widgets.explorer_panel(
        pipe, prompt=PROMPT, folder=tmp_path / "pictures", num_inference_steps=3, height=64, width=96
    )
    yield panel
    panel.runner.stop()
    assert panel.wait(LONG)


@pytest.fixture
def maps(pipe):
    """What a capture of the same call hears."""
    small = {"num_inference_steps": 3, "height": 64, "width": 96, "guidance_scale": 4.0}
    with attention.capture(pipe, None, heads=True, steps=True) as maps:
        pipe(PROMPT, generator=torch.Generator().manual_seed(0), **small)
    return maps


def make(panel, **knobs):
    for name, value in knobs.items():
        panel.knobs[name].value = value
    panel.generate.click()
    assert panel.wait(LONG) and not panel.error.value
    return panel.explorer


def click(explorer, **choice):
    """Choose as the browser does."""
    explorer.set_state(choice)


def shares(explorer):
    """What the browser reads: float32 [word, row, column]."""
    return np.frombuffer(explorer.heat, "<f4").reshape(len(explorer.words), *explorer.grid)


def of(maps, word, **choice):
    return maps.word(word, **choice).numpy()


def test_nothing_is_there_before_the_first_picture(panel):
    assert panel.explorer.heat == b"" and panel.explorer.words == [] and panel.explorer.value
    click(panel.explorer, step=1)
    assert panel.explorer.heat == b"" and panel.picture().height == 64


def test_a_picture_comes_with_the_maps_of_its_words(panel, maps):
    explorer = make(panel)
    assert explorer.words == WORDS and explorer.heads == maps.heads and explorer.steps == maps.timesteps
    assert explorer.layers == ["all layers", *(explorers.short(name) for name in maps.layers)]
    heat = shares(explorer)
    assert np.allclose(heat[2], of(maps, "lion"), atol=1e-5) and np.allclose(heat[5], of(maps, "crown"), atol=1e-5)
    assert np.allclose(heat.sum(0), 1, atol=1e-4), "a place pays out all it has"
    assert explorer.value == panel.shot.png and explorer.glow == b""


@pytest.mark.parametrize("knob", [{}, {"layer": 2}, {"head": 1}, {"step": 2}, {"layer": 1, "head": 0, "step": 0}])
def test_what_is_chosen_is_shown(panel, maps, knob):
    explorer = make(panel)
    click(explorer, **knob, word=2)
    asked = {name: value for name, value in knob.items() if name != "layer"}
    if "layer" in knob:
        asked["layer"] = maps.layers[knob["layer"] - 1]
    assert np.allclose(shares(explorer)[2], of(maps, "lion", **asked), atol=1e-5)
    glow = Image.open(io.BytesIO(explorer.glow))
    assert glow.size == (96, 64)
    assert np.abs(np.asarray(glow, int) - np.asarray(explorer.glowing(), int)).mean() < 4, "a JPEG of the glow"


def test_a_word_clicked_again_gives_the_picture_back(panel):
    explorer = make(panel)
    click(explorer, word=2)
    first = explorer.glow
    click(explorer, word=5)
    assert explorer.glow not in (b"", first)
    click(explorer, word=-1)
    assert explorer.glow == b""


def test_another_prompt_keeps_the_choice_where_it_can(panel):
    explorer = make(panel)
    click(explorer, word=5, step=2, layer=2)
    make(panel, prompt="a cat", num_inference_steps=2)
    assert explorer.words == ["start", "a", "cat", "end"] and (explorer.word, explorer.step, explorer.layer) == (
        3,
        1,
        2,
    )
    assert shares(explorer).shape[0] == 4 and explorer.glow


def test_restore_brings_the_maps_back(panel):
    explorer = make(panel)
    heat = explorer.heat
    make(panel, prompt="a cat")
    assert explorer.heat != heat
    panel.history.click(1)
    assert explorer.heat == heat and explorer.words == WORDS and explorer.value == panel.shot.png


def test_maps_are_forgotten_with_their_picture(panel):
    for seed in range(9):
        make(panel, seed=seed, num_inference_steps=1)
    assert len({id(shot.more) for shot in panel.history.shots}) == 8


def test_listening_changes_nothing_and_leaves_no_trace(panel, pipe):
    before = pipe.unet.attn_processors
    make(panel)
    plain = widgets.text2img_panel(pipe, prompt=PROMPT, num_inference_steps=3, height=64, width=96)
    plain.generate.click()
    assert plain.wait(LONG) and np.array_equal(np.asarray(plain.shot.image), np.asarray(panel.shot.image))
    assert pipe.unet.attn_processors == before and not pipe.unet._forward_hooks


def test_two_explorers_on_one_pipeline_do_not_disturb_each_other(pipe, tmp_path):
    small = {"folder": tmp_path, "num_inference_steps": 3, "height": 64, "width": 96}
    prompts = (PROMPT, "a cat and a dog")
    alone = [make(widgets.explorer_panel(pipe, prompt=prompt, **small)) for prompt in prompts]
    both = [widgets.explorer_panel(pipe, prompt=prompt, **small) for prompt in prompts]
    for panel in both:
        panel.generate.click()
    assert all(panel.wait(LONG) and not panel.error.value for panel in both)
    for panel, expected in zip(both, alone, strict=True):
        assert panel.explorer.words == expected.words and panel.explorer.steps == expected.steps
        assert np.allclose(shares(panel.explorer), shares(expected), atol=1e-5)


def test_other_calls_go_on_undisturbed(panel, pipe):
    """While the panel listens, a cell captures a call of its own: neither hears the other."""
    alone, passes, meanwhile = shares(make(panel)), [], []

    def call(*_):
        passes.append(0)
        if len(passes) == 2:
            with attention.capture(pipe, steps=True) as maps:
                pipe("a dog", num_inference_steps=2, height=64, width=96)
            meanwhile.append(maps)

    with pipe.unet.register_forward_pre_hook(call):
        again = shares(make(panel))
    (maps,) = meanwhile
    assert len(maps.timesteps) == 2 and np.array_equal(again, alone)


def test_a_stopped_run_shows_no_maps(panel, pipe):
    explorer = make(panel)

    def stop(*_):
        panel.stop.click()

    with pipe.unet.register_forward_pre_hook(stop):
        panel.generate.click()
        assert panel.wait(LONG)
    assert "Stopped" in panel.stage.status.value and explorer.heat == b"" and explorer.words == []


def test_a_scheduler_that_looks_twice_a_step(panel):
    explorer = make(panel, scheduler="heun")
    assert len(explorer.steps) == 5 and shares(explorer).shape == (7, 4, 6)


def test_fine_layers_are_left_out(pipe, monkeypatch, tmp_path):
    monkeypatch.setattr(explorers, "FINEST", 8)
    panel = widgets.explorer_panel(pipe, prompt=PROMPT, folder=tmp_path, num_inference_steps=1)
    assert make(panel).grid == [8, 8]


def test_on_colab_a_choice_is_answered_at_once(pipe, monkeypatch, tmp_path):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "a rehearsal")
    panel = widgets.explorer_panel(pipe, prompt=PROMPT, folder=tmp_path, num_inference_steps=2)
    panel.generate.click()
    assert panel.runner.wait(LONG) and panel.explorer.heat == b"", "from the run's thread nothing arrives"
    panel._heart.beats += 1
    assert panel.explorer.words == WORDS
    click(panel.explorer, word=2)
    assert panel.explorer.glow


def test_the_browser_s_half_is_whole():
    """Nothing is fetched from elsewhere, and both halves speak of the same traits."""
    script = str(widgets.Explorer._esm)
    assert "http" not in script and not re.search(r"\bimport\b", script)
    names = set(re.findall(r"model\.(?:get|set)\(\"(\w+)\"", script)) | set(re.findall(r"tell\(\"(\w+)\"", script))
    for listed in re.findall(r"for \(const name of \[([^\]]*)\]\) model", script):
        names |= set(re.findall(r"\"(\w+)\"", listed))
    assert names == set(widgets.Explorer.class_trait_names(sync=True)) - set(anywidget_traits())


def anywidget_traits():
    import anywidget

    return anywidget.AnyWidget.class_trait_names(sync=True) + ["_anywidget_id", "_esm", "_css"]


def test_impossible_arguments_are_refused(pipe):
    with pytest.raises(ValueError, match="height"):
        widgets.explorer_panel(pipe, height=250)
    with pytest.raises(TypeError, match="step"):
        widgets.explorer_panel(pipe, step=3)


def test_it_is_loaded_with_the_catalogue_s_defaults(pipe):
    assert widgets.explorer_panel(pipe).settings.num_inference_steps == catalog.defaults("clay")["num_inference_steps"]
