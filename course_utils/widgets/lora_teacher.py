"""The upper half of the LoRA panel: what is learned and how, the samples on the way, and the file in the end."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from ipywidgets import HTML, Dropdown, HBox, Text, VBox
from PIL import Image

from .. import controls, editing, env, personalize
from ..clay.vocabulary import COLOURS
from ..personalize import pretrained
from .browser import Upload
from .parts import Message, button, classed, colab_button, field, indented, show_only, slider, toggles
from .picture_knob import Thumbnails, received
from .running import Outbox
from .training_view import SLOTS, TrainingView

HIGHEST = 64  # rank
CLAY, OWN = "clay", "mine"


class Pictures(VBox):
    """A knob that gives what a LoRA learns from: a subject of the clay world, or the learner's own pictures.

    Args:
        word: the clay subject at first.
        height, width: of the pictures, pixels.
        folder: the panel's; uploaded pictures are kept in its folder "inputs".
    """

    def __init__(self, word: str, height: int, width: int, folder: Path) -> None:
        self.size, self._folder, self.files = (height, width), folder, []
        self.kind = toggles("Learn from", [("Clay subject", CLAY), ("My pictures", OWN)])
        self.word = field(Dropdown, "Subject", options=list(pretrained.SUBJECTS), value=word)
        self.shape = field(Dropdown, "Shape")
        self.colour = field(Dropdown, "Colour", options=list(COLOURS))
        self.upload, self.error = Upload(), Message("error")
        self.clear = button("Start over", 92)
        self.count = HTML()
        self.looks = Thumbnails(tuple(map(str, range(1, SLOTS + 1))), height, width)
        self._rows = {
            CLAY: VBox([self.word, self.shape, self.colour]),
            OWN: VBox([indented(self.upload), indented(HBox([self.clear, self.count]))]),
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
        if self.kind.value == OWN:
            return list(self.files)
        return list(_drawn(self.word.value, self.shape.value, self.colour.value, *self.size))

    def _follow(self, change: Any) -> None:
        """Offer the shapes of another subject."""
        self._settling = True  # showing them once, at the end, is enough
        names = personalize.shapes(self.word.value)
        self.shape.options = [(name, number) for number, name in enumerate(names)]
        self.shape.value, self.colour.value = 0, pretrained.SUBJECTS[self.word.value]
        self._settling = False
        self._show()

    def _changed(self, change: Any) -> None:
        if not self._settling:
            self._show()

    def _came(self, change: Any) -> None:
        def prepare(data: bytes, name: str) -> Image.Image:
            image = controls.as_picture(data, name)
            personalize.gather([image], "any", *self.size)  # says what is wrong with its size
            return editing.fit(image, *self.size)

        if path := received(change, self.error, self._folder, prepare):
            self.files = [*self.files, *([path] if path not in self.files else [])]
            self._show()

    def _forget(self) -> None:
        self.files, self.upload.name = [], ""
        self._show()

    def _show(self) -> None:
        show_only(self._rows, self.kind.value)
        self.count.value = f"{len(self.files)} pictures; three to thirty are good"
        self.error.value, self.error.layout.display = "", "none"
        pictures = [
            example.picture if isinstance(example, personalize.Example) else controls.as_picture(example)
            for example in self.examples()[:SLOTS]
        ]
        for slot, picture in zip(self.looks.slots, [*pictures, *[None] * SLOTS], strict=False):
            self.looks.show(slot, picture)


class Teacher(TrainingView):
    """Knobs, buttons, and what is to be seen while it learns; the panel does the work.

    Args:
        outbox: how the run's thread writes.
        word: the clay subject at first.
        config: rank, steps and size at first, the rest as it stays.
        folder: the panel's.
        lane: "clay" or "sd15".
    """

    def __init__(
        self, outbox: Outbox, word: str, config: personalize.LoraTrainingConfig, folder: Path, lane: str
    ) -> None:
        super().__init__(outbox, config.max_train_steps, config.height, config.width, "Download the LoRA")
        self._config, self._lane = config, lane
        self.pictures = Pictures(word, config.height, config.width, folder)
        self.trigger = field(Text, "Trigger", value=pretrained.trigger_of(word), continuous_update=False)
        self.rank = slider("rank", "Rank", config.rank, 1, HIGHEST, 1)
        self.notes = Message("notes")
        self.save = button("Save", 92, disabled=True, tooltip="Write the file again")
        self.download, self.drive = colab_button("Download"), colab_button("To Drive")
        self.children = [self._arranged()]
        classed(self, "teacher")
        self.pictures.word.observe(self._name, "value")

    def _arranged(self) -> HBox:
        knobs = [self.pictures, self.trigger, self.rank, self.steps, self.actions, self.notes]
        files = classed(HBox([self.link, self.save, self.download, self.drive]), "actions")
        side = [self.curve, self.strip, classed(VBox([self.status, files]), "stage")]
        return classed(HBox([classed(VBox(knobs), "knobs"), classed(VBox(side), "side")]), "columns")

    @property
    def knobs(self) -> personalize.LoraTrainingConfig:
        """Return how it shall be learned."""
        return personalize.preset("lora", self._lane, rank=self.rank.value, max_train_steps=self.steps.value,
                                  height=self._config.height, width=self._config.width)  # fmt: skip

    def note(self, pictures: list) -> None:
        """Say what is to be known about the pictures and the trigger."""
        found = personalize.notes(pictures, self.trigger.value, *self.pictures.size, lane=self._lane)
        self.notes.say(self.outbox, *found)

    def learned(self, lora: personalize.Lora, path: Path, saved: bool) -> None:
        """Show what came of it, to be taken home."""
        where = f", in {path.parent.name}/{path.name}" if saved else ""
        self.say(f"{lora.about.steps} steps, {lora.bytes:,} bytes of tensors{where}.")
        self.outbox(self.save, disabled=saved)
        for each in (self.download, self.drive):
            self.outbox(each, disabled=not saved)
        if saved and env.place() != "colab":  # there large messages may cost the connection
            self.outbox(self.link, data=path.read_bytes(), name=path.name)

    def _name(self, change: Any) -> None:
        """Let the trigger follow the clay subject, unless it was written by hand."""
        if self.pictures.kind.value == CLAY and self.trigger.value == pretrained.trigger_of(change["old"]):
            self.trigger.value = pretrained.trigger_of(change["new"])


@lru_cache(maxsize=8)
def _drawn(word: str, shape: int, colour: str, height: int, width: int) -> tuple[personalize.Example, ...]:
    """Draw a clay subject, once."""
    return tuple(personalize.subject(word, shape, colour, 0, height, width).train)
