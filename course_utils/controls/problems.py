"""The validator: what is wrong with a control map, in plain words.

It looks at the map alone, so it tells what can be told from a picture. Its false alarms and its hits on planted
slips were measured on clay scenes; on other pictures they may be more and fewer.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..pictures import as_picture, notes
from . import slips
from .kinds import KINDS, ControlKind, kind

COUSINS = ("canny", "mlsd")  # the edges of a box are straight lines


def problems(image: Image.Image, control: str, height: int | None = None, width: int | None = None) -> list[str]:
    """Name what is wrong with a control map; what its maker had to say about it comes first.

    Edges drawn black on white, channels in BGR order, colours that stand for no class, a map of another size or
    for another control, an empty map, a photograph where a map is due: these are seen. Not seen is what a map cannot
    tell: normals with left and right exchanged, a smooth grey picture in place of depth. The sign of a depth map is
    guessed: the ground, below, is near, so a bottom that is clearly darker than the top is called wrong.

    Args:
        image: the map, as `as_picture` takes it.
        control: a key of `KINDS`: what the model was trained on.
        height, width: of the picture to be made, in pixels; None says nothing about size.

    Returns:
        A sentence a slip; an empty list if none is seen.

    Raises:
        ValueError: no such control, or no picture.
    """
    wanted = kind(control)
    picture = as_picture(image, "map", wanted.ground)
    pixels = np.asarray(picture)
    found = [*notes(picture), *_size(pixels, height, width)]
    if wanted.empty and not pixels.any():
        note = empty_note(wanted)
        return found if note in found else [*found, note]
    seems = kind_of(pixels)
    if seems not in ("", control) and not wanted.accepts(pixels, seems):
        return [*found, _of_another_kind(seems, wanted)]
    return found + wanted.slips(pixels)


def kind_of(pixels: np.ndarray) -> str:
    """Say for which control uint8 [height, width, 3] looks like a map; "photograph" for none, "" if it is empty."""
    for each in KINDS.values():
        if each.recognise and each.recognise(pixels):
            return each.name
    return slips.kind_of(pixels)


def empty_note(of: ControlKind) -> str:
    """Say that a map is empty."""
    return f"{of.empty} in the picture: the map is empty and steers nothing."


def _of_another_kind(seems: str, wanted: ControlKind) -> str:
    expects = f"the {wanted.name} model expects: {wanted.shows}, {wanted.convention}"
    if seems == "photograph":
        way = f"controls.make({wanted.name!r}, picture)"
        return f"This looks like a photograph, not like a map; {expects}. {way} makes one."
    alike = "canny or mlsd" if seems in COUSINS and wanted.name not in COUSINS else seems
    return f"This looks like a map for {alike}; {expects}."


def _size(pixels: np.ndarray, height: int | None, width: int | None) -> list[str]:
    own = pixels.shape[:2]
    wanted = (height or own[0], width or own[1])
    if own == wanted:
        return []
    bent = "" if own[0] * wanted[1] == own[1] * wanted[0] else " and squeezed"
    return [
        f"The map has {own[0]} x {own[1]} pixels (height x width), the picture {wanted[0]} x {wanted[1]}: "
        f"it would be resized{bent}; make the map of a picture of the right size."
    ]
