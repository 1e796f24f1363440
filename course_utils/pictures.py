"""The one door for pictures: files, bytes, arrays and PIL pictures are opened, checked and turned here.

What had to be done to a picture is said in sentences that travel with it: `notes(picture)`.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

SMALLEST = 16  # pixels of the shorter side: less holds nothing to control
LARGEST = 2048  # pixels of the longer side: more is shrunk, the models see 256 or 512
BAND = 512  # rows of a large picture that are worked on at a time
NOTES = "course notes"  # key in `Image.info`: PIL carries it along, PNG and JPEG do not write it
RESIZES = ("fit", "fill", "stretch")  # what hangs over is cut; what is missing is filled; neither, it is pulled
ORIENTATION = 0x0112  # EXIF: how the camera was held
Source = str | Path | bytes | np.ndarray | Image.Image  # whatever holds a picture


def as_picture(
    source: Source,
    name: str = "image",
    ground: str = "white",
    smallest: int = SMALLEST,
    largest: int | None = LARGEST,
) -> Image.Image:
    """Return an RGB picture of whatever holds one.

    A photograph is turned as its camera was held; 16 bits a channel become 8. A picture with a side of more than
    `largest` pixels is shrunk as it is read, so that a scan of 100 megapixels never needs a gigabyte; a note says so.

    Args:
        source: a path, the bytes of a file, a PIL picture in any mode, or an array [height, width],
            [height, width, 1], [height, width, 3] or [height, width, 4] (alpha): uint8, uint16, bool, or floats 0-1.
        name: what errors call it.
        ground: the colour under what is transparent. Maps lie on "black", and a note says so.
        smallest, largest: pixels that each side has at least and at most; None shrinks nothing.

    Returns:
        PIL, RGB, a new picture.

    Raises:
        TypeError: something that is no picture.
        FileNotFoundError: no such file.
        ValueError: an empty, broken or unknown file, an array of another shape or range, or a picture too small
            or too large.
    """
    read = isinstance(source, str | Path | bytes | bytearray | memoryview)
    shown = f"{name}={str(source)!r}" if isinstance(source, str | Path) else name
    if read:
        picture = _opened(source, shown)
    elif isinstance(source, np.ndarray):
        picture = _from_array(source, shown)
    elif isinstance(source, Image.Image):
        picture = source
    else:
        raise TypeError(f"{name} is of type {type(source).__name__}; give a PIL picture, an array, a path or bytes.")
    _check_size(picture, shown, smallest)
    width, height = picture.size
    largest = largest or max(width, height)
    orientation = _load(picture, shown, largest if read else None)
    out = _reduced(_checked_range(picture, shown), max(1, max(picture.size) // largest), shown, ground)
    if max(width, height) > largest:
        out = ImageOps.contain(out, (largest, largest), Image.Resampling.LANCZOS)
        with_notes(out, f"The picture of {width} x {height} pixels was shrunk to {out.width} x {out.height}.")
    if orientation != 1:
        out.getexif()[ORIENTATION] = orientation
        out = ImageOps.exif_transpose(out)
    _check_size(out, shown, smallest)
    return out


def as_mask(source: Source, name: str = "mask", largest: int | None = LARGEST) -> Image.Image:
    """Return a mask, PIL, L, of whatever `as_picture` takes; what is transparent in it is not marked: black."""
    return as_picture(source, name, "black", smallest=1, largest=largest).convert("L")


def resized(
    picture: Image.Image,
    height: int,
    width: int,
    resize: str,
    scale: Callable[[Image.Image, tuple[int, int]], Image.Image],
) -> Image.Image:
    """Bring a picture to a size without cutting.

    Args:
        picture: of any size.
        height, width: pixels.
        resize: "stretch" changes its shape; "fill" sets it on paper that has a colour of its border.
        scale: makes it larger or smaller, given (width, height).
    """
    if resize == "stretch":
        return scale(picture, (width, height))
    share = min(width / picture.width, height / picture.height)
    inner = scale(picture, tuple(max(1, round(side * share)) for side in picture.size))
    pixels = np.asarray(inner.convert("RGB"))
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    middle = border[np.argsort(border.sum(-1, dtype=int), kind="stable")[len(border) // 2]]  # a colour that is there
    paper = Image.new("RGB", (width, height), tuple(middle.tolist()))
    paper.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
    return paper


def encoded(picture: Image.Image, kind: str = "PNG", **how: Any) -> bytes:
    """Return a picture as the bytes of a file of a kind that PIL knows; `how` are arguments of `Image.save`."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **how)
    return buffer.getvalue()


def notes(picture: Image.Image) -> tuple[str, ...]:
    """Return what there is to say about a picture or a map; usually nothing."""
    return tuple(picture.info.get(NOTES, ()))


def with_notes(picture: Image.Image, *sentences: str) -> Image.Image:
    """Return the picture, with sentences added to those that it carries."""
    picture.info[NOTES] = (*notes(picture), *sentences)
    return picture


def _opened(source: str | Path | bytes, shown: str) -> Image.Image:
    """Open a file's picture; its pixels are read later."""
    try:
        data = Path(source).read_bytes() if isinstance(source, str | Path) else bytes(source)
    except (OSError, ValueError):
        raise FileNotFoundError(f"{shown} is no file that can be read; give the path of a PNG or JPEG.") from None
    if not data:
        raise ValueError(f"{shown} is empty: 0 bytes; save or upload it again.")
    try:
        with warnings.catch_warnings():  # a large picture is no attack, and is shrunk below
            warnings.simplefilter("ignore")
            return Image.open(io.BytesIO(data))
    except Image.DecompressionBombError:
        raise ValueError(
            f"{shown} has more than {2 * Image.MAX_IMAGE_PIXELS / 1e6:.0f} megapixels; shrink it in a picture program."
        ) from None
    except Exception:  # PIL's readers raise what they like at damaged files
        raise ValueError(f"{shown} is no picture that can be read; give a PNG, JPEG or WebP.") from None


def _load(picture: Image.Image, shown: str, largest: int | None) -> int:
    """Read the pixels, those of a large JPEG smaller at once; return how the camera was held."""
    width, height = picture.size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if largest:
                picture.draft("RGB", (width * largest // max(width, height), height * largest // max(width, height)))
            picture.load()  # PIL turns a TIFF here, and takes the tag out
            orientation = picture.getexif().get(ORIENTATION, 1)
    except Exception as error:  # as above
        raise ValueError(f"{shown} is broken ({error}); save or download it anew.") from None
    return orientation


def _from_array(pixels: np.ndarray, shown: str) -> Image.Image:
    """Make a picture of an array; what its numbers mean is told by its dtype."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))) or not pixels.size:
        raise ValueError(f"{shown} has shape {list(pixels.shape)}; give [height, width] or [height, width, 3], RGB.")
    if pixels.dtype == bool:
        pixels = pixels * np.uint8(255)
    elif pixels.dtype == np.uint16:
        pixels = (pixels / 257 + 0.5).astype(np.uint8)
    elif np.issubdtype(pixels.dtype, np.floating):
        if not (np.isfinite(pixels).all() and 0 <= pixels.min() and pixels.max() <= 1):
            raise ValueError(f"{shown} holds floats outside 0-1, or NaN; scale them to 0-1, or give uint8 0-255.")
        pixels = (pixels * 255).round().astype(np.uint8)  # as diffusers makes pictures of its floats
    elif pixels.dtype != np.uint8:
        raise ValueError(f"{shown} is of dtype {pixels.dtype}; give uint8 0-255, uint16, bool, or floats 0-1.")
    return Image.fromarray(pixels)


def _check_size(picture: Image.Image, shown: str, smallest: int) -> None:
    width, height = picture.size
    if min(width, height) < smallest:
        raise ValueError(f"{shown} has {height} x {width} pixels; it needs at least {smallest} each way.")


def _checked_range(picture: Image.Image, shown: str) -> Image.Image:
    """Tell 8 bits from 16 in a picture of whole numbers by the largest of them."""
    if picture.mode != "I":
        return picture
    low, high = picture.getextrema()
    if low < 0 or high > 65535:
        raise ValueError(f"{shown} holds numbers outside 0-65535; save it with 8 or 16 bits.")
    return picture.convert("L") if high < 256 else picture


def _reduced(picture: Image.Image, factor: int, shown: str, ground: str) -> Image.Image:
    """Average squares of `factor` pixels, band by band: converted at once, a large picture would fill the memory."""
    if factor == 1:
        return _flat(picture, shown, ground)
    rows = BAND // factor * factor or factor
    bands = [
        _flat(picture.crop((0, top, picture.width, min(top + rows, picture.height))), shown, ground).reduce(factor)
        for top in range(0, picture.height, rows)
    ]
    out = Image.new("RGB", (bands[0].width, sum(band.height for band in bands)))
    top = 0
    for band in bands:
        out.paste(band, (0, top))
        top += band.height
    return with_notes(out, *dict.fromkeys(note for band in bands for note in notes(band)))


def _layer(picture: Image.Image, shown: str) -> Image.Image:
    """Return a picture with its transparency as RGBA."""
    try:
        return picture.convert("LA" if picture.mode == "La" else "RGBA").convert("RGBA")
    except (TypeError, ValueError) as error:  # older PIL looks at the transparent colour only now
        raise ValueError(f"{shown} has a transparent colour that is none ({error}); save it as PNG.") from error


def _flat(picture: Image.Image, shown: str, ground: str) -> Image.Image:
    """Return a new RGB picture without transparency; PIL alone would cut 16 bits and floats off at 255."""
    if picture.mode.startswith("I"):
        picture = _from_array(np.asarray(picture).astype(np.uint16), shown)
    elif picture.mode == "F":
        picture = _from_array(np.asarray(picture), shown)
    if not picture.has_transparency_data:
        try:
            return picture.convert("RGB")
        except ValueError as error:  # a mode that nearly nobody has met, such as LAB
            raise ValueError(f"{shown} has the mode {picture.mode!r}; save it as RGB.") from error
    layer = _layer(picture, shown)
    flat = Image.alpha_composite(Image.new("RGBA", picture.size, ground), layer).convert("RGB")
    with_notes(flat, *notes(picture))
    if ground != "white" and layer.getchannel("A").getextrema()[0] < 255:
        with_notes(flat, f"What is transparent in it became {ground}.")
    return flat
