"""What was captured, how to ask for it, by word, layer, head and step, and from a map to a region of the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from .layers import grid

if TYPE_CHECKING:
    from .words import Call, Word

Index = int | None  # None is all of them, averaged


class Maps:
    """What the words of a call were looked at for, summed up in float32 while it ran.

    A map holds for each place the share of its attention (0-1) that it pays to a word; over all tokens, start and
    end included, the shares of a place add up to 1. Whatever is not asked for is averaged: without `layer` all
    captured layers (the coarser ones enlarged), without `head` all heads, without `step` all steps. All questions take

    - layer: the name of a layer or its beginning, such as "up_blocks" or "up_blocks.2";
    - head: a number; needs `heads=True` at the capture;
    - step: a number, -1 is the last; needs `steps=True`;
    - picture: which of the call's pictures, where it made several.
    """

    def __init__(self, layers: dict[str, int], heads: bool, steps: bool, pixels: int):
        self.layers = tuple(layers)  # their names, in the order in which they run
        self.timesteps: list[int] = []  # the noise step, 0-999, of each pass of the UNet
        self.size = (0, 0)  # (height, width) of the picture in pixels
        self._factors, self._heads, self._steps, self._pixels = layers, heads, steps, pixels
        self._call: Call | None = None
        self._kept: dict[str, list[torch.Tensor]] = {}

    @property
    def heads(self) -> int:
        """How many heads can be asked for; 1 where they were not kept apart."""
        self._captured()
        return len(self._kept[self.layers[0]][0][0])

    def words(self, picture: int = 0) -> tuple[Word, ...]:
        """List the words of a picture's prompt; first the start token, last the end token with its padding."""
        return self._captured().prompt(picture).words

    def tokens(self, picture: int = 0) -> tuple[str, ...]:
        """List the tokens of a picture's prompt, from start to end."""
        return self._captured().prompt(picture).tokens

    def word(
        self,
        word: str,
        layer: str | None = None,
        head: Index = None,
        step: Index = None,
        picture: int = 0,
        which: int = 0,
    ) -> torch.Tensor:
        """Give the map of a word; the shares of its tokens add up.

        Args:
            word: one of the prompt, or several in a row.
            layer, head, step, picture: see the class.
            which: where the word stands several times, which of them, from 0.

        Returns:
            float32 [latent_h, latent_w], 0-1.

        Raises:
            ValueError: the word is not in the prompt; the message lists its tokens.
        """
        places = self._captured().prompt(picture).place(word, which)
        return self.heat(layer, head, step, picture)[list(places)].sum(0)

    def at(
        self, row: int, column: int, layer: str | None = None, head: Index = None, step: Index = None, picture: int = 0
    ) -> list[tuple[str, float]]:
        """Tell which words a pixel looks at.

        Args:
            row, column: of the pixel, from the top left.
            layer, head, step, picture: see the class.

        Returns:
            Each of `words()` with its share, 0-1, in the order of the prompt; the shares add up to 1.
        """
        words, heat = self.words(picture), self.heat(layer, head, step, picture)
        height, width = self.size
        if row not in range(height) or column not in range(width):
            raise IndexError(f"row={row!r}, column={column!r} lies outside the picture of {height} x {width} pixels.")
        shares = heat[:, row * heat.shape[1] // height, column * heat.shape[2] // width]
        return [(word.text, float(shares[list(word.places)].sum())) for word in words]

    def heat(self, layer: str | None = None, head: Index = None, step: Index = None, picture: int = 0) -> torch.Tensor:
        """Give the maps of all tokens, padding included: float32 [token, latent_h, latent_w], 0-1."""
        call = self._captured()
        if picture not in range(call.pictures):
            raise IndexError(f"picture={picture!r}: the call made {call.pictures}; count from 0.")
        found = [self._layer(name, head, step, picture) for name in self._named(layer)]
        finest = max((heat.shape[1:] for heat in found), key=lambda size: size[0] * size[1])
        return torch.stack([_enlarged(heat, finest) for heat in found]).mean(0)

    def _layer(self, name: str, head: Index, step: Index, picture: int) -> torch.Tensor:
        kept = self._kept[name]
        if step is None:
            shares = sum(each[picture] for each in kept) / len(self.timesteps)
        else:
            self._check("step", step, self._steps, len(self.timesteps), -len(self.timesteps))
            shares = kept[step][picture]
        if head is not None:
            self._check("head", head, self._heads, len(shares))
        shares = shares.mean(0) if head is None else shares[head]
        latents = [side // self._pixels for side in self.size]
        return shares.T.unflatten(1, grid(latents, self._factors[name]))

    def _named(self, layer: str | None) -> list[str]:
        names = [name for name in self.layers if name.startswith(layer or "")]
        if not names:
            raise ValueError(f"layer={layer!r} was not captured; use one of these, or its beginning: {self.layers}.")
        return names

    def _check(self, name: str, value: int, kept: bool, count: int, least: int = 0) -> None:
        if not kept:
            raise ValueError(f"{name}={value!r}: single {name}s were not kept; use capture(pipe, ..., {name}s=True).")
        if value not in range(least, count):
            raise IndexError(f"{name}={value!r} is not there; use {least} to {count - 1}.")

    def _captured(self) -> Call:
        if self._call is None or not self.timesteps:
            raise RuntimeError("Nothing was captured yet: call the pipeline inside the `with` block, then ask.")
        return self._call

    def _begin(self, call: Call) -> None:
        """Forget what was; the next passes belong to this call."""
        self._call, self.timesteps, self._kept = call, [], {}

    def _add(self, latents: tuple[int, int], timestep: int, shares: dict[str, torch.Tensor]) -> None:
        """Take in one pass: by layer float32 [picture, head, latent_h * latent_w, token]; the GPU keeps nothing."""
        self.size = (latents[0] * self._pixels, latents[1] * self._pixels)
        self.timesteps.append(timestep)
        for name, heat in shares.items():
            kept = self._kept.setdefault(name, [])
            if self._steps or not kept:
                kept.append(heat.cpu())
            else:
                kept[0] += heat.cpu()


def _enlarged(heat: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if heat.shape[1:] == size:
        return heat
    return F.interpolate(heat[None], size, mode="bilinear", align_corners=False)[0]


def enlarged(heat: torch.Tensor, height: int, width: int) -> np.ndarray:
    """Bring a map [latent_h, latent_w] smoothly to a picture's size: float32 [height, width]."""
    return F.interpolate(heat[None, None].float(), (height, width), mode="bicubic", align_corners=False)[0, 0].numpy()


def region(heat: np.ndarray, threshold: float) -> np.ndarray:
    """Give where a map glows, bool [height, width]: where it has at least a share of its own peak.

    Args:
        heat: [height, width], mostly one that was enlarged.
        threshold: that share, above 0 and up to 1.

    Raises:
        ValueError: a threshold outside its range.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold={threshold!r} is a share of the map's peak; use above 0 and up to 1.")
    return heat >= threshold * heat.max()


def coverage_map(mask: np.ndarray, grid: tuple[int, int]) -> torch.Tensor:
    """Give the map that a model would have that knew a thing's outline: how much of each place the thing covers.

    Made into a region again, it tells what a grid of that size allows.

    Args:
        mask: bool [height, width], where the thing is.
        grid: (latent_h, latent_w) of the map.

    Returns:
        float32 [latent_h, latent_w], 0-1.
    """
    return F.adaptive_avg_pool2d(torch.from_numpy(np.asarray(mask, np.float32))[None], grid)[0]
