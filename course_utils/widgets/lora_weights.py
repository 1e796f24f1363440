"""What the LoRA panel is set to: a slider for each LoRA, and the call that they make."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any, ClassVar

from ipywidgets import Layout, VBox

from . import knobs as sets
from .post import Post
from .record import Settings

MOST = 6  # LoRAs that have a slider
LOUDEST = 2.0  # weight
Weighted = tuple[tuple[str, float], ...]  # file and weight


@dataclass(frozen=True)
class LoraSettings(Settings):
    """The knobs of one call with LoRAs."""

    kind: ClassVar[str] = "lora"

    loras: Weighted

    @property
    def used(self) -> Weighted:
        """Return those whose weight is not 0."""
        return tuple((path, weight) for path, weight in self.loras if weight)

    def loading(self) -> str:
        """Return the arguments of `catalog.load`: the pipeline is the plain one."""
        return f"'text2img', lane={self.lane!r}"

    def code(self) -> str:
        """Return Python that makes the same picture, without a panel."""
        if not self.used:
            return super().code()
        before, painting = super().code().split("image = pipe(", 1)
        before = before.replace("from course_utils import catalog", "from course_utils import catalog, personalize")
        reading = "".join(f"    personalize.read({path!r}, pipe),\n" for path, _ in self.used)
        inside = textwrap.indent(f"image = pipe({painting}", "    ")
        weights = [weight for _, weight in self.used]
        return f"{before}loras = [\n{reading}]\nwith personalize.attached(pipe, *loras, weights={weights}):\n{inside}"

    @classmethod
    def of(cls, found: dict[str, Any]) -> LoraSettings:
        """Return settings from what JSON made of them."""
        return cls(**found | {"loras": tuple((path, weight) for path, weight in found["loras"])})


class Weights(VBox):
    """A knob: a slider for each LoRA, its value the files with their weights.

    All are made with the panel and filled later: a widget that is born in a run's thread is lost on Colab.
    """

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._added = 0
        super().__init__([sets.slider("", 1.0, 0, LOUDEST, 0.05) for _ in range(MOST)])
        for slot in self.children:
            slot.layout = Layout(width="auto", display="none")

    @property
    def value(self) -> Weighted:
        """Return the files and their weights."""
        return tuple((path, slot.value) for path, slot in zip(self.paths, self.children, strict=False))

    @value.setter
    def value(self, weighted: Weighted) -> None:
        wanted = dict(weighted)
        for path, slot in zip(self.paths, self.children, strict=False):
            slot.value = wanted.get(path, 0.0)

    def add(self, path: str, name: str, weight: float, post: Post) -> None:
        """Give a LoRA a slider; with all taken, that of the oldest, whose file stays."""
        place = self._added % MOST
        self.paths[place : place + 1] = [path]
        self._added += 1
        post(self.children[place], description=name, value=weight)
        post(self.children[place].layout, display=None)
