"""What is added to the model: depth's channel, ControlNet's copy, LoRA's two thin matrices."""

from __future__ import annotations

from course_utils.plots.style import GREY, INK

from .canvas import GIVEN, NETWORK, NUMBERS, TRAINED, WORDS, ZERO, Box, Canvas, Point
from .model import WIDTH, hourglass
from .shapes import Shapes


def depth(shapes: Shapes) -> Canvas:
    """Draw the depth map as one more channel of what the UNet is given."""
    count = shapes.channels
    canvas = Canvas(
        WIDTH,
        270,
        f"""Depth to image. A network estimates the depth of the given picture; the map is shrunk to 1 ×
        {shapes.side} × {shapes.side} and laid behind the {count} channels of the noisy latents. So the
        UNet is given {count + 1} channels at each step; what it returns, its guess of the noise, has
        {count}.""",
    )
    canvas.scene((24, 30), 60)
    canvas.text((54, 104), "given picture", 12, GREY)
    canvas.arrow([(84, 60), (112, 60)], GIVEN)
    canvas.box((112, 34, 210, 86), NETWORK, ["depth", "network"])
    x, y = _stack(canvas, count)
    canvas.arrow([(210, 60), (x, 60)], GIVEN)
    _plane(canvas, x, 29, 62)
    canvas.arrow([(x + 31, 91), (x + 31, y)], GIVEN)
    about = [f"1 × {shapes.side} × {shapes.side}", "near is bright:", "−1 is far, 1 is near"]
    for line, words in enumerate(about):
        canvas.text((x + 74, 42 + 18 * line), words, 12, GREY, anchor="start")
    canvas.noise((24, 160), 60, 0.8)
    canvas.text((54, 146), "latents x_{t}", 13)
    canvas.text((54, 234), shapes.latents, 12, GREY)
    canvas.arrow([(84, 190), (236, 190)])
    canvas.text(((x + 298) / 2, 252), f"{count} + 1 = {count + 1} channels", bold=True)
    canvas.arrow([(x + 66, 190), (478, 190)])
    hourglass(canvas, 478, 138, 618, 242, ["UNet", f"{count + 1} in, {count} out"])
    canvas.arrow([(618, 190), (674, 190)])
    canvas.noise((674, 160), 60, 1.0, seed=3)
    canvas.text((704, 146), "guess of the noise", 13)
    canvas.text((704, 234), shapes.latents, 12, GREY)
    canvas.text((548, 104), "the words", 12, WORDS)
    canvas.arrow([(548, 114), (548, 158)], WORDS)
    return canvas


def _plane(canvas: Canvas, x: float, y: float, side: float) -> None:
    """Draw a depth map of the scene: near is bright."""
    scale = side / 60
    canvas.add(
        f"<g transform='translate({x} {y}) scale({scale:g})'><rect width='60' height='60' fill='#26332d'/>"
        "<path d='M0 38h60v11H0z' fill='#5d8a74'/><path d='M0 49h60v11H0z' fill='#8fbfa6'/><circle cx='19' cy='35' "
        "r='14' fill='#d9f2e5'/><path d='M34 30h22v13H34zM36 43h3v10h-3zM51 43h3v10h-3z' fill='#b5dcc8'/></g>"
    )
    canvas.frame((x, y, x + side, y + side), GIVEN, 2)


def _stack(canvas: Canvas, count: int) -> Point:
    """Draw the channels one behind the other, the depth map as the last of them, and return its corner."""
    spread = 9 if count > 6 else 14
    for number in range(count):
        x, y = 236 + spread * number, 142 + 2.5 * number
        canvas.add(f"<rect x='{x}' y='{y:g}' width='62' height='62' fill='{NUMBERS}' stroke='#fff'/>")
    corner = 236 + spread * count + 8, 142 + 2.5 * count
    _plane(canvas, *corner, 62)
    return corner


def controlnet(shapes: Shapes) -> Canvas:
    """Draw the locked UNet, its copy that is trained, and the zero convolutions between them."""
    top, step = 176, 70
    count = len(shapes.levels)
    canvas = Canvas(
        WIDTH,
        top + step * (count + 1) + 32,
        f"""ControlNet. The UNet is locked. A copy of its encoder and its middle is trained; it is given the
        latents plus the map, which has passed a small encoder and a zero convolution. Behind each of its
        parts stands another zero convolution, and what that lets through is added to the locked UNet's
        skips and to its middle: {shapes.additions} additions. The paper's equation: y_c = F(x; Θ) +
        Z(F(x + Z(c; Θ_z1); Θ_c); Θ_z2).""",
    )
    _equation(canvas)
    canvas.text((120, 80), "latents x")
    canvas.arrow([(120, 92), (120, 176)])
    canvas.arrow([(120, 112), (340, 112)])
    canvas.plus((350, 112), TRAINED)
    canvas.arrow([(350, 122), (350, 196)], TRAINED)
    canvas.arrow([(634, 176), (634, 150)])
    canvas.text((642, 158), "y_{c}", anchor="start", italic=True)
    canvas.box((566, 88, 672, 136), TRAINED, ["small encoder", "of the map"], 12)
    canvas.box((712, 88, 796, 136), GIVEN, ["map c"], fill=0)
    canvas.arrow([(712, 112), (672, 112)], GIVEN)
    canvas.arrow([(566, 112), (510, 112)], TRAINED)
    _zero(canvas, 495, 112)
    canvas.arrow([(480, 112), (360, 112)], TRAINED)
    canvas.text((420, 98), "Z(c; Θ_{z1})", 12, ZERO, italic=True)
    for left, words, hue in (
        (130, "locked encoder", GREY),
        (360, "trained copy", TRAINED),
        (672, "locked decoder", GREY),
    ):
        canvas.text((left, 160), words, 13, hue, anchor="start", bold=True)
    for number, level in enumerate(shapes.levels):
        shape = f"{level.channels} × {level.side} × {level.side}"
        first = shapes.levels[max(0, number - 1)].channels  # of the first convolution, or of the halving before
        channels = [first, *[level.channels] * (level.skips - 1)]
        _row(canvas, top + step * number, shape, f"skips: {', '.join(map(str, channels))}")
    _middle(canvas, top + step * count, [level.skips for level in shapes.levels])
    y = top + step * (count + 1) + 10
    _zero(canvas, 39, y)
    key = "zero convolution, one for each addition: its weights start at 0."
    key += " Both halves also hear the step and the words."
    canvas.text((62, y), key, 12, anchor="start", room=WIDTH - 70)
    return canvas


def _equation(canvas: Canvas) -> None:
    """Write equation 2 of the paper, each part in its colour."""
    canvas.add(f"<path d='M20 18H{WIDTH - 20}V58H20z' fill='#f3f5f6'/>")
    parts = (("y_{c} = ", INK), ("F(x; Θ)", GREY), (" + ", INK), ("Z(", ZERO), ("F(", TRAINED), ("x + ", INK),
             ("Z(c; Θ_{z1})", ZERO), ("; Θ_{c})", TRAINED), ("; Θ_{z2})", ZERO))  # fmt: skip
    canvas.colours((60, 38), parts, 18)
    canvas.text((WIDTH - 34, 38), "F: the network, Z: a zero convolution", 12, GREY, anchor="end")


def _zero(canvas: Canvas, x: float, y: float) -> None:
    canvas.add(f"<path d='M{x - 15} {y}l15 -15l15 15l-15 15z' fill='#fff' stroke='{ZERO}'/>")
    canvas.text((x, y), "0", 12, ZERO, bold=True)


def _row(canvas: Canvas, y: float, size: str, skips: str) -> None:
    """Draw a level: locked block, copied block, zero convolution, sum, locked block."""
    _locked(canvas, (24, y, 216, y + 50), size)
    _copied(canvas, y, size)
    _locked(canvas, (612, y, 796, y + 50), size)
    canvas.arrow([(216, y + 8), (548, y + 8)], NUMBERS)
    canvas.text((454, y - 2), skips, 11, NUMBERS)
    canvas.arrow([(568, y + 8), (612, y + 8)], NUMBERS)
    canvas.arrow([(120, y + 50), (120, y + 70)])
    canvas.arrow([(350, y + 50), (350, y + 90)], TRAINED)
    canvas.arrow([(704, y + 70), (704, y + 50)])


def _locked(canvas: Canvas, box: Box, words: str) -> None:
    canvas.box(box, GREY, [words], 12)
    canvas.lock((box[0] + 15, box[1] + 14))


def _copied(canvas: Canvas, y: float, words: str) -> None:
    """Draw a copied block with its zero convolution and the sum above."""
    canvas.box((266, y + 20, 434, y + 50), TRAINED, [words], 12)
    canvas.arrow([(434, y + 35), (480, y + 35)], TRAINED)
    _zero(canvas, 495, y + 35)
    canvas.arrow([(510, y + 35), (558, y + 35), (558, y + 18)], TRAINED)
    canvas.plus((558, y + 8))


def _middle(canvas: Canvas, y: float, skips: list[int]) -> None:
    _locked(canvas, (24, y, 216, y + 50), "locked middle")
    _copied(canvas, y, "copy of the middle")
    canvas.arrow([(216, y + 8), (548, y + 8)])
    canvas.arrow([(568, y + 8), (704, y + 8), (704, y)], head=False)
    canvas.text((704, y + 24), f"{' + '.join(map(str, skips))} + 1", 13, TRAINED, bold=True)
    canvas.text((704, y + 42), f"= {sum(skips) + 1} additions", 13, TRAINED, bold=True)


def lora(shapes: Shapes) -> Canvas:
    """Draw the frozen matrix and, beside it, the product of two thin ones."""
    rows, columns, rank = shapes.levels[0].channels, shapes.width, 4
    canvas = Canvas(
        WIDTH,
        290,
        f"""LoRA. The frozen matrix W has {rows} rows and {columns} columns, {rows * columns:,} numbers.
        Beside it stand a tall thin matrix B, {rows} × {rank}, and a wide thin one A, {rank} × {columns}:
        together {rank * (rows + columns):,} numbers. Their product BA has the shape of W and is added to
        it; only A and B are trained.""",
    )
    wide, tall, middle = 200, 100, 120
    canvas.box((24, middle - tall / 2, 24 + wide, middle + tall / 2), NETWORK, ["W ′"], 18, fill=0.06, dash=True)
    canvas.text((246, middle), "=", 20)
    canvas.box((268, middle - tall / 2, 268 + wide, middle + tall / 2), GREY, ["W"], 18)
    canvas.lock((286, middle - 34))
    canvas.text((496, middle), "+", 20)
    canvas.text((526, middle - 13), "α", 17, italic=True)
    canvas.add(f"<path d='M516 {middle}h20' stroke='{INK}'/>")
    canvas.text((526, middle + 13), "r", 17, italic=True)
    canvas.box((556, middle - tall / 2, 574, middle + tall / 2), TRAINED, fill=0.35, radius=3)
    canvas.box((594, middle - 9, 594 + wide, middle + 9), TRAINED, fill=0.35, radius=3)
    canvas.text((565, middle - tall / 2 - 16), "B", 18, TRAINED, bold=True)
    canvas.text((694, middle - 28), "A", 18, TRAINED, bold=True)
    _lora_labels(canvas, rows, columns, rank)
    return canvas


def _lora_labels(canvas: Canvas, rows: int, columns: int, rank: int) -> None:
    canvas.text((124, 36), "what the layer then uses", 12, GREY)
    canvas.text((368, 36), "frozen: never trained", 12, GREY)
    canvas.text((368, 190), f"{rows} × {columns} = {rows * columns:,} numbers", 12)
    canvas.text((565, 190), f"{rows} × {rank}", 12)
    canvas.text((694, 148), f"{rank} × {columns}", 12)
    canvas.text((694, 190), f"rank r = {rank}", 12)
    canvas.text((565, 210), "starts at 0", 12, TRAINED)
    canvas.text((694, 210), "starts at random", 12, TRAINED)
    share = rank * (rows + columns) / (rows * columns)
    small = f"A and B together: {rank} × ({rows} + {columns}) = {rank * (rows + columns):,} numbers"
    canvas.text((24, 246), f"{small}, {share:.1%} of W's; they alone are trained.", 13, anchor="start")
    canvas.text((24, 268), "B A has the shape of W. As B starts at 0, W ′ = W at first: nothing is changed.", 12, GREY,
                anchor="start")  # fmt: skip
