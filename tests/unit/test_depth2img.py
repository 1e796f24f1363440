"""Depth-to-image on the clay lane: a folder with the parts of its own, joined to the base."""

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import catalog, env
from tests.tiny import models

HEIGHT, WIDTH = 64, 96


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("assets")
    base = models.build_clay_folder(folder / "models/clay-base")
    models.build_clay_depth(folder / "models/clay-depth", base)
    return folder


@pytest.fixture
def clay(shelf, monkeypatch):
    monkeypatch.setattr(env, "ASSETS", shelf)
    catalog.release()
    yield shelf
    catalog.release()


def paint(pipe, **more):
    noise, grey = torch.Generator().manual_seed(0), Image.new("RGB", (WIDTH, HEIGHT), "grey")
    how = {"num_inference_steps": 2, "strength": 1.0, "output_type": "np", "image": grey}
    return pipe("a red cat", generator=noise, **how | more).images[0]


def test_the_base_lends_its_parts_and_is_still_kept(clay):
    plain = catalog.load("text2img")
    pipe = catalog.load("depth2img")
    assert pipe.vae is plain.vae and pipe.text_encoder is plain.text_encoder and pipe.tokenizer is plain.tokenizer
    assert pipe.unet is not plain.unet and pipe.unet.config.in_channels == plain.unet.config.in_channels + 1
    assert pipe.scheduler is not plain.scheduler and catalog.load("text2img").unet is plain.unet
    assert {part.dtype for part in (pipe.unet, pipe.depth_estimator)} == {torch.float32}


def test_a_folder_of_ones_own_is_joined_too(clay):
    pipe = catalog.load("depth2img", folder=clay / "models/clay-depth")
    assert pipe.vae is catalog.load("text2img").vae


def test_it_says_nothing_and_follows_the_depth(clay, capfd, caplog, recwarn):
    pipe = catalog.load("depth2img")
    estimated = paint(pipe)
    ramp = torch.linspace(0, 1, WIDTH).expand(1, HEIGHT, WIDTH)
    given = [paint(pipe, depth_map=near) for near in (ramp, 5 * ramp + 2, 1 - ramp)]
    assert estimated.shape == (HEIGHT, WIDTH, 3) and np.isfinite(estimated).all()
    assert np.allclose(given[0], given[1], atol=1e-4) and not np.allclose(given[0], given[2], atol=1e-4)
    said = capfd.readouterr()
    assert (said.out, said.err, caplog.messages, list(recwarn)) == ("", "", [], [])


def test_a_missing_part_is_named(clay, tmp_path, monkeypatch):
    import shutil

    monkeypatch.setattr(env, "ASSETS", shutil.copytree(clay, tmp_path / "assets"))
    (tmp_path / "assets/models/clay-depth/depth_estimator/model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="depth_estimator/model.safetensors is missing"):
        catalog.load("depth2img")
