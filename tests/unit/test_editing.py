import copy
import math

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import catalog, editing
from tests.tiny import models

HEIGHT, WIDTH = 64, 96
WHITE, RED = (255, 255, 255), (255, 0, 0)


@pytest.fixture(scope="module")
def pipe(tmp_path_factory):
    folder = models.build_clay_folder(tmp_path_factory.mktemp("tiny") / "clay-base")
    return catalog.load("img2img", lane="clay", folder=folder)


@pytest.fixture(scope="module")
def picture():
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def pixels(image):
    return np.asarray(image)


def test_a_stroke_is_drawn_where_it_is_said():
    drawn = editing.paint(Image.new("RGB", (WIDTH, HEIGHT)), [("#ff0000", 6, [10, 20, 80, 20])])
    assert drawn.size == (WIDTH, HEIGHT) and drawn.getpixel((45, 20)) == RED
    red = pixels(drawn)[..., 0] > 127
    rows, columns = np.nonzero(red)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (17, 22, 7, 82)  # half a width, round ends


def test_a_dot_is_round():
    drawn = editing.scribble([("#ffffff", 10, [30, 30])], HEIGHT, WIDTH)
    assert pixels(drawn)[..., 0].sum() / 255 == pytest.approx(math.pi * 25, rel=0.05)


def test_paint_leaves_the_rest_and_the_original_alone(picture):
    before = pixels(picture).copy()
    drawn = editing.paint(picture, [("#ff0000", 4, [10, 10, 20, 20])])
    changed = (pixels(drawn) != before).any(-1)
    assert changed.any() and not changed[30:].any() and not changed[:, 40:].any()
    assert np.array_equal(pixels(picture), before)


def test_erasing_brings_the_picture_back(picture):
    line = ("#ff0000", 4, [10, 30, 80, 30])
    assert np.array_equal(pixels(editing.paint(picture, [line, ("erase", 30, [0, 30, 95, 30])])), pixels(picture))
    again = editing.paint(picture, [line, ("erase", 30, [0, 30, 95, 30]), line])
    assert np.array_equal(pixels(again), pixels(editing.paint(picture, [line])))


def test_marks_make_the_mask_and_nothing_else(picture):
    mark = ("mark", 10, [20, 20, 60, 20])
    strokes = [mark, ("#ff0000", 4, [0, 50, 90, 50]), ("erase", 6, [40, 0, 40, 60])]
    mask = editing.mask(strokes, HEIGHT, WIDTH)
    assert mask.mode == "L" and mask.size == (WIDTH, HEIGHT)
    assert [mask.getpixel(at) for at in ((25, 20), (40, 20), (55, 20), (25, 50))] == [255, 0, 255, 0]
    assert np.array_equal(pixels(editing.paint(picture, [mark])), pixels(picture))


def test_strokes_may_leave_the_picture():
    strokes = [("#ffffff", 5, [-500, 10, 900, 10]), ("#ffffff", 5, [900, 900, 950, 950])]
    assert (pixels(editing.scribble(strokes, HEIGHT, WIDTH))[10] == 255).all()


@pytest.mark.parametrize(
    "stroke",
    [
        ("no colour", 3, [1, 2]),
        ("#fff", math.inf, [1, 2]),
        ("#fff", 3, [math.nan, 2]),
        ("#fff", 3, [1]),
        ("#fff", 3, []),
        ("#fff",),
        "#fff",
    ],
)
def test_what_is_no_stroke_is_named(stroke):
    with pytest.raises(ValueError, match="strokes hold .*a stroke is"):
        editing.scribble([stroke], HEIGHT, WIDTH)


def test_fit_squeezes_nothing():
    wide = Image.new("RGB", (300, 100), "red")
    wide.paste("blue", (100, 0, 200, 100))
    fitted = editing.fit(wide, 64, 64)
    assert fitted.size == (64, 64) and (pixels(fitted)[8:-8, 8:-8] == (0, 0, 255)).all()
    assert editing.fit(fitted, 64, 64) is fitted


def run(pipe, picture, callback, scheduler="ddim", steps=6, **more):
    pipe = catalog.with_scheduler(pipe, scheduler)
    call = {"strength": 0.7, "num_inference_steps": steps, "generator": torch.Generator().manual_seed(3), **more}
    return pipe("a cat", image=picture, output_type="latent", callback_on_step_end=callback, **call).images


def test_decoding_is_the_way_back_as_the_pipeline_goes_it(pipe, picture):
    latents = editing.encode(pipe, picture)
    back = editing.decode(pipe, latents)
    assert back.size == picture.size and back.mode == "RGB"
    with torch.no_grad():
        pixels_of = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample
    assert np.array_equal(pixels(back), pixels(pipe.image_processor.postprocess(pixels_of)[0]))


@pytest.mark.parametrize("scheduler", ["ddim", "pndm", "euler", "euler a", "heun", "dpm++ 2m", "unipc", "lms", "ddpm"])
def test_outside_the_mask_nothing_changes(pipe, picture, scheduler):
    mask = editing.mask([("mark", 20, [60, 30, 80, 40])], HEIGHT, WIDTH)
    latents = run(pipe, picture, editing.keep_outside(mask, picture), scheduler)
    clean = editing.encode(pipe, picture)
    free = torch.from_numpy(pixels(mask).reshape(4, 16, 6, 16).max((1, 3)) > 0)
    same = (latents == clean).all(1)[0]
    assert latents.shape == (1, 12, 4, 6) and not free.all() and free.any()
    assert torch.equal(same, ~free)


def test_outside_is_as_noisy_as_the_next_step_expects(pipe, picture):
    large = picture.resize((512, 512))
    mask = Image.new("L", large.size)
    mask.putpixel((0, 0), 255)
    blend, seen = editing.keep_outside(mask, large), []

    def watch(pipe, step, timestep, kept):
        kept = blend(pipe, step, timestep, kept)
        alpha = pipe.scheduler.alphas_cumprod
        left = pipe.num_timesteps - step - 1
        if left:
            alpha = alpha[pipe.scheduler.timesteps[-left]]
            clean = editing.encode(pipe, large)
            noise = (kept["latents"] - alpha.sqrt() * clean) / (1 - alpha).sqrt()
            seen.append(float(noise[..., 2:, 2:].std()))
        return kept

    run(pipe, large, watch)
    assert len(seen) == 3 and all(abs(deviation - 1) < 0.05 for deviation in seen)


def test_in_half_precision_the_noise_is_what_a_pipeline_draws(pipe, picture):
    """Torch 2.11 draws another noise in half precision than in float32 from one seed; so pipelines do there."""
    clean = editing.encode(pipe, picture).bfloat16()
    mask = Image.new("L", picture.size)
    mask.putpixel((0, 0), 255)
    own = copy.copy(pipe)
    own.scheduler = pipe.scheduler.from_config(pipe.scheduler.config)
    own.scheduler.set_timesteps(2)
    own._num_timesteps = 2
    kept = editing.keep_outside(mask, picture)(own, 0, None, {"latents": torch.zeros_like(clean)})["latents"]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0), dtype=clean.dtype)
    expected = own.scheduler.add_noise(clean, noise, own.scheduler.timesteps[-1:])
    assert torch.equal(kept[..., 1:, 1:], expected[..., 1:, 1:])


def test_a_thin_stroke_is_not_lost_between_two_latents(pipe, picture):
    thin, cell = Image.new("L", picture.size), Image.new("L", picture.size)
    thin.putpixel((40, 20), 255)
    cell.paste(255, (32, 16, 48, 32))  # all that its latent covers
    latents = run(pipe, picture, editing.keep_outside(thin, picture))
    changed = (latents != editing.encode(pipe, picture)).any(1)[0]
    assert changed.nonzero().tolist() == [[1, 2]]
    assert torch.equal(latents, run(pipe, picture, editing.keep_outside(cell, picture)))


def test_a_full_mask_is_plain_img2img(pipe, picture):
    mask = Image.new("L", picture.size, 255)
    assert torch.equal(run(pipe, picture, editing.keep_outside(mask, picture)), run(pipe, picture, None))


def test_one_callback_serves_several_runs(pipe, picture):
    mask = editing.mask([("mark", 20, [60, 30, 80, 40])], HEIGHT, WIDTH)
    blend = editing.keep_outside(mask, picture)
    first = run(pipe, picture, blend)
    run(pipe, picture.resize((128, 64)), None)
    assert torch.equal(run(pipe, picture, blend), first)


def test_a_large_picture_and_its_mask_keep_one_size():
    large = Image.new("RGB", (2100, 16), "red")
    assert callable(editing.keep_outside(Image.new("L", large.size, 255), large))


def test_a_picture_is_encoded_where_its_parts_take_turns(pipe, picture, monkeypatch):
    wanted = editing.encode(pipe, picture)
    where = property(lambda pipe: torch.device("cpu"))
    monkeypatch.setattr(type(pipe), "device", property(lambda pipe: torch.device("meta")))  # the parts lie elsewhere
    monkeypatch.setattr(type(pipe), "_execution_device", where)
    assert torch.equal(editing.encode(pipe, picture), wanted)


def test_masks_that_cannot_be_are_refused(picture):
    with pytest.raises(ValueError, match="mask has 64 x 64 pixels and picture 64 x 96"):
        editing.keep_outside(Image.new("L", (64, 64), 255), picture)
    with pytest.raises(ValueError, match="mask is black everywhere"):
        editing.keep_outside(Image.new("L", picture.size), picture)
