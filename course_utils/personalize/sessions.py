"""One training from its first prior picture to its last step: folder, loop, progress, and live samples."""

from __future__ import annotations

import hashlib
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from accelerate import Accelerator

from .. import catalog, env
from ..objectives import low_precision
from ..training import Loop, Plan
from . import layers, memory, presets, priors
from .examples import Example
from .lessons import Answered, Seen, draws
from .presets import DreamBoothKnobs, Knobs, LoraKnobs
from .weights import About, Lora, base_of

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, UNet2DConditionModel
    from PIL import Image


FILES = ("checkpoint.pt", "log.jsonl", "prior.safetensors", "run")  # what a run leaves in its folder


class Progress:
    """Where a training is: what `watch` is given after each step.

    doing: "prior pictures" or "training"; step of steps are done; loss of the last one; seconds since the call.
    """

    def __init__(self, paint: Callable[..., Image.Image], steps: int):
        self.doing, self.step, self.steps, self.loss, self.stopped = "training", 0, steps, math.nan, False
        self._paint, self._began = paint, time.monotonic()

    @property
    def seconds(self) -> float:
        """Give the time since the call."""
        return time.monotonic() - self._began

    def stop(self) -> None:
        """Ask to end after this step; what is learned so far is kept."""
        self.stopped = True

    def sample(self, prompt: str | None = None, seed: int = 0, **settings) -> Image.Image:
        """Paint with what is learned so far; the training goes on as if nothing had been painted.

        Args:
            prompt: None is "a" and the trigger.
            seed: of the picture.
            settings: arguments of the pipeline call that shall differ from the lane's defaults.
        """
        return self._paint(prompt, seed, settings)


Watch = Callable[[Progress], object]


class Session:
    """What all methods do around their loss."""

    def __init__(
        self,
        method: str,
        pipe: DiffusionPipeline,
        trigger: str,
        knobs: LoraKnobs | DreamBoothKnobs,
        watch: Watch | None,
        folder: str | Path | None,
        learned_from: Sequence[Example],
        start: Lora | None = None,
    ):
        """Check what can be checked before anything is computed, and find the folder of the run."""
        presets.check(knobs, pipe.vae_scale_factor)
        if isinstance(knobs, LoraKnobs):
            layers.check_fit(pipe, knobs)
        else:
            layers.check_free(pipe.unet)
        self.accelerator = Accelerator()
        if pipe.unet.device.type != self.accelerator.device.type:
            pipe.to(self.accelerator.device)
        memory.check(pipe, knobs)
        self.method, self.pipe, self.trigger, self.knobs, self.watch = method, pipe, trigger, knobs, watch
        self.base, self.learning = base_of(pipe), pipe.unet
        self.progress = Progress(self._sample, knobs.steps)
        self.folder = self._own_folder(folder, learned_from, start)

    def _own_folder(self, folder: str | Path | None, learned_from: Sequence[Example], start: Lora | None) -> Path:
        """Find the folder of this very run: the same call goes on where a killed one was."""
        mark = hashlib.sha256(repr((self.method, self.trigger, self.knobs, self.base.hash)).encode())
        for one in learned_from:
            mark.update(one.caption.encode() + one.picture.tobytes())
        for tensor in start.tensors.values() if start else ():
            mark.update(tensor.numpy().tobytes())
        mark = mark.hexdigest()[:12]
        name = "-".join([self.method, *re.findall(r"\w+", self.trigger), mark])
        path = Path(folder) if folder else env.cache_folder() / "personalize" / name
        path.mkdir(parents=True, exist_ok=True)
        said = path / "run"
        if said.exists() and said.read_text() != mark:
            raise ValueError(
                f"folder={str(path)!r} holds a run with other pictures, knobs or base; give another folder."
            )
        spare = path / f"run.{os.getpid()}"  # other processes may read meanwhile
        spare.write_text(mark)
        spare.replace(said)
        return path

    def chance(self, step: int) -> torch.Generator:
        """Give the chance of a step in this process."""
        return draws(self.knobs.seed, step, self.accelerator.process_index)

    @property
    def share(self) -> int:
        """Count this process's pictures of a batch."""
        return math.ceil(self.knobs.batch / self.accelerator.num_processes)

    def prior(self, subject: Seen) -> Seen | Answered | None:
        """Make what shall be kept of the base, if it is wanted: before anything is learned."""
        if not self.knobs.prior_weight:
            return None
        captions = priors.captions_of(self.trigger, self.knobs)
        if self.knobs.prior_kind == "answers":
            return priors.answers(self.pipe, captions, subject, self.knobs.seed)

        def told(count: int) -> bool:
            self.progress.step = count
            self._tell()
            return self.progress.stopped

        self.progress.doing, self.progress.steps = "prior pictures", self.knobs.prior_count
        made = priors.pictures(self.pipe, captions, self.knobs, self.folder, told)
        self.progress.doing, self.progress.steps, self.progress.step = "training", self.knobs.steps, 0
        return made

    def run(self, modules: dict[str, torch.nn.Module], loss_of: Callable[[int], torch.Tensor], choose=None) -> Loop:
        """Train modules down a loss; go on from the folder's checkpoint if there is one.

        Args:
            modules: by name, as in `Loop`.
            loss_of: from the number of a step to its loss.
            choose: from modules and rate to optimizers; None is AdamW, clipped.
        """
        loop = Loop(self.folder, modules, self._plan(math.inf if choose else 1.0), self.accelerator, choose or adamw)
        self.progress.step = loop.step

        def told(loss: float) -> bool:
            self.progress.step, self.progress.loss = loop.step, loss
            self._tell()
            return self.progress.stopped

        if not self.progress.stopped:
            with easy(self.learning, self.knobs, self.pipe.vae_scale_factor):
                loop.run(loss_of, watch=told)
        return loop

    def _plan(self, clip: float) -> Plan:
        k = self.knobs
        half = low_precision(self.accelerator.device) == torch.float16
        return Plan(
            k.steps, k.rate, k.warmup, k.decay, clip=clip, memory=k.memory, half=half, save_every_s=k.save_every_s
        )

    def _tell(self) -> None:
        if self.watch and self.accelerator.is_main_process:
            self.watch(self.progress)

    def _sample(self, prompt: str | None, seed: int, settings: dict) -> Image.Image:
        settings = {**catalog.defaults(), "height": self.knobs.height, "width": self.knobs.width, **settings}
        own, low = self.pipe.unet, self.pipe.text_encoder.dtype
        mixed = torch.autocast(own.device.type, low, enabled=self.learning.dtype != low)
        self.pipe.unet = self.learning
        try:
            with mixed:
                chance = torch.Generator().manual_seed(seed)
                return self.pipe(prompt or f"a {self.trigger}", generator=chance, **settings).images[0]
        finally:
            self.pipe.unet = own

    def about(self, loop: Loop, **more) -> About:
        """Say what was learned."""
        return About(self.method, self.trigger, self.base, loop.step, **more)

    def close(self, loop: Loop) -> None:
        """Delete the checkpoint of a finished run; a stopped one stays, so that the same call goes on."""
        if loop.step >= self.knobs.steps and self.accelerator.is_main_process:
            for name in FILES:
                (self.folder / name).unlink(missing_ok=True)
            if not any(self.folder.iterdir()):
                self.folder.rmdir()


def adamw(modules: list[torch.nn.Module], rate: float) -> list[torch.optim.Optimizer]:
    """Give AdamW over all parameters: what the methods' papers use."""
    params = [p for module in modules for p in module.parameters()]
    return [torch.optim.AdamW(params, lr=rate, betas=(0.9, 0.99), weight_decay=0.01)]


@contextmanager
def easy(unet: UNet2DConditionModel, knobs: Knobs, covers: int) -> Iterator[None]:
    """Set a UNet up for training: checkpointing, and the kind of attention that trains faster."""
    from diffusers.models.attention_processor import AttnProcessor

    kept, was = dict(unet.attn_processors), unet.is_gradient_checkpointing
    try:
        if memory.plain_attention(unet.device, knobs.height // covers, knobs.width // covers):
            unet.set_attn_processor(AttnProcessor())
        if knobs.checkpointing:
            unet.enable_gradient_checkpointing()
        yield
    finally:
        unet.set_attn_processor(kept)
        if knobs.checkpointing and not was:
            unet.disable_gradient_checkpointing()
