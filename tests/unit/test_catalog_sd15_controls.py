"""The sd15 lane's controls, loaded as Colab loads them: a Hub cache, pinned, fp16 safetensors, no network."""

import gc
import io
import logging
import shutil
import weakref

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import catalog, editing, env
from course_utils.catalog import hub, loading
from tests.tiny import annotators, models
from tests.tiny import hub as tiny
from tests.tiny.hub import use_hub

T4_GB = 14.7  # what a T4 of 16 GB offers
HEIGHT, WIDTH = 64, 96
SMALL = {"num_inference_steps": 2, "height": HEIGHT, "width": WIDTH, "output_type": "np"}


def entry(use):
    return catalog.checkpoint(use, "sd15")


@pytest.fixture(scope="module")
def full_hub(tmp_path_factory):
    """A Hub cache with the base, the seven ControlNets, inpainting, depth2img and the depth estimator."""
    cache = tmp_path_factory.mktemp("hub")
    base = models.build_sd15_hub(cache, entry("base").id, entry("base").revision)
    for name in catalog.CONTROLS:
        control = entry(f"control {name}")
        models.build_control_hub(cache, control.id, control.revision or annotators.MAIN, base)
    for use, build in (("inpaint", tiny.build_inpaint_hub), ("depth2img", tiny.build_depth2img_hub)):
        build(cache, entry(use).id, entry(use).revision)
    annotators.build_depth_hub(cache, entry("depth estimator").id, entry("depth estimator").revision)
    return cache


def use_sd15(monkeypatch, folder):
    use_hub(monkeypatch, folder)
    monkeypatch.setattr(env, "choose_dtype", lambda lane: torch.float32)  # the same on every processor
    monkeypatch.setenv("COURSE_LANE", "sd15")


@pytest.fixture
def sd15(full_hub, monkeypatch):
    use_sd15(monkeypatch, full_hub)
    yield full_hub
    catalog.release()


@pytest.fixture
def own_sd15(full_hub, tmp_path, monkeypatch):
    """A cache that a test may spoil."""
    shutil.copytree(full_hub, tmp_path / "hub", symlinks=True)
    use_sd15(monkeypatch, tmp_path / "hub")
    yield tmp_path / "hub"
    catalog.release()


def shown(recwarn):
    """The warnings that a learner sees."""
    return [str(one.message) for one in recwarn if not issubclass(one.category, DeprecationWarning)]


def picture(seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))


def paint(pipe, **arguments):
    return pipe("a red cat", generator=torch.Generator().manual_seed(0), **SMALL | arguments).images[0]


def stir(net):
    """Give an untrained ControlNet something to say: its zero convolutions are zero."""
    generator = torch.Generator().manual_seed(1)
    for layer in (*net.controlnet_down_blocks, net.controlnet_mid_block):
        layer.weight.data = torch.randn(layer.weight.shape, generator=generator) * 0.5


# Loading


@pytest.mark.parametrize("name", catalog.CONTROLS)
def test_every_control_is_ready_and_silent(sd15, name, capfd, recwarn):
    pipe = catalog.load("controlnet", control=name)
    made = paint(pipe, image=picture())
    assert made.shape == (HEIGHT, WIDTH, 3) and np.isfinite(made).all()
    assert type(pipe.safety_checker).__name__ == "StableDiffusionSafetyChecker"
    assert capfd.readouterr() == ("", "") and not shown(recwarn)


def test_scale_zero_is_no_control_bit_for_bit(sd15):
    pipe = catalog.load("controlnet", control="canny")
    stir(pipe.controlnet)
    plain = paint(catalog.load())
    assert np.array_equal(paint(pipe, image=picture(), controlnet_conditioning_scale=0.0), plain)
    assert not np.array_equal(paint(pipe, image=picture()), plain)


def test_two_controls_at_one_and_zero_are_the_first_alone(sd15):
    single = catalog.load("controlnet", control="openpose")
    stir(single.controlnet)
    alone = paint(single, image=picture(1))
    both = catalog.load("controlnet", control=["openpose", "depth"])
    stir(both.controlnet.nets[1])
    images = [picture(1), picture(2)]
    assert np.allclose(paint(both, image=images, controlnet_conditioning_scale=[1.0, 0.0]), alone, atol=1e-5)
    assert not np.allclose(paint(both, image=images), alone, atol=1e-3)


def test_parts_and_controlnets_are_shared(sd15):
    plain = catalog.load()
    single = catalog.load("controlnet", control="openpose")
    both = catalog.load("controlnet", control=["openpose", "depth"])
    for pipe in (single, both):
        assert pipe.unet is plain.unet and pipe.vae is plain.vae and pipe.text_encoder is plain.text_encoder
    assert both.controlnet.nets[0] is single.controlnet is not both.controlnet.nets[1]
    assert catalog.load("controlnet", control="depth").controlnet is both.controlnet.nets[1]


def test_inpainting_keeps_what_is_outside_the_mask(sd15):
    pipe = catalog.load("inpaint")
    assert type(pipe).__name__ == "StableDiffusionInpaintPipeline" and pipe.unet.config.in_channels == 9
    mask = Image.new("L", (WIDTH, HEIGHT))
    mask.paste(255, (0, 0, WIDTH // 2, HEIGHT))
    made = paint(pipe, image=picture(), mask_image=mask)
    assert made.shape == (HEIGHT, WIDTH, 3) and np.isfinite(made).all()


@pytest.mark.parametrize("given", [False, True])
def test_depth2img_takes_estimated_and_true_depth(sd15, given, capfd, recwarn):
    pipe = catalog.load("depth2img")
    depth = {"depth_map": torch.rand(1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))} if given else {}
    how = {"num_inference_steps": 4, "strength": 0.5, "output_type": "np"}
    made = pipe("a cat", image=picture(), generator=torch.Generator().manual_seed(0), **how, **depth).images[0]
    assert made.shape == (HEIGHT, WIDTH, 3) and np.isfinite(made).all()
    assert pipe.unet.config.in_channels == 5 and type(pipe.depth_estimator).__name__ == "DPTForDepthEstimation"
    assert capfd.readouterr() == ("", "") and not shown(recwarn)


def test_the_estimated_depth_is_the_pipelines_own(sd15):
    pipe = catalog.load("depth2img")
    near = editing.estimate_depth(pipe, picture())
    assert near.ndim == 3 and near.dtype == torch.float32 and near.device.type == "cpu"
    theirs = pipe.prepare_depth_map(picture(), None, 1, False, torch.float32, torch.device("cpu"))
    small = torch.nn.functional.interpolate(near[:, None], theirs.shape[2:], mode="bicubic")
    assert torch.allclose(2 * (small - small.min()) / (small.max() - small.min()) - 1, theirs, atol=1e-3)


@pytest.mark.parametrize(("kind", "name"), [("inpaint", "CLIPImageProcessor"), ("depth2img", "DPTImageProcessor")])
def test_an_index_of_2022_names_what_transformers_has_dropped(sd15, kind, name):
    import transformers

    said = (hub.cached(entry(kind)) / "model_index.json").read_text()
    old = name.replace("ImageProcessor", "FeatureExtractor")
    assert old in said and not hasattr(transformers, old)
    assert type(catalog.load(kind).feature_extractor).__name__ == name
    assert not hasattr(transformers, old)


@pytest.mark.parametrize("kind", [kind for kind in catalog.KINDS if kind != "controlnet"])
def test_every_kind_loads_from_its_pinned_revision(sd15, kind):
    use, name = catalog.KINDS[kind]
    control = "canny" if kind == "controlnet_img2img" else None
    assert type(catalog.load(kind, control=control)).__name__ == name
    assert hub.cached(entry(use)).name == entry(use).revision
    assert list(loading._kept) == [entry(use).id]


def test_a_transformers_model_needs_its_own_files(own_sd15):
    folder = catalog.source("depth estimator", "sd15")
    for name in ("preprocessor_config.json", "model.safetensors"):
        assert (folder / name).is_file()
        (folder / name).rename(folder / "aside")
        with pytest.raises(FileNotFoundError, match=name):
            catalog.check_model(folder)
        (folder / "aside").rename(folder / name)


# Memory


def test_controlnets_go_before_others_are_read(sd15, monkeypatch):
    gone = weakref.ref(catalog.load("controlnet", control="canny").controlnet)
    seen, read = [], loading._read

    def watched(name, *arguments, **named):
        gc.collect()
        seen.append((name, gone()))
        return read(name, *arguments, **named)

    monkeypatch.setattr(loading, "_read", watched)
    catalog.load("controlnet", control="depth")
    assert seen == [("ControlNetModel", None)]


def test_controlnets_that_somebody_holds_stay_as_they_are(sd15):
    held = catalog.load("controlnet", control=["canny", "depth"])
    canny, depth = held.controlnet.nets
    depth.to(torch.float64)  # as a move to another device would
    other = catalog.load("controlnet", control=["depth", "seg"])
    assert other.controlnet.nets[0] is depth and depth.dtype == torch.float64
    catalog.load("controlnet", control="seg")
    assert held.controlnet.nets[0] is canny is catalog.load("controlnet", control="canny").controlnet


def test_controlnets_live_as_long_as_their_pipeline(sd15):
    pipe = catalog.load("controlnet", control=["canny", "seg"])
    gone = weakref.ref(pipe.controlnet.nets[1])
    env.release()
    assert gone() is pipe.controlnet.nets[1]
    del pipe
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(("free_gb", "offloaded"), [(1000.0, False), (1.0, True)])
def test_what_is_free_decides_whether_parts_take_turns(sd15, monkeypatch, capsys, free_gb, offloaded):
    pipe, calls = catalog.load(), []
    monkeypatch.setattr(env, "choose_device", lambda lane: "cuda")
    monkeypatch.setattr(env, "free_memory", lambda device: free_gb * env.GIB)
    monkeypatch.setattr(type(pipe), "to", lambda pipe, device: calls.append(device))
    monkeypatch.setattr(type(pipe), "enable_model_cpu_offload", lambda pipe: calls.append("offload"))
    loading._place(pipe, "sd15")
    assert calls == (["offload"] if offloaded else ["cuda"])
    assert ("env.release()" in capsys.readouterr().out) == offloaded


def test_weights_on_the_card_are_not_wanted_again(sd15):
    pipe = catalog.load()
    assert loading.weights_gb(pipe, elsewhere_than="cpu") == 0 < loading.weights_gb(pipe, elsewhere_than="cuda")


def test_renamed_classes_are_not_reported(own_sd15):
    index = hub.cached(entry("base")) / "model_index.json"
    index.write_text(index.read_text().replace("CLIPImageProcessor", "CLIPFeatureExtractor"))  # as the Hub has it
    library, handler = logging.getLogger("diffusers"), logging.StreamHandler(io.StringIO())
    library.addHandler(handler)
    try:
        catalog.load("text2img")
    finally:
        library.removeHandler(handler)
    assert handler.stream.getvalue() == ""


def test_weights_are_counted_once(sd15):
    plain, single = catalog.load(), catalog.load("controlnet", control="canny")

    def size(*modules):
        return sum(tensor.nbytes for module in modules for tensor in module.parameters()) / env.GIB

    base = size(plain.unet, plain.vae, plain.text_encoder, plain.safety_checker)
    assert loading.weights_gb(plain) == pytest.approx(base)
    assert loading.weights_gb(single) == pytest.approx(base + size(single.controlnet))
    twice = catalog.load("controlnet", control=["canny", "canny"])
    assert loading.weights_gb(twice) == loading.weights_gb(single)


def test_a_t4_has_room_for_a_base_and_all_controls_but_not_for_two_bases_more():
    controls = sum(entry(f"control {name}").size_gb for name in catalog.CONTROLS)
    assert entry("base").size_gb + controls + loading.WORKING_GB < T4_GB
    bases = sum(entry(use).size_gb for use in ("base", "inpaint", "depth2img"))
    assert bases + controls + loading.WORKING_GB > T4_GB  # why one base stays and the next takes its place


# Downloads


def test_only_what_is_missing_is_announced(own_sd15, capsys):
    shutil.rmtree(own_sd15 / f"models--{entry('control seg').id.replace('/', '--')}")
    with pytest.raises(OSError, match="control_v11p_sd15_seg at revision main is not on this computer"):
        catalog.load("controlnet", control=["canny", "seg"])
    assert capsys.readouterr().out == f"{catalog.announcement(entry('control seg'))}\n"
    assert "about 0.72 GB" in catalog.announcement(entry("control seg"))


def test_another_revision_of_a_control_does_not_do(own_sd15):
    folder = hub.cached(entry("control canny"))
    folder.rename(folder.with_name("f" * 40))
    with pytest.raises(OSError, match=f"at revision {entry('control canny').revision}"):
        catalog.load("controlnet", control="canny")


def test_a_pickle_in_place_of_the_weights_is_refused(own_sd15):
    weights = hub.cached(entry("control canny")) / "diffusion_pytorch_model.fp16.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    # An older huggingface_hub does not hand out half a snapshot when it cannot complete it.
    with pytest.raises((ValueError, OSError), match="fp16.bin is refused: a pickle can|not on this computer"):
        catalog.load("controlnet", control="canny")


def test_a_control_cut_short_is_named(own_sd15):
    blob = (hub.cached(entry("control canny")) / "diffusion_pytorch_model.fp16.safetensors").resolve()
    blob.write_bytes(blob.read_bytes()[:-10])
    with pytest.raises(OSError, match="fp16.safetensors is broken.*Delete .*sd15_canny"):
        catalog.load("controlnet", control="canny")
