"""Put the trained parts together as an ordinary diffusers folder: ``assets/models/clay-base``."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderTiny, DDIMScheduler, DDPMScheduler, StableDiffusionPipeline

from .. import catalog
from . import autoencoder, base, corpus, data

EARLY = """# clay-base: the autoencoder and the tokenizer

The text encoder and the UNet are still in training and follow.
Source: `python -m course_utils.recipe autoencoder`.
256 x 256 pictures to 16 x 16 latents of 12 channels; {psnr:.2f} dB on {count} held-out renders.
"""


def save_vae(folder: Path = data.SHIPPED) -> Path:
    """Ship the autoencoder and the tokenizer ahead of the rest: all else is trained on them."""
    autoencoder.trained().half().save_pretrained(folder / "vae", safe_serialization=True)
    _amend(folder / "vae" / "config.json", block_out_channels=None, _name_or_path=None)
    corpus.save_tokenizer(corpus.tokenizer(), folder / "tokenizer")
    _readable(folder)
    psnr = autoencoder.held_out_psnr(AutoencoderTiny.from_pretrained(folder / "vae"))  # what ships, not its source
    (folder / "README.md").write_text(EARLY.format(count=data.SHARD, psnr=psnr))
    return folder


def trained_unet(name: str = "base") -> torch.nn.Module:
    """Load the UNet that stage ``base`` left (its moving average)."""
    unet = base.build()
    kept = torch.load(data.cache() / name / "checkpoint.pt", weights_only=True)
    unet.load_state_dict(kept["average"]["unet"])
    return unet.eval().requires_grad_(False)


def sampler() -> DDPMScheduler:
    """Give the base's scheduler: DDPM's own steps, which add fresh noise; by eye, bodies are crisper than by DDIM's.

    Made from DDIM's configuration, so that going back to DDIM gives the walk that its paper describes.
    """
    plain = DDIMScheduler(**base.SCHEDULE, clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    return DDPMScheduler.from_config(plain.config, variance_type="fixed_small")


def pipeline() -> StableDiffusionPipeline:
    """Assemble the base from the recipe's checkpoints, in float32."""
    tokenizer = corpus.tokenizer()
    return StableDiffusionPipeline(
        vae=autoencoder.trained(), text_encoder=base.frozen_encoder(len(tokenizer)), tokenizer=tokenizer,
        unet=trained_unet(), scheduler=sampler(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def save(folder: Path = data.SHIPPED) -> Path:
    """Write the base as float16 safetensors."""
    pipe = pipeline().to(torch.float16)
    pipe.save_pretrained(folder, safe_serialization=True)
    # So that a plain from_pretrained(folder) gives float32 throughout and says nothing.
    _amend(folder / "text_encoder" / "config.json", dtype="float32")
    _amend(folder / "vae" / "config.json", block_out_channels=None, _name_or_path=None)
    corpus.save_tokenizer(pipe.tokenizer, folder / "tokenizer")
    _readable(folder)
    return folder


def load(folder: Path = data.SHIPPED) -> StableDiffusionPipeline:
    """Load what was just shipped, whatever the list of assets says of it yet: float32, no progress bar."""
    with catalog.quiet():
        pipe = StableDiffusionPipeline.from_pretrained(folder, **{catalog.dtype_keyword(): torch.float32})
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _readable(folder: Path) -> None:
    """Let everybody read the weights: safetensors are written for their owner alone."""
    for file in folder.rglob("*.safetensors"):
        file.chmod(0o644)


def _amend(file: Path, **fields) -> None:
    """Set fields of a JSON file; None removes one."""
    kept = {**json.loads(file.read_text()), **fields}
    file.write_text(json.dumps({k: v for k, v in kept.items() if k not in fields or v is not None}, indent=2) + "\n")
