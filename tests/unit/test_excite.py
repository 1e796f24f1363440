"""Attend-and-Excite: right by its equations and by diffusers' retired pipeline, and a guest on any pipeline."""

import warnings
from dataclasses import replace

import pytest
import torch
from diffusers import (
    MultiControlNetModel,
    StableDiffusionAttendAndExcitePipeline,
    StableDiffusionImg2ImgPipeline,
)

from course_utils import attention, catalog, excite
from tests.tiny import models

PROMPT = "a lion with a crown"
WORDS = ["lion", "crown"]  # tokens 2 and 5
SIZE = {"height": 64, "width": 96}
ONCE = excite.AttendExciteConfig(scale_factor=20.0, alter_share=1.0, thresholds=())


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


def noise(count=1, height=64, width=96, dtype=torch.float32):
    shape = (count, 12, height // 16, width // 16)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)


def paint(pipe, prompt=PROMPT, **arguments):
    small = {"num_inference_steps": 2, "guidance_scale": 4.0, "output_type": "latent", **SIZE}
    if "latents" not in arguments:
        small["generator"] = torch.Generator().manual_seed(0)
    return pipe(prompt, **small | arguments).images


def excited(pipe, knobs=ONCE, words=WORDS, keep_maps=False, **arguments):
    with excite.exciting(pipe, words, knobs, keep_maps) as log:
        return paint(pipe, **arguments), log


def text(pipe, prompt=PROMPT):
    with torch.no_grad():
        return pipe.encode_prompt(prompt, "cpu", 1, False)[0]


def loss_of(pipe, latents, timestep, knobs=ONCE, **more):
    """The loss by the equations alone; the gradient is left to the caller."""
    chosen = excite.token_mask([[(2,), (5,)]] * len(latents), 32)
    words = text(pipe).expand(len(latents), -1, -1)
    call = {"sample": latents, "timestep": timestep, "encoder_hidden_states": words}
    heat = excite.attention_with_grad(pipe.unet, knobs.resolution, **call | more)
    return excite.loss(excite.peaks(excite.word_maps(heat, chosen, knobs)))


def pushed_by_hand(pipe, latents, timestep, knobs=ONCE, **more):
    """The latents, as the UNet sees them, after one move: z' = z - alpha * gradient."""
    latents = latents.clone().requires_grad_()
    loss = loss_of(pipe, latents, timestep, knobs, **more)
    return (latents - knobs.step_size(0, 1) * torch.autograd.grad(loss.sum(), latents)[0]).detach()


def untouched(pipe, before):
    """Whether nothing of an excited call is left on a pipeline."""
    networks = [pipe.unet, *filter(None, [getattr(pipe, "controlnet", None)])]
    now = pipe.unet.attn_processors
    return (
        all(now[name] is before[name] for name in before)
        and all(weight.requires_grad for weight in pipe.unet.parameters())
        and not any(net._forward_pre_hooks for net in networks)
        and "encode_prompt" not in vars(pipe)
        and "step" not in vars(pipe.scheduler)
    )


# The equations


def test_sharpening_drops_start_and_last_and_shares_out_anew():
    heat = torch.rand(2, 7, 3, 4, generator=torch.Generator().manual_seed(0))
    shares = excite.sharpen(heat, 100)
    assert shares.shape == (2, 5, 3, 4) and shares.sum(1).allclose(torch.ones(2, 3, 4))
    changed = heat.clone()
    changed[:, [0, -1]] = 5
    assert torch.equal(excite.sharpen(changed, 100), shares)
    assert torch.equal(shares.argmax(1), heat[:, 1:-1].argmax(1))


def test_smoothing_keeps_the_sum_of_a_peak_and_a_plain():
    peak = torch.zeros(1, 2, 5, 6)
    peak[0, 0, 2, 3], peak[0, 1] = 1, 0.25
    smooth = excite.smooth(peak, 0.5)
    assert smooth[0, 0].sum() == pytest.approx(1) and smooth[0, 1].allclose(torch.full((5, 6), 0.25))
    beside, corner = smooth[0, 0, 2, 2] / smooth[0, 0, 2, 3], smooth[0, 0, 1, 2] / smooth[0, 0, 2, 3]
    assert beside == pytest.approx(0.3679, abs=1e-4) and corner == pytest.approx(0.3679**2, abs=1e-4)  # exp(-1)
    assert smooth[0, 0, 2, 5] == 0 and excite.smooth(peak, 0) is peak


def test_the_loss_is_what_the_weakest_word_lacks():
    maps = torch.zeros(2, 3, 4, 4)
    maps[0, 0, 1, 1], maps[0, 1, 2, 3], maps[0, 2, 0, 0] = 0.9, 0.2, 0.5
    maps[1] = 0.7
    assert excite.peaks(maps)[0].allclose(torch.tensor([0.9, 0.2, 0.5]))
    assert excite.loss(excite.peaks(maps)).allclose(torch.tensor([0.8, 0.3]))


def test_tokens_of_a_word_add_up_and_fewer_words_change_no_loss():
    heat = torch.rand(2, 8, 4, 4, generator=torch.Generator().manual_seed(0)) / 8
    maps = excite.word_maps(heat, excite.token_mask([[(2,), (3,), (2, 3)], [(5,)]], 8), ONCE)
    assert maps[0, 2].allclose(maps[0, 0] + maps[0, 1]) and torch.equal(maps[1, 0], maps[1, 2])
    alone = excite.word_maps(heat[1:], excite.token_mask([[(5,)]], 8), ONCE)
    assert excite.loss(excite.peaks(maps))[1:].allclose(excite.loss(excite.peaks(alone)))


def test_the_papers_knobs():
    knobs = excite.AttendExciteConfig()
    assert (
        knobs.max_iter_to_alter(50) == 25
        and knobs.step_size(0, 50) == 20
        and knobs.step_size(49, 50) == pytest.approx(20 * 0.5**0.5)
    )
    found = {step: knobs.threshold(step, 50) for step in range(50) if knobs.threshold(step, 50) is not None}
    assert found == {0: 0.05, 10: 0.5, 20: 0.8}
    clay = excite.AttendExciteConfig.for_lane("clay")
    assert (clay.scale_factor, clay.thresholds) == (2.5, ()) and excite.AttendExciteConfig.for_lane("sd15") == knobs
    with pytest.raises(ValueError, match="lane='sdxl' is no lane"):
        excite.AttendExciteConfig.for_lane("sdxl")


@pytest.mark.parametrize(
    ("knob", "value", "kind"),
    [
        ("scale_factor", -1, ValueError),
        ("scale_factor", float("inf"), ValueError),
        ("scale_factor", float("nan"), ValueError),
        ("scale_factor", "20", TypeError),
        ("alter_share", 1.5, ValueError),
        ("max_refinement_steps", -1, ValueError),
        ("max_refinement_steps", 2.5, TypeError),
        ("resolution", 0, ValueError),
        ("sharpness", -100, ValueError),
        ("sigma", -0.5, ValueError),
        ("scale_range", (1.0, 0.5, 0.2), ValueError),
        ("scale_range", (1.0, -0.5), ValueError),
        ("thresholds", ((0.0, 1.2),), ValueError),
        ("thresholds", ((-0.1, 0.5),), ValueError),
        ("thresholds", ((0.5, 0.5),), ValueError),
    ],
)
def test_knobs_out_of_range_say_which(knob, value, kind):
    with pytest.raises(kind, match=rf"{knob}(\[\d\])*="):
        excite.AttendExciteConfig(**{knob: value})


# The gradient


def test_one_move_raises_the_weakest_peak(pipe):
    before = noise()
    after = pushed_by_hand(pipe, before, 900, replace(ONCE, scale_factor=1.0))
    assert 0.05 < loss_of(pipe, before, 900) < 1
    assert loss_of(pipe, after, 900) < loss_of(pipe, before, 900) - 1e-4


def test_the_gradient_is_the_slope(pipe):
    pipe.to(torch.float64)
    latents, direction = noise(dtype=torch.float64), noise(2, dtype=torch.float64)[1:]
    at = latents.clone().requires_grad_()
    slope = (torch.autograd.grad(loss_of(pipe, at, 900).sum(), at)[0] * direction).sum()
    ahead, behind = (loss_of(pipe, latents + move * direction, 900) for move in (1e-6, -1e-6))
    assert slope == pytest.approx(float((ahead - behind) / 2e-6), rel=1e-4) and abs(slope) > 1e-4


def test_looking_sees_what_a_whole_pass_sees_and_runs_no_more_than_it_needs(pipe):
    layers, before = attention.choose_layers(pipe.unet, (8,)), pipe.unet.attn_processors
    mine = {f"{name}.processor": attention.EagerAttnProcessor() for name in layers}
    call = {"sample": noise(), "timestep": 900, "encoder_hidden_states": text(pipe)}
    pipe.unet.set_attn_processor(before | mine)
    pipe.unet(**call)
    pipe.unet.set_attn_processor(dict(before))
    ran = []
    for name in ("up_blocks.1.attentions.0", "up_blocks.2", "conv_out"):
        pipe.unet.get_submodule(name).register_forward_hook(lambda *_, name=name: ran.append(name))
    heat = excite.attention_with_grad(pipe.unet, 8, **call)
    whole = torch.stack([one.kept.mean(1) for one in mine.values()]).mean(0)
    assert heat.allclose(whole.transpose(1, 2).unflatten(2, (2, 3)), atol=1e-6)
    assert ran == ["up_blocks.1.attentions.0"] and untouched(pipe, before)


def test_weights_get_no_gradient_and_keep_their_flag(pipe):
    still = pipe.unet.conv_in.weight.requires_grad_(False)
    heat = excite.attention_with_grad(
        pipe.unet, 16, sample=noise().requires_grad_(), timestep=900, encoder_hidden_states=text(pipe)
    )
    heat.std().backward()
    assert all(weight.grad is None for weight in pipe.unet.parameters())
    assert not still.requires_grad and pipe.unet.conv_out.weight.requires_grad


# The same as diffusers' own


def retired(pipe, **arguments):
    """Call diffusers' deprecated pipeline on the same parts."""
    parts = {name: part for name, part in pipe.components.items() if name != "image_encoder"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = StableDiffusionAttendAndExcitePipeline(**parts, requires_safety_checker=False)
        made.set_progress_bar_config(disable=True)
        return made(output_type="latent", **arguments).images


@pytest.mark.parametrize(
    ("sampler", "size", "thresholds"),
    [
        ("ddim", (256, 256), ()),
        ("pndm", (256, 256), ()),
        ("ddim", (64, 96), ()),
        ("ddim", (64, 96), ((0.0, 0.05), (1 / 6, 0.45), (2 / 6, 0.99))),  # passed at once, reached, out of reach
    ],
)
def test_equals_the_retired_pipeline(pipe, sampler, size, thresholds):
    """In float64: what is left is the retired Gaussian, a float32 rounded to 6e-8, and what the steps make of it.

    It takes (width, height) for the sides of its maps, which is right only where they are equal: it is told.
    """
    catalog.with_scheduler(pipe, sampler).to(torch.float64)
    pipe.scheduler.set_timesteps(6)
    steps = len(pipe.scheduler.timesteps)  # PNDM takes one more
    knobs = excite.AttendExciteConfig(
        scale_factor=5.0, thresholds=thresholds, max_refinement_steps=20
    )  # the retired pipeline knows no other
    call = {"prompt": PROMPT, "num_inference_steps": 6, "guidance_scale": 4.0, "height": size[0], "width": size[1]}
    call["latents"] = noise(1, *size, torch.float64)
    theirs = retired(
        pipe, **call, token_indices=[2, 5], attn_res=(size[0] // 16, size[1] // 16), scale_factor=knobs.scale_factor,
        max_iter_to_alter=knobs.max_iter_to_alter(steps),
        thresholds={round(share * steps): peak for share, peak in thresholds},
    )  # fmt: skip
    ours, log = excited(pipe, knobs, **call)
    assert (theirs - paint(pipe, **call)).abs().max() > 0.1
    assert ours.sub(theirs).abs().max() < 1e-5 * theirs.abs().max()
    moves = [sum(move.step == step for move in log.moves[0]) for step in range(3)]
    assert moves == [1, 1, 1] or (thresholds and moves[0] == 1 and 2 < moves[1] < 21 == moves[2])


def test_equals_the_retired_pipeline_with_several_prompts(pipe):
    pipe.to(torch.float64)
    prompts, knobs = [PROMPT, "a red cat and a blue dog"], excite.AttendExciteConfig(scale_factor=5.0, thresholds=())
    call = {"num_inference_steps": 4, "guidance_scale": 4.0, "latents": noise(2, dtype=torch.float64), **SIZE}
    theirs = retired(
        pipe, prompt=prompts, token_indices=[[2, 5], [3, 7]], attn_res=(4, 6), max_iter_to_alter=2, scale_factor=5,
        thresholds={}, **call,
    )  # fmt: skip
    ours, _ = excited(pipe, knobs, [WORDS, ["cat", "dog"]], prompt=prompts, **call)
    assert ours.sub(theirs).abs().max() < 1e-5 * theirs.abs().max()


# Refinement


def test_refinement_goes_on_until_the_peak_is_there_or_patience_ends(pipe):
    knobs = excite.AttendExciteConfig(
        scale_factor=0.3, alter_share=0.5, thresholds=((0.0, 0.4),), max_refinement_steps=30
    )
    _, log = excited(pipe, knobs)
    reached = next(number for number, loss in enumerate(log.losses()) if loss <= 0.6)
    assert reached > 1 and [move.step for move in log.moves[0]] == [0] * (
        reached + 2
    )  # once more, as the paper's code
    _, log = excited(pipe, replace(knobs, max_refinement_steps=reached - 1))
    assert len(log.moves[0]) == reached and min(log.losses()) > 0.6
    _, log = excited(pipe, replace(knobs, max_refinement_steps=0))
    assert len(log.moves[0]) == 1


def test_several_pictures_equal_one_at_a_time(pipe):
    """Also where one is refined longer than the other. In float64, for kernels differ by the batch's size."""
    pipe.to(torch.float64)
    knobs = excite.AttendExciteConfig(
        scale_factor=3.0, alter_share=0.5, thresholds=((0.0, 0.4),), max_refinement_steps=30
    )
    prompts, words = [PROMPT, "a dragon and a clock"], [WORDS, ["dragon", "clock", "and"]]
    latents = noise(2, dtype=torch.float64)
    both, together = excited(pipe, knobs, words, prompt=prompts, latents=latents)
    for number in range(2):
        one, log = excited(pipe, knobs, words[number], prompt=prompts[number], latents=latents[number : number + 1])
        assert one[0].sub(both[number]).abs().max() < 1e-8 * both.abs().max()
        assert log.losses() == pytest.approx(together.losses(number))
        assert set(together.moves[number][0].peaks) == set(words[number])
    assert len(together.moves[0]) != len(together.moves[1])


def test_several_pictures_of_one_prompt(pipe):
    both, log = excited(pipe, latents=noise(2), num_images_per_prompt=2)
    single, _ = excited(pipe, latents=noise(2)[1:])
    assert both[1].allclose(single[0], atol=1e-3) and len(log.moves) == 2


# A guest on any pipeline: an excited call of one step is the plain call from latents moved by hand


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_one_step(pipe, guidance):
    start = {"num_inference_steps": 1, "guidance_scale": guidance}
    ours, log = excited(pipe, latents=noise(), **start)
    timestep = log.moves[0][0].timestep
    assert ours.allclose(paint(pipe, latents=pushed_by_hand(pipe, noise(), timestep), **start), atol=1e-4)
    assert not ours.allclose(paint(pipe, latents=noise(), **start), atol=1e-2)


@pytest.mark.parametrize("sampler", [name for name, each in catalog.SAMPLERS.items() if not each.adds_noise])
def test_with_every_kind_of_scheduler(pipe, sampler):
    catalog.with_scheduler(pipe, sampler)
    scheduler, start = pipe.scheduler, {"num_inference_steps": 4, "guidance_scale": 4.0}
    ours, log = excited(pipe, replace(ONCE, alter_share=0.2), latents=noise(), **start)
    scheduler.set_timesteps(4)
    sigma, first = float(scheduler.init_noise_sigma), scheduler.timesteps[0]
    scale = float(scheduler.scale_model_input(torch.ones(1), first))
    moved = pushed_by_hand(pipe, scale * sigma * noise(), first)  # where all samplers' latents are alike
    plain = paint(pipe, latents=moved / scale / sigma, **start)
    assert len(log.moves[0]) == 1 and ours.allclose(plain, atol=1e-4 * float(plain.abs().max()))
    assert not ours.allclose(paint(pipe, latents=noise(), **start), atol=1e-2 * float(plain.abs().max()))


@pytest.mark.parametrize("guess", [False, True])
@pytest.mark.parametrize("several", [False, True])
def test_with_controlnet(controlled, guess, several):
    hint = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    start = {"num_inference_steps": 1, "image": hint, "guess_mode": guess, "controlnet_conditioning_scale": 0.7}
    residuals = {}
    if several:
        start |= {"image": [hint, 1 - hint], "controlnet_conditioning_scale": [0.7, 0.4]}
        controlled.controlnet = MultiControlNetModel([controlled.controlnet] * 2)
    ours, log = excited(controlled, latents=noise(), **start)
    timestep = log.moves[0][0].timestep
    with torch.no_grad():
        down, mid = controlled.controlnet(
            noise(), timestep, text(controlled), start["image"], start["controlnet_conditioning_scale"],
            guess_mode=guess, return_dict=False,
        )  # fmt: skip
    residuals = {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
    moved = pushed_by_hand(controlled, noise(), timestep, **residuals)
    assert not moved.allclose(pushed_by_hand(controlled, noise(), timestep), atol=1e-3)
    plain = paint(controlled, latents=moved, **start)
    assert ours.allclose(plain, atol=1e-4 * float(plain.abs().max()))


def test_a_controlnet_looks_again_while_a_step_is_refined(controlled):
    """Two refinements and the move: three moves by hand, each with the ControlNet's answer to where it stands."""
    hint = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    start = {"num_inference_steps": 1, "image": hint}
    ours, log = excited(
        controlled, replace(ONCE, thresholds=((0.0, 1.0),), max_refinement_steps=2), latents=noise(), **start
    )
    moved, timestep = noise(), log.moves[0][0].timestep
    for _ in range(3):
        with torch.no_grad():
            down, mid = controlled.controlnet(moved, timestep, text(controlled), hint, return_dict=False)
        residuals = {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
        moved = pushed_by_hand(controlled, moved, timestep, **residuals)
    plain = paint(controlled, latents=moved, **start)
    assert len(log.moves[0]) == 3 and ours.allclose(plain, atol=1e-3 * float(plain.abs().max()))


def test_further_channels_stay():
    """A depth or a mask goes to the UNet beside the latents; only these are moved."""
    sample, shift = torch.rand(4, 13, 2, 3), torch.ones(2, 12, 2, 3)
    inputs = excite.UNetInputs({"sample": sample, "timestep": 900}, None, pictures=2)
    whole = inputs.moved(shift)["sample"]
    assert whole[:, :12].allclose(sample[:, :12] + 1) and torch.equal(whole[:, 12:], sample[:, 12:])
    conditional = inputs.moved(shift[1:], torch.tensor([False, True]))
    assert torch.equal(conditional["sample"], whole[3:]) and conditional["timestep"] == 900


def test_with_lora(pipe):
    from peft import LoraConfig

    config = LoraConfig(r=2, target_modules=["to_q", "to_k", "to_v"], init_lora_weights=False)
    pipe.unet.add_adapter(config)
    flags = {name: weight.requires_grad for name, weight in pipe.unet.named_parameters()}
    start = {"num_inference_steps": 1, "cross_attention_kwargs": {"scale": 0.5}}
    ours, log = excited(pipe, latents=noise(), **start)
    how = {"cross_attention_kwargs": {"scale": 0.5}}
    moved = pushed_by_hand(pipe, noise(), log.moves[0][0].timestep, **how)
    assert ours.allclose(paint(pipe, latents=moved, **start), atol=1e-4)
    assert not moved.allclose(pushed_by_hand(pipe, noise(), log.moves[0][0].timestep), atol=1e-3)
    assert {name: weight.requires_grad for name, weight in pipe.unet.named_parameters()} == flags
    layer = pipe.unet.get_submodule("up_blocks.2.attentions.1.transformer_blocks.0.attn2.to_q")
    assert layer.scaling == {"default": config.lora_alpha / config.r}  # given back although the pass broke off


def test_image_to_image_pushes_a_share_of_the_steps_that_run(pipe):
    pipe = models.with_parts(StableDiffusionImg2ImgPipeline, pipe)
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    call = {"image": image, "strength": 0.5, "num_inference_steps": 8, "output_type": "latent"}
    plain = pipe(PROMPT, generator=torch.Generator().manual_seed(0), **call).images
    with excite.exciting(pipe, WORDS, replace(ONCE, alter_share=0.5)) as log:
        ours = pipe(PROMPT, generator=torch.Generator().manual_seed(0), **call).images
    assert [move.step for move in log.moves[0]] == [0, 1] and not ours.allclose(plain, atol=1e-2)


def test_nothing_to_push_is_the_plain_picture_to_the_bit(pipe):
    plain = paint(pipe)
    assert torch.equal(excited(pipe, replace(ONCE, scale_factor=0.0))[0], plain)
    still, log = excited(pipe, replace(ONCE, alter_share=0.0))
    assert torch.equal(still, plain) and log.moves == [[]]


def test_inference_mode(pipe):
    expected, _ = excited(pipe)
    with torch.inference_mode():
        found, _ = excited(pipe)
    assert torch.equal(found, expected)


def test_half_precision(pipe):
    """The first loss is what bfloat16's three digits, sharpened a hundredfold, leave of it."""
    _, full = excited(pipe, latents=noise())
    found, log = excited(pipe.to(torch.bfloat16), latents=noise(dtype=torch.bfloat16))
    assert found.dtype == torch.bfloat16 and found.isfinite().all()
    assert log.losses()[0] == pytest.approx(full.losses()[0], abs=0.1)


def test_a_users_callback_and_stop(pipe):
    seen = []

    def after_step(pipe, step, timestep, kept):
        seen.append(len(log.moves[0]))
        pipe._interrupt = step == 1
        return kept

    with excite.exciting(pipe, WORDS, ONCE) as log:
        paint(pipe, num_inference_steps=5, callback_on_step_end=after_step)
    assert seen == [1, 2] and len(log.moves[0]) == 2
    with excite.exciting(pipe, WORDS, ONCE) as log:
        paint(pipe, num_inference_steps=3)
    assert [move.step for move in log.moves[0]] == [0, 1, 2]


@pytest.mark.parametrize("excite_first", [False, True])
def test_together_with_capture(pipe, excite_first):
    ours, _ = excited(pipe)
    if excite_first:
        with excite.exciting(pipe, WORDS, ONCE), attention.capture(pipe, steps=True) as maps:
            assert torch.equal(paint(pipe), ours)
    else:
        with attention.capture(pipe, steps=True) as maps, excite.exciting(pipe, WORDS, ONCE):
            assert torch.equal(paint(pipe), ours)
    assert len(maps.timesteps) == 2 and maps.heat(step=0).sum(0).allclose(torch.ones(4, 6))
    assert untouched(pipe, pipe.unet.attn_processors)


def test_a_wrapped_scheduler_stays_wrapped(pipe):
    """A panel's preview watches the scheduler's step, from the first to the last."""
    plain, seen = pipe.scheduler.step, []

    def watched(model_output, timestep, sample, *rest, **more):
        seen.append(int(timestep))
        return plain(model_output, timestep, sample, *rest, **more)

    expected, _ = excited(pipe, num_inference_steps=4)
    pipe.scheduler.step = watched
    found, _ = excited(pipe, replace(ONCE, alter_share=0.5), num_inference_steps=4)
    assert len(seen) == 4 and pipe.scheduler.step is watched
    seen.clear()
    assert torch.equal(excited(pipe, num_inference_steps=4)[0], expected) and len(seen) == 4
    with pytest.raises(KeyError):
        excited(pipe, callback_on_step_end=lambda *_: {}["stop"])
    assert pipe.scheduler.step is watched


# The log


def test_the_log_tells_every_move(pipe):
    _, log = excited(pipe, keep_maps=True)
    first = log.moves[0][0]
    assert first.timestep > log.moves[0][1].timestep and log.losses() == [move.loss for move in log.moves[0]]
    assert first.loss == pytest.approx(1 - min(first.peaks.values()), abs=1e-6)
    for word in WORDS:
        assert first.maps[word].shape == (4, 6) and not first.maps[word].requires_grad
        assert first.maps[word].max() == pytest.approx(first.peaks[word])
    _, log = excited(pipe)
    assert log.moves[0][0].maps is None


# No trace


def test_an_error_leaves_no_trace(pipe, monkeypatch):
    before = pipe.unet.attn_processors

    def fail(*_):
        raise KeyError("stop")

    with pytest.raises(KeyError):
        excited(pipe, callback_on_step_end=fail)
    assert untouched(pipe, before)
    for place in ("down_blocks.1", "conv_out"):  # within the looking pass, and after it
        hook = pipe.unet.get_submodule(place).register_forward_pre_hook(fail)
        with pytest.raises(KeyError):
            excited(pipe)
        hook.remove()
        assert untouched(pipe, before)
    assert len(excited(pipe)[1].moves[0]) == 2


def test_entering_twice_raises_and_leaves_the_first_in_place(pipe):
    with excite.exciting(pipe, WORDS, ONCE) as log:
        with pytest.raises(RuntimeError, match="being excited already"):
            excited(pipe)
        paint(pipe)
    assert len(log.moves[0]) == 2 and untouched(pipe, pipe.unet.attn_processors)


# What cannot be


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        ([], ValueError, r"words=\[\] has an empty list"),
        ([["lion"], []], ValueError, "has an empty list"),
        ("lion", TypeError, "words='lion' is no list"),
        ([1.5], TypeError, "holds 1.5"),
        ([True], TypeError, "holds True"),
        (["dog"], ValueError, r"word='dog' is not in the prompt 'a lion with a crown'.*'lion', 'with'"),
        (["lion", "lion"], ValueError, "names 'lion' twice"),
        (["lion", 2], ValueError, "names 2 twice"),
        (["a"], ValueError, "word='a' stands 2 times in the prompt, at tokens 1 and 4"),
        ([0], ValueError, "holds 0, which is no word .* tokens are 1 to 5"),
        ([6], ValueError, "holds 6, which is no word"),
        (["<|endoftext|>"], ValueError, "is no word of the prompt"),
        ([["lion"], ["crown"]], ValueError, "has 2 lists for 1 prompts"),
    ],
)
def test_words_that_cannot_be_excited(pipe, words, kind, message):
    with pytest.raises(kind, match=message):
        excited(pipe, words=words)
    assert untouched(pipe, pipe.unet.attn_processors)


def test_a_word_beyond_the_limit(pipe):
    with pytest.raises(ValueError, match="word='crown' stands beyond the 30 tokens"):
        excited(pipe, prompt="a lion " + "in the garden " * 10 + "with a crown")


def test_numbers_for_words_that_are_not_known(pipe):
    embeds = {"prompt": None, "prompt_embeds": text(pipe), "negative_prompt_embeds": text(pipe, "")}
    ours, _ = excited(pipe, words=[2, 5], **embeds)
    assert torch.equal(ours, excited(pipe)[0])
    with pytest.raises(ValueError, match="prompt_embeds, so its words are not known"):
        excited(pipe, **embeds)


def test_no_layers_of_that_resolution(pipe):
    with pytest.raises(ValueError, match=r"resolutions=\(32,\): this UNet2DConditionModel has"):
        excited(pipe, replace(ONCE, resolution=32))
