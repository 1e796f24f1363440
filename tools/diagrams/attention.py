"""Attention as a table with numbers, and one step of Attend-and-Excite; every number is computed here."""

from __future__ import annotations

import math

from course_utils.plots.style import GREY, INK

from .canvas import NETWORK, TRAINED, WORDS, Canvas
from .model import WIDTH, hourglass

TOKENS, PLACES = ("start", "lion", "crown"), ("1 sky", "2 crown", "3 grass", "4 lion")
KEYS = ((2, 0, 1, 0), (0, 2, 0, 1), (0, 1, 2, 0))  # of each token
QUERIES = ((4, 0, 0, 0), (-1, 0, 2, 2), (2, 0, 0, 2), (1, 4, -2, 0))  # of each place
CELL = 38


def scores() -> list[list[float]]:
    """Return q · k / √d, a row for each place and a column for each token."""
    root = math.sqrt(len(KEYS[0]))
    return [[sum(a * b for a, b in zip(q, k, strict=True)) / root for k in KEYS] for q in QUERIES]


def shares(row: list[float]) -> list[float]:
    """Return the softmax of one place's scores: its shares of the tokens, which add up to 1."""
    powers = [math.exp(value) for value in row]
    return [power / sum(powers) for power in powers]


def table() -> Canvas:
    """Draw the worked example."""
    made = [shares(row) for row in scores()]
    lion = [row[TOKENS.index("lion")] for row in made]
    canvas = Canvas(
        WIDTH,
        384,
        f"""Attention of four places to three tokens, with numbers. Each place has a query of four numbers,
        each token a key of four. Query times key, divided by the root of 4, gives a table of scores; the
        softmax of each row gives shares that add up to 1. The column of "lion" is its map: {lion[0]:.2f}
        at the sky, {lion[1]:.2f} at the crown, {lion[2]:.2f} on the grass, {lion[3]:.2f} at the lion.""",
    )
    _inputs(canvas)
    left, top = 270, 196
    _matrix(canvas, left, top, [[f"{value:g}" for value in row] for row in scores()], GREY, 0.08, CELL)
    canvas.text((left + 1.5 * CELL, top + 4 * CELL + 18), "scores QK^{T} / √4", 12, GREY)
    _shares(canvas, made, 452, top)
    _map(canvas, lion, 674, top + 4)
    _worked(canvas, made)
    return canvas


def _worked(canvas: Canvas, made: list[list[float]], place: int = 1, token: int = 2) -> None:
    """Write how one field comes about: that of a place and a token."""
    query, key, row = QUERIES[place], KEYS[token], scores()[place]
    products = " + ".join(f"{_signed(a)}·{b}" for a, b in zip(query, key, strict=True))
    total, powers = sum(a * b for a, b in zip(query, key, strict=True)), sum(map(math.exp, row))
    name, word = PLACES[place][2:], TOKENS[token]
    lines = [(f"{len(PLACES)} places ask: each has a query", NETWORK),
             (f"{len(TOKENS)} tokens answer: each has a key", WORDS),
             (f"place {place + 1} asks “{word}”:", INK), (f"{products} = {total}", INK),
             (f"{total} / √{len(key)} = {row[token]:g}", INK)]  # fmt: skip
    for number, (words, ink) in enumerate(lines):
        canvas.text(
            (24, 28 + 22 * number + 10 * (number > 1)), words, 12.5, ink, anchor="start", bold=number < 2, room=236
        )
    exponents = " + ".join(f"e^{{{value:g}}}" for value in row)
    heard = " + ".join(f"{share:.2f} v_{{{one}}}" for share, one in zip(made[place], TOKENS, strict=True))
    right = [f"softmax of row {place + 1}:  {exponents} = {powers:.2f}",
             f"“{word}” gets  e^{{{row[token]:g}}} / {powers:.2f} = {made[place][token]:.2f}",
             f"place {place + 1}, the {name}, then takes in", heard]  # fmt: skip
    for number, words in enumerate(right):
        canvas.text((480, 38 + 24 * number), words, 12.5, anchor="start", room=WIDTH - 488)


def _signed(value: int) -> str:
    return f"(−{-value})" if value < 0 else str(value)


def _inputs(canvas: Canvas) -> None:
    left, top = 270, 196
    for place, name in enumerate(PLACES):
        canvas.text((84, top + CELL * (place + 0.5)), name, 12, NETWORK, anchor="end")
    _matrix(canvas, 92, top, QUERIES, NETWORK, 0.1, CELL)
    for number, token in enumerate(TOKENS):
        canvas.text((left + CELL * (number + 0.5), 22), token, 12, WORDS, room=CELL + 8)
    _matrix(canvas, left, 34, list(zip(*KEYS, strict=True)), WORDS, 0.1, CELL - 2, wide=CELL)
    canvas.text((168, top + 4 * CELL + 18), "Q: a query in each row", 12, GREY)
    for number, words in enumerate(("K^{T}:", "a key", "in each", "column")):
        canvas.text((394, 80 + 17 * number), words, 12, GREY, anchor="start")


def _matrix(canvas, left, top, values, hue, fill, tall, wide=None, ink=INK) -> None:
    """Draw numbers in fields."""
    wide = wide or tall
    rows, columns = len(values), len(values[0])
    canvas.box((left, top, left + wide * columns, top + tall * rows), hue, fill=fill, radius=4)
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            words = str(value).replace("-", "−")
            canvas.text((left + wide * (column + 0.5), top + tall * (row + 0.5)), words, 13, ink)


def _shares(canvas: Canvas, made: list[list[float]], left: float, top: float) -> None:
    canvas.arrow([(390, top + 2 * CELL), (446, top + 2 * CELL)])
    canvas.text((418, top + 2 * CELL - 12), "softmax", 12)
    wide = 50
    for number, token in enumerate(TOKENS):
        canvas.text((left + wide * (number + 0.5), top - 12), token, 12, WORDS)
    for row, line in enumerate(made):
        for column, value in enumerate(line):
            box = (left + wide * column, top + CELL * row, left + wide * (column + 1), top + CELL * (row + 1))
            canvas.box(box, NETWORK, fill=0.95 * value, radius=0, stroke=0.7)
            ink = "#ffffff" if value > 0.8 else INK
            canvas.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), f"{value:.2f}", 13, ink)
    canvas.frame((left + wide, top - 2, left + 2 * wide, top + 4 * CELL + 2), TRAINED, 2.5)
    canvas.text((left + 1.5 * wide, top + 4 * CELL + 18), "shares A: each row adds up to 1", 12, GREY)


def _map(canvas: Canvas, lion: list[float], left: float, top: float) -> None:
    """Lay one column of the table out as a picture of 2 x 2 places."""
    side = 62
    canvas.arrow([(605, top + side), (left - 6, top + side)], TRAINED)
    for number, value in enumerate(lion):
        x, y = left + side * (number % 2), top + side * (number // 2)
        canvas.box((x, y, x + side, y + side), NETWORK, fill=0.95 * value, radius=0, stroke=0.7)
        ink = "#ffffff" if value > 0.8 else INK
        canvas.lines((x + side / 2, y + side / 2), [PLACES[number], f"{value:.2f}"], 12, ink=ink)
    canvas.text((left + side, top - 16), "the map of “lion”", 13, TRAINED, bold=True)
    canvas.text((left + side, top + 2 * side + 16), "its column, as a picture", 12, GREY)


def toy_maps() -> tuple[list, list, list[float]]:
    """Return the attention of one toy picture and what the loss reads of it: a lion that stands, a crown that is weak.

    Returns:
        (maps of the words [word, height, width], the same sharpened and smoothed, their peaks), all floats.
    """
    import torch

    from course_utils import excite

    side, config = 6, excite.AttendExciteConfig.for_lane("clay")
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")

    def bump(row: float, column: float, height: float, width: float) -> torch.Tensor:
        return height * torch.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * width**2))

    lion, crown = bump(3.4, 2.5, 0.55, 1.2) + 0.02, bump(1, 3, 0.22, 0.7) + 0.02
    other = torch.full_like(lion, 0.06)  # of "a", "with", "a"
    start = 1 - lion - crown - 4 * other
    heat = torch.stack([start, other, lion, other, other, crown, other])[None]
    mask = excite.token_mask([[(2,), (5,)]], heat.shape[1])
    maps = excite.word_maps(heat, mask, config)
    return heat[0, [2, 5]].tolist(), maps[0].tolist(), excite.peaks(maps)[0].tolist()


def excite_step() -> Canvas:
    """Draw one step: maps, smoothed, their peaks, the loss, and the gradient back to the latents."""
    raw, read, peaks = toy_maps()
    words, loss = ("lion", "crown"), 1 - min(peaks)
    canvas = Canvas(
        WIDTH,
        336,
        f"""One step of Attend-and-Excite. The UNet gives a map for each word; each is shared out anew
        without the start token, and smoothed. Of each map the peak is taken: {words[0]} {peaks[0]:.2f},
        {words[1]} {peaks[1]:.2f}. The loss is 1 minus the smallest peak, {loss:.2f}. Its gradient goes
        back through the UNet to the latents, which are moved; no weight changes.""",
    )
    canvas.text((54, 110), "latents z_{t}")
    canvas.noise((24, 126), 60, 0.9)
    canvas.arrow([(84, 156), (112, 156)])
    hourglass(canvas, 112, 104, 212, 208, ["UNet", "(locked)"])
    for number, word in enumerate(words):
        _word(canvas, 66 + 110 * number, word, raw[number], read[number], peaks[number], min(peaks))
    for x, words in ((298, "map of each word"), (446, "shared anew, smoothed"), (586, "strongest place")):
        canvas.text((x, 24), words, 12, GREY)
    canvas.box((678, 118, 800, 194), TRAINED, ["loss L", "1 − smallest peak", f"= {loss:.2f}"], 12)
    canvas.arrow([(739, 194), (739, 286), (54, 286), (54, 188)], TRAINED, width=2.6)
    canvas.text((390, 270), "the gradient goes back, through the UNet, to the latents", 12, TRAINED)
    canvas.text((390, 312), "z_{t}′ = z_{t} − α_{t} ∇L :  the latents move, the weights stay", 14)
    return canvas


def _word(canvas: Canvas, y: float, word: str, raw: list, read: list, peak: float, weakest: float) -> None:
    """Draw the row of a word: its map, what the loss reads of it, its peak."""
    canvas.arrow([(212, 156), (236, 156), (236, y + 36), (262, y + 36)])
    canvas.heat((262, y), 12, raw)
    canvas.arrow([(334, y + 36), (410, y + 36)])
    canvas.heat((410, y), 12, read)
    for x in (298, 446):
        canvas.text((x, y - 12), word, 13, WORDS, bold=True)
    canvas.arrow([(482, y + 36), (546, y + 36)])
    hue = TRAINED if peak == weakest else GREY
    canvas.box((546, y + 14, 626, y + 58), hue, ["peak", f"{peak:.2f}"])
    canvas.arrow([(626, y + 36), (652, y + 36), (652, 156), (678, 156)], hue)
