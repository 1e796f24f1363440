"""Whether a picture shows the beach: told by its colours alone, no network.

The judge names things and colours, not places. For a place colours are enough. Of the seven places of the clay world
only the beach has blue above and sand or sea below: the desert's sky is orange, the garden's ground green, the snow's
pale, the room brown throughout, and a grey picture has no hue at all. What stands in the middle hides the place, so
only the outer quarters of a picture are looked at. The bounds were read off renders; tests hold them against all
seven places. Of a photograph they say little: a sky can be overcast, sand dark.
"""

from __future__ import annotations

import cv2
import numpy as np

BAR = 0.3  # from here on a picture counts as a beach: half of what is looked at may be hidden
# Hue in degrees, saturation and value 0-1: each from, to.
SKY = ((180, 225), (0.12, 1.0), (0.40, 1.0))  # and the sea before it
SEA = ((180, 215), (0.35, 1.0), (0.30, 1.0))
SAND = ((28, 52), (0.18, 0.50), (0.40, 1.0))  # in the sun and in a shadow


def beach(image) -> float:
    """Give how much of a picture looks like a beach.

    Args:
        image: PIL picture or uint8 array [height, width, 3], RGB.

    Returns:
        The share of blue in the upper third or that of sand and sea in the lower third, whichever is smaller: 0-1.

    Raises:
        ValueError: if the picture is no RGB picture.
    """
    from . import _pixels

    pixels = _pixels(image)
    third, quarter = len(pixels) // 3, pixels.shape[1] // 4
    sides = np.concatenate([pixels[:, :quarter], pixels[:, -quarter:]], axis=1)
    return min(_share(sides[:third], SKY), _share(sides[-third:], SEA, SAND))


def is_beach(image) -> bool:
    """Tell whether a picture counts as a beach."""
    return beach(image) >= BAR


def _share(pixels: np.ndarray, *paints: tuple[tuple[float, float], ...]) -> float:
    """Give the share of pixels uint8 [height, width, 3] that lie within the bounds of any paint."""
    hsv = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    bounds = (np.array(paint).T for paint in paints)
    return float(np.any([((hsv >= low) & (hsv <= high)).all(-1) for low, high in bounds], axis=0).mean())
