"""What can be seen to be wrong with a map of a kind: each function looks at uint8 [height, width, 3] alone."""

from __future__ import annotations

import numpy as np

from . import features

DOWN = 25  # grey levels by which the bottom of a depth map may be darker than its top


def inverted(pixels: np.ndarray) -> list[str]:
    """See lines that are black on white."""
    if (pixels[..., 1] > 127).mean() <= 0.5:
        return []
    return ["The lines are dark on a bright ground: the model expects white on black. Invert the map."]


def swapped_pose(pixels: np.ndarray) -> list[str]:
    """See a pose in BGR."""
    limbs = features.skeleton(pixels[..., ::-1]) - features.skeleton(pixels)
    hands = features.dots(pixels, (255, 0, 0)) - features.dots(pixels, (0, 0, 255))  # 21 blue points a hand
    return [_swapped("limbs and joints")] if limbs > 0.3 or hands > 4 else []


def palette(pixels: np.ndarray) -> list[str]:
    """See colours that stand for no class."""
    known, turned = (float(features.painted(order).mean()) for order in (pixels, pixels[..., ::-1]))
    if known > 0.999:
        return []
    if turned > known + 0.02:
        return [_swapped("the classes")]
    share = f"{100 * (1 - known):.1f} % of the pixels have a colour that stands for no class of ADE20K"
    if features.smeared(pixels) > 0.9:
        return [f"{share}: the map was saved as JPEG or resized smoothly. Save PNG, resize with NEAREST."]
    return [f"{share}: this is another palette. Paint the classes in ADE20K's colours, controls.ADE20K."]


def upside_down(pixels: np.ndarray) -> list[str]:
    """See depths that seem to be bright where they are far, or the same everywhere."""
    values, fifth = pixels[..., 1].astype(float), max(1, len(pixels) // 5)
    if np.ptp(values) == 0:
        return ["The map is the same everywhere: it has no near and far, and steers nothing."]
    if values[-fifth:].mean() - values[:fifth].mean() >= -DOWN:
        return []
    return [
        "The bottom of the map is darker than its top: far seems to be bright. The model expects near = bright. "
        "(A guess from ground and sky; it can be wrong for a close-up.)"
    ]


def turned_normals(pixels: np.ndarray) -> list[str]:
    """Tell by what every picture shows: surfaces face the eye, the ground faces up. Left and right are not told."""
    red, green, blue = (pixels[..., channel].astype(float) for channel in range(3))
    if (blue < 118).mean() > (red < 118).mean() + 0.05:
        return [_swapped("the surfaces")]
    if green[-max(1, len(green) // 5) :].mean() < 100:
        return ["The ground faces down: green seems to be flipped (DirectX's convention). Here green is up."]
    return []


def _swapped(what: str) -> str:
    return f"The colours of {what} are those of a map in BGR order, as OpenCV writes it: turn it with map[..., ::-1]."
