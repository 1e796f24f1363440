"""The pipeline of Stable Diffusion, and the UNet inside it."""

from __future__ import annotations

from course_utils.plots.style import GREY

from .canvas import NETWORK, NUMBERS, WORDS, Box, Canvas
from .shapes import Shapes

WIDTH, INDENT = 820, 36


def hourglass(canvas: Canvas, left: float, top: float, right: float, bottom: float, lines=(), hue=NETWORK, size=13):
    """Draw the UNet's sign: wide, narrow, wide."""
    middle, pinch = (left + right) / 2, 0.2 * (bottom - top)
    points = [
        (left, top),
        (middle, top + pinch),
        (right, top),
        (right, bottom),
        (middle, bottom - pinch),
        (left, bottom),
    ]
    canvas.shape(points, hue, lines, size)


def opening(canvas: Canvas, left: float, top: float, right: float, bottom: float, lines=(), hue=NETWORK):
    """Draw the decoder's sign: from small to large. With left and right exchanged it is the encoder's."""
    pinch = 0.24 * (bottom - top)
    canvas.shape([(left, top + pinch), (right, top), (right, bottom), (left, bottom - pinch)], hue, lines)


def pipeline(shapes: Shapes) -> Canvas:
    """Draw what happens from the prompt and the seed to the picture."""
    canvas = Canvas(
        WIDTH,
        342,
        f"""The pipeline of Stable Diffusion. The tokenizer cuts the prompt into {shapes.tokens} tokens, the
        text encoder turns each into {shapes.width} numbers. A seed gives noise of {shapes.latents}
        numbers, the latents. In a loop of {shapes.steps} steps the UNet, which hears the words, guesses
        the noise, and the scheduler takes a part of it away. At the end the decoder of the VAE makes a
        picture of 3 × {shapes.picture} × {shapes.picture} numbers.""",
    )
    _words(canvas, shapes)
    _loop(canvas, shapes)
    return canvas


def _words(canvas: Canvas, shapes: Shapes) -> None:
    canvas.box((20, 30, 160, 80), WORDS, ["a red clock", "and a blue bench"], fill=0)
    canvas.text((90, 95), "the prompt", 12, GREY)
    canvas.arrow([(160, 55), (184, 55)], WORDS)
    canvas.box((184, 35, 274, 75), WORDS, ["tokenizer"])
    canvas.arrow([(274, 55), (298, 55)], WORDS)
    for number, token in enumerate(("start", "a", "red", "clock", "…", "end")):
        left = 298 + 46 * number
        canvas.box((left, 41, left + 42, 69), WORDS, [token], 11, fill=0, radius=4, stroke=1.2)
    canvas.text((434, 87), f"{shapes.tokens} tokens, each a number", 12, GREY)
    canvas.arrow([(570, 55), (596, 55)], WORDS)
    canvas.box((596, 30, 686, 80), WORDS, ["text", "encoder"])
    canvas.arrow([(686, 55), (710, 55)], WORDS)
    for number in range(7):
        canvas.box((710 + 13 * number, 36, 719 + 13 * number, 74), WORDS, fill=0.3, radius=2, stroke=1)
    canvas.text((754, 22), f"{shapes.tokens} × {shapes.width}", 12, GREY)
    canvas.arrow([(754, 76), (754, 124), (360, 124), (360, 183)], WORDS)
    canvas.text((556, 113), "the words, as vectors", 12, WORDS)


def _loop(canvas: Canvas, shapes: Shapes) -> None:
    canvas.noise((24, 186), 60)
    canvas.text((54, 154), "noise")
    canvas.text((54, 172), shapes.latents, 12, GREY)
    canvas.text((54, 260), "from a seed", 12, GREY)
    canvas.arrow([(84, 216), (150, 216)])
    canvas.noise((150, 186), 60, 0.7, seed=1)
    canvas.text((180, 154), "latents x_{t}")
    canvas.text((180, 172), shapes.latents, 12, GREY)
    canvas.arrow([(210, 216), (282, 216)])
    hourglass(canvas, 282, 166, 438, 266, ["UNet", "guesses the noise"])
    canvas.arrow([(438, 216), (500, 216)])
    canvas.text((469, 202), "ε", 14, italic=True)
    canvas.text((469, 232), "noise", 11, GREY)
    canvas.box((500, 186, 610, 246), NETWORK, ["scheduler", "takes a part", "of it away"], 12, fill=0)
    canvas.arrow([(555, 246), (555, 302), (180, 302), (180, 248)], NUMBERS, width=2.4)
    canvas.text((367, 289), "x_{t−1}: a little less noise", 12, NUMBERS)
    canvas.text(
        (367, 320), f"the loop: {shapes.steps} steps; in each the UNet is asked twice, with the words and without", 12
    )
    canvas.arrow([(610, 216), (648, 216)])
    canvas.text((629, 202), "x_{0}")
    canvas.text((629, 232), "end", 11, GREY)
    opening(canvas, 648, 183, 714, 249, ["VAE", "decoder"])
    canvas.arrow([(714, 216), (736, 216)])
    canvas.scene((736, 186), 60)
    canvas.text((766, 154), "picture")
    canvas.text((762, 172), f"3 × {shapes.picture} × {shapes.picture}", 12, GREY)


def unet(shapes: Shapes) -> Canvas:
    """Draw the UNet: down its levels, through the middle, up again, with skips across."""
    levels = shapes.levels
    top, step, tall = 64, 70, 50
    bottom = top + step * len(levels)
    attending = sum(level.attends for level in levels)
    sizes = ", ".join(f"{level.channels} channels of {level.side} × {level.side}" for level in levels)
    canvas = Canvas(
        WIDTH,
        bottom + 100,
        f"""The UNet. Noisy latents of {shapes.latents} numbers go down {len(levels)} levels; on each the map
        of numbers is half as wide: {sizes}. Then the middle, and up again to the guess of the noise.
        {shapes.additions - 1} skips carry what the way down saw straight to the way up. In {attending}
        of the {len(levels)} levels, and in the middle, cross-attention layers read the words.""",
    )
    canvas.text((112, 24), f"in: noisy latents, {shapes.latents}", 12)
    canvas.text((WIDTH - 112, 24), f"out: the noise, {shapes.latents}", 12)
    signs: dict[str, list] = {"R": [], "A": []}
    for number, level in enumerate(levels):
        y, x = top + step * number, 24 + INDENT * number
        down, up = (x, y, x + 176, y + tall), (WIDTH - x - 176, y, WIDTH - x, y + tall)
        for box, blocks in ((down, shapes.layers), (up, shapes.layers + 1)):
            shape = f"{level.channels} × {level.side} × {level.side}"
            _block(canvas, box, shape, ("RA" if level.attends else "R") * blocks, signs)
        canvas.arrow([(down[2], y + tall / 2), (up[0], y + tall / 2)], NUMBERS, dash=True)
        canvas.text((WIDTH / 2, y + tall / 2 - 10), f"{level.skips} skips", 12, NUMBERS)
        _vertical(canvas, x + 88, y, number, len(levels), tall, step)
    left, deepest = 24 + INDENT * (len(levels) - 1) + 88, levels[-1]
    box = (WIDTH / 2 - 88, bottom, WIDTH / 2 + 88, bottom + tall)
    _block(canvas, box, f"middle: {deepest.channels} × {deepest.side} × {deepest.side}", "RAR", signs)
    low, high = bottom + tall / 2, bottom - step + tall
    canvas.arrow([(left, high), (left, low), (box[0], low)])
    canvas.arrow([(box[2], low), (WIDTH - left, low), (WIDTH - left, high)])
    _key(canvas, shapes, bottom + 76, signs)
    return canvas


def _vertical(canvas: Canvas, x: float, y: float, number: int, count: int, tall: float, step: float) -> None:
    """Draw the arrows into and out of a level: down at the left, up at the right."""
    if number == 0:
        canvas.arrow([(x, 34), (x, y)])
        canvas.arrow([(WIDTH - x, y), (WIDTH - x, 34)])
    if number < count - 1:
        x, above, below = x + INDENT / 2, y + tall, y + step
        canvas.arrow([(x, above), (x, below)])
        canvas.arrow([(WIDTH - x, below), (WIDTH - x, above)])


def _block(canvas: Canvas, box: Box, shape: str, letters: str, signs: dict[str, list]) -> None:
    """Draw one block of the UNet, and note where its signs belong."""
    canvas.box(box, NETWORK)
    middle = (box[0] + box[2]) / 2
    canvas.text((middle, box[1] + 39), shape, 12)
    for number, letter in enumerate(letters):
        signs[letter].append((middle + 22 * (number - (len(letters) - 1) / 2), box[1] + 17))


def _key(canvas: Canvas, shapes: Shapes, y: float, signs: dict[str, list]) -> None:
    attention = f"attention: to itself, then to the words ({shapes.tokens} × {shapes.width})"
    for x, letter, words in ((44, "R", "ResNet block: convolutions; it also hears the step t"), (440, "A", attention)):
        signs[letter].append((x, y))
        canvas.text((x + 18, y), words, 12, anchor="start")
    canvas.signs(signs["R"], "R", NETWORK)
    canvas.signs(signs["A"], "A", WORDS)
