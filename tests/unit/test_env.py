import dataclasses
import json
import subprocess
import sys

import pytest
import torch

from course_utils import doctor, env
from course_utils.catalog import files


@pytest.fixture
def fake_cuda(monkeypatch):
    """Pretend that there is a card of the given compute capability."""

    def pretend(capability):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)  # what a T4 says, by emulation
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)

    return pretend


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_start_says_one_line(no_gpu, capsys):
    runtime = env.start(seed=3, lane="clay")
    said = capsys.readouterr()
    assert said.out.count("\n") == 1 and said.err == ""
    assert "clay" in said.out and torch.__version__.split("+")[0] in said.out
    assert (runtime.place, runtime.device, runtime.gpu, runtime.seed) == ("local", "cpu", None, 3)
    assert runtime.dtype == torch.float32
    assert runtime.memory_gb > 0.5
    assert runtime.versions["torch"] == env.installed("torch")


def test_sd15_without_a_gpu_says_how_slow_it_will_be(no_gpu, capsys):
    slow, clay = (str(env.start(lane=lane)) for lane in ("sd15", "clay"))
    assert "so a picture takes minutes (see `doctor.report()`)" in slow and "minutes" not in clay
    assert capsys.readouterr().out.count("\n") == 2


def test_generator_repeats_and_leaves_the_global_one_alone(no_gpu):
    runtime = env.start(seed=3, lane="clay")
    before = torch.get_rng_state()
    first, again, other = (torch.randn(4, generator=runtime.generator(seed)) for seed in (None, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


def test_room_is_frozen(no_gpu):
    with pytest.raises(dataclasses.FrozenInstanceError):
        env.start(lane="clay").lane = "sd15"


def test_lane_argument_beats_variable_beats_gpu(monkeypatch, no_gpu):
    monkeypatch.setenv("COURSE_LANE", "sd15")
    assert env.choose_lane("clay") == "clay"
    assert env.choose_lane() == "sd15"
    monkeypatch.delenv("COURSE_LANE")
    assert env.choose_lane() == "clay"


def test_lane_with_a_gpu_is_sd15(monkeypatch, fake_cuda):
    monkeypatch.delenv("COURSE_LANE", raising=False)
    fake_cuda((7, 5))
    assert env.choose_lane() == "sd15"


@pytest.mark.parametrize(("argument", "variable", "named"), [("sdxl", "clay", "lane"), (None, "sdxl", "COURSE_LANE")])
def test_unknown_lane_names_where_it_came_from(monkeypatch, argument, variable, named):
    monkeypatch.setenv("COURSE_LANE", variable)
    with pytest.raises(ValueError, match=f"^{named}='sdxl'.*'clay' or 'sd15'"):
        env.choose_lane(argument)


def test_t4_computes_in_float16(fake_cuda):
    fake_cuda((7, 5))
    assert not env.native_bfloat16()
    assert env.choose_dtype("sd15") == torch.float16
    assert env.choose_dtype("clay") == torch.float32


def test_newer_cards_have_bfloat16(fake_cuda):
    fake_cuda((8, 0))
    assert env.native_bfloat16()


def test_colab_is_recognised(monkeypatch):
    assert env.place() == "local"
    monkeypatch.setitem(sys.modules, "google.colab", object())
    assert env.place() == "colab"
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")  # its image is made from Colab's
    assert env.place() == "kaggle"


def test_release_calls_each_room_once(monkeypatch):
    monkeypatch.setattr(env, "_at_release", [])
    dropped = []

    def forget():
        dropped.append(1)

    assert env.at_release(forget) is forget
    env.at_release(forget)
    env.release()
    assert dropped == [1]


def test_caches_settle_where_nothing_can_be_written(monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(env, "writable", lambda _: False)
    env.settle_numba()
    assert env.os.environ.pop("NUMBA_CACHE_DIR").endswith("course-numba")


def test_a_render_leaves_torch_the_threads_that_it_was_given():
    """Else a picture made in a panel's thread differs by a rounding from the same call in a cell."""
    code = """
import torch
from course_utils import clay
clay.render(clay.scene(0), 16, 16)
print(torch.get_num_threads())
"""
    given = {name: value for name, value in env.os.environ.items() if not name.startswith("NUMBA")}
    given["OMP_NUM_THREADS"] = "1"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=given)
    assert run.stdout.split() == ["1"]


def test_importing_is_light():
    code = "import sys, course_utils, course_utils.doctor; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    heavy = {"torch", "ipywidgets", "diffusers", "transformers", "matplotlib", "numba", "numpy"}
    assert not heavy & set(loaded)


def test_doctor_prints_a_table_and_returns_findings(no_gpu, capsys):
    findings = doctor.report()
    said = capsys.readouterr().out
    assert all(isinstance(finding, doctor.Finding) for finding in findings)
    assert {"python", "torch", "versions", "torchvision", "numba cache"} <= {finding.name for finding in findings}
    assert all(finding.name in said for finding in findings)
    assert not [f for f in findings if not f.ok and f.name not in ("assets", "writing", "memory", "disk")], said


def only(findings):
    (finding,) = findings
    return finding


def pretend_installed(monkeypatch, **versions):
    real = env.installed
    monkeypatch.setattr(env, "installed", lambda name: versions.get(name.replace("-", "_"), real(name)))


def test_doctor_names_a_version_out_of_range(monkeypatch):
    pretend_installed(monkeypatch, diffusers="0.30.0")
    wrong = only(f for f in doctor.ranges() if not f.ok)
    assert wrong.name == "diffusers" and "0.30.0" in wrong.message and 'pip install "diffusers>=' in wrong.fix


def test_doctor_names_a_missing_package(monkeypatch):
    pretend_installed(monkeypatch, peft=None)
    assert "not installed" in only(f for f in doctor.ranges() if not f.ok).message


def test_doctor_takes_any_opencv(monkeypatch):
    pretend_installed(monkeypatch, opencv_python_headless=None, opencv_python="5.0.0.93", opencv_contrib_python=None)
    assert all(finding.ok for finding in doctor.ranges())


def test_the_setup_cell_installs_what_is_out_of_range_and_moves_nothing_else(monkeypatch):
    assert doctor.to_install() == []
    pretend_installed(monkeypatch, peft="0.10.0", anywidget=None, torch="2.0.0", opencv_python_headless=None)
    wanted = doctor.to_install()
    assert {"peft>=0.20,<0.22", "anywidget>=0.9.21", "torch==2.0.0"} <= set(wanted)
    assert f"huggingface_hub=={env.installed('huggingface_hub')}" in wanted
    moved = [name for name in wanted if name.startswith(doctor.NEVER_MOVED) and "==" not in name]
    assert moved == ["opencv-python-headless>=5.0"]  # it was not there at all


def test_the_setup_cell_brings_the_detectors_on_sd15_only(monkeypatch):
    pretend_installed(monkeypatch, controlnet_aux=None, timm="0.5")
    assert doctor.to_install() == []
    monkeypatch.setenv("COURSE_LANE", "sd15")
    first, second, *pinned = doctor.to_install()
    assert (first, second) == ("controlnet-aux==0.0.10", "timm>=1.0") and all("==" in pin for pin in pinned)
    assert f"torch=={env.installed('torch')}" in pinned


def test_doctor_names_colabs_menu_where_there_is_no_gpu(monkeypatch, no_gpu):
    assert only(doctor.gpu("clay")).ok and "T4" not in only(doctor.gpu("clay")).message
    without = only(doctor.gpu("sd15"))
    assert not without.ok and "Runtime > Change runtime type" in without.fix
    monkeypatch.setattr(env, "place", lambda: "colab")
    assert only(doctor.gpu("clay")).ok and "Runtime > Change runtime type" in only(doctor.gpu("clay")).message


def test_doctor_says_that_anywidget_needs_a_restart(monkeypatch):
    pretend_installed(monkeypatch, anywidget=None)
    wrong = only(f for f in doctor.ranges() if not f.ok)
    assert wrong.name == "anywidget" and "then restart the kernel" in wrong.fix and "Kaggle" not in wrong.message
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    on_kaggle = only(f for f in doctor.ranges() if not f.ok)
    assert "Kaggle does not bring it" in on_kaggle.message and on_kaggle.fix == wrong.fix


def test_doctor_sees_hub_2_under_an_old_transformers(monkeypatch):
    monkeypatch.setattr(
        doctor.importlib.metadata, "requires", lambda name: ["huggingface-hub<2.0"] if name == "transformers" else []
    )
    pretend_installed(monkeypatch, huggingface_hub="2.4.0")
    wrong = only(doctor.agreement())
    assert not wrong.ok and "2.4.0" in wrong.message and '"huggingface-hub<2.0"' in wrong.fix


@pytest.mark.parametrize(
    ("torch_version", "vision", "ok"),
    [("2.14.1", None, True), ("2.14.1+cpu", "0.29.1", False), ("2.14.1+cpu", "0.29.1+cpu", True)],
)
def test_doctor_sees_a_mixed_torch_pair(monkeypatch, torch_version, vision, ok):
    monkeypatch.setattr(doctor, "_quarrels", lambda _: iter(()))
    pretend_installed(monkeypatch, torch=torch_version, torchvision=vision)
    assert only(doctor.torch_pair()).ok is ok


def test_doctor_sees_a_torchvision_for_another_torch(monkeypatch):
    pretend_installed(monkeypatch, torch="2.10.0", torchvision=env.installed("torchvision"))
    assert not only(doctor.torch_pair()).ok


def test_doctor_sees_a_widget_page_of_another_major(monkeypatch):
    pretend_installed(monkeypatch, ipywidgets="8.1.9", jupyterlab_widgets="1.1.11")
    assert not only(doctor.widgets()).ok


@pytest.fixture
def shipped(tmp_path):
    """A folder of assets with one file and a right manifest."""
    (tmp_path / "a.bin").write_bytes(b"clay")
    entry = {"bytes": 4, "sha256": files.sha256(tmp_path / "a.bin")}
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {"a.bin": entry}}))
    return tmp_path


def test_doctor_checks_assets(shipped):
    assert only(doctor.assets(shipped)).ok
    (shipped / "a.bin").write_bytes(b"Clay")
    assert "not the file" in only(doctor.assets(shipped)).message
    (shipped / "a.bin").unlink()
    assert only(doctor.assets(shipped)).message == "missing"
    (shipped / "manifest.json").write_text("{")
    assert "manifest" in only(doctor.assets(shipped)).message


def test_doctor_wants_more_room_for_sd15(monkeypatch):
    monkeypatch.setitem(doctor.NEEDS_GB, "sd15", (1e6, 1e6))
    assert [finding.ok for finding in doctor.room_to_work("sd15")] == [False, False]


def test_table_puts_the_fix_under_what_is_wrong():
    text = doctor.table([doctor.Finding("a", True, "fine", "unused"), doctor.Finding("long", False, "bad", "mend it")])
    assert text.splitlines()[1:] == ["FIX  long  bad", "           -> mend it"]
    assert "unused" not in text
