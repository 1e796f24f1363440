"""Stage ``autoencoder``: 256-pixel pictures to 16 x 16 latents of 12 channels.

``AutoencoderTiny`` without blocks at full and half resolution: GroupNorm autoencoders
of this size trained several times slower in our trials, and 64 features at a quarter
hold the 48 numbers that their patch needs. Latents are pulled to mean 0 and deviation 1
and a little noise is added before decoding, so that the UNet's small errors cost little.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny

from ..catalog import dtype_keyword
from ..training import Loop, Plan, autocast
from . import data

WIDTH, LATENT = 64, 12
DECODER = (5, 4, 4, 0, 0)  # the decoder's blocks by level, 16 pixels a side first
FINER = (9, 7, 3, 1, 0)  # after stage ``decoder``: more where context is cheap, and decoding costs no more
CROP, BATCH = 128, 8
# The weights that ship were grown in three legs (to step 3,032, 8,460 and 12,500), blocks being put in between;
# this plan trains the final shape from the start and has not been run as it stands.
PLAN = Plan(steps=12_500, learning_rate=1.2e-3, warmup_steps=100, decay=0.36, ema_steps=300)


def build(blocks: tuple[int, ...] = DECODER) -> AutoencoderTiny:
    """Give the untrained autoencoder (3.0 M parameters); ``blocks`` are the decoder's."""
    return AutoencoderTiny(
        latent_channels=LATENT, encoder_block_out_channels=(WIDTH,) * 5, decoder_block_out_channels=(WIDTH,) * 5,
        num_encoder_blocks=(0, 0, 2, 4, 5), num_decoder_blocks=blocks, scaling_factor=1.0,
    )  # fmt: skip


def finer() -> Path:
    """Say where stage ``decoder`` leaves the autoencoder."""
    return data.cache() / "decoder" / "vae"


def trained() -> AutoencoderTiny:
    """Load what stage ``decoder`` left, else what this one left, else the autoencoder that ships."""
    if not finer().exists():
        return first()
    return AutoencoderTiny.from_pretrained(finer()).eval().requires_grad_(False)


def first() -> AutoencoderTiny:
    """Load the moving average that this stage left, or where there is none the autoencoder that ships."""
    path = data.cache() / "autoencoder" / "checkpoint.pt"
    if not path.exists():
        return AutoencoderTiny.from_pretrained(data.SHIPPED / "vae", **{dtype_keyword(): torch.float32}).eval()
    vae = build()
    vae.load_state_dict(torch.load(path, weights_only=True)["average"]["vae"])
    return vae.eval().requires_grad_(False)


def mark(part: torch.nn.Module) -> str:
    """Give eight letters that stand for the weights of an autoencoder or its encoder.

    What was made with others is made anew: latents with another encoder, trips with another autoencoder.
    """
    digest = hashlib.sha256()
    for tensor in part.state_dict().values():
        digest.update(tensor.float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:8]


class Crops:
    """Random crops of the rendered pictures, weighted towards the things in them; grows as shards appear."""

    def __init__(self, seed: int = data.TRAIN, limit: int = 24):
        self.seed, self.limit, self.known = seed, limit, []
        self.images = np.empty((0, 256, 256, 3), np.uint8)
        self.things = np.empty((0, data.SMALL, data.SMALL), bool)
        self.grow()

    def grow(self) -> None:
        """Read the shards that have been rendered since."""
        fresh = [n for n in data.shards(self.seed) if n not in self.known][: self.limit - len(self.known)]
        read = [data.read_shard(self.seed, n) for n in fresh]
        if read:
            self.images = np.concatenate([self.images, *[s.pictures() for s in read]])
            self.things = np.concatenate([self.things, *[s.instance >= 0 for s in read]])
            self.known += fresh

    def crops(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw crops [batch, 3, CROP, CROP] in -1..1 and weights [batch, 1, CROP, CROP]."""
        out, weight = np.empty((BATCH, CROP, CROP, 3), np.uint8), np.ones((BATCH, CROP, CROP), np.float32)
        for k, i in enumerate(rng.integers(0, len(self.images), BATCH)):
            y, x = rng.integers(0, (256 - CROP) // 4 + 1, 2)
            out[k] = self.images[i, 4 * y : 4 * y + CROP, 4 * x : 4 * x + CROP]
            inside = self.things[i, y : y + CROP // 4, x : x + CROP // 4]
            weight[k] += inside.repeat(4, 0).repeat(4, 1)
            if rng.random() < 0.5:
                out[k], weight[k] = out[k, :, ::-1].copy(), weight[k, :, ::-1].copy()
        return prepare(out), torch.from_numpy(weight)[:, None]


def prepare(images: np.ndarray) -> torch.Tensor:
    """Turn uint8 [n, height, width, 3] into float [n, 3, height, width] in -1..1."""
    x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    return x.float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)


def loss_of(vae: AutoencoderTiny, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Compare pictures with what is left of them after a trip, and pull the latents to mean 0, deviation 1."""
    with autocast(x.device):
        z = vae.encode(x).latents.float()
        y = vae.decode(z + torch.randn_like(z) * 0.05).sample.float()
    pull = z.mean((0, 2, 3)).pow(2).mean() + (z.std((0, 2, 3)) - 1).pow(2).mean()
    return miss(y, x, weight) + 0.01 * pull


def miss(y: torch.Tensor, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Compare pictures [n, 3, height, width] with what they should be: L1, L2 and gradient L1, weighted by pixel."""
    error = (y - x) * weight
    across = (error[..., 1:] - error[..., :-1]).abs().mean() + (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    return error.abs().mean() + 6 * (error * (y - x)).mean() + across


@torch.inference_mode()
def psnr(vae: AutoencoderTiny, images: np.ndarray) -> float:
    """Mean peak signal-to-noise ratio (dB) of whole pictures after one trip."""
    out = []
    for part in np.array_split(images, max(1, len(images) // 8)):
        x = prepare(part).to(vae.device)
        y = vae.decode(vae.encode(x).latents).sample.clamp(-1, 1)
        out.append(-10 * ((y - x) / 2).pow(2).mean((1, 2, 3)).log10())
    return torch.cat(out).mean().item()


def held_out_psnr(vae: AutoencoderTiny) -> float:
    """Give the figure that cards print: ``psnr`` over the first held-out shard."""
    return psnr(vae, data.read_shard(data.HELD_OUT, 0).pictures())


def train(minutes: float, plan: Plan = PLAN) -> Path:
    """Train or go on; give the folder with the checkpoint."""
    torch.manual_seed(0)
    vae = build().to(memory_format=torch.channels_last)
    loop = Loop(data.cache() / "autoencoder", {"vae": vae}, plan)
    pictures, held = Crops(), data.read_shard(data.HELD_OUT, 0).pictures()[:48]
    rng = np.random.default_rng([5, loop.step])

    def step(number: int) -> torch.Tensor:
        if number % 250 == 0:
            pictures.grow()
        return loss_of(vae, *(part.to(loop.device) for part in pictures.crops(rng)))

    def note() -> dict:
        return {"psnr": round(psnr(loop.average["vae"], held), 2)} if loop.step % 500 == 0 else {}

    loop.run(step, minutes, note)
    return loop.folder
