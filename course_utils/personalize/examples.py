"""The pictures to learn from: read, checked, brought to one size, each with words that hold the trigger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import catalog, env
from ..editing import fit
from ..pictures import as_picture

if TYPE_CHECKING:
    from PIL import Image

    Picture = Image.Image | str | Path | bytes

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
MOST = 200  # pictures; more is no longer personalisation
SMALLEST = 0.5  # of the size that is trained on: below, a picture holds too little
LONGEST = 2.5  # longer side over shorter: beyond, cropping loses the subject
GOOD = (3, 30)  # pictures that are enough, and not too many


@dataclass(frozen=True)
class Example:
    """A picture and what is said of it; "{}" in the caption stands for the trigger."""

    picture: Image.Image
    caption: str = "a {}"


def gather(
    pictures: Sequence[Example | Picture] | str | Path, trigger: str, height: int = 256, width: int = 256
) -> list[Example]:
    """Make pictures ready to be learned from.

    Args:
        pictures: a folder, or a list of PIL pictures, paths, contents of picture files, or examples with captions of
            their own. Nothing is squeezed: what does not fit the shape is cut off around the middle.
        trigger: the words that shall mean the subject, for example "sks robot".
        height, width: pixels to bring them to.

    Returns:
        One example for each picture, its trigger filled in.

    Raises:
        FileNotFoundError: a path leads nowhere.
        TypeError: something that is no picture.
        ValueError: no trigger, or a caption without it; no pictures, too many, unreadable, too small or too long ones.
    """
    check_trigger(trigger)
    found = _listed(pictures)
    if not 0 < len(found) <= MOST:
        raise ValueError(f"pictures has {len(found)} pictures; give 1 to {MOST}, best {GOOD[0]} to {GOOD[1]}.")
    return [_ready(number, one, trigger, height, width) for number, one in enumerate(found)]


def check_trigger(trigger: str) -> None:
    """Raise unless the trigger says something."""
    if not isinstance(trigger, str) or not any(map(str.isalnum, trigger)):
        raise ValueError(f"trigger={trigger!r} says nothing: use a rare word and the class, such as 'sks robot'.")


def notes(
    pictures: Sequence[Example | Picture] | str | Path,
    trigger: str,
    height: int = 256,
    width: int = 256,
    lane: str | None = None,
) -> list[str]:
    """Say in sentences what a learner should know of pictures that `gather` accepts."""
    found = [_opened(number, one)[0] for number, one in enumerate(_listed(pictures))]
    sizes = sorted({(picture.height, picture.width) for picture in found})
    said = []
    if len(found) == 1:
        said.append("One picture: its place and pose are learned as part of the subject; three to five part them.")
    if len(sizes) > 1 or sizes[0][0] * width != sizes[0][1] * height:
        told = ", ".join(f"{h} x {w}" for h, w in sizes[:4]) + (" ..." if len(sizes) > 4 else "")
        said.append(f"Pictures of (height x width) {told} are cut around the middle to {height} x {width}.")
    if env.choose_lane(lane) == "clay" and not catalog.unknown_words(trigger, "clay"):
        said.append(f"The base knows {trigger!r} already and will forget what it meant; put a rare word before it.")
    return said


def _listed(pictures) -> list:
    if isinstance(pictures, str | Path):
        folder = Path(pictures)
        if not folder.is_dir():
            raise FileNotFoundError(f"pictures={str(folder)!r} is no folder.")
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    return list(pictures)


def _opened(number: int, one: Example | Picture) -> tuple[Image.Image, str]:
    """Give a picture as PIL, RGB, upright, on white where it is transparent; and its caption."""
    picture, caption = (one.picture, one.caption) if isinstance(one, Example) else (one, Example.caption)
    return as_picture(picture, f"pictures[{number}]", smallest=1), caption


def _ready(number: int, one: Example | Picture, trigger: str, height: int, width: int) -> Example:
    picture, caption = _opened(number, one)
    caption = caption.replace("{}", trigger)
    if trigger not in caption:
        raise ValueError(
            f"The caption {caption!r} of pictures[{number}] lacks the trigger {trigger!r}: write {{}} in it."
        )
    short, long = sorted(picture.size)
    if long > LONGEST * short:
        raise ValueError(
            f"pictures[{number}] has {picture.height} x {picture.width} pixels: the middle of so long a picture "
            f"may miss the subject; crop it to {LONGEST} : 1 or less."
        )
    if picture.height < SMALLEST * height or picture.width < SMALLEST * width:
        raise ValueError(
            f"pictures[{number}] has {picture.height} x {picture.width} pixels, too few for {height} x {width}: "
            f"use one of at least {round(SMALLEST * height)} x {round(SMALLEST * width)}."
        )
    return Example(fit(picture, height, width), caption)
