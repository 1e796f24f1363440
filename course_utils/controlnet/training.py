"""The loss and the loop: predict the noise beside a locked UNet, seeing the map."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from accelerate import Accelerator

from .. import catalog, env, training
from ..objectives import noise_loss
from ..training import Loop, Progress, autocast, eased, own_folder, step_generator
from ..validation import check_config
from .config import ControlNetTrainingConfig, advice, memory_gb, optimizers, part_size
from .network import locked, with_control
from .pairs import Batch, ControlPairs, PairSource, tokens

if TYPE_CHECKING:
    from diffusers import ControlNetModel, DiffusionPipeline
    from PIL import Image

# From the number of a step, a count and a generator to that many noise steps, long [count].
Timesteps = Callable[[int, int, torch.Generator], torch.Tensor]


@dataclass(frozen=True)
class Run:
    """What training gives: the averaged network, the lines of the log, and whether the plan was finished."""

    net: ControlNetModel
    log: list[dict]
    finished: bool


class ControlNetProgress(Progress):
    """Where a training is: what `watch` is given after each step.

    net: what would be kept if it ended now, the moving average; it can paint, and be measured.
    """

    def __init__(self, pipe: DiffusionPipeline, net: ControlNetModel, steps: int):
        super().__init__(self._picture, steps)
        self._pipe, self.net = pipe, net

    def _picture(self, prompt: str | None, seed: int, settings: dict) -> Image.Image:
        own, low = with_control(self._pipe, self.net), self._pipe.unet.dtype
        settings = catalog.defaults(catalog.lane_of(own)) | settings
        with nullcontext() if self.net.dtype == low else autocast(own.unet.device):
            return own(prompt or "", generator=torch.Generator().manual_seed(seed), **settings).images[0]


Watch = Callable[[ControlNetProgress], object]


class ControlNetLoss:
    """The loss of a ControlNet beside a locked pipeline; it draws noise, noise steps and the prompts to empty."""

    def __init__(self, pipe: DiffusionPipeline, net: ControlNetModel, config: ControlNetTrainingConfig):
        self.pipe, self.net, self.config = pipe, net, config
        self.empty = tokens(pipe, [""])

    def __call__(
        self, batch: Batch, generator: torch.Generator, timesteps: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Give the weighted error of the predicted noise, mean over the batch; None draws noise steps uniformly."""
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
            gamma = self.config.snr_gamma
            return noise_loss(model, latents, self.pipe.scheduler, generator, timesteps, gamma).mean()


def train(
    pipe: DiffusionPipeline,
    net: ControlNetModel,
    pairs: PairSource,
    config: ControlNetTrainingConfig | None = None,
    watch: Watch | None = None,
    folder: str | Path | None = None,
    minutes: float = math.inf,
    timesteps: Timesteps | None = None,
) -> Run:
    """Train a ControlNet on pairs, all else of the pipeline locked.

    What is drawn belongs to the step: the same call, with a net as it was at first, goes on where an earlier one was
    stopped or killed, and comes to the same net as if nothing had happened.

    Args:
        pipe: a Stable Diffusion; its weights stay as they are.
        net: from `copy_of`, or any net that is called as a ControlNet; trained in place. The result is the moving
            average of its weights.
        pairs: a `ControlPairs`, or whatever else draws a `Batch`.
        config: how; None is the lane's.
        watch: told after each step; it may paint, and stop the training.
        folder: keeps checkpoint and log. None: with `ControlPairs` a folder of the cache, deleted when the plan is
            finished; with others nothing is kept.
        minutes: stop after this long.
        timesteps: draws the noise steps; None is uniform. A function cannot be told from another one, so with it
            nothing is kept unless `folder` says where.

    Returns:
        The averaged network, the log, and whether the plan was finished.

    Raises:
        TypeError, ValueError: a field of `config` cannot be, or `folder` holds another run.
        MemoryError: it will not fit; says what to change.
        ImportError: the optimizer's library is missing.
    """
    config = config or ControlNetTrainingConfig.for_lane(catalog.lane_of(pipe))
    check_config(config)
    with ExitStack() as stack:
        where = _folder(folder, net, pairs, config, timesteps) or Path(stack.enter_context(TemporaryDirectory()))
        lane = catalog.lane_of(pipe)
        device = training.device_for(lane)
        for part in (pipe.unet, pipe.text_encoder, net):
            part.to(device)
        height, width = pairs.draw(1, step_generator(0, 0)).hint.shape[2:]
        needed = memory_gb(pipe, net, config, height, width, Accelerator().num_processes)
        training.check_memory(needed, device.type, advice(config))
        loop = Loop(where, {"net": net}, config.plan(log_every=config.log_every), lane, optimizers(config))
        pixels = math.prod(side // pipe.vae_scale_factor for side in (height, width))
        stack.enter_context(locked(pipe))
        stack.enter_context(eased([pipe.unet, net], pixels, config.gradient_checkpointing, advice(config)))
        progress = ControlNetProgress(pipe, loop.average["net"], config.max_train_steps)
        loss = _loss_of(loop, pairs, ControlNetLoss(pipe, net, config), timesteps)
        finished = loop.run(loss, minutes, watch=lambda loss: _tell(watch, progress, loop, loss))
        log = where / "log.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
    if folder is None and finished and loop.accelerator.is_main_process:
        shutil.rmtree(where, ignore_errors=True)
    return Run(loop.average["net"].eval(), [json.loads(line) for line in lines], finished)


def _loss_of(
    loop: Loop, pairs: PairSource, loss: ControlNetLoss, timesteps: Timesteps | None
) -> Callable[[int], Iterator[torch.Tensor]]:
    """Return what gives the parts of a step's loss; all that they draw is a function of the step."""
    config, process = loss.config, loop.accelerator.process_index
    parts, size = config.gradient_accumulation_steps, part_size(config, loop.accelerator.num_processes)

    def of(step: int) -> Iterator[torch.Tensor]:
        generator = step_generator(config.seed, step, process)
        for _ in range(parts):
            batch = pairs.draw(size, generator)
            drawn = timesteps(step, size, generator) if timesteps else None
            yield loss(batch, generator, drawn) / parts

    return of


def _tell(watch: Watch | None, progress: ControlNetProgress, loop: Loop, loss: float) -> bool:
    """Tell the watcher of a step; return whether it wants to stop."""
    progress.step, progress.loss = loop.step, loss
    if watch and loop.accelerator.is_main_process:
        watch(progress)
    return progress.stopped


def _folder(
    folder: str | Path | None, net, pairs: PairSource, config: ControlNetTrainingConfig, timesteps: Timesteps | None
) -> Path | None:
    """Find the folder of this very run, where its pairs can be told from others; None where nothing is kept."""
    if not isinstance(pairs, ControlPairs) or (timesteps and not folder):
        return Path(folder) if folder else None
    digest = hashlib.sha256(f"{config}{pairs.digest()}".encode())
    for tensor in net.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    mark = digest.hexdigest()[:12]
    return own_folder(Path(folder) if folder else env.cache_folder() / "controlnet" / mark, mark)
