"""A Stable Diffusion 1.5 of the learner's own: a folder, or one file; what it is, and what it is not."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from course_utils import catalog, env
from course_utils.catalog import files, hub, own
from tests.tiny import sd15 as tiny

SMALL = {"num_inference_steps": 2, "height": 64, "width": 64, "output_type": "np"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A Hub cache with the sd15 lane, and the base of it once more: as a folder and as one file."""
    from huggingface_hub import constants

    cache, mine = tmp_path_factory.mktemp("hub"), tmp_path_factory.mktemp("mine")
    with pytest.MonkeyPatch.context() as patch:
        tiny.build(cache)
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        patch.setattr(env, "choose_dtype", lambda lane: torch.float32)
        base = catalog.load(lane="sd15")
        tiny.single_file(base, mine / "mine.safetensors")
        base.save_pretrained(mine / "folder")
        catalog.release()
    return cache, mine


@pytest.fixture
def mine(built, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(built[0]))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(env, "choose_dtype", lambda lane: torch.float32)
    monkeypatch.setattr(own, "TOKEN", tiny.WIDTH)
    catalog.release()
    yield built[1]
    catalog.release()


def paint(pipe, **arguments):
    return pipe("a cat", generator=torch.Generator().manual_seed(0), **SMALL | arguments).images[0]


@pytest.mark.parametrize("name", ["mine.safetensors", "folder"])
def test_the_same_weights_paint_the_same_picture(mine, name, capfd):
    known = catalog.load(lane="sd15")
    pipe, wanted = catalog.load(lane="sd15", base=mine / name), paint(known)
    for part in ("unet", "vae", "text_encoder", "safety_checker"):
        pair = [getattr(each, part).state_dict() for each in (pipe, known)]
        assert pair[0].keys() == pair[1].keys() and all(torch.equal(pair[0][key], pair[1][key]) for key in pair[0])
    # where weights lie in memory decides the last bit of a float
    assert np.allclose(paint(pipe), wanted, atol=1e-5) and np.ptp(wanted) > 0
    assert type(pipe.safety_checker).__name__ == "StableDiffusionSafetyChecker" and pipe.config.requires_safety_checker
    assert catalog.base_of(pipe) == (mine / name).as_posix() and catalog.lane_of(pipe) == "sd15"
    assert not catalog.base_of(catalog.load(lane="sd15")) and capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [kind for kind, (use, _) in catalog.KINDS.items() if use == "base"])
def test_every_kind_stands_on_it_and_shares_its_weights(mine, kind):
    base, picture = mine / "mine.safetensors", torch.rand(1, 3, 64, 64)
    first = catalog.load(lane="sd15", base=base)
    pipe = catalog.load(kind, "sd15", "canny" if "control" in kind else None, base=base)
    assert pipe.unet is first.unet and pipe.safety_checker is first.safety_checker
    given = {"image": picture} if kind != "text2img" else {}
    if kind == "controlnet_img2img":
        given["control_image"] = picture
    assert np.isfinite(paint(pipe, **given)).all()


def test_a_folder_without_a_safety_checker_is_lent_one(mine, tmp_path):
    folder = shutil.copytree(mine / "folder", tmp_path / "bare")
    shutil.rmtree(folder / "safety_checker")
    index = json.loads((folder / "model_index.json").read_text())
    index |= {"safety_checker": [None, None], "requires_safety_checker": False}
    (folder / "model_index.json").write_text(json.dumps(index))
    pipe = catalog.load("img2img", lane="sd15", base=folder)
    assert pipe.safety_checker is not None and pipe.config.requires_safety_checker


def test_a_file_that_was_written_anew_is_read_anew(mine, tmp_path):
    file = shutil.copy(mine / "mine.safetensors", tmp_path)
    first = catalog.load(lane="sd15", base=file)
    tensors = load_file(file)
    save_file({name: tensor * 0.9 for name, tensor in tensors.items()}, file)
    assert not np.array_equal(paint(first), paint(catalog.load(lane="sd15", base=file)))


def test_what_a_file_lacks_is_asked_of_nobody_without_consent(mine, tmp_path, monkeypatch, capsys):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"safety checker.*0\.61 GB.*catalog\.fetch_checker\(\) downloads"):
        catalog.load(lane="sd15", base=mine / "mine.safetensors")
    assert not capsys.readouterr().out and not any(tmp_path.iterdir())
    assert catalog.load(lane="sd15", base=mine / "folder").safety_checker, "which has all of it"
    with pytest.raises(OSError, match="could not be downloaded"):
        catalog.fetch_checker()
    assert "about 0.61 GB" in capsys.readouterr().out


def test_of_the_checker_alone_the_weights_are_wanted(mine):
    folder = hub.cached(own.CHECKER)
    assert own.checker_folder() == folder == catalog.fetch_checker()
    assert hub.patterns(own.CHECKER)[-1] == "safety_checker/*.fp16.safetensors"
    weights = [
        path.parent.name for path in files.required(folder, "fp16", part="safety_checker") if "fp16" in path.name
    ]
    assert weights == ["safety_checker"]


def spoiled(mine, tmp_path, change):
    """The file with other tensors."""
    tensors = load_file(mine / "mine.safetensors")
    save_file(change(tensors), tmp_path / "spoiled.safetensors")
    return tmp_path / "spoiled.safetensors"


FILES = {
    "Stable Diffusion XL": lambda tensors: tensors | {"conditioner.embedders.0.x": torch.ones(1)},
    "Stable Diffusion 2": lambda tensors: tensors | {"cond_stage_model.model.x": torch.ones(1)},
    "a LoRA, which": lambda tensors: {"lora_unet_down.lora_up.weight": torch.ones(1)},
    "without autoencoder": lambda tensors: {k: v for k, v in tensors.items() if not k.startswith("first_stage")},
    "9 channels": lambda tensors: tensors | {own.FIRST: torch.ones(16, 9, 3, 3)},
    "have 64 numbers": lambda tensors: tensors | {own.WORDS: torch.ones(16, 64)},
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_of_another_family_is_named(mine, tmp_path, what):
    with pytest.raises(ValueError, match=f"base=.*{what}.*Stable Diffusion 1.5"):
        catalog.load(lane="sd15", base=spoiled(mine, tmp_path, FILES[what]))


def written(name, data=b"x"):
    def write(mine, tmp_path):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def changed(name, **changes):
    """The folder with other settings."""

    def copy(mine, tmp_path):
        folder = shutil.copytree(mine / "folder", tmp_path / "changed")
        (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | changes))
        return folder

    return copy


BAD = {
    "nowhere": (lambda mine, tmp_path: tmp_path / "none.safetensors", {}, "neither a folder nor a file"),
    "a name of the Hub": (lambda mine, tmp_path: "someone/model", {}, "the Hub is not asked"),
    "a checkpoint": (written("x.ckpt"), {}, "refused: a pickle"),
    "a picture": (written("x.png"), {}, "no .safetensors file"),
    "a pickle by another name": (written("x.safetensors", b"\x80\x04" * 20), {}, "is broken: 40 bytes"),
    "an empty folder": (lambda mine, tmp_path: tmp_path, {}, "has no model_index.json"),
    "an SDXL folder": (changed("model_index.json", _class_name="StableDiffusionXLPipeline"), {}, "XLPipeline; wanted"),
    "an inpainting folder": (changed("unet/config.json", in_channels=9), {}, "9 channels"),
    "a folder of SD 2": (changed("unet/config.json", cross_attention_dim=1024), {}, "1024 numbers"),
    "the clay lane": (lambda mine, tmp_path: mine, {"lane": "clay"}, "goes with lane='sd15'"),
    "a kind with weights of its own": (lambda mine, tmp_path: mine, {"kind": "inpaint"}, "kind='inpaint'"),
    "two at once": (lambda mine, tmp_path: mine, {"folder": "x"}, "give one of them"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_a_base_is_refused_and_nothing_is_read(mine, tmp_path, monkeypatch, name):
    make, arguments, message = BAD[name]
    base = make(mine, tmp_path)
    monkeypatch.setattr("course_utils.catalog.loading._read", None)
    with pytest.raises((ValueError, OSError), match=message):
        catalog.load(**{"kind": "text2img", "lane": "sd15", "base": base} | arguments)
