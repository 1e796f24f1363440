"""A training of a ControlNet from its call to its end: stopped, killed, resumed, in parts; and pairs in folders."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import catalog, controlnet, env
from course_utils.controlnet.__main__ import main
from tests.tiny import models

HEIGHT, WIDTH = 64, 96
PROMPTS = ["a red cat", "a dog on the beach", "a bird"]
SMALL = {"max_train_steps": 5, "train_batch_size": 2, "lr_warmup_steps": 1, "ema_steps": 3, "save_every_s": 0.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return models.build_clay_folder(tmp_path_factory.mktemp("clay"))


@pytest.fixture(scope="module")
def pipe(folder):
    return catalog.load("text2img", "clay", folder=folder)


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)) for _ in PROMPTS]


@pytest.fixture(scope="module")
def maps():
    """Silhouettes: white discs on black."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    discs = [(y - 32) ** 2 + (x - 20 - 25 * number) ** 2 < 300 for number in range(len(PROMPTS))]
    return [Image.fromarray(np.uint8(disc) * 255).convert("RGB") for disc in discs]


@pytest.fixture(scope="module")
def pairs(pipe, pictures, maps):
    return controlnet.ControlPairs.of(pipe, pictures, maps, PROMPTS)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    return env.cache_folder() / "controlnet"


def train(pipe, pairs, watch=None, net=None, **more):
    config = controlnet.ControlNetTrainingConfig(**SMALL | more.pop("changes", {}))
    return controlnet.train(pipe, net or controlnet.copy_of(pipe), pairs, config, watch, **more)


def same(first, second):
    return all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


@pytest.mark.slow
def test_a_killed_run_comes_to_the_same_net_to_the_last_bit(pipe, pairs, cache):
    whole = train(pipe, pairs)
    assert not list(cache.glob("*")), "a finished run leaves nothing"

    def kill(progress):
        if progress.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(pipe, pairs, kill)
    seen = []
    again = train(pipe, pairs, lambda progress: seen.append(progress.step))
    assert same(whole.net, again.net) and again.finished and seen in ([3, 4, 5], [4, 5])


@pytest.mark.slow
def test_stop_keeps_what_it_has_and_the_same_call_goes_on(pipe, pairs, cache):
    run = train(pipe, pairs, lambda progress: progress.stop() if progress.step == 2 else None)
    assert not run.finished and len(list(cache.glob("*/checkpoint.pt"))) == 1 and not run.net.training
    assert any(layer.weight.any() for layer in controlnet.zero_layers(run.net).values())
    assert same(train(pipe, pairs).net, train(pipe, pairs).net)


@pytest.mark.slow
def test_other_pairs_do_not_go_on_from_these(pipe, pairs, tmp_path):
    train(pipe, pairs, folder=tmp_path / "run", minutes=0)
    with pytest.raises(ValueError, match="holds a run with other pictures"):
        train(pipe, pairs[:2], folder=tmp_path / "run")


@pytest.mark.slow
def test_another_seed_is_another_net(pipe, pairs):
    assert not same(train(pipe, pairs).net, train(pipe, pairs, changes={"seed": 1}).net)


@pytest.mark.slow
def test_the_watcher_can_paint_and_nothing_changes(pipe, pairs, maps):
    painted, how = [], {"num_inference_steps": 2, "guidance_scale": 1.0}
    quiet = train(pipe, pairs)

    def look(progress):
        assert progress.steps == 5 and np.isfinite(progress.loss) and not progress.net.training
        painted.append(np.asarray(progress.sample("a cat", seed=1, image=maps[0], **how)))

    assert same(quiet.net, train(pipe, pairs, look).net) and len(painted) == 5
    assert not np.array_equal(painted[0], painted[-1]), "it paints with what is learned so far"
    last = controlnet.with_control(pipe, quiet.net)(
        "a cat", image=maps[0], generator=torch.Generator().manual_seed(1), **catalog.defaults("clay") | how
    )
    assert np.array_equal(painted[-1], np.asarray(last.images[0]))


@pytest.mark.slow
def test_noise_steps_may_be_drawn_otherwise(pipe, pairs):
    asked = []

    def late(step, count, generator):
        asked.append((step, count))
        return torch.full((count,), 999)

    assert not same(train(pipe, pairs).net, train(pipe, pairs, timesteps=late).net)
    assert asked == [(step, 2) for step in range(5)]


@pytest.mark.slow
def test_a_batch_may_come_in_parts(pipe, pairs):
    drawn = []

    class Counted:
        def draw(self, count, generator):
            drawn.append(count)
            return pairs.draw(count, generator)

    assert train(pipe, Counted(), changes={"gradient_accumulation_steps": 2}).finished
    assert drawn[1:] == [1] * 10, "one pair in memory at a time, after the one that is looked at first"


def test_parts_add_up_to_the_whole(pipe, pairs):
    """The gradient of two halves, one after the other, is that of both together, up to rounding."""
    net, config = controlnet.copy_of(pipe, zero=False), controlnet.ControlNetTrainingConfig(optimizer="adamw")
    loss, noise = controlnet.ControlNetLoss(pipe, net, config), torch.Generator().manual_seed(0)
    halves = [loss(pairs[k : k + 1].draw(1, noise), noise) / 2 for k in range(2)]
    weight = controlnet.zero_layers(net)["middle"].weight
    apart = sum(torch.autograd.grad(half, weight, retain_graph=True)[0] for half in halves)
    assert torch.allclose(apart, torch.autograd.grad(sum(halves), weight)[0], rtol=1e-2, atol=1e-6)


@pytest.mark.slow
def test_checkpointing_changes_nothing_and_is_taken_back(pipe, pairs):
    config = {"gradient_checkpointing": True, "optimizer": "adamw", "ema_steps": 0}
    saves, plain = (train(pipe, pairs, changes=config | {"gradient_checkpointing": on}) for on in (True, False))
    pair = [controlnet.zero_layers(run.net)["middle"].weight for run in (saves, plain)]
    assert torch.allclose(*pair, atol=1e-6) and not pipe.unet.is_gradient_checkpointing
    assert not saves.net.is_gradient_checkpointing


def test_what_does_not_fit_is_refused_before_it_starts(pipe, pairs, monkeypatch):
    monkeypatch.setattr(env, "free_memory", lambda device: 2**20)
    with pytest.raises(
        MemoryError, match="about .* GB beside the pipeline; 0.0 GB are free.*gradient_checkpointing=True"
    ):
        train(pipe, pairs)


def test_a_step_that_does_not_fit_says_what_to_change(pipe, pairs, monkeypatch):
    def full(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(controlnet.ControlNetLoss, "__call__", full)
    with pytest.raises(MemoryError, match="does not fit.*gradient_checkpointing=True"):
        train(pipe, pairs)


def test_memory_counts_what_is_trained(pipe):
    net, config = controlnet.copy_of(pipe), controlnet.ControlNetTrainingConfig
    each = [
        controlnet.memory_gb(pipe, net, config.for_lane("sd15", **change), 512, 512)
        for change in ({"optimizer": "adamw8bit"}, {"optimizer": "adamw"}, {"ema_steps": 10})
    ]
    assert each == sorted(each) and len(set(each)) == 3
    low = controlnet.memory_gb(pipe, net, config.for_lane("sd15", gradient_accumulation_steps=1), 512, 512)
    assert low > each[1], "four pictures at a time"
    shared = controlnet.memory_gb(pipe, net, config.for_lane("sd15", gradient_accumulation_steps=1), 512, 512, 4)
    assert shared < low, "four cards, a picture each"


def test_eight_bit_adam_names_what_is_missing(pipe, pairs, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "bitsandbytes.optim", None)
    with pytest.raises(ImportError, match="pip install bitsandbytes.*'adamw'"):
        train(pipe, pairs, changes={"optimizer": "adamw8bit"})


# Pairs in a folder


def test_a_folder_of_pairs_gives_the_same_pairs(pipe, pairs, pictures, maps, tmp_path):
    controlnet.write_pairs(tmp_path, pictures, maps, PROMPTS)
    read = controlnet.ControlPairs.of(pipe, *controlnet.read_pairs(tmp_path))
    assert read.digest() == pairs.digest() != pairs[:2].digest()


def jpeg(image, quality=75):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


@pytest.mark.parametrize("how", ["bytes", "file", "picture"])
def test_a_map_whose_colours_jpeg_smeared_is_refused(pipe, pictures, maps, tmp_path, how):
    path = tmp_path / "map.jpg"
    path.write_bytes(jpeg(maps[1]))
    smeared = {"bytes": path.read_bytes(), "file": path, "picture": Image.open(path)}[how]
    with pytest.raises(ValueError, match=r"maps\[1\] is a JPEG: .* smeared .*PNG"):
        controlnet.ControlPairs.of(pipe, pictures, [maps[0], smeared, maps[2]], PROMPTS)


def test_a_smooth_map_may_be_a_jpeg(pipe, pictures):
    slope = np.linspace(0, 255, WIDTH)[None] * np.linspace(0.3, 1, HEIGHT)[:, None]
    depth = jpeg(Image.fromarray(slope.astype(np.uint8)).convert("RGB"))
    assert len(controlnet.ControlPairs.of(pipe, pictures[:1], [depth], PROMPTS[:1])) == 1


@pytest.mark.parametrize(
    ("lines", "error", "message"),
    [
        (None, FileNotFoundError, "has no prompt.json: write a line"),
        ("", ValueError, "has no pairs"),
        ('{"source": "a.png"}', ValueError, "Line 1 of prompt.json is no pair: it needs target, source, prompt"),
        ("[", ValueError, "Line 1"),
        ('{"source": "a.png", "target": "b.png", "prompt": ""}', FileNotFoundError, "'b.png', which is not there"),
    ],
)
def test_a_folder_without_pairs_says_what_is_missing(tmp_path, lines, error, message):
    if lines is not None:
        (tmp_path / "prompt.json").write_text(lines)
    with pytest.raises(error, match=message):
        controlnet.read_pairs(tmp_path)


@pytest.mark.slow
def test_the_command_trains_and_the_net_loads_in_plain_diffusers(folder, pictures, maps, tmp_path):
    from diffusers import ControlNetModel

    controlnet.write_pairs(tmp_path / "pairs", pictures, maps, PROMPTS)
    line = ["--lane", "clay", "--base", str(folder), "--max_train_steps", "2", "--train_batch_size", "2"]
    main([str(tmp_path / "pairs"), str(tmp_path / "net"), *line])
    net = ControlNetModel.from_pretrained(tmp_path / "net")
    assert any(layer.weight.any() for layer in controlnet.zero_layers(net).values())
    assert not any(
        str(tmp_path) in str(value) for value in json.loads((tmp_path / "net/config.json").read_text()).values()
    )
