"""The panel of lesson 08: teach a LoRA from a few pictures, then paint with a slider for each that there is."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipywidgets import Widget

from .. import env, personalize
from ..personalize import pretrained
from . import knobs as sets
from .drawing_lora import draw_lora
from .exciter import own_unet
from .lora_teacher import Teacher
from .lora_weights import LoraSettings, Weights
from .panel import Panel
from .parts import classed, plain
from .runner import call, own_pipeline

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from diffusers.utils import BaseOutput
    from PIL import Image


class LoraPanel(Panel):
    """The base panel below a `Teacher`."""

    def __init__(self, pipe: DiffusionPipeline, knobs: dict[str, Widget], fixed: dict[str, Any], word: str,
                 learning: personalize.LoraTrainingConfig, **how: Any) -> None:  # fmt: skip
        self._word, self._learning_knobs, self._learning = word, learning, False
        self.loras: dict[str, personalize.Lora] = {}  # by file
        self.newest: Path | None = None
        super().__init__(pipe, knobs, fixed, LoraSettings, **how)

    def _arrange(self, rows: list[Widget]) -> list[Widget]:
        self.teacher = Teacher(self.post, self._word, self._learning_knobs, self.folder, self._fixed["lane"])
        parts = super()._arrange(rows)
        place = next(number for number, part in enumerate(parts) if "course-columns" in part._dom_classes)
        return [*parts[:place], self.teacher, *parts[place:]]

    def _listen(self) -> None:
        super()._listen()
        teacher = self.teacher
        acts = {teacher.train: self._teach, teacher.stop: self._enough, teacher.save: self._write}
        acts |= {teacher.download: lambda: self._carry("download"), teacher.drive: lambda: self._carry("drive")}
        for button, act in acts.items():
            button.on_click(self._answer(act))

    def picture(self) -> Image.Image:
        """Draw the panel as it stands, for readers where widgets show nothing."""
        return draw_lora(self)

    def have(self, path: Path, lora: personalize.Lora, weight: float) -> None:
        """Take a LoRA in, and give it a slider."""
        trigger = lora.about.trigger
        again = sum(one.about.trigger == trigger for one in self.loras.values())
        self.loras[path.as_posix()] = lora
        name = f"{trigger} {again + 1}" if again else trigger  # the file's name is too long for a label
        self.knobs["loras"].add(path.as_posix(), name, weight, self.post)
        self._taught += f" {trigger}"
        self._note()

    def _teach(self) -> None:
        if self.runner.running:
            return
        self.problem, self._learning = None, True
        self.teacher.begin()
        self._busy(True)
        trigger, knobs, stops = self.teacher.trigger.value, self.teacher.knobs, self.teacher.stops
        settings = self.settings

        def job(stop: threading.Event) -> None:
            try:
                pictures = self.teacher.pictures.examples()
                personalize.gather(pictures, trigger, knobs.height, knobs.width)
                self.teacher.note(pictures)
                watch = self._watch(settings, stops, stop)
                self._learned(personalize.lora(self._own(settings), pictures, trigger, knobs, watch))
            except Exception as problem:  # whatever it is, the learner reads it beside the button
                self.problem = problem
                told = isinstance(problem, MemoryError) and str(problem)  # says what to turn
                self.teacher.failed(told or plain(problem))
            finally:
                self._learning = False
                self._busy(False)

        self.runner.start(job)

    def _watch(self, settings: LoraSettings, stops: list[int], stop: threading.Event) -> Callable[..., None]:
        """Return what is told of each step: it paints the samples with the panel's seed, steps and guidance."""
        how = {"num_inference_steps": settings.steps, "guidance_scale": settings.guidance}

        def watch(progress: personalize.Progress) -> None:
            sample = progress.sample(seed=settings.seed, **how) if progress.step in stops else None
            self.teacher.step(progress, sample)
            if stop.is_set():
                progress.stop()

        return watch

    def _own(self, settings: LoraSettings) -> DiffusionPipeline:
        """Return a pipeline with the same weights into which layers can be put: other calls go on undisturbed."""
        own = own_pipeline(self.pipe, settings.scheduler)
        own.unet, own.text_encoder = own_unet(own.unet), own_unet(own.text_encoder)
        return own

    def _learned(self, lora: personalize.Lora) -> None:
        """Take a LoRA in, then write it: if that fails, it is still here."""
        name = re.sub(r"[^a-z0-9]+", "-", lora.about.trigger.lower()).strip("-") or "lora"
        self.newest = self._place(f"{name}-rank{lora.about.rank}")
        self.have(self.newest, lora, 1.0)
        self._write()

    def _place(self, stem: str) -> Path:
        """Return where no LoRA is yet, neither on the disk nor in the panel."""
        number, path = 1, self.folder / "loras" / f"{stem}.safetensors"
        while path.exists() or path.as_posix() in self.loras:
            number += 1
            path = path.with_stem(f"{stem}-{number}")
        return path

    def _write(self) -> None:
        lora = self.loras[self.newest.as_posix()]
        try:
            lora.save(self.newest)
        except Exception as problem:  # safetensors has errors of its own for a full disk
            self.problem = problem
            self.teacher.learned(lora, self.newest, saved=False)
            self.teacher.complain(f"{plain(problem)} Nothing is lost: it is still here, mend this and press Save.")
        else:
            self.teacher.complain("")
            self.teacher.learned(lora, self.newest, saved=True)

    def _carry(self, to: str) -> None:
        try:
            personalize.send(self.newest, to)
        except Exception as problem:  # Colab's own errors are many
            self.teacher.complain(plain(problem))

    def _enough(self) -> None:
        if self._learning:
            self.post(self.teacher.stop, disabled=True)
            self.runner.stop()

    def _busy(self, running: bool) -> None:
        super()._busy(running)
        self.post(self.teacher.train, disabled=running)
        self.post(self.teacher.stop, disabled=not (running and self._learning))
        self.post(self.stop, disabled=not running or self._learning)

    def _call(self, pipe: DiffusionPipeline, settings: LoraSettings, arguments: dict[str, Any],
              stop: threading.Event, on_step: Callable[[int, int], None]) -> BaseOutput | None:  # fmt: skip
        """Call a pipeline with the LoRAs attached."""
        if not settings.used:
            return call(pipe, settings, arguments, stop, on_step)
        pipe.unet, pipe.text_encoder = own_unet(pipe.unet), own_unet(pipe.text_encoder)
        paths, weights = zip(*settings.used, strict=True)
        with personalize.attached(pipe, *(self.loras[path] for path in paths), weights=weights):
            return call(pipe, settings, arguments, stop, on_step)


def lora_panel(
    pipe: DiffusionPipeline,
    room: env.Runtime | None = None,
    prompt: str = "",
    negative_prompt: str = "",
    subject: str = "robot",
    rank: int = pretrained.RANK,
    steps: int | None = None,
    loras: Sequence[str | Path] = (),
    folder: str | Path = "pictures",
    **defaults: float,
) -> LoraPanel:
    """Return a panel that teaches LoRAs and paints with them.

    Args:
        pipe: from `catalog.load("text2img")`; its weights are used, nothing of it is changed.
        room: from `env.start`: the lane and the first seed.
        prompt, negative_prompt: what stands in the fields at first; without a prompt the subject on the beach.
        subject: "robot", "dragon" or "teapot": what is to be learned at first.
        rank: of what is learned, at first.
        steps: of the training, at first; None is the lane's.
        loras: files that have a slider from the beginning, at 0.
        folder: where Save writes; LoRAs go to its folder "loras", uploaded pictures to "inputs".
        defaults: in place of `catalog.defaults`: num_inference_steps, guidance_scale, height, width.

    Raises:
        TypeError: an unknown name among the defaults.
        ValueError: a size, a number or a subject that cannot be, or a file that is no LoRA for this base.
        FileNotFoundError: a file that is missing.
    """
    if subject not in pretrained.SUBJECTS:
        raise ValueError(f"subject={subject!r} is no subject; use one of {', '.join(pretrained.SUBJECTS)}.")
    prompt = prompt or f"a {pretrained.trigger_of(subject)} on the beach"
    start = sets.first_call(room, prompt, negative_prompt, defaults)
    size = {"height": start["height"], "width": start["width"]}
    learning = personalize.preset(
        "lora", start["lane"], rank=rank, **size, **({"max_train_steps": steps} if steps else {})
    )
    knobs = {**sets.prompts(start), "loras": Weights(), **sets.sampling(pipe, start)}
    classed(knobs["loras"], "weights")
    panel = LoraPanel(pipe, knobs, sets.fixed(start), subject, learning, folder=folder, rows=sets.rows(knobs))
    for path in map(Path, loras):
        panel.have(path, personalize.read(path, pipe), 0.0)
    return panel
