"""The base is the base: what is merged, attached, fused or written into shared weights is known and told."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from course_utils import catalog, env, personalize
from course_utils.catalog.carried import carried, fingerprint
from tests.tiny import models
from tests.tiny.learning import LORA, TRIGGER, guess, pictures, same, state


@pytest.fixture
def pipe(tmp_path, monkeypatch):
    """A pipeline of the kept base, as a lesson has it."""
    models.build_clay_folder(tmp_path / "models/clay-base")
    monkeypatch.setattr(env, "ASSETS", tmp_path)
    catalog.release()
    yield catalog.load("text2img", "clay")
    catalog.release()


def drawn(pipe, seed, text=False):
    generator = torch.Generator().manual_seed(seed)
    with personalize.injected(pipe, replace(LORA, train_text_encoder=text)) as named:
        tensors = {name: 0.2 * torch.randn(p.shape, generator=generator) for name, p in named.items()}
    about = personalize.About("lora", f"{TRIGGER} {seed}", personalize.base_of(pipe), 1, 2, 2.0, LORA.target_modules)
    return personalize.Lora(tensors, about)


def test_a_fingerprint_is_of_every_tensor_and_of_no_dtype_layout_or_lora(pipe):
    before = fingerprint(pipe.unet)
    with personalize.attached(pipe, drawn(pipe, 0)):
        assert fingerprint(pipe.unet) == before
    pipe.unet.to(torch.float64)
    pipe.unet.to(torch.float32)
    pipe.unet.to(memory_format=torch.channels_last)
    assert fingerprint(pipe.unet) == before and carried(pipe.unet) == ""
    for p in pipe.unet.parameters():
        kept = p.detach().clone()
        p.data.mul_(1.01).add_(0.01)
        assert fingerprint(pipe.unet) != before
        p.data.copy_(kept)
    assert fingerprint(pipe.unet) == before


@pytest.mark.parametrize("again", ["same", "read twice"])
def test_merging_twice_is_refused(pipe, again, tmp_path):
    lora = drawn(pipe, 0)
    path = lora.save(tmp_path / "x.safetensors")
    merged = personalize.merge(pipe, lora)
    once = state(pipe.unet)
    with pytest.raises(ValueError, match="'sks robot 0' is merged already"):
        personalize.merge(pipe, lora if again == "same" else personalize.read(path, pipe))
    assert same(state(pipe.unet), once)
    personalize.unmerge(pipe, merged)
    personalize.unmerge(pipe, personalize.merge(pipe, lora))


@pytest.mark.parametrize("text", [False, True], ids=["unet", "text"])
def test_unmerging_is_exact_in_order_and_refused_out_of_order(pipe, text):
    before = state(pipe.unet) | state(pipe.text_encoder)
    first = personalize.merge(pipe, drawn(pipe, 0, text))
    second = personalize.merge(pipe, drawn(pipe, 1, text), 0.5)
    with pytest.raises(ValueError, match="'sks robot 1' was merged after 'sks robot 0'"):
        personalize.unmerge(pipe, first)
    personalize.unmerge(pipe, second)
    with pytest.raises(ValueError, match="'sks robot 1' is not merged"):
        personalize.unmerge(pipe, second)
    personalize.unmerge(pipe, first)
    assert same(state(pipe.unet) | state(pipe.text_encoder), before) and not carried(pipe.unet)


def test_another_pipeline_on_the_same_weights_knows(pipe):
    other = catalog.load("img2img", "clay")
    merged = personalize.merge(pipe, drawn(pipe, 0))
    with pytest.raises(ValueError, match="is merged already"):
        personalize.merge(other, drawn(pipe, 0))
    personalize.unmerge(other, merged)
    assert not carried(pipe.unet)


def test_fusing_inside_a_block_is_refused(pipe):
    before, base = state(pipe.unet), guess(pipe)
    for fuse in (
        lambda: pipe.fuse_lora(),
        lambda: pipe.fuse_lora(components=["text_encoder"], lora_scale=0.5),
        lambda: pipe.unet.fuse_lora(adapter_names=["lora0"]),
    ):
        with personalize.attached(pipe, drawn(pipe, 0, text=True)), pytest.raises(ValueError, match="fuse_lora"):
            fuse()
    with personalize.injected(pipe, LORA), pytest.raises(ValueError, match="fuse_lora"):
        pipe.unet.fuse_lora()
    assert same(state(pipe.unet), before) and torch.equal(guess(pipe), base)


def changed(pipe, way):
    lora = drawn(pipe, 0)
    if way == "merged":
        personalize.merge(pipe, lora)
    elif way == "loaded":
        pipe.unet.load_lora_adapter(dict(lora.tensors), prefix="unet", adapter_name="own")
    elif way == "fused":
        pipe.load_lora_weights(dict(lora.tensors))
        pipe.fuse_lora()
        pipe.unload_lora_weights()
    elif way == "in place":
        pipe.unet.conv_in.weight.data.mul_(1.1)
    return lora


WAYS = {
    "merged": "merged LoRA 'sks robot 0'",
    "loaded": "LoRA 'own'",
    "fused": "in place",
    "in place": "in place",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_changed_base_is_told_and_never_handed_out_as_fresh(pipe, way, capsys):
    fresh = state(pipe.unet)
    changed(pipe, way)
    other = catalog.load("img2img", "clay")
    assert WAYS[way] in capsys.readouterr().out
    assert other.unet is not pipe.unet and same(state(other.unet), fresh) and not carried(other.unet)
    catalog.load("text2img", "clay")
    assert not capsys.readouterr().out, "said once"


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_learned_on_a_changed_base(pipe, way, tmp_path):
    changed(pipe, way)
    with pytest.raises(ValueError, match=WAYS[way]):
        personalize.lora(pipe, pictures(), TRIGGER, LORA, folder=tmp_path / "run")


@pytest.mark.parametrize("way", ["loaded", "fused", "in place"])
def test_nothing_is_merged_or_attached_where_something_unknown_is(pipe, way):
    lora = changed(pipe, way)
    with pytest.raises(ValueError, match="LoRA 'own'|changed in place"):
        personalize.merge(pipe, lora)
    with pytest.raises(ValueError, match="LoRA 'own'|changed in place"), personalize.attached(pipe, lora):
        pass


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), "1", None, True])
def test_weights_must_be_numbers(pipe, weight):
    lora = drawn(pipe, 0)
    with pytest.raises((TypeError, ValueError), match="weight"):
        personalize.merge(pipe, lora, weight)
    with pytest.raises((TypeError, ValueError), match=r"weights\[1\]"):
        personalize.add(lora, drawn(pipe, 1), (1.0, weight))
    for weights in (weight, [weight]):
        with (
            pytest.raises((TypeError, ValueError), match=r"weights\[0\]"),
            personalize.attached(pipe, lora, weights=weights),
        ):
            pass


def test_weights_that_do_nothing_or_do_not_pair_up_are_refused(pipe):
    lora, before = drawn(pipe, 0), state(pipe.unet)
    with pytest.raises(ValueError, match="weight=0.0 would change nothing"):
        personalize.merge(pipe, lora, 0.0)
    for weights in ((1.0,), (1.0, 1.0, 1.0)):
        with pytest.raises(ValueError, match=r"weights=.* has \d values; use 2"):
            personalize.add(lora, drawn(pipe, 1), weights)
    with personalize.attached(pipe, lora, weights=np.float32(0.5)):  # numpy's numbers are numbers
        pass
    assert same(state(pipe.unet), before)
