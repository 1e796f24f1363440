"""What is to be seen while something is learned: the loss as a curve, samples on the way, and how far it is."""

from __future__ import annotations

import html
import math

from ipywidgets import HTML, HBox, Layout, VBox
from ipywidgets import Image as ImageWidget
from PIL import Image

from ..training import Progress
from .browser import Download
from .curve import WIDTH, draw_curves
from .parts import Message, button, classed, slider
from .picture_knob import Thumbnails
from .running import Outbox

LONGEST = 1000  # steps
SLOTS = 5  # samples that are painted on the way
POINTS = 60  # of the curve, about


class TrainingView(VBox):
    """The parts, and what moves them; whoever extends it arranges them.

    Args:
        outbox: how the run's thread writes.
        steps: of the training at first.
        height, width: of the samples.
        link: text of the link to what was learned.
    """

    def __init__(self, outbox: Outbox, steps: int, height: int, width: int, link: str) -> None:
        super().__init__()
        self.outbox = outbox
        self.losses: list[tuple[int, float]] = []
        self.samples: dict[int, Image.Image] = {}  # by step
        self.steps = slider("steps", "Steps", steps, 1, max(LONGEST, steps), 1)
        self.train = button("Train", 112, button_style="primary")
        self.stop = button("Stop and keep", 128, disabled=True)
        self.error, self.link = Message("error"), Download(link)
        self.actions = classed(HBox([self.train, self.stop, self.error]), "actions")
        self.strip = Thumbnails(tuple(f"sample {number}" for number in range(1, SLOTS + 1)), height, width)
        self.curve = classed(ImageWidget(format="png", layout=Layout(width=f"{WIDTH}px")), "curve")
        self.status = classed(HTML("Nothing learned yet."), "status")
        self._draw(steps)

    def begin(self, steps: int, text: str) -> None:
        """Make ready for a training."""
        self.losses, self.samples = [], {}
        for name in self.strip.slots:
            self.strip.show(name, None, self.outbox, name)
        self._draw(steps)
        self.complain("")
        self.say(text)

    def step(self, progress: Progress, sample: Image.Image | None) -> None:
        """Show how far it is, and the sample if one was painted."""
        self.losses.append((progress.step, progress.loss))
        if sample is not None and len(self.samples) < SLOTS:
            self.samples[progress.step] = sample
            name = list(self.strip.slots)[len(self.samples) - 1]
            self.strip.show(name, sample, self.outbox, f"step {progress.step}")
        if progress.step % max(1, progress.steps // POINTS) == 0 or progress.step == progress.steps:
            self._draw(progress.steps)
            self.say(f"Step {progress.step} of {progress.steps}, {progress.seconds:.0f} s")

    def complain(self, text: str) -> None:
        """Write the error beside the button; an empty one takes it away."""
        self.error.say(self.outbox, text)

    def failed(self, text: str) -> None:
        """Say why nothing came of it."""
        self.complain(text)
        self.say("It ended early." if self.losses else "Nothing new was learned.")

    def say(self, text: str) -> None:
        """Say how far it is."""
        self.outbox(self.status, value=html.escape(text))

    def _draw(self, steps: int) -> None:
        lines = {"loss": self.losses, "running mean": running_mean(self.losses)}
        self.outbox(self.curve, value=draw_curves(lines, steps, "loss", f"{steps} steps"))


def stops_of(steps: int) -> list[int]:
    """Return the steps after which a sample is painted; the last one is the end."""
    return sorted({math.ceil(steps * (number + 1) / SLOTS) for number in range(SLOTS)})


def running_mean(losses: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return the mean over about the last twenty steps, at each step."""
    mean, smooth = None, []
    for step, loss in losses:
        mean = loss if mean is None else 0.95 * mean + 0.05 * loss
        smooth.append((step, mean))
    return smooth
