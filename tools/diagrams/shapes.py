"""What the diagrams say of each lane in numbers: read from the models, counted, never typed beside a drawing."""

from __future__ import annotations

import json
from dataclasses import dataclass

from course_utils import env
from course_utils.catalog.calls import DEFAULTS

SD15 = {  # of Stable Diffusion 1.5; a test holds them against diffusers' configuration
    "unet": {
        "in_channels": 4, "sample_size": 64, "block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2,
        "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"], "cross_attention_dim": 768,
    },
    "tokens": 77,
}  # fmt: skip


@dataclass(frozen=True)
class Level:
    """A level of the UNet: all that happens at one size of the latents."""

    channels: int
    side: int
    attends: bool  # its blocks hear the words
    skips: int  # tensors that the way down hands to the way up at this size


@dataclass(frozen=True)
class Shapes:
    """The sizes of a lane's models."""

    lane: str
    steps: int
    picture: int  # pixels a side
    tokens: int
    width: int  # numbers a token
    channels: int  # of the latents
    side: int  # of the latents
    layers: int  # ResNet blocks of a level on the way down; one more on the way up
    levels: tuple[Level, ...]

    @property
    def additions(self) -> int:
        """Return what a ControlNet adds to: each skip, and the middle."""
        return sum(level.skips for level in self.levels) + 1

    @property
    def latents(self) -> str:
        """Return the shape of the latents, as it is written."""
        return f"{self.channels} × {self.side} × {self.side}"


def of(lane: str) -> Shapes:
    """Return the sizes of `clay`, from its configuration files, or of `sd15`."""
    if lane == "sd15":
        unet, tokens = SD15["unet"], SD15["tokens"]
    else:
        base = env.ASSETS / "models/clay-base"
        unet = json.loads((base / "unet/config.json").read_text())
        tokens = json.loads((base / "text_encoder/config.json").read_text())["max_position_embeddings"]
    call = DEFAULTS[lane]
    return Shapes(
        lane, call["num_inference_steps"], call["height"], tokens, unet["cross_attention_dim"], unet["in_channels"],
        unet["sample_size"], unet["layers_per_block"], _levels(unet),
    )  # fmt: skip


def _levels(unet: dict) -> tuple[Level, ...]:
    """Count the skips: one of the first convolution, one of each ResNet block, one of each halving."""
    levels = []
    for number, (channels, kind) in enumerate(zip(unet["block_out_channels"], unet["down_block_types"], strict=True)):
        side = unet["sample_size"] >> number  # the first convolution, or the halving before this level, hands on one
        levels.append(Level(channels, side, kind.startswith("CrossAttn"), 1 + unet["layers_per_block"]))
    return tuple(levels)
