"""Attend-and-Excite around an ordinary pipeline call.

Before each of the first steps the latents are pushed towards where every chosen word is looked at somewhere.
`callback_on_step_end` comes after a step: too late for the first one, and blind to what a ControlNet adds. So the
push is made where the pipeline calls its UNet: there everything is at hand that this step is about to use. The UNet
then gets the moved latents, and so does the scheduler when it takes the step. No loop of a pipeline is copied:
ControlNet, LoRA, image to image, every scheduler, callbacks and stops work as they do.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakSet

import torch

from .. import attention
from . import equations
from .knobs import Knobs
from .looking import at_least_float32, look
from .question import Question, named
from .words import Words, check_words, spans_of

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, SchedulerMixin
    from torch import nn

LOUDER = 1024.0  # factor on the loss: in float16 most of its gradient would vanish. A power of two costs no digit
_busy: WeakSet[nn.Module] = WeakSet()  # UNets that are being pushed


@dataclass(frozen=True)
class Move:
    """One gradient step on the latents of one picture, and what was seen before it."""

    step: int  # of the call, from 0; a refined step has several moves
    timestep: int  # 0-999
    loss: float  # what is missing to the weakest word, 0-1
    peaks: dict[str, float]  # by word, 0-1
    maps: dict[str, torch.Tensor] | None  # by word, what the loss reads: float32 [latent_h, latent_w], 0-1


@dataclass
class Log:
    """What happened in the last call; it grows while the call runs."""

    moves: list[list[Move]] = field(default_factory=list)  # for each picture

    def losses(self, picture: int = 0) -> list[float]:
        """Give a picture's loss before each move."""
        return [move.loss for move in self.moves[picture]]


@contextmanager
def exciting(pipe: DiffusionPipeline, words: Words, knobs: Knobs, keep_maps: bool = False) -> Iterator[Log]:
    """Excite words of the prompt in every call of the pipeline inside the block.

    Args:
        pipe: any pipeline around an SD UNet.
        words: the words that must be there, for all prompts alike, or a list of them for each prompt. One may also
            be several in a row ("red clock"), whose shares add up, or the number of a token, for a word that stands
            in the prompt more than once.
        knobs: such as `Knobs.clay()` or `Knobs.sd15()`.
        keep_maps: keep the words' maps of every move, for a film strip.

    Yields:
        The log of the last call: for each picture the loss and the peaks before each move.

    Raises:
        ValueError: words that cannot be excited, or a UNet without layers of that resolution.
        RuntimeError: the UNet is being pushed already.

    Example:
        with excite.exciting(pipe, ["lion", "crown"], Knobs.clay()) as log:
            image = pipe("a lion with a crown").images[0]
        log.losses()
    """
    check_words(words)
    attention.choose_layers(pipe.unet, (knobs.resolution,))
    if pipe.unet in _busy:
        raise RuntimeError("This UNet is being excited already: leave the outer `with` block first.")
    exciter = _Exciter(pipe, words, knobs, keep_maps)
    networks = {pipe.unet: exciter.before_unet}
    if getattr(pipe, "controlnet", None) is not None:
        networks[pipe.controlnet] = exciter.before_control
    _busy.add(pipe.unet)
    hooks = [net.register_forward_pre_hook(hook, with_kwargs=True) for net, hook in networks.items()]
    try:
        with attention.hearing(pipe, exciter.begin):
            yield exciter.log
    finally:
        for hook in hooks:
            hook.remove()
        _busy.discard(pipe.unet)
        exciter.put_back()


class _Exciter:
    """The pushes of one pipeline."""

    def __init__(self, pipe: DiffusionPipeline, words: Words, knobs: Knobs, keep_maps: bool):
        self.pipe, self.words, self.knobs, self.keep_maps = pipe, words, knobs, keep_maps
        self.log, self.control = Log(), None
        self.put_back = _nothing  # takes a shift off a scheduler that never made its step
        self.names: list[list[str]] = []  # the words of each picture; none before a call
        self.step = 0

    def begin(self, call: attention.Call) -> None:
        """Find the words in the prompts of a new call."""
        found = spans_of(call, self.words)
        self.names = [[str(word) for word in words] for words, _ in found]
        self.chosen = equations.choose([spans for _, spans in found], call.tokens)
        self.log.moves[:] = [[] for _ in found]
        self.step = 0

    def before_control(self, net: nn.Module, args: tuple, given: dict) -> None:
        """Remember what the ControlNet is asked in this step."""
        self.control = net, named(net.forward, args, given)

    def before_unet(self, unet: nn.Module, args: tuple, given: dict) -> tuple[tuple, dict] | None:
        """Push the latents, then let the pipeline's own pass go on with them."""
        step, steps = self.step, self.pipe.num_timesteps
        self.step += 1
        if not self.names or step >= self.knobs.pushed(steps):
            return None
        asked = named(unet.forward, args, given)
        scheduler, timestep = self.pipe.scheduler, asked["timestep"]
        one = torch.ones((), device=asked["sample"].device)
        scale = float(scheduler.scale_model_input(one, timestep))
        question = Question(asked, self.control, len(self.names), scale)
        shift = self.push(question, step, steps)
        self.put_back()
        self.put_back = _shift_the_step(scheduler, shift)
        return (), question.whole(shift)

    def push(self, question: Question, step: int, steps: int) -> torch.Tensor:
        """Give how far the latents move: z' = z - alpha_t * gradient of the loss (Algorithm 1).

        At a threshold a picture that falls short repeats its move. It does so once more after it has reached the
        threshold, as the paper's code does: there the loss is compared before the move.
        """
        stride, threshold = self.knobs.stride(step, steps), self.knobs.threshold(step, steps)
        channels = self.pipe.unet.config.out_channels
        shift = torch.zeros_like(at_least_float32(question.latents[:, :channels]))
        everyone = torch.ones(len(shift), dtype=torch.bool, device=shift.device)
        loss, slope = self.look(question, shift, everyone, step)
        short = everyone & (loss > 1 - threshold) if threshold is not None else ~everyone
        for _ in range(self.knobs.refinements):
            if not short.any():
                break
            still = loss > 1 - threshold
            shift[short] -= stride * slope[short]
            loss[short], slope[short] = self.look(question, shift, short, step)
            short &= still
        return shift - stride * slope

    def look(
        self, question: Question, shift: torch.Tensor, rows: torch.Tensor, step: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the loss [batch] of some pictures and its gradient, and write both down."""
        with torch.inference_mode(False), torch.enable_grad():
            moved = shift[rows].clone().requires_grad_()
            heat = look(self.pipe.unet, self.knobs.resolution, **question.half(moved, rows, bool(shift.any())))
            maps = equations.word_maps(heat, self.chosen.to(heat.device)[rows], self.knobs)
            peaks = equations.peaks(maps)
            loss = equations.loss(peaks)
            (slope,) = torch.autograd.grad(LOUDER * loss.sum(), moved)
        pictures = rows.nonzero().flatten().tolist()
        for picture, *seen in zip(pictures, loss.tolist(), peaks.tolist(), maps.detach().cpu(), strict=True):
            self.log.moves[picture].append(self.move(picture, step, int(question.asked["timestep"]), *seen))
        return loss.detach(), slope / LOUDER

    def move(
        self, picture: int, step: int, timestep: int, loss: float, peaks: list[float], maps: torch.Tensor
    ) -> Move:
        """Write one move down; words that only fill the table are left out."""
        names = self.names[picture]
        strips = dict(zip(names, maps, strict=False)) if self.keep_maps else None
        return Move(step, timestep, loss, dict(zip(names, peaks, strict=False)), strips)


def _nothing() -> None:
    """Do nothing."""


def _shift_the_step(scheduler: SchedulerMixin, shift: torch.Tensor) -> Callable[[], None]:
    """Let the scheduler's next step, and only that one, start from the moved latents.

    Returns:
        What takes the shift off again, if it is still there; a step that somebody else has wrapped stays wrapped.
    """
    plain, before = scheduler.step, vars(scheduler).get("step")

    @functools.wraps(plain)
    def step(model_output, timestep, sample, *args, **given):
        put_back()
        return plain(model_output, timestep, (sample + shift).to(sample.dtype), *args, **given)

    def put_back() -> None:
        if vars(scheduler).get("step") is step:
            vars(scheduler).pop("step")
            if before is not None:
                scheduler.step = before

    scheduler.step = step
    return put_back
