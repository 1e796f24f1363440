"""The pictures to learn from: read, checked, brought to one size, each with a caption that holds the trigger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import catalog, env
from ..editing import fit
from ..pictures import as_picture

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL import Image

    Picture = Image.Image | str | Path | bytes
    Pictures = Sequence["Example | Picture"] | str | Path  # a folder, or pictures

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif")
UNREAD = (".heic", ".heif", ".avif", ".svg", ".psd", ".dng", ".cr2", ".nef", ".pdf")  # pictures of other kinds
MOST = 200  # pictures; more is no longer personalisation
SMALLEST = 0.5  # of the size that is trained on: below, a picture holds too little
LONGEST = 2.5  # longer side over shorter: beyond, cropping loses the subject
GOOD = (3, 30)  # pictures that are enough, and not too many


@dataclass(frozen=True)
class Example:
    """A picture (PIL) and its caption, in which "{}" stands for the trigger."""

    picture: Image.Image
    caption: str = "a {}"


def gather(pictures: Pictures, trigger: str, height: int = 256, width: int = 256) -> list[Example]:
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
    sources = _sources(pictures)
    if not 0 < len(sources) <= MOST:
        skipped = "".join(f" {note}" for note in _left_out(pictures))
        raise ValueError(
            f"pictures has {len(sources)} pictures; give 1 to {MOST}, best {GOOD[0]} to {GOOD[1]}.{skipped}"
        )
    return [_prepared(number, source, trigger, height, width) for number, source in enumerate(sources)]


def check_trigger(trigger: str) -> None:
    """Raise unless the trigger says something."""
    if not isinstance(trigger, str) or not any(map(str.isalnum, trigger)):
        raise ValueError(f"trigger={trigger!r} says nothing: use a rare word and the class, such as 'sks robot'.")


def check_captions(pipe: DiffusionPipeline, examples: Sequence[Example], trigger: str) -> None:
    """Raise if the text encoder of `pipe` does not read as far as the trigger in a caption."""
    most = pipe.tokenizer.model_max_length
    for number, example in enumerate(examples):
        end = example.caption.index(trigger) + len(trigger)
        count = len(pipe.tokenizer(example.caption[:end], verbose=False).input_ids)
        if count > most:
            raise ValueError(
                f"The caption of pictures[{number}] is cut after {most} tokens, before the trigger {trigger!r} ends "
                f"(token {count}): shorten it, or put the trigger first."
            )


def notes(pictures: Pictures, trigger: str, height: int = 256, width: int = 256, lane: str | None = None) -> list[str]:
    """Say in sentences what a learner should know of pictures and a trigger that `gather` accepts."""
    opened = [_opened(number, source)[0] for number, source in enumerate(_sources(pictures))]
    sizes, lane = sorted({(picture.height, picture.width) for picture in opened}), env.choose_lane(lane)
    found = _left_out(pictures)
    if len(opened) == 1:
        found.append("One picture: its place and pose are learned as part of the subject; three to five part them.")
    if len(sizes) > 1 or sizes[0][0] * width != sizes[0][1] * height:
        shown = ", ".join(f"{h} x {w}" for h, w in sizes[:4]) + (" ..." if len(sizes) > 4 else "")
        found.append(f"Pictures of (height x width) {shown} are cut around the middle to {height} x {width}.")
    if lane == "clay" and not catalog.unknown_words(trigger, "clay"):
        found.append(f"The base knows {trigger!r} already and will forget what it meant; put a rare word before it.")
    if lane == "sd15" and "sks" in trigger.lower().split():
        found.append("To Stable Diffusion 'sks' is a rifle, which may show through; another rare word is safer.")
    return found


def _sources(pictures) -> list:
    """List what shall be opened; of a folder, its files with the ending of a picture."""
    if not isinstance(pictures, str | Path):
        return list(pictures)
    if not Path(pictures).is_dir():
        raise FileNotFoundError(f"pictures={str(pictures)!r} is no folder.")
    return sorted(path for path in Path(pictures).iterdir() if path.suffix.lower() in SUFFIXES)


def _left_out(pictures) -> list[str]:
    """Name the pictures of a folder that are of a kind which is not read."""
    if not isinstance(pictures, str | Path):
        return []
    names = sorted(path.name for path in Path(pictures).iterdir() if path.suffix.lower() in UNREAD)
    shown = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
    return [f"{len(names)} pictures are left out ({shown}): save them as PNG or JPEG."] if names else []


def _opened(number: int, source: Example | Picture) -> tuple[Image.Image, str]:
    """Give a picture as PIL, RGB, and its caption."""
    picture, caption = (source.picture, source.caption) if isinstance(source, Example) else (source, Example.caption)
    return as_picture(picture, f"pictures[{number}]", smallest=1), caption


def _prepared(number: int, source: Example | Picture, trigger: str, height: int, width: int) -> Example:
    picture, caption = _opened(number, source)
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
