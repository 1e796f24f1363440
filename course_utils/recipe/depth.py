"""Stage ``depth``: the pair behind depth-to-image: a UNet that is told the depth, a network that estimates it.

As Stable Diffusion 2's depth model was made: the base's UNet gets one more input channel, whose weights start at
zero, and is trained on. The estimator is the same kind of network (DPT-hybrid, Ranftl et al., 2021) at a fortieth of
the size, trained on true depth. Both are left beside the base, which lends the other parts.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import StableDiffusionDepth2ImgPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch.nn import functional as F

from ..controlnet.pairs import tokens
from ..objectives import noise_loss
from ..training import Loop, Plan, autocast
from . import base, data, dependents, depth_card, depth_estimator
from .control import DrawnPairs

BATCH, DROP, SNR_GAMMA = 64, 0.1, 5.0
PLAN = Plan(steps=1_000, learning_rate=1.5e-3, warmup_steps=100, decay=0.6, ema_steps=300)
ONWARD = Plan(steps=600, learning_rate=1.5e-3, warmup_steps=50, decay=0.6, ema_steps=150)  # from what ships
PARTS = {"depth_estimator": ["transformers", "DPTForDepthEstimation"],
         "feature_extractor": ["transformers", "DPTImageProcessor"],
         "unet": ["diffusers", "UNet2DConditionModel"]}  # fmt: skip


def widened(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """Give a copy of a UNet with one more input channel, which at first it does not heed."""
    config = {name: value for name, value in unet.config.items() if name != "_name_or_path"}  # it tells where it lay
    wide = UNet2DConditionModel.from_config({**config, "in_channels": unet.config.in_channels + 1})
    state = {name: value.float() for name, value in unet.state_dict().items()}
    state["conv_in.weight"] = F.pad(state["conv_in.weight"], (0, 0, 0, 0, 0, 1))
    wide.load_state_dict(state)
    return wide


@torch.no_grad()
def heed_depth(unet: UNet2DConditionModel, other: UNet2DConditionModel) -> None:
    """Let a widened UNet hear the depth, its last input channel, as another does."""
    unet.conv_in.weight[:, -1] = other.conv_in.weight[:, -1]


def plane(near: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Bring inverse depth [batch, 1, height, width] to the latents' size and to -1..1, as the pipeline does."""
    small = F.interpolate(near, (height, width), mode="bicubic")
    low, high = small.amin((1, 2, 3), keepdim=True), small.amax((1, 2, 3), keepdim=True)
    return 2 * (small - low) / (high - low).clamp(min=1e-6) - 1


class DepthLoss:
    """The base's loss, for a UNet that sees the depth."""

    def __init__(self, pipe, unet: UNet2DConditionModel):
        self.pipe, self.unet, self.empty = pipe, unet, tokens(pipe, [""])

    def __call__(self, batch, generator: torch.Generator) -> torch.Tensor:
        """Give the mean error of the guessed noise for pairs with depth maps as hints."""
        device, count = self.unet.device, len(batch.ids)
        ids = torch.where(torch.rand(count, generator=generator)[:, None] < DROP, self.empty, batch.ids).to(device)
        depth = plane(batch.hint[:, :1], *batch.latents.shape[2:]).to(device)

        def model(noisy: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
            x = torch.cat([noisy, depth], dim=1).contiguous(memory_format=torch.channels_last)
            return self.unet(x, step, words, return_dict=False)[0]

        with autocast(device):
            with torch.no_grad():
                words = self.pipe.text_encoder(ids).last_hidden_state
            timesteps = base.draw_steps(count, generator)
            latents = batch.latents.to(device)
            return noise_loss(model, latents, self.pipe.scheduler, generator, timesteps, SNR_GAMMA).mean()


def train(
    minutes: float, plan: Plan | None = None, estimator_plan: Plan | None = None, onward: bool = False
) -> None:
    """Train the estimator, then the UNet, or go on; when both plans are finished, ship them and write their card.

    Args:
        minutes: for each: stop and save after this long.
        plan: the UNet's knobs; None is `PLAN`, or `ONWARD`.
        estimator_plan: the estimator's; None is `depth_estimator.PLAN`, or its ``ONWARD``.
        onward: where there are no checkpoints, start from the estimator that ships; the UNet is the base's all the
            same, with the weights for the depth that ship.
    """
    estimator, finished = depth_estimator.train(minutes, estimator_plan, onward)
    if not finished:
        return
    torch.manual_seed(0)
    pipe = dependents.frozen_base()
    unet = widened(pipe.unet)
    if onward:
        heed_depth(unet, UNet2DConditionModel.from_pretrained(dependents.folder_of("depth") / "unet"))
    unet = unet.to(memory_format=torch.channels_last)
    unet.set_attn_processor(AttnProcessor())
    if minutes > 10:
        unet.compile()
    loop = Loop(dependents.workshop("depth"), {"unet": unet}, plan or (ONWARD if onward else PLAN))
    pipe.text_encoder.to(loop.device)
    pairs, objective, draw = DrawnPairs("depth", pipe.tokenizer), DepthLoss(pipe, unet), loop.generator()
    share = BATCH // loop.accelerator.num_processes
    if loop.run(lambda _: objective(pairs.draw(share, draw), draw), minutes):
        save(loop.average["unet"], estimator)
        card(onward)


def card(onward: bool = False) -> list[dict]:
    """Measure what ships and write its card; give the rows. ``onward`` says how it was trained, as for `train`."""
    seen = {
        "unet": dependents.samples(dependents.workshop("depth") / "log.jsonl", BATCH),
        "estimator": dependents.samples(data.cache() / "depth-estimator" / "log.jsonl", depth_estimator.BATCH, onward),
    }
    return depth_card.write(seen)


def save(unet: UNet2DConditionModel, estimator: torch.nn.Module) -> Path:
    """Write the parts that are the pair's own, with an index that names them: the base has the others.

    ``StableDiffusionDepth2ImgPipeline.from_pretrained(folder, vae=..., text_encoder=..., tokenizer=...,
    scheduler=...)`` reads it; ``catalog.load("depth2img")`` does so.
    """
    folder = dependents.uncarded(dependents.folder_of("depth"))
    dependents.save(unet, folder / "unet")
    dependents.save(estimator, folder / "depth_estimator")
    depth_estimator.processor().save_pretrained(folder / "feature_extractor")
    index = {"_class_name": StableDiffusionDepth2ImgPipeline.__name__, **PARTS}
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    return folder
