"""The studio's grid: two knobs turned against each other, a score in each cell, its cost said before it starts."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from typing import Any

from PIL import Image

from .. import plots
from .studio_settings import StudioSettings, StudioUnit, axes, obeyed, ordered, turned

NOBODY = Image.new("RGB", (64, 64), "#eceff1")  # a cell that is not painted yet


class Grids:
    """What a panel with `GridKnobs` does with them: a part of `StudioPanel`."""

    def _axes(self) -> list[tuple[str, tuple, float, list]]:
        """Return of both axes the name, the place in the settings, the cost, and the values."""
        known, settings = axes(self.settings), self.settings
        self.grid.offer(list(known))
        found = []
        for name, field in zip(self.grid.names, self.grid.values, strict=True):
            where, cost = known[name.value]
            texts = [text.strip() for text in field.value.split(",") if text.strip()]
            values = [_like(settings, where, text, name.value) for text in texts]
            found.append((name.value, where, cost, values))
        if found[0][0] == found[1][0]:
            raise ValueError(f"Both axes turn {found[0][0]!r}; choose two knobs.")
        return found

    def _price(self) -> None:
        """Say how many pictures a grid is, and how long they take."""
        (_, _, _, x), (_, _, _, y) = self._axes()
        count, each = len(x) * len(y), self.shot.seconds if self.shot else None
        took = f", about {count * each:.0f} s, judging by the last picture" if each and count else ""
        self.grid.cost.value = f"{len(x)} × {len(y)} = {count} pictures{took}." if count else ""

    def _start_grid(self) -> None:
        (x_name, x_at, x_cost, x), (y_name, y_at, y_cost, y) = self._axes()
        if not x or not y:
            raise ValueError("Give values for both axes, with commas between, such as 0.5, 1, 1.5.")
        if not self._begin("Starting ..."):
            return
        plan, start = ordered(x, y, x_cost, y_cost), self.settings
        cells: dict[tuple[int, int], tuple[Image.Image, str]] = {}
        self.scores: dict[tuple[int, int], list[float]] = {}  # of each cell (column, row), one a control

        def work(settings: StudioSettings, stop: threading.Event) -> None:
            for number, (column, row) in enumerate(plan, 1):
                now = turned(turned(start, x_at, x[column]), y_at, y[row])
                image = self._paint(now, stop, f"Cell {number} of {len(plan)}")
                if image is None:
                    break
                reached = [score for unit in now.active for score in obeyed(now, unit, image) if score == score]
                self.scores[column, row] = reached
                cells[column, row] = image, ", ".join(f"{score:.2f}" for score in reached)
                self._draw(cells, (x_name, x), (y_name, y))
            text = f"{len(cells)} of {len(plan)} cells are painted; the grid stands below."
            self._show(self.shot, text) if self.shot else self.stage.say(text)

        self._work(work)

    def _draw(self, cells: dict, x: tuple[str, Sequence], y: tuple[str, Sequence]) -> None:
        """Show the cells that there are."""
        places = [(column, row) for row in range(len(y[1])) for column in range(len(x[1]))]
        shown = [cells.get(place, (NOBODY, "")) for place in places]
        names = [
            f"{_short(x[1][column])} / {_short(y[1][row])}{': ' if score else ''}{score}"
            for (column, row), (_, score) in zip(places, shown, strict=True)
        ]
        caption = f"{x[0]} / {y[0]}: how far each control is obeyed"
        sheet = plots.grid([image for image, _ in shown], names, columns=len(x[1]), size=(150, 150), caption=caption)
        buffer = io.BytesIO()
        sheet.save(buffer, "PNG")
        self.outbox(self.sheet, value=buffer.getvalue())
        self.outbox(self.sheet.layout, display=None)


def _short(value: Any) -> str:
    return str(value) if len(str(value)) <= 14 else f"{str(value)[:13]}…"


def _like(settings: StudioSettings, where: Sequence, text: str, name: str) -> Any:
    """Read a value of a knob from a text."""
    value: Any = settings
    for place in where:
        if place == "strength" and isinstance(value, StudioUnit):
            place = "scale"
        value = getattr(value, place) if isinstance(place, str) else value[place]
    try:
        return type(value)(text)
    except ValueError:
        raise ValueError(f"{text!r} is no value of {name!r}, which now is {value!r}.") from None
