"""A picture in, its control map out, both RGB and of one size; and how far a picture obeys a map.

Of a picture nobody knows the truth, so a preprocessor estimates it: the lane says which. Of a clay render it is known:
`from_truth` draws it.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from PIL import Image, ImageOps

from .. import env
from ..clay import Render
from ..pictures import RESIZES, as_picture, notes, resized, with_notes
from ..validation import Choice, Range, check_value
from . import edges, preprocess_clay, preprocess_sd15
from .kinds import ControlKind, joint_shares, kind
from .problems import empty_note, kind_of


def canny(image, low: float = 100, high: float = 200) -> Image.Image:
    """Draw the edges of a picture, on both lanes by OpenCV's Canny: white on black, one pixel wide.

    Args:
        image: whatever `as_picture` takes.
        low: an edge is followed down to this change of brightness, 0-255,
        high: if it somewhere reaches this.
    """
    picture = as_picture(image)
    return _with_what_is_to_say(preprocess_clay.canny(picture, low, high), picture, kind("canny"))


def make(control: str, image, lane: str | None = None, **knobs: float) -> Image.Image:
    """Estimate a control map from a picture.

    Args:
        control: a key of `KINDS`.
        image: whatever `as_picture` takes.
        lane: whose preprocessor: "clay" or "sd15"; None asks `env.choose_lane`.
        knobs: of the preprocessor, such as `low` and `high` of canny; see `Preprocessor.knobs`.

    Returns:
        PIL, RGB, of the picture's size. `notes` of it says what there is to say: that the picture looked unlike
        clay, that nobody was found in it, that it was a map already.

    Raises:
        ValueError: no such control, lane or knob, or no picture.
        FileNotFoundError: the clay lane does not ship the network yet.
        ImportError: the sd15 lane needs a package that is not installed; says which.
        OSError: weights are not on this computer and could not be downloaded.
    """
    wanted, lane = kind(control), env.choose_lane(lane)
    if lane not in wanted.preprocessors:
        raise ValueError(f"lane={lane!r} has no preprocessor for control={control!r}; use {[*wanted.preprocessors]}.")
    preprocessor = wanted.preprocessors[lane]
    known = {knob.name: knob for knob in preprocessor.knobs}
    for name, value in knobs.items():
        if name not in known:
            raise ValueError(f"{preprocessor.name} has no knob {name!r}; use {[*known] or 'none'}.")
        check_value(name, value, Annotated[float, Range(known[name].low, known[name].high)])
    picture = as_picture(image)
    return _with_what_is_to_say(preprocessor.make(picture, **knobs), picture, wanted)


def joints(image, lane: str | None = None) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """List the joints that a lane's preprocessor sees in a picture: what its openpose map is drawn from.

    Args, raises: as of `make`.

    Returns:
        Bodies [18, 3] in OpenPose's order, and hands [21, 3]: column, row (pixels), visibility 0-1.
    """
    by = {"clay": preprocess_clay.joints, "sd15": preprocess_sd15.joints}
    return by[env.choose_lane(lane)](as_picture(image))


def from_truth(made: Render, control: str) -> Image.Image:
    """Draw a control map from what is true of a clay render.

    Args:
        made: from `clay.render`.
        control: a key of `KINDS`.

    Returns:
        PIL, RGB, of the render's size.

    Raises:
        TypeError: not a render: of a picture nobody knows the truth.
        ValueError: no such control, or one that nobody can draw.
    """
    draw = kind(control).draw
    if draw is None:
        raise ValueError(f"control={control!r} is not drawn from truth; use make().")
    if not isinstance(made, Render):
        raise TypeError(f"made is of type {type(made).__name__}; give what clay.render returns, or use make().")
    return draw(made)


def as_map(
    image, control: str, height: int | None = None, width: int | None = None, resize: str = "fit"
) -> Image.Image:
    """Return a finished map, whatever holds it, at the size of the picture to be made.

    Lines stay white, classes keep their colours, and what is transparent becomes black where black means nothing; a
    note says so.

    Args:
        image: whatever `as_picture` takes.
        control: a key of `KINDS`.
        height, width: pixels; None keeps the map's own.
        resize: "fit" cuts off what hangs over, "fill" and "stretch" do not, see `pictures.resized`.
    """
    check_value("resize", resize, Annotated[str, Choice(RESIZES)])
    wanted = kind(control)
    drawn = as_picture(image, "map", wanted.ground)
    size = (width or drawn.width, height or drawn.height)
    if drawn.size == size:
        return drawn
    smooth = Image.Resampling.LANCZOS if wanted.resize == "smooth" else Image.Resampling.NEAREST
    lines = wanted.resize == "lines"
    if resize != "fit":
        scale = edges.resize_lines if lines else lambda each, size: each.resize(size, smooth)
        return resized(drawn, *size[::-1], resize, scale)
    if lines:
        scale = max(size[0] / drawn.width, size[1] / drawn.height)
        covering = [max(least, round(side * scale)) for least, side in zip(size, drawn.size, strict=True)]
        return ImageOps.fit(edges.resize_lines(drawn, covering), size, Image.Resampling.NEAREST)
    return ImageOps.fit(drawn, size, smooth)


def adherence_of(control: str, made: Render, picture) -> float:
    """Say how far a picture is what a control asked for, by the `measure` of its kind.

    The truth is the render's; what is in the picture is seen by the clay lane's own preprocessors, so of a picture
    that is not of clay only edges, lines and outlines can be told.

    Args:
        control: a key of `KINDS`.
        made: from `clay.render`: what the map was drawn from.
        picture: what came out, of the render's size; whatever `as_picture` takes.

    Returns:
        Higher is better, 1 is perfect; nan where the map asks for nothing.

    Raises:
        ValueError: no such control, one without a measure, or a picture of another size.
        FileNotFoundError: the clay lane does not ship the network that looks.
    """
    measure, seen = kind(control).adherence, as_picture(picture, "picture")
    if measure is None:
        raise ValueError(f"control={control!r} has no measure of adherence.")
    if seen.size != made.image.shape[1::-1]:
        raise ValueError(
            f"picture has {seen.height} x {seen.width} pixels (height x width), the render "
            f"{' x '.join(map(str, made.image.shape[:2]))}; they must pair up."
        )
    return float(measure(made, seen))


def adherence_of_joints(made: Render, picture) -> dict[str, float]:
    """Give PCK@0.1 of "body" and "hand" apart; nan where the render shows none. Arguments as of `adherence_of`."""
    return joint_shares(made, as_picture(picture, "picture"))


def _with_what_is_to_say(drawn: Image.Image, picture: Image.Image, of: ControlKind) -> Image.Image:
    """Hand on the picture's notes, and say if it was a map already or the map is empty."""
    sentences, pixels = [*notes(picture)], np.asarray(picture)
    seems = kind_of(pixels)
    if seems and (seems == of.name or of.accepts(pixels, seems)):
        sentences.append(f"This is a {seems} map already: use it as it is, without a preprocessor.")
    if of.empty and not drawn.getbbox():
        sentences.append(empty_note(of))
    return with_notes(drawn, *sentences) if sentences else drawn
