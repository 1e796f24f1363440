"""Every kind of device, pretended: what is chosen, what the trainers take, and what never reaches a Mac's GPU."""

import re
import sys
from types import SimpleNamespace

import pytest
import torch

from course_utils import env, training
from course_utils.catalog import loading
from course_utils.controls import annotators

DEVICES = ("cuda", "mps", "cpu")


@pytest.fixture
def pretend(monkeypatch):
    """Pretend that a computer has no other device than this one, and that a Mac computes float16 or does not."""

    def on(device, float16=True, native_bfloat16=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: device == "cuda")
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: device == "mps")
        monkeypatch.setattr(env, "has_float16", lambda device: float16)
        monkeypatch.setattr(env, "native_bfloat16", lambda: native_bfloat16)

    return on


@pytest.mark.parametrize(
    ("there", "how", "lane", "device", "dtype"),
    [
        ("cuda", {}, "sd15", "cuda", torch.float16),
        ("cuda", {"native_bfloat16": True}, "sd15", "cuda", torch.float16),
        ("cuda", {}, "clay", "cuda", torch.float32),
        ("mps", {}, "sd15", "mps", torch.float16),
        ("mps", {"float16": False}, "sd15", "mps", torch.float32),
        ("mps", {}, "clay", "cpu", torch.float32),
        ("cpu", {}, "sd15", "cpu", torch.float32),
        ("cpu", {"native_bfloat16": True}, "sd15", "cpu", torch.bfloat16),
        ("cpu", {"native_bfloat16": True}, "clay", "cpu", torch.float32),
    ],
)
def test_device_and_dtype(pretend, there, how, lane, device, dtype):
    pretend(there, **how)
    assert (env.choose_device(lane), env.choose_dtype(lane)) == (device, dtype)


def test_float16_is_tried_and_not_believed():
    assert env.has_float16("cpu") and not env.has_float16("mps"), "there is no such device here"


def test_a_mac_says_what_it_has(pretend, monkeypatch, capsys):
    import psutil

    pretend("mps")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=16 * env.GIB, available=9 * env.GIB))
    monkeypatch.setattr(env, "total_memory", lambda: psutil.virtual_memory().total)
    runtime = env.start(lane="sd15")
    assert (runtime.device, runtime.dtype, runtime.memory_gb, runtime.gpu) == ("mps", torch.float16, 16, None)
    assert capsys.readouterr().out.startswith("sd15 lane on this computer: MPS, 16 GB, float16;")
    assert env.free_memory("mps") == 9 * env.GIB and runtime.generator(1).device.type == "cpu"


@pytest.mark.parametrize("there", DEVICES)
def test_a_pipeline_goes_where_its_lane_runs(pretend, monkeypatch, there):
    pretend(there)
    monkeypatch.setattr(loading, "weights_gb", lambda *how, **more: 0.0)
    monkeypatch.setattr(env, "free_memory", lambda device: 10 * env.GIB)
    for lane in env.LANES:
        assert loading._place(SimpleNamespace(to=lambda device: device), lane) == env.choose_device(lane)
    assert annotators.device() == ("cuda" if there == "cuda" else "cpu"), "some preprocessors are older than a Mac's"


@pytest.mark.parametrize("there", DEVICES)
def test_trainers_ask_env_where_accelerate_would_choose(pretend, monkeypatch, there):
    """The library takes whatever GPU there is, and keeps to what it was first asked for."""
    pretend(there)
    own = sys.modules[training.device_for.__module__]
    alone = SimpleNamespace(num_processes=1, device=torch.device("xla"))
    monkeypatch.setattr(own, "Accelerator", lambda: alone)
    assert [training.device_for(lane).type for lane in env.LANES] == list(map(env.choose_device, env.LANES))
    several = SimpleNamespace(num_processes=2, device=torch.device("cuda:1"))
    monkeypatch.setattr(own, "Accelerator", lambda: several)
    assert training.device_for("sd15") == torch.device("cuda:1"), "each process has a card of its own"


def test_a_mac_trains_in_float16(pretend):
    pretend("mps")
    assert training.low_precision(torch.device("mps")) is torch.float16
    assert training.low_precision(torch.device("cpu")) is None


def _sources(root):
    rooms = [path for path in sorted((root / "course_utils").rglob("*.py")) if "recipe" not in path.parts]
    return [*rooms, *sorted((root / "notebooks/src").glob("*.py"))]


def test_no_float64_on_a_device(root):
    """A Mac's GPU has none: a tensor goes to the CPU first."""
    asks = re.compile(r"(?<!\.cpu\(\))\.double\(|torch\.(?:float64|double)\b")
    assert not [path.name for path in _sources(root) if asks.search(path.read_text())]


def test_noise_is_drawn_on_the_cpu(root):
    """So a seed means the same picture on every device."""
    elsewhere = re.compile(r"Generator\((?!\)|\"cpu\"\))")
    assert not [path.name for path in _sources(root) if elsewhere.search(path.read_text())]


def test_a_card_goes_before_a_macs_gpu(pretend, monkeypatch):
    pretend("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert {env.choose_device(lane) for lane in env.LANES} == {"cuda"}
