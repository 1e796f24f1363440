"""Two things of the ControlNet tab that diffusers lacks: how a map weighs against the prompt, and where it counts."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from typing import TYPE_CHECKING, Any

import torch

from ..attention.hooks import replaced
from ..pictures import as_mask

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL import Image
    from torch import nn

    Region = Image.Image | None  # a mask, white where a control counts; None for all of the picture
    Turn = tuple[str, torch.Tensor | None]  # a mode, and the region's pixels

BALANCED, PROMPT, CONTROL = MODES = ("balanced", "prompt", "control")
FALL = 0.825  # from one residual to the one before it, where the prompt is more important


@contextmanager
def steered(pipe: DiffusionPipeline, modes: Sequence[str], regions: Sequence[Region] = ()) -> Iterator[None]:
    """Weigh what each ControlNet of a pipeline says, in every call inside the block.

    The three modes are those of Mikubill's ControlNet tab. With residuals r_0 ... r_n, r_n the middle's:
    "balanced" leaves them; "prompt" takes 0.825^(n - i) r_i; "control" takes the same and adds them for the
    conditional half only, so that guidance multiplies them. A region multiplies each place by the share of its pixels
    that are white.

    Args:
        pipe: with one ControlNet or several.
        modes: of each ControlNet, of `MODES`.
        regions: of each a mask, white where it counts, or None for all of the picture; () for none of them.

    Raises:
        ValueError: not one mode (and region) for each ControlNet, an unknown mode, or a mask that is all black.
    """
    nets = list(getattr(pipe.controlnet, "nets", [pipe.controlnet]))
    regions = list(regions) or [None] * len(nets)
    for name, values in (("modes", modes), ("regions", regions)):
        if len(values) != len(nets):
            raise ValueError(f"{name} holds {len(values)}, the pipeline {len(nets)} ControlNets; give one for each.")
    if unknown := [mode for mode in modes if mode not in MODES]:
        raise ValueError(f"modes holds {unknown[0]!r}; use any of {', '.join(map(repr, MODES))}.")
    masks = [None if region is None else _pixels(region) for region in regions]
    turns: dict[int, list[tuple[str, Any]]] = {}  # one net may serve several units: it is asked for them in turn
    for net, mode, mask in zip(nets, modes, masks, strict=True):
        turns.setdefault(id(net), []).append((mode, mask))
    whole = [0]  # rows of the batch that the pipeline's own passes have

    def count(net: nn.Module, args: tuple, given: dict) -> None:
        whole[0] = len(args[0] if args else given["sample"])

    with ExitStack() as undo:
        undo.callback(pipe.controlnet.register_forward_pre_hook(count, with_kwargs=True).remove)
        for net in {id(net): net for net in nets}.values():
            undo.enter_context(_weighed(pipe, net, cycle(turns[id(net)]), whole))
        yield


def _pixels(region: Image.Image) -> torch.Tensor:
    import numpy as np

    mask = as_mask(region)
    if not mask.getbbox():
        raise ValueError("regions holds a mask that is black everywhere: mark where the control shall count.")
    return torch.from_numpy(np.asarray(mask, np.float32) / 255)[None, None]


@contextmanager
def _weighed(pipe: DiffusionPipeline, net: nn.Module, turn: Iterator[Turn], whole: list[int]) -> Iterator[None]:
    """Replace a net's `forward`, not only a hook of its call: Attend-and-Excite asks for `forward` itself."""
    before = net.forward

    @functools.wraps(before)
    def forward(*args: Any, **given: Any) -> tuple:
        mode, mask = next(turn)
        down, middle = before(*args, **given)
        residuals = [*down, middle]
        if mode != BALANCED:
            residuals = [FALL ** (len(residuals) - 1 - place) * one for place, one in enumerate(residuals)]
        halves = pipe.do_classifier_free_guidance and not given.get("guess_mode") and len(middle) == whole[0]
        if mode == CONTROL and halves:  # else only the rows that know their prompt are asked for
            residuals = [torch.cat([torch.zeros_like(half), rest]) for half, rest in (r.chunk(2) for r in residuals)]
        if mask is not None:
            pool = torch.nn.functional.adaptive_avg_pool2d
            residuals = [one * pool(mask.to(one), one.shape[-2:]) for one in residuals]
        return residuals[:-1], residuals[-1]

    with replaced(net, "forward", forward):
        yield
