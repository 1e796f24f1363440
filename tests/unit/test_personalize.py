"""The methods: what is trained and what is not, resumed as if never killed, stopped with what there is."""

import math
import signal
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from course_utils import catalog, personalize
from course_utils.personalize import presets
from course_utils.personalize.adapters import NAME
from tests.tiny import models
from tests.tiny.learning import (
    DREAMBOOTH,
    LORA,
    QUICK,
    TRIGGER,
    Killed,
    guess,
    heard,
    kill_at,
    pictures,
    same,
    state,
)

TEXT_LORA = replace(LORA, train_text_encoder=True)


@pytest.fixture(scope="module")
def pipe(tmp_path_factory):
    return catalog.load("text2img", folder=models.build_clay_folder(tmp_path_factory.mktemp("base")))


@pytest.fixture(scope="module")
def photo_pipe(tmp_path_factory):
    cache = tmp_path_factory.mktemp("hub")
    return catalog.load("text2img", lane="sd15", folder=models.build_sd15_hub(cache, "some/model", "0" * 40))


@pytest.fixture(scope="module")
def learned(pipe, tmp_path_factory):
    """A LoRA, and what the pipeline was before it was trained."""
    before = {"modules": dict(pipe.unet.named_modules()), "unet": state(pipe.unet), "text": state(pipe.text_encoder)}
    return personalize.lora(pipe, pictures(), TRIGGER, LORA, folder=tmp_path_factory.mktemp("run")), before


@pytest.mark.parametrize("config", [LORA, TEXT_LORA], ids=["unet", "text"])
def test_injected_equals_base_and_ejected_gives_the_modules_back(pipe, config):
    base, parts = guess(pipe), [dict(model.named_modules()) for model in (pipe.unet, pipe.text_encoder)]
    loose = [p.requires_grad for p in pipe.unet.parameters()]
    with pytest.raises(Killed), personalize.injected(pipe, config) as named:
        assert torch.equal(guess(pipe), base)
        inside = [p for model in (pipe.unet, pipe.text_encoder) for p in model.named_parameters()]
        trained = [name for name, p in inside if p.requires_grad]
        assert len(trained) >= len(named) > 0 and all(p.requires_grad for p in named.values())
        assert {name for name, p in pipe.unet.named_parameters() if p.requires_grad} == {
            name.removeprefix("unet.").replace(".weight", f".{NAME}.weight") for name in named if name[:4] == "unet"
        }
        for p in named.values():
            p.data.add_(1.0)
        assert not torch.equal(guess(pipe), base)
        raise Killed
    after = [dict(model.named_modules()) for model in (pipe.unet, pipe.text_encoder)]
    assert all(a.keys() == b.keys() and all(a[k] is b[k] for k in a) for a, b in zip(parts, after, strict=True))
    assert torch.equal(guess(pipe), base) and [p.requires_grad for p in pipe.unet.parameters()] == loose


def test_first_weights_are_of_the_seed_and_leave_the_global_generator_alone(pipe):
    generator = torch.get_rng_state()
    drawn = []
    for seed in (0, 0, 1):
        with personalize.injected(pipe, replace(LORA, seed=seed)) as named:
            drawn.append({name: p.detach().clone() for name, p in named.items()})
    assert same(drawn[0], drawn[1]) and not same(drawn[0], drawn[2])
    assert torch.equal(torch.get_rng_state(), generator)


def test_only_the_lora_is_trained(pipe, learned):
    lora, before = learned
    assert all(b.abs().max() > 0 for _, b in lora.pairs().values())
    assert same(state(pipe.unet), before["unet"]) and same(state(pipe.text_encoder), before["text"])
    after = dict(pipe.unet.named_modules())
    assert after.keys() == before["modules"].keys() and all(after[k] is before["modules"][k] for k in after)
    about = lora.about
    assert (about.method, about.trigger, about.steps, about.rank) == ("lora", TRIGGER, 4, 2)
    assert about.base == personalize.base_of(pipe) and not hasattr(pipe.unet, "peft_config")


@pytest.mark.parametrize("config", [LORA, TEXT_LORA], ids=["unet", "text"])
@pytest.mark.slow
def test_killed_run_goes_on_to_the_same_result(pipe, config, tmp_path):
    straight = personalize.lora(pipe, pictures(), TRIGGER, config, folder=tmp_path / "straight")
    for step in (1, 3):
        with pytest.raises(Killed):
            personalize.lora(pipe, pictures(), TRIGGER, config, kill_at(step), tmp_path / "killed")
    seen = []
    again = personalize.lora(
        pipe, pictures(), TRIGGER, config, lambda progress: seen.append(progress.step), tmp_path / "killed"
    )
    assert seen == [4] and same(straight.tensors, again.tensors)
    assert not (tmp_path / "killed").exists(), "a finished run leaves nothing"


@pytest.mark.slow
def test_stop_keeps_what_there_is_and_the_same_call_goes_on(pipe, learned, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))

    def watch(progress):
        if progress.step == 2:
            progress.stop()

    part = personalize.lora(pipe, pictures(), TRIGGER, LORA, watch)
    assert part.about.steps == 2 and len(list((tmp_path / "personalize").iterdir())) == 1
    other = personalize.lora(pipe, pictures(), TRIGGER, replace(LORA, seed=1))
    assert not same(other.tensors, part.tensors)
    whole = personalize.lora(pipe, pictures(), TRIGGER, LORA)
    assert whole.about.steps == 4 and same(whole.tensors, learned[0].tensors)
    assert not list((tmp_path / "personalize").iterdir())


def test_live_samples_change_nothing(pipe, learned, tmp_path):
    painted, losses = [], []

    def watch(progress):
        painted.append(progress.sample(**QUICK))
        losses.append(progress.loss)

    lora = personalize.lora(pipe, pictures(), TRIGGER, LORA, watch, tmp_path)
    assert same(lora.tensors, learned[0].tensors)
    assert len(painted) == 4 and painted[0].size == (96, 64) and painted[0].tobytes() != painted[-1].tobytes()
    assert all(math.isfinite(loss) and loss > 0 for loss in losses)


def test_folder_of_another_run_is_refused(pipe, tmp_path):
    with pytest.raises(Killed):
        personalize.lora(pipe, pictures(), TRIGGER, LORA, kill_at(1), tmp_path)
    with pytest.raises(ValueError, match="other pictures, settings or base"):
        personalize.lora(pipe, pictures(2), TRIGGER, LORA, folder=tmp_path)


@pytest.mark.slow
def test_photo_lane_trains_in_its_dtype_with_checkpointing(photo_pipe, tmp_path):
    before = state(photo_pipe.unet)
    config = replace(LORA, gradient_checkpointing=True, prior_loss_weight=1.0, num_class_images=1)
    with heard() as said:
        lora = personalize.lora(photo_pipe, pictures(), TRIGGER, config, folder=tmp_path / "lora")
        whole = replace(DREAMBOOTH, max_train_steps=1, prior_loss_weight=0.0)
        watch = lambda progress: progress.sample(**QUICK)  # noqa: E731
        tuned = personalize.dreambooth(photo_pipe, pictures(), TRIGGER, whole, watch, tmp_path / "whole")
        again = personalize.read(tuned.save(tmp_path / "x.safetensors"), photo_pipe)
    assert said == [] and tuned.unet.dtype == again.unet.dtype == photo_pipe.unet.dtype
    assert all(t.dtype == torch.float32 and t.isfinite().all() for t in lora.tensors.values())
    assert all(b.abs().max() > 0 for _, b in lora.pairs().values())
    assert same(state(photo_pipe.unet), before) and not photo_pipe.unet.is_gradient_checkpointing
    assert lora.about.base.name == "some/model" and lora.about.base.revision == "0" * 40


@pytest.mark.slow
def test_dreambooth_trains_a_copy_and_keeps_the_prior(pipe, tmp_path):
    before, own, stages = state(pipe.unet), pipe.unet, []
    watch = lambda progress: stages.append((progress.stage, progress.step))  # noqa: E731
    tuned = personalize.dreambooth(pipe, pictures(), TRIGGER, DREAMBOOTH, watch, tmp_path / "a")
    assert stages[0] == ("prior pictures", 1) and stages[-1] == ("training", 4)
    assert pipe.unet is own and same(state(own), before) and not same(state(tuned.unet), before)
    base = guess(pipe)
    with personalize.swapped(pipe, tuned):
        assert not torch.equal(guess(pipe), base)
    assert torch.equal(guess(pipe), base)
    without = personalize.dreambooth(
        pipe, pictures(), TRIGGER, replace(DREAMBOOTH, prior_loss_weight=0.0), folder=tmp_path / "b"
    )
    assert not same(state(without.unet), state(tuned.unet))
    with pytest.raises(Killed):
        personalize.dreambooth(pipe, pictures(), TRIGGER, DREAMBOOTH, kill_at(2), tmp_path / "c")
    again = personalize.dreambooth(pipe, pictures(), TRIGGER, DREAMBOOTH, folder=tmp_path / "c")
    assert same(state(again.unet), state(tuned.unet))


def test_dreambooth_shows_the_copy_in_live_samples(pipe, tmp_path):
    painted = []
    config = replace(DREAMBOOTH, prior_loss_weight=0.0, learning_rate=0.1)
    personalize.dreambooth(
        pipe, pictures(), TRIGGER, config, lambda progress: painted.append(progress.sample(**QUICK)), tmp_path
    )
    generator = torch.Generator().manual_seed(0)
    plain = pipe(f"a {TRIGGER}", generator=generator, guidance_scale=4.0, **QUICK).images[0]
    assert isinstance(plain, Image.Image) and all(p.tobytes() != plain.tobytes() for p in painted)


def test_prior_needs_a_class(pipe, tmp_path):
    with pytest.raises(ValueError, match="'sks' names no class"):
        personalize.dreambooth(pipe, pictures(), "sks", DREAMBOOTH, folder=tmp_path / "a")
    personalize.dreambooth(
        pipe, pictures(), "sks", replace(DREAMBOOTH, class_prompts=("a cat",)), folder=tmp_path / "b"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rank": 9}, "rank=9 is out of range.* has 8 rows or columns.*use 1 to 8"),
        ({"rank": 0}, "rank=0 is out of range; use 1 or more"),
        ({"target_modules": ("to_z",)}, "target_modules='to_z' ends no layer's name"),
        ({"target_modules": ("conv1",)}, "conv1 is a Conv2d"),
        ({"max_train_steps": 0}, "max_train_steps=0 is out of range; use 1 or more"),
        ({"learning_rate": 0.0}, "learning_rate=0.0 is out of range; use more than 0"),
        ({"width": 100}, "width=100 is no multiple of 16"),
    ],
)
def test_knobs_that_will_not_do(pipe, changes, said):
    with pytest.raises(ValueError, match=said):
        personalize.lora(pipe, pictures(), TRIGGER, replace(LORA, **changes))


def test_pipeline_with_a_lora_is_refused(pipe, learned):
    with personalize.attached(pipe, learned[0]), pytest.raises(ValueError, match="carries the LoRA 'lora0'"):
        personalize.lora(pipe, pictures(), TRIGGER, LORA)


@pytest.mark.slow
def test_command_line(tmp_path, capsys, monkeypatch):
    from course_utils.personalize.__main__ import main

    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    base = models.build_clay_folder(tmp_path / "base")
    (tmp_path / "shots").mkdir()
    for number, picture in enumerate(pictures(2, 256, 256)):
        picture.save(tmp_path / f"shots/{number}.png")
    out = tmp_path / "robot.safetensors"
    line = ["lora", str(tmp_path / "shots"), TRIGGER, str(out), "--base", str(base)]
    main([*line, "--max_train_steps", "1", "--rank", "3", "--train_batch_size", "1"])
    lora = personalize.read(out, catalog.load("text2img", folder=base))
    assert (lora.about.steps, lora.about.rank) == (1, 3) and f"{lora.bytes:,} bytes" in capsys.readouterr().out


@pytest.mark.parametrize("train", [personalize.lora, personalize.dreambooth])
def test_a_rate_that_is_far_too_high_ends_with_a_reason(pipe, train, tmp_path):
    config = replace(LORA if train is personalize.lora else DREAMBOOTH, prior_loss_weight=0.0)
    config, before = replace(config, learning_rate=1e30, lr_warmup_steps=0, max_train_steps=8), state(pipe.unet)
    with pytest.raises(FloatingPointError, match=r"loss is .* at step \d.*learning rate 1e\+30 is too high"):
        train(pipe, pictures(), TRIGGER, config, folder=tmp_path)
    assert not hasattr(pipe.unet, "peft_config") and same(state(pipe.unet), before)


@pytest.mark.parametrize("out", ["robot.pt", "robot", "file/robot.safetensors"])
def test_the_command_line_looks_at_its_output_before_anything_is_read(tmp_path, monkeypatch, out):
    from course_utils.personalize.__main__ import main

    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(catalog, "load", lambda *_, **__: pytest.fail("a model was read"))
    with pytest.raises((ValueError, OSError), match="out"):
        main(["lora", str(tmp_path), TRIGGER, str(tmp_path / out)])


@pytest.mark.parametrize("train", [personalize.lora, personalize.dreambooth])
@pytest.mark.slow
def test_an_interrupt_keeps_what_was_learned_and_the_same_call_goes_on(pipe, train, tmp_path):
    config = LORA if train is personalize.lora else replace(DREAMBOOTH, prior_loss_weight=0.0)

    def watch(progress):
        if progress.step == 2:
            signal.raise_signal(signal.SIGINT)

    part = train(pipe, pictures(), TRIGGER, config, watch, tmp_path / "run")
    assert part.about.steps == 2
    whole = train(pipe, pictures(), TRIGGER, config, folder=tmp_path / "run")
    straight = train(pipe, pictures(), TRIGGER, config, folder=tmp_path / "straight")
    weights = lambda learned: learned.tensors if train is personalize.lora else state(learned.unet)  # noqa: E731
    assert whole.about.steps == 4 and same(weights(whole), weights(straight))


def test_an_interrupt_while_the_prior_is_painted_keeps_the_base(pipe, tmp_path):
    config = replace(LORA, prior_loss_weight=1.0, num_class_images=3)
    watch = lambda progress: signal.raise_signal(signal.SIGINT) if progress.step == 2 else None  # noqa: E731
    lora = personalize.lora(pipe, pictures(), TRIGGER, config, watch, tmp_path)
    assert lora.about.steps == 0


@pytest.mark.slow
def test_out_is_checked_before_the_first_step_and_written_before_the_checkpoint_goes(pipe, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.safetensors").mkdir()
    never = lambda progress: pytest.fail("it has trained")  # noqa: E731
    for out, problem in (
        ("robot.bin", ValueError), ("robot", ValueError), ("folder.safetensors", ValueError),
        ("file/robot.safetensors", OSError), ("/proc/robot.safetensors", OSError),
    ):  # fmt: skip
        with pytest.raises(problem, match="out"):
            personalize.lora(pipe, pictures(), TRIGGER, LORA, never, tmp_path / "run", tmp_path / out)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
        with pytest.raises(OSError, match="0 MB free"):
            personalize.lora(pipe, pictures(), TRIGGER, LORA, never, tmp_path / "run", tmp_path / "x.safetensors")
    out = tmp_path / "deep" / "robot.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(personalize.Lora, "save", lambda lora, path: (_ for _ in ()).throw(OSError("the disk is full")))
        with pytest.raises(OSError, match="the disk is full"):
            personalize.lora(pipe, pictures(), TRIGGER, LORA, folder=tmp_path / "run", out=out)
    assert (tmp_path / "run/checkpoint.pt").exists() and not out.exists()
    steps = []
    lora = personalize.lora(pipe, pictures(), TRIGGER, LORA, steps.append, tmp_path / "run", out)
    assert not steps and same(personalize.read(out, pipe).tensors, lora.tensors) and not (tmp_path / "run").exists()


@pytest.mark.parametrize("caption", ["a photo of a very old and dusty " * 5 + "{}", "x" * 200 + " {} in a room"])
def test_a_caption_that_is_cut_before_the_trigger_is_refused(pipe, caption, tmp_path):
    examples = [personalize.Example(picture, caption) for picture in pictures(2)]
    with pytest.raises(ValueError, match=r"caption of pictures\[0\] is cut after 32 tokens, before the trigger"):
        personalize.lora(pipe, examples, TRIGGER, LORA, folder=tmp_path)
    with pytest.raises(ValueError, match="before the trigger"):
        personalize.lora(pipe, pictures(), "sks " * 40, LORA, folder=tmp_path)


def test_training_takes_the_lane_of_the_pipeline(photo_pipe, pipe, monkeypatch, tmp_path):
    ranks = {"sd15": 3, "clay": 2}
    for lane, rank in ranks.items():
        monkeypatch.setitem(presets.PRESETS[lane], "lora", replace(LORA, rank=rank))
    monkeypatch.setattr("course_utils.env.choose_lane", lambda lane=None: lane or pytest.fail("asked again"))
    for each, lane in ((photo_pipe, "sd15"), (pipe, "clay")):
        assert personalize.lora(each, pictures(), TRIGGER, folder=tmp_path / lane).about.rank == ranks[lane]


def test_a_step_that_does_not_fit_says_what_to_change(pipe, monkeypatch, tmp_path):
    def full(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("course_utils.personalize.batches.PreservationLoss.__call__", full)
    with pytest.raises(MemoryError, match="gradient_checkpointing=True, train_batch_size=1"):
        personalize.lora(pipe, pictures(), TRIGGER, LORA, folder=tmp_path)
    assert not hasattr(pipe.unet, "peft_config")
