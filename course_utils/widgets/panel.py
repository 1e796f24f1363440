"""The panel that all others are made from: it runs, shows, stops, remembers, saves, and says what went wrong.

A panel with other knobs gives `Panel` its own widgets, named as the fields of its `Settings`, and nothing more.
"""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, Button, HBox, Layout, VBox, Widget

from .. import catalog
from .parts import Code, History, Stage, classed, plain, styles
from .post import Post, heartbeat
from .preview import Preview
from .record import Settings, Shot, save, to_png
from .runner import Runner, call, own_pipeline

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL import Image


class Panel(VBox):
    """Knobs, a button, the picture.

    Args:
        pipe: any pipeline of diffusers with `callback_on_step_end`; it is left as it is.
        knobs: name of a field of `settings` to the widget that sets it.
        fixed: the fields that no knob sets.
        settings: the class of the settings.
        folder: where Save writes.
        rows: what stands in the left column, the knobs included; None takes the knobs as they are.
        look: shows what a run starts from, by `look(post, settings, arguments)`, in the run's thread; with it
            there is a button that does only this.
        pipe_for: gives the pipeline that settings ask for; None takes `pipe` for all.
        tall: the knobs are many: the buttons stand below the picture, so that both are seen at once.
        image: what shows the picture, see `Stage`.
    """

    _call = staticmethod(call)  # makes the picture; a panel that listens meanwhile has its own
    _taught = ""  # words that the base was taught meanwhile

    def __init__(
        self,
        pipe: DiffusionPipeline,
        knobs: Mapping[str, Widget],
        fixed: Mapping[str, Any],
        settings: type[Settings] = Settings,
        folder: str | Path = "pictures",
        rows: list[Widget] | None = None,
        look: Callable[[Post, Settings, dict[str, Any]], None] | None = None,
        pipe_for: Callable[[Settings], DiffusionPipeline] | None = None,
        tall: bool = False,
        image: Widget | None = None,
    ) -> None:
        self.pipe, self.knobs, self.folder, self.tall = pipe, dict(knobs), Path(folder), tall
        self._fixed, self._settings = dict(fixed), settings
        self._look, self._pipe_for = look, pipe_for or (lambda settings: pipe)
        self.shot: Shot | None = None  # the finished picture on show
        self.problem: Exception | None = None  # the last run's, with its traceback
        self.runner, self.post = Runner(), Post()
        self._heart = heartbeat(self._beat) if self.post.wait else None
        self.generate = Button(description="Generate", button_style="primary", layout=Layout(width="112px"))
        self.preview = Button(description="Preview", tooltip="Show what a run would start from")
        self.preview.layout = Layout(width="84px", display=None if look else "none")
        self.stop = Button(description="Stop", disabled=True, layout=Layout(width="72px"))
        self.error, self.notes = classed(HTML(), "error"), classed(HTML(), "notes")
        self.stage = Stage(self.post, fixed["height"], fixed["width"], image)
        self.history, self.code = History(self.post, self.restore), Code(self.post)
        super().__init__(self._arrange(rows if rows is not None else list(self.knobs.values())))
        classed(self, "panel")
        self._listen()

    def _arrange(self, rows: list[Widget]) -> list[Widget]:
        actions = classed(HBox([self.generate, self.preview, self.stop, self.error]), "actions")
        below = [actions, self.notes]
        knobs = classed(VBox([*rows, *([] if self.tall else below)]), "knobs")
        side = classed(VBox([self.stage, *(below if self.tall else [])]), "side")
        columns = classed(HBox([knobs, side]), "columns")
        heart = [self._heart] if self._heart else []
        return [styles(), *heart, columns, self.history, self.code]

    def _listen(self) -> None:
        acts = {self.generate: self._start, self.preview: self._foresee, self.stop: self._halt}
        for button, act in (acts | {self.stage.save: self._keep}).items():
            button.on_click(self._answer(act))
        for name in {"prompt", "negative_prompt"} & set(self.knobs):
            self.knobs[name].observe(self._answer(self._note), "value")

    def _answer(self, act: Callable[[], None]) -> Callable[[Any], None]:
        """Return a handler of a browser's message: it acts, and what was posted meanwhile goes out."""

        def handle(message: Any) -> None:
            act()
            self.post.deliver()

        return handle

    @property
    def settings(self) -> Settings:
        """Return what the knobs say now."""
        return self._settings(**{name: knob.value for name, knob in self.knobs.items()}, **self._fixed)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the run has ended and tell whether it has."""
        ended = self.runner.wait(seconds)
        self.post.deliver()
        return ended

    def restore(self, shot: Shot) -> None:
        """Turn the knobs back to a picture's settings, and show it unless another one is being made."""
        for name, knob in self.knobs.items():
            knob.value = getattr(shot.settings, name)
        if not self.runner.running:
            self._say_error("")
            self._show(shot, "Brought back, with its settings.")
        self.post.deliver()

    def picture(self) -> Image.Image:
        """Draw the panel as it stands, for readers where widgets show nothing."""
        from .drawing import draw

        return draw(self)

    def _start(self) -> None:
        if self._begin("Starting ..."):
            self.shot = None
            self.code.show("")
            self.stage.clear()
            self._run(self._make)

    def _foresee(self) -> None:
        if self._begin("Looking ..."):
            self._run(self._show_inputs)

    def _begin(self, text: str) -> bool:
        """Make ready for a run; False while another one is under way."""
        if self.runner.running:
            return False
        self._say_error("")
        self._note()
        self.problem = None
        self.stage.say(text)
        self._busy(True)
        return True

    def _halt(self) -> None:
        if self.runner.running:
            self.post(self.stop, disabled=True)
            self.stage.say("Stopping after this step ...")
            self.runner.stop()

    def _run(self, work: Callable[[Settings, threading.Event], None]) -> None:
        """Do the work with the settings of this moment, in the runner's thread; it never raises there."""
        settings = self.settings

        def job(stop: threading.Event) -> None:
            try:
                work(settings, stop)
            except Exception as problem:  # whatever it is, the learner reads it beside the button
                self.problem = problem
                self._say_error(plain(problem))
                self.stage.step(0, 1, None)
                self.stage.say("No picture was made.")
            finally:
                self._busy(False)

        self.runner.start(job)

    def _make(self, settings: Settings, stop: threading.Event) -> None:
        began = time.monotonic()
        arguments = self._inputs(settings)
        pipe = own_pipeline(self._pipe_for(settings), settings.scheduler)
        preview = Preview(pipe)

        def on_step(done: int, steps: int) -> None:
            self.stage.step(done, steps, preview.picture() if done < steps else None)

        output = self._call(pipe, settings, arguments, stop, on_step)
        if output is None:
            self.stage.say("Stopped. Unfinished pictures are not kept.")
        else:
            self._finish(settings, output, time.monotonic() - began)

    def _show_inputs(self, settings: Settings, stop: threading.Event) -> None:
        self._inputs(settings)
        self.stage.say("Ready." if self.shot is None else "Ready for another one.")

    def _inputs(self, settings: Settings) -> dict[str, Any]:
        """Return the pipeline's arguments, and show the pictures among them."""
        arguments = settings.arguments()
        if self._look:
            self._look(self.post, settings, arguments)
        return arguments

    def _finish(self, settings: Settings, output: Any, seconds: float) -> None:
        if any(getattr(output, "nsfw_content_detected", None) or ()):
            self._say_error("The safety checker blacked this picture out. Try another seed or other words.")
        image = output.images[0]
        shot = Shot(settings, to_png(image, settings), seconds)
        self.history.add(shot)
        self._show(shot, f"{image.height} × {image.width} pixels in {seconds:.1f} s.")

    def _show(self, shot: Shot, text: str) -> None:
        self.shot = shot
        self.stage.show(shot, text)
        self.code.show(shot.settings.code())

    def _keep(self) -> None:
        try:
            self.stage.say(f"Saved as {save(self.shot, self.folder)}.")
            self._say_error("")
        except OSError as problem:
            self._say_error(problem.strerror)

    def _note(self) -> None:
        """Say what is to be known about the prompts."""
        settings = self.settings
        about = {"lane": settings.lane, "pipe": self.pipe, "taught": self._taught}
        notes = catalog.prompt_notes(settings.prompt, **about)
        if settings.negative_prompt:
            more = catalog.prompt_notes(settings.negative_prompt, **about)
            notes += [f"Negative prompt: {note}" for note in more]
        self.post(self.notes, value="<br>".join(map(html.escape, notes)))

    def _say_error(self, text: str) -> None:
        self.post(self.error, value=html.escape(text))

    def _busy(self, running: bool) -> None:
        for button in (self.generate, self.preview):
            self.post(button, disabled=running)
        self.post(self.stop, disabled=not running)
        if self._heart and running:
            self.post(self._heart, beating=True)

    def _beat(self) -> None:
        """Deliver what the run wrote; after the last letter let the heart rest."""
        ended = not self.runner.running
        self.post.deliver()
        if ended:
            self._heart.beating = False
