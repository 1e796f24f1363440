"""The static picture of the LoRA panel: what is learned above, what is painted below."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from PIL import Image

from ..plots import style
from .drawing import draw
from .drawing_knobs import draw_knob, pieces, tall
from .lora_teacher import SAMPLES, draw_loss
from .losses import HEIGHT, WIDTH
from .paper import BLUE, EDGE, KNOBS, LABEL, RED, RIGHT, SCALE, Paper, lines

if TYPE_CHECKING:
    from .lora import LoraPanel
    from .lora_teacher import Teacher

GAP, COLUMNS = 8, 3  # between the samples, and how many stand side by side
ACTIONS = 100  # pixels for the buttons, the error and the notes


def draw_lora(panel: LoraPanel) -> Image.Image:
    """Draw both halves as they stand, one above the other."""
    below = draw(panel)
    above = _teacher(panel.teacher, below.width / SCALE)
    whole = Image.new("RGB", (below.width, above.height + below.height), style.PAPER)
    whole.paste(above, (0, 0))
    whole.paste(below, (0, above.height))
    return whole


def _teacher(teacher: Teacher, width: float) -> Image.Image:
    parts = (teacher.pictures, teacher.trigger, teacher.rank, teacher.steps)
    knobs = [piece for knob in parts for piece in pieces(knob)]
    left = KNOBS + RIGHT
    room = width - left - LABEL
    small = (room - GAP * (COLUMNS - 1)) / COLUMNS
    high = small * teacher.pictures.size[0] / teacher.pictures.size[1]
    curve = room * HEIGHT / WIDTH
    side = 20 + curve + 2 * (high + 24) + 60
    paper = Paper(round(max(20 + sum(map(tall, knobs)) + ACTIONS, side)) + 12, round(width))
    paper.box(1, 1, width - 1, paper.image.height / SCALE - 8, style.PAPER, EDGE)
    top = 20.0
    for piece in knobs:
        draw_knob(paper, piece, top)
        top += tall(piece)
    _actions(paper, teacher, top)
    paper.picture(draw_loss(teacher.losses, teacher.steps.value), left, 20, room, curve)
    samples = [*teacher.samples.items(), *[(0, None)] * SAMPLES][:SAMPLES]
    for place, (step, sample) in enumerate(samples):
        x, y = left + place % COLUMNS * (small + GAP), 32 + curve + place // COLUMNS * (high + 24)
        paper.picture(sample or Image.new("RGB", (1, 1), "#eceff1"), x, y, small, high)
        paper.text(x, y + high + 11, f"step {step}" if sample else "", style.GREY)
    for number, line in enumerate(lines(html.unescape(teacher.status.value), room, 2)):
        paper.text(left, 44 + curve + 2 * (high + 24) + 18 * number, line, style.GREY)
    if teacher.link.value:
        paper.text(left, 84 + curve + 2 * (high + 24), "Download the LoRA", BLUE)
    return paper.image


def _actions(paper: Paper, teacher: Teacher, top: float) -> None:
    """Draw the buttons, the error beside them, and the notes."""
    paper.button(LABEL, top + 24, 96, "Train", main=True)
    paper.button(LABEL + 104, top + 24, 110, "Stop and keep")
    for number, line in enumerate(lines(html.unescape(teacher.error.value), KNOBS - LABEL - 226, 3)):
        paper.text(LABEL + 226, top + 24 + 18 * number, line, RED)
    said = html.unescape(teacher.notes.value.replace("<br>", " "))
    for number, line in enumerate(lines(said, KNOBS - LABEL, 2)):
        paper.text(LABEL, top + 60 + 18 * number, line, style.GREY)
