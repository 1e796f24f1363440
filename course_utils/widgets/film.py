"""The panel of lesson 11: a clip, a control, a rung of the ladder; frames as they come, and the film to take home."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from ipywidgets import BoundedIntText, Dropdown, Text, VBox
from PIL import Image

from .. import catalog, env, video
from ..clay.motion import MOTIONS
from ..validation import Choice, Range, check_config
from . import parts
from .browser import Download, Upload
from .controlnet import loaded
from .panel import Panel
from .parts import Message, classed, field, indented, show_only, toggles
from .picture_knob import Thumbnails, received
from .record import KEY, Settings, Shot, without_paths
from .running import Stopped, own_model, own_pipeline

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


@dataclass(frozen=True)
class ClipSource:
    """Where a clip comes from: a moving clay scene (``words``, ``motion``), or the reader's ``own`` ``file``."""

    words: str = "a man in the garden"
    motion: Annotated[str, Choice(tuple(MOTIONS))] = "walk"
    file: str = ""
    frames: Annotated[int, Range(2, video.clips.MOST)] = 8
    own: bool = False

    def __post_init__(self) -> None:
        check_config(self)

    def code(self, height: int, width: int) -> str:
        """Return Python that makes the clip."""
        if self.own:
            return f"video.read({self.file!r}, frames={self.frames}, height={height}, width={width})"
        return f"video.moving({self.words!r}, {self.motion!r}, {self.frames}, {height}, {width})"

    def open(self, height: int, width: int) -> video.Clip:
        """Make the clip."""
        if self.own:
            return video.read(self.file, frames=self.frames, height=height, width=width)
        return video.moving(self.words, self.motion, self.frames, height, width)


@dataclass(frozen=True)
class FilmSettings(Settings):
    """The knobs of one film."""

    kind: ClassVar[str] = "film"
    pipeline: ClassVar[str] = "controlnet"
    nested: ClassVar[dict[str, Any]] = {"clip": lambda clip: ClipSource(**clip)}

    clip: ClipSource
    control: str
    rung: str

    @property
    def config(self) -> video.FilmConfig:
        """Return how the clip is painted."""
        names = "num_inference_steps", "guidance_scale", "negative_prompt", "seed"
        return video.FilmConfig(**{name: getattr(self, name) for name in names})

    @property
    def controls(self) -> list[str]:
        """Return the model's name."""
        return [self.control]

    def code(self) -> str:
        """Return Python that makes the same film, without a panel."""
        return (
            "from course_utils import catalog, video\n\n"
            f"pipe = catalog.load('controlnet', lane={self.lane!r}, control={self.control!r})\n"
            f"pipe = catalog.with_scheduler(pipe, {self.scheduler!r})\n"
            f"clip = {self.clip.code(self.height, self.width)}\n"
            f"maps = clip.maps({self.control!r}, {self.lane!r})\n"
            f"config = video.{self.config!r}\n"
            f"frames = list(video.paint(pipe, clip, maps, {self.prompt!r}, {self.rung!r}, config))\n"
            "video.to_gif(frames, 'film.gif')\n"
        )


class ClipKnob(VBox):
    """A knob whose value is a `ClipSource`."""

    def __init__(self, source: ClipSource, height: int, width: int, folder: Path) -> None:
        self.own = toggles("Clip", [("Clay scene", False), ("My clip", True)])
        self.words = field(Text, "Scene", continuous_update=False)
        self.motion = field(Dropdown, "Motion", options=list(MOTIONS))
        self.upload, self.error = Upload(accept="video/*,image/gif,image/webp"), Message("error")
        hint = "a video or GIF beside the notebook, or choose one"
        self.file = field(Text, "File", placeholder=hint, continuous_update=False)
        self.frames = field(BoundedIntText, "Frames", value=8, min=2, max=video.clips.MOST)
        self.frames.layout.width = "160px"
        self.looks = Thumbnails(("first frame", "its map", "last frame"), height, width)
        self._folder = folder
        self._rows = {False: VBox([self.words, self.motion]), True: VBox([self.file, indented(self.upload)])}
        super().__init__([self.own, *self._rows.values(), self.frames, self.error, indented(self.looks)])
        classed(self, "source")
        self.value = source
        self.own.observe(lambda change: self._show(), "value")
        self.upload.observe(self._came, ["data", "problem"])

    @property
    def value(self) -> ClipSource:
        """Return where the clip comes from now."""
        words, motion, file = self.words.value, self.motion.value, self.file.value.strip()
        return ClipSource(words, motion, file, self.frames.value, self.own.value)

    @value.setter
    def value(self, source: ClipSource) -> None:
        self.words.value, self.motion.value, self.frames.value = source.words, source.motion, source.frames
        self.file.value, self.own.value = source.file, source.own
        self._show()

    def _show(self) -> None:
        show_only(self._rows, self.own.value)

    def _came(self, change: Any) -> None:
        self.file.value = received(change, self.error, self._folder) or self.file.value


class FilmPanel(Panel):
    """The base panel, whose picture is a film."""

    def _arranged(self) -> list[Any]:
        self.mp4 = Download("Download MP4")
        self.stage.download.text = "Download GIF"
        self.stage.children[-1].children = (*self.stage.children[-1].children, self.mp4)
        return super()._arranged()

    def _opened(self, settings: FilmSettings) -> tuple[video.Clip, list[Image.Image]]:
        """Make the clip and its maps, and show both."""
        clip = settings.clip.open(settings.height, settings.width)
        maps = clip.maps(settings.control, settings.lane)
        looks = self.knobs["clip"].looks
        for name, image in zip(looks.slots, (clip.frames[0], maps[0], clip.frames[-1]), strict=True):
            looks.show(name, image, self.outbox)
        if clip.notes:
            self.notes.say(self.outbox, *clip.notes)
        return clip, maps

    def _preview(self, settings: FilmSettings, stop: threading.Event) -> None:
        clip, _ = self._opened(settings)
        self.stage.say(f"{len(clip)} frames.")

    def _make(self, settings: FilmSettings, stop: threading.Event) -> None:
        began, steps = time.monotonic(), 0
        self.outbox(self.mp4, name="")
        catalog.check_call(settings.lane, **{argument.name: argument.value for argument in settings.common()})
        clip, maps = self._opened(settings)
        pipe = own_pipeline(self._pipe_for(settings), settings.scheduler)
        pipe.unet = own_model(pipe.unet)
        frames: list[Image.Image] = []

        def on_step() -> None:
            nonlocal steps
            steps += 1
            if stop.is_set():
                raise Stopped
            self.stage.say(f"Frame {len(frames) + 1} of {len(clip)}, {steps} steps")

        try:
            for frame in video.paint(pipe, clip, maps, settings.prompt, settings.rung, settings.config, on_step):
                frames.append(frame)
                self.stage.step(len(frames), len(clip), frame)
        except Stopped:
            pipe.maybe_free_model_hooks()
        self._keep(settings, frames, len(clip), time.monotonic() - began)

    def _keep(self, settings: FilmSettings, frames: list[Image.Image], wanted: int, seconds: float) -> None:
        """Make a film of the finished frames and show it."""
        if len(frames) < 2:
            self.stage.say(f"Stopped after {len(frames)} finished frames: too few for a film.")
            return
        comment = json.dumps({KEY: without_paths(settings).facts()})
        shot = Shot(settings, video.to_gif(frames, comment=comment), seconds, "gif")
        self.history.add(shot)
        kept = f"Stopped: {len(frames)} of {wanted} frames are kept" if len(frames) < wanted else f"{wanted} frames"
        self._show(shot, f"{kept}, in {seconds:.1f} s.")
        self.outbox(self.mp4, data=video.to_mp4(frames), name=shot.name.replace(".gif", ".mp4"))

    def _show(self, shot: Shot, text: str) -> None:
        self.outbox(self.mp4, name="")
        super()._show(shot, text)


def film_panel(
    pipe: DiffusionPipeline,
    runtime: env.Runtime | None = None,
    prompt: str = "a man in the garden",
    negative_prompt: str = "",
    clip: ClipSource | None = None,
    control: str = "depth",
    rung: str = "warped, then median",
    folder: str | Path = "pictures",
    **defaults: float,
) -> FilmPanel:
    """Return a panel that paints a clip frame by frame.

    Args:
        pipe: from `catalog.load("controlnet", control=control)`; its weights are used, nothing of it is changed.
            Another control that is chosen in the panel is loaded when it is first used.
        runtime, prompt, negative_prompt, folder, defaults: see `text2img_panel`.
        clip: what it starts from at first; None is a walk in the garden.
        control, rung: what stands in the fields at first.

    Raises:
        TypeError, ValueError: as `text2img_panel` does, an unknown control or rung.
    """
    start = parts.first_call(pipe, runtime, prompt, negative_prompt, defaults)
    for name, value, known in (("control", control, catalog.CONTROLS), ("rung", rung, video.RUNGS)):
        if value not in known:
            raise ValueError(f"{name}={value!r} is none; use one of {', '.join(map(repr, known))}.")
    pipe_for = loaded(pipe, [control])
    knobs = {
        "clip": ClipKnob(clip or ClipSource(), start["height"], start["width"], Path(folder)),
        **parts.prompts(start),
        "control": field(Dropdown, "Control", options=list(catalog.CONTROLS), value=control),
        "rung": field(Dropdown, "Rung", options=list(video.RUNGS), value=rung),
        **parts.sampling(pipe, start),
    }
    return FilmPanel(pipe, knobs, start, FilmSettings, folder, lambda *inputs: None, pipe_for, tall=True)
