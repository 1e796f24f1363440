import contextlib
import dataclasses
import json
import logging
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import diffusers
import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import catalog, env
from course_utils.catalog import calls, checkpoints, files, hub, loading
from tests.tiny import models
from tests.tiny.hub import use_hub
from tools import assets as asset_list
from tools import check_hub

SMALL = {"num_inference_steps": 2, "height": 64, "width": 96, "output_type": "np"}


@pytest.fixture(scope="session")
def tiny_assets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("assets")
    base = models.build_clay_folder(folder / "models/clay-base")
    models.build_clay_control(folder / "models/clay-control-canny", base)
    return folder


@pytest.fixture(scope="session")
def tiny_hub(tmp_path_factory):
    cache = tmp_path_factory.mktemp("hub")
    base, canny = (catalog.checkpoint(use, "sd15") for use in ("base", "control canny"))
    snapshot = models.build_sd15_hub(cache, base.id, base.revision)
    models.build_control_hub(cache, canny.id, canny.revision, snapshot)
    return cache


@pytest.fixture
def clay(tiny_assets, monkeypatch):
    """The clay lane, with tiny models in place of what ships."""
    monkeypatch.setattr(env, "ASSETS", tiny_assets)
    catalog.release()
    yield tiny_assets
    catalog.release()


@pytest.fixture
def own_clay(clay, tmp_path, monkeypatch):
    """The same in a copy that a test may spoil; gives the base's folder."""
    shutil.copytree(clay, tmp_path / "assets")
    monkeypatch.setattr(env, "ASSETS", tmp_path / "assets")
    return tmp_path / "assets/models/clay-base"


@pytest.fixture
def sd15(tiny_hub, monkeypatch):
    use_hub(monkeypatch, tiny_hub)
    yield tiny_hub
    catalog.release()


@pytest.fixture
def own_sd15(tiny_hub, tmp_path, monkeypatch):
    """A Hub cache that a test may spoil; gives the base's snapshot."""
    shutil.copytree(tiny_hub, tmp_path / "hub", symlinks=True)
    use_hub(monkeypatch, tmp_path / "hub")
    return hub.cached(catalog.checkpoint("base", "sd15"))


def paint(pipe, seed=0, prompt="a red cat", **arguments):
    return pipe(prompt, generator=torch.Generator().manual_seed(seed), **SMALL | arguments).images[0]


# The table


def test_both_lanes_have_every_kind_and_control():
    for lane in env.LANES:
        for use, _ in catalog.KINDS.values():
            assert (lane, use) == ("clay", "inpaint") or catalog.checkpoint(use, lane)
        assert [f"control {name}" for name in catalog.CONTROLS] == [
            use for use in catalog.CHECKPOINTS[lane] if use.startswith("control ")
        ]


@pytest.mark.parametrize(("lane", "use"), [(lane, use) for lane in env.LANES for use in catalog.CHECKPOINTS[lane]])
def test_entries_are_complete(lane, use):
    entry = catalog.checkpoint(use, lane)
    assert entry.licence and 0 < entry.size_gb < 5
    assert entry.local == (lane == "clay")
    assert entry.revision is None or re.fullmatch(r"[0-9a-f]{7}|[0-9a-f]{40}", entry.revision)
    with pytest.raises(dataclasses.FrozenInstanceError):
        entry.revision = "main"


def test_pipelines_are_pinned_and_halved():
    loadable = {"base", "inpaint", "depth2img", *(f"control {name}" for name in catalog.CONTROLS)}
    entries = {use: entry for use, entry in catalog.CHECKPOINTS["sd15"].items() if use in loadable}
    assert {entry.variant for entry in entries.values()} == {"fp16"}
    assert all(entry.fallback for entry in entries.values())
    unpinned = {use for use, entry in entries.items() if entry.revision is None}
    assert unpinned == {"control mlsd", "control scribble", "control seg"}


def test_what_ships_has_the_size_in_the_table():
    for entry in catalog.CHECKPOINTS["clay"].values():
        folder = env.ASSETS / entry.id
        if any((folder / name).is_file() for name in ("model_index.json", "config.json")):  # all of it
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9
            assert size == pytest.approx(entry.size_gb, rel=0.5)
            catalog.check_model(folder)


# Loading on the clay lane


def test_text2img_is_ready_and_silent(clay, capfd, caplog, recwarn):
    pipe = catalog.load()
    picture = paint(pipe, height=64, width=96)
    assert type(pipe).__name__ == "StableDiffusionPipeline" and pipe.safety_checker is None
    assert pipe.vae_scale_factor == 16 and {pipe.unet.dtype, pipe.vae.dtype, pipe.text_encoder.dtype} == {
        torch.float32
    }
    assert picture.shape == (64, 96, 3) and np.isfinite(picture).all()
    said = capfd.readouterr()
    assert (said.out, said.err, caplog.messages, list(recwarn)) == ("", "", [], [])


def test_same_seed_same_picture(clay):
    first = paint(catalog.load())
    catalog.release()
    assert np.array_equal(first, paint(catalog.load())) and not np.array_equal(first, paint(catalog.load(), seed=1))


def test_kinds_share_one_base_and_keep_their_own_scheduler(clay):
    plain = catalog.load("text2img", lane="clay")
    other = catalog.load("img2img", lane="clay")
    control = catalog.load("controlnet", lane="clay", control="canny")
    assert plain.unet is other.unet is control.unet and plain.vae is other.vae is control.vae
    catalog.with_scheduler(other, "euler")
    assert [type(pipe.scheduler).__name__[:4] for pipe in (plain, other, control)] == ["DDIM", "Eule", "DDIM"]
    kept = other("a cat", image=np.zeros((64, 64, 3), np.float32), strength=0.5, num_inference_steps=4).images[0]
    assert kept.size == (64, 64)


@pytest.mark.parametrize("count", [1, 2])
def test_new_controlnets_change_nothing(clay, count):
    hint = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    pipe = catalog.load("controlnet", control="canny" if count == 1 else ["canny"] * count)
    assert np.allclose(paint(catalog.load()), paint(pipe, image=hint if count == 1 else [hint] * count), atol=1e-5)


def test_one_base_in_memory(clay, sd15):
    first = catalog.load(lane="clay")
    assert catalog.load(lane="clay").unet is first.unet
    catalog.load(lane="sd15")
    assert list(loading._kept) == [catalog.checkpoint("base", "sd15").id]
    assert catalog.load(lane="clay").unet is not first.unet
    env.release()
    assert not loading._kept


def test_a_pipeline_knows_its_lane(clay, sd15, monkeypatch):
    monkeypatch.setenv("COURSE_LANE", "sd15")
    for arguments in ({}, {"kind": "img2img"}, {"kind": "controlnet", "control": "canny"}):
        assert catalog.lane_of(catalog.load(**arguments, lane="clay")) == "clay"
    own = catalog.load(lane="clay", folder=clay / "models/clay-base")
    assert catalog.lane_of(own) == catalog.lane_of(type(own).from_pipe(own, vae=own.vae)) == "clay"
    assert catalog.lane_of(catalog.load()) == "sd15"
    elsewhere = type(own).from_pretrained(clay / "models/clay-base")
    assert catalog.lane_of(elsewhere) == "sd15"


def test_own_folder_is_read_anew(clay, tmp_path):
    folder = shutil.copytree(clay / "models/clay-base", tmp_path / "mine")
    assert catalog.load(folder=folder).unet is not catalog.load(folder=folder).unet
    control = catalog.load("controlnet", folder=clay / "models/clay-control-canny")
    assert type(control.controlnet).__name__ == "ControlNetModel"
    with pytest.raises(FileNotFoundError, match="no config.json: that is not a ControlNet"):
        catalog.load("controlnet", folder=folder)
    with pytest.raises(FileNotFoundError, match="mine2 is missing"):
        catalog.load(folder=tmp_path / "mine2")


def test_loading_leaves_logs_and_bars_as_they_were(clay):
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    def state():
        loggers = (
            logging.getLogger(f"diffusers.{name}") for name in ("configuration_utils", "pipelines.pipeline_utils")
        )
        bars = diffusers_logging.is_progress_bar_enabled(), transformers_logging.is_progress_bar_enabled()
        return bars, [list(logger.filters) for logger in loggers]

    import diffusers.pipelines.pipeline_utils  # noqa: F401  its logger gets a filter at import

    before = state()
    catalog.load()
    assert state() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kind": "text2video"}, "kind='text2video'.*'text2img'"),
        ({"lane": "sdxl"}, "lane='sdxl'.*'clay' or 'sd15'"),
        ({"kind": "controlnet"}, "needs control=.*'canny'"),
        ({"kind": "controlnet", "control": "edges"}, "control='edges'.*'canny'"),
        ({"kind": "controlnet", "control": ["canny", "edges"]}, "control='edges'"),
        ({"control": "canny"}, "control='canny' goes with kind='controlnet'"),
        ({"kind": "inpaint"}, "inpaint.*not on the clay lane.*img2img"),
    ],
)
def test_unknown_names_are_refused(clay, arguments, said):
    with pytest.raises(ValueError, match=said):
        catalog.load(**arguments)


@pytest.mark.parametrize("arguments", [{"kind": "depth2img"}, {"kind": "controlnet", "control": "seg"}])
def test_what_does_not_ship_yet_is_said(clay, arguments):
    with pytest.raises(FileNotFoundError, match="does not ship .*git checkout.*make models"):
        catalog.load(**arguments)


def test_unknown_use_is_refused():
    with pytest.raises(ValueError, match="use='upscaler'.*'base'"):
        catalog.checkpoint("upscaler", "sd15")


# Files


def test_every_needed_file_is_missed(clay, tmp_path):
    base = clay / "models/clay-base"
    needed = files.required(base)
    assert {path.relative_to(base).as_posix() for path in needed} == {
        path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file()
    }
    for path in needed:
        copy = shutil.copytree(base, tmp_path / path.name / path.parent.name)
        lost = copy / path.relative_to(base)
        lost.unlink()
        name = r"vocab\.json" if lost.name == "tokenizer.json" else re.escape(lost.name)
        with pytest.raises(FileNotFoundError, match=rf"{name} is missing\. Save"):
            catalog.check_model(copy)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda data: data[:-1], "instead of the"),
        (lambda data: data + b"x", "instead of the"),
        (lambda data: data[:5], "no safetensors header"),
        (lambda data: b"", "no safetensors header"),
        (lambda data: b"<html>404</html>" * 99, "no safetensors header"),
    ],
)
def test_broken_weights_are_named(own_clay, spoil, said):
    path = own_clay / "unet/diffusion_pytorch_model.safetensors"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(OSError, match=f"unet/diffusion_pytorch_model.safetensors is broken.*{said}.*git checkout"):
        catalog.load(lane="clay")


def test_broken_settings_are_named(own_clay):
    for name in ("unet/config.json", "model_index.json"):
        (own_clay / name).write_text("{")
        with pytest.raises(OSError, match=f"{name} is broken.*git checkout"):
            catalog.load(lane="clay")


def test_shipped_files_are_held_against_their_hash(own_clay):
    path = own_clay / "vae/diffusion_pytorch_model.safetensors"
    listed = asset_list.manifest(env.ASSETS)
    (env.ASSETS / "manifest.json").write_text(json.dumps({"files": listed}))
    catalog.load(lane="clay")
    catalog.release()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # the right size and a whole header: only the hash tells
    path.write_bytes(data)
    with pytest.raises(OSError, match="vae/.*SHA-256 .* instead of .*git checkout"):
        catalog.load(lane="clay")


def test_pickles_are_refused(own_clay):
    path = own_clay / "unet/diffusion_pytorch_model.safetensors"
    path.rename(path.with_suffix(".bin"))
    with pytest.raises(ValueError, match=r"diffusion_pytorch_model\.bin is refused.*\.safetensors"):
        catalog.load(lane="clay")


# The sd15 lane, from a Hub cache


def test_sd15_comes_from_the_cache_with_its_safety_checker(sd15, capfd):
    pipe = catalog.load(lane="sd15")
    assert type(pipe.safety_checker).__name__ == "StableDiffusionSafetyChecker" and pipe.config.requires_safety_checker
    assert type(catalog.load("img2img", lane="sd15").safety_checker) is type(pipe.safety_checker)
    assert (pipe.vae_scale_factor, pipe.tokenizer.model_max_length) == (8, 77)
    assert paint(pipe).shape == (64, 96, 3)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_dtype_reaches_every_part(sd15, monkeypatch, dtype):
    monkeypatch.setattr(env, "choose_dtype", lambda lane: dtype)
    pipe = catalog.load("controlnet", lane="sd15", control="canny")
    parts = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    assert len(parts) == 5 and {part.dtype for part in parts} == {dtype}


@pytest.mark.parametrize(("version", "word"), [("0.39.0", "torch_dtype"), ("0.40.0", "dtype"), ("0.42.1", "dtype")])
def test_dtype_keyword_follows_the_version(monkeypatch, version, word):
    monkeypatch.setattr(env, "installed", lambda name: version)
    assert catalog.dtype_keyword() == word


def test_download_is_announced_with_its_gigabytes(sd15, capsys):
    entry = catalog.checkpoint("inpaint", "sd15")
    with pytest.raises(OSError, match=f"{entry.id} at revision {entry.revision} is not on this computer.*COURSE_LANE"):
        catalog.load("inpaint", lane="sd15")
    assert capsys.readouterr().out == f"{catalog.announcement(entry)}\n"
    assert "2.7 GB" in catalog.announcement(entry) and entry.licence in catalog.announcement(entry)


def test_another_revision_does_not_do(own_sd15):
    own_sd15.rename(own_sd15.with_name("0" * 40))
    assert hub.cached(catalog.checkpoint("base", "sd15")) is None


def test_half_a_download_is_continued(own_sd15, capsys):
    (own_sd15 / "vae/diffusion_pytorch_model.fp16.safetensors").unlink()
    here = "vae.*is missing. Go online and run this again: what is here already is kept"
    with pytest.raises(OSError, match=f"{here}|downloaded .*Go online and run this again"):  # older: says it by itself
        catalog.load(lane="sd15")
    assert capsys.readouterr().out.startswith("Downloading")


def test_broken_download_says_what_to_delete(own_sd15):
    blob = (own_sd15 / "unet/diffusion_pytorch_model.fp16.safetensors").resolve()
    blob.write_bytes(blob.read_bytes()[:-100])
    with pytest.raises(OSError, match="is broken.*Delete .*models--stable-diffusion-v1-5.* downloaded anew"):
        catalog.load(lane="sd15")


def test_only_wanted_files_are_asked_for():
    base, annotators = (catalog.checkpoint(use, "sd15") for use in ("base", "annotators"))
    names = ["unet/x.fp16.safetensors", "unet/x.safetensors", "v1-5.safetensors", "x.ckpt", "vae/x.fp16.bin"]
    wanted = [name for name in names if any(Path(name).match(pattern) for pattern in hub.patterns(base))]
    assert wanted == ["unet/x.fp16.safetensors"]
    assert not any(Path("body_pose_model.pth").match(pattern) for pattern in hub.patterns(annotators))


# Schedulers


@pytest.mark.parametrize("name", catalog.SAMPLERS)
def test_every_scheduler_paints_and_gives_way(clay, caplog, name):
    pipe = catalog.load()
    before = paint(pipe)
    assert catalog.with_scheduler(pipe, name) is pipe
    assert type(pipe.scheduler) is catalog.schedulers()[name]
    assert (pipe.scheduler.config.beta_end, pipe.scheduler.config.prediction_type) == (0.012, "epsilon")
    assert np.isfinite(paint(pipe)).all()
    assert np.array_equal(paint(catalog.with_scheduler(pipe, "ddim")), before)
    assert not caplog.messages


def test_unknown_scheduler_is_refused(clay):
    with pytest.raises(ValueError, match="name='ddpm++'.*'ddim'".replace("+", r"\+")):
        catalog.with_scheduler(catalog.load(), "ddpm++")


@pytest.mark.parametrize("name", catalog.SAMPLERS)
def test_nothing_but_the_noise_is_inherited(clay, name):
    """A scheduler that was strangely set up, or one of another kind, leaves no trace in the next one."""
    pipe = catalog.load()
    clean = dict(catalog.with_scheduler(pipe, name).scheduler.config)
    strange = {"clip_sample": True, "timestep_spacing": "trailing", "steps_offset": 3, "thresholding": True}
    for kind, options in (
        (diffusers.DDIMScheduler, strange),
        (diffusers.EulerDiscreteScheduler, {"use_karras_sigmas": 1}),
    ):
        pipe.scheduler = kind.from_config(pipe.scheduler.config, **options)
        assert dict(catalog.with_scheduler(pipe, name).scheduler.config) == clean
    assert catalog.sampler_of(pipe) == name
    pipe.scheduler = diffusers.DDIMScheduler.from_config(clean, beta_end=0.02)
    assert catalog.with_scheduler(pipe, name).scheduler.config.beta_end == 0.02


@pytest.mark.parametrize("name", catalog.SAMPLERS)
def test_the_unet_is_asked_as_often_as_steps_are_counted(clay, name):
    pipe, calls = catalog.with_scheduler(catalog.load(), name), []
    hook = pipe.unet.register_forward_hook(lambda *_: calls.append(pipe.num_timesteps))
    paint(pipe, num_inference_steps=6)
    hook.remove()
    assert calls == [len(calls)] * len(calls) and len(calls) == {"pndm": 7, "heun": 11}.get(name, 6)


@pytest.mark.parametrize("strength", [0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("way", ["chosen", "afresh", "shipped"])
def test_pndm_repeats_nothing_where_a_picture_is_given(clay, strength, way):
    """Diffusers' own would run a step more, from more noise, and lose one on the way."""
    pipe = catalog.with_scheduler(catalog.load("img2img"), "pndm")
    if way == "afresh":
        catalog.with_scheduler(pipe, "PNDMScheduler")
    if way == "shipped":
        pipe.scheduler = diffusers.PNDMScheduler.from_config(pipe.scheduler.config)
        catalog.samplers.afresh(pipe)
    calls, image = [], Image.new("RGB", (64, 64), "teal")
    hook = pipe.unet.register_forward_hook(lambda *_: calls.append(pipe.num_timesteps))
    found = pipe("a cat", image, strength, 10, generator=torch.Generator().manual_seed(0)).images[0]
    hook.remove()
    steps = int(10 * strength)
    assert calls == [steps] * steps and len(pipe.scheduler.timesteps.unique()) == 10 and found.size == image.size
    assert catalog.sampler_of(pipe) == "pndm" and type(pipe.scheduler) is diffusers.PNDMScheduler


def test_a_scheduler_of_ones_own_is_named_and_kept(clay):
    pipe = catalog.load()
    pipe.scheduler = diffusers.DEISMultistepScheduler.from_config(pipe.scheduler.config, solver_order=3)
    assert catalog.sampler_of(pipe) == "DEISMultistepScheduler"
    own = catalog.with_scheduler(pipe, "DEISMultistepScheduler").scheduler
    assert own.config.solver_order == 3
    pipe.scheduler = diffusers.EulerDiscreteScheduler.from_config(pipe.scheduler.config, use_karras_sigmas=True)
    assert catalog.sampler_of(pipe) == "EulerDiscreteScheduler", "not the course's own setting of it"


# Words and calls


def test_known_words_are_those_of_the_captions():
    from course_utils.clay import captions, sample

    scenes = [sample(9, index) for index in range(150)]
    said = {word for index, scene in enumerate(scenes) for word in caption_words(captions, scene, index)}
    assert said <= calls.known_words(), said - calls.known_words()
    source = Path(captions.__file__).read_text()
    assert not [word for word in calls.CAPTION_WORDS if not re.search(rf"\b{word}\b", source)]


def caption_words(captions, scene, index):
    return calls.WORD.findall(captions.caption(scene, np.random.default_rng(index)).text.lower())


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("A grey elephant and an Orange bow, on the beach", []),
        ("a robot with a teapot, a robot", ["robot", "teapot"]),
        ("a close-up of a lady's cat", ["lady's"]),
        ("Ein Bär 犬 🐈", ["ein", "bär", "犬"]),
        ("", []),
    ],
)
def test_unknown_words(prompt, unknown):
    assert catalog.unknown_words(prompt, "clay") == unknown
    assert catalog.unknown_words(prompt, "sd15") == []


@pytest.mark.parametrize(
    "prompt",
    ["a (lion:1.5) with a crown", "a ((lion)) with a crown", "a [cat:0.8]", "a {cat}", "a (cat)", "((a [cat]))"],
)
def test_emphasis_of_other_programs_is_told(prompt):
    (note,) = catalog.prompt_notes(prompt, "clay")
    assert "no emphasis" in note
    assert any("no emphasis" in note for note in catalog.prompt_notes("a cat", "sd15", negative_prompt=prompt))


@pytest.mark.parametrize("prompt", ["a cat: red", "a cat, 1:2", "a lion's crown", "a cat) and a dog"])
def test_no_emphasis_is_seen_where_there_is_none(prompt):
    assert not any("no emphasis" in note for note in catalog.prompt_notes(prompt, "sd15"))


@pytest.mark.parametrize(("guidance", "dead"), [(1, True), (0.5, True), (1.5, False), (None, False)])
def test_a_negative_prompt_that_is_not_read(guidance, dead):
    notes = catalog.prompt_notes("a cat", "sd15", negative_prompt="blurry", guidance_scale=guidance)
    assert notes == [f"At guidance {guidance} the negative prompt is not read; use a guidance above 1."] * dead
    assert catalog.prompt_notes("a cat", "sd15", negative_prompt=" ", guidance_scale=guidance) == []


def test_the_papers_prompts_are_all_known(root):
    lines = (root / "assets/data/attend_excite_prompts.tsv").read_text().splitlines()[1:]
    assert len(lines) == 276 and not [line for line in lines if catalog.unknown_words(line.split("\t")[1], "clay")]


def test_notes_on_prompts(clay):
    pipe = catalog.load()
    assert catalog.prompt_notes("a red cat on the beach", "clay", pipe) == []
    assert "model's own choice" in catalog.prompt_notes(" ", "clay", pipe)[0]
    assert catalog.prompt_notes("a robot", "clay") == ["The clay model does not know: robot."]
    assert catalog.prompt_notes("a cat", "clay", negative_prompt="a robot", guidance_scale=4.0) == [
        "Negative prompt: The clay model does not know: robot."
    ]
    assert catalog.prompt_notes("a sks robot in a fridge", "clay", taught="sks robot") == [
        "The clay model does not know: fridge."
    ]
    assert "and 18 more" in catalog.prompt_notes(" ".join(f"x{chr(97 + n)}" for n in range(26)), "clay")[0]
    with pytest.raises(TypeError, match="prompt=7 is an int"):
        catalog.prompt_notes(7, "clay")


def test_long_prompts_are_cut_where_the_note_says(clay):
    pipe = catalog.load()
    prompt = "a red cat and a dog " * 500
    (note,) = catalog.prompt_notes(prompt, "clay", pipe)
    assert "reads 30" in note and 'all after "...' in note
    last = re.search(r'"\.\.\.(.*)"', note)[1]
    read = " ".join(prompt.split()[:30])  # these words are one token each
    assert read.endswith(last)
    assert np.array_equal(paint(pipe, prompt=prompt), paint(pipe, prompt=read))


def test_empty_prompt_paints(clay):
    assert np.isfinite(paint(catalog.load(), prompt="")).all()


@pytest.mark.parametrize("lane", env.LANES)
def test_defaults_pass_their_own_check(lane):
    catalog.defaults(lane)["height"] = 3
    catalog.check_call(lane, prompt="a cat", negative_prompt=None, seed=0, **catalog.defaults(lane))


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"num_inference_steps": -3}, ValueError, "num_inference_steps=-3.*1 to 1000"),
        ({"num_inference_steps": 0}, ValueError, "1 to 1000"),
        ({"num_inference_steps": 2.5}, TypeError, "num_inference_steps=2.5 must be a whole number, 1 to 1000"),
        ({"guidance_scale": float("nan")}, ValueError, "guidance_scale=nan"),
        ({"guidance_scale": float("inf")}, ValueError, "guidance_scale=inf"),
        ({"guidance_scale": "high"}, TypeError, "guidance_scale='high' must be a number, 0 to 100"),
        ({"strength": 1.01}, ValueError, "strength=1.01.*0 to 1"),
        ({"strength": 0.05, "num_inference_steps": 19}, ValueError, "leaves no step to run.*at least 0.06"),
        ({"controlnet_conditioning_scale": float("nan")}, ValueError, "controlnet_conditioning_scale=nan"),
        ({"controlnet_conditioning_scale": [1.0, "high"]}, TypeError, r"controlnet_conditioning_scale\[1\]='high'"),
        ({"control_guidance_end": [1.0, 1.5]}, ValueError, r"control_guidance_end\[1\]=1.5.*0 to 1"),
        ({"seed": -1}, ValueError, "seed=-1"),
        ({"seed": True}, TypeError, "seed=True must be a whole number"),
        ({"height": 250}, ValueError, "height=250 is not a multiple of 16.*240 or 256"),
        ({"width": 0}, ValueError, "width=0 is out of range; use 64 to 1024"),
        ({"width": 25600}, ValueError, "width=25600"),
        ({"height": 256.0}, TypeError, "height=256.0 must be a whole number, 64 to 1024"),
        ({"prompt": None}, TypeError, "prompt=None.*not a NoneType"),
        ({"prompt": ["a cat", 3]}, TypeError, "prompt=.*not an int"),
        ({"prompt": []}, TypeError, "prompt=.*not a list"),
        ({"negative_prompt": 3}, TypeError, "negative_prompt=3"),
        ({"depth_map": np.full((1, 8, 8), 2.0)}, ValueError, "depth_map goes from 2 to 2; .*a near and a far"),
        ({"depth_map": np.array([[[1.0, np.inf]]])}, ValueError, "depth_map goes from 1 to inf"),
    ],
)
def test_bad_calls_are_refused(arguments, error, said):
    with pytest.raises(error, match=said):
        catalog.check_call("clay", **arguments)


def test_good_calls_pass():
    catalog.check_call(
        "clay", prompt=["a cat", ""], height=np.int64(64), width=96, guidance_scale=np.float32(1), eta=9
    )
    catalog.check_call("clay", strength=0.05, num_inference_steps=20, control_guidance_start=[0, 0.5])
    catalog.check_call("clay", depth_map=np.array([[[1.0, 2.0]]]))
    catalog.check_size(248, 256, "sd15")
    catalog.check_size(lane="clay")


# Around it


def test_importing_is_light():
    code = "import sys, course_utils.catalog; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"torch", "diffusers", "transformers", "numba", "numpy", "huggingface_hub"} & set(loaded)


def test_online_script_is_content_with_what_the_hub_should_hold(sd15):
    entry = catalog.checkpoint("base", "sd15")
    snapshot = hub.cached(entry)
    held = {path.relative_to(snapshot).as_posix(): 10**9 for path in snapshot.rglob("*") if path.is_file()}
    assert check_hub.complaints(entry, held) == []
    assert check_hub.complaints(entry, {"model_index.json": 1}) == ["no file *.fp16.safetensors"]
    assert check_hub.complaints(entry, {}) == [
        "no file *.fp16.safetensors",
        "neither model_index.json nor config.json",
    ]
    fitting = {"unet/x.fp16.safetensors": int(entry.size_gb * 1e9), "unet/x.safetensors": 10**12}
    assert check_hub.remarks(entry, fitting, "creativeml-openrail-m") == []
    assert len(check_hub.remarks(entry, held, "mit")) == 2


def test_online_script_says_when_it_cannot_ask(capsys):
    assert check_hub.main() == 1
    said = capsys.readouterr().out
    assert "DEAD" not in said and said.count("not asked") == len(catalog.CHECKPOINTS["sd15"])


@pytest.fixture
def pretended_hub(monkeypatch, tmp_path):
    """A Hub that answers for every line of the table, each repository with one file of weights; give its name."""
    weights = "diffusion_pytorch_model.fp16.safetensors"

    def model_info(api, repository, revision=None, files_metadata=False):
        (entry,) = [entry for entry in catalog.CHECKPOINTS["sd15"].values() if entry.id == repository]
        lfs = {pickle.name: pickle.sha256 for pickle in entry.pickles} or {
            weights if entry.variant else "model.safetensors": "5" * 64
        }
        siblings = [types.SimpleNamespace(rfilename="config.json", size=1, lfs=None)]
        for name, digest in lfs.items():
            lfs_entry = types.SimpleNamespace(sha256=digest)
            siblings.append(types.SimpleNamespace(rfilename=name, size=int(entry.size_gb * 1e9), lfs=lfs_entry))
        card = types.SimpleNamespace(license=None)
        commit = revision if revision and len(revision) == 40 else "c" * 40
        return types.SimpleNamespace(siblings=siblings, sha=commit, card_data=card)

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)
    return weights


def test_online_script_prints_what_pins_the_rest(pretended_hub, capsys):
    assert check_hub.main() == 0
    printed = re.findall(r"^pin   (.+?)  +(.+)$", capsys.readouterr().out, re.M)
    pins = {use: eval(f"dict({arguments})") for use, arguments in printed}
    assert set(pins) == {"control mlsd", "control scribble", "control seg", "depth estimator"}
    assert pins["control mlsd"] == {"revision": "c" * 40, "hashes": ((pretended_hub, "5" * 64),)}
    for use, arguments in pins.items():
        pinned = dataclasses.replace(catalog.checkpoint(use, "sd15"), **arguments)
        assert check_hub.pin(pinned, check_hub.ask(pinned)) == "", "pasted into the table they are enough"


def test_online_script_sees_another_file_under_a_known_name(pretended_hub, monkeypatch, capsys):
    for use in ("control seg", "annotators"):
        entry = catalog.checkpoint(use, "sd15")
        spoilt = tuple(dataclasses.replace(pickle, sha256="0" * 64) for pickle in entry.pickles)
        changed = {"pickles": spoilt} if spoilt else {"hashes": ((pretended_hub, "0" * 64),)}
        monkeypatch.setitem(catalog.CHECKPOINTS["sd15"], use, dataclasses.replace(entry, **changed))
    monkeypatch.setattr(
        check_hub, "ask", lambda entry, ask=check_hub.ask: ask(entry)._replace(hashes={pretended_hub: "5" * 64})
    )
    assert check_hub.main() == 1
    said = capsys.readouterr().out
    assert re.search(rf"DEAD  control seg .*\n +-> {pretended_hub}: SHA-256 5+, the table says 0+$", said, re.M)


def test_unpinned_checkpoints_are_those_that_the_table_names():
    table = catalog.CHECKPOINTS["sd15"]
    unpinned = [use for use, entry in table.items() if not (entry.revision or entry.pickles)]
    named = re.search(r"The ControlNets (.*) are not pinned", checkpoints.__doc__)
    assert named and unpinned == [f"control {name}" for name in re.split(", | and ", named[1])]


def test_weights_whose_hash_is_known_must_be_those(own_sd15, monkeypatch):
    entry = catalog.checkpoint("control canny", "sd15")
    file = hub.cached(entry) / "diffusion_pytorch_model.fp16.safetensors"
    known = dataclasses.replace(entry, hashes=((file.name, files.sha256(file)),))
    assert hub.fetch(known) == file.parent
    other = dataclasses.replace(entry, hashes=((file.name, "0" * 64),))
    monkeypatch.setitem(catalog.CHECKPOINTS["sd15"], "control canny", other)
    with pytest.raises(OSError, match=r"is refused: SHA-256 \w+\.\.\. instead of 0{12}\.\.\..*Delete .*canny"):
        catalog.load("controlnet", lane="sd15", control="canny")


def test_a_cache_that_cannot_be_written_is_said(sd15, monkeypatch):
    monkeypatch.setattr(env, "writable", lambda folder: folder != sd15)
    assert catalog.load(lane="sd15"), "what is there is read"
    with pytest.raises(OSError, match=f"nothing can be written into {sd15}. Set HF_HOME .* COURSE_LANE=clay"):
        catalog.load("inpaint", lane="sd15")


def test_a_cache_that_another_program_holds_is_said(own_sd15, capsys):
    from filelock import FileLock

    entry = catalog.checkpoint("base", "sd15")
    (own_sd15 / "vae/diffusion_pytorch_model.fp16.safetensors").unlink()
    lock = own_sd15.parents[2] / ".locks" / own_sd15.parents[1].name / "etag.lock"
    lock.parent.mkdir(parents=True)
    for held in (True, False):
        with FileLock(lock) if held else contextlib.nullcontext(), pytest.raises(OSError, match="Go online"):
            hub.fetch(entry)
        assert ("Another program is downloading it" in capsys.readouterr().out) == held


@pytest.mark.parametrize("problem", [httpx.ConnectError, httpx.ReadTimeout, ConnectionResetError])
def test_offline_is_said(own_sd15, monkeypatch, problem):
    """Without the network, or when it breaks off half-way."""

    def fail(*_, **__):
        raise problem("no route to the Hub")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(
        OSError, match=r"could not be downloaded \(\w+: no route to the Hub\). Go online .*COURSE_LANE=clay"
    ):
        catalog.load("inpaint", lane="sd15")


def test_every_asset_has_a_source():
    assert asset_list.origin("models/clay-base/unet/config.json") == ("`make models`", "CC BY 4.0")
    with pytest.raises(ValueError, match="assets/songs/a.mp3 has no source and licence"):
        asset_list.origin("songs/a.mp3")
