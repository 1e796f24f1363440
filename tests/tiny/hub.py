"""Tiny random relatives of Stable Diffusion 1.5 in a Hub cache, in the file layout of the real repositories."""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    PNDMScheduler,
    StableDiffusionDepth2ImgPipeline,
    StableDiffusionInpaintPipeline,
    UNet2DConditionModel,
)
from huggingface_hub import constants
from transformers import BitConfig, CLIPImageProcessor, DPTConfig, DPTForDepthEstimation, DPTImageProcessor

from course_utils import catalog

from . import models


def use_hub(monkeypatch, folder: Path) -> None:
    """Let a folder be the Hub's cache on a computer without a card, and forget what was loaded."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    catalog.release()


def build_inpaint_hub(cache: Path, repository: str, revision: str, parts: Callable[[int], dict] | None = None) -> Path:
    """Lay a tiny inpainting checkpoint into a Hub cache: a UNet of nine channels, and an index of 2022.

    parts: makes what every Stable Diffusion has, from the UNet's number of channels.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(8)
        checker = {"safety_checker": models._safety_checker(), "feature_extractor": CLIPImageProcessor()}
        pipe = StableDiffusionInpaintPipeline(**(parts or _parts)(4 + 1 + 4), **checker)
    return _lay(pipe, cache, repository, revision, "CLIPFeatureExtractor")


def build_depth2img_hub(
    cache: Path, repository: str, revision: str, parts: Callable[[int], dict] | None = None
) -> Path:
    """Lay a tiny SD 2 depth checkpoint into a Hub cache: a UNet of five channels, a DPT-hybrid, an index of 2022."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(9)
        backbone = BitConfig(
            layer_type="bottleneck",
            global_padding="same",
            embedding_size=8,
            hidden_sizes=[8, 8, 8],
            depths=[1, 1, 1],
            num_groups=2,
            embedding_dynamic_padding=True,
            out_features=["stage1", "stage2", "stage3"],
        )
        config = DPTConfig(
            is_hybrid=True,
            backbone_config=backbone.to_dict(),
            backbone_featmap_shape=[1, 8, 4, 4],
            backbone_out_indices=[0, 1, 2, 3],
            image_size=64,
            patch_size=16,
            hidden_size=8,
            intermediate_size=8,
            num_attention_heads=2,
            num_hidden_layers=4,
            neck_hidden_sizes=[8, 8, 4, 4],
            fusion_hidden_size=4,
        )
        depth = {
            "depth_estimator": DPTForDepthEstimation(config),
            "feature_extractor": DPTImageProcessor(size={"height": 64, "width": 64}),
        }
        pipe = StableDiffusionDepth2ImgPipeline(**(parts or _parts)(4 + 1), **depth)
    return _lay(pipe, cache, repository, revision, "DPTFeatureExtractor")


def _parts(channels: int) -> dict:
    """Make the parts that all of them have; the UNet reads so many channels and gives four."""
    words = models.tokenizer(length=77)
    unet = UNet2DConditionModel.from_config({**models._unet(64, 4).config, "in_channels": channels}).eval()
    return {
        "tokenizer": words,
        "text_encoder": models._text_encoder(words, layers=2, positions=77),
        "vae": AutoencoderKL(
            block_out_channels=(4, 4, 4, 4),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=1,
            norm_num_groups=2,
        ),
        "unet": unet,
        "scheduler": models._scheduler(PNDMScheduler),
    }


def _lay(pipe, cache: Path, repository: str, revision: str, extractor: str) -> Path:
    snapshot = models._snapshot(cache, repository, revision)
    models._halve(pipe).save_pretrained(snapshot, variant="fp16")
    models._old_tokenizer_files(snapshot / "tokenizer")
    index = json.loads((snapshot / "model_index.json").read_text())
    index["feature_extractor"] = ["transformers", extractor]
    (snapshot / "model_index.json").write_text(json.dumps(index))
    return models._store(snapshot)
