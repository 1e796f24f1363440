"""Running a pipeline beside the page: in a thread, so that Stop works in every front end, with previews on the way.

A kernel handles messages of the browser one after the other, on one thread. A click on Generate that ran the
pipeline inside its handler would hold that thread: the click on Stop would be read when there is nothing left to
stop. So the pipeline runs in a thread of its own, and the handler returns at once:

- torch gives the interpreter's lock up while it computes, so a Stop is read within a step. It sets an event;
  `callback_on_step_end` sees it after the step and leaves the pipeline by an exception. Diffusers' own way,
  `pipe._interrupt`, would still decode what is not kept, and Depth2Img does not know it.
- The learner may run other cells meanwhile. So a run works on a shallow copy of the pipeline with a scheduler and a
  tokenizer of its own: the weights are shared, what two calls would tread on is not (`own_pipeline`).
- From a thread, widget updates reach JupyterLab, VS Code and nbclient, but not Colab (colabtools issue 3373): an
  update that is sent while the kernel is idle never arrives there. So on Colab the run leaves its updates in an
  `Outbox`, and a heartbeat that the browser sends four times a second, while a run is under way, takes them along.
"""

from __future__ import annotations

import copy
import functools
import io
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from .. import catalog, env
from .browser import Heartbeat, photograph

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, UNet2DConditionModel
    from diffusers.utils import BaseOutput
    from ipywidgets import Button, Widget

    from .record import Settings

OnStep = Callable[[int, int], None]  # told how many steps are done, and how many there are


class Runner:
    """Runs one job at a time in a thread of its own."""

    def __init__(self) -> None:
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    @property
    def running(self) -> bool:
        """Tell whether a job is under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, job: Callable[[threading.Event], None]) -> bool:
        """Start `job(stop)`, which shall end soon after `stop` is set; return False while another one runs."""
        with self._start:
            if self.running:
                return False
            self._stop = threading.Event()
            self._thread = threading.Thread(target=job, args=(self._stop,), name="panel", daemon=True)
            self._thread.start()
            return True

    def stop(self) -> None:
        """Ask the job to end; returns at once."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the job has ended and tell whether it has."""
        if self._thread is not None:
            self._thread.join(seconds)
        return not self.running


class Outbox:
    """Takes a run's updates to the widgets.

    Args:
        hold: keep them until `flush`, as Colab needs it; None asks where we are.
    """

    def __init__(self, hold: bool | None = None) -> None:
        self.hold = env.place() == "colab" if hold is None else hold
        self._lock = threading.RLock()  # setting a trait may call an observer that updates
        self._updates: dict[Widget, dict[str, Any]] = {}

    def __call__(self, widget: Widget, **traits: Any) -> None:
        """Set a widget's traits, all in one message; of those that are held only the newest is kept."""
        with self._lock:
            if self.hold:
                self._updates.setdefault(widget, {}).update(traits)
            else:
                _set(widget, traits)

    def flush(self) -> None:
        """Set what is held; call it while the kernel answers a message."""
        with self._lock:
            updates, self._updates = self._updates, {}
            for widget, traits in updates.items():
                _set(widget, traits)


def _set(widget: Widget, traits: dict[str, Any]) -> None:
    with widget.hold_sync():
        for name, value in traits.items():
            setattr(widget, name, value)


class Runs:
    """What each panel does that runs something: its handlers and its runs say what went wrong, and its buttons follow.

    Whoever extends it gives `_fail`, which writes an error beside the button.
    """

    def _ready(self, outbox: Outbox, starts: tuple[Button, ...], stop: Button, shown: Widget) -> None:
        """Make ready: buttons that start a run, the one that stops it, and what a static picture shows."""
        self.runner, self.outbox, self.problem = Runner(), outbox, None  # the last exception, with its traceback
        self._starts, self._stops, self._shown = starts, stop, shown
        self._heart = Heartbeat(self._beat) if outbox.hold else None

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the run has ended and tell whether it has."""
        ended = self.runner.wait(seconds)
        self.outbox.flush()
        return ended

    def picture(self) -> Image.Image:
        """Return the panel as it stands, for readers where widgets show nothing.

        While a lesson is built this is a photograph of the page: the builder names the command in COURSE_SNAPSHOT.
        Elsewhere it is the picture that the panel shows: whoever runs the notebook has the panel itself above.
        """
        return photograph(self) or Image.open(io.BytesIO(self._shown.value)).convert("RGB")

    def _answer(self, act: Callable[[], None]) -> Callable[[Any], None]:
        """Return a handler of a browser's message: it acts, says what went wrong, and what was held goes out."""

        def handle(message: Any) -> None:
            try:
                act()
            except Exception as problem:  # whatever it is, the learner reads it beside the button
                self._fail(problem)
            self.outbox.flush()

        return handle

    def _run(self, work: Callable[[threading.Event], None], fail: Callable[[Exception], None] | None = None) -> None:
        """Do the work in the runner's thread, where it never raises; `fail` says what went wrong."""

        def job(stop: threading.Event) -> None:
            try:
                work(stop)
            except Exception as problem:  # whatever it is, the learner reads it beside the button
                (fail or self._fail)(problem)
            finally:
                self._busy(False)

        self._busy(True)
        self.runner.start(job)

    def _busy(self, running: bool) -> None:
        for button in self._starts:
            self.outbox(button, disabled=running)
        self.outbox(self._stops, disabled=not running)
        if self._heart and running:
            self.outbox(self._heart, beating=True)

    def _end(self) -> None:
        """Ask the run to end; it goes on to its next step."""
        if self.runner.running:
            self.outbox(self._stops, disabled=True)
            self.runner.stop()

    def _beat(self) -> None:
        """Send what the run wrote; after its last words let the heart rest."""
        ended = not self.runner.running
        self.outbox.flush()
        if ended:
            self._heart.beating = False


def own_pipeline(pipe: DiffusionPipeline, scheduler: str) -> DiffusionPipeline:
    """Return a pipeline that shares the weights with `pipe`, and nothing that a call changes."""
    own = catalog.with_scheduler(copy.copy(pipe), scheduler)
    own.tokenizer = copy.deepcopy(pipe.tokenizer)  # two threads in one raise "Already borrowed" in older versions
    own.set_progress_bar_config(disable=True)
    return own


def own_model(model: UNet2DConditionModel) -> UNet2DConditionModel:
    """Return a model with the same weights, not copied, and hooks of its own: other calls go on undisturbed.

    What accelerate hooked on, so that parts take turns on the card, is shared: it leads to the other parts.
    """
    turns = [module._hf_hook for module in model.modules() if hasattr(module, "_hf_hook")]
    shared = {id(each): each for each in (*model.parameters(), *model.buffers(), *turns)}
    return copy.deepcopy(model, shared)


class Stopped(Exception):
    """Leaves a pipeline, or a film, between two steps."""


def call(
    pipe: DiffusionPipeline, settings: Settings, arguments: dict[str, Any], stop: threading.Event, on_step: OnStep
) -> BaseOutput | None:
    """Call a pipeline with the settings' arguments; return None if `stop` was set before its last step."""
    own = arguments.get("callback_on_step_end", lambda pipe, step, timestep, kept: kept)

    def after_step(pipe: DiffusionPipeline, step: int, timestep: torch.Tensor, kept: dict) -> dict:
        if stop.is_set() and step + 1 < pipe.num_timesteps:
            raise Stopped
        on_step(step + 1, pipe.num_timesteps)
        return own(pipe, step, timestep, kept)

    catalog.check_call(settings.lane, **arguments, seed=settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    try:
        with _hushed():
            return pipe(**arguments | {"generator": generator, "callback_on_step_end": after_step})
    except Stopped:
        pipe.maybe_free_model_hooks()
        return None


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep the log lines of this thread out of whatever cell ran last: the panel says what matters itself."""
    this_thread = threading.get_ident()

    def others(record: logging.LogRecord) -> bool:
        return record.thread != this_thread

    handlers = list(logging.getLogger("diffusers").handlers)
    for handler in handlers:
        handler.addFilter(others)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(others)


class Preview:
    """The picture that the model expects at this moment: x0, predicted at each step, decoded now and then.

    The scheduler's step gets what the model predicted, after guidance, and the noisy latents. Of those the scheduler
    itself makes the model's input (`scale_model_input`), which for every scheduler is sqrt(a) x0 + sqrt(1 - a) noise
    (Ho et al., 2020, eq. 4), with a = alphas_cumprod at the step: solve for x0.

    Args:
        pipe: a pipeline whose scheduler belongs to this run alone: its `step` is wrapped for good.
        share: of the run's time may go into decoding; so a slow decoder is asked less often.
    """

    def __init__(self, pipe: DiffusionPipeline, share: float = 0.2) -> None:
        self._pipe, self._pause = pipe, 1 / share - 1
        self._next = 0.0  # no picture before this moment
        self._last: tuple[torch.Tensor, int, torch.Tensor] | None = None
        step = pipe.scheduler.step

        @functools.wraps(step)  # the pipeline looks at its signature
        def watched(model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, *rest: Any, **more: Any) -> Any:
            model_input = pipe.scheduler.scale_model_input(sample, timestep)
            self._last = model_output, int(timestep), model_input
            return step(model_output, timestep, sample, *rest, **more)

        pipe.scheduler.step = watched

    def x0(self) -> torch.Tensor | None:
        """Return the predicted clean latents [batch, channel, latent_h, latent_w], or None before the first step."""
        if self._last is None:
            return None
        model_output, timestep, model_input = self._last
        alpha = self._pipe.scheduler.alphas_cumprod[timestep].to(model_input)
        kind = self._pipe.scheduler.config.prediction_type
        if kind == "sample":
            return model_output
        if kind == "v_prediction":
            return alpha.sqrt() * model_input - (1 - alpha).sqrt() * model_output
        return (model_input - (1 - alpha).sqrt() * model_output) / alpha.sqrt()

    def picture(self) -> Image.Image | None:
        """Return x0 as a picture, or None when it is not yet time for another one."""
        began = time.monotonic()
        if began < self._next or (latents := self.x0()) is None:
            return None
        vae = self._pipe.vae
        with torch.no_grad():
            decoded = vae.decode(latents.to(vae.dtype) / vae.config.scaling_factor, return_dict=False)[0]
        image = self._pipe.image_processor.postprocess(decoded.detach(), output_type="pil")[0]
        now = time.monotonic()
        self._next = now + self._pause * (now - began)
        return image
