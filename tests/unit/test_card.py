"""What fits on a card is known before anything is read, and what came out of it is a picture or an error."""

import gc
from types import SimpleNamespace

import pytest
import torch

from course_utils import catalog, env, personalize
from course_utils.catalog import finite, loading
from course_utils.widgets import parts
from tests.tiny import models
from tests.tiny.learning import check_memory

CARDS = {16: 14.6, 8: 7.4, 4: 3.6, 2: 1.8}  # GiB: what is printed on a card, what is free on it


@pytest.fixture
def card(monkeypatch):
    """Pretend a card of so many GiB, and forbid to read or download."""

    def pretend(size):
        monkeypatch.setattr(env, "choose_device", lambda lane: "cuda")
        monkeypatch.setattr(env, "free_memory", lambda device: CARDS[size] * env.GIB)
        monkeypatch.setattr(loading, "_source", lambda entry: pytest.fail("it was read"))

    catalog.release()
    gc.collect()
    return pretend


class Read(Exception):
    """The room was thought enough: reading begins."""


@pytest.mark.parametrize(
    ("size", "kind", "controls", "fits"),
    [
        (16, "controlnet", catalog.CONTROLS, True),
        (16, "depth2img", None, True),
        (8, "text2img", None, True),
        (8, "controlnet", ["canny", "depth"], True),
        (8, "controlnet", catalog.CONTROLS, True),
        (4, "text2img", None, True),
        (4, "controlnet", ["canny", "depth", "seg"], False),
        (2, "img2img", None, False),
    ],
)
def test_what_no_card_can_hold_is_refused_before_anything_is_read(card, monkeypatch, size, kind, controls, fits):
    card(size)
    if fits:

        def read(entry):
            raise Read

        monkeypatch.setattr(loading, "_source", read)
        with pytest.raises(Read):
            catalog.load(kind, "sd15", controls)
        return
    with pytest.raises(MemoryError, match=rf"kind='{kind}'.* GB on the card.*{CARDS[size]} GB are free.*COURSE_LANE"):
        catalog.load(kind, "sd15", controls)


def test_fewer_controls_are_advised_where_there_are_several(card):
    card(4)
    with pytest.raises(MemoryError, match="with 7 controls needs 7.2 GB .* Use fewer controls at once"):
        catalog.load("controlnet", "sd15", catalog.CONTROLS)


def test_the_clay_lane_asks_for_no_card(card, monkeypatch):
    card(2)
    loading._check_room("text2img", "clay", 0)
    monkeypatch.setattr(env, "choose_device", lambda lane: "cpu")
    loading._check_room("text2img", "sd15", 0)


@pytest.mark.parametrize(
    ("size", "controls", "whole"),
    [(16, 0, True), (16, 7, True), (8, 0, True), (8, 2, True), (8, 4, False), (4, 0, False)],
)
def test_a_pipeline_is_whole_on_the_card_where_there_is_room(card, monkeypatch, capsys, size, controls, whole):
    card(size)
    calls = []
    pipe = SimpleNamespace(
        to=calls.append,
        enable_model_cpu_offload=lambda: calls.append("turns"),
        vae=SimpleNamespace(enable_slicing=int),
    )
    monkeypatch.setattr(loading, "weights_gb", lambda pipe, elsewhere_than: 2.55 + controls * loading.CONTROL_GB)
    loading._place(pipe, "sd15")
    assert calls == (["cuda"] if whole else ["turns"])
    assert ("take turns there" in capsys.readouterr().out) is not whole


# Training


def sd15_pipe():
    return SimpleNamespace(unet=personalize.sd15_unet(), vae_scale_factor=8, components={})


@pytest.mark.parametrize("size", [16, 8])
def test_a_lora_fits_beside_the_pipeline(size):
    beside = CARDS[size] - 2.55  # the pipeline's weights
    check_memory(sd15_pipe(), personalize.preset("lora", "sd15"), beside)


def test_dreambooth_of_stable_diffusion_is_refused_on_a_t4():
    thrifty = personalize.DreamBoothConfig(
        400, 2e-6, ema_steps=0, height=512, width=512, train_batch_size=1, gradient_checkpointing=True
    )
    with pytest.raises(MemoryError, match="a LoRA in place of DreamBooth"):
        check_memory(sd15_pipe(), thrifty, CARDS[16] - 2.55)


def test_dreambooth_has_no_preset_on_sd15_and_says_why():
    with pytest.raises(ValueError, match="'dreambooth' has no preset.*13 GB beside.*use one of 'lora', 'few_step'"):
        personalize.preset("dreambooth", "sd15")
    assert personalize.preset("dreambooth", "clay").prior_loss_weight


def test_the_command_refuses_it_before_it_loads_anything(card, tmp_path):
    from course_utils.personalize import __main__ as command

    card(16)
    with pytest.raises(ValueError, match="has no preset for Stable Diffusion 1.5"):
        command.main(["dreambooth", str(tmp_path), "sks robot", str(tmp_path / "o.safetensors"), "--lane", "sd15"])


# Numbers that overflow


@pytest.fixture
def pipe(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_LANE", "sd15")
    entry = catalog.checkpoint("base", "sd15")
    models.build_sd15_hub(tmp_path, entry.id, entry.revision)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    catalog.release()
    yield catalog.load("text2img", "sd15")
    catalog.release()


SMALL = {"num_inference_steps": 2, "height": 64, "width": 64}


def test_numbers_that_overflow_are_an_error_and_no_black_picture(pipe):
    assert pipe("a cat", **SMALL).images[0].size == (64, 64)
    pipe.unet.conv_out.bias.data.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="shown, it would be black"):
        pipe("a cat", **SMALL)


def test_kinds_on_one_base_look_once(pipe):
    catalog.load("img2img", "sd15")
    assert len(pipe.vae.decoder._forward_hooks) == 1


def test_half_precision_is_named_with_the_way_out():
    picture = torch.full((1, 3, 2, 2), float("inf"), dtype=torch.float16)
    with pytest.raises(
        FloatingPointError, match=r"float16 nothing may pass 65504: .*pipe.to\(torch.float32\)"
    ) as error:
        finite._check(None, (), picture)
    assert "The picture holds numbers" in parts.reason(error.value)
