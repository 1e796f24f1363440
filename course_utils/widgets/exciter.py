"""The panel of lesson 07: choose the words that must be there, and see the same seed without and with them excited."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from ipywidgets import HTML, Checkbox, HBox, Label, Layout, Textarea, ToggleButton, VBox, Widget
from ipywidgets import Image as ImageWidget

from .. import attention, env, excite
from ..clay.vocabulary import THINGS
from ..excite import AttendExciteConfig
from ..validation import Range, Share
from . import parts
from .browser import jpeg
from .panel import Panel
from .record import Settings, Shot
from .running import Preview, call, own_model, own_pipeline
from .training_view import WIDTH, Line, draw_curves

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from diffusers.utils import BaseOutput
    from PIL import Image
    from transformers import CLIPTokenizer

    from ..excite import Move

SHOWN = 248  # pixels of a picture's width on the screen: two stand side by side
LARGEST = 60.0  # scale
SLOTS = 16  # words that are shown
SMALL = frozenset("a an the of and with in on at to up next beside wearing".split())  # words that show nothing
Chosen = tuple[str | int, ...]  # as `excite.exciting` takes them


class WordButtons(HBox):
    """The words of a prompt as buttons that stay down: those that must be in the picture.

    It follows what is written in the prompt. A word that stands there more than once is chosen by the number of its
    token. Words stay as they were when the prompt changes; of new ones those are chosen that name a thing of the clay
    world.

    Args:
        prompt: the field that holds the prompt.
        tokenizer: the pipeline's.
        chosen: at first; None takes the things.
    """

    def __init__(self, prompt: Textarea, tokenizer: CLIPTokenizer, chosen: Chosen | None = None) -> None:
        self._tokenizer = tokenizer
        self._options: list[str | int] = []  # what each shown button stands for
        # All are made with the panel and filled later: a widget that is born in a run's thread is lost on Colab.
        self._slots = [ToggleButton(layout=Layout(display="none")) for _ in range(SLOTS)]
        super().__init__([Label("Must show"), HBox(self._slots)])
        parts.classed(self, "words")
        self._fill(prompt.value)
        if chosen is not None:
            self.value = chosen
        prompt.observe(lambda change: self._fill(change.new), "value")

    @property
    def shown(self) -> list[ToggleButton]:
        """Return the buttons that stand for a word now."""
        return self._slots[: len(self._options)]

    @property
    def value(self) -> Chosen:
        """Return the words that are chosen, in the order of the prompt."""
        return tuple(option for option, slot in zip(self._options, self.shown, strict=True) if slot.value)

    @value.setter
    def value(self, chosen: Chosen) -> None:
        if unknown := [word for word in chosen if word not in self._options]:
            raise ValueError(f"words={tuple(chosen)!r} holds {unknown[0]!r}; use any of {tuple(self._options)}.")
        for option, slot in zip(self._options, self.shown, strict=True):
            slot.value = option in chosen

    def _fill(self, prompt: str) -> None:
        """Show the words of another prompt."""
        before = {option: slot.value for option, slot in zip(self._options, self.shown, strict=True)}
        _, *words, _ = attention.Prompt(self._tokenizer, prompt).words  # without the start and the end
        telling = [word for word in words if word.text.isalpha() and word.text.lower() not in SMALL][:SLOTS]
        often = [word.text for word in words]
        self._options = [word.text if often.count(word.text) == 1 else word.places[0] for word in telling]
        for slot in self._slots[len(telling) :]:
            slot.layout.display = "none"
        for slot, option, word in zip(self.shown, self._options, telling, strict=True):
            slot.description, slot.layout.display = word.text, None
            slot.value = before.get(option, word.text in THINGS)


@dataclass(frozen=True)
class ExciterSettings(Settings):
    """The knobs of one call whose words are excited."""

    kind: ClassVar[str] = "exciter"
    nested: ClassVar[dict[str, Any]] = {"words": tuple}
    renamed: ClassVar[dict[str, str]] = {**Settings.renamed, "scale": "scale_factor"}

    words: Chosen
    scale_factor: Annotated[float, Range(0)]
    alter_share: Share  # of the steps
    smooth: bool
    refine: bool

    @property
    def config(self) -> AttendExciteConfig:
        """Return the lane's configuration, with what the panel sets in its place."""
        paper = AttendExciteConfig()
        thresholds = tuple(pair for pair in paper.thresholds if pair[0] < self.alter_share) if self.refine else ()
        sigma = paper.sigma if self.smooth else 0.0
        changes = {"scale_factor": self.scale_factor, "alter_share": self.alter_share}
        return replace(AttendExciteConfig.for_lane(self.lane), **changes, sigma=sigma, thresholds=thresholds)

    def context(self) -> str:
        """Return Python for the `with` around the call: with the fields that are not the paper's."""
        config, paper = asdict(self.config), asdict(AttendExciteConfig())
        changes = ", ".join(f"{name}={value!r}" for name, value in config.items() if value != paper[name])
        return f"excite.exciting(pipe, {list(self.words)!r}, excite.AttendExciteConfig({changes}))"


@dataclass
class Comparison:
    """What stands beside a picture: the one without, both losses, and over how many steps."""

    pushed: int
    plain: Image.Image | None = None
    lines: dict[str, Line] = field(default_factory=lambda: {"without": [], "with": []})

    @classmethod
    def empty(cls, settings: ExciterSettings) -> Comparison:
        """Return a comparison before the first step."""
        return cls(max(settings.config.max_iter_to_alter(settings.num_inference_steps), 1))


class ExciterPanel(Panel):
    """The base panel, with the picture without the exciter left of the one with it, and the losses below."""

    def __init__(
        self, pipe: DiffusionPipeline, knobs: dict[str, Widget], start: dict[str, Any], folder: str | Path
    ) -> None:
        empty = parts.blank(start["height"], start["width"])
        self.plain = ImageWidget(value=jpeg(empty), format="jpeg", layout=Layout(width=f"{SHOWN}px"))
        self.curve = parts.classed(ImageWidget(format="png", layout=Layout(width=f"{WIDTH}px")), "curve")
        super().__init__(pipe, knobs, start, ExciterSettings, folder, shown=SHOWN)
        self.comparison = Comparison.empty(self.settings)
        self._draw()
        self.outbox.flush()  # on Colab too the empty axes are there before a run

    def _side(self) -> list[Widget]:
        without = parts.classed(VBox([self.plain, parts.classed(HTML("Without"), "status")]), "stage")
        return [parts.classed(HBox([without, self.stage]), "pair"), self.curve]

    def _make(self, settings: ExciterSettings, stop: threading.Event) -> None:
        if not settings.words:
            raise ValueError("No word is chosen: press at least one that must be in the picture.")
        began, self.comparison = time.monotonic(), Comparison.empty(settings)
        self._draw()
        output = self._paint(settings, "without", stop)
        if output is not None:
            self.comparison.plain = output.images[0]
            self.outbox(self.plain, value=jpeg(self.comparison.plain))
            output = self._paint(settings, "with", stop)
        self._finish(settings, output, began, self.comparison)

    def _paint(self, settings: ExciterSettings, side: str, stop: threading.Event) -> BaseOutput | None:
        """Make one of the two pictures; the losses of both are watched, for moves of length 0 change nothing."""
        pipe = own_pipeline(self._pipe_for(settings), settings.scheduler)
        pipe.unet = own_model(pipe.unet)
        preview = Preview(pipe)
        config = settings.config if side == "with" else replace(settings.config, scale_factor=0.0, thresholds=())

        def on_step(done: int, steps: int) -> None:
            image = preview.picture() if done < steps else None
            self.stage.step(done, steps, image if side == "with" else None)
            if side == "without":
                self.stage.say(f"Without: step {done} of {steps}")
                if image is not None:
                    self.outbox(self.plain, value=jpeg(image))
            if done <= config.max_iter_to_alter(steps):
                self.comparison.lines[side] = line_of(log.moves[0])
                self._draw()

        with excite.exciting(pipe, settings.words, config) as log:
            return call(pipe, settings, settings.arguments(), stop, on_step)

    def _show(self, shot: Shot, text: str) -> None:
        self.comparison = shot.more
        self.outbox(self.plain, value=jpeg(self.comparison.plain))
        self._draw()
        super()._show(shot, text)

    def _draw(self) -> None:
        pushed, title = self.comparison.pushed, "loss: what the weakest word lacks"
        drawn = draw_curves(self.comparison.lines, pushed - 1, title, f"the {pushed} steps that are pushed")
        self.outbox(self.curve, value=drawn)


def line_of(moves: Sequence[Move]) -> list[tuple[float, float]]:
    """Return the loss of each move; those of one step, which was refined, share the room up to the next step."""
    count, passed, line = Counter(move.step for move in moves), Counter(), []
    for move in moves:
        line.append((move.step + passed[move.step] / count[move.step], move.loss))
        passed[move.step] += 1
    return line


def exciter_panel(
    pipe: DiffusionPipeline,
    runtime: env.Runtime | None = None,
    prompt: str = "a lion with a crown",
    negative_prompt: str = "",
    words: Chosen | None = None,
    folder: str | Path = "pictures",
    **defaults: float,
) -> ExciterPanel:
    """Return a panel that makes one seed without and with its words excited.

    Args:
        pipe: from `catalog.load("text2img")`; its weights are used, nothing of it is changed.
        runtime, prompt, negative_prompt, folder, defaults: see `text2img_panel`.
        words: of the prompt, that are chosen at first; None takes the things that it names.

    Raises:
        TypeError, ValueError: as `text2img_panel` does, or a word that is not in the prompt.
    """
    start = parts.first_call(pipe, runtime, prompt, negative_prompt, defaults)
    config, prompts = AttendExciteConfig.for_lane(start["lane"]), parts.prompts(start)
    knobs = {
        **prompts,
        "words": WordButtons(prompts["prompt"], pipe.tokenizer, words),
        "scale_factor": parts.slider("scale_factor", "Scale", config.scale_factor, 0.0, LARGEST, 0.5),
        "alter_share": parts.slider("alter_share", "Pushed share", config.alter_share, 0.1, 1.0, 0.05),
        "smooth": parts.field(Checkbox, "Smooth the maps", value=config.sigma > 0),
        "refine": parts.field(Checkbox, "Refine: repeat weak steps", value=bool(config.thresholds)),
        **parts.sampling(pipe, start),
    }
    return ExciterPanel(pipe, knobs, start, folder)
