"""Attend-and-Excite around an ordinary pipeline call (Chefer et al., SIGGRAPH 2023, Algorithm 1).

`callback_on_step_end` comes after a step: too late for the first one, and blind to what a ControlNet adds. So the
push is made where the pipeline calls its UNet: there everything is at hand that this step is about to use. The UNet
then gets the moved latents, and so does the scheduler when it takes the step. No loop of a pipeline is copied:
ControlNet, LoRA, image to image, callbacks and stops work as they do.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakSet

import torch

from .. import attention
from . import equations
from .equations import AttendExciteConfig

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, SchedulerMixin
    from torch import nn

LOSS_SCALE = 1024.0  # in float16 most of the loss's gradient would vanish; a power of two costs no digit
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
def exciting(
    pipe: DiffusionPipeline, words: attention.Words, config: AttendExciteConfig, keep_maps: bool = False
) -> Iterator[Log]:
    """Excite words of the prompt in every call of the pipeline inside the block.

    Args:
        pipe: any pipeline around an SD UNet.
        words: the words that must be there, for all prompts alike, or a list of them for each prompt. One may also
            be several in a row ("red clock"), whose shares add up, or the number of a token, for a word that stands
            in the prompt more than once.
        config: such as `AttendExciteConfig.for_lane("clay")`.
        keep_maps: keep the words' maps of every move, for a film strip.

    Yields:
        The log of the last call: for each picture the loss and the peaks before each move.

    Raises:
        ValueError: words that cannot be excited, or a UNet without layers of that resolution.
        RuntimeError: the UNet is being pushed already.

    Example:
        with excite.exciting(pipe, ["lion", "crown"], AttendExciteConfig.for_lane("clay")) as log:
            image = pipe("a lion with a crown").images[0]
        log.losses()
    """
    attention.choose_layers(pipe.unet, (config.resolution,))
    if pipe.unet in _busy:
        raise RuntimeError("This UNet is being excited already: leave the outer `with` block first.")
    exciter = _Exciter(pipe, words, config, keep_maps)
    networks = {pipe.unet: exciter.before_unet}
    if getattr(pipe, "controlnet", None) is not None:
        networks[pipe.controlnet] = exciter.before_control
    with ExitStack() as undo:
        _busy.add(pipe.unet)
        undo.callback(_busy.discard, pipe.unet)
        undo.callback(lambda: exciter.put_back())
        for net, hook in networks.items():
            undo.callback(net.register_forward_pre_hook(hook, with_kwargs=True).remove)
        undo.enter_context(attention.on_call(pipe, exciter.begin))
        yield exciter.log


class _Exciter:
    """The pushes of one pipeline."""

    def __init__(self, pipe: DiffusionPipeline, words: attention.Words, config: AttendExciteConfig, keep_maps: bool):
        self.pipe, self.words, self.config, self.keep_maps = pipe, words, config, keep_maps
        self.log, self.control = Log(), None
        self.put_back: Callable = lambda: None  # takes a shift off a scheduler that never made its step
        self.names: list[list[str]] = []  # the words of each picture; none before a call
        self.step = 0

    def begin(self, call: attention.Call) -> None:
        """Find the words in the prompts of a new call."""
        words, spans = call.find(self.words)
        self.names = [[str(word) for word in row] for row in words]
        self.mask = equations.token_mask(spans, call.tokens)
        self.log.moves[:] = [[] for _ in words]
        self.step = 0

    def before_control(self, net: nn.Module, args: tuple, kwargs: dict) -> None:
        """Remember what the ControlNet is called with in this step."""
        self.control = net, inspect.signature(net.forward).bind(*args, **kwargs).arguments

    def before_unet(self, unet: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
        """Push the latents, then let the pipeline's own pass go on with them."""
        step, steps = self.step, self.pipe.num_timesteps
        self.step += 1
        if not self.names or step >= self.config.max_iter_to_alter(steps):
            return None
        arguments, scheduler = inspect.signature(unet.forward).bind(*args, **kwargs).arguments, self.pipe.scheduler
        unit = torch.ones((), device=arguments["sample"].device)
        scale = float(scheduler.scale_model_input(unit, arguments["timestep"]))
        inputs = UNetInputs(arguments, self.control, len(self.names))
        shift = self.push(inputs, step, steps)
        self.put_back()
        self.put_back = _shift_next_step(scheduler, shift / scale)  # so a push is as long with every sampler
        return (), inputs.moved(shift)

    def push(self, inputs: UNetInputs, step: int, steps: int) -> torch.Tensor:
        """Give how far the latents move: z'_t = z_t - alpha_t * gradient of L (Algorithm 1).

        At a threshold a picture that falls short repeats its move. It does so once more after it has reached the
        threshold, as the paper's code does: there the loss is compared before the move.
        """
        alpha, threshold = self.config.step_size(step, steps), self.config.threshold(step, steps)
        latents = inputs.arguments["sample"][-inputs.pictures :, : self.pipe.unet.config.out_channels]
        shift = torch.zeros_like(equations.at_least_float32(latents))
        rows = torch.ones(len(shift), dtype=torch.bool, device=shift.device)
        loss, gradient = self.loss(inputs, shift, rows, step)
        short = rows & (loss > 1 - threshold) if threshold is not None else ~rows
        for _ in range(self.config.max_refinement_steps):
            if not short.any():
                break
            still = loss > 1 - threshold
            shift[short] -= alpha * gradient[short]
            loss[short], gradient[short] = self.loss(inputs, shift, short, step)
            short &= still
        return shift - alpha * gradient

    def loss(
        self, inputs: UNetInputs, shift: torch.Tensor, rows: torch.Tensor, step: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give L [batch] of some pictures and its gradient, and write both down."""
        with torch.inference_mode(False), torch.enable_grad():
            moved = shift[rows].clone().requires_grad_()
            call = inputs.moved(moved, rows, again=bool(shift.any()))
            heat = equations.attention_with_grad(self.pipe.unet, self.config.resolution, **call)
            maps = equations.word_maps(heat, self.mask.to(heat.device)[rows], self.config)
            peaks = equations.peaks(maps)
            loss = equations.loss(peaks)
            (gradient,) = torch.autograd.grad(LOSS_SCALE * loss.sum(), moved)
        pictures, timestep = rows.nonzero().flatten().tolist(), int(inputs.arguments["timestep"])
        for row, picture in enumerate(pictures):
            names = self.names[picture]  # fewer than rows of maps where another picture has more
            high, kept = (dict(zip(names, part[row], strict=False)) for part in (peaks.tolist(), maps.detach().cpu()))
            move = Move(step, timestep, float(loss[row]), high, kept if self.keep_maps else None)
            self.log.moves[picture].append(move)
        return loss.detach(), gradient / LOSS_SCALE


@dataclass(frozen=True)
class UNetInputs:
    """What a pipeline calls its UNet with in one step, so that it can be called so again with latents that moved.

    The latents that the UNet is given are scaled by the scheduler and, with guidance, there twice. Moves are measured
    in that scale, in which all samplers' latents are alike.
    """

    arguments: dict  # of the UNet's call, by name
    control: tuple[nn.Module, dict] | None  # the ControlNet and the arguments of its call
    pictures: int  # how many the pipeline makes; their rows, the conditional ones, come last

    def moved(self, shift: torch.Tensor, rows: torch.Tensor | None = None, again: bool = True) -> dict:
        """Give the arguments with the latents moved, for the full batch or some pictures' conditional rows.

        Args:
            shift: to be added to the latents of these pictures, [picture, channel, latent_h, latent_w].
            rows: which pictures, bool [picture]: only the rows that know their prompt. None is the full batch.
            again: whether the ControlNet has to answer again; where nothing moved, its first answer stands.
        """
        arguments = self._moved(self.arguments, shift, rows)
        if again and self.control is not None:
            net, given = self.control
            with torch.no_grad():
                down, mid = net.forward(**self._moved(given, shift.detach(), rows) | {"return_dict": False})
            # In guess mode it answers for the conditional rows only, and the others get zeros.
            none = len(arguments["sample"]) - len(mid)
            down, (mid,) = ([torch.cat([r.new_zeros(none, *r.shape[1:]), r]) for r in part] for part in (down, [mid]))
            arguments |= {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
        return arguments

    def _moved(self, arguments: dict, shift: torch.Tensor, rows: torch.Tensor | None) -> dict:
        """Choose the rows and add the shift to the latents; further channels (a mask, a depth) stay."""
        if rows is not None:
            arguments = _take(arguments, rows.nonzero().flatten() - self.pictures, len(arguments["sample"]))
        sample, count = arguments["sample"], shift.shape[1]
        latents = (sample[:, :count] + shift.repeat(len(sample) // len(shift), 1, 1, 1)).to(sample.dtype)
        return arguments | {"sample": torch.cat([latents, sample[:, count:]], 1)}


def _shift_next_step(scheduler: SchedulerMixin, shift: torch.Tensor) -> Callable[[], None]:
    """Let the scheduler's next step, and only that one, start from the moved latents.

    Returns:
        What takes the shift off again, if it is still there; a step that somebody else has wrapped stays wrapped.
    """
    plain, before = scheduler.step, vars(scheduler).get("step")

    @functools.wraps(plain)
    def step(model_output, timestep, sample, *args, **kwargs):
        put_back()
        return plain(model_output, timestep, (sample + shift).to(sample.dtype), *args, **kwargs)

    def put_back() -> None:
        if vars(scheduler).get("step") is step:
            vars(scheduler).pop("step")
            if before is not None:
                scheduler.step = before

    scheduler.step = step
    return put_back


def _take(value: object, rows: torch.Tensor, count: int) -> object:
    """Take rows of every tensor that has `count` of them, in whatever it is packed."""
    if isinstance(value, torch.Tensor):
        return value[rows] if value.ndim and len(value) == count else value
    if isinstance(value, dict):
        return {key: _take(part, rows, count) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_take(part, rows, count) for part in value)
    return value
