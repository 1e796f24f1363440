"""The upper half of the LoRA panel: what is learned and how, the samples on the way, and the file in the end."""

from __future__ import annotations

import base64
import html
import math
from pathlib import Path

from ipywidgets import HTML, Button, HBox, Layout, Text, VBox
from ipywidgets import Image as ImageWidget
from PIL import Image

from .. import env, personalize
from ..personalize import pretrained
from ..plots import style
from . import knobs as sets
from .lora_pictures import CLAY, Pictures
from .losses import frame, png
from .paper import EDGE
from .parts import LABELS, classed
from .post import Post
from .source import Looks

SAMPLES = 5  # pictures that are painted on the way
POINTS = 60  # of the curve, about
HIGHEST, LONGEST = 64, 1000  # rank, steps


class Teacher(VBox):
    """Knobs, buttons, and what is to be seen while it learns; the panel does the work.

    Args:
        post: how the run's thread writes.
        word: the clay subject at first.
        knobs: rank, steps and size at first, the rest as it stays.
        folder: the panel's.
        lane: "clay" or "sd15".
    """

    def __init__(self, post: Post, word: str, knobs: personalize.LoraTrainingConfig, folder: Path, lane: str) -> None:
        self._post, self._knobs, self._lane = post, knobs, lane
        self.losses: list[tuple[int, float]] = []
        self.samples: dict[int, Image.Image] = {}  # by step
        self.pictures = Pictures(word, knobs.height, knobs.width, folder)
        self.trigger = Text(pretrained.trigger_of(word), description="Trigger", continuous_update=False, style=LABELS)
        self.trigger.layout = Layout(width="auto")
        self.rank = sets.slider("Rank", knobs.rank, 1, HIGHEST, 1)
        self.steps = sets.slider("Steps", knobs.max_train_steps, 1, max(LONGEST, knobs.max_train_steps), 1)
        self.train = Button(description="Train", button_style="primary", layout=Layout(width="112px"))
        self.stop = Button(description="Stop and keep", disabled=True, layout=Layout(width="128px"))
        self.error, self.notes = classed(HTML(), "error"), classed(HTML(), "notes")
        self.strip = Looks(tuple(f"sample {number}" for number in range(1, SAMPLES + 1)), knobs.height, knobs.width)
        self.curve = classed(ImageWidget(format="png", layout=Layout(width="320px")), "curve")
        self.status = classed(HTML("Nothing learned yet."), "status")
        self.link = HTML()
        self.save = Button(description="Save", disabled=True, tooltip="Write the file again")
        self.download, self.drive = Button(description="Download"), Button(description="To Drive")
        for button in (self.save, self.download, self.drive):
            button.layout = Layout(width="92px")
        for button in (self.download, self.drive):
            button.disabled, button.layout.display = True, None if env.place() == "colab" else "none"
        super().__init__([self._arranged()])
        self._draw(knobs.max_train_steps)
        self.pictures.word.observe(self._name, "value")

    def _arranged(self) -> HBox:
        actions = classed(HBox([self.train, self.stop, self.error]), "actions")
        knobs = [self.pictures, self.trigger, self.rank, self.steps, actions, self.notes]
        files = HBox([self.link, self.save, self.download, self.drive])
        side = [self.curve, self.strip, self.status, files]
        return classed(HBox([classed(VBox(knobs), "knobs"), classed(VBox(side), "side")]), "columns")

    @property
    def knobs(self) -> personalize.LoraTrainingConfig:
        """Return how it shall be learned."""
        return personalize.preset("lora", self._lane, rank=self.rank.value, max_train_steps=self.steps.value,
                                  height=self._knobs.height, width=self._knobs.width)  # fmt: skip

    @property
    def stops(self) -> list[int]:
        """Return the steps after which a sample is painted; the last one is the end."""
        return sorted({math.ceil(self.steps.value * (number + 1) / SAMPLES) for number in range(SAMPLES)})

    def begin(self) -> None:
        """Make ready for a training."""
        self.losses, self.samples = [], {}
        for name in self.strip.slots:
            self.strip.show(name, None, self._post)
            self._post(self.strip.slots[name].children[1], value=name)
        self._draw(self.steps.value)
        self.complain("")
        self._say("Looking at the pictures ...")

    def note(self, pictures: list) -> None:
        """Say what is to be known about the pictures and the trigger."""
        found = personalize.notes(pictures, self.trigger.value, *self.pictures.size, lane=self._lane)
        self._post(self.notes, value="<br>".join(map(html.escape, found)))

    def step(self, progress: personalize.Progress, sample: Image.Image | None) -> None:
        """Show how far it is, and the sample if one was painted."""
        self.losses.append((progress.step, progress.loss))
        if sample is not None:
            self.samples[progress.step] = sample
            name = list(self.strip.slots)[len(self.samples) - 1]
            self.strip.show(name, sample, self._post)
            self._post(self.strip.slots[name].children[1], value=f"step {progress.step}")
        if progress.step % max(1, progress.steps // POINTS) == 0 or progress.step == progress.steps:
            self._draw(progress.steps)
            self._say(f"Step {progress.step} of {progress.steps}, {progress.seconds:.0f} s")

    def learned(self, lora: personalize.Lora, path: Path, saved: bool) -> None:
        """Show what came of it, to be taken home."""
        where = f", in {path.parent.name}/{path.name}" if saved else ""
        self._say(f"{lora.about.steps} steps, {lora.bytes:,} bytes of tensors{where}.")
        self._post(self.save, disabled=saved)
        for button in (self.download, self.drive):
            self._post(button, disabled=not saved)
        if saved and env.place() != "colab":  # there large messages may cost the connection
            data = base64.b64encode(path.read_bytes()).decode()
            href = f"data:application/octet-stream;base64,{data}"
            link = f'<a class="course-download" download="{path.name}" href="{href}">Download the LoRA</a>'
            self._post(self.link, value=link)

    def complain(self, text: str) -> None:
        """Write the error beside the button; an empty one takes it away."""
        self._post(self.error, value=html.escape(text))

    def failed(self, text: str) -> None:
        """Say why nothing came of it."""
        self.complain(text)
        self._say("It ended early." if self.losses else "Nothing new was learned.")

    def _say(self, text: str) -> None:
        self._post(self.status, value=html.escape(text))

    def _draw(self, steps: int) -> None:
        self._post(self.curve, value=png(draw_loss(self.losses, steps)))

    def _name(self, change) -> None:
        """Let the trigger follow the clay subject, unless it was written by hand."""
        if self.pictures.kind.value == CLAY and self.trigger.value == pretrained.trigger_of(change["old"]):
            self.trigger.value = pretrained.trigger_of(change["new"])


def draw_loss(losses: list[tuple[int, float]], steps: int) -> Image.Image:
    """Draw the loss of each step in grey, and its mean over the last steps in colour."""
    high = max((loss for _, loss in losses), default=1.0)
    paper, at = frame(high, steps, "loss, and its running mean", f"{steps} steps")
    mean, smooth = None, []
    for step, loss in losses:
        mean = loss if mean is None else 0.95 * mean + 0.05 * loss
        smooth.append((step, mean))
    if len(losses) > 1:
        paper.line([at(*point) for point in losses], EDGE)
        paper.line([at(*point) for point in smooth], style.HUES[0], 1.8)
    return paper.image
