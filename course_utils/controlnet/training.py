"""The loss and the loop: predict the noise beside a locked UNet, seeing the map."""

from __future__ import annotations

import json
import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import torch

from ..objectives import noise_loss
from ..training import Loop, Plan, autocast
from ..validation import Range, check_config
from .network import locked
from .pairs import Batch, PairSource, tokens

if TYPE_CHECKING:
    from diffusers import ControlNetModel, DiffusionPipeline


@dataclass(frozen=True)
class ControlNetTrainingConfig:
    """How a ControlNet is trained."""

    max_train_steps: Annotated[int, Range(1)] = 400
    # Pairs a step, of all processes together.
    train_batch_size: Annotated[int, Range(1)] = 8
    # Peak of the rate; it rises over `lr_warmup_steps` and falls over the last share of steps.
    learning_rate: Annotated[float, Range(above=0)] = 5e-4
    lr_warmup_steps: Annotated[int, Range(0)] = 20
    lr_decay_share: Annotated[float, Range(0, 1)] = 0.4
    # Share of prompts emptied, so that the map must be read (the paper: half of them).
    proportion_empty_prompts: Annotated[float, Range(0, 1)] = 0.5
    # Noise steps weigh min(SNR, snr_gamma) / SNR (min-SNR, Hang et al., 2023).
    snr_gamma: Annotated[float, Range(above=0)] | None = 5.0
    # Steps that the moving average of the weights looks back, at most.
    ema_steps: Annotated[int, Range(1)] = 1000
    # Steps between two lines of the log.
    log_every: Annotated[int, Range(1)] = 50


@dataclass(frozen=True)
class Run:
    """What training gives: the averaged network, the lines of the log, and whether the plan was finished."""

    net: ControlNetModel
    log: list[dict]
    finished: bool


class ControlNetLoss:
    """The loss of a ControlNet beside a locked pipeline; it draws noise, noise steps and the prompts to empty."""

    def __init__(self, pipe: DiffusionPipeline, net: ControlNetModel, config: ControlNetTrainingConfig):
        self.pipe, self.net, self.config = pipe, net, config
        self.empty = tokens(pipe, [""])

    def __call__(self, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        """Give the weighted error of the predicted noise, mean over the batch."""
        device = self.pipe.unet.device
        emptied = torch.rand(len(batch.ids), generator=generator) < self.config.proportion_empty_prompts
        ids = torch.where(emptied[:, None], self.empty, batch.ids).to(device)
        maps = (part.to(device).contiguous(memory_format=torch.channels_last) for part in (batch.latents, batch.hint))
        latents, hint = maps

        def model(noisy: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
            skips, middle = self.net(noisy, timesteps, words, hint, return_dict=False)
            residuals = {"down_block_additional_residuals": skips, "mid_block_additional_residual": middle}
            return self.pipe.unet(noisy, timesteps, words, return_dict=False, **residuals)[0]

        with autocast(device):
            with torch.no_grad():
                words = self.pipe.text_encoder(ids).last_hidden_state
            return noise_loss(model, latents, self.pipe.scheduler, generator, snr_gamma=self.config.snr_gamma).mean()


def train(
    pipe: DiffusionPipeline,
    net: ControlNetModel,
    pairs: PairSource,
    config: ControlNetTrainingConfig | None = None,
    folder: str | Path | None = None,
    minutes: float = math.inf,
) -> Run:
    """Train a ControlNet on pairs, all else of the pipeline locked.

    Args:
        pipe: a Stable Diffusion; its weights stay as they are.
        net: from `copy_of`; trained in place. The result is the moving average of its weights.
        pairs: a `ControlPairs`, or whatever else draws a `Batch`.
        config: how; None is `ControlNetTrainingConfig()`.
        folder: keeps checkpoint and log: the same call goes on where an earlier one was stopped. None keeps nothing.
        minutes: stop after this long.

    Returns:
        The averaged network, the log, and whether the plan was finished.

    Raises:
        TypeError, ValueError: a field of `config` cannot be.
    """
    config = config or ControlNetTrainingConfig()
    check_config(config)
    with ExitStack() as stack:
        folder = Path(folder or stack.enter_context(TemporaryDirectory()))
        loop = Loop(folder, {"net": net}, _plan(config))
        stack.enter_context(locked(pipe, net))
        for part in (pipe.unet, pipe.text_encoder):
            part.to(loop.device)
        loss, generator = ControlNetLoss(pipe, net, config), loop.generator()
        share = math.ceil(config.train_batch_size / loop.accelerator.num_processes)
        finished = loop.run(lambda _: loss(pairs.draw(share, generator), generator), minutes)
        log = folder / "log.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
    return Run(loop.average["net"], [json.loads(line) for line in lines], finished)


def _plan(config: ControlNetTrainingConfig) -> Plan:
    return Plan(
        steps=config.max_train_steps, learning_rate=config.learning_rate, warmup_steps=config.lr_warmup_steps,
        decay=config.lr_decay_share, ema_steps=config.ema_steps,
        log_every=config.log_every,
    )  # fmt: skip
