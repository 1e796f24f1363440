"""What made a picture: the settings, the Python call that repeats it, and both inside the PNG."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image
from PIL.PngImagePlugin import PngInfo

KEY = "course_utils"  # of the settings among a PNG's texts
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ROOMS = ("catalog", "clay", "controls", "editing", "excite")  # that a shown call may use
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True)
class Settings:
    """The knobs of one call. A panel with more knobs adds fields and their place in `arguments`."""

    kind: ClassVar[str] = "text2img"  # of catalog.load

    prompt: str
    negative_prompt: str
    seed: int
    steps: int
    guidance: float
    scheduler: str  # a name of catalog.schedulers()
    height: int  # pixels
    width: int
    lane: str

    def plain(self) -> dict[str, Any]:
        """Return the arguments that every pipeline takes."""
        negative = {"negative_prompt": self.negative_prompt} if self.negative_prompt else {}
        return {
            "prompt": self.prompt,
            **negative,
            "num_inference_steps": self.steps,
            "guidance_scale": self.guidance,
        }

    def arguments(self) -> dict[str, Any]:
        """Return the pipeline's arguments, the generator excepted."""
        return {**self.plain(), "height": self.height, "width": self.width}

    def expressions(self) -> dict[str, str]:
        """Return the same arguments as Python; names in it are made by `making`."""
        return {name: repr(value) for name, value in self.arguments().items()}

    def making(self) -> str:
        """Return Python that makes what the call needs, such as its pictures."""
        return ""

    def loading(self) -> str:
        """Return the arguments of `catalog.load`."""
        return f"{self.kind!r}, lane={self.lane!r}"

    def code(self) -> str:
        """Return Python that makes the same picture, without a panel."""
        arguments = "".join(f"    {name}={said},\n" for name, said in self.expressions().items())
        body = (
            f"{self.making()}"
            f"pipe = catalog.load({self.loading()})\n"
            f"pipe = catalog.with_scheduler(pipe, {self.scheduler!r})\n"
            f"image = pipe(\n{arguments}"
            f"    generator=torch.Generator().manual_seed({self.seed}),\n"
            ").images[0]\n"
        )
        rooms = ", ".join(room for room in ROOMS if f"{room}." in body)
        return f"import torch\nfrom course_utils import {rooms}\n\n{body}"

    @classmethod
    def of(cls, found: dict[str, Any]) -> Settings:
        """Return settings from what JSON made of them."""
        return cls(**found)


@dataclass(frozen=True)
class Shot:
    """One finished picture."""

    settings: Settings
    png: bytes  # with the settings inside
    seconds: float  # that it took

    @property
    def image(self) -> Image.Image:
        """Return the picture."""
        return Image.open(io.BytesIO(self.png)).convert("RGB")

    @property
    def name(self) -> str:
        """Return a file name: the prompt's first words and the seed."""
        words = re.sub(r"[^a-z0-9]+", "-", self.settings.prompt.lower())[:40].strip("-")
        return f"{words or self.settings.kind}-{self.settings.seed}.png"


def to_png(image: Image.Image, settings: Settings) -> bytes:
    """Return the picture as PNG, its texts holding the settings (JSON), the prompt and the call."""
    texts = PngInfo()
    texts.add_text(KEY, json.dumps({"kind": settings.kind, **asdict(settings)}))
    texts.add_itxt("Description", settings.prompt)
    texts.add_itxt("Source", settings.code())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=texts)
    return buffer.getvalue()


def from_png(source: str | Path | io.BufferedIOBase, settings: type[Settings] = Settings) -> Settings:
    """Read the settings out of a picture that a panel made.

    Args:
        source: the file.
        settings: the class of the panel's settings.

    Raises:
        ValueError: the picture holds none, or those of another panel.
    """
    with Image.open(source) as image:
        found = json.loads(getattr(image, "text", {}).get(KEY, "{}"))
    kind = found.pop("kind", None)
    if kind != settings.kind or set(found) != {field.name for field in fields(settings)}:
        raise ValueError(f"source holds settings of kind {kind!r}; give a PNG that a {settings.kind!r} panel made.")
    return settings.of(found)


def save(shot: Shot, folder: Path) -> Path:
    """Write a shot's PNG into a folder: whole or not at all, and never over another file.

    Raises:
        OSError: it could not be written; the message is for the learner, and the shot is unharmed.
    """
    try:
        return write(shot.png, folder, shot.name)
    except OSError as problem:
        raise OSError(problem.errno, f"{problem.strerror} Nothing is lost: the picture is still here, "
                      "download it, or mend this and press Save again.") from problem  # fmt: skip


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
        path = _free(folder / name)
        os.replace(half_written, path)
        return path
    except OSError as problem:
        if half_written is not None:
            half_written.unlink(missing_ok=True)
        raise OSError(problem.errno, _reason(problem, folder)) from problem


def _free(path: Path) -> Path:
    """Return the path, with a number where the name is taken."""
    number, free = 2, path
    while free.exists():
        free = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return free


def _reason(problem: OSError, folder: Path) -> str:
    if problem.errno in FULL:
        return f"The disk is full: {folder} has no room for the picture."
    if problem.errno in CLOSED:
        return f"The folder {folder} cannot be written to."
    return f"The folder {folder} cannot be used: {os.strerror(problem.errno or errno.EIO).lower()}."
