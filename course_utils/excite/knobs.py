"""The knobs of Attend-and-Excite, with the paper's settings and the clay lane's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real

BOUNDS = {  # knob: (smallest, largest)
    "scale": (0, math.inf),
    "until": (0, 1),
    "refinements": (0, 1000),
    "resolution": (1, math.inf),
    "sharpness": (0, math.inf),
    "sigma": (0, math.inf),
}


@dataclass(frozen=True)
class Knobs:
    """How strongly, how long and by which maps the latents are pushed.

    Steps are said as shares of the call's steps, 0-1, so that the same knobs fit any number of them.

    Raises:
        TypeError: a knob that is no number.
        ValueError: a knob out of range.
    """

    scale: float = 20.0  # how far the latents move for a unit of gradient in the first step
    fade: tuple[float, float] = (1.0, 0.5)  # from first to last step the scale is multiplied by the root of this
    until: float = 0.5  # the share of the steps that are pushed: the first ones, where the layout is decided
    thresholds: tuple[tuple[float, float], ...] = ((0.0, 0.05), (0.2, 0.5), (0.4, 0.8))
    #   (share of the steps, peak): there the step is repeated until the weakest word's peak is as high
    refinements: int = 20  # how often at most it is repeated
    resolution: int = 16  # of the layers whose maps are read; see `attention.capture`
    sharpness: float = 100.0  # factor on the maps before the softmax over the words
    sigma: float = 0.5  # of the smoothing, in places of the map; 0 leaves it out

    def __post_init__(self) -> None:
        for name, (least, most) in BOUNDS.items():
            _check(name, getattr(self, name), least, most)
        for name in ("refinements", "resolution"):
            if not isinstance(getattr(self, name), Integral):
                raise TypeError(f"{name}={getattr(self, name)!r} is no whole number; use one such as 16.")
        if len(self.fade) != 2:
            raise ValueError(f"fade={self.fade!r} has {len(self.fade)} values; use two, such as (1.0, 0.5).")
        for part in self.fade:
            _check("fade", part, 0, math.inf)
        for share, peak in self.thresholds:
            _check("thresholds", share, 0, 1)
            _check("thresholds", peak, 0, 1)
            if share >= self.until:
                raise ValueError(f"thresholds={self.thresholds!r} has one at {share}, but until={self.until!r}.")

    @classmethod
    def sd15(cls) -> Knobs:
        """Give the settings of the paper's code for Stable Diffusion: 25 of 50 steps, thresholds at 0, 10 and 20."""
        return cls()

    @classmethod
    def clay(cls) -> Knobs:
        """Give the settings for the clay lane, unrefined: of table "excite_knobs" those that miss fewest things.

        Settings are left out that bring more things unasked for than no pushes at all.

        Its maps are higher than Stable Diffusion's, so a sharpness of 100 would leave most peaks at 1 from the start.
        """
        return cls(scale=2.5, sharpness=10.0, thresholds=())

    @classmethod
    def of(cls, lane: str) -> Knobs:
        """Give a lane's settings, "clay" or "sd15"."""
        lanes = {"clay": cls.clay, "sd15": cls.sd15}
        if lane not in lanes:
            raise ValueError(f"lane={lane!r} is no lane; use {' or '.join(map(repr, lanes))}.")
        return lanes[lane]()

    def pushed(self, steps: int) -> int:
        """Give how many of the steps are pushed."""
        return round(self.until * steps)

    def threshold(self, step: int, steps: int) -> float | None:
        """Give the peak that every word must have in a step, counted from 0; None where there is no threshold."""
        return max((peak for share, peak in self.thresholds if round(share * steps) == step), default=None)

    def stride(self, step: int, steps: int) -> float:
        """Give how far the latents move for a unit of gradient: alpha_t = scale * sqrt(fade)."""
        start, end = self.fade
        return self.scale * math.sqrt(start + (end - start) * step / max(steps - 1, 1))


def _check(name: str, value: object, least: float, most: float) -> None:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name}={value!r} is no number; use one from {least} to {most}.")
    if not least <= value <= most or math.isinf(value):
        raise ValueError(f"{name}={value!r} is out of range; use {least} to {most}.")
