"""Attend-and-Excite against diffusers' retired pipeline, side by side: `python benchmarks/excite.py [clay] [sd15]`.

Same weights, latents, words and settings, in turn: first one update of the latents, then a whole call up to the
latents. Ratios are ours to theirs. The sd15 part takes minutes and 14 GB on a CPU, most of both theirs: their call
holds the whole graph of the update while the guided pass runs.
"""

import gc
import statistics
import sys
import warnings
from dataclasses import replace

import torch
from _measure import MB, build, measured
from diffusers import StableDiffusionAttendAndExcitePipeline
from diffusers.pipelines.deprecated.stable_diffusion_attend_and_excite import (
    pipeline_stable_diffusion_attend_and_excite as retired,
)

from course_utils import catalog, excite

PROMPT, WORDS, PLACES = "a lion with a crown", ("lion", "crown"), [2, 5]
SIZES = {"clay": (20, 5, 5), "sd15": (3, 1, 1)}  # steps of a call, rounds of one update, rounds of a call


def theirs_of(pipe):
    """Give the retired pipeline on the same parts."""
    parts = {name: part for name, part in pipe.components.items() if name != "image_encoder"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = StableDiffusionAttendAndExcitePipeline(**parts, requires_safety_checker=False)
    old.set_progress_bar_config(disable=True)
    return old


def their_update(old, latents, timestep, text):
    """Do what its loop does for one picture in one step, with its own methods."""
    before = old.unet.attn_processors
    old.attention_store = retired.AttentionStore((16, 16))
    old.register_attention_control()
    with torch.enable_grad():
        latents = latents.clone().detach().requires_grad_(True)
        old.unet(latents, timestep, encoder_hidden_states=text)
        old.unet.zero_grad()
        loss = old._compute_loss(old._aggregate_and_get_max_attention_per_token(indices=PLACES))
        latents = old._update_latent(latents, loss, step_size=20.0)
    old.attention_store.reset()
    old.unet.set_attn_processor(before)
    return latents.detach()


def our_update(pipe, latents, timestep, text):
    """Do the same with the room's own functions."""
    config = excite.AttendExciteConfig()
    with torch.enable_grad():
        latents = latents.clone().requires_grad_()
        heat = excite.attention_with_grad(pipe.unet, 16, sample=latents, timestep=timestep, encoder_hidden_states=text)
        chosen = excite.token_mask([[(place,) for place in PLACES]], text.shape[1]).to(heat.device)
        loss = excite.loss(excite.peaks(excite.word_maps(heat, chosen, config)))
        return latents.detach() - 20.0 * torch.autograd.grad(loss.sum(), latents)[0]


def compare(name, rounds, weights, ours, theirs) -> None:
    """Run both in turn, one round more than asked for where there are several; print medians and ratios."""
    rows = []
    for number in range(rounds + (rounds > 1)):
        (mine, *my_cost), (other, *other_cost) = measured(ours), measured(theirs)
        if number or rounds == 1:  # else the first warms up
            rows.append((*my_cost, *other_cost))
    gap = (mine - other).abs().max() / other.abs().max()
    costs = {"seconds": (0, 0), "MB above the weights": (1, 0), "MB with the weights": (1, weights)}
    for title, (column, more) in costs.items():
        us, them = (statistics.median(row[column + shift] + more for row in rows) for shift in (0, 2))
        ratio = statistics.median((row[column] + more) / (row[column + 2] + more) for row in rows)
        print(f"  {name}, {title}: ours {us:.4g}, theirs {them:.4g}, ratio {ratio:.2f}", flush=True)
    print(f"  {name}: the latents differ by {gap:.1e} of the largest", flush=True)


def run(size: str) -> None:
    """Compare at one size."""
    steps, update_rounds, call_rounds = SIZES[size]
    pipe = catalog.with_scheduler(build(size), "ddim")  # one that draws no noise: pictures are compared
    old = theirs_of(pipe)
    weights = sum(weight.numel() * weight.element_size() for weight in pipe.unet.parameters()) / MB
    side, channels = pipe.unet.config.sample_size, pipe.unet.config.in_channels
    latents = torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(0)).to(pipe.device)
    with torch.no_grad():
        text, _ = pipe.encode_prompt(PROMPT, pipe.device, 1, False)
    print(f"{size}: UNet of {weights:.0f} MB on {pipe.device}, {torch.get_num_threads()} threads", flush=True)
    update = (latents, torch.tensor(901, device=pipe.device), text)
    compare(
        "one update", update_rounds, weights, lambda: our_update(pipe, *update), lambda: their_update(old, *update)
    )
    # The retired pipeline knows one sharpness, the paper's.
    config = replace(
        excite.AttendExciteConfig.for_lane(size), thresholds=(), sharpness=excite.AttendExciteConfig().sharpness
    )
    guidance = catalog.defaults(size)["guidance_scale"]
    call = {"num_inference_steps": steps, "guidance_scale": guidance, "latents": latents, "output_type": "latent"}

    def our_call():
        with excite.exciting(pipe, WORDS, config):
            return pipe(PROMPT, **call).images

    def their_call():
        how = {
            "max_iter_to_alter": config.max_iter_to_alter(steps),
            "scale_factor": config.scale_factor,
            "thresholds": {},
        }
        return old(PROMPT, token_indices=PLACES, **how, **call).images

    compare(f"call of {steps} steps", call_rounds, weights, our_call, their_call)


def main() -> None:
    """Compare at the sizes that are asked for, or at both."""
    for size in sys.argv[1:] or SIZES:
        run(size)
        gc.collect()


if __name__ == "__main__":
    main()
