"""Peaks of memory at true size, counted without a GPU: what the planner and the estimates rest on."""

from types import SimpleNamespace

import pytest
import torch

from course_utils import personalize
from course_utils.catalog import loading
from course_utils.personalize import memory_gb
from course_utils.training.memory import LIBRARIES_GB, SPARE
from tools.true_size import __main__ as true_size
from tools.true_size.counting import counted


def test_a_count_forgets_what_is_gone():
    with counted() as memory:
        first = torch.zeros(2**20)
        view, second = first[:5], torch.ones(2**18) * 2.0
        assert memory.held == 4 * (2**20 + 2**18) and memory.peak == memory.held + 4 * 2**18
        del first
        assert memory.held == 4 * (2**20 + 2**18)  # the view holds it
        del view, second
    assert memory.held == 0


@pytest.mark.slow
def test_the_planner_leaves_room_for_what_calls_need():
    (_, one) = true_size.count(["one ControlNet"])["one ControlNet"]
    assert SPARE * one + LIBRARIES_GB <= loading.LEAST_GB
    found = true_size.count(["four pictures at once", "two ControlNets", "Attend-and-Excite", "depth to image"])
    needed = max(beside for _, beside in found.values())
    assert SPARE * needed + LIBRARIES_GB <= loading.WORKING_GB <= 2 * needed
    weights = {name: value for name, (value, _) in found.items()}
    assert (weights["two ControlNets"] - weights["Attend-and-Excite"]) / 2 == pytest.approx(
        loading.CONTROL_GB, abs=0.01
    )
    assert max(weight + beside for weight, beside in found.values()) < true_size.T4_GB


@pytest.mark.slow
def test_training_takes_no_more_than_is_estimated():
    (_, lora), (weights, whole) = true_size.count(["LoRA", "DreamBooth"]).values()
    pipe = SimpleNamespace(unet=personalize.sd15_unet(), vae_scale_factor=8)
    assert lora < memory_gb(pipe, personalize.preset("lora", "sd15")) < lora + 0.6
    config = personalize.DreamBoothConfig(1, 1e-6, ema_steps=0, height=512, width=512, train_batch_size=1,
                                          gradient_checkpointing=True)  # fmt: skip
    assert whole < memory_gb(pipe, config) < 1.25 * whole
    assert weights + whole > true_size.T4_GB, "then give the lane its DreamBooth back"
    assert f"{whole:.0f} GB beside" in personalize.presets.LORA_ONLY.replace("take ", "")


def test_the_largest_part_is_the_unet():
    unet = personalize.sd15_unet()
    assert 2 * sum(p.numel() for p in unet.parameters()) / 2**30 == pytest.approx(loading.UNET_GB, abs=0.02)
