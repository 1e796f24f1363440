"""One function a control: a picture in, its control map out, both RGB and of one size.

Of a picture nobody knows the truth, so a preprocessor estimates it: the lane says which. Of a clay render it is known:
`from_truth` draws it.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from .. import env
from ..clay import Render, control_maps
from ..pictures import as_picture, notes, with_notes
from . import edges
from .pairs import check_control

DRAWN_FROM_TRUTH = {"mlsd": "line", "openpose": "pose"}  # the rest is called alike
NOTHING = {
    "canny": "No edge was found", "mlsd": "No straight line was found", "scribble": "No outline was found",
    "openpose": "Nobody was found",
}  # fmt: skip


def canny(image, low: float = 100, high: float = 200) -> Image.Image:
    """Draw the edges of a picture, on both lanes by OpenCV's Canny: white on black, one pixel wide.

    Args:
        image: whatever `as_picture` takes.
        low: an edge is followed down to this change of brightness, 0-255,
        high: if it somewhere reaches this.
    """
    picture = as_picture(image)
    drawn = Image.fromarray(edges.canny(np.asarray(picture), low, high)).convert("RGB")
    return _finished(drawn, picture, "canny")


def mlsd(image, lane: str | None = None) -> Image.Image:
    """Draw the straight lines of a picture, white on black; by LSD (clay) or M-LSD (sd15)."""
    return make("mlsd", image, lane)


def scribble(image, lane: str | None = None) -> Image.Image:
    """Draw a picture's outlines as a hand would, white on black; by edges of colour (clay) or HED (sd15)."""
    return make("scribble", image, lane)


def openpose(image, lane: str | None = None) -> Image.Image:
    """Draw joints, limbs and fingers in OpenPose's colours; by the reader (clay) or OpenPose (sd15)."""
    return make("openpose", image, lane)


def seg(image, lane: str | None = None) -> Image.Image:
    """Draw the class of each pixel in ADE20K's colours; by the reader (clay) or UperNet (sd15)."""
    return make("seg", image, lane)


def depth(image, lane: str | None = None) -> Image.Image:
    """Draw how near each pixel is, near = bright; by the network of depth2img (clay) or Depth Anything V2 (sd15)."""
    return make("depth", image, lane)


def normal(image, lane: str | None = None) -> Image.Image:
    """Draw which way surfaces face, blue front, red left, green up; by the reader (clay) or NormalBae (sd15)."""
    return make("normal", image, lane)


def make(control: str, image, lane: str | None = None) -> Image.Image:
    """Estimate a control map from a picture.

    Args:
        control: one of `catalog.CONTROLS`.
        image: whatever `as_picture` takes.
        lane: whose preprocessor: "clay" or "sd15"; None asks `env.choose_lane`.

    Returns:
        PIL, RGB, of the picture's size. `notes` of it says what there is to say: that the picture looked unlike
        clay, that nobody was found in it.

    Raises:
        ValueError: no such control or lane, or no picture.
        FileNotFoundError: the clay lane does not ship the network yet.
        ImportError: the sd15 lane needs a package that is not installed; says which.
        OSError: weights are not on this computer and could not be downloaded.
    """
    check_control(control)
    if control == "canny":
        return canny(image)
    if env.choose_lane(lane) == "clay":
        from .on_clay import MAKERS
    else:
        from .on_sd15 import MAKERS
    picture = as_picture(image)
    return _finished(MAKERS[control](picture), picture, control)


def from_truth(made: Render, control: str) -> Image.Image:
    """Draw a control map from what is true of a clay render.

    Args:
        made: from `clay.render`.
        control: one of `catalog.CONTROLS`.

    Returns:
        PIL, RGB, of the render's size.

    Raises:
        TypeError: not a render: of a picture nobody knows the truth.
        ValueError: no such control.
    """
    check_control(control)
    if not isinstance(made, Render):
        raise TypeError(f"made is of type {type(made).__name__}; give what clay.render returns, or use make().")
    return control_maps.MAPS[DRAWN_FROM_TRUTH.get(control, control)](made)


def _finished(drawn: Image.Image, picture: Image.Image, control: str) -> Image.Image:
    """Hand on the picture's notes, and say if the map is empty."""
    said = [*notes(picture)]
    if control in NOTHING and not drawn.getbbox():
        said.append(f"{NOTHING[control]} in the picture: the map is empty and steers nothing.")
    return with_notes(drawn, *said) if said else drawn
