"""One training from its checks to its last step: memory, checkpoints, what is kept, the loop, live samples."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from accelerate import Accelerator

from .. import catalog, env, training
from ..training import Loop, Progress, device_for, eased, own_folder, step_generator
from . import adapters, batches
from .datasets import Example, check_captions
from .presets import DreamBoothConfig, LoraTrainingConfig, TrainingConfig, check_training
from .weights import About, Lora, Tuned, base_of, check_out

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL import Image

Learned = TypeVar("Learned", Lora, Tuned)
FILES = ("checkpoint.pt", "log.jsonl", "prior.safetensors", "run")  # what a run leaves in its folder


Watch = Callable[[Progress], object]


class TrainingRun:
    """What all methods do around their loss."""

    def __init__(
        self,
        method: str,
        pipe: DiffusionPipeline,
        trigger: str,
        config: TrainingConfig,
        watch: Watch | None,
        folder: str | Path | None,
        examples: Sequence[Example],
        out: str | Path | None = None,
        start: Lora | None = None,
    ):
        """Check what can be checked before anything is computed, and find the folder of the run."""
        check_training(config, pipe.vae_scale_factor)
        check_captions(pipe, examples, trigger)
        adapters.check_untouched(pipe.unet, pipe.text_encoder)
        if isinstance(config, LoraTrainingConfig):
            adapters.check_fit(pipe, config)
        self.accelerator, self.lane = Accelerator(), catalog.lane_of(pipe)
        if pipe.unet.device.type != (device := device_for(self.lane)).type:
            pipe.to(device)
        needed_gb = memory_gb(pipe, config, self.accelerator.num_processes)
        training.check_memory(needed_gb, pipe.unet.device.type, advice(config))
        if out:
            check_out(out, file_bytes(pipe, config), "out")
        self.method, self.pipe, self.trigger, self.config, self.watch, self.out = (
            method, pipe, trigger, config, watch, out,
        )  # fmt: skip
        self.base, self.unet = base_of(pipe), pipe.unet  # `unet` is what learns: DreamBooth puts its copy there
        self.progress = Progress(self._sample, config.max_train_steps)
        self.folder = self._own_folder(folder, examples, start)

    def _own_folder(self, folder: str | Path | None, examples: Sequence[Example], start: Lora | None) -> Path:
        """Find the folder of this very run: the same call goes on where a killed one was."""
        digest = hashlib.sha256(repr((self.method, self.trigger, self.config, self.base.hash)).encode())
        for example in examples:
            digest.update(example.caption.encode() + example.picture.tobytes())
        for tensor in start.tensors.values() if start else ():
            digest.update(tensor.numpy().tobytes())
        mark = digest.hexdigest()[:12]
        name = "-".join([self.method, *re.findall(r"\w+", self.trigger), mark])
        return own_folder(Path(folder) if folder else env.cache_folder() / "personalize" / name, mark)

    def generator(self, step: int) -> torch.Generator:
        """Give the generator of a step in this process: the same after every restart."""
        return step_generator(self.config.seed, step, self.accelerator.process_index)

    @property
    def batch_size(self) -> int:
        """Count this process's pictures of a batch."""
        return math.ceil(self.config.train_batch_size / self.accelerator.num_processes)

    def prior(self, subject: batches.CaptionedLatents) -> batches.CaptionedLatents | batches.BaseAnswers | None:
        """Make what shall be kept of the base, if it is wanted: before anything is learned."""
        if not self.config.prior_loss_weight:
            return None
        captions = batches.prior_captions(self.trigger, self.config)
        if self.config.prior_kind == "answers":
            return batches.base_answers(self.pipe, captions, subject, self.config.seed)

        def done(count: int) -> bool:
            self.progress.step = count
            self._tell()
            if interrupted.is_set():
                self.progress.stop()
            return self.progress.stopped

        self.progress.stage, self.progress.steps = "prior pictures", self.config.num_class_images
        with env.until_interrupt(self.accelerator.num_processes == 1) as interrupted:
            made = batches.prior_pictures(self.pipe, captions, self.config, self.folder, done)
        self.progress.stage, self.progress.steps, self.progress.step = "training", self.config.max_train_steps, 0
        return made

    def train(
        self,
        modules: dict[str, torch.nn.Module],
        loss_of: Callable[[int], torch.Tensor],
        choose: Callable[[list[torch.nn.Module], float], list[torch.optim.Optimizer]] | None = None,
    ) -> Loop:
        """Train modules down a loss; go on from the folder's checkpoint if there is one.

        Args:
            modules: by name, as in `Loop`.
            loss_of: from the number of a step to its loss.
            choose: from modules and rate to optimizers; None is AdamW, clipped.
        """
        plan = self.config.plan(max_grad_norm=math.inf if choose else 1.0)
        loop = Loop(self.folder, modules, plan, self.lane, choose or adamw)
        self.progress.step = loop.step

        def watch(loss: float) -> bool:
            self.progress.step, self.progress.loss = loop.step, loss
            self._tell()
            return self.progress.stopped

        if not self.progress.stopped:
            pixels = self.config.latent_pixels(self.pipe.vae_scale_factor)
            with eased([self.unet], pixels, self.config.gradient_checkpointing, advice(self.config)):
                loop.run(loss_of, watch=watch)
        return loop

    def _tell(self) -> None:
        if self.watch and self.accelerator.is_main_process:
            self.watch(self.progress)

    def _sample(self, prompt: str | None, seed: int, settings: dict) -> Image.Image:
        size = {"height": self.config.height, "width": self.config.width}
        settings = catalog.defaults(self.lane) | size | settings
        own, low = self.pipe.unet, self.pipe.text_encoder.dtype
        mixed = torch.autocast(own.device.type, low, enabled=self.unet.dtype != low)
        self.pipe.unet = self.unet
        try:
            with mixed:
                generator = torch.Generator().manual_seed(seed)
                return self.pipe(prompt or f"a {self.trigger}", generator=generator, **settings).images[0]
        finally:
            self.pipe.unet = own

    def about(self, loop: Loop, **more) -> About:
        """Say what was learned."""
        return About(self.method, self.trigger, self.base, loop.step, **more)

    def finish(self, learned: Learned) -> Learned:
        """Write the result where it was wanted, then delete a finished run's checkpoint; a stopped run goes on."""
        if self.out and self.accelerator.is_main_process:
            learned.save(self.out)
        if self.progress.step >= self.config.max_train_steps and self.accelerator.is_main_process:
            for name in FILES:
                (self.folder / name).unlink(missing_ok=True)
            if not any(self.folder.iterdir()):
                self.folder.rmdir()
        return learned


def adamw(modules: list[torch.nn.Module], learning_rate: float) -> list[torch.optim.Optimizer]:
    """Give AdamW over all parameters: what the methods' papers use."""
    params = [p for module in modules for p in module.parameters()]
    return [torch.optim.AdamW(params, lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.01)]


def memory_gb(pipe: DiffusionPipeline, config: TrainingConfig, processes: int = 1) -> float:
    """Say how many GiB training takes beyond the loaded pipeline.

    Weights with their gradients, Adam's two means and the moving average are exact; activations are scaled from a
    table. The whole UNet's copy in half precision goes, on the way back, as the gradients come: it adds nothing. What
    a text encoder keeps for a step is small and not counted. Processes share a step's pictures, each on its own card.
    """
    count = trained_parameters(pipe, config)
    trained = 4 * count * (4 + (config.ema_steps > 0))
    batch = math.ceil(config.train_batch_size / processes) * (2 if config.prior_loss_weight else 1)
    pixels, channels = batch * config.latent_pixels(pipe.vae_scale_factor), pipe.unet.config.block_out_channels[0]
    return training.memory_gb(trained, pixels, channels, config.gradient_checkpointing)


def trained_parameters(pipe: DiffusionPipeline, config: TrainingConfig) -> int:
    """Count the numbers that are trained: those of the LoRA, or of the whole UNet."""
    if isinstance(config, LoraTrainingConfig):
        models = adapters.adapted(pipe, config).values()
        return config.rank * sum(adapters.parameters_per_rank(*each) for each in models)
    return sum(p.numel() for p in pipe.unet.parameters())


def file_bytes(pipe: DiffusionPipeline, config: TrainingConfig) -> int:
    """Count the bytes of what is learned as `save` writes it."""
    return (4 if isinstance(config, LoraTrainingConfig) else 2) * trained_parameters(pipe, config)


def advice(config: TrainingConfig) -> str:
    """Say which fields to change so that training takes less memory."""
    whole = isinstance(config, DreamBoothConfig)
    ways = [] if config.gradient_checkpointing else ["gradient_checkpointing=True"]
    ways += [f"train_batch_size={config.train_batch_size // 2}"] if config.train_batch_size > 1 else []
    ways += ["prior_loss_weight=0"] if config.prior_loss_weight else []
    ways += ["ema_steps=0"] if config.ema_steps and whole else []
    ways += ["a LoRA in place of DreamBooth"] if whole else []
    return f"Try {', '.join([*ways, f'smaller pictures than height={config.height}, width={config.width}'])}."
