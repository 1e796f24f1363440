"""The panel of lesson 09: train a ControlNet on pairs, watch it, stop when it is good, and take it home."""

from __future__ import annotations

import copy
import tempfile
import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ipywidgets import HBox, VBox
from PIL import Image

from .. import catalog, controlnet, env
from . import parts
from .parts import classed, reason
from .record import free
from .running import Outbox, Runs, own_model, own_pipeline
from .training_view import TrainingView

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


class TrainerPanel(Runs, TrainingView):
    """Knobs, buttons, and what is to be seen while a ControlNet learns."""

    def __init__(
        self,
        pipe: DiffusionPipeline,
        pairs: controlnet.ControlPairs,
        image: Image.Image,
        prompt: str,
        config: controlnet.ControlNetTrainingConfig,
        folder: Path,
    ) -> None:
        super().__init__(Outbox(), config.max_train_steps, image.height, image.width, "Download the ControlNet")
        self._pipe, self._pairs, self._config, self._folder = pipe, pairs, config, folder
        self._image, self._prompt = image, prompt
        self.run: controlnet.Run | None = None  # the last one
        self.path: Path | None = None  # of its file
        self.seed = parts.slider("seed", "Seed", config.seed, 0, 99, 1)
        self._ready(self.outbox, (self.train,), self.stop, self.curve)
        knobs = classed(VBox([self.steps, self.seed, self.actions, self.status, self.link]), "knobs")
        side = classed(VBox([self.curve, self.strip]), "side")
        heart = [self._heart] if self._heart else []
        self.children = [parts.styles(), *heart, classed(HBox([knobs, side]), "columns")]
        classed(self, "panel")
        self.outbox.flush()  # on Colab too the empty axes are there before a run
        self.train.on_click(self._answer(self._start))
        self.stop.on_click(self._answer(self._end))

    @property
    def shot(self) -> Image.Image | None:
        """Return the newest sample."""
        return self.samples[max(self.samples)] if self.samples else None

    def _start(self) -> None:
        if self.runner.running:
            return
        config = replace(self._config, max_train_steps=self.steps.value, seed=self.seed.value)
        size = {"height": self._image.height, "width": self._image.width}
        self._folder.mkdir(parents=True, exist_ok=True)  # where it cannot be, that is said before anything is learned
        self.problem = None
        self.begin(config.max_train_steps, "Copying the encoder ...")

        def learn(stop: threading.Event) -> None:
            watch = self.watch(stop, config.max_train_steps, prompt=self._prompt, image=self._image, **size)
            own = own_pipeline(self._pipe, catalog.sampler_of(self._pipe))
            own.unet = own_model(own.unet)  # it may be locked: other cells go on undisturbed
            self.run = controlnet.train(own, controlnet.copy_of(own), self._pairs, config, watch)
            self._keep()

        self._run(learn)

    def _fail(self, problem: Exception) -> None:
        self.problem = problem
        self.failed(reason(problem))

    def _keep(self) -> None:
        """Write what was learned as plain diffusers reads it, in the lane's dtype, in one file to be taken home."""
        self.path = free(self._folder / "controlnet.zip")
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(self.path, "w") as file:
            copy.deepcopy(self.run.net).type(self._pipe.unet.dtype).save_pretrained(folder)
            for part in sorted(Path(folder).iterdir()):
                file.write(part, f"controlnet/{part.name}")
        size = self.path.stat().st_size
        self.say(f"{len(self.losses)} steps here; {size / 1e6:,.0f} MB in {self.path.parent.name}/{self.path.name}.")
        if env.place() != "colab":  # there large messages may cost the connection: personalize.send takes it home
            self.outbox(self.link, data=self.path.read_bytes(), name=self.path.name)


def trainer_panel(
    pipe: DiffusionPipeline,
    pairs: controlnet.ControlPairs,
    image: Image.Image,
    prompt: str = "",
    steps: int | None = None,
    folder: str | Path = "pictures",
) -> TrainerPanel:
    """Return a panel that trains a ControlNet on pairs.

    Args:
        pipe: from `catalog.load("text2img")`; its weights are used, nothing of it is changed.
        pairs: what is learned from.
        image: a map that samples are painted from on the way, of the pairs' size.
        prompt: of the samples.
        steps: at first; None is the lane's.
        folder: where "controlnet.zip" is written.

    Raises:
        ValueError: the map has another size than those of the pairs, or steps cannot be.
    """
    size = tuple(pairs.hints.shape[2:])
    if (image.height, image.width) != size:
        raise ValueError(f"image has {image.height} x {image.width} pixels, the pairs' maps {size[0]} x {size[1]}.")
    changes = {} if steps is None else {"max_train_steps": steps}
    config = controlnet.ControlNetTrainingConfig.for_lane(catalog.lane_of(pipe), **changes)
    return TrainerPanel(pipe, pairs, image, prompt, config, Path(folder))
