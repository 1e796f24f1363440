"""A map is encoded once a picture; what comes out is what would have come out anyway."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionControlNetPipeline
from diffusers.models.controlnets.controlnet import ControlNetConditioningEmbedding

from course_utils import catalog, controlnet
from course_utils.catalog.once import encode_once
from tests.tiny import models


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    made = ControlNetConditioningEmbedding(4, block_out_channels=(4, 8))
    torch.nn.init.normal_(made.conv_out.weight)
    return encode_once(SimpleNamespace(controlnet_cond_embedding=made)).controlnet_cond_embedding


@pytest.fixture
def worked(encoder):
    calls = []
    encoder.conv_in.register_forward_hook(lambda *_: calls.append(1))
    return calls


def some_map(seed=0):
    return torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_two_maps_in_turn_are_each_encoded_once(encoder, worked):
    one, two = some_map(), some_map(1)
    said = [encoder(which) for which in (one, two) * 3]
    assert len(worked) == 2 and said[0] is said[2] is said[4] and not torch.equal(said[0], said[1])
    assert torch.equal(said[0], ControlNetConditioningEmbedding.forward(encoder, one))


@torch.no_grad()
def test_a_changed_map_and_changed_weights_are_noticed(encoder, worked):
    map = some_map()
    before = encoder(map)
    map.mul_(0.5)
    dimmer = encoder(map)
    encoder.conv_in.weight.mul_(2)
    assert len(worked) == 2 and not torch.equal(before, dimmer) and not torch.equal(dimmer, encoder(map))


def test_nothing_is_remembered_while_gradients_are_taken(encoder, worked):
    map = some_map()
    with torch.no_grad():
        encoder(map)
    encoder(map).sum().backward()
    assert encoder.conv_in.weight.grad.any() and len(worked) == 2
    with torch.inference_mode():
        inside = some_map()
        assert torch.equal(encoder(inside), encoder(inside)) and len(worked) == 4


@torch.no_grad()
def test_what_it_remembers_goes_with_the_map_and_not_with_a_copy(encoder):
    map = some_map()
    encoder(map)
    other = copy.deepcopy(encoder)
    assert len(encoder.remembered) == 1 and other.remembered is None
    assert other.state_dict().keys() == encoder.state_dict().keys() and torch.equal(other(map), encoder(map))
    del map
    assert len(encoder.remembered) == 0


def test_pictures_are_the_same_to_the_last_bit(tmp_path):
    """With two nets that are one, and a map each; guess mode asks with half a batch."""
    base = catalog.load("text2img", "clay", folder=models.build_clay_folder(tmp_path / "clay"))
    net = controlnet.copy_of(base, zero=False)
    pipe = StableDiffusionControlNetPipeline(**base.components, controlnet=[net, net], requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)

    def paint(guess):
        noise = torch.Generator().manual_seed(0)
        maps = [torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]
        said = {"image": maps, "guess_mode": guess, "num_inference_steps": 3, "output_type": "np"}
        return pipe("a red cat", generator=noise, **said).images

    plain = [paint(guess) for guess in (False, True)]
    calls = []
    encode_once(encode_once(net)).controlnet_cond_embedding.conv_in.register_forward_hook(lambda *_: calls.append(1))
    assert all(np.array_equal(paint(guess), before) for guess, before in zip((False, True), plain, strict=True))
    assert len(calls) == 4
