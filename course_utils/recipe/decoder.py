"""Stage ``decoder``: the autoencoder's decoder, trained on once the base is there; the encoder stays as it is.

So all latents, and all that was trained on them, stay valid. Two things change. A block at half resolution: without
one each 4 x 4 pixels are a linear function of the features below, which shows as a weave. And what is decoded: not
only latents of renders but also what the base makes of them once a little noise was added, with the small errors that
its own pictures have.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny, DDPMScheduler
from torch import nn

from ..training import Loop, Plan, autocast
from . import autoencoder, base, corpus, data, latents, ship

BATCH = 3  # whole pictures: the base sees no crops
DENOISED, NEAR = 0.67, 150  # share of the latents that went through the base, and from how much noise at most (step)
PLAN = Plan(steps=5_000, learning_rate=1e-3, warmup_steps=100, decay=0.6, ema_steps=300)


def build() -> AutoencoderTiny:
    """Give the autoencoder that its own stage left, with one more block in the decoder, which is new."""
    old, new = autoencoder.first(), autoencoder.build(autoencoder.FINER)
    if len(old.decoder.layers) == len(new.decoder.layers):  # the one that ships has been here before
        return old.requires_grad_(True)
    new.encoder.load_state_dict(old.encoder.state_dict())
    fresh = _inserted(new.decoder.layers, sum(autoencoder.DECODER[:4]))
    kept = iter(old.decoder.layers)
    for place, layer in enumerate(new.decoder.layers):
        if place != fresh:
            layer.load_state_dict(next(kept).state_dict())
    nn.init.zeros_(new.decoder.layers[fresh].conv[-1].weight)
    nn.init.zeros_(new.decoder.layers[fresh].conv[-1].bias)
    return new


def _inserted(layers: nn.Sequential, before: int) -> int:
    """Find the block that has ``before`` other blocks before it."""
    blocks = [place for place, layer in enumerate(layers) if hasattr(layer, "fuse")]
    return blocks[before]


class DecoderPairs:
    """Latents as the base leaves them, and the pictures they stand for."""

    def __init__(self, unet, encoder, tokenizer):
        numbers = latents.encoded(data.TRAIN)
        self.world = latents.load(tokenizer, numbers=numbers)
        self.pictures = np.concatenate([data.read_shard(data.TRAIN, n).pictures() for n in numbers])
        self.unet, self.encoder = unet, encoder
        self.schedule = DDPMScheduler(**base.SCHEDULE)

    def draw(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw latents [count, 12, 16, 16] and pictures [count, 3, 256, 256] in -1..1."""
        rows, turned = (torch.randint(high, (count,), generator=generator) for high in (len(self.world), 2))
        z = self.world.latents[rows, turned].float()
        pictures = self.pictures[rows.numpy()].copy()
        pictures[turned.numpy() == 1] = pictures[turned.numpy() == 1][:, :, ::-1]
        denoised = (torch.rand(count, generator=generator) < DENOISED)[:, None, None, None]
        return torch.where(denoised, self.denoise(z, rows, generator), z), autoencoder.prepare(pictures)

    @torch.no_grad()
    def denoise(self, z: torch.Tensor, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Add a little noise to latents and let the base say what they were, from their first caption."""
        t = torch.randint(NEAR, (len(z),), generator=generator)
        noise = torch.randn(z.shape, generator=generator)
        noisy = self.schedule.add_noise(z, noise, t).contiguous(memory_format=torch.channels_last)
        device = self.unet.device
        with autocast(device):
            words = self.encoder(self.world.ids[rows, 0].long().to(device)).last_hidden_state
            found = self.unet(noisy.to(device), t.to(device), words, return_dict=False)[0].float().cpu()
        share = self.schedule.alphas_cumprod[t][:, None, None, None]
        return (noisy - (1 - share).sqrt() * found) / share.sqrt()


def loss_of(vae: AutoencoderTiny, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Compare decoded latents with their pictures, as the autoencoder's own stage does."""
    with autocast(x.device):
        y = vae.decode(z).sample.float()
    return autoencoder.miss(y, x, torch.ones_like(x[:, :1]))


def train(minutes: float, plan: Plan = PLAN) -> Path:
    """Train or go on; when the plan is finished, leave the autoencoder where ``autoencoder.trained`` looks first."""
    torch.manual_seed(0)
    vae = build().to(memory_format=torch.channels_last)
    loop = Loop(data.cache() / "decoder", {"decoder": vae.decoder}, plan)
    vae.encoder.to(loop.device).requires_grad_(False)
    tokenizer = corpus.tokenizer()
    parts = ship.trained_unet().to(loop.device), base.frozen_encoder(len(tokenizer)).to(loop.device)
    pairs, draw = DecoderPairs(*parts, tokenizer), loop.generator()
    held = data.read_shard(data.HELD_OUT, 0).pictures()[:48]

    def averaged() -> AutoencoderTiny:
        whole = autoencoder.build(autoencoder.FINER).to(loop.device)
        whole.encoder.load_state_dict(vae.encoder.state_dict())
        whole.decoder.load_state_dict(loop.average["decoder"].state_dict())
        return whole.eval()

    def note() -> dict:
        return {"psnr": round(autoencoder.psnr(averaged(), held), 2)} if loop.step % 500 == 0 else {}

    if loop.run(lambda _: loss_of(vae, *(part.to(loop.device) for part in pairs.draw(BATCH, draw))), minutes, note):
        averaged().cpu().save_pretrained(autoencoder.finer())
    return loop.folder
