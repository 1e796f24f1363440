"""The loss and the loop: guess the noise beside a locked UNet, seeing the map."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch

from ..objectives import low_precision, noise_loss
from ..training import Loop, Plan
from .copying import locked
from .pairs import Batch, Source, tokens

if TYPE_CHECKING:
    from diffusers import ControlNetModel, DiffusionPipeline


@dataclass(frozen=True)
class Knobs:
    """How a ControlNet is trained."""

    steps: int = 400
    # Pairs a step, of all processes together.
    batch: int = 8
    # Peak of the learning rate; it rises over `warmup` steps and falls over the last `decay` share.
    rate: float = 5e-4
    warmup: int = 20
    decay: float = 0.4
    # Share of prompts emptied, 0-1, so that the map must be read (the paper: half of them).
    drop: float = 0.5
    # Noise steps weigh min(SNR, cap) / SNR (min-SNR, Hang et al., 2023).
    cap: float = 5.0
    # Steps that the moving average of the weights looks back, at most.
    memory: int = 1000
    # Steps between two lines of the log, and two calls of `watch`.
    log_every: int = 50


@dataclass(frozen=True)
class Run:
    """What training gives: the averaged network, the lines of the log, and whether the plan was finished."""

    net: ControlNetModel
    log: list[dict]
    finished: bool


class Objective:
    """The loss of a ControlNet beside a locked pipeline; it draws noise, noise steps and the prompts to empty."""

    def __init__(self, pipe: DiffusionPipeline, net: ControlNetModel, knobs: Knobs):
        self.pipe, self.net, self.knobs = pipe, net, knobs
        self.empty = tokens(pipe, [""])

    def __call__(self, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        """Give the weighted error of the guessed noise, mean over the batch."""
        device = self.pipe.unet.device
        emptied = torch.rand(len(batch.ids), generator=generator) < self.knobs.drop
        ids = torch.where(emptied[:, None], self.empty, batch.ids).to(device)
        maps = (part.to(device).contiguous(memory_format=torch.channels_last) for part in (batch.latents, batch.hint))
        latents, hint = maps

        def guess(noisy: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
            skips, middle = self.net(noisy, step, words, hint, return_dict=False)
            said = {"down_block_additional_residuals": skips, "mid_block_additional_residual": middle}
            return self.pipe.unet(noisy, step, words, return_dict=False, **said)[0]

        low = low_precision(device)
        with torch.autocast(device.type, low, enabled=low is not None):
            with torch.no_grad():
                words = self.pipe.text_encoder(ids).last_hidden_state
            return noise_loss(guess, latents, self.pipe.scheduler, generator, cap=self.knobs.cap).mean()


def train(
    pipe: DiffusionPipeline,
    net: ControlNetModel,
    pairs: Source,
    knobs: Knobs | None = None,
    folder: str | Path | None = None,
    minutes: float = math.inf,
    watch: Callable[[ControlNetModel], dict] | None = None,
) -> Run:
    """Train a ControlNet on pairs, all else of the pipeline locked.

    Args:
        pipe: a Stable Diffusion; its weights stay as they are.
        net: from `copy_of`; trained in place. The result is the moving average of its weights.
        pairs: a `Pairs`, or whatever else draws a `Batch`.
        knobs: how; None is `Knobs()`.
        folder: keeps checkpoint and log: the same call goes on where an earlier one was stopped. None keeps nothing.
        minutes: stop after this long.
        watch: given the averaged network every `knobs.log_every` steps; the figures that it returns go into the log.

    Returns:
        The averaged network, the log, and whether the plan was finished.
    """
    knobs = knobs or Knobs()
    with ExitStack() as stack:
        folder = Path(folder or stack.enter_context(TemporaryDirectory()))
        loop = Loop(folder, {"net": net}, _plan(knobs, pipe.unet.device))
        stack.enter_context(locked(pipe, net))
        for part in (pipe.unet, pipe.text_encoder):
            part.to(loop.device)
        objective, draw = Objective(pipe, net, knobs), loop.generator()
        share = math.ceil(knobs.batch / loop.accelerator.num_processes)
        note = None if watch is None else lambda: watch(loop.average["net"])
        finished = loop.run(lambda _: objective(pairs.draw(share, draw), draw), minutes, note)
        log = folder / "log.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
    return Run(loop.average["net"], [json.loads(line) for line in lines], finished)


def _plan(knobs: Knobs, device: torch.device) -> Plan:
    return Plan(
        steps=knobs.steps, rate=knobs.rate, warmup=knobs.warmup, decay=knobs.decay, memory=knobs.memory,
        half=low_precision(device) is torch.float16, log_every=knobs.log_every,
    )  # fmt: skip
