"""What a ControlNet costs beside the plain model: `python benchmarks/control.py [clay] [sd15]`.

In turn: a guided call up to the latents without a map, with one ControlNet as diffusers asks it and with its map
encoded once, as the catalogue loads it, and with two of these. The sd15 part has Stable Diffusion 1.5's true size and
random weights, one step at 512 x 512; it takes minutes and 6 GB on a CPU. At clay's size also an iteration of
training: a ControlNet beside the locked UNet against the UNet itself, which is where the paper (Zhang et al., ICCV
2023) names its +34 % of time and +23 % of memory, on another model and another device.
"""

import gc
import sys

import torch
from _measure import build, compare
from diffusers import DiffusionPipeline, StableDiffusionControlNetPipeline
from PIL import Image

from course_utils import controlnet
from course_utils.catalog.once import encode_once
from course_utils.controlnet.pairs import Batch
from course_utils.training import eased

PROMPT, BATCH = "a red clock and a blue bench", 8
SIZES = {"clay": (20, 7), "sd15": (1, 1)}  # steps of a call, rounds


def sample(size: str, pipe: DiffusionPipeline) -> None:
    """Compare calls without a map, with one and with two, and hold the shapes of what comes out."""
    steps, rounds = SIZES[size]
    side = pipe.unet.config.sample_size * pipe.vae_scale_factor
    picture = Image.new("RGB", (side, side), "grey")
    net, swift = controlnet.copy_of(pipe), encode_once(controlnet.copy_of(pipe))
    parts = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    how = {"num_inference_steps": steps, "guidance_scale": 4.0, "output_type": "latent"}

    def controlled(*nets):
        made = StableDiffusionControlNetPipeline(**(pipe.components | parts), controlnet=[*nets])
        made.set_progress_bar_config(disable=True)
        maps = {"image": [picture] * len(nets), "controlnet_conditioning_scale": [1.0] * len(nets)}
        return lambda: made(PROMPT, generator=torch.Generator().manual_seed(0), **maps, **how).images

    def plain():
        return pipe(PROMPT, generator=torch.Generator().manual_seed(0), **how).images

    sizes = [sum(p.numel() for p in part.parameters()) / 1e6 for part in (pipe.unet, net)]
    title = f"{size}, {steps} steps at {side} x {side} on {pipe.device}; UNet {sizes[0]:.0f} M, ControlNet "
    calls = {"plain": plain, "one ControlNet": controlled(net), "encoded once": controlled(swift)}
    calls |= {"two, once": controlled(swift, swift)}
    made = compare(f"{title}{sizes[1]:.0f} M:", calls, rounds)
    shape = (1, pipe.unet.config.in_channels, *[pipe.unet.config.sample_size] * 2)
    gaps = [(latents - made["plain"]).abs().max().item() for latents in made.values()]
    assert all(tuple(one.shape) == shape for one in made.values()), {k: one.shape for k, one in made.items()}
    print(f"  latents {list(shape)}; untrained zero convolutions move them by {max(gaps):.1e} at the most", flush=True)


def train(pipe: DiffusionPipeline) -> None:
    """Compare an iteration that trains a ControlNet with one that trains the UNet: loss, gradients, no update."""
    generator, size = torch.Generator().manual_seed(0), pipe.unet.config.sample_size
    net, config = controlnet.copy_of(pipe), controlnet.ControlNetTrainingConfig(train_batch_size=BATCH)
    latents = torch.randn(BATCH, pipe.unet.config.in_channels, size, size, generator=generator)
    ids = pipe.tokenizer([PROMPT] * BATCH, padding="max_length", return_tensors="pt").input_ids
    batch = Batch(latents, ids, torch.rand(BATCH, 3, *[size * pipe.vae_scale_factor] * 2, generator=generator))

    def whole():
        objective = controlnet.ControlNetLoss(pipe, lambda *_, **__: (None, None), config)
        objective(batch, generator).backward()
        pipe.unet.zero_grad(set_to_none=True)

    def beside():
        with controlnet.locked(pipe), eased([pipe.unet, net], size * size, checkpointing=False):
            controlnet.ControlNetLoss(pipe, net, config)(batch, generator).backward()
        net.zero_grad(set_to_none=True)

    compare(f"an iteration of training, {BATCH} pictures:", {"the UNet": whole, "a ControlNet beside it": beside}, 7)


def main() -> None:
    """Compare at the sizes that are asked for, or at both."""
    for size in sys.argv[1:] or SIZES:
        pipe = build(size)
        sample(size, pipe)
        if size == "clay":
            pipe.unet.requires_grad_(True).train()
            train(pipe)
        del pipe
        gc.collect()


if __name__ == "__main__":
    main()
