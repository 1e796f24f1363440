"""The validator: what is wrong with a control map, in plain words.

It looks at the map alone, so it tells what can be told from a picture. Its false alarms and its hits on planted
slips were measured on clay scenes; on other pictures they may be more and fewer.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from ..pictures import as_picture, notes
from . import looks
from .pairs import PAIRS, check_control

DRAWN = ("canny", "mlsd", "scribble")  # white on black
COUSINS = ("canny", "mlsd")  # the edges of a box are straight lines
DOWN = 25  # grey levels by which the bottom of a depth map may be darker than its top
ORDER = 0.3  # rank correlation with a reference below which the depths are in another order
CURVED = 0.65  # share of straight lines that an M-LSD map has at least,
STRAIGHT = 0.90  # and an edge map at most
ENOUGH = 256  # pixels of the smaller side: of so many it is seen what kind a map is
ROOM_FOR_PEN = 128  # pixels of the smaller side: in smaller pictures all strokes are thin


def problems(
    image: Image.Image,
    control: str,
    height: int | None = None,
    width: int | None = None,
    reference: Image.Image | None = None,
) -> list[str]:
    """Name what is wrong with a control map; what its maker had to say about it comes first.

    Edges drawn black on white, channels in BGR order, colours that stand for no class, a map of another size or
    for another control, a photograph where a map is due: these are seen. Not seen is what a map cannot tell: normals
    with left and right exchanged, a smooth grey picture in place of depth. The sign of a depth map can only be guessed
    without a reference: the ground, below, is near, so a bottom that is clearly darker than the top is called wrong.

    Args:
        image: the map, as `as_picture` takes it.
        control: one of `catalog.CONTROLS`: what the model was trained on.
        height, width: of the picture to be made, in pixels; None says nothing about size.
        reference: a depth map of the same picture that is known to be right; for "depth" only.

    Returns:
        A sentence a slip; an empty list if none is seen.

    Raises:
        ValueError: no such control, or no picture.
    """
    check_control(control)
    picture = as_picture(image, "map")
    pixels = np.asarray(picture)
    found = [*notes(picture), *_size(pixels, height, width)]
    kind = kind_of(pixels)
    if kind and not _suits(pixels, kind, control):
        return [*found, _of_another_kind(kind, control)]
    if control == "depth" and reference is not None:
        return found + _against(pixels, np.asarray(as_picture(reference, "reference")))
    return found + SLIPS[control](pixels)


def kind_of(pixels: np.ndarray) -> str:
    """Say for which control uint8 [height, width, 3] looks like a map; "photograph" for none, "" if it is empty."""
    if not looks.grey(pixels):
        step = max(1, min(pixels.shape[:2]) // ENOUGH)
        pixels = pixels[::step, ::step]
        if max(looks.painted(order, looks.JPEG).mean() for order in (pixels, pixels[..., ::-1])) > 0.6:
            return "seg"
        if looks.empty(pixels) > 0.5:
            return "openpose"
        if looks.unit(pixels) > 0.85:
            return "normal"
        return "seg" if looks.colours(pixels) <= 64 else "photograph"
    values = pixels[..., 1]
    if looks.levels(values) > looks.LINE_LEVELS:
        return "photograph" if looks.rough(values) > looks.GRAIN else "depth"
    drawn = _lines(values)
    if not drawn.any():
        return ""
    if looks.thick(drawn) > 0.5:
        return "scribble"
    return "mlsd" if looks.straight(drawn) > STRAIGHT else "canny"


def _lines(values: np.ndarray) -> np.ndarray:
    """Mark what is drawn on the paper, whichever of them is white: bool [height, width]."""
    bright = values > 127
    return ~bright if bright.mean() > 0.5 else bright


def _suits(pixels: np.ndarray, kind: str, control: str) -> bool:
    if kind == control:
        return True
    if control == "mlsd" and kind == "canny":  # short lines and corners: between the two lies doubt
        return looks.straight(_lines(pixels[..., 1])) >= CURVED
    return control == "scribble" and kind in DRAWN and min(pixels.shape[:2]) < ROOM_FOR_PEN


def _of_another_kind(kind: str, control: str) -> str:
    pair = PAIRS[control]
    wanted = f"the {control} model expects: {pair.shows}, {pair.convention}"
    if kind == "photograph":
        return f"This looks like a photograph, not like a map; {wanted}. controls.{control}(picture) makes one."
    alike = "canny or mlsd" if kind in COUSINS and control not in COUSINS else kind
    return f"This looks like a map for {alike}; {wanted}."


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


def _inverted(pixels: np.ndarray) -> list[str]:
    if (pixels[..., 1] > 127).mean() <= 0.5:
        return []
    return ["The lines are dark on a bright ground: the model expects white on black. Invert the map."]


def _swapped_pose(pixels: np.ndarray) -> list[str]:
    limbs = looks.skeleton(pixels[..., ::-1]) - looks.skeleton(pixels)
    hands = looks.dots(pixels, (255, 0, 0)) - looks.dots(pixels, (0, 0, 255))  # 21 blue points a hand
    return [_swapped("limbs and joints")] if limbs > 0.3 or hands > 4 else []


def _swapped(what: str) -> str:
    return f"The colours of {what} are those of a map in BGR order, as OpenCV writes it: turn it with map[..., ::-1]."


def _palette(pixels: np.ndarray) -> list[str]:
    known, turned = (float(looks.painted(order).mean()) for order in (pixels, pixels[..., ::-1]))
    if known > 0.999:
        return []
    if turned > known + 0.02:
        return [_swapped("the classes")]
    share = f"{100 * (1 - known):.1f} % of the pixels have a colour that stands for no class of ADE20K"
    if looks.smeared(pixels) > 0.9:
        return [f"{share}: the map was saved as JPEG or resized smoothly. Save PNG, resize with NEAREST."]
    return [f"{share}: this is another palette. Paint the classes in ADE20K's colours, controls.ADE20K."]


def _upside_down(pixels: np.ndarray) -> list[str]:
    values, fifth = pixels[..., 1].astype(float), max(1, len(pixels) // 5)
    if values[-fifth:].mean() - values[:fifth].mean() >= -DOWN:
        return []
    return [
        "The bottom of the map is darker than its top: far seems to be bright. The model expects near = bright. "
        "(A guess from ground and sky; it can be wrong for a close-up.)"
    ]


def _against(pixels: np.ndarray, reference: np.ndarray) -> list[str]:
    from ..adherence import depth_rank

    if pixels.shape != reference.shape:
        raise ValueError(
            f"reference has shape {list(reference.shape)} and the map {list(pixels.shape)}; they must pair up."
        )
    rank = depth_rank(reference[..., 1], pixels[..., 1])
    if rank <= -ORDER:
        return [f"Near and far are swapped (rank correlation {rank:.2f} with the reference): invert the map."]
    if rank < ORDER:
        return [f"The depths are in another order than the reference's (rank correlation {rank:.2f})."]
    return []


def _turned_normals(pixels: np.ndarray) -> list[str]:
    """Tell by what every picture shows: surfaces face the eye, the ground faces up. Left and right are not told."""
    red, green, blue = (pixels[..., channel].astype(float) for channel in range(3))
    if (blue < 118).mean() > (red < 118).mean() + 0.05:
        return [_swapped("the surfaces")]
    if green[-max(1, len(green) // 5) :].mean() < 100:
        return ["The ground faces down: green seems to be flipped (DirectX's convention). Here green is up."]
    return []


SLIPS: dict[str, Callable[[np.ndarray], list[str]]] = {
    **dict.fromkeys(DRAWN, _inverted), "openpose": _swapped_pose, "seg": _palette, "depth": _upside_down,
    "normal": _turned_normals,
}  # fmt: skip
