"""The one loop that all trainers of the course share.

A trainer gives the loop a function from step number to loss; the loop owns the
schedule, mixed precision, gradient clipping, the moving average of weights, the
log and the checkpoints, so that a killed run goes on where it was.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from accelerate import Accelerator

from .. import env
from ..validation import Range, Seed, Share
from .optimizers import device_for, low_precision, optimizers


@dataclass(frozen=True)
class Plan:
    """The settings of a run.

    Lengths are in steps. The learning rate rises over ``warmup_steps``, stays, and falls along a cosine to
    ``min_lr_ratio`` of itself over the last ``decay`` share; gradients are clipped to ``max_grad_norm``; the moving
    average forgets over ``ema_steps`` at most (0 keeps none: the last weights are the result). ``fp16`` scales the
    loss, without which gradients under float16 vanish; None does so where `autocast` is float16.
    """

    steps: int
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    decay: float = 0.4
    min_lr_ratio: float = 0.02
    max_grad_norm: float = 1.0
    ema_steps: int = 2000
    fp16: bool | None = None
    save_every_s: float = 300.0
    log_every: int = 50

    def factor(self, step: int) -> float:
        """Give the share of the full rate at ``step``."""
        rise = min(1.0, (step + 1) / max(self.warmup_steps, 1))
        left = (self.steps - step) / max(self.steps * self.decay, 1)
        if left >= 1:
            return rise
        low = self.min_lr_ratio
        return rise * (low + (1 - low) * 0.5 * (1 - math.cos(math.pi * max(left, 0.0))))


@dataclass(frozen=True)
class BaseTrainingConfig:
    """What every method of training is told; fields are named as in diffusers' training scripts."""

    max_train_steps: Annotated[int, Range(1)]
    # Peak of the rate: it rises over `lr_warmup_steps`, and falls along a cosine over the last share of steps.
    learning_rate: Annotated[float, Range(above=0)]
    lr_warmup_steps: Annotated[int, Range(0)] = 10
    lr_decay_share: Share = 0.4
    # Pictures or pairs a step, of all processes together.
    train_batch_size: Annotated[int, Range(1)] = 4
    # Noise steps weigh min(SNR, snr_gamma) / SNR (min-SNR, Hang et al., 2023); None weighs all alike.
    snr_gamma: Annotated[float, Range(above=0)] | None = 5.0
    # Steps that the moving average of the weights looks back, at most; 0 keeps none and takes the last weights.
    ema_steps: Annotated[int, Range(0)] = 50
    # Forget activations and compute them again on the way back: a third slower, several times less memory.
    gradient_checkpointing: bool = False
    # Of all that is drawn: pictures, noise, noise steps, first weights. The draws are a function of seed and step.
    seed: Seed = 0
    # Seconds between two checkpoints.
    save_every_s: Annotated[float, Range(0)] = 15.0

    def plan(self, **more) -> Plan:
        """Return what `Loop` runs; `more` are fields of `Plan` that are not here."""
        how = {"ema_steps": self.ema_steps, "save_every_s": self.save_every_s} | more
        return Plan(self.max_train_steps, self.learning_rate, self.lr_warmup_steps, self.lr_decay_share, **how)


def _still(module: torch.nn.Module) -> torch.nn.Module:
    return copy.deepcopy(module).eval().requires_grad_(False)


class Loop:
    """Runs a plan; keeps ``modules`` (by name), their moving average and the optimizers in one checkpoint file.

    ``lane`` decides where it runs, see `device_for`.
    """

    def __init__(
        self,
        folder: Path,
        modules: dict[str, torch.nn.Module],
        plan: Plan,
        lane: str = "clay",
        choose: Callable[[list[torch.nn.Module], float], list[torch.optim.Optimizer]] = optimizers,
    ):
        self.folder, self.plan, self.modules = Path(folder), plan, modules
        self.accelerator, self.device = Accelerator(), device_for(lane)  # modules are there, batches belong there
        self.folder.mkdir(parents=True, exist_ok=True)
        for module in modules.values():
            module.to(self.device)
        self.optimizers = choose(list(modules.values()), plan.learning_rate)
        self.rates = [group["lr"] for group in self._groups()]  # what `Plan.factor` multiplies
        scaled = low_precision(self.device) is torch.float16 if plan.fp16 is None else plan.fp16
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=scaled)
        self.average = {k: _still(m) for k, m in modules.items()} if plan.ema_steps else modules
        self.step = self.saved = 0  # steps done, and those in the checkpoint
        self.load()

    @property
    def path(self) -> Path:
        """Where the checkpoint lies."""
        return self.folder / "checkpoint.pt"

    def load(self) -> None:
        """Go on from the checkpoint if there is one."""
        if not self.path.exists():
            return
        kept = torch.load(self.path, map_location="cpu", weights_only=True)
        for name, module in self.modules.items():
            module.load_state_dict(kept["modules"][name])
            self.average[name].load_state_dict(kept["average"][name])
        for optimizer, state in zip(self.optimizers, kept["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.scaler.load_state_dict(kept.get("scaler", {}))
        self.step = self.saved = kept["step"]

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        if not self.accelerator.is_main_process:
            return
        kept = {
            "modules": {k: m.state_dict() for k, m in self.modules.items()},
            "average": {k: m.state_dict() for k, m in self.average.items()},
            "optimizers": [o.state_dict() for o in self.optimizers],
            "scaler": self.scaler.state_dict(),
            "step": self.step,
        }
        spare = self.path.with_suffix(".new")
        torch.save(kept, spare)
        spare.replace(self.path)
        self.saved = self.step

    def run(
        self,
        loss_of: Callable[[int], torch.Tensor | Iterable[torch.Tensor]],
        minutes: float = math.inf,
        note: Callable[[], dict] | None = None,
        watch: Callable[[float], bool] | None = None,
    ) -> bool:
        """Train until the plan or the minutes end.

        Args:
            loss_of: gives the loss of a step, or its parts one after the other (see `update`); draws its own batch.
            minutes: stop (and save) after this long.
            note: figures to add to each line of the log.
            watch: told the loss after each step; True stops (and saves), as the kernel's interrupt does.

        Returns:
            True when the plan is finished.
        """
        began = saved = time.monotonic()
        mean, first = None, self.step
        with env.until_interrupt(self.accelerator.num_processes == 1) as interrupted:
            while self.step < self.plan.steps and time.monotonic() - began < minutes * 60:
                loss = self.update(loss_of(self.step))
                mean = loss if mean is None else 0.98 * mean + 0.02 * loss
                now = time.monotonic()
                if self.step % self.plan.log_every == 0:
                    pace = round((self.step - first) / (now - began), 3)
                    self.log(step=self.step, loss=round(mean, 5), steps_per_s=pace, **(note() if note else {}))
                if now - saved > self.plan.save_every_s:
                    self.save()
                    saved = now
                if (watch and watch(loss)) or interrupted.is_set():
                    break
        self.save()
        return self.step >= self.plan.steps

    def _groups(self) -> list[dict]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def update(self, loss: torch.Tensor | Iterable[torch.Tensor]) -> float:
        """Take one step down ``loss``; give its value.

        Parts that add up to a loss may come one after the other: only one of them is in memory at a time.
        """
        for group, rate in zip(self._groups(), self.rates, strict=True):
            group["lr"] = rate * self.plan.factor(self.step)
        value = 0.0
        for part in [loss] if isinstance(loss, torch.Tensor) else loss:
            self.scaler.scale(part).backward()
            value += float(part.detach())
        if not math.isfinite(value):
            raise FloatingPointError(self._not_a_number(value))
        params = [p for m in self.modules.values() for p in m.parameters() if p.grad is not None]
        self._share([p.grad for p in params])
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        norm = torch.nn.utils.get_total_norm([p.grad for p in params])
        if norm > self.plan.max_grad_norm:
            torch.nn.utils.clip_grads_with_norm_(params, self.plan.max_grad_norm, norm)
        for optimizer in self.optimizers:
            self.scaler.step(optimizer)
            optimizer.zero_grad(set_to_none=True)
        self.scaler.update()
        self.step += 1
        if self.plan.ema_steps:
            self._average()
        return value

    def _not_a_number(self, value: float) -> str:
        """Say why training ends here, and keep the weights as they were before this step, if they are numbers."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        if self.step and all(p.isfinite().all() for module in self.modules.values() for p in module.parameters()):
            self.save()
        kept = f"what was learned up to step {self.saved} is in {self.path}" if self.saved else "nothing is kept"
        return (
            f"The loss is {value} at step {self.step + 1}, so training ends; {kept}. Likely the learning rate "
            f"{self.plan.learning_rate:g} is too high, try a tenth of it; or a picture or a weight is no number."
        )

    @torch.no_grad()
    def _share(self, grads: list[torch.Tensor]) -> None:
        """Average the gradients over the processes, in one message."""
        if self.accelerator.num_processes == 1:
            return
        flat = self.accelerator.reduce(torch.cat([g.flatten() for g in grads]), "mean")
        for grad, mean in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
            grad.copy_(mean.view_as(grad))

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(1 - 1 / self.plan.ema_steps, self.step / (self.step + 9))
        for name, module in self.modules.items():
            averages = list(self.average[name].parameters())
            torch._foreach_lerp_(averages, [p.detach() for p in module.parameters()], 1 - keep)
            for a, b in zip(self.average[name].buffers(), module.buffers(), strict=True):
                a.copy_(b)

    def generator(self) -> torch.Generator:
        """Give this process's own generator (on the CPU), which draws anew after every restart."""
        return torch.Generator().manual_seed(1_000_003 * self.step + self.accelerator.process_index)

    def log(self, **figures) -> None:
        """Append a line of figures to the log."""
        if not self.accelerator.is_main_process:
            return
        with open(self.folder / "log.jsonl", "a") as f:
            f.write(json.dumps({"time": round(time.time()), **figures}) + "\n")
