"""The true configurations of the sd15 lane, filled with random weights where they stand: no file, no network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from diffusers import AutoencoderKL, ControlNetModel, PNDMScheduler, UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    DPTConfig,
    DPTForDepthEstimation,
    DPTImageProcessor,
)

from tests.tiny.sd15 import tokenizer

UNET = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}  # the rest are diffusers' defaults
UNET_DEPTH = UNET | {
    "in_channels": 5, "cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20),
    "use_linear_projection": True,
}  # fmt: skip
TEXT = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
TEXT_DEPTH = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23, "num_attention_heads": 16,
    "hidden_act": "gelu",
}  # fmt: skip
VISION = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
    "patch_size": 14,
}  # fmt: skip
VAE = {
    "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "sample_size": 512,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
}  # fmt: skip
SCHEDULE = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "skip_prk_steps": True,
    "steps_offset": 1, "set_alpha_to_one": False,
}  # fmt: skip
ENDS = {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}


@contextmanager
def made_in(device: str, dtype: torch.dtype, seed: int = 0) -> Iterator[None]:
    """Let modules that are built in the block have their weights on this device, in this dtype, without gradients."""
    before = torch.get_default_dtype()
    with torch.random.fork_rng(), torch.device(device):
        torch.manual_seed(seed)
        torch.set_default_dtype(dtype)
        try:
            yield
        finally:
            torch.set_default_dtype(before)


def base() -> dict:
    """Build the parts of Stable Diffusion 1.5: 860 million numbers in the UNet, 1,066 million in all four models."""
    checker = CLIPConfig(text_config={}, vision_config=VISION, projection_dim=768)
    return _frozen(
        vae=AutoencoderKL(**VAE),
        text_encoder=CLIPTextModel(CLIPTextConfig(vocab_size=49408, hidden_act="quick_gelu", **TEXT, **ENDS)),
        tokenizer=tokenizer(),
        unet=UNet2DConditionModel(**UNET),
        scheduler=PNDMScheduler(**SCHEDULE),
        safety_checker=StableDiffusionSafetyChecker(checker),
        feature_extractor=CLIPImageProcessor(),
    )


def depth() -> dict:
    """Build the parts of Stable Diffusion 2 Depth: a UNet of five channels, and a DPT-hybrid that estimates depth."""
    estimator = DPTConfig(is_hybrid=True, backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[256, 512, 768, 768])
    return _frozen(
        vae=AutoencoderKL(**VAE),
        text_encoder=CLIPTextModel(CLIPTextConfig(vocab_size=49408, **TEXT_DEPTH, **ENDS)),
        tokenizer=tokenizer(),
        unet=UNet2DConditionModel(**UNET_DEPTH),
        scheduler=PNDMScheduler(**SCHEDULE),
        depth_estimator=DPTForDepthEstimation(estimator),
        feature_extractor=DPTImageProcessor(size={"height": 384, "width": 384}),
    )


def control(unet: UNet2DConditionModel, seed: int = 0) -> ControlNetModel:
    """Build a ControlNet on a UNet: 361 million numbers; its zero layers are filled, so that it says something."""
    from course_utils.controlnet import zero_layers

    net = ControlNetModel.from_unet(unet)
    with torch.no_grad():
        for layer in zero_layers(net).values():
            layer.weight.normal_(std=layer.weight[0].numel() ** -0.5)
    return _frozen(net=net)["net"]


def _frozen(**parts) -> dict:
    for part in parts.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    return parts
