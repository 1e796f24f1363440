"""The upper half of the LoRA panel: what is learned and how, the samples on the way, and the file in the end."""

from __future__ import annotations

import html
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

from ipywidgets import HTML, Button, Dropdown, HBox, Layout, Text, ToggleButtons, VBox
from ipywidgets import Image as ImageWidget
from PIL import Image

from .. import controls, env, personalize
from ..clay.vocabulary import COLOURS
from ..personalize import pretrained
from .browser import Download, Upload
from .curve import WIDTH, draw_curves
from .parts import LABELS, Message, classed, indented, slider
from .picture_knob import Thumbnails, received
from .running import Outbox

SLOTS = 5  # pictures to learn from that are shown, and samples that are painted on the way
POINTS = 60  # of the curve, about
HIGHEST, LONGEST = 64, 1000  # rank, steps
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
        kinds = [("Clay subject", CLAY), ("My pictures", OWN)]
        self.kind = ToggleButtons(options=kinds, description="Learn from", style=LABELS)
        self.kind.style.button_width = "auto"
        self.word = Dropdown(options=list(pretrained.SUBJECTS), value=word, description="Subject", **_wide())
        self.shape = Dropdown(description="Shape", **_wide())
        self.colour = Dropdown(options=list(COLOURS), description="Colour", **_wide())
        self.upload, self.error = Upload(), Message("error")
        self.clear = Button(description="Start over", layout=Layout(width="92px"))
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
        def check(image: Image.Image) -> None:
            personalize.gather([image], "any", *self.size)  # says what is wrong with its size

        if path := received(change, self.error, self.size, self._folder, check):
            self.files = [*self.files, *([path] if path not in self.files else [])]
            self._show()

    def _forget(self) -> None:
        self.files, self.upload.name = [], ""
        self._show()

    def _show(self) -> None:
        for name, part in self._rows.items():
            part.layout.display = None if name == self.kind.value else "none"
        self.count.value = f"{len(self.files)} pictures; three to thirty are good"
        self.error.value, self.error.layout.display = "", "none"
        pictures = [
            example.picture if isinstance(example, personalize.Example) else controls.as_picture(example)
            for example in self.examples()[:SLOTS]
        ]
        for slot, picture in zip(self.looks.slots, [*pictures, *[None] * SLOTS], strict=False):
            self.looks.show(slot, picture)


class Teacher(VBox):
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
        self._outbox, self._config, self._lane = outbox, config, lane
        self.losses: list[tuple[int, float]] = []
        self.samples: dict[int, Image.Image] = {}  # by step
        self.pictures = Pictures(word, config.height, config.width, folder)
        self.trigger = Text(pretrained.trigger_of(word), description="Trigger", continuous_update=False, **_wide())
        self.rank = slider("rank", "Rank", config.rank, 1, HIGHEST, 1)
        self.steps = slider("steps", "Steps", config.max_train_steps, 1, max(LONGEST, config.max_train_steps), 1)
        self.train = Button(description="Train", button_style="primary", layout=Layout(width="112px"))
        self.stop = Button(description="Stop and keep", disabled=True, layout=Layout(width="128px"))
        self.error, self.notes = Message("error"), Message("notes")
        names = tuple(f"sample {number}" for number in range(1, SLOTS + 1))
        self.strip = Thumbnails(names, config.height, config.width)
        self.curve = classed(ImageWidget(format="png", layout=Layout(width=f"{WIDTH}px")), "curve")
        self.status = classed(HTML("Nothing learned yet."), "status")
        self.link = Download("Download the LoRA")
        self.save = Button(description="Save", disabled=True, tooltip="Write the file again")
        self.download, self.drive = Button(description="Download"), Button(description="To Drive")
        for button in (self.save, self.download, self.drive):
            button.layout = Layout(width="92px")
        self.ways = {self.download: "download", self.drive: "drive"}  # of `personalize.send`
        for button in self.ways:
            button.disabled, button.layout.display = True, None if env.place() == "colab" else "none"
        super().__init__([self._arranged()])
        self._draw(config.max_train_steps)
        self.pictures.word.observe(self._name, "value")

    def _arranged(self) -> HBox:
        actions = classed(HBox([self.train, self.stop, self.error]), "actions")
        knobs = [self.pictures, self.trigger, self.rank, self.steps, actions, self.notes]
        files = classed(HBox([self.link, self.save, self.download, self.drive]), "actions")
        side = [self.curve, self.strip, self.status, files]
        return classed(HBox([classed(VBox(knobs), "knobs"), classed(VBox(side), "side")]), "columns")

    @property
    def knobs(self) -> personalize.LoraTrainingConfig:
        """Return how it shall be learned."""
        return personalize.preset("lora", self._lane, rank=self.rank.value, max_train_steps=self.steps.value,
                                  height=self._config.height, width=self._config.width)  # fmt: skip

    @property
    def stops(self) -> list[int]:
        """Return the steps after which a sample is painted; the last one is the end."""
        return sorted({math.ceil(self.steps.value * (number + 1) / SLOTS) for number in range(SLOTS)})

    def begin(self) -> None:
        """Make ready for a training."""
        self.losses, self.samples = [], {}
        for name in self.strip.slots:
            self.strip.show(name, None, self._outbox)
            self._outbox(self.strip.slots[name].children[1], value=name)
        self._draw(self.steps.value)
        self.complain("")
        self._say("Looking at the pictures ...")

    def note(self, pictures: list) -> None:
        """Say what is to be known about the pictures and the trigger."""
        found = personalize.notes(pictures, self.trigger.value, *self.pictures.size, lane=self._lane)
        self.notes.say(self._outbox, *found)

    def step(self, progress: personalize.Progress, sample: Image.Image | None) -> None:
        """Show how far it is, and the sample if one was painted."""
        self.losses.append((progress.step, progress.loss))
        if sample is not None:
            self.samples[progress.step] = sample
            name = list(self.strip.slots)[len(self.samples) - 1]
            self.strip.show(name, sample, self._outbox)
            self._outbox(self.strip.slots[name].children[1], value=f"step {progress.step}")
        if progress.step % max(1, progress.steps // POINTS) == 0 or progress.step == progress.steps:
            self._draw(progress.steps)
            self._say(f"Step {progress.step} of {progress.steps}, {progress.seconds:.0f} s")

    def learned(self, lora: personalize.Lora, path: Path, saved: bool) -> None:
        """Show what came of it, to be taken home."""
        where = f", in {path.parent.name}/{path.name}" if saved else ""
        self._say(f"{lora.about.steps} steps, {lora.bytes:,} bytes of tensors{where}.")
        self._outbox(self.save, disabled=saved)
        for button in self.ways:
            self._outbox(button, disabled=not saved)
        if saved and env.place() != "colab":  # there large messages may cost the connection
            self._outbox(self.link, data=path.read_bytes(), name=path.name)

    def complain(self, text: str) -> None:
        """Write the error beside the button; an empty one takes it away."""
        self.error.say(self._outbox, text)

    def failed(self, text: str) -> None:
        """Say why nothing came of it."""
        self.complain(text)
        self._say("It ended early." if self.losses else "Nothing new was learned.")

    def _say(self, text: str) -> None:
        self._outbox(self.status, value=html.escape(text))

    def _draw(self, steps: int) -> None:
        lines = {"loss": self.losses, "running mean": running_mean(self.losses)}
        self._outbox(self.curve, value=draw_curves(lines, steps, "loss", f"{steps} steps"))

    def _name(self, change: Any) -> None:
        """Let the trigger follow the clay subject, unless it was written by hand."""
        if self.pictures.kind.value == CLAY and self.trigger.value == pretrained.trigger_of(change["old"]):
            self.trigger.value = pretrained.trigger_of(change["new"])


def running_mean(losses: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return the mean over about the last twenty steps, at each step."""
    mean, smooth = None, []
    for step, loss in losses:
        mean = loss if mean is None else 0.95 * mean + 0.05 * loss
        smooth.append((step, mean))
    return smooth


@lru_cache(maxsize=8)
def _drawn(word: str, shape: int, colour: str, height: int, width: int) -> tuple[personalize.Example, ...]:
    """Draw a clay subject, once."""
    return tuple(personalize.subject(word, shape, colour, 0, height, width).train)


def _wide() -> dict[str, Any]:
    return {"style": LABELS, "layout": Layout(width="auto")}
