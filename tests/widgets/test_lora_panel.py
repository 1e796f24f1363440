"""The LoRA panel without a browser: a LoRA is learned, stopped, kept, and painted with."""

import copy
import io
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import catalog, personalize, widgets
from course_utils.widgets.lora import MOST, LoraSliders
from course_utils.widgets.running import Outbox
from tests.tiny.learning import pictures, state
from tests.tiny.models import build_clay_folder
from tests.widgets.press import LONG, make

SMALL = {"num_inference_steps": 2, "height": 64, "width": 96}


@pytest.fixture(scope="module")
def pipe(tmp_path_factory):
    """A tiny base whose decoder shows what changes."""
    pipe = catalog.load("text2img", lane="clay", folder=build_clay_folder(tmp_path_factory.mktemp("tiny") / "clay"))
    with torch.no_grad():
        pipe.vae.decoder.layers[-1].weight.mul_(30)
    return pipe


@pytest.fixture
def panel(pipe, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    panel = widgets.lora_panel(pipe, folder=tmp_path / "pictures", rank=2, steps=3, **SMALL)
    yield panel
    panel.runner.stop()
    assert panel.wait(LONG)


def teach(panel, **knobs):
    for name, value in knobs.items():
        getattr(panel.teacher, name).value = value
    panel.teacher.train.click()
    assert panel.wait(LONG)


def pixels(picture):
    return np.asarray(picture)


def upload(panel, *given):
    panel.teacher.pictures.kind.value = "mine"
    for number, picture in enumerate(given):
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        panel.teacher.pictures.upload.name = f"{number}.png"
        panel.teacher.pictures.upload.data = buffer.getvalue()


def test_a_lora_is_learned_kept_and_painted_with(panel, pipe):
    before, modules, processors = state(pipe.unet), dict(pipe.unet.named_modules()), pipe.unet.attn_processors
    assert panel.teacher.trigger.value == "sks robot" and panel.settings.loras == ()
    panel.knobs["prompt"].value = "a sks robot in the snow"
    assert panel.notes.value == "The clay model does not know: sks, robot."
    teach(panel)
    assert not panel.teacher.error.value and panel.problem is None and not panel.notes.value
    ((path, weight),) = panel.settings.loras
    assert weight == 1.0 and panel.loras[path].about.steps == 3 and panel.loras[path].about.rank == 2
    read = personalize.read(path, pipe)
    assert all(torch.equal(read.tensors[name], panel.loras[path].tensors[name]) for name in read.tensors)
    assert [step for step, _ in panel.teacher.losses] == [1, 2, 3] == list(panel.teacher.samples)
    assert f"{read.bytes:,} bytes" in panel.teacher.status.value and "sks-robot-rank2" in panel.teacher.link.name
    assert not panel.teacher.train.disabled and panel.teacher.stop.disabled and not panel.generate.disabled
    with torch.no_grad():
        for name, tensor in panel.loras[path].tensors.items():
            tensor.mul_(100 if "lora_B" in name else 1)  # three steps change little
    shots = {weight: make(panel, loras=((path, weight),)) for weight in (0.0, 1.0, 0.5)}
    assert len({shot.image.tobytes() for shot in shots.values()}) == 3
    own = catalog.with_scheduler(copy.copy(pipe), shots[0.0].settings.scheduler)
    plain = own(**shots[0.0].settings.arguments(), generator=torch.Generator().manual_seed(0)).images[0]
    assert np.array_equal(pixels(plain), pixels(shots[0.0].image)), "weight 0 is the base"
    after = dict(pipe.unet.named_modules())
    assert after.keys() == modules.keys() and all(after[name] is modules[name] for name in after)
    assert all(torch.equal(before[name], tensor) for name, tensor in pipe.unet.state_dict().items())
    assert all(pipe.unet.attn_processors[name] is kept for name, kept in processors.items())
    panel.history.click(2)
    assert panel.settings == shots[0.0].settings


def test_the_shown_call_makes_the_same_picture(panel, pipe):
    teach(panel)
    ((path, _),) = panel.settings.loras
    shot = make(panel, loras=((path, 0.7),), seed=3)
    code = shot.settings.code()
    load = "catalog.load('text2img', lane='clay')"
    assert code.count(load) == 1 and "import catalog, personalize" in code and "weights=[0.7]" in code
    names = {"kept": copy.copy(pipe)}
    exec(code.replace(load, "kept"), names)
    assert np.array_equal(pixels(names["image"]), pixels(shot.image))
    saved = widgets.from_png(io.BytesIO(shot.png), widgets.LoraSettings)
    assert saved == replace(shot.settings, loras=((Path(path).name, 0.7),)) and path != Path(path).name


def test_stop_keeps_what_there_is(panel, monkeypatch):
    there, go, step = threading.Event(), threading.Event(), panel.teacher.step

    def hold(progress, sample):
        step(progress, sample)
        there.set()
        assert go.wait(LONG)

    monkeypatch.setattr(panel.teacher, "step", hold)
    panel.teacher.train.click()
    assert there.wait(LONG)
    assert panel.teacher.train.disabled and panel.generate.disabled and panel.stop.disabled
    panel.teacher.train.click()  # does nothing
    panel.teacher.stop.click()
    go.set()
    assert panel.wait(LONG)
    (lora,) = panel.loras.values()
    assert lora.about.steps == 1 and (panel.folder / "loras/sks-robot-rank2.safetensors").is_file()
    teach(panel)
    assert [one.about.steps for one in panel.loras.values()] == [1, 3], "the same call goes on"
    assert len(list((panel.folder / "loras").iterdir())) == 2 == len(panel.settings.loras)
    assert [slot.description for slot in panel.knobs["loras"].children[:2]] == ["sks robot", "sks robot 2"]


def test_own_pictures_are_kept_and_learned_from(panel):
    own = panel.teacher.pictures
    upload(panel, *pictures(2), Image.new("RGB", (20, 20)))
    assert "too few for 64 x 96" in own.error.value and len(own.files) == 2
    upload(panel, pictures(1, turn=0.4)[0])
    assert len(own.files) == 3 == len(own.looks.images) and not own.error.value
    teach(panel, trigger="sks mug")
    (lora,) = panel.loras.values()
    assert lora.about.trigger == "sks mug" and not panel.teacher.error.value
    own.clear.click()
    upload(panel, pictures(1)[0])
    assert len(own.files) == 1, "the same file can be chosen again"
    own.clear.click()
    teach(panel)
    assert "pictures has 0 pictures" in panel.teacher.error.value and len(panel.loras) == 1


@pytest.mark.parametrize(("knob", "value", "said"), [("trigger", "", "says nothing"), ("rank", 60, "out of range")])
def test_an_error_is_said_beside_the_button(panel, knob, value, said):
    teach(panel, **{knob: value})
    assert said in panel.teacher.error.value and not panel.teacher.train.disabled and not panel.loras
    assert panel.problem is not None and "Nothing new" in panel.teacher.status.value


@pytest.mark.parametrize(
    "wrong", [{"rank": 0}, {"rank": 100}, {"rank": 2.5}, {"steps": -5}, {"steps": 0}, {"subject": "cat"}]
)
def test_what_the_panel_cannot_stand_at_is_refused_by_name(pipe, wrong):
    with pytest.raises((TypeError, ValueError), match=f"{next(iter(wrong))}="):
        widgets.lora_panel(pipe, **SMALL | wrong)


def test_what_cannot_be_written_is_not_lost(panel):
    panel.folder.mkdir(exist_ok=True)
    (panel.folder / "loras").write_text("a file in the folder's place")
    teach(panel)
    assert "Nothing is lost" in panel.teacher.error.value and len(panel.loras) == 1
    assert not panel.teacher.save.disabled and make(panel)
    (panel.folder / "loras").unlink()
    panel.teacher.save.click()
    assert not panel.teacher.error.value and panel.teacher.save.disabled and panel.newest.is_file()


def test_full_memory_says_what_to_turn(panel, monkeypatch):
    def full(*arguments, **named):
        raise MemoryError("Training takes 20.0 GB; 4.0 GB are free. Try checkpointing=True.")

    monkeypatch.setattr(personalize, "lora", full)
    teach(panel)
    assert "Try checkpointing=True" in panel.teacher.error.value


def test_trigger_and_shape_follow_the_subject(panel):
    teacher = panel.teacher
    assert len(teacher.pictures.looks.images) == 5
    teacher.pictures.word.value = "teapot"
    assert teacher.trigger.value == "sks teapot" and teacher.pictures.shape.label == "round teapot"
    assert teacher.pictures.colour.value == "blue"
    teacher.trigger.value = "zwx pot"
    teacher.pictures.word.value = "dragon"
    assert teacher.trigger.value == "zwx pot", "what was written by hand stays"


def test_on_colab_nothing_is_sent_before_a_heartbeat(pipe, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLAB_RELEASE_TAG", "a rehearsal")
    panel = widgets.lora_panel(pipe, folder=tmp_path, rank=2, steps=2, **SMALL)
    assert panel.teacher.curve.value, "the empty axes are there at once"
    panel.teacher.train.click()
    assert panel.runner.wait(LONG) and panel.teacher.download.layout.display is None
    slot = panel.knobs["loras"].children[0]
    assert slot.layout.display == "none" and panel.teacher.download.disabled
    panel._heart.beats += 1
    assert slot.layout.display is None and slot.description == "sks robot" and not panel.teacher.drive.disabled
    assert not panel.teacher.link.data
    panel.teacher.download.click()
    assert panel.teacher.error.value, "there is no Colab here, and that is said"
    other = widgets.lora_panel(pipe, loras=[panel.newest], **SMALL)
    assert other.knobs["loras"].children[0].layout.display is None


def test_sliders_are_shared_out():
    weights, now = LoraSliders(), Outbox(hold=False)
    for number in range(MOST + 1):
        weights.add(f"loras/{number}.safetensors", f"sks {number}", number / 10, now)
    assert len(weights.value) == MOST and weights.value[0] == (f"loras/{MOST}.safetensors", 0.6)
    weights.value = (("loras/3.safetensors", 0.25), ("gone", 1.0))
    assert [weight for _, weight in weights.value] == [0, 0, 0, 0.25, 0, 0]


def test_files_have_a_slider_from_the_beginning(panel, pipe):
    teach(panel)
    other = widgets.lora_panel(pipe, loras=[panel.newest], **SMALL)
    assert other.settings.loras == ((panel.newest.as_posix(), 0.0),)
    with pytest.raises(FileNotFoundError):
        widgets.lora_panel(pipe, loras=["gone.safetensors"], **SMALL)
    for wrong in ({"rank": 100}, {"rank": 0}, {"steps": -5}, {"steps": 0}):
        with pytest.raises(
            ValueError, match=f"steps={wrong['steps']}" if "steps" in wrong else f"rank={wrong['rank']}"
        ):
            widgets.lora_panel(pipe, **wrong, **SMALL)
    with pytest.raises(ValueError, match="subject='cat' is no subject"):
        widgets.lora_panel(pipe, subject="cat", **SMALL)
