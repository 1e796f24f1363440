"""The panel that trains a ControlNet: it learns, shows how far it is, stops and keeps, and hands a whole net over."""

import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel
from PIL import Image
from safetensors.torch import load_file

from course_utils import controlnet, widgets


@pytest.fixture
def panel(pipe, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    maps = [Image.fromarray(np.full((64, 64, 3), level, np.uint8)) for level in (0, 255)]
    pairs = controlnet.ControlPairs.of(pipe, maps, maps, ["a cat", "a dog"])
    return widgets.trainer_panel(pipe, pairs, maps[1], "a cat", steps=5, folder=tmp_path / "pictures")


def test_it_trains_and_the_file_holds_a_plain_controlnet(panel, tmp_path):
    panel.train.click()
    assert panel.wait(120) and panel.problem is None, panel.problem
    assert [step for step, _ in panel.losses] == [1, 2, 3, 4, 5] == list(panel.samples) and panel.shot
    assert panel.link.name == "controlnet.zip" and panel.link.data == panel.path.read_bytes()
    with zipfile.ZipFile(panel.path) as file:
        file.extractall(tmp_path / "out")
    net = ControlNetModel.from_pretrained(tmp_path / "out/controlnet")
    assert any(layer.weight.any() for layer in controlnet.zero_layers(net).values())
    assert not panel.train.disabled and panel.stop.disabled


def test_the_file_is_as_precise_as_the_lanes_models_and_the_net_stays(panel, tmp_path):
    panel.run = controlnet.Run(controlnet.copy_of(panel._pipe), [], True)
    panel._pipe = SimpleNamespace(unet=SimpleNamespace(dtype=torch.float16))
    panel._folder.mkdir()
    panel._keep()
    with zipfile.ZipFile(panel.path) as file:
        file.extractall(tmp_path / "out")
    assert {p.dtype for p in load_file(next(tmp_path.glob("out/controlnet/*.safetensors"))).values()} == {
        torch.float16
    }
    assert panel.run.net.dtype is torch.float32


def test_the_empty_axes_are_there_on_colab_too(panel, pipe, monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "a rehearsal")
    assert widgets.trainer_panel(pipe, panel._pairs, panel._image, steps=5).curve.value == panel.curve.value


def test_stop_keeps_what_it_has(panel):
    panel.steps.value = 400
    panel.train.click()
    while len(panel.losses) < 2:
        assert not panel.wait(0.05), panel.problem
    panel.stop.click()
    assert panel.wait(60) and panel.problem is None and not panel.run.finished and panel.path.is_file()


def test_what_goes_wrong_stands_beside_the_button(panel, monkeypatch):
    def full(*_, **__):
        raise MemoryError("Training takes about 9 GB.")

    monkeypatch.setattr(controlnet, "train", full)
    panel.train.click()
    assert panel.wait(30) and "about 9 GB" in panel.error.value and not panel.train.disabled


def test_a_map_of_another_size_is_refused(pipe, panel):
    with pytest.raises(ValueError, match="image has 32 x 64 pixels, the pairs' maps 64 x 64"):
        widgets.trainer_panel(pipe, panel._pairs, Image.new("RGB", (64, 32)))
