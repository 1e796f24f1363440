"""What samplers do with pictures of the shipped base: a cheap part of `benchmarks/samplers.py`, which measures all."""

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import samplers
from course_utils import catalog, editing

STEPS = 8
WALKS = ["ddim", "euler", "dpm++ 2m", "unipc"]  # those that eight steps are enough for


@pytest.fixture(scope="module")
def compositions():
    """The composition of seed 0 by each sampler, and of seed 1 by ddim."""
    pipe = catalog.load("text2img", "clay")

    def paint(name, seed=0):
        call = samplers.CALL | {"num_inference_steps": STEPS, "generator": torch.Generator().manual_seed(seed)}
        return samplers.small(catalog.with_scheduler(pipe, name)(samplers.PROMPT, **call).images[0])

    return {name: paint(name) for name in WALKS} | {"another seed": paint("ddim", 1)}


@pytest.mark.parametrize("name", WALKS[1:])
def test_a_walk_without_noise_ends_near_ddims(compositions, name):
    far = np.abs(compositions["another seed"] - compositions["ddim"]).mean()
    assert np.abs(compositions[name] - compositions["ddim"]).mean() < 0.5 * far


def changed(name, **more):
    """The scene of the benchmark, changed a little from seed 0."""
    pipe = catalog.with_scheduler(catalog.load("img2img", "clay"), name)
    call = {"strength": 0.4, "num_inference_steps": 2 * STEPS, "guidance_scale": 4.0} | more
    image = Image.fromarray(samplers.given().image)
    return pipe(samplers.PROMPT, image=image, generator=torch.Generator().manual_seed(0), **call).images[0]


@pytest.mark.parametrize("name", [name for name, each in catalog.SAMPLERS.items() if not each.adds_noise][1:])
def test_a_little_strength_leaves_the_picture_as_near(name):
    made, plain, image = samplers.given(), changed("ddim"), changed(name)
    assert 0.7 < samplers.near(made, image) / samplers.near(made, plain) < 1.4
    far = np.abs(samplers.small(plain) - samplers.small(Image.fromarray(made.image))).mean()
    assert np.abs(samplers.small(image) - samplers.small(plain)).mean() < 0.5 * far


@pytest.mark.parametrize("name", ["pndm", "dpm++ 2m", "unipc"])
def test_many_steps_remembered_follow_latents_that_a_mask_changed(name):
    made = Image.fromarray(samplers.given().image)
    mask = Image.new("L", made.size)
    mask.paste(255, (0, 0, made.width // 2, made.height))
    plain, image = (
        changed(each, strength=0.8, callback_on_step_end=editing.keep_outside(mask, made)) for each in ("ddim", name)
    )
    far = np.abs(samplers.small(plain) - samplers.small(made)).mean()
    assert np.abs(samplers.small(image) - samplers.small(plain)).mean() < 0.5 * far
