"""How much memory training takes beside the pipeline: from measured sizes of a step, before it starts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .. import training
from .adapters import adapted, parameters_per_rank
from .presets import DreamBoothConfig, LoraTrainingConfig, TrainingConfig

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


def memory_gb(pipe: DiffusionPipeline, config: TrainingConfig, processes: int = 1) -> float:
    """Say how many GiB training takes beyond the loaded pipeline.

    Weights with their gradients, Adam's two means and the moving average are exact; activations are scaled from a
    table. The whole UNet's copy in half precision goes, on the way back, as the gradients come: it adds nothing. What
    a text encoder keeps for a step is small and not counted. Processes share a step's pictures, each on its own card.
    """
    count = trained_parameters(pipe, config)
    trained = 4 * count * (4 + (config.ema_steps > 0))
    batch = math.ceil(config.train_batch_size / processes) * (2 if config.prior_loss_weight else 1)
    pixels, channels = batch * latent_pixels(config, pipe.vae_scale_factor), pipe.unet.config.block_out_channels[0]
    return training.memory_gb(trained, pixels, channels, config.gradient_checkpointing)


def trained_parameters(pipe: DiffusionPipeline, config: TrainingConfig) -> int:
    """Count the numbers that are trained: those of the LoRA, or of the whole UNet."""
    if isinstance(config, LoraTrainingConfig):
        return sum(config.rank * parameters_per_rank(*each) for each in adapted(pipe, config).values())
    return sum(p.numel() for p in pipe.unet.parameters())


def file_bytes(pipe: DiffusionPipeline, config: TrainingConfig) -> int:
    """Count the bytes of what is learned as `save` writes it."""
    return (4 if isinstance(config, LoraTrainingConfig) else 2) * trained_parameters(pipe, config)


def check_memory(
    pipe: DiffusionPipeline, config: TrainingConfig, free_gb: float | None = None, processes: int = 1
) -> None:
    """Raise unless training will fit.

    Args:
        pipe: loaded, on the device that it will be trained on.
        config: of a LoRA or of DreamBooth.
        free_gb: GiB that may be used; None asks the device.
        processes: that share a step's pictures.

    Raises:
        MemoryError: says how much is missing, and what to change.
    """
    training.check_memory(memory_gb(pipe, config, processes), pipe.unet.device.type, advice(config), free_gb)


def advice(config: TrainingConfig) -> str:
    """Say which fields to change so that training takes less memory."""
    whole = isinstance(config, DreamBoothConfig)
    ways = [] if config.gradient_checkpointing else ["gradient_checkpointing=True"]
    ways += [f"train_batch_size={config.train_batch_size // 2}"] if config.train_batch_size > 1 else []
    ways += ["prior_loss_weight=0"] if config.prior_loss_weight else []
    ways += ["ema_steps=0"] if config.ema_steps and whole else []
    ways += ["a LoRA in place of DreamBooth"] if whole else []
    return f"Try {', '.join([*ways, f'smaller pictures than height={config.height}, width={config.width}'])}."


def latent_pixels(config: TrainingConfig, covers: int) -> int:
    """Count the latent pixels of one picture."""
    return (config.height // covers) * (config.width // covers)
