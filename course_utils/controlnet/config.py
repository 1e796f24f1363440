"""How a ControlNet is trained, on either lane, and how much memory that takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import torch

from .. import env, training
from ..training import BaseTrainingConfig
from ..validation import Choice, Range, Share

if TYPE_CHECKING:
    from diffusers import ControlNetModel, DiffusionPipeline

# By optimizer: the bytes that it keeps for each trained number. Muon is Loop's own choice, of `training.optimizers`.
OPTIMIZERS = {"muon": 4, "adamw": 8, "adamw8bit": 2}


@dataclass(frozen=True)
class ControlNetTrainingConfig(BaseTrainingConfig):
    """How a ControlNet is trained."""

    max_train_steps: Annotated[int, Range(1)] = 400
    learning_rate: Annotated[float, Range(above=0)] = 5e-4
    lr_warmup_steps: Annotated[int, Range(0)] = 20
    train_batch_size: Annotated[int, Range(1)] = 8
    ema_steps: Annotated[int, Range(0)] = 1000
    save_every_s: Annotated[float, Range(0)] = 300.0
    # In how many parts the pairs of a step come: one part is in memory at a time.
    gradient_accumulation_steps: Annotated[int, Range(1)] = 1
    # Share of prompts emptied, so that the map must be read (the paper: half of them).
    proportion_empty_prompts: Share = 0.5
    optimizer: Annotated[str, Choice(tuple(OPTIMIZERS))] = "muon"
    # Steps between two lines of the log.
    log_every: Annotated[int, Range(1)] = 50

    @classmethod
    def for_lane(cls, lane: str | None = None, **changes) -> ControlNetTrainingConfig:
        """Give a lane's settings, with some fields changed.

        Args:
            lane: "clay": two minutes on a CPU; "sd15": for a card of 16 GB (the README of diffusers' script, with
                the 4,000 to 6,000 steps after which lllyasviel/ControlNet#215 expects control to appear); None asks
                `env.choose_lane`.
            changes: fields of this class.

        Raises:
            TypeError: no such field.
        """
        return replace(_LANES[env.choose_lane(lane)](), **changes)


def _large() -> ControlNetTrainingConfig:
    eight = torch.cuda.is_available() and find_spec("bitsandbytes") is not None
    return ControlNetTrainingConfig(
        max_train_steps=5000, train_batch_size=4, gradient_accumulation_steps=4, learning_rate=1e-5,
        lr_warmup_steps=0, lr_decay_share=0.0, snr_gamma=None, ema_steps=0,
        optimizer="adamw8bit" if eight else "adamw", gradient_checkpointing=True,
    )  # fmt: skip


def _small() -> ControlNetTrainingConfig:
    return ControlNetTrainingConfig(
        max_train_steps=240, learning_rate=2e-3, lr_warmup_steps=10, lr_decay_share=0.5, ema_steps=30,
        save_every_s=15.0,
    )  # fmt: skip


_LANES = {"clay": _small, "sd15": _large}


def optimizers(config: ControlNetTrainingConfig):
    """Return what `Loop` chooses its optimizers with.

    Raises:
        ImportError: 8-bit Adam is wanted and its library is missing.
    """
    if config.optimizer == "muon":
        return training.optimizers
    if config.optimizer == "adamw":
        adam = torch.optim.AdamW
    else:
        try:
            from bitsandbytes.optim import AdamW8bit as adam
        except ImportError as error:
            raise ImportError(
                "optimizer='adamw8bit' needs the package bitsandbytes: `pip install bitsandbytes`, or use 'adamw'."
            ) from error

    def choose(modules: list[torch.nn.Module], learning_rate: float) -> list[torch.optim.Optimizer]:
        return [adam([p for module in modules for p in module.parameters()], lr=learning_rate, weight_decay=0.01)]

    return choose


def memory_gb(
    pipe: DiffusionPipeline,
    net: ControlNetModel,
    config: ControlNetTrainingConfig,
    height: int,
    width: int,
    processes: int = 1,
) -> float:
    """Say how many GiB training takes beyond the loaded pipeline and the net.

    Args:
        pipe, net, config: of the training.
        height, width: of a picture, pixels.
        processes: that share a step's pairs, each with a card of its own.
    """
    count = sum(p.numel() for p in net.parameters())
    low = training.low_precision(pipe.unet.device) is not None  # autocast keeps a copy of the weights
    each = 4 + 2 * low + OPTIMIZERS[config.optimizer] + 4 * (config.ema_steps > 0)  # 4: of the gradient
    covers, channels = pipe.vae_scale_factor, pipe.unet.config.block_out_channels[0]
    pixels = part_size(config, processes) * (height // covers) * (width // covers)
    return training.memory_gb(count * each, pixels, channels, config.gradient_checkpointing)


def part_size(config: ControlNetTrainingConfig, processes: int = 1) -> int:
    """Return how many pairs a process has in memory at a time."""
    return -(-config.train_batch_size // (config.gradient_accumulation_steps * processes))


def advice(config: ControlNetTrainingConfig) -> str:
    """Say which fields to change so that training takes less memory."""
    ways = [] if config.gradient_checkpointing else ["gradient_checkpointing=True"]
    if part_size(config) > 1:
        ways.append(f"gradient_accumulation_steps={config.train_batch_size}")
    ways += [] if config.optimizer == "adamw8bit" else ["optimizer='adamw8bit' (on a GPU)"]
    ways += ["ema_steps=0"] if config.ema_steps else []
    return f"Try {', '.join([*ways, 'smaller pictures'])}."
