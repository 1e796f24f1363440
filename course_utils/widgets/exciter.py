"""The panel of lesson 07: choose the words that must be there, and see the same seed without and with them excited."""

from __future__ import annotations

import copy
import textwrap
import threading
import time
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ipywidgets import HTML, Checkbox, HBox, Layout, VBox, Widget
from ipywidgets import Image as ImageWidget

from .. import env, excite
from ..excite import AttendExciteConfig
from . import knobs as sets
from .drawing import draw
from .losses import WIDTH, Line, draw_losses, line_of, png
from .panel import Panel
from .parts import LABELS, blank, classed, jpeg
from .preview import Preview
from .record import Settings, Shot
from .runner import call, own_pipeline
from .words import Chosen, Words

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, UNet2DConditionModel
    from diffusers.utils import BaseOutput
    from PIL import Image

SHOWN = 248  # pixels of a picture's width on the screen: two stand side by side
LARGEST = 60.0  # scale factor
OLD_NAMES = {"scale": "scale_factor", "until": "alter_share"}  # in pictures saved before


@dataclass(frozen=True)
class ExciterSettings(Settings):
    """The knobs of one call whose words are excited."""

    kind: ClassVar[str] = "exciter"

    words: Chosen
    scale_factor: float
    alter_share: float  # share of the steps, 0-1
    smooth: bool
    refine: bool

    @property
    def config(self) -> AttendExciteConfig:
        """Return the exciter's settings: the lane's, with those of the panel in their place."""
        lane = AttendExciteConfig.for_lane(self.lane)
        sigma = AttendExciteConfig().sigma if self.smooth else 0.0
        bars = (
            tuple(one for one in AttendExciteConfig().thresholds if one[0] < self.alter_share) if self.refine else ()
        )
        return replace(
            lane, scale_factor=self.scale_factor, alter_share=self.alter_share, sigma=sigma, thresholds=bars
        )

    def loading(self) -> str:
        """Return the arguments of `catalog.load`: the pipeline is the plain one."""
        return f"'text2img', lane={self.lane!r}"

    def making(self) -> str:
        """Return Python that sets the exciter up: the settings that are not the paper's."""
        config, paper = self.config, AttendExciteConfig()
        names = [
            one.name for one in fields(AttendExciteConfig) if getattr(config, one.name) != getattr(paper, one.name)
        ]
        return (
            f"config = excite.AttendExciteConfig({', '.join(f'{name}={getattr(config, name)!r}' for name in names)})\n"
        )

    def code(self) -> str:
        """Return Python that makes the same picture, without a panel."""
        before, painting = super().code().split("image = pipe(", 1)
        inside = textwrap.indent(f"image = pipe({painting}", "    ")
        return f"{before}with excite.exciting(pipe, {list(self.words)!r}, config):\n{inside}"

    @classmethod
    def of(cls, found: dict[str, Any]) -> ExciterSettings:
        """Return settings from what JSON made of them."""
        found = {OLD_NAMES.get(name, name): value for name, value in found.items()}
        return cls(**found | {"words": tuple(found["words"])})


@dataclass
class Seen:
    """What stands beside a picture: the one without, both losses, and over how many steps."""

    pushed: int
    plain: Image.Image | None = None
    lines: dict[str, Line] = field(default_factory=dict)


class ExciterPanel(Panel):
    """The base panel, with the picture without the exciter left of the one with it, and the losses below."""

    def __init__(self, pipe: DiffusionPipeline, knobs: dict[str, Widget], fixed: dict[str, Any], **how: Any) -> None:
        empty = blank(fixed["height"], fixed["width"])
        self.plain = ImageWidget(value=jpeg(empty), format="jpeg", layout=Layout(width=f"{SHOWN}px"))
        self.curve = classed(ImageWidget(format="png", layout=Layout(width=f"{WIDTH}px")), "curve")
        self._kept: dict[ExciterSettings, Seen] = {}  # by the settings of what the history shows
        super().__init__(pipe, knobs, fixed, ExciterSettings, **how)
        self.seen = _nothing_seen(self.settings)
        self.curve.value = png(self._losses())

    def _arrange(self, rows: list[Widget]) -> list[Widget]:
        for part in (self.stage.image, self.stage.progress, self.stage.status):
            part.layout.width = f"{SHOWN}px"
        parts = super()._arrange(rows)
        (columns,) = (part for part in parts if "course-columns" in part._dom_classes)
        knobs, _ = columns.children
        without = classed(VBox([self.plain, classed(HTML("Without"), "status")]), "stage")
        pair = classed(HBox([without, self.stage]), "pair")
        columns.children = [knobs, classed(VBox([pair, self.curve]), "side")]
        return parts

    def picture(self) -> Image.Image:
        """Draw the panel as it stands, for readers where widgets show nothing."""
        settings = self.settings
        return draw(self, self.seen.plain or blank(settings.height, settings.width), self._losses())

    def _make(self, settings: ExciterSettings, stop: threading.Event) -> None:
        if not settings.words:
            raise ValueError("No word is chosen: press at least one that must be in the picture.")
        began, self.seen = time.monotonic(), _nothing_seen(settings)
        self._draw()
        output = self._paint(settings, "without", stop)
        if output is not None:
            self.seen.plain = output.images[0]
            self.post(self.plain, value=jpeg(self.seen.plain))
            output = self._paint(settings, "with", stop)
        if output is None:
            self.stage.say("Stopped. Unfinished pictures are not kept.")
            return
        self._kept[settings] = self.seen
        self._finish(settings, output, time.monotonic() - began)
        self._kept = {shot.settings: self._kept[shot.settings] for shot in self.history.shots}

    def _paint(self, settings: ExciterSettings, side: str, stop: threading.Event) -> BaseOutput | None:
        """Make one of the two pictures; the losses of both are watched, for moves of length 0 change nothing."""
        pipe = own_pipeline(self._pipe_for(settings), settings.scheduler)
        pipe.unet = own_unet(pipe.unet)
        preview = Preview(pipe)
        config = settings.config if side == "with" else replace(settings.config, scale_factor=0.0, thresholds=())

        def on_step(done: int, steps: int) -> None:
            image = preview.picture() if done < steps else None
            self.stage.step(done, steps, image if side == "with" else None)
            if side == "without":
                self.stage.say(f"Without: step {done} of {steps}")
                if image is not None:
                    self.post(self.plain, value=jpeg(image))
            if done <= config.max_iter_to_alter(steps):
                self.seen.lines[side] = line_of(log.moves[0])
                self._draw()

        with excite.exciting(pipe, settings.words, config) as log:
            return call(pipe, settings, settings.arguments(), stop, on_step)

    def _show(self, shot: Shot, text: str) -> None:
        self.seen = self._kept[shot.settings]
        self.post(self.plain, value=jpeg(self.seen.plain))
        self._draw()
        super()._show(shot, text)

    def _draw(self) -> None:
        self.post(self.curve, value=png(self._losses()))

    def _losses(self) -> Image.Image:
        return draw_losses(self.seen.lines, self.seen.pushed)


def _nothing_seen(settings: ExciterSettings) -> Seen:
    return Seen(max(settings.config.max_iter_to_alter(settings.steps), 1))


def own_unet(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """Return a UNet with the same weights, not copied, and hooks of its own: other calls go on undisturbed."""
    weights = {id(tensor): tensor for tensor in (*unet.parameters(), *unet.buffers())}
    return copy.deepcopy(unet, weights)


def exciter_panel(
    pipe: DiffusionPipeline,
    room: env.Runtime | None = None,
    prompt: str = "a lion with a crown",
    negative_prompt: str = "",
    words: Chosen | None = None,
    folder: str | Path = "pictures",
    **defaults: float,
) -> ExciterPanel:
    """Return a panel that makes one seed without and with its words excited.

    Args:
        pipe: from `catalog.load("text2img")`; its weights are used, nothing of it is changed.
        room: from `env.start`: the lane and the first seed.
        prompt, negative_prompt: what stands in the fields at first.
        words: of the prompt, that are chosen at first; None takes the things that it names.
        folder: where Save writes.
        defaults: in place of `catalog.defaults`: num_inference_steps, guidance_scale, height, width.

    Raises:
        TypeError: an unknown name among the defaults.
        ValueError: a size or a number that cannot be, or a word that is not in the prompt.
    """
    start = sets.first_call(room, prompt, negative_prompt, defaults)
    lane, prompts = AttendExciteConfig.for_lane(start["lane"]), sets.prompts(start)
    knobs = {
        **prompts,
        "words": Words(prompts["prompt"], pipe.tokenizer, words),
        "scale_factor": sets.slider("Scale", lane.scale_factor, 0.0, LARGEST, 0.5),
        "alter_share": sets.slider("Pushed share", lane.alter_share, 0.1, 1.0, 0.05),
        "smooth": _box("Smooth the maps", lane.sigma > 0),
        "refine": _box("Refine: repeat a step until they are there", bool(lane.thresholds)),
        **sets.sampling(pipe, start),
    }
    return ExciterPanel(pipe, knobs, sets.fixed(start), folder=folder, rows=sets.rows(knobs))


def _box(text: str, value: bool) -> Checkbox:
    return Checkbox(value, description=text, indent=True, style=LABELS, layout=Layout(width="auto"))
