"""The panel of lesson 08: teach a LoRA from a few pictures, then paint with a slider for each that there is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ipywidgets import Layout, VBox, Widget

from .. import env, personalize
from ..personalize import pretrained
from . import parts
from .lora_teacher import Teacher
from .panel import Panel
from .parts import reason
from .record import Settings, free, slug
from .running import Outbox, own_model, own_pipeline

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

MOST = 6  # LoRAs that have a slider
LOUDEST = 2.0  # weight
Weighted = tuple[tuple[str, float], ...]  # file and weight


@dataclass(frozen=True)
class LoraSettings(Settings):
    """The knobs of one call with LoRAs."""

    kind: ClassVar[str] = "lora"
    nested: ClassVar[dict[str, Any]] = {"loras": lambda loras: tuple(map(tuple, loras))}

    loras: Weighted

    @property
    def used(self) -> Weighted:
        """Return those whose weight is not 0."""
        return tuple((path, weight) for path, weight in self.loras if weight)

    def preparation(self) -> str:
        """Return Python that reads the LoRAs."""
        reading = "".join(f"    personalize.read({path!r}, pipe),\n" for path, _ in self.used)
        return f"loras = [\n{reading}]\n" if reading else ""

    def context(self) -> str:
        """Return Python for the `with` around the call."""
        weights = [weight for _, weight in self.used]
        return f"personalize.attached(pipe, *loras, weights={weights})" if weights else ""


class LoraSliders(VBox):
    """A knob: a slider for each LoRA, its value the files with their weights.

    All are made with the panel and filled later: a widget that is born in a run's thread is lost on Colab.
    """

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._added = 0
        super().__init__([parts.slider("weight", "", 1.0, 0, LOUDEST, 0.05) for _ in range(MOST)])
        for slot in self.children:
            slot.layout = Layout(width="auto", display="none")

    @property
    def value(self) -> Weighted:
        """Return the files and their weights."""
        return tuple((path, slot.value) for path, slot in zip(self.paths, self.children, strict=False))

    @value.setter
    def value(self, weighted: Weighted) -> None:
        wanted = dict(weighted)
        for path, slot in zip(self.paths, self.children, strict=False):
            slot.value = wanted.get(path, 0.0)

    def add(self, path: str, name: str, weight: float, outbox: Outbox) -> None:
        """Give a LoRA a slider; with all taken, that of the oldest, whose file stays."""
        place = self._added % MOST
        self.paths[place : place + 1] = [path]
        self._added += 1
        outbox(self.children[place], description=name, value=weight)
        outbox(self.children[place].layout, display=None)


class LoraPanel(Panel):
    """The base panel below a `Teacher`."""

    def __init__(
        self,
        pipe: DiffusionPipeline,
        knobs: dict[str, Widget],
        start: dict[str, Any],
        teacher: Callable[[Outbox], Teacher],
        folder: str | Path,
    ) -> None:
        self._teacher, self._learning = teacher, False
        self.loras: dict[str, personalize.Lora] = {}  # by file
        self.newest: Path | None = None
        super().__init__(pipe, knobs, start, LoraSettings, folder)

    def _arranged(self) -> list[Widget]:
        self.teacher = self._teacher(self.outbox)
        styles, *rest = super()._arranged()
        return [styles, self.teacher, *rest]

    def _listen(self) -> None:
        super()._listen()
        teacher = self.teacher
        acts = {teacher.train: self._teach, teacher.stop: self._enough, teacher.save: self._write}
        acts |= {getattr(teacher, to): lambda to=to: self._hand_over(to) for to in ("download", "drive")}
        for button, act in acts.items():
            button.on_click(self._answer(act))

    def have(self, path: Path, lora: personalize.Lora, weight: float) -> None:
        """Take a LoRA in, and give it a slider."""
        trigger = lora.about.trigger
        again = sum(known.about.trigger == trigger for known in self.loras.values())
        self.loras[path.as_posix()] = lora
        name = f"{trigger} {again + 1}" if again else trigger  # the file's name is too long for a label
        self.knobs["loras"].add(path.as_posix(), name, weight, self.outbox)
        self._taught += f" {trigger}"
        self._note()

    def _teach(self) -> None:
        if self.runner.running:
            return
        teacher, settings = self.teacher, self.settings
        trigger, knobs = teacher.trigger.value, teacher.knobs
        how = {"num_inference_steps": settings.num_inference_steps, "guidance_scale": settings.guidance_scale}
        self.problem, self._learning = None, True
        teacher.begin(teacher.steps.value, "Looking at the pictures ...")

        def learn(stop: threading.Event) -> None:
            pictures = teacher.pictures.examples()
            personalize.gather(pictures, trigger, knobs.height, knobs.width)
            teacher.note(pictures)
            watch = teacher.watch(stop, knobs.max_train_steps, seed=settings.seed, **how)
            self._learned(personalize.lora(self._own(settings), pictures, trigger, knobs, watch))

        def fail(problem: Exception) -> None:
            self.problem = problem
            teacher.failed(reason(problem))

        self._run(learn, fail)

    def _own(self, settings: LoraSettings) -> DiffusionPipeline:
        """Return a pipeline with the same weights into which layers can be put: other calls go on undisturbed."""
        own = own_pipeline(self.pipe, settings.scheduler)
        own.unet, own.text_encoder = own_model(own.unet), own_model(own.text_encoder)
        return own

    def _learned(self, lora: personalize.Lora) -> None:
        """Take a LoRA in, then write it: if that fails, it is still here."""
        stem = f"{slug(lora.about.trigger) or 'lora'}-rank{lora.about.rank}"
        self.newest = free(self.folder / "loras" / f"{stem}.safetensors", set(self.loras))
        self.have(self.newest, lora, 1.0)
        self._write()

    def _write(self) -> None:
        lora = self.loras[self.newest.as_posix()]
        try:
            lora.save(self.newest)
        except Exception as problem:  # safetensors has errors of its own for a full disk
            self.problem = problem
            self.teacher.learned(lora, self.newest, saved=False)
            self.teacher.complain(f"{reason(problem)} Nothing is lost: it is still here, mend this and press Save.")
        else:
            self.teacher.complain("")
            self.teacher.learned(lora, self.newest, saved=True)

    def _hand_over(self, where: str) -> None:
        try:
            personalize.send(self.newest, where)
        except Exception as problem:  # Colab's own errors are many
            self.teacher.complain(reason(problem))

    def _enough(self) -> None:
        if self._learning:
            self.outbox(self.teacher.stop, disabled=True)
            self.runner.stop()

    def _busy(self, running: bool) -> None:
        super()._busy(running)
        self._learning = running and self._learning
        self.outbox(self.teacher.train, disabled=running)
        self.outbox(self.teacher.stop, disabled=not (running and self._learning))
        self.outbox(self.stop, disabled=not running or self._learning)

    def _around(self, pipe: DiffusionPipeline, settings: LoraSettings) -> AbstractContextManager:
        """Attach the LoRAs."""
        if not settings.used:
            return nullcontext()
        pipe.unet, pipe.text_encoder = own_model(pipe.unet), own_model(pipe.text_encoder)
        paths, weights = zip(*settings.used, strict=True)
        return personalize.attached(pipe, *(self.loras[path] for path in paths), weights=weights)


def lora_panel(
    pipe: DiffusionPipeline,
    runtime: env.Runtime | None = None,
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
        runtime, negative_prompt, defaults: see `text2img_panel`.
        prompt: what stands in the field at first; without one the subject on the beach.
        subject: "robot", "dragon" or "teapot": what is to be learned at first.
        rank: of what is learned, at first.
        steps: of the training, at first; None is the lane's.
        loras: files that have a slider from the beginning, at 0.
        folder: where Save writes; LoRAs go to its folder "loras", uploaded pictures to "inputs".

    Raises:
        TypeError, ValueError: as `text2img_panel` does; a subject that cannot be, or a file that is no LoRA for this
            base.
        FileNotFoundError: a file that is missing.
    """
    if subject not in pretrained.SUBJECTS:
        raise ValueError(f"subject={subject!r} is no subject; use one of {', '.join(pretrained.SUBJECTS)}.")
    prompt = prompt or f"a {pretrained.trigger_of(subject)} on the beach"
    start = parts.first_call(pipe, runtime, prompt, negative_prompt, defaults)
    changes = {"rank": rank, "height": start["height"], "width": start["width"]}
    if steps is not None:
        changes["max_train_steps"] = steps
    config = personalize.preset("lora", start["lane"], **changes)
    knobs = {**parts.prompts(start), "loras": LoraSliders(), **parts.sampling(pipe, start)}

    def teacher(outbox: Outbox) -> Teacher:
        return Teacher(outbox, subject, config, Path(folder), start["lane"])

    panel = LoraPanel(pipe, knobs, start, teacher, folder)
    for path in map(Path, loras):
        panel.have(path, personalize.read(path, pipe), 0.0)
    panel.outbox.flush()  # on Colab too what stands there from the beginning is seen before a run
    return panel
