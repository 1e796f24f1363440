"""Copy, lock, zero; train on pairs: nothing changes before training, nothing but the copy changes during it."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import catalog, controlnet
from course_utils.recipe import control
from tests.tiny import models

HEIGHT, WIDTH = 64, 96
PROMPTS = ["a red cat", "a dog on the beach", "a bird"]


@pytest.fixture(scope="module")
def pipe(tmp_path_factory):
    return catalog.load("text2img", "clay", folder=models.build_clay_folder(tmp_path_factory.mktemp("clay")))


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)) for _ in PROMPTS]


@pytest.fixture(scope="module")
def pairs(pipe, pictures):
    return controlnet.ControlPairs.of(pipe, pictures, pictures[::-1], PROMPTS)


def paint(pipe, **more):
    noise = torch.Generator().manual_seed(0)
    return pipe("a red cat", generator=noise, num_inference_steps=2, output_type="np", **more).images[0]


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(before, model):
    return all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


# The copy


def test_a_fresh_copy_changes_nothing_to_the_last_bit(pipe, pictures):
    plain = paint(pipe, height=HEIGHT, width=WIDTH)
    assert np.array_equal(plain, paint(controlnet.with_control(pipe, controlnet.copy_of(pipe)), image=pictures[0]))


@pytest.mark.parametrize("how", [{"zero": False}])
def test_gaussian_connections_do_change_the_picture(pipe, pictures, how):
    plain = paint(pipe, height=HEIGHT, width=WIDTH)
    assert not np.array_equal(
        plain, paint(controlnet.with_control(pipe, controlnet.copy_of(pipe, **how)), image=pictures[0])
    )


def test_at_every_joint_what_it_says_is_added(pipe, pictures):
    painter = controlnet.with_control(pipe, controlnet.copy_of(pipe, zero=False))
    with controlnet.joints(painter) as joints:
        heard = paint(painter, image=pictures[0])
    assert len(joints) == len(controlnet.zero_layers(painter.controlnet)) - 1, "the hint's own layer adds nothing here"
    assert all(joint.said.any() and torch.equal(joint.after, joint.before + joint.said) for joint in joints)
    kept = [*joints]
    assert np.array_equal(paint(painter, image=pictures[0]), heard)
    assert all(old is new for old, new in zip(kept, joints, strict=True)), "no hook is left"


def test_the_copy_is_the_unets_encoder(pipe):
    net = controlnet.copy_of(pipe)
    copied = weights(pipe.unet)
    mine = {name: value for name, value in net.state_dict().items() if not name.startswith("controlnet_")}
    assert mine and all(torch.equal(value, copied[name]) for name, value in mine.items())
    assert len(controlnet.zero_layers(net)) == 8 and not any(
        layer.weight.any() or layer.bias.any() for layer in controlnet.zero_layers(net).values()
    )


def test_a_control_lora_thins_what_was_copied_and_nothing_else(pipe):
    net = controlnet.copy_of(pipe)
    thin, own = controlnet.layers_to_thin(net), {name for name, _ in net.named_modules()}
    assert thin and set(thin) <= own and not any("controlnet_" in name or "time_emb" in name for name in thin)
    assert all(isinstance(net.get_submodule(name), torch.nn.Linear | torch.nn.Conv2d) for name in thin)


def test_a_seed_means_the_same_copy_and_the_global_generator_is_left_alone(pipe):
    before = torch.random.get_rng_state()
    first, again, other = (controlnet.copy_of(pipe, zero=False, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert same(weights(first), again) and not same(weights(first), other)


def test_a_louder_one_says_at_scale_one_what_the_first_says_at_its_gain(pipe, pictures):
    net = controlnet.copy_of(pipe, zero=False)
    before = weights(net)
    loud = controlnet.with_control(pipe, control.with_gain(net, 0.5))
    quiet = paint(controlnet.with_control(pipe, net), image=pictures[0], controlnet_conditioning_scale=0.5)
    assert np.abs(paint(loud, image=pictures[0]) - quiet).max() < 1e-5 and same(before, net)
    assert same(before, control.with_gain(net, 1.0))


@pytest.mark.parametrize("gain", [0, -1.0, float("nan"), float("inf")])
def test_a_gain_that_is_no_loudness_is_refused(pipe, gain):
    with pytest.raises(ValueError, match="gain=.*above 0"):
        control.with_gain(controlnet.copy_of(pipe), gain)


def test_an_autoencoder_without_a_hint_encoder_is_named(pipe, monkeypatch):
    monkeypatch.setattr(pipe, "vae_scale_factor", 32)
    with pytest.raises(ValueError, match=r"vae_scale_factor=32.*\[8, 16\]"):
        controlnet.copy_of(pipe)


# Pairs


def test_pairs_are_what_the_pipeline_sees(pipe, pairs, pictures):
    assert pairs.latents.shape == (3, 12, HEIGHT // 16, WIDTH // 16) and pairs.ids.shape == (3, 32)
    batch = pairs.draw(40, torch.Generator().manual_seed(0))
    assert batch.hint.shape == (40, 3, HEIGHT, WIDTH) and 0 <= batch.hint.min() < batch.hint.max() <= 1
    row = [torch.equal(batch.ids[0], ids) for ids in pairs.ids].index(True)
    assert np.array_equal((batch.hint[0] * 255).round().byte().permute(1, 2, 0), np.asarray(pictures[2 - row]))
    assert torch.equal(batch.latents[0], pairs.latents[row]) and len(pairs[:2]) == 2
    assert set(map(tuple, batch.ids.tolist())) == set(map(tuple, pairs.ids.tolist()))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prompts": PROMPTS[:2]}, "'prompts': 2.*pair up"),
        ({"pictures": [], "maps": [], "prompts": []}, "'pictures': 0.*no pairs"),
        ({"maps": [Image.new("RGB", (64, 64))] * 3}, r"\(64, 64\), \(64, 96\).*one size"),
        (dict.fromkeys(("pictures", "maps"), [Image.new("RGB", (100, 72))] * 3), "72 x 100 pixels.* 16; .* 64 x 96"),
        ({"maps": [b"torn"] * 3}, r"maps\[0\] is no picture"),
    ],
)
def test_pairs_that_do_not_pair_up_are_refused(pipe, pictures, change, said):
    given = {"pictures": pictures, "maps": pictures, "prompts": PROMPTS} | change
    with pytest.raises(ValueError, match=said):
        controlnet.ControlPairs.of(pipe, **given)


# Training


def test_only_the_copy_learns_and_the_pipeline_is_left_as_it_was(pipe, pairs):
    pipe.unet.requires_grad_(True)
    kept = {name: weights(part) for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}
    processors = dict(pipe.unet.attn_processors)
    net = controlnet.copy_of(pipe)
    silent = controlnet.zero_layers(net)
    run = controlnet.train(
        pipe, net, pairs, controlnet.ControlNetTrainingConfig(max_train_steps=3, train_batch_size=2, lr_warmup_steps=1)
    )
    assert run.finished and all(layer.weight.any() for layer in silent.values())
    assert all(same(before, pipe.components[name]) for name, before in kept.items())
    assert pipe.unet.attn_processors == processors and all(p.requires_grad for p in pipe.unet.parameters())
    assert not any(p.grad is not None for p in pipe.unet.parameters())
    assert {type(p) for p in run.net.attn_processors.values()} == {type(p) for p in processors.values()}


def test_an_exception_unlocks_the_pipeline(pipe):
    class Torn:
        def draw(self, count, generator):
            raise RuntimeError("enough")

    processors = dict(pipe.unet.attn_processors)
    with pytest.raises(RuntimeError, match="enough"):
        controlnet.train(pipe, controlnet.copy_of(pipe), Torn())
    assert pipe.unet.attn_processors == processors and all(p.requires_grad for p in pipe.unet.parameters())


def test_a_fresh_hint_encoder_lets_the_map_through(pipe):
    """All but its last layer, which is zero: what it makes of two maps differs about as much as the maps do."""
    encoder = controlnet.copy_of(pipe).controlnet_cond_embedding
    encoder.conv_out = torch.nn.Identity()
    maps = torch.rand(2, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        first, second = encoder(maps)
    assert 0.01 < (first - second).std() < 1


@pytest.mark.parametrize(
    ("field", "value"), [("learning_rate", float("nan")), ("max_train_steps", 0), ("proportion_empty_prompts", 1.5)]
)
def test_a_configuration_that_cannot_be_is_refused_by_the_fields_name(pipe, pairs, field, value):
    config = controlnet.ControlNetTrainingConfig(**{field: value})
    with pytest.raises(ValueError, match=f"{field}={value}"):
        controlnet.train(pipe, controlnet.copy_of(pipe), pairs, config)


@pytest.mark.parametrize("broken", ["rate", "picture"])
def test_a_loss_that_is_no_number_ends_the_training_with_a_reason(pipe, pairs, broken, tmp_path):
    rate = 1e30 if broken == "rate" else 1e-3
    config = controlnet.ControlNetTrainingConfig(
        max_train_steps=6, train_batch_size=2, learning_rate=rate, lr_warmup_steps=0
    )
    if broken == "picture":
        pairs = dataclasses.replace(pairs, latents=pairs.latents * float("nan"))
    with pytest.raises(FloatingPointError, match=r"loss is .* at step \d.*learning rate .* too high.*or a picture"):
        controlnet.train(pipe, controlnet.copy_of(pipe), pairs, config, folder=tmp_path)
    assert all(p.isfinite().all() for p in pipe.unet.parameters())


def test_it_learns_and_heeds_the_map(pipe, pairs):
    net, one = controlnet.copy_of(pipe), pairs[:1]
    config = controlnet.ControlNetTrainingConfig(
        max_train_steps=25, train_batch_size=4, learning_rate=5e-3, lr_warmup_steps=3, proportion_empty_prompts=0.0
    )
    objective = controlnet.ControlNetLoss(pipe, net, config)

    def error(hint):
        batch = dataclasses.replace(one.draw(16, torch.Generator()), hint=hint.expand(16, -1, -1, -1))
        with torch.no_grad():
            return objective(batch, torch.Generator().manual_seed(5)).item()

    before = error(one.hints / 255)
    assert before == error(1 - one.hints / 255)
    controlnet.train(pipe, net, one, config)
    assert error(one.hints / 255) < 0.97 * before and error(one.hints / 255) != error(1 - one.hints / 255)


def test_emptied_prompts_are_not_heard(pipe, pairs):
    deaf, hears = (
        controlnet.ControlNetLoss(
            pipe, controlnet.copy_of(pipe), controlnet.ControlNetTrainingConfig(proportion_empty_prompts=drop)
        )
        for drop in (1.0, 0.0)
    )
    batch = pairs.draw(2, torch.Generator())
    other = dataclasses.replace(batch, ids=batch.ids.flip(1))
    for objective, equal in ((deaf, True), (hears, False)):
        with torch.no_grad():
            errors = [objective(one, torch.Generator().manual_seed(0)) for one in (batch, other)]
        assert torch.equal(*errors) == equal


def test_a_stopped_run_goes_on_and_has_its_log(pipe, pairs, tmp_path):
    config = controlnet.ControlNetTrainingConfig(max_train_steps=4, train_batch_size=2, log_every=2)
    how = {"config": config, "folder": tmp_path}
    first = controlnet.train(pipe, controlnet.copy_of(pipe), pairs, minutes=0, **how)
    assert not first.finished and first.log == []
    run = controlnet.train(pipe, controlnet.copy_of(pipe), pairs, **how)
    again = controlnet.train(pipe, controlnet.copy_of(pipe), pairs, **how)
    assert run.finished and again.finished and same(weights(run.net), again.net) and not run.net.training
    assert [line["step"] for line in run.log] == [2, 4] == [line["step"] for line in again.log]
