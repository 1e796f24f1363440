"""A training as its caller sees it: where it is, what it paints by now, and the folder that it goes on from."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from PIL import Image


class Progress:
    """Where a training is: what `watch` is given after each step.

    stage: "training", or what comes before it; step of steps are done; loss of the last one; seconds since the call.
    """

    def __init__(self, paint: Callable[..., Image.Image], steps: int):
        self.stage, self.step, self.steps, self.loss, self.stopped = "training", 0, steps, math.nan, False
        self._paint, self._began = paint, time.monotonic()

    @property
    def seconds(self) -> float:
        """Give the time since the call."""
        return time.monotonic() - self._began

    def stop(self) -> None:
        """Ask to end after this step; what is learned so far is kept."""
        self.stopped = True

    def sample(self, prompt: str | None = None, seed: int = 0, **settings) -> Image.Image:
        """Paint with what is learned so far; the training goes on as if nothing had been painted.

        Args:
            prompt: None is what the method takes by itself: "a" and the trigger, or no words.
            seed: of the picture.
            settings: arguments of the pipeline call that shall differ from the lane's defaults.
        """
        return self._paint(prompt, seed, settings)


def step_generator(seed: int, step: int, process: int = 0) -> torch.Generator:
    """Give the generator of one step of one process, on the CPU: the same after every restart."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) * 1009 + process)


def own_folder(path: Path, mark: str) -> Path:
    """Make the folder of a run: the same call goes on where a killed one was.

    Args:
        path: of the folder.
        mark: of what the run is made of; kept in the file "run".

    Raises:
        ValueError: the folder holds another run.
    """
    path.mkdir(parents=True, exist_ok=True)
    kept = path / "run"
    if kept.exists() and kept.read_text() != mark:
        raise ValueError(f"folder={str(path)!r} holds a run with other pictures, settings or base; give another one.")
    spare = path / f"run.{os.getpid()}"  # other processes may read meanwhile
    spare.write_text(mark)
    spare.replace(kept)
    return path
