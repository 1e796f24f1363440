"""Pictures changed by hand: strokes drawn on them, a mask that keeps the rest; and the ways into a pipeline.

A stroke is plain data, `(ink, width, points)`: the ink is a colour such as "#c0392b", "erase", or "mark" for what a
mask holds; the width is in pixels; the points are x, y, x, y, ... in pixels of the picture. So a drawing can be
printed, kept in a file and drawn again, the same to the last pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from .pictures import RESIZES, as_mask, as_picture, resized
from .validation import Choice, check_value

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline

Stroke = tuple[str, float, Sequence[float]]

WHITE, BLACK = "#ffffff", "#000000"
MARK, ERASE = "mark", "erase"  # the inks that are no colours
FINE = 4  # strokes are drawn this much larger, then reduced: smooth edges


def fit(picture: Image.Image, height: int, width: int, resize: Annotated[str, Choice(RESIZES)] = "fit") -> Image.Image:
    """Bring a picture to a size.

    Args:
        picture: RGB, of any size.
        height, width: pixels.
        resize: "fit" squeezes nothing and cuts what hangs over from both sides alike; "fill" keeps all of it and fills
            what is missing with a colour of its border; "stretch" changes its shape.

    Raises:
        ValueError: another word for resize.
    """
    check_value("resize", resize, Annotated[str, Choice(RESIZES)])
    if picture.size == (width, height):
        return picture
    if resize != "fit":
        return resized(picture, height, width, resize, lambda each, size: each.resize(size, Image.Resampling.LANCZOS))
    return ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)


def paint(picture: Image.Image, strokes: Sequence[Stroke]) -> Image.Image:
    """Draw the coloured strokes over a picture; erasing brings the picture back.

    Args:
        picture: whatever `as_picture` takes.
        strokes: in the order in which they were drawn; marks are left out.

    Returns:
        A new picture of the same size.

    Raises:
        ValueError: something that is no stroke.

    Example:
        >>> from PIL import Image
        >>> paint(Image.new("RGB", (32, 16)), [("#ff0000", 8, [0, 8, 32, 8])]).getpixel((16, 8))
        (255, 0, 0)
    """
    coloured = [stroke for stroke in strokes if stroke[0] != MARK]
    return _draw(as_picture(picture, "picture", smallest=1, largest=None), coloured)


def scribble(strokes: Sequence[Stroke], height: int, width: int) -> Image.Image:
    """Draw strokes on black paper: in white, that is what a scribble ControlNet was trained on."""
    return paint(Image.new("RGB", (width, height), BLACK), strokes)


def mask(strokes: Sequence[Stroke], height: int, width: int, on: Any = None) -> Image.Image:
    """Return what the marks among the strokes cover: PIL, L, white where a picture may change.

    Args:
        strokes: all others than marks and what erases them are left out.
        height, width: pixels.
        on: a mask of this size that they are drawn on, whatever `pictures.as_mask` takes; None is black paper.

    Raises:
        ValueError: something that is no stroke, or a mask of another size.
    """
    paper = Image.new("L", (width, height)) if on is None else as_mask(on, largest=None)
    if paper.size != (width, height):
        raise ValueError(f"mask has {paper.height} x {paper.width} pixels in place of {height} x {width}.")
    marks = [(WHITE if ink == MARK else ink, *rest) for ink, *rest in strokes if ink in (MARK, ERASE)]
    return _draw(paper, marks)


def keep_outside(mask: Image.Image, picture: Image.Image, seed: int = 0) -> Callable[..., dict]:
    """Return a `callback_on_step_end` for img2img that lets the picture change inside the mask only.

    After each step the latents outside are put back: the picture's own, with as much noise as the next step expects
    (Avrahami et al., 2023, Blended Latent Diffusion, algorithm 1). It needs no inpainting checkpoint. A latent that
    the mask touches is free, so a thin stroke is not lost between two latents. What is kept comes out as the
    autoencoder paints it.

    Args:
        mask: of the picture's size; white is what may change, black or transparent what may not.
        picture: the one that the pipeline is given.
        seed: of the noise outside.

    Raises:
        ValueError: a mask of another size, or one that holds nothing.
    """
    import torch
    from diffusers.utils.torch_utils import randn_tensor  # as the pipelines draw it: half precision has its own

    picture, mask = as_picture(picture, "picture", smallest=1, largest=None), as_mask(mask, largest=None)
    if mask.size != picture.size:
        sizes = [f"{image.height} x {image.width}" for image in (mask, picture)]
        raise ValueError(f"mask has {sizes[0]} pixels and picture {sizes[1]}; they must have one size.")
    if not mask.getbbox():
        raise ValueError("mask is black everywhere: nothing may change. Paint white what shall.")
    free = torch.from_numpy(np.asarray(mask, np.float32) / 255)[None, None]
    clean = noise = inside = None

    def blend(pipe: DiffusionPipeline, step: int, timestep: Any, kept: dict) -> dict:
        nonlocal clean, noise, inside
        latents = kept["latents"]
        if step == 0:
            clean = encode(pipe, picture).to(latents)
            noise = randn_tensor(clean.shape, torch.Generator().manual_seed(seed), clean.device, clean.dtype)
            inside = torch.nn.functional.adaptive_max_pool2d(free, latents.shape[-2:]).to(latents)
        left = pipe.num_timesteps - step - 1
        outside = pipe.scheduler.add_noise(clean, noise, pipe.scheduler.timesteps[-left:][:1]) if left else clean
        kept["latents"] = inside * latents + (1 - inside) * outside
        return kept

    return blend


def encode(pipe: DiffusionPipeline, picture: Image.Image, name: str = "picture") -> torch.Tensor:
    """Return the latents [batch, channel, latent_h, latent_w] of a picture, as the pipeline's UNet knows them.

    Args:
        pipe: whose autoencoder encodes.
        picture: whatever `as_picture` takes; sides that are no whole number of latents are rounded down.
        name: what errors call it.

    Raises:
        TypeError, ValueError: no picture, or one that is smaller than a latent.
    """
    import torch

    picture = as_picture(picture, name, smallest=pipe.vae_scale_factor, largest=None)
    pixels = pipe.image_processor.preprocess(picture)
    with torch.no_grad():  # the device to compute on, where the parts of a pipeline take turns on a card
        encoded = pipe.vae.encode(pixels.to(pipe._execution_device, pipe.vae.dtype))
    latents = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
    return latents * pipe.vae.config.scaling_factor


def decode(pipe: DiffusionPipeline, latents: torch.Tensor) -> Image.Image:
    """Return the picture of latents, the way back of `encode`: PIL, RGB, of the first in the batch."""
    import torch

    with torch.no_grad():
        pixels = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample
    return pipe.image_processor.postprocess(pixels.float())[0]


def estimate_depth(pipe: DiffusionPipeline, picture: Image.Image, name: str = "picture") -> torch.Tensor:
    """Return how near everything is, as the depth network of a depth-to-image pipeline sees it.

    Args:
        pipe: a depth2img pipeline.
        picture: whatever `as_picture` takes.
        name: what errors call it.

    Returns:
        Inverse depth [batch, height, width] in float32 on the CPU, near is large, of any scale and offset; of the size
        that the network works at.

    Raises:
        TypeError, ValueError: no picture.
    """
    import torch

    picture = as_picture(picture, name, smallest=1, largest=None)
    device, dtype = pipe._execution_device, pipe.depth_estimator.dtype
    pixels = pipe.feature_extractor(images=[picture], return_tensors="pt").pixel_values.to(device, dtype)
    mixed = torch.autocast(device.type, dtype, enabled=dtype != torch.float32)  # as the pipeline runs it
    with torch.no_grad(), mixed:
        return pipe.depth_estimator(pixels).predicted_depth.float().cpu()


def _draw(paper: Image.Image, strokes: Sequence[Stroke]) -> Image.Image:
    canvas = paper.copy()
    for stroke in strokes:
        try:
            ink, width, points = stroke
            coverage, left, top = _brushed(width, list(zip(points[::2], points[1::2], strict=True)), paper.size)
            right, bottom = left + coverage.width, top + coverage.height
            below = paper.crop((left, top, right, bottom)) if ink == ERASE else ink
            canvas.paste(below, (left, top, right, bottom), coverage)
        except (TypeError, ValueError, OverflowError) as problem:
            raise ValueError(
                f"strokes hold {repr(stroke)[:60]}; a stroke is (ink, width, [x, y, x, y, ...]), its ink a colour "
                f"such as '#ff0000', '{MARK}' or '{ERASE}'."
            ) from problem
    return canvas


def _brushed(width: float, points: list[tuple[float, float]], size: tuple[int, int]) -> tuple[Image.Image, int, int]:
    """Draw one stroke with a round brush; return how much of each pixel it covers (L), and where that lies."""
    reach = width / 2 + 1
    axes = list(zip(*points, strict=True))
    left, top = (max(0, math.floor(min(axis) - reach)) for axis in axes)
    right, bottom = (min(limit, math.ceil(max(axis) + reach)) for axis, limit in zip(axes, size, strict=True))
    fine = Image.new("L", (max(1, right - left) * FINE, max(1, bottom - top) * FINE))
    pen, radius = ImageDraw.Draw(fine), width / 2 * FINE
    path = [((x - left) * FINE, (y - top) * FINE) for x, y in points]
    pen.line(path, 255, max(1, round(width * FINE)))
    for x, y in path:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    return fine.reduce(FINE), left, top
