"""The panel that all others are made from: it runs, shows, stops, remembers, saves, and says what went wrong.

A panel with other knobs gives `Panel` its own widgets, named as the fields of its `Settings`, and nothing more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, HBox, VBox, Widget

from .. import catalog, env, personalize
from . import parts
from .parts import History, Message, Stage, classed, reason
from .record import Settings, Shot, to_png, write
from .running import Outbox, Preview, Runs, call, own_pipeline

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


class Panel(Runs, VBox):
    """Knobs, a button, the picture.

    Args:
        pipe: any pipeline of diffusers with `callback_on_step_end`; it is left as it is.
        knobs: name of a field of `settings` to the widget that sets it.
        start: from `parts.first_call`: the fields that no knob sets are taken from it.
        settings: the class of the settings.
        folder: where Save writes.
        show_inputs: shows what a run starts from, by `show_inputs(outbox, settings, arguments)`, in the run's
            thread; with it there is a button that does only this.
        pipe_for: gives the pipeline that settings ask for; None takes `pipe` for all.
        tall: the knobs are many: the buttons stand below the picture, so that both are seen at once.
        image, shown: what shows the picture and how wide, see `Stage`.
    """

    _taught = ""  # words that the base was taught meanwhile, or that a LoRA brings
    _beside: tuple[str, ...] = ()  # knobs that stand below the picture

    def __init__(
        self,
        pipe: DiffusionPipeline,
        knobs: Mapping[str, Widget],
        start: Mapping[str, Any],
        settings: type[Settings] = Settings,
        folder: str | Path = "pictures",
        show_inputs: Callable[[Outbox, Settings, dict[str, Any]], None] | None = None,
        pipe_for: Callable[[Settings], DiffusionPipeline] | None = None,
        tall: bool = False,
        image: Widget | None = None,
        shown: int | None = None,
    ) -> None:
        self.pipe, self.knobs, self.folder, self.tall = pipe, dict(knobs), Path(folder), tall
        self._fixed, self._settings = {name: start[name] for name in ("height", "width", "lane")}, settings
        self._show_inputs, self._pipe_for = show_inputs, pipe_for or (lambda settings: pipe)
        self.shot: Shot | None = None  # the finished picture on show
        self.generate = parts.button("Generate", 112, button_style="primary")
        self.preview = parts.button("Preview", 84, tooltip="Show what a run would start from")
        self.preview.layout.display = None if show_inputs else "none"
        self.stop = parts.button("Stop", 72, disabled=True)
        self.error, self.notes = Message("error"), Message("notes")
        outbox = Outbox()
        self.stage = Stage(outbox, start["height"], start["width"], image, shown)
        self._ready(outbox, (self.generate, self.preview), self.stop, self.stage.image)
        self.history = History(self.outbox, self.restore)
        self.code = classed(HTML(), "code")
        super().__init__(self._arranged())
        classed(self, "panel")
        self._listen()

    def _arranged(self) -> list[Widget]:
        below = [classed(HBox([self.generate, self.preview, self.stop, self.error]), "actions"), self.notes]
        left = {name: knob for name, knob in self.knobs.items() if name not in self._beside}
        knobs = classed(VBox([*parts.rows(left), *([] if self.tall else below)]), "knobs")
        side = classed(VBox([*self._side(), *(below if self.tall else [])]), "side")
        heart = [self._heart] if self._heart else []
        return [parts.styles(), *heart, classed(HBox([knobs, side]), "columns"), self.history, self.code]

    def _side(self) -> list[Widget]:
        """Return what stands in the right column."""
        return [self.stage, *(self.knobs[name] for name in self._beside)]

    def _listen(self) -> None:
        acts = {self.generate: self._start, self.preview: self._foresee, self.stop: self._halt}
        for button, act in acts.items():
            button.on_click(self._answer(act))
        for button, where in {self.stage.save: lambda: self.folder, self.stage.drive: personalize.drive}.items():
            button.on_click(self._answer(lambda where=where: self._save(where())))
        for name in {"prompt", "negative_prompt", "guidance_scale"} & set(self.knobs):
            self.knobs[name].observe(self._answer(self._note), "value")

    @property
    def settings(self) -> Settings:
        """Return what the knobs stand at now."""
        return self._settings(**{name: knob.value for name, knob in self.knobs.items()}, **self._fixed)

    def restore(self, shot: Shot) -> None:
        """Turn the knobs back to a picture's settings, and show it unless another one is being made."""
        for name, knob in self.knobs.items():
            knob.value = getattr(shot.settings, name)
        if not self.runner.running:
            self._say_error("")
            self._show(shot, "Brought back, with its settings.")
        self.outbox.flush()

    def _start(self) -> None:
        if self._begin("Starting ..."):
            self.shot = None
            self.outbox(self.code, value="")
            self.stage.clear()
            self._work(self._make)

    def _foresee(self) -> None:
        if self._begin("Looking ..."):
            self._work(self._preview)

    def _work(self, make: Callable[[Settings, threading.Event], None]) -> None:
        """Run it with the settings of this moment."""
        settings = self.settings
        self._run(lambda stop: make(settings, stop), self._nothing)

    def _nothing(self, problem: Exception) -> None:
        self._fail(problem)
        self.stage.step(0, 1, None)
        self.stage.say("No picture was made.")

    def _begin(self, text: str) -> bool:
        """Make ready for a run; False while another one is under way."""
        if self.runner.running:
            return False
        self._say_error("")
        self._note()
        self.problem = None
        self.stage.say(text)
        return True

    def _halt(self) -> None:
        if self.runner.running:
            self.stage.say("Stopping after this step ...")
            self._end()

    def _make(self, settings: Settings, stop: threading.Event) -> None:
        began = time.monotonic()
        arguments = self._inputs(settings)
        pipe = own_pipeline(self._pipe_for(settings), settings.scheduler)
        preview = Preview(pipe)

        def on_step(done: int, steps: int) -> None:
            self.stage.step(done, steps, preview.picture() if done < steps else None)

        with self._around(pipe, settings) as more:
            output = call(pipe, settings, arguments, stop, on_step)
        self._finish(settings, output, began, more)

    def _around(self, pipe: DiffusionPipeline, settings: Settings) -> AbstractContextManager:
        """Return what a call runs in, which gives what is shown beside the picture; here nothing."""
        return nullcontext()

    def _preview(self, settings: Settings, stop: threading.Event) -> None:
        self._inputs(settings)
        self.stage.say("Ready." if self.shot is None else "Ready for another one.")

    def _inputs(self, settings: Settings) -> dict[str, Any]:
        """Return the pipeline's arguments, and show the pictures among them."""
        arguments = settings.arguments()
        if self._show_inputs:
            self._show_inputs(self.outbox, settings, arguments)
        return arguments

    def _finish(self, settings: Settings, output: Any, began: float, more: Any = None) -> None:
        """Keep and show a run's picture; None says that it was stopped."""
        if output is None:
            self.stage.say("Stopped. Unfinished pictures are not kept.")
            return
        if any(getattr(output, "nsfw_content_detected", None) or ()):
            self._say_error("The safety checker blacked this picture out. Try another seed or other words.")
        image = output.images[0]
        shot = Shot(settings, to_png(image, settings), time.monotonic() - began, more=more)
        self.history.add(shot)
        self._show(shot, f"{image.height} × {image.width} pixels in {shot.seconds:.1f} s.")

    def _show(self, shot: Shot, text: str) -> None:
        self.shot = shot
        self.stage.show(shot, text)
        self.outbox(self.code, value=parts.fold(shot.settings.code()))

    def _save(self, folder: Path) -> None:
        try:
            self.stage.say(f"Saved as {write(self.shot.png, folder, self.shot.name)}.")
            self._say_error("")
        except OSError as problem:
            self._say_error(f"{reason(problem)} Nothing is lost: the picture is still here, download it, or mend this "
                            "and press Save again.")  # fmt: skip

    def _note(self) -> None:
        """Say what is to be known about the prompts."""
        values = {name: self.knobs[name].value for name in ("prompt", "negative_prompt", "guidance_scale")}
        about = {"lane": self._fixed["lane"], "pipe": self.pipe, "taught": self._taught}
        self.notes.say(self.outbox, *catalog.prompt_notes(**values, **about))

    def _say_error(self, text: str) -> None:
        self.error.say(self.outbox, text)

    def _fail(self, problem: Exception) -> None:
        self.problem = problem
        self._say_error(reason(problem))


def text2img_panel(
    pipe: DiffusionPipeline,
    runtime: env.Runtime | None = None,
    prompt: str = "a red clock and a blue bench",
    negative_prompt: str = "",
    folder: str | Path = "pictures",
    **defaults: float,
) -> Panel:
    """Return a panel on a text-to-image pipeline.

    Args:
        pipe: from `catalog.load("text2img")`; its weights are used, nothing of it is changed.
        runtime: from `env.start`: the lane and the first seed; None takes the pipeline's lane and seed 0.
        prompt, negative_prompt: what stands in the fields at first.
        folder: where Save writes; uploaded pictures are kept in its folder "inputs".
        defaults: in place of `catalog.defaults`: num_inference_steps, guidance_scale, height, width.

    Raises:
        TypeError: an unknown name among the defaults.
        ValueError: a size or a number that cannot be, or one that the panel's sliders cannot stand at.
    """
    start = parts.first_call(pipe, runtime, prompt, negative_prompt, defaults)
    return Panel(pipe, {**parts.prompts(start), **parts.sampling(pipe, start)}, start, folder=folder)
