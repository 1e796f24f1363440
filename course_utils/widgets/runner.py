"""Running a pipeline so that Stop works, in every front end.

A kernel handles messages of the browser one after the other, on one thread. A click on Generate that ran the
pipeline inside its handler would hold that thread: the click on Stop would be read when there is nothing left to
stop. So the pipeline runs in a thread of its own, and the handler returns at once:

- torch gives the interpreter's lock up while it computes, so a Stop is read within a step. It sets an event;
  `callback_on_step_end` sees it after the step and leaves the pipeline by an exception. Diffusers' own way,
  `pipe._interrupt`, would still decode what is not kept, and Depth2Img does not know it.
- Newer JupyterLab with ipykernel 7 reads widget messages on a thread beside the main one. Nothing here asks which.
- The learner may run other cells meanwhile. So a run works on a shallow copy of the pipeline with a scheduler and a
  tokenizer of its own: the weights are shared, what two calls would tread on is not (`own_pipeline`).
- From a thread, widget updates reach JupyterLab, VS Code and nbclient, but not Colab (colabtools issue 3373): there
  only what is sent while the kernel answers a browser's message arrives. See `post.py`.

The roads not taken: reading the kernel's message queue from inside the handler breaks with each ipykernel and on
Colab; an asyncio task cannot give way inside a step; interrupting the kernel would stop a cell, not a handler.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from .. import catalog

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from diffusers.utils import BaseOutput

    from .record import Settings


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


def own_pipeline(pipe: DiffusionPipeline, scheduler: str) -> DiffusionPipeline:
    """Return a pipeline that shares the weights with `pipe`, and nothing that a call changes."""
    own = catalog.with_scheduler(copy.copy(pipe), scheduler)
    own.tokenizer = copy.deepcopy(pipe.tokenizer)  # two threads in one raise "Already borrowed" in older versions
    own.set_progress_bar_config(disable=True)
    return own


class _Stopped(Exception):
    """Leaves a pipeline between two steps."""


def call(
    pipe: DiffusionPipeline,
    settings: Settings,
    arguments: dict[str, Any],
    stop: threading.Event,
    on_step: Callable[[int, int], None],
) -> BaseOutput | None:
    """Call the pipeline as `settings` say.

    Args:
        pipe: from `own_pipeline`.
        arguments: `settings.arguments()`.
        stop: set it to skip the remaining steps.
        on_step: is told after each step how many are done, and how many there are.

    Returns:
        What the pipeline gave; None when it was stopped before its last step.

    Raises:
        ValueError: a setting that cannot be; and whatever the pipeline raises.
    """
    own = arguments.get("callback_on_step_end", lambda pipe, step, timestep, kept: kept)

    def after_step(pipe: DiffusionPipeline, step: int, timestep: torch.Tensor, kept: dict) -> dict:
        if stop.is_set() and step + 1 < pipe.num_timesteps:
            raise _Stopped
        on_step(step + 1, pipe.num_timesteps)
        return own(pipe, step, timestep, kept)

    catalog.check_call(settings.lane, **arguments, seed=settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    try:
        with _hushed():
            return pipe(**arguments | {"generator": generator, "callback_on_step_end": after_step})
    except _Stopped:
        pipe.maybe_free_model_hooks()
        return None


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep the log lines of this thread out of whatever cell ran last: the panel says what matters itself."""
    me = threading.get_ident()

    def others(record: logging.LogRecord) -> bool:
        return record.thread != me

    handlers = list(logging.getLogger("diffusers").handlers)
    for handler in handlers:
        handler.addFilter(others)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(others)
