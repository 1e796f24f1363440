"""What a pipeline asks its UNet in one step, so that the same can be asked for latents that have been moved."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch import nn


class Question:
    """One call of the UNet by a pipeline, and the call of its ControlNet before, if it has one.

    The latents that the UNet is given are scaled by the scheduler and, with guidance, there twice. Here they are
    asked about in the scheduler's own measure and once: a shift is added to what the pipeline has.

    Args:
        asked: the arguments of the UNet's call.
        control: the ControlNet and the arguments of its call, or None.
        pictures: how many the pipeline makes; their rows, the ones that know the prompt, come last.
        scale: what the scheduler multiplied the latents by.
    """

    def __init__(self, asked: dict, control: tuple[nn.Module, dict] | None, pictures: int, scale: float):
        self.asked, self.control, self.pictures, self.scale = asked, control, pictures, scale

    @property
    def latents(self) -> torch.Tensor:
        """The scaled latents as they stand: [picture, channel, latent_h, latent_w]."""
        return self.asked["sample"][-self.pictures :]

    def half(self, shift: torch.Tensor, rows: torch.Tensor, moved: bool) -> dict:
        """Give the arguments for some pictures, only the half that knows the prompt.

        Args:
            shift: to be added to the latents of these pictures, [batch, channel, latent_h, latent_w].
            rows: which pictures, bool [picture].
            moved: whether the ControlNet has to look again; where nothing moved, the pipeline's answer stands.
        """
        mine = slice(-self.pictures, None)
        asked = _rows(_rows(self.asked, mine, len(self.asked["sample"])), rows, self.pictures)
        asked["sample"] = self._moved(asked["sample"], shift)
        if moved and self.control is not None:
            net, given = self.control
            given = _rows(_rows(given, mine, len(given["sample"])), rows, self.pictures)
            asked |= self._residuals(net, given | {"sample": self._moved(given["sample"], shift.detach())})
        return asked

    def whole(self, shift: torch.Tensor) -> dict:
        """Give the arguments for the pipeline's own pass, with all its latents moved."""
        copies = len(self.asked["sample"]) // self.pictures
        asked = self.asked | {"sample": self._moved(self.asked["sample"], shift.repeat(copies, 1, 1, 1))}
        if self.control is not None:
            net, given = self.control
            copies = len(given["sample"]) // self.pictures
            sample = self._moved(given["sample"], shift.repeat(copies, 1, 1, 1))
            asked |= self._residuals(net, given | {"sample": sample}, len(asked["sample"]))
        return asked

    def _moved(self, sample: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """Add a shift to the latents; further channels (a mask, a depth) stay."""
        count = shift.shape[1]
        latents = (sample[:, :count] + self.scale * shift).to(sample.dtype)
        return torch.cat([latents, sample[:, count:]], 1) if sample.shape[1] > count else latents

    @staticmethod
    @torch.no_grad()
    def _residuals(net: nn.Module, given: dict, rows: int = 0) -> dict:
        """Ask the ControlNet; in guess mode its answer is for the half with the prompt, and the other gets zeros."""
        down, mid = net.forward(**given | {"return_dict": False})
        missing = max(rows - len(mid), 0)
        down, mid = ([torch.cat([r.new_zeros(missing, *r.shape[1:]), r]) for r in part] for part in (down, [mid]))
        return {"down_block_additional_residuals": down, "mid_block_additional_residual": mid[0]}


def named(forward: Callable, args: tuple, given: dict) -> dict:
    """Give the arguments of a call by their names."""
    return inspect.signature(forward).bind(*args, **given).arguments


def _rows(value: object, rows: slice | torch.Tensor, count: int) -> object:
    """Take rows of every tensor that has `count` of them, in whatever it is packed."""
    if isinstance(value, torch.Tensor):
        return value[rows] if value.ndim and len(value) == count else value
    if isinstance(value, dict):
        return {key: _rows(one, rows, count) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_rows(one, rows, count) for one in value)
    return value
