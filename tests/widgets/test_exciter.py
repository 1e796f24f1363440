"""The exciter's panel without a browser: words are chosen, the button is pressed, and what changed is looked at."""

import copy
import io

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import catalog, env, excite, widgets
from course_utils.widgets import exciter, running
from course_utils.widgets import training_view as curve
from tests.widgets.press import LONG, make

SMALL = {"num_inference_steps": 4, "height": 64, "width": 96}


@pytest.fixture(scope="module")
def pipe(tiny_assets):
    """A tiny base whose decoder shows what changes, and whose words tell places apart."""
    pipe = catalog.load("text2img", lane="clay", folder=tiny_assets / "models/clay-base")
    with torch.no_grad():
        for name, weight in pipe.unet.named_parameters():
            if ".attn2.to_q" in name or ".attn2.to_k" in name:
                weight.mul_(3)
    return pipe


@pytest.fixture
def panel(pipe, tmp_path):
    panel = widgets.exciter_panel(pipe, folder=tmp_path / "pictures", **SMALL)
    yield panel
    panel.runner.stop()
    assert panel.wait(LONG)


def pixels(picture):
    return np.asarray(picture)


def plain(pipe, settings):
    noise = torch.Generator().manual_seed(settings.seed)
    own = catalog.with_scheduler(copy.copy(pipe), settings.scheduler)
    return pixels(own(**settings.arguments(), generator=noise).images[0])


def test_words_follow_the_prompt(panel):
    words = panel.knobs["words"]
    assert [slot.description for slot in words.shown] == words._options == ["lion", "crown"]
    assert words.value == ("lion", "crown")
    words.shown[0].value = False
    panel.knobs["prompt"].value = "a red lion with a crown and a cat in the garden, a red clock"
    assert words._options == [2, "lion", "crown", "cat", "garden", 15, "clock"]
    assert words.value == ("crown", "cat", "clock"), "what was chosen stays, things come chosen"
    assert sum(slot.layout.display is None for slot in words._slots) == len(words.shown)
    panel.knobs["prompt"].value = ""
    assert words.shown == [] and words.value == ()
    with pytest.raises(ValueError, match=r"holds 'dog'; use any of \(\)"):
        words.value = ("dog",)


def test_a_click_makes_both_pictures_and_their_losses(panel, pipe):
    shot = make(panel, seed=5, scale_factor=20.0)
    settings = shot.settings
    assert np.array_equal(pixels(panel.comparison.plain), plain(pipe, settings)), "moves of length 0 change nothing"
    own = catalog.with_scheduler(copy.copy(pipe), settings.scheduler)
    with excite.exciting(own, settings.words, settings.config) as log:
        image = own(**settings.arguments(), generator=torch.Generator().manual_seed(5)).images[0]
    assert np.array_equal(pixels(shot.image), pixels(image))
    assert not np.array_equal(pixels(shot.image), pixels(panel.comparison.plain))
    assert panel.comparison.lines["with"] == [(step, move.loss) for step, move in enumerate(log.moves[0])]
    first, other = (panel.comparison.lines[side] for side in ("without", "with"))
    assert len(first) == len(other) == panel.comparison.pushed == 2 and first[0] == pytest.approx(other[0])
    assert Image.open(io.BytesIO(panel.curve.value)).size == (curve.WIDTH * curve.SCALE, curve.HEIGHT * curve.SCALE)


def test_the_curve_grows_while_it_runs(panel):
    seen = []
    panel.curve.observe(lambda change: seen.append({k: len(v) for k, v in panel.comparison.lines.items()}), "value")
    make(panel)
    assert [tuple(counts.values()) for counts in seen[:4]] == [(1, 0), (2, 0), (2, 1), (2, 2)]


def test_the_pipeline_is_left_as_it_was(panel, pipe):
    unet, processors, config = pipe.unet, pipe.unet.attn_processors, dict(pipe.config)
    make(panel)
    assert pipe.unet is unet and dict(pipe.config) == config and not unet._forward_pre_hooks
    assert all(unet.attn_processors[name] is kept for name, kept in processors.items())


def test_other_calls_go_on_undisturbed(panel, pipe, monkeypatch):
    """While the panel pushes its latents, a cell paints with the same weights."""
    expected, meanwhile, line_of = plain(pipe, panel.settings), [], exciter.line_of

    def paint_and_draw(moves):
        meanwhile.append(plain(pipe, panel.settings))
        return line_of(moves)

    monkeypatch.setattr(exciter, "line_of", paint_and_draw)
    own = running.own_model(pipe.unet)
    pairs = zip(own.parameters(), pipe.unet.parameters(), strict=True)
    assert own is not pipe.unet and all(mine is theirs for mine, theirs in pairs)
    assert make(panel) and len(meanwhile) == 4
    assert all(np.array_equal(picture, expected) for picture in meanwhile)


def test_no_word_is_an_error_beside_the_button(panel):
    assert make(panel, words=()) is None
    assert "No word is chosen" in panel.error.value and not panel.generate.disabled
    assert make(panel, words=("crown",)) and not panel.error.value


def test_restore_brings_both_pictures_back(panel):
    first = make(
        panel, prompt="a lion with a crown", words=("crown",), seed=1, scale_factor=30.0, refine=True, alter_share=0.75
    )
    seen, curve = panel.comparison, panel.curve.value
    second = make(panel, prompt="a cat and a dog", seed=2, smooth=False, refine=False)
    assert second.settings.words == ("cat", "dog") and panel.comparison is not seen
    panel.history.click(1)
    assert panel.settings == first.settings and panel.comparison is seen and panel.curve.value == curve
    again = make(panel)
    assert np.array_equal(pixels(again.image), pixels(first.image))


def test_the_shown_call_makes_the_same_picture(panel, pipe, tiny_assets):
    shot = make(panel, seed=3, scale_factor=30.0, refine=True, smooth=False, scheduler="euler")
    code = shot.settings.code()
    load = "catalog.load('text2img', lane='clay')"
    assert code.count(load) == 1 and "import catalog, excite" in code
    assert (
        "exciting(pipe, ['lion', 'crown'], excite.AttendExciteConfig(scale_factor=30.0, sharpness=10.0, sigma=0.0)):"
        in code
    )
    names = {"kept": copy.copy(pipe)}
    exec(code.replace(load, "kept"), names)
    assert np.array_equal(pixels(names["image"]), pixels(shot.image))


def test_the_png_holds_its_settings(panel):
    shot = make(panel, refine=True)
    assert widgets.from_png(io.BytesIO(shot.png), widgets.ExciterSettings) == shot.settings
    with pytest.raises(ValueError, match="kind 'exciter'"):
        widgets.from_png(io.BytesIO(shot.png))


def test_knobs_begin_at_the_lanes_and_keep_its_rest(panel, pipe, monkeypatch):
    assert panel.settings.config == excite.AttendExciteConfig.for_lane("clay")
    monkeypatch.setenv("COURSE_LANE", "sd15")
    assert widgets.exciter_panel(pipe, **SMALL).settings.lane == "clay", "the pipeline knows its lane"
    other = widgets.exciter_panel(pipe, env.start(lane="sd15"), **SMALL)
    assert other.settings.config == excite.AttendExciteConfig()
    other.knobs["alter_share"].value = 0.3
    assert other.settings.config.thresholds == ((0.0, 0.05), (0.2, 0.5))


def test_stop_leaves_out_the_rest(panel, pipe, monkeypatch):
    monkeypatch.setattr(exciter, "line_of", lambda moves: panel.stop.click() or [])
    panel.generate.click()
    assert panel.wait(LONG)
    assert "Stopped" in panel.stage.status.value and panel.shot is None and not panel.history.shots


def test_a_refined_step_has_several_points():
    moves = [excite.Move(step, 900, loss, {}, None) for step, loss in ((0, 0.5), (1, 0.4), (1, 0.3), (2, 0.2))]
    assert exciter.line_of(moves) == [(0, 0.5), (1, 0.4), (1.5, 0.3), (2, 0.2)]
    drawn, empty = (
        np.asarray(Image.open(io.BytesIO(curve.draw_curves({"without": line}, 3, "loss", "steps"))))
        for line in (exciter.line_of(moves), [])
    )
    assert drawn.std() > empty.std()


def test_impossible_arguments_are_refused(pipe):
    with pytest.raises(ValueError, match="holds 'dog'; use any of"):
        widgets.exciter_panel(pipe, words=("dog",), **SMALL)
    with pytest.raises(ValueError, match="height"):
        widgets.exciter_panel(pipe, height=250)
