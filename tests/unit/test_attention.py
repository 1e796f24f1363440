"""Capturing cross-attention: it changes nothing, leaves nothing behind, and tells the truth."""

import copy
import io

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image

from course_utils import attention, catalog
from tests.tiny import models

PROMPT = "a red cat and a blue cat on the beach"
UP = "up_blocks.2.attentions.1.transformer_blocks.0.attn2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return models.build_clay_folder(tmp_path_factory.mktemp("base"))


@pytest.fixture
def pipe(folder):
    """The tiny clay base; its words tell places apart more clearly than random weights do."""
    return models.clearer(catalog.load("text2img", lane="clay", folder=folder))


@pytest.fixture
def controlled(pipe, folder, tmp_path):
    """The same with a ControlNet that has something to say."""
    return models.controlled(pipe, folder, tmp_path)


def paint(pipe, prompt=PROMPT, seed=0, **arguments):
    small = {"num_inference_steps": 3, "height": 64, "width": 96, "guidance_scale": 4.0, "output_type": "latent"}
    return pipe(prompt, generator=torch.Generator().manual_seed(seed), **small | arguments).images


def by_hand(pipe, latents, timestep, prompt=PROMPT, resolution=16):
    """The mean attention of one pass, without the room's capture: [batch, patch, token]."""
    layers = attention.choose_layers(pipe.unet, (resolution,))
    before, mine = pipe.unet.attn_processors, {name: attention.EagerAttnProcessor() for name in layers}
    pipe.unet.set_attn_processor(before | {f"{name}.processor": one for name, one in mine.items()})
    with torch.no_grad():
        pipe.unet(latents, timestep, pipe.encode_prompt(prompt, "cpu", 1, False)[0])
    pipe.unet.set_attn_processor(before)
    return torch.stack([one.kept.mean(1) for one in mine.values()]).mean(0)


def untouched(pipe, before):
    """Whether nothing of a capture is left on a pipeline."""
    now = pipe.unet.attn_processors
    same = now.keys() == before.keys() and all(now[name] is before[name] for name in before)
    return same and not pipe.unet._forward_hooks and "encode_prompt" not in vars(pipe)


# Words


def prompt(text, length=32):
    return attention.Prompt(models.tokenizer(length), text)


def test_words_and_their_tokens():
    read = prompt("A lion, a dragon")
    assert read.tokens == ("<|startoftext|>", "a", "lion", ",", "a", "d", "r", "a", "g", "on", "<|endoftext|>")
    assert [word.text for word in read.words] == ["<|startoftext|>", "a", "lion", ",", "a", "dragon", "<|endoftext|>"]
    places = [place for word in read.words for place in word.places]
    assert places == list(range(32))
    assert read.place("Dragon") == (5, 6, 7, 8, 9) and read.place("lion") == (2,)
    assert read.place("<|startoftext|>") == (0,) and read.place("<|endoftext|>") == (10,)


def test_a_copied_tokenizer_reads_the_same():
    """Panels work on a deep copy, and transformers lets the copy forget how CLIP's words end."""
    copied = attention.Prompt(copy.deepcopy(models.tokenizer()), "A lion, a dragon")
    assert copied.tokens == prompt("A lion, a dragon").tokens and copied.words == prompt("A lion, a dragon").words


def test_repeated_words_and_several_in_a_row():
    read = prompt(PROMPT)
    assert read.find("cat") == [(3,), (7,)] and read.place("cat", 1) == (7,)
    assert read.find("blue cat") == [(6, 7)]
    with pytest.raises(ValueError, match=r"which=2: 'cat' stands 2 times"):
        read.place("cat", 2)


def test_a_part_of_a_word_is_no_word():
    with pytest.raises(ValueError, match=r"word='gon' is not in the prompt 'a dragon'.*'a', 'd', 'r'"):
        prompt("a dragon").find("gon")


@pytest.mark.parametrize("word", ["dog", "", " ", "cats"])
def test_an_unknown_word_lists_the_tokens(word):
    with pytest.raises(
        ValueError, match=r"is not in the prompt 'a cat'; its tokens are '<|startoftext|>', 'a', 'cat'"
    ):
        prompt("a cat").find(word)
    with pytest.raises(TypeError, match="word=3 is no text"):
        prompt("a cat").find(3)


def test_a_word_beyond_the_limit_says_so():
    read = prompt("a cat " * 14 + "a dog and a lion")  # 28 words, then 4 more; 30 are read
    assert len(read.tokens) == 32 and read.tokens[-2:] == ("dog", "<|endoftext|>") and read.place("dog") == (30,)
    with pytest.raises(ValueError, match=r"word='lion' stands beyond the 30 tokens that the model reads"):
        read.find("lion")


# Layers


def test_layers_come_in_the_order_in_which_they_run(pipe):
    order = []
    layers = attention.cross_layers(pipe.unet)
    for name in layers:
        pipe.unet.get_submodule(name).register_forward_hook(lambda *_, name=name: order.append(name))
    paint(pipe, num_inference_steps=1)
    assert order == list(layers)


@pytest.mark.parametrize(("side", "resolution", "factor"), [(16, 16, 1), (16, 8, 2), (64, 32, 2), (64, 16, 4)])
def test_a_resolution_is_a_factor(side, resolution, factor):
    unet = models._unet(sample_size=side, channels=4)
    assert set(attention.choose_layers(unet, (resolution,)).values()) == {factor}


def test_no_such_layers_names_the_unet(pipe):
    with pytest.raises(ValueError, match=r"resolutions=\(64,\): this UNet2DConditionModel has .* at 16, 8, 4"):
        with attention.capture(pipe, resolutions=(64,)):
            pass
    with pytest.raises(ValueError, match=r"resolutions=\(\)"):
        attention.choose_layers(pipe.unet, ())


# The picture stays as it is


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_the_picture_is_the_same_to_the_bit(pipe, explicit, guidance):
    if explicit:
        pipe.unet.set_attn_processor(AttnProcessor())
    plain, before = paint(pipe, guidance_scale=guidance), pipe.unet.attn_processors
    with attention.capture(pipe, None, heads=True, steps=True) as maps:
        assert torch.equal(paint(pipe, guidance_scale=guidance), plain)
    assert len(maps.timesteps) == 3 and untouched(pipe, before)


def test_with_a_controlnet_only_the_unet_is_listened_to(controlled):
    hint = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    plain, theirs = paint(controlled, image=hint), controlled.controlnet.attn_processors
    with attention.capture(controlled, None) as maps:
        assert torch.equal(paint(controlled, image=hint), plain)
        assert controlled.controlnet.attn_processors == theirs
    with attention.capture(controlled) as other:
        paint(controlled, image=1 - hint)
    assert set(maps.layers) == set(attention.cross_layers(controlled.unet))
    assert not torch.allclose(maps.word("beach", layer="up_blocks.2"), other.word("beach", layer="up_blocks.2"))


def test_with_lora(pipe):
    from peft import LoraConfig

    before = paint(pipe)
    pipe.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_k", "to_v"], init_lora_weights=False))
    plain = paint(pipe, cross_attention_kwargs={"scale": 0.5})
    assert not torch.equal(plain, before)
    with attention.capture(pipe) as maps:
        assert torch.equal(paint(pipe, cross_attention_kwargs={"scale": 0.5}), plain)
    assert maps.heat().sum(0).allclose(torch.ones(4, 6))


def test_image_to_image_has_the_steps_that_run(pipe):
    pipe = models.with_parts(StableDiffusionImg2ImgPipeline, pipe)
    call = {"image": torch.rand(1, 3, 64, 96), "strength": 0.5, "num_inference_steps": 4, "output_type": "latent"}
    plain = pipe(PROMPT, generator=torch.Generator().manual_seed(0), **call).images
    with attention.capture(pipe) as maps:
        assert torch.equal(pipe(PROMPT, generator=torch.Generator().manual_seed(0), **call).images, plain)
    assert len(maps.timesteps) == 2 and maps.size == (64, 96)


# What the maps say


def test_maps_are_what_the_unet_computes(pipe):
    latents = torch.randn(1, 12, 4, 6, generator=torch.Generator().manual_seed(0))
    with attention.capture(pipe) as maps:
        paint(pipe, latents=latents, num_inference_steps=1)
    expected = by_hand(pipe, latents, maps.timesteps[0])[0].T.unflatten(1, (4, 6))
    assert maps.heat().allclose(expected, atol=1e-6) and expected.std(0).max() > 0.01
    assert maps.word("blue cat").allclose(expected[6] + expected[7], atol=1e-6)
    assert maps.word("cat", which=1).allclose(maps.heat()[7])
    assert not maps.word("cat").allclose(maps.word("cat", which=1))


def test_only_the_half_with_the_prompt_counts(pipe):
    latents = torch.randn(1, 12, 4, 6, generator=torch.Generator().manual_seed(0))
    found = []
    for more in ({"guidance_scale": 1.0}, {"negative_prompt": "a lion"}, {"negative_prompt": "a crown"}):
        with attention.capture(pipe, steps=True) as maps:
            paint(pipe, latents=latents, **more)
        found.append(maps.heat(step=0))
    assert found[0].allclose(found[1], atol=1e-6) and torch.equal(found[1], found[2])


def test_parts_make_up_the_whole(pipe):
    with attention.capture(pipe, heads=True, steps=True) as maps:
        paint(pipe)
    whole = maps.heat()
    assert whole.shape == (32, 4, 6) and whole.dtype == torch.float32 and whole.sum(0).allclose(torch.ones(4, 6))
    assert maps.heads == 2
    assert torch.stack([maps.heat(head=head) for head in range(2)]).mean(0).allclose(whole, atol=1e-6)
    assert torch.stack([maps.heat(step=step) for step in range(3)]).mean(0).allclose(whole, atol=1e-6)
    assert torch.stack([maps.heat(layer=name) for name in maps.layers]).mean(0).allclose(whole, atol=1e-6)
    assert torch.equal(maps.heat(step=-1), maps.heat(step=2)) and not torch.equal(maps.heat(step=0), maps.heat(step=2))
    ups = torch.stack([maps.heat(layer=name) for name in maps.layers if name.startswith("up_blocks")]).mean(0)
    assert maps.heat(layer="up").allclose(ups, atol=1e-6)
    both = maps.word("beach", UP, head=1, step=0)
    assert both.shape == (4, 6) and 0 < both.min() and both.max() < 1


def test_single_parts_are_kept_only_if_asked(pipe):
    with attention.capture(pipe) as maps:
        paint(pipe)
    whole = maps.heat()
    assert all(len(kept) == 1 and kept[0].shape[:2] == (1, 1) for kept in maps._kept.values())
    with attention.capture(pipe, steps=True) as again:
        paint(pipe)
    assert again.heat().allclose(whole, atol=1e-6)
    with pytest.raises(ValueError, match=r"step=0: single steps were not kept; use capture\(pipe, ..., steps=True\)"):
        maps.heat(step=0)
    with pytest.raises(ValueError, match=r"head=0: single heads were not kept; use capture\(pipe, ..., heads=True\)"):
        maps.heat(head=0)
    with pytest.raises(IndexError, match=r"step=3 is not there; use -3 to 2"):
        again.heat(step=3)
    with pytest.raises(ValueError, match=r"layer='middle' was not captured.*up_blocks"):
        maps.heat(layer="middle")
    with pytest.raises(IndexError, match=r"picture=1: the call made 1"):
        maps.word("cat", picture=1)
    with pytest.raises(ValueError, match=r"word='dog' is not in the prompt.*'<\|startoftext\|>', 'a', 'red'"):
        maps.word("dog")


@pytest.mark.parametrize("steps", [False, True])
def test_nothing_stays_on_the_gpu(steps):
    """With a pretended card: what comes from there is kept on the CPU, pass by pass."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        maps = attention.Maps({"mid": 1}, heads=True, steps=steps, pixels=8)
        for timestep in (2, 1):
            maps._add((4, 6), timestep, {"mid": torch.zeros(1, 8, 24, 77, device="cuda")})
    assert [heat.device.type for heat in maps._kept["mid"]] == ["cpu"] * (2 if steps else 1)


@pytest.mark.parametrize(("height", "width", "fine", "rough"), [(64, 96, (4, 6), (2, 3)), (80, 112, (5, 7), (3, 4))])
def test_any_size(pipe, height, width, fine, rough):
    with attention.capture(pipe, (16, 8)) as maps:
        paint(pipe, height=height, width=width)
    assert maps.word("beach", layer=UP).shape == fine and maps.word("beach", layer="up_blocks.1").shape == rough
    assert maps.word("beach").shape == fine and maps.heat().sum(0).allclose(torch.ones(fine), atol=1e-5)
    assert maps.size == (height, width)


def test_several_pictures_equal_one_at_a_time(pipe):
    prompts = [PROMPT, "a dog with a crown"]
    seeds = [torch.Generator().manual_seed(seed) for seed in range(4)]
    small = {"num_inference_steps": 2, "height": 64, "width": 96, "output_type": "latent"}
    with attention.capture(pipe, steps=True) as maps:
        pipe(prompts, num_images_per_prompt=2, generator=seeds, **small)
    for picture in range(4):
        with attention.capture(pipe, steps=True) as single:
            paint(pipe, prompts[picture // 2], seed=picture, num_inference_steps=2, guidance_scale=7.5)
        assert maps.heat(step=1, picture=picture).allclose(single.heat(step=1), atol=1e-5)
    assert not maps.heat(picture=0).allclose(maps.heat(picture=1), atol=1e-4)
    assert maps.word("crown", picture=3).shape == (4, 6)
    with pytest.raises(ValueError, match="'crown' is not in the prompt"):
        maps.word("crown", picture=1)


def test_a_pixel_tells_what_it_looks_at(pipe):
    with attention.capture(pipe) as maps:
        paint(pipe)
    shares = maps.at(63, 40)  # the last row of latents, the third column
    assert [text for text, _ in shares] == ["<|startoftext|>", *PROMPT.split(), "<|endoftext|>"]
    assert sum(share for _, share in shares) == pytest.approx(1, abs=1e-5)
    assert dict(shares)["beach"] == pytest.approx(float(maps.word("beach")[3, 2]))
    assert maps.tokens()[1:-1] == tuple(PROMPT.split()) and len(maps.words()) == len(shares)
    with pytest.raises(IndexError, match=r"row=64, column=0 lies outside the picture of 64 x 96 pixels"):
        maps.at(64, 0)


def test_without_words_tokens_can_be_asked(pipe):
    with torch.no_grad():
        text, nothing = pipe.encode_prompt(PROMPT, "cpu", 1, True)
    with attention.capture(pipe) as maps:
        paint(pipe, None, prompt_embeds=text, negative_prompt_embeds=nothing)
    with attention.capture(pipe) as known:
        paint(pipe)
    assert torch.equal(maps.heat()[7], known.word("cat", which=1))
    with pytest.raises(ValueError, match="prompt_embeds, so its words are not known"):
        maps.word("cat")


# No trace


def test_an_error_leaves_no_trace(pipe):
    before = pipe.unet.attn_processors

    def fail(pipe, step, timestep, kept):
        raise KeyError("stop")

    with pytest.raises(KeyError):
        with attention.capture(pipe) as maps:
            paint(pipe, callback_on_step_end=fail)
    assert untouched(pipe, before) and len(maps.timesteps) == 1


def test_a_pass_that_breaks_off_does_not_count(pipe):
    def fail(*_):
        raise KeyError("stop")

    with attention.capture(pipe) as maps:
        hook = pipe.unet.conv_out.register_forward_pre_hook(fail)
        with pytest.raises(KeyError):
            paint(pipe)
        hook.remove()
        with pytest.raises(RuntimeError, match="Nothing was captured yet"):
            maps.word("cat")
        paint(pipe)
    assert len(maps.timesteps) == 3


def test_entering_twice_raises_and_leaves_the_first_in_place(pipe):
    before = pipe.unet.attn_processors
    with attention.capture(pipe) as maps:
        with pytest.raises(RuntimeError, match="being captured already"):
            with attention.capture(pipe):
                pass
        paint(pipe)
    assert maps.word("cat").shape == (4, 6) and untouched(pipe, before)


def test_a_second_call_takes_the_place_of_the_first(pipe):
    with attention.capture(pipe) as maps:
        paint(pipe)
        paint(pipe, "a lion", seed=1)
    with attention.capture(pipe) as single:
        paint(pipe, "a lion", seed=1)
    assert torch.equal(maps.word("lion"), single.word("lion")) and len(maps.timesteps) == 3


# Pictures that are there already


def test_a_picture_is_noised_and_looked_at(pipe):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    maps = attention.of_picture(pipe, pixels, PROMPT, timesteps=(0, 400))
    clean = pipe.vae.encode(torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1)[None].float()).latents
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = pipe.scheduler.add_noise(clean, noise, torch.tensor([400]))
    expected = by_hand(pipe, noisy, 400)[0].T.unflatten(1, (4, 6))
    assert maps.timesteps == [0, 400] and maps.heat(step=1).allclose(expected, atol=1e-5)
    assert not maps.heat(step=0).allclose(expected, atol=1e-3)


def test_the_noise_is_the_same_for_every_scheduler(pipe):
    pixels = np.zeros((64, 96, 3), np.uint8)
    first = attention.of_picture(pipe, pixels, PROMPT, (400,)).heat()
    assert torch.equal(
        first, attention.of_picture(catalog.with_scheduler(pipe, "euler"), pixels, PROMPT, (400,)).heat()
    )


def test_several_pictures_with_a_prompt_each(pipe):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    maps = attention.of_picture(pipe, list(pixels), [PROMPT, "a lion"], (400,))
    single = attention.of_picture(pipe, pixels[0], PROMPT, (400,))
    assert maps.word("lion", picture=1).shape == (4, 6)
    assert maps.heat(layer="down").allclose(single.heat(layer="down"), atol=1e-5)


@pytest.mark.parametrize("mode", ["RGBA", "L", "LA", "P", "1", "CMYK", "I;16", "array", "floats", "alpha", "file"])
def test_a_picture_of_any_kind_is_looked_at(pipe, mode):
    grey = Image.linear_gradient("L").resize((96, 64))
    plain = grey.convert("RGB")
    pixels, deep = np.asarray(plain), np.asarray(grey).astype(np.uint16) * 257
    given = {
        "I;16": lambda: Image.fromarray(deep),
        "array": lambda: np.asarray(grey),
        "floats": lambda: pixels / 255,
        "alpha": lambda: np.dstack([pixels, np.full((64, 96), 255, np.uint8)]),
        "file": lambda: saved(plain),
    }
    given = given.get(mode, lambda: plain.convert(mode))()  # fmt: skip
    maps = attention.of_picture(pipe, given, PROMPT, (400,))
    wanted = attention.of_picture(pipe, plain.convert("1") if mode == "1" else plain, PROMPT, (400,))
    assert maps.heat().allclose(wanted.heat(), atol=1e-2)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [(b"torn", "image is no picture"), (None, "image is of"), (np.zeros((64, 64, 5)), "image has shape"),
     (np.full((64, 64), np.nan), "image holds floats"), (Image.new("RGB", (8, 64)), "image has 64 x 8 pixels.*16"),
     ([np.zeros((64, 64, 3)), np.zeros((64, 96, 3))], "image holds pictures of 2 sizes")],
)  # fmt: skip
def test_what_is_no_picture_is_refused_by_name(pipe, wrong, says):
    with pytest.raises((TypeError, ValueError), match=says):
        attention.of_picture(pipe, wrong, ["a cat", "a lion"] if isinstance(wrong, list) else "a cat", (400,))


def saved(picture):
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def test_of_picture_refuses_what_cannot_be(pipe):
    pixels = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(ValueError, match="image has 1 pictures and prompt 2 texts"):
        attention.of_picture(pipe, pixels, ["a", "b"])
    with pytest.raises(ValueError, match=r"timesteps=\(1000,\) must be .* from 0 to 999"):
        attention.of_picture(pipe, pixels, "a cat", (1000,))
    pipe.unet.register_to_config(in_channels=13)
    with pytest.raises(ValueError, match="a UNet for 13 channels, its latents have 12"):
        attention.of_picture(pipe, pixels, "a cat")
