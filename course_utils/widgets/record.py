"""What made a picture: the settings, the Python call that repeats it, and both inside the PNG."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import tempfile
import textwrap
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import Annotated, Any, ClassVar, NamedTuple

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from .. import env
from ..catalog.calls import Guidance, Steps
from ..pictures import encoded
from ..validation import Choice, Range, Seed, check_config

KEY = "course_utils"  # of the settings among a PNG's texts, and in a GIF's comment
# What a shown call may use.
ROOMS = ("catalog", "clay", "controlnet", "controls", "editing", "excite", "personalize", "pose")
PATHS = ("file", "region_file", "loras", "base")  # fields that hold paths, wherever in settings they stand
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


class Argument(NamedTuple):
    """One argument of a call: what the pipeline gets, and how Python says it."""

    name: str
    value: Any  # or a function without arguments that makes it: a map is made only when it is needed
    expression: str = ""  # Python for a value that has no literal

    def made(self) -> Any:
        """Return the value."""
        return self.value() if callable(self.value) else self.value

    def __str__(self) -> str:
        return f"{self.name}={self.expression or repr(self.value)}"


@dataclass(frozen=True)
class Settings:
    """The knobs of one call. A panel with more knobs adds fields and extends `call`, all else is read from it.

    Raises:
        TypeError, ValueError: a field that cannot be; names it and its value.
    """

    kind: ClassVar[str] = "text2img"  # of panel
    pipeline: ClassVar[str] = "text2img"  # of catalog.load
    nested: ClassVar[dict[str, Callable[[Any], Any]]] = {}  # what makes a field of what JSON made of it
    renamed: ClassVar[dict[str, str]] = {  # fields, by their names in pictures that were saved before version 0.2
        "steps": "num_inference_steps",
        "guidance": "guidance_scale",
        "guess": "guess_mode",
        "given": "picture",
        "until": "alter_share",
    }

    prompt: str
    negative_prompt: str
    seed: Seed
    num_inference_steps: Steps
    guidance_scale: Guidance
    scheduler: str  # a name of catalog.schedulers()
    height: Annotated[int, Range(1)]  # pixels
    width: Annotated[int, Range(1)]
    lane: Annotated[str, Choice(env.LANES)]

    def __post_init__(self) -> None:
        check_config(self)

    def common(self) -> list[Argument]:
        """Return the arguments that every pipeline takes."""
        names = ["prompt", *(["negative_prompt"] if self.negative_prompt else [])]
        return [Argument(name, getattr(self, name)) for name in (*names, "num_inference_steps", "guidance_scale")]

    def call(self) -> list[Argument]:
        """Return what the pipeline is called with, the generator excepted."""
        return [*self.common(), Argument("height", self.height), Argument("width", self.width)]

    @property
    def controls(self) -> list[str]:
        """Return the names of the pipeline's ControlNets, as `catalog.load` takes them."""
        return []

    def loading(self) -> dict[str, Any]:
        """Return the arguments of `catalog.load` after the pipeline's kind."""
        return {"lane": self.lane} | ({"control": alone(names)} if (names := self.controls) else {})

    def preparation(self) -> str:
        """Return Python that makes what the call's expressions name, such as its pictures."""
        return ""

    def context(self) -> str:
        """Return Python for the `with` around the call; empty without one."""
        return ""

    def arguments(self) -> dict[str, Any]:
        """Return the pipeline's arguments, the generator excepted."""
        return {argument.name: argument.made() for argument in self.call()}

    def code(self) -> str:
        """Return Python that makes the same picture, without a panel."""
        loading = ", ".join([repr(self.pipeline), *(f"{name}={value!r}" for name, value in self.loading().items())])
        arguments = [*map(str, self.call()), f"generator=torch.Generator().manual_seed({self.seed})"]
        call = "image = pipe(\n" + "".join(f"    {argument},\n" for argument in arguments) + ").images[0]\n"
        if context := self.context():
            call = f"with {context}:\n{textwrap.indent(call, '    ')}"
        load = f"pipe = catalog.load({loading})\npipe = catalog.with_scheduler(pipe, {self.scheduler!r})\n"
        body = load + self.preparation() + call
        rooms = ", ".join(room for room in ROOMS if f"{room}." in body)
        return f"import torch\nfrom course_utils import {rooms}\n\n{body}"

    def facts(self) -> dict[str, Any]:
        """Return what a saved picture tells of them, for JSON."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def of(cls, found: dict[str, Any]) -> Settings:
        """Return settings from what JSON made of them."""
        return cls(**found | {name: make(found[name]) for name, make in cls.nested.items()})


@dataclass(frozen=True)
class Shot:
    """One finished picture."""

    settings: Settings
    png: bytes  # the file, with the settings inside
    seconds: float  # that it took
    format: str = "png"  # or "gif", a film's
    more: Any = field(default=None, compare=False)  # what its panel shows beside it

    @property
    def image(self) -> Image.Image:
        """Return the picture."""
        return Image.open(io.BytesIO(self.png)).convert("RGB")

    @property
    def name(self) -> str:
        """Return a file name: the prompt's first words and the seed."""
        return f"{slug(self.settings.prompt) or self.settings.kind}-{self.settings.seed}.{self.format}"


def alone(values: list) -> Any:
    """Return the values as a pipeline wants them: a list only where there are several ControlNets."""
    return values[0] if len(values) == 1 else values


def slug(text: str) -> str:
    """Return the beginning of a text as a part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:40].strip("-")


def without_paths(value: Any, name: str = "") -> Any:
    """Return settings with the names of files in place of their paths: so they leave this computer.

    Args:
        value: settings, or what stands in a field of them.
        name: of that field.
    """
    if is_dataclass(value):
        parts = {each.name: getattr(value, each.name) for each in fields(value)}
        return replace(value, **{part: without_paths(each, part) for part, each in parts.items()})
    if isinstance(value, tuple):
        return tuple(without_paths(each, name) for each in value)
    return PureWindowsPath(value).name if name in PATHS and isinstance(value, str) else value


def to_png(image: Image.Image, settings: Settings) -> bytes:
    """Return the picture as PNG, its texts holding the settings (JSON), the prompt and the call, and no path."""
    texts, named = PngInfo(), without_paths(settings)
    texts.add_text(KEY, json.dumps(named.facts()))
    texts.add_itxt("Description", settings.prompt)
    texts.add_itxt("Source", named.code())
    return encoded(image, pnginfo=texts)


def from_png(source: str | Path | io.BufferedIOBase, settings: type[Settings] = Settings) -> Settings:
    """Read the settings out of a picture that a panel made, whatever version of the course it had.

    Files stand there by their names: where they lie is not written into a picture.

    Args:
        source: the file: a PNG, or the GIF of a film. The MP4 of the same film holds none.
        settings: the class of the panel's settings.

    Raises:
        TypeError, ValueError: the picture holds none, those of another panel, or some that cannot be; or no picture.
    """

    def rename(found: dict[str, Any]) -> dict[str, Any]:
        return {settings.renamed.get(name, name): value for name, value in found.items()}

    wanted = f"give a {'GIF' if settings.kind == 'film' else 'PNG'} that a {settings.kind!r} panel made"
    try:
        with Image.open(source) as image:
            text = getattr(image, "text", {}).get(KEY) or image.info.get("comment", b"")
        found = json.loads(text, object_hook=rename)
    except UnidentifiedImageError:
        raise ValueError(f"source is no picture, and a video holds no settings; {wanted}.") from None
    except ValueError:  # no text at all, or of another program
        found = None
    found = found.get(KEY, found) if isinstance(found, dict) else None
    kind = found.pop("kind", None) if isinstance(found, dict) else None
    if kind != settings.kind or set(found) != {each.name for each in fields(settings)}:
        raise ValueError(f"source holds settings of kind {kind!r}; {wanted}.")
    return settings.of(found)


def write(png: bytes, folder: Path, name: str) -> Path:
    """Write a file into a folder: whole or not at all, and never over another file.

    Raises:
        OSError: it could not be written; the message is for the learner.
    """
    half_written = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
            half_written = Path(file.name)
            file.write(png)
        path = free(folder / name)
        os.replace(half_written, path)
        return path
    except OSError as problem:
        if half_written is not None:
            half_written.unlink(missing_ok=True)
        raise OSError(problem.errno, _reason(problem, folder)) from problem


def free(path: Path, taken: frozenset[str] | set[str] = frozenset()) -> Path:
    """Return the path, with a number where its name is taken on the disk or among those given."""
    number, new = 2, path
    while new.exists() or new.as_posix() in taken:
        new = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return new


def _reason(problem: OSError, folder: Path) -> str:
    if problem.errno in FULL:
        return f"The disk is full: {folder} has no room for the picture."
    if problem.errno in CLOSED:
        return f"The folder {folder} cannot be written to."
    return f"The folder {folder} cannot be used: {os.strerror(problem.errno or errno.EIO).lower()}."
