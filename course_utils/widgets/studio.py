"""The panel of lesson 12: everything in one cell, with a score for each control, and all of it inside each PNG."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipywidgets import BoundedIntText, Checkbox, Dropdown, HBox, Layout, Text, VBox, Widget
from ipywidgets import Image as ImageWidget
from PIL import Image

from .. import catalog, controlnet, editing, env, excite, personalize
from . import parts
from .browser import Compare, Download, Upload
from .exciter import WordButtons
from .panel import Panel
from .parts import LABELS, Message, classed
from .picture_knob import PictureKnob
from .pictures import PictureSource, source_of
from .record import Shot
from .running import Preview, call, own_model, own_pipeline
from .studio_carry import weights_of
from .studio_files import Files
from .studio_grid import Grids
from .studio_knobs import WIDE, Fold, GridKnobs, LoraRows, StudioUnits
from .studio_png import preset_of, studio_png
from .studio_settings import StudioSettings, StudioUnit, axes, obeyed
from .units import NOTHING

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

SAMPLING = ("seed", "num_inference_steps", "guidance_scale", "scheduler", "base")  # knobs below the picture
BASE_HINT = "yours: a folder, or one .safetensors file"
Scores = tuple[tuple[float, float, float], ...]  # of each unit that steers: floor, reached, ceiling


class StudioPanel(Files, Grids, Panel):
    """Controls, LoRAs, excited words, a source; scores, history, comparison, grid, presets."""

    def _arranged(self) -> list[Widget]:
        self.measure = Checkbox(True, description="Measure each control (one more picture)", indent=True, **WIDE)
        self.batch = BoundedIntText(1, 1, 8, description="Pictures", style=LABELS, layout=Layout(width="160px"))
        self.against = Dropdown(options=[("nothing", -1)], description="Compare with", **WIDE)
        self.grid, self.sheet = GridKnobs(), ImageWidget(format="png", layout=Layout(display="none"))
        self.file, self.told = Upload(accept="image/png,application/json", anywhere=True), Message("notes")
        self.preset = Download("Download preset")
        folds = [
            Fold("LoRAs", self.knobs["loras"]),
            Fold("Words that must show", self.knobs["words"]),
            Fold("Start from a picture", self.knobs["use_source"], self.knobs["source"], self.knobs["strength"]),
        ]
        left = classed(VBox([*(self.knobs[name] for name in ("prompt", "negative_prompt", "units")), *folds]), "knobs")
        rest = {name: self.knobs[name] for name in SAMPLING if name in self.knobs}
        actions = classed(HBox([self.generate, self.preview, self.stop, self.error]), "actions")
        side = [self.stage, self.against, *parts.rows(rest), self.batch, self.measure, actions, self.notes]
        below = [
            self.history,
            Fold("X/Y grid", self.grid, self.sheet),
            Fold("Presets, and PNGs: choose one, or drop it anywhere on this panel", self.file, self.preset),
            self.told,
            self.code,
        ]
        heart = [self._heart] if self._heart else []
        columns = classed(HBox([left, classed(VBox(side), "side")]), "columns")
        return [parts.styles(), *heart, columns, *below]

    def _listen(self) -> None:
        super()._listen()
        self.first = self.settings
        self.grid.run.on_click(self._answer(self._start_grid))
        self.against.observe(self._answer(self._hold_against), "value")
        self.file.observe(self._answer(self._came), ["data", "problem"])
        for knob in self.knobs["units"].knobs:
            knob.last.on_click(lambda clicked, knob=knob: self._answer(lambda: self._take_last(knob))(clicked))
        for widget in (*self.grid.names, *self.grid.values):
            widget.observe(self._answer(self._price), "value")
        for row in self.knobs["loras"].children:
            for widget in row.children[:2]:
                widget.observe(self._answer(self._note), "value")
        self.grid.offer(list(axes(self.settings)))
        self._floors: dict[StudioSettings, Image.Image] = {}

    @property
    def _taught(self) -> str:
        """Return the words that the LoRAs in use bring; a file that cannot be read brings none, its row says why."""
        found = []
        for path, weight in self.knobs["loras"].value:
            if weight:
                with suppress(OSError, ValueError):
                    found.append(personalize.trigger(path))
        return " ".join(found)

    # One run

    def _pipe(self, settings: StudioSettings) -> DiffusionPipeline:
        """Return a pipeline of this run's own, its weights shared."""
        now, kept = (settings.pipeline, settings.loading()), (self.first.pipeline, self.first.loading())
        pipe = own_pipeline(self.pipe if now == kept else catalog.load(now[0], **now[1]), settings.scheduler)
        if settings.active and now[1] == kept[1]:  # a ControlNet of one's own goes on in each kind of pipeline
            pipe.controlnet = self.pipe.controlnet
        if settings.used or settings.words:
            pipe.unet, pipe.text_encoder = own_model(pipe.unet), own_model(pipe.text_encoder)
        if settings.bent:
            pipe.controlnet = own_model(pipe.controlnet)
        return pipe

    @contextmanager
    def _around(self, pipe: DiffusionPipeline, settings: StudioSettings) -> Iterator[None]:
        """Attach the LoRAs, weigh the controls, excite the words."""
        with ExitStack() as stack:
            if settings.used:
                loras = [personalize.read(path, pipe) for path, _ in settings.used]
                weights = [weight for _, weight in settings.used]
                stack.enter_context(personalize.attached(pipe, *loras, weights=weights))
            if settings.bent:
                regions = [unit.mask(settings.height, settings.width) for unit in settings.active]
                stack.enter_context(controlnet.steered(pipe, [unit.mode for unit in settings.active], regions))
            if settings.words:
                config = excite.AttendExciteConfig.for_lane(settings.lane)
                stack.enter_context(excite.exciting(pipe, list(settings.words), config))
            yield

    def _paint(self, settings: StudioSettings, stop: threading.Event, note: str = "") -> Image.Image | None:
        """Paint one picture; None where it was stopped."""
        pipe = self._pipe(settings)
        preview = Preview(pipe)

        def on_step(done: int, steps: int) -> None:
            self.stage.step(done, steps, preview.picture() if done < steps else None)
            if note:
                self.stage.say(f"{note}: step {done} of {steps}")

        with self._around(pipe, settings):
            output = call(pipe, settings, settings.arguments(), stop, on_step)
        if output and any(getattr(output, "nsfw_content_detected", None) or ()):
            self._say_error("The safety checker blacked this picture out. Try another seed or other words.")
        return output.images[0] if output else None

    def _make(self, settings: StudioSettings, stop: threading.Event) -> None:
        self._show_maps(settings)
        for place in range(self.batch.value):
            now, began = replace(settings, seed=settings.seed + place), time.monotonic()
            image = self._paint(now, stop)
            if image is None:
                self.stage.say("Stopped. Unfinished pictures are not kept.")
                return
            seconds = time.monotonic() - began
            scores = self._scores(now, image, stop) if self.measure.value else ()
            png = studio_png(image, now, weights_of(self.pipe, now))
            shot = Shot(now, png, seconds, more=scores)
            self.history.add(shot)
            self._show(shot, f"{image.height} × {image.width} pixels in {seconds:.1f} s.")

    def _preview(self, settings: StudioSettings, stop: threading.Event) -> None:
        self._show_maps(settings)
        super()._preview(settings, stop)

    def _inputs(self, settings: StudioSettings) -> dict[str, Any]:
        return settings.arguments()

    def _show_maps(self, settings: StudioSettings) -> None:
        maps = iter(settings.maps())
        for knob, unit in zip(self.knobs["units"].knobs, settings.units, strict=True):
            if unit in settings.active:
                knob.show(next(maps), self.outbox)

    # What it is worth

    def _scores(self, settings: StudioSettings, image: Image.Image, stop: threading.Event) -> Scores:
        """Measure how far each unit was obeyed: without any control, with it, and by its own picture after a trip."""
        if not settings.active or all(math.isnan(obeyed(settings, unit, image)[0]) for unit in settings.active):
            return ()
        plain = replace(settings, units=())
        if plain not in self._floors:
            floor = self._paint(plain, stop, "Without controls, to compare")
            if floor is None:
                return ()
            self._floors = {plain: floor}
        return tuple(self._score(settings, unit, image, self._floors[plain]) for unit in settings.active)

    def _score(
        self, settings: StudioSettings, unit: StudioUnit, image: Image.Image, floor: Image.Image
    ) -> tuple[float, float, float]:
        low, reached = obeyed(settings, unit, floor, image)
        if unit.preprocessor == NOTHING:  # there is no picture but the map
            return low, reached, math.nan
        picture = unit.picture.picture(settings.height, settings.width)
        pipe = self.pipe
        if settings.base != self.first.base:  # another autoencoder
            pipe = catalog.load("text2img", settings.lane, base=settings.base or None)
        trip = editing.decode(pipe, editing.encode(pipe, picture))
        return low, reached, obeyed(settings, unit, trip)[0]

    def _show(self, shot: Shot, text: str) -> None:
        super()._show(shot, text)
        scores = iter(shot.more or ())
        for knob, unit in zip(self.knobs["units"].knobs, shot.settings.units, strict=False):
            score = next(scores, None) if unit in shot.settings.active else None
            knob.obeyed.say(self.outbox, sentence(score, unit.control) if score else "")
            self.outbox(knob.last, disabled=False)
        names = [f"{place}: seed {kept.settings.seed}" for place, kept in enumerate(self.history.shots, 1)]
        pictures = [*zip(names, range(len(names)), strict=True)]
        maps = [(f"map {k}: {unit.control}", -1 - k) for k, unit in enumerate(shot.settings.active, 1)]
        self.outbox(self.against, options=[("nothing", -1), *pictures, *maps], value=-1)
        self.outbox(self.stage.image, other=b"")
        self.outbox(self.preset, data=preset_of(shot.png), name=f"{shot.name.rpartition('.')[0]}.json")


def sentence(score: tuple[float, float, float], control: str) -> str:
    """Say a score: floor, reached, ceiling."""
    low, reached, high = (f"{value:.2f}" if value == value else "unknown" for value in score)
    if reached == "unknown":
        return f"{control}: how far it was obeyed nobody can tell here."
    return f"{control} obeyed: {reached} (without controls {low}, its own picture {high})"


def studio_panel(
    pipe: DiffusionPipeline,
    runtime: env.Runtime | None = None,
    prompt: str = "a man on the beach",
    negative_prompt: str = "",
    controls: Sequence[str] = ("canny",),
    picture: PictureSource | Path | str = "a man in the garden",
    source: PictureSource | Path | str = "a portrait of a man in the garden",
    folder: str | Path = "pictures",
    **defaults: float,
) -> StudioPanel:
    """Return the studio: all that the lessons have, in one panel.

    Args:
        pipe: from `catalog.load("controlnet", control=controls)`; its weights are used, nothing of it is changed.
            Other pipelines that the knobs ask for are loaded when they are first used.
        runtime, prompt, negative_prompt, folder, defaults: see `text2img_panel`.
        controls: the models at first, of `catalog.CONTROLS`.
        picture: what each control starts from at first: words of a clay scene, or the Path of a file.
        source: the picture that a run may start from; it is not used until that is switched on.

    Raises:
        TypeError, ValueError: as `text2img_panel` does, an unknown control, or one that `pipe` was not loaded with.
    """
    start = parts.first_call(pipe, runtime, prompt, negative_prompt, defaults)
    catalog.check_nets(pipe, controls)
    place = (start["height"], start["width"], Path(folder))
    units = [StudioUnit(source_of(picture), control, control) for control in controls]
    prompts = parts.prompts(start)
    use = Checkbox(False, description="Start from this picture", indent=True, **WIDE)
    base = parts.field(Text, "Base", value=catalog.base_of(pipe), placeholder=BASE_HINT, continuous_update=False)
    knobs = {
        **prompts,
        "units": StudioUnits(units, *place, start["lane"], many=True),
        "loras": LoraRows(),
        "words": WordButtons(prompts["prompt"], pipe.tokenizer, ()),
        "use_source": use,
        "source": PictureKnob(source_of(source), *place, mode="over"),
        "strength": parts.slider("strength", "Strength", 0.8, 0.05, 1, 0.05),
        **parts.sampling(pipe, start),
        **({"base": base} if start["lane"] == "sd15" else {}),
    }
    return StudioPanel(
        pipe, knobs, start, StudioSettings, folder, lambda *inputs: None, tall=True, image=Compare(), shown=256
    )
