"""What a picture costs beside its parts: `python benchmarks/picture.py`.

One run, interleaved: the whole pipeline call (20 steps, guidance on) against its bare UNet calls plus one decode.
Where the base has not shipped, untrained models of the same size are timed: weights do not change the time.
"""

import statistics
import time

import torch

from course_utils import catalog, env
from course_utils.recipe import autoencoder, base, corpus, text

ROUNDS, STEPS = 7, 20


def pipeline():
    """Load the base, or build its like."""
    if (env.ASSETS / "models/clay-base/unet").exists():
        return catalog.load("text2img", lane="clay")
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    tokenizer = corpus.tokenizer()
    scheduler = DDIMScheduler(**base.SCHEDULE, clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    pipe = StableDiffusionPipeline(
        autoencoder.build(), text.build(len(tokenizer)).eval(), tokenizer, base.build(), scheduler, None, None,
        requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    return pipe


@torch.inference_mode()
def bare(pipe) -> None:
    """Call the UNet twice a step (as one batch of two) and decode once."""
    z, words = torch.randn(2, 12, 16, 16), torch.randn(2, corpus.LENGTH, text.WIDTH)
    for t in torch.linspace(999, 0, STEPS).long():
        pipe.unet(z, t, words)
    pipe.vae.decode(z[:1])


def main() -> None:
    """Time both in turn and print medians and the ratio."""
    pipe, took = pipeline(), {"whole call": [], "bare UNet calls and one decode": []}
    calls = (lambda: pipe("a red clock", num_inference_steps=STEPS, guidance_scale=4.0), lambda: bare(pipe))
    for round_ in range(ROUNDS + 1):
        for name, call in zip(took, calls, strict=True):
            began = time.perf_counter()
            call()
            if round_:  # the first warms up
                took[name].append(time.perf_counter() - began)
    for name, seconds in took.items():
        print(f"{name}: median {statistics.median(seconds):.2f} s")
    print(f"ratio: median {statistics.median(a / b for a, b in zip(*took.values(), strict=True)):.2f}")


if __name__ == "__main__":
    main()
