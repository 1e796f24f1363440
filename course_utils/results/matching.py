"""Lesson 04's table "mismatch", read: the map of each kind, given to the net of each kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import metrics
from .rows import Result

FLOOR, CEILING = "none", "truth"  # in place of a net: no control, and the true render after the autoencoder


@dataclass(frozen=True)
class Crossed:
    """How far each net's pictures are what each map asked for."""

    names: list[str]  # of the maps, and of the nets, in one order
    scores: np.ndarray  # [map, net], 0 at the floor and 1 at the ceiling; the right pairs are the diagonal
    close: list[tuple[str, str]]  # (map, net) of the wrong pairs that are not clearly worse than the right ones


def crossed(table: Result) -> Crossed:
    """Score every pair of map and net, and compare the wrong ones with the right ones, scene by scene.

    A pair is clearly worse if the 95 % interval of its difference to the right pair lies below zero.
    """
    nets = dict.fromkeys(row["net"] for row in table.rows)
    names = [name for name in dict.fromkeys(row["map"] for row in table.rows) if name in nets]
    scores, close = np.empty((len(names), len(names))), []
    for row, kind in enumerate(names):
        reached = {net: table.column("reached", map=kind, net=net) for net in (FLOOR, CEILING, *names)}
        low, high = (np.nanmean(reached[end]) for end in (FLOOR, CEILING))
        for column, net in enumerate(names):
            scores[row, column] = (np.nanmean(reached[net]) - low) / (high - low)
            both = np.array([reached[kind], reached[net]])
            if net != kind and metrics.difference(*both[:, ~np.isnan(both).any(0)]).high >= 0:
                close.append((kind, net))
    return Crossed(names, scores, close)
