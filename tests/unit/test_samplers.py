"""What samplers do with pictures of the shipped base: a cheap part of `benchmarks/samplers.py`, which measures all."""

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import samplers
from course_utils import catalog

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


@pytest.mark.parametrize("name", ["euler", "dpm++ 2m"])
def test_a_little_strength_leaves_the_picture_as_near(name):
    made, near = samplers.given(), {}
    call = {"strength": 0.3, "num_inference_steps": 2 * STEPS, "guidance_scale": 4.0}
    for each in ("ddim", name):
        pipe = catalog.with_scheduler(catalog.load("img2img", "clay"), each)
        generator = torch.Generator().manual_seed(0)
        image = pipe(samplers.PROMPT, image=Image.fromarray(made.image), generator=generator, **call).images[0]
        near[each] = samplers.near(made, image)
    assert 0.5 < near[name] / near["ddim"] < 1.5
