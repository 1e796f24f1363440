"""Pictures that a panel starts from, as plain data: what makes the same picture again, and the Python that does.

A clay scene is kept as its words and seed, a drawing as its strokes, a doll as its state. An uploaded picture is
written into the panel's folder as it came, and kept as the name of that file.
"""

from __future__ import annotations

import hashlib
import json
import pprint
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from PIL import Image

from .. import clay, controls, editing, pose
from ..pictures import RESIZES, encoded
from ..validation import Choice, Seed, check_config
from .record import slug, write

if TYPE_CHECKING:
    from ..clay import Render

KINDS = ("scene", "file", "paper", "doll")
INPUTS = "inputs"  # the folder in the panel's folder where uploaded pictures are kept


@dataclass(frozen=True)
class PictureSource:
    """A picture by how it is had, and what was drawn on it."""

    kind: Annotated[str, Choice(KINDS)]  # a clay scene, a file, black paper to draw on, or the pose doll
    words: str = ""  # of the scene; without words the seed chooses all
    seed: Seed = 0  # of the scene
    file: str = ""
    strokes: tuple = ()  # as editing.paint takes them
    doll: str = ""  # its state as JSON, see `pose.state_of`
    resize: Annotated[str, Choice(RESIZES)] = "fit"  # of the file, where its shape is another

    def __post_init__(self) -> None:
        check_config(self)

    @classmethod
    def of(cls, found: dict[str, Any]) -> PictureSource:
        """Return a picture from what JSON made of it."""
        return cls(**found | {"strokes": frozen(found["strokes"])})

    def base(self, height: int, width: int) -> Image.Image:
        """Return the picture without the strokes.

        Raises:
            ValueError: there is none, or words that name nothing.
            OSError: the file cannot be read.
        """
        if self.kind in ("scene", "doll"):
            return controls.as_picture(self.render(height, width).image)
        if self.kind == "paper":
            return Image.new("RGB", (width, height))
        if not self.file:
            raise ValueError("There is no picture yet: choose a file, or take a clay scene.")
        return editing.fit(controls.as_picture(self.file), height, width, self.resize)

    def picture(self, height: int, width: int) -> Image.Image:
        """Return the picture with what is drawn on it: RGB."""
        if self.kind == "paper" and not self.strokes:
            raise ValueError("The pad is empty: draw something on it first.")
        return editing.paint(self.base(height, width), self.strokes)

    def mask(self, height: int, width: int) -> Image.Image:
        """Return what is marked: L, white on black."""
        return editing.mask(self.strokes, height, width)

    def marked(self, height: int, width: int) -> bool:
        """Tell whether anything is marked, and not all of it was erased again."""
        return self.mask(height, width).getbbox() is not None

    def render(self, height: int, width: int) -> Render:
        """Return the scene with its truth.

        Raises:
            ValueError: it is no scene, so nobody knows the truth; words that name nothing, or no doll.
        """
        if self.kind == "doll":
            return clay.render(pose.scene_of(json.loads(self.doll or "{}")), height, width)
        if self.kind != "scene":
            raise ValueError("Only a clay scene has a known truth: choose one, or have the map made from the picture.")
        return clay.render(clay.scene(self.seed, words=self.words or None), height, width)

    def truth(self, control: str, height: int, width: int) -> Image.Image:
        """Return a control map as it is known; a doll's skeleton without what is hidden by hand."""
        made = self.render(height, width)
        return true_map(made, control, json.loads(self.doll)["figures"] if self.kind == "doll" else None)

    def code(self, height: int, width: int, number: str = "") -> str:
        """Return Python that makes `picture` (and `mask`, if anything is marked), their names with a number."""
        size = f"{height}, {width}"
        posed = pprint.pformat(json.loads(self.doll or "{}"), width=110, compact=True, sort_dicts=False)
        lines = {
            "scene": f"made{number} = clay.render(clay.scene({self.seed}, words={self.words or None!r}), {size})\n"
            f"picture{number} = controls.as_picture(made{number}.image)\n",
            "file": f"picture{number} = editing.fit(controls.as_picture({self.file!r}), {size}{self.resizing})\n",
            "paper": "",
            "doll": f"doll{number} = {posed}\nmade{number} = clay.render(pose.scene_of(doll{number}), {size})\n"
            f"picture{number} = controls.as_picture(made{number}.image)\n",
        }[self.kind]
        if self.strokes:
            drawn = "".join(f"    {stroke!r},\n" for stroke in self.strokes)
            lines += f"strokes{number} = [\n{drawn}]\n"
        if self.kind == "paper":
            return f"{lines}picture{number} = editing.scribble(strokes{number}, {size})\n"
        if self.marked(height, width):
            lines += f"mask{number} = editing.mask(strokes{number}, {size})\n"
        return lines + (f"picture{number} = editing.paint(picture{number}, strokes{number})\n" if self.strokes else "")

    @property
    def resizing(self) -> str:
        """Return the last argument, in Python, of what brings the file to a size."""
        return "" if self.resize == "fit" else f", {self.resize!r}"


def true_map(made: Render, control: str, figures: Sequence[Mapping] | None = None) -> Image.Image:
    """Draw a map from a render's truth; of a doll's `figures` the skeleton as they are, without hidden joints."""
    if control == "openpose" and figures is not None:
        return pose.draw(pose.skeletons(made, figures), *made.depth.shape)
    return controls.from_truth(made, control)


def true_map_code(control: str, size: str, number: str = "", doll: bool = False) -> str:
    """Return the Python of `true_map`, of the render `made` or of a doll, their names with a number."""
    if control == "openpose" and doll:
        return f"pose.draw(pose.skeletons(made{number}, doll{number}['figures']), {size})"
    return f"controls.from_truth(made{number}, {control!r})"


def source_of(picture: PictureSource | Path | str) -> PictureSource:
    """Return what a lesson names as a picture: a source as it is, a Path as a file, words as a clay scene."""
    if isinstance(picture, PictureSource):
        return picture
    if isinstance(picture, Path):
        return PictureSource("file", file=picture.as_posix())
    return PictureSource("scene", words=picture)


def frozen(strokes: Sequence) -> tuple:
    """Return strokes as tuples all through: they can be compared, and nobody changes them later."""
    return tuple((ink, width, tuple(points)) for ink, width, points in strokes)


def keep(image: Image.Image | bytes, name: str, folder: Path) -> str:
    """Write an uploaded picture, or its file as it came, into a folder, once, and return the file's path.

    Raises:
        OSError: it could not be written; the message is for the learner.
    """
    path = folder / kept_name(image, name)
    if not path.exists():
        write(image if isinstance(image, bytes) else encoded(image), folder, path.name)
    return path.as_posix()


def kept_name(image: Image.Image | bytes, name: str) -> str:
    """Return the name that `keep` gives a file: the beginning of its own, and of the content's SHA-256."""
    plain = isinstance(image, bytes)
    suffix = f".{slug(Path(name).suffix) or 'png'}" if plain else ".png"
    digest = hashlib.sha256(image if plain else image.tobytes()).hexdigest()
    stem = re.sub(r"-[0-9a-f]{8}$", "", slug(Path(name).stem))  # of a picture that was kept already
    return f"{stem or 'picture'}-{digest[:8]}{suffix}"
