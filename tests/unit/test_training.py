"""Mixed precision of all trainers: nothing is cast to a dtype that the hardware would emulate."""

import re
from pathlib import Path

import pytest
import torch

from course_utils import env, training
from course_utils.training import Loop, Muon, Plan

ROOM = Path(training.__file__).parents[1]
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(params=[True, False], ids=["native", "emulated"])
def native(request, monkeypatch):
    """Pretend that bfloat16 runs in hardware here, or that it does not."""
    monkeypatch.setattr(env, "native_bfloat16", lambda: request.param)
    return request.param


def newton_schulz(gradient, dtype):
    """Muon's quintic iteration, written once more."""
    x = gradient.to(dtype)
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.to(gradient.dtype)


def test_autocast_is_bfloat16_only_where_native(native):
    assert training.low_precision(CPU) == (torch.bfloat16 if native else None)
    assert training.low_precision(CUDA) == (torch.bfloat16 if native else torch.float16)
    layer = torch.nn.Linear(4, 4)
    with training.autocast(CPU):
        assert layer(torch.zeros(1, 4)).dtype == (torch.bfloat16 if native else torch.float32)


@pytest.mark.parametrize("shape", [(24, 40), (24, 8, 3, 3)])
def test_muon_orthogonalises_in_what_the_hardware_computes(native, shape):
    weight = torch.nn.Parameter(torch.zeros(shape))
    weight.grad = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    Muon([weight], lr=1.0, momentum=0.0, weight_decay=0.0).step()
    flat = weight.grad.reshape(len(weight), -1)
    update = newton_schulz(flat, torch.bfloat16 if native else torch.float32) * (0.2 * max(flat.shape) ** 0.5)
    assert torch.equal(weight.detach().view_as(flat), -update)
    spectrum = torch.linalg.svdvals(weight.detach().view_as(flat)) / (0.2 * max(flat.shape) ** 0.5)
    assert 0.6 < spectrum.min() and spectrum.max() < 1.3, "about orthogonal"


def test_the_loss_is_scaled_where_autocast_is_float16(tmp_path, monkeypatch):
    for dtype, scaled in ((torch.float16, True), (torch.bfloat16, False), (None, False)):
        monkeypatch.setattr(training.loop, "low_precision", lambda device, dtype=dtype: dtype)
        for fp16, wanted in ((None, scaled), (True, True), (False, False)):
            plan = Plan(steps=1, fp16=fp16)
            assert Loop(tmp_path, {"m": torch.nn.Linear(2, 2)}, plan).scaler.is_enabled() == wanted


def test_trainers_ask_no_one_else():
    """One answer for all: no trainer chooses a dtype of its own."""
    asks = re.compile(r"torch\.autocast|bfloat16")
    rooms = [*(ROOM / "recipe").rglob("*.py"), *(ROOM / "controlnet").rglob("*.py"), ROOM / "personalize/batches.py"]
    found = {path.name for path in rooms if asks.search(path.read_text())}
    assert not found
