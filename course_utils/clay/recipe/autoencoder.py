"""Stage ``autoencoder``: 256-pixel pictures to 16 x 16 latents of 12 channels.

``AutoencoderTiny`` without blocks at full resolution: GroupNorm autoencoders of this
size trained several times slower in our trials, and the half-resolution features
hold all that the last upsampling needs. Latents are pulled to mean 0 and deviation 1
and a little noise is added before decoding, so that the UNet's small errors cost little.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny

from ...training import Loop, Plan
from . import data

WIDTH, LATENT = 64, 12
CROP, BATCH = 128, 6
PLAN = Plan(steps=30_000, rate=2e-3, warmup=200, decay=0.5, memory=400)


def build() -> AutoencoderTiny:
    """Give the untrained autoencoder."""
    return AutoencoderTiny(
        latent_channels=LATENT, encoder_block_out_channels=(WIDTH,) * 5, decoder_block_out_channels=(WIDTH,) * 5,
        num_encoder_blocks=(0, 0, 1, 2, 3), num_decoder_blocks=(3, 2, 1, 0, 0), scaling_factor=1.0,
    )  # fmt: skip
