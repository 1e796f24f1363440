"""What is to be seen while something is learned: the loss as a curve, samples on the way, and how far it is."""

from __future__ import annotations

import html
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ipywidgets import HTML, HBox, Layout, VBox
from ipywidgets import Image as ImageWidget
from PIL import Image, ImageDraw

from ..pictures import encoded
from ..plots import style
from ..training import Progress
from .browser import Download
from .parts import Message, button, classed, slider
from .picture_knob import Thumbnails
from .running import Outbox

LONGEST = 1000  # steps
SLOTS = 5  # samples that are painted on the way
POINTS = 60  # of the curve, about
# A curve, drawn while the run goes on: with Pillow, which is fast.
HEIGHT, WIDTH = 150, 508  # pixels on the page
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 30, 30  # of the frame's sides from the paper's
SCALE = 2  # drawn pixels for each of the page's: letters stay sharp on fine screens
DOTS = 60  # points at most that have a dot each
INKS = (style.GREY, style.HUES[0])  # of the first and the second line
Line = Sequence[tuple[float, float]]  # step, loss


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

    def watch(self, stop: threading.Event, steps: int, **sample: Any) -> Callable[[Progress], None]:
        """Return what is told of each step: it shows it, paints samples on the way, and ends where `stop` is set.

        `sample` are arguments of `Progress.sample`.
        """
        stops = stops_of(steps)

        def tell(progress: Progress) -> None:
            self.step(progress, progress.sample(**sample) if progress.step in stops else None)
            if stop.is_set():
                progress.stop()

        return tell

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


def draw_curves(lines: Mapping[str, Line], last: float, title: str, under: str) -> bytes:
    """Draw losses over the steps.

    Args:
        lines: name to its line, at most two; what is not known yet may be empty.
        last: step at the right edge.
        title, under: what stands above and below.

    Returns:
        A PNG.
    """
    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), style.PAPER)
    pen, right, bottom = ImageDraw.Draw(image), WIDTH - RIGHT, HEIGHT - BOTTOM
    high = max((loss for line in lines.values() for _, loss in line), default=1.0) * 1.05 or 1.0

    def at(step: float, loss: float) -> tuple[float, float]:
        x = LEFT + (right - LEFT) * step / max(last, 1)
        return x * SCALE, (bottom - (bottom - TOP) * loss / high) * SCALE

    def write(x: float, y: float, text: str, ink: str, anchor: str, bold: bool = False) -> None:
        pen.text((x * SCALE, y * SCALE), text, ink, style.font(13 * SCALE, bold), anchor)

    for share in (0.0, 0.5, 1.0):
        pen.line([at(0, share * high), at(last, share * high)], style.HAIRLINE, SCALE)
        write(LEFT - 8, bottom - (bottom - TOP) * share, f"{share * high:.2f}", style.GREY, "rm")
    write(LEFT, TOP - 17, title, style.INK, "lm")
    write((LEFT + right) / 2, bottom + 16, under, style.GREY, "mm")
    x = right
    for name, ink in reversed(list(zip(lines, INKS, strict=False))):
        write(x, TOP - 17, name, ink, "rm", bold=True)
        x -= 14 + 8 * len(name)
    for line, ink in zip(lines.values(), INKS, strict=False):
        points = [at(*point) for point in line]
        pen.line(points, ink, 2 * SCALE, "curve")
        for across, down in points if len(points) <= DOTS else ():
            pen.ellipse([across - 5, down - 5, across + 5, down + 5], ink)
    return encoded(image)
