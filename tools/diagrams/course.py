"""The map of the course: the whole pipeline, and where each lesson acts on it."""

from __future__ import annotations

from dataclasses import dataclass

from course_utils.plots.style import GREY, INK

from .canvas import GIVEN, NETWORK, NUMBERS, TRAINED, WORDS, Box, Canvas, Point
from .model import WIDTH, hourglass, opening

HEIGHT = 420
HIDDEN = "<g class='at{}' display='none'>"  # begins what `plots.diagram` shows of one lesson only


@dataclass(frozen=True)
class Stop:
    """A lesson on the map."""

    chip: Point  # the middle of its number
    place: Box  # what is lit
    does: str


STOPS = {
    "00": Stop((26, 26), (8, 8, 812, 376), "Start here: words and a seed go in, a picture comes out"),
    "01": Stop((560, 112), (176, 100, 638, 278), "Text to image: the loop from noise to a picture"),
    "02": Stop((26, 148), (14, 136, 174, 266), "Image to image: the loop begins with a picture, not with noise alone"),
    "03": Stop((178, 302), (166, 288, 268, 370), "Depth to image: a depth map goes in as one more channel"),
    "04": Stop((302, 302), (290, 288, 500, 372), "ControlNet: a trained copy speaks to the locked UNet"),
    "05": Stop((488, 302), (290, 288, 500, 372), "Multi-ControlNet: two copies, and what they say is added"),
    "06": Stop((352, 162), (310, 140, 496, 264), "Attention maps: which places listen to which word"),
    "07": Stop((288, 248), (184, 140, 498, 278), "Attend-and-Excite: a loss on the attention maps moves the latents"),
    "08": Stop((602, 58), (508, 22, 622, 94), "LoRA: two thin matrices beside the UNet's frozen ones"),
    "09": Stop((302, 356), (290, 288, 500, 372), "Train a ControlNet: you make the copy learn a map of your own"),
    "10": Stop((796, 302), (660, 288, 810, 370), "Pose and hands: you pose a doll, and it gives the map"),
    "11": Stop((796, 148), (732, 136, 810, 270), "Video: picture after picture, without flicker if you can"),
    "12": Stop((26, 356), (8, 8, 812, 376), "The studio: all of it in one panel"),
}


def course_map() -> Canvas:
    """Draw the map, and for each lesson what lights up, hidden: `plots.diagram("map", here="04")` shows one."""
    canvas = Canvas(
        WIDTH,
        HEIGHT,
        """The map of the course: the pipeline of Stable Diffusion, with the numbers of the lessons where
        they act. Words pass the text encoder; a seed gives noise, the latents. The UNet and the
        scheduler take the noise away in a loop; the decoder makes the picture. A given picture, a depth
        map, ControlNets and a LoRA join it.""",
    )
    for number, stop in STOPS.items():  # under the drawing
        canvas.add(HIDDEN.format(number))
        canvas.box(stop.place, TRAINED, fill=0.09, radius=12, stroke=2.5)
        canvas.add("</g>")
    _words_and_seed(canvas)
    _loop(canvas)
    _joined(canvas)
    canvas.text((44, 26), "start", 12, GREY, anchor="start")
    canvas.text((44, 356), "studio", 12, GREY, anchor="start")
    for number, stop in STOPS.items():
        _chip(canvas, stop.chip, number, lit=False)
    for number, stop in STOPS.items():
        _name(canvas, number, stop)
    return canvas


def _words_and_seed(canvas: Canvas) -> None:
    canvas.noise((196, 40), 44)
    canvas.text((190, 62), "seed", 12, GREY, anchor="end")
    canvas.arrow([(218, 84), (218, 176)], NUMBERS)
    canvas.box((262, 42, 346, 82), WORDS, ["words"], fill=0)
    canvas.arrow([(346, 62), (364, 62)], WORDS)
    canvas.box((364, 42, 446, 82), WORDS, ["text", "encoder"], 12)
    canvas.arrow([(405, 82), (405, 168)], WORDS)


def _loop(canvas: Canvas) -> None:
    canvas.scene((28, 176), 52)
    canvas.text((54, 244), "a picture", 12, GREY)
    canvas.arrow([(80, 202), (104, 202)], GIVEN)
    opening(canvas, 164, 172, 104, 232, ["encoder"])
    canvas.arrow([(164, 202), (194, 202)], GIVEN)
    canvas.noise((194, 178), 48, 0.7, seed=1)
    canvas.text((281, 190), "latents", 12, GREY)
    canvas.arrow([(242, 202), (320, 202)], NUMBERS)
    hourglass(canvas, 320, 148, 486, 256, ["UNet with", "cross-attention"])
    canvas.arrow([(486, 202), (528, 202)], NUMBERS)
    canvas.box((528, 176, 620, 228), NETWORK, ["scheduler"], fill=0)
    canvas.arrow([(574, 176), (574, 126), (234, 126), (234, 176)], NUMBERS, width=2.2)
    canvas.text((312, 114), "the loop", 12, NUMBERS)
    canvas.arrow([(620, 202), (652, 202)], NUMBERS)
    opening(canvas, 652, 168, 716, 236, ["decoder"])
    canvas.arrow([(716, 202), (740, 202)], NUMBERS)
    for shift in (8, 4):
        canvas.frame((740 + shift, 176 - shift, 792 + shift, 228 - shift), GREY, 1)
    canvas.scene((740, 176), 52)
    canvas.text((768, 244), "picture", 12, GREY)
    canvas.arrow([(350, 249), (350, 268), (262, 268), (262, 216), (242, 216)], TRAINED, dash=True)


def _joined(canvas: Canvas) -> None:
    canvas.box((520, 34, 526, 82), TRAINED, fill=0.35, radius=2)
    canvas.box((532, 55, 580, 61), TRAINED, fill=0.35, radius=2)
    canvas.text((556, 76), "LoRA", 12, TRAINED)
    canvas.arrow([(523, 84), (468, 154)], TRAINED)
    canvas.box((192, 300, 244, 352), GIVEN, ["depth"], 12)
    canvas.arrow([(218, 300), (218, 228)], GIVEN)
    canvas.box((328, 296, 472, 342), TRAINED, fill=0, dash=True)
    canvas.box((320, 304, 464, 350), TRAINED, fill=0)
    canvas.box((320, 304, 464, 350), TRAINED, ["ControlNet"])
    canvas.arrow([(404, 296), (404, 237)], TRAINED)
    canvas.box((540, 304, 626, 350), GIVEN, ["map"], fill=0)
    canvas.arrow([(540, 327), (472, 327)], GIVEN)
    canvas.arrow([(690, 327), (626, 327)], GIVEN)
    x, y = 726, 327
    canvas.add(
        f"<g fill='none' stroke='{GIVEN}' stroke-width='3' stroke-linecap='round' stroke-linejoin='round'><circle "
        f"cx='{x}' cy='{y - 18}' r='6'/><path d='M{x} {y - 12}v20M{x - 16} {y - 14}l16 8l16 -12M{x - 9} {y + 24}l9 "
        f"-16l10 16'/></g>"
    )
    canvas.text((768, 340), "doll", 12, GREY)


def _chip(canvas: Canvas, place: Point, number: str, lit: bool) -> None:
    x, y = place
    fill, ink, rim = (TRAINED, "#fff", TRAINED) if lit else ("#fff", INK, GREY)
    canvas.add(
        f"<circle cx='{x}' cy='{y}' r='{13 if lit else 11}' fill='{fill}' stroke='{rim}'/>"
        f"<text x='{x}' y='{y + 4}' font-size='11' font-weight='bold' fill='{ink}'>{number}</text>"
    )


def _name(canvas: Canvas, number: str, stop: Stop) -> None:
    """Draw the number of a lesson once more, lit, and its name below, in a group that is not shown."""
    kept = list(canvas.texts)
    canvas.add(HIDDEN.format(number))
    canvas.add(f"<desc>Lit is the place of lesson {number}: {stop.does}.</desc>")
    _chip(canvas, stop.chip, number, lit=True)
    canvas.text((WIDTH / 2, 398), f"{number} · {stop.does}", 14, TRAINED, bold=True, room=WIDTH - 20)
    canvas.add("</g>")
    canvas.texts = kept
