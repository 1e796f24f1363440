"""The pictures that a LoRA learns from: a subject of the clay world, or the learner's own."""

from __future__ import annotations

import html
from functools import lru_cache
from pathlib import Path
from typing import Any

from ipywidgets import HTML, Button, Dropdown, HBox, Layout, ToggleButtons, VBox

from .. import controls, editing, personalize
from ..clay.vocabulary import COLOURS
from ..personalize import pretrained
from .given import keep
from .parts import LABELS, classed, reason
from .source import AT_ONCE, INPUTS, Looks, indented
from .upload import Upload

SLOTS = 5  # pictures that are shown
CLAY, MINE = "clay", "mine"


@lru_cache(maxsize=8)
def _drawn(word: str, shape: int, colour: str, height: int, width: int) -> tuple[personalize.Example, ...]:
    """Draw a clay subject, once."""
    return tuple(personalize.subject(word, shape, colour, 0, height, width).train)


class Pictures(VBox):
    """A knob that gives examples.

    Args:
        word: the clay subject at first.
        height, width: of the pictures, pixels.
        folder: the panel's; uploaded pictures are kept in its folder "inputs".
    """

    def __init__(self, word: str, height: int, width: int, folder: Path) -> None:
        self.size, self._folder, self.files = (height, width), folder / INPUTS, []
        wide = {"style": LABELS, "layout": Layout(width="auto")}
        kinds = [("Clay subject", CLAY), ("My pictures", MINE)]
        self.kind = ToggleButtons(options=kinds, description="Learn from", style=LABELS)
        self.kind.style.button_width = "auto"
        self.word = Dropdown(options=list(pretrained.SUBJECTS), value=word, description="Subject", **wide)
        self.shape = Dropdown(description="Shape", **wide)
        self.colour = Dropdown(options=list(COLOURS), description="Colour", **wide)
        self.upload = Upload()
        self.clear = Button(description="Start over", layout=Layout(width="92px"))
        self.count, self.error = HTML(), classed(HTML(layout=Layout(display="none")), "error")
        self.looks = Looks(tuple(map(str, range(1, SLOTS + 1))), height, width)
        self._rows = {
            CLAY: VBox([self.word, self.shape, self.colour]),
            MINE: VBox([indented(self.upload), indented(HBox([self.clear, self.count]))]),
        }
        super().__init__([self.kind, *self._rows.values(), self.error, indented(self.looks)])
        classed(self, "source")
        self._settling = False
        self._follow(None)
        self.word.observe(self._follow, "value")
        for knob in (self.kind, self.shape, self.colour):
            knob.observe(self._changed, "value")
        self.upload.observe(self._came, ["data", "problem"])
        self.clear.on_click(lambda button: self._forget())

    def examples(self) -> list[personalize.Example | str]:
        """Return what to learn from: examples, or the paths of files."""
        if self.kind.value == MINE:
            return list(self.files)
        return list(_drawn(self.word.value, self.shape.value, self.colour.value, *self.size))

    def _follow(self, change: Any) -> None:
        """Offer the shapes of another subject."""
        self._settling = True  # one look at the end is enough
        names = personalize.shapes(self.word.value)
        self.shape.options = [(name, number) for number, name in enumerate(names)]
        self.shape.value, self.colour.value = 0, pretrained.SUBJECTS[self.word.value]
        self._settling = False
        self._show()

    def _changed(self, change: Any) -> None:
        if not self._settling:
            self._show()

    def _came(self, change: Any) -> None:
        """Take what the upload button brought: read it, check it, keep it."""
        self._say(self.upload.problem)
        if self.upload.problem or not self.upload.data:
            return
        try:
            image = controls.as_picture(self.upload.data, self.upload.name)
            personalize.gather([image], "any", *self.size)  # says what is wrong with its size
            path = keep(editing.fit(image, *self.size), self.upload.name, self._folder)
        except (ValueError, OSError) as problem:
            self._say(reason(problem))
        else:
            self.files = [*self.files, *([path] if path not in self.files else [])]
            self._show()

    def _forget(self) -> None:
        self.files = []
        self.upload.name = ""
        self._show()

    def _show(self) -> None:
        for name, part in self._rows.items():
            part.layout.display = None if name == self.kind.value else "none"
        self.count.value = f"{len(self.files)} pictures; three to thirty are good"
        self._say("")
        shown = self.examples()[:SLOTS]
        pictures = [one.picture if isinstance(one, personalize.Example) else controls.as_picture(one) for one in shown]
        for slot, picture in zip(self.looks.slots, [*pictures, *[None] * SLOTS], strict=False):
            self.looks.show(slot, picture, AT_ONCE)

    def _say(self, text: str) -> None:
        self.error.value = html.escape(text)
        self.error.layout.display = None if text else "none"
