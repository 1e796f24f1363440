"""The explorer of lesson 06: click a word and see where it is looked for; point at a place and see what it sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import torch
import traitlets
from ipywidgets import Widget
from PIL import Image

from .. import attention, env, plots
from . import parts
from .browser import BASE, HERE, jpeg
from .panel import Panel
from .record import Settings, Shot
from .running import own_model

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

FINEST = 16  # layers whose maps have at most this side in a square picture: finer ones would fill the memory on sd15
ALL = "all layers"
SHORT = {"<|startoftext|>": "start", "<|endoftext|>": "end"}


class Explorer(anywidget.AnyWidget):
    """A picture with the words of its prompt; it stands where other panels have their picture.

    What is chosen (`word`, `layer`, `head`, `step`) are numbers, -1 is none or all; `show` brings the rest.
    """

    _esm, _css = HERE / "explorer.js", BASE + (HERE / "explorer.css").read_text()

    value = traitlets.CBytes().tag(sync=True)  # the picture, or what is there of it yet
    format = traitlets.Unicode("png").tag(sync=True)
    glow = traitlets.CBytes().tag(sync=True)  # JPEG of the picture with the chosen word's map; empty without one
    heat = traitlets.CBytes().tag(sync=True)  # float32 [word, row, column]: the maps of all words, as chosen
    grid = traitlets.List([0, 0]).tag(sync=True)  # rows and columns
    words = traitlets.List().tag(sync=True)
    layers = traitlets.List([ALL]).tag(sync=True)
    heads = traitlets.Int(0).tag(sync=True)  # how many there are
    steps = traitlets.List().tag(sync=True)  # the noise step, 0-999, of each
    word = traitlets.Int(-1).tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(-1).tag(sync=True)
    step = traitlets.Int(-1).tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self.maps: attention.Maps | None = None
        self.image: Image.Image | None = None

    def facts(self, image: Image.Image, maps: attention.Maps) -> dict[str, Any]:
        """Take a picture and its maps, and return the traits that tell of them; the choice stays where it can."""
        self.image, self.maps = image, maps
        words = [SHORT.get(word.text, word.text) for word in maps.words()]
        about = {"layers": [ALL, *map(short, maps.layers)], "heads": maps.heads, "steps": maps.timesteps}
        return about | {"words": words} | self.choice | self.view()

    def nothing(self) -> dict[str, Any]:
        """Forget the maps, and return the traits that say so."""
        self.image = self.maps = None
        return {"glow": b"", "heat": b"", "grid": [0, 0], "words": [], "heads": 0, "steps": []}

    @property
    def choice(self) -> dict[str, int]:
        """Return what is chosen, as far as there is such a thing."""
        if self.maps is None:
            return {"word": -1, "layer": 0, "head": -1, "step": -1}
        maps = self.maps
        counts = {"word": len(maps.words()), "layer": len(maps.layers) + 1}
        counts |= {"head": maps.heads, "step": len(maps.timesteps)}
        return {name: min(getattr(self, name), count - 1) for name, count in counts.items()}

    def view(self) -> dict[str, Any]:
        """Return the traits that show what is chosen."""
        if self.maps is None:
            return {}
        heat, glowing = self.word_maps(), self.glowing()
        glow = jpeg(glowing) if glowing else b""
        return {"heat": heat.numpy().astype("<f4").tobytes(), "grid": list(heat.shape[1:]), "glow": glow}

    def word_maps(self) -> torch.Tensor:
        """Return the maps of all words, of the chosen layer, head and step: float32 [word, latent_h, latent_w]."""
        layer, head, step = (self.choice[name] for name in ("layer", "head", "step"))
        name = self.maps.layers[layer - 1] if layer else None
        heat = self.maps.heat(name, None if head < 0 else head, None if step < 0 else step)
        return torch.stack([heat[list(word.places)].sum(0) for word in self.maps.words()])

    def glowing(self) -> Image.Image | None:
        """Return the picture with the chosen word's map, its peak at its brightest; None where none is chosen."""
        if (word := self.choice["word"]) < 0:
            return None
        heat = self.word_maps()[word]
        return plots.overlay(self.image, (heat / heat.max().clamp(min=1e-9)).numpy())


def short(layer: str) -> str:
    """Return a layer's name without what all have in common, such as "up_blocks.2.attentions.1"."""
    return layer.partition(".transformer_blocks")[0]


class ExplorerPanel(Panel):
    """A text2img panel that listens while it paints; its stage shows the maps that it captured."""

    def __init__(self, pipe: DiffusionPipeline, start: dict[str, Any], folder: str | Path) -> None:
        knobs = {**parts.prompts(start), **parts.sampling(pipe, start)}
        self.explorer = Explorer()
        super().__init__(pipe, knobs, start, folder=folder, image=self.explorer)
        self.explorer.observe(self._answer(self._choose), ["word", "layer", "head", "step"])

    def _arranged(self) -> list[Widget]:
        """Arrange as ever, the history below the knobs: the maps make the other column long."""
        *first, columns, history, code = super()._arranged()
        columns.children[0].children += (history,)
        return [*first, columns, code]

    @contextmanager
    def _around(self, pipe: DiffusionPipeline, settings: Settings) -> Iterator[attention.Maps]:
        """Capture all layers that are not too fine, heads and steps apart, on a UNet that no other call passes."""
        self.outbox(self.explorer, **self.explorer.nothing())
        pipe.unet = own_model(pipe.unet)
        sides = {attention.native_side(pipe.unet) // factor for factor in attention.cross_layers(pipe.unet).values()}
        fine = sorted(side for side in sides if side <= FINEST)
        with attention.capture(pipe, fine, heads=True, steps=True) as maps:
            yield maps

    def _show(self, shot: Shot, text: str) -> None:
        super()._show(shot, text)
        self.outbox(self.explorer, **self.explorer.facts(shot.image, shot.more))

    def _choose(self) -> None:
        self.outbox(self.explorer, **self.explorer.view())


def explorer_panel(
    pipe: DiffusionPipeline,
    runtime: env.Runtime | None = None,
    prompt: str = "a lion with a crown in the garden",
    negative_prompt: str = "",
    folder: str | Path = "pictures",
    **defaults: float,
) -> ExplorerPanel:
    """Return a panel that paints, listens, and lets ask: which places look at a word, which words at a place.

    Args:
        pipe: from `catalog.load("text2img")`; its weights are used, nothing of it is changed.
        runtime, prompt, negative_prompt, folder, defaults: see `text2img_panel`.

    Raises:
        TypeError, ValueError: as `text2img_panel` does.
    """
    return ExplorerPanel(pipe, parts.first_call(pipe, runtime, prompt, negative_prompt, defaults), folder)
