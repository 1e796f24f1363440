"""Figures: curves and bars with their intervals, drawn without pyplot and without its global state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .style import FAMILY, GREY, HAIRLINE, HUES, INK, PAPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Interval = tuple[float, float]  # (low, high)


def curve(
    x: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    intervals: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
    size: tuple[float, float] = (3.3, 5.6),
) -> Figure:
    """Draw lines over a common axis, each named at its end, with a band for its interval.

    Args:
        x: where the values stand.
        lines: name to values; at most six.
        intervals: name to (low values, high values).
        size: (height, width) in inches.

    Raises:
        ValueError: there are more lines than colours that can be told apart.
    """
    if len(lines) > len(HUES):
        raise ValueError(f"lines has {len(lines)} names; at most {len(HUES)} can be told apart.")
    figure, axes = _axes(size, title, xlabel, ylabel)
    for hue, (name, values) in zip(HUES, lines.items(), strict=False):
        axes.plot(x, values, color=hue, linewidth=1.8, marker="o", markersize=3.5)
        if name in (intervals or {}):
            axes.fill_between(x, *intervals[name], color=hue, alpha=0.16, linewidth=0)
    axes.grid(axis="y", color=HAIRLINE, linewidth=0.8)
    _name_ends(axes, x[-1], {name: values[-1] for name, values in lines.items()})
    return figure


def bars(
    values: Mapping[str, float],
    intervals: Mapping[str, Interval] | None = None,
    title: str = "",
    form: str = "{:.3g}",
) -> Figure:
    """Draw a lying bar for each name, its number beside it, with whiskers for its interval.

    Args:
        values: name to number, from the top down.
        intervals: name to (low, high).
        form: how a number is written, such as "{:.0%}".
    """
    figure, axes = _axes((0.95 + 0.36 * len(values), 5.6), title)
    axes.barh(range(len(values)), list(values.values()), height=0.62, color=HUES[0])
    for place, (name, value) in enumerate(values.items()):
        low, high = (intervals or {}).get(name, (value, value))
        axes.plot([low, high], [place, place], color=INK, linewidth=1.4, solid_capstyle="butt")
        _write(axes, form.format(value), (max(high, value, 0), place))
    axes.set_yticks(range(len(values)), list(values), fontfamily=FAMILY)
    axes.invert_yaxis()
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.margins(x=0.1)
    if "%" in form:
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=HAIRLINE, linewidth=0.8)
    return figure


def matrix(
    values: Sequence[Sequence[float]],
    rows: Sequence[str],
    columns: Sequence[str],
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
    size: tuple[float, float] | None = None,
) -> Figure:
    """Draw a table of numbers as fields, the darker the larger, each number in its field.

    Args:
        values: values[row][column]; nan leaves a field empty.
        rows, columns: their names.
        xlabel, ylabel: what the columns and the rows are.
        size: (height, width) in inches; None makes room for the fields.

    Raises:
        ValueError: the table has another shape than its names.
    """
    if [len(row) for row in values] != [len(columns)] * len(rows):
        shape = f"rows of {[len(row) for row in values]} values"
        raise ValueError(f"values has {shape}; the names ask for {len(rows)} of {len(columns)}.")
    figure, axes = _axes(size or (1.2 + 0.42 * len(rows), 1.4 + 0.68 * len(columns)), title, xlabel, ylabel)
    known = [value for row in values for value in row if value == value]
    low, high = min(known, default=0), max(known, default=1)
    axes.imshow(values, cmap="Blues", vmin=low, vmax=high + 0.25 * (high - low), aspect="auto")
    for place, row in enumerate(values):
        for column, value in enumerate(row):
            if value == value:
                ink = PAPER if value > low + 0.7 * (high - low) else INK
                axes.text(column, place, f"{value:.2f}", color=ink, ha="center", va="center", fontsize=9,
                          fontfamily=FAMILY)  # fmt: skip
    axes.set_xticks(range(len(columns)), columns, fontfamily=FAMILY)
    axes.set_yticks(range(len(rows)), rows, fontfamily=FAMILY)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelcolor=INK)
    return figure


def _axes(size: tuple[float, float], title: str, xlabel: str = "", ylabel: str = "") -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size[::-1], layout="constrained", facecolor=PAPER)
    figure.get_layout_engine().set(w_pad=0.09, h_pad=0.07)  # inches
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11, color=INK, fontfamily=FAMILY)
    axes.set_xlabel(xlabel, fontsize=9.5, color=GREY, fontfamily=FAMILY)
    axes.set_ylabel(ylabel, fontsize=9.5, color=GREY, fontfamily=FAMILY)
    axes.tick_params(colors=GREY, labelsize=9, labelfontfamily=FAMILY, length=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#b9bec3")
    return figure, axes


def _name_ends(axes: Axes, x: float, ends: Mapping[str, float]) -> None:
    """Write each line's name beside its last point; names that would touch are moved apart."""
    low, high = axes.get_ylim()
    room = (high - low) * 0.07
    above = -float("inf")
    for name, end in sorted(ends.items(), key=lambda item: item[1]):
        above = max(end, above + room)
        hue = HUES[list(ends).index(name)]
        _write(axes, name, (x, above), hue)


def _write(axes: Axes, text: str, place: tuple[float, float], ink: str = INK) -> None:
    how = {"va": "center", "fontsize": 9, "color": ink, "fontfamily": FAMILY}
    axes.annotate(text, place, (6, 0), textcoords="offset points", **how)
