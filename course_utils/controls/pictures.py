"""Whatever a learner hands in, made an RGB picture: one door for files, bytes, arrays and PIL pictures.

What had to be done to it is said in sentences that travel with the picture: `notes(picture)`.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SMALLEST = 16  # pixels of the shorter side: less holds nothing to control
LARGEST = 2048  # pixels of the longer side: more is shrunk, the models see 256 or 512
BAND = 512  # rows of a large picture that are worked on at a time
NOTES = "course notes"  # key in `Image.info`: PIL carries it along, PNG and JPEG do not write it
TURNED = 0x0112  # EXIF: how the camera was held


def as_picture(source: str | Path | bytes | np.ndarray | Image.Image, name: str = "image") -> Image.Image:
    """Return an RGB picture of whatever holds one.

    A photograph is turned as its camera was held; what is transparent lies over white; 16 bits a channel become 8.
    A picture with a side of more than `LARGEST` pixels is shrunk as it is read, so that a scan of 100 megapixels
    never needs a gigabyte; a note says so.

    Args:
        source: a path, the bytes of a file, a PIL picture in any mode, or an array [height, width],
            [height, width, 1], [height, width, 3] or [height, width, 4] (alpha): uint8, uint16, bool, or floats 0-1.
        name: what errors call it.

    Returns:
        PIL, RGB, both sides at least `SMALLEST` and at most `LARGEST` pixels.

    Raises:
        TypeError: something that is no picture.
        FileNotFoundError: no such file.
        ValueError: an empty, broken or unknown file, an array of another shape or range, or a picture too small
            or too large.
    """
    read = isinstance(source, str | Path | bytes | bytearray | memoryview)
    if read:
        picture = _opened(source, name)
    elif isinstance(source, np.ndarray):
        picture = _from_array(source, name)
    elif isinstance(source, Image.Image):
        picture = source
    else:
        raise TypeError(
            f"{name} is of type {type(source).__name__}; give a PIL picture, an array, a path or a file's bytes."
        )
    _check_size(picture, name)
    try:
        return _rgb(picture, name, read)
    except (OSError, SyntaxError) as error:  # PIL's words for a file that ends too soon or is damaged
        raise ValueError(f"{name} is broken ({error}); save or download it anew.") from None


def notes(picture: Image.Image) -> tuple[str, ...]:
    """Return what there is to say about a picture or a map that this room made; usually nothing."""
    return tuple(picture.info.get(NOTES, ()))


def with_notes(picture: Image.Image, *said: str) -> Image.Image:
    """Return the picture, with sentences added to those that it carries."""
    picture.info[NOTES] = (*notes(picture), *said)
    return picture


def _opened(source: str | Path | bytes, name: str) -> Image.Image:
    """Open a file's picture; its pixels are read later."""
    if isinstance(source, str | Path):
        path, shown = Path(source), f"{name}={str(source)!r}"
        if not path.is_file():
            raise FileNotFoundError(f"{shown} is no file; give the path of a PNG or JPEG.")
        data = path.read_bytes()
    else:
        data, shown = bytes(source), name
    if not data:
        raise ValueError(f"{shown} is empty: 0 bytes; save or upload it again.")
    try:
        with warnings.catch_warnings():  # a large picture is no attack, and is shrunk below
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data))
    except Image.DecompressionBombError:
        raise ValueError(
            f"{shown} has more than {2 * Image.MAX_IMAGE_PIXELS / 1e6:.0f} megapixels; shrink it in a picture program."
        ) from None
    except (OSError, SyntaxError, ValueError):
        raise ValueError(f"{shown} is no picture that can be read; give a PNG, JPEG or WebP.") from None


def _from_array(pixels: np.ndarray, name: str) -> Image.Image:
    """Make a picture of an array; what its numbers mean is told by its dtype."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))) or not pixels.size:
        raise ValueError(
            f"{name} has shape {list(pixels.shape)}; give [height, width], or [height, width, 3] in RGB order."
        )
    if pixels.dtype == bool:
        pixels = pixels * np.uint8(255)
    elif pixels.dtype == np.uint16:
        pixels = (pixels / 257 + 0.5).astype(np.uint8)
    elif np.issubdtype(pixels.dtype, np.floating):
        if not (np.isfinite(pixels).all() and 0 <= pixels.min() and pixels.max() <= 1):
            raise ValueError(f"{name} holds floats outside 0-1, or NaN; scale them to 0-1, or give uint8 0-255.")
        pixels = (pixels * 255 + 0.5).astype(np.uint8)
    elif pixels.dtype != np.uint8:
        raise ValueError(f"{name} is of dtype {pixels.dtype}; give uint8 0-255, uint16, bool, or floats 0-1.")
    return Image.fromarray(pixels)


def _check_size(picture: Image.Image, name: str) -> None:
    width, height = picture.size
    if min(width, height) < SMALLEST:
        raise ValueError(f"{name} has {height} x {width} pixels; it needs at least {SMALLEST} each way.")


def _rgb(picture: Image.Image, name: str, read: bool) -> Image.Image:
    """Shrink, straighten and flatten a picture; one that was handed in, not read here, stays as it is."""
    width, height = picture.size
    turned = picture.getexif().get(TURNED, 1)
    if read:  # a large JPEG is decoded smaller at once
        picture.draft("RGB", (width * LARGEST // max(width, height), height * LARGEST // max(width, height)))
    out = _reduced(picture, max(1, max(picture.size) // LARGEST), name)
    if max(width, height) > LARGEST:
        out = ImageOps.contain(out, (LARGEST, LARGEST), Image.Resampling.LANCZOS)
        with_notes(out, f"The picture of {width} x {height} pixels was shrunk to {out.width} x {out.height}.")
    if turned != 1:
        out.getexif()[TURNED] = turned
        out = ImageOps.exif_transpose(out)
    _check_size(out, name)
    return out


def _reduced(picture: Image.Image, factor: int, name: str) -> Image.Image:
    """Average squares of `factor` pixels, band by band: converted at once, a large picture would fill the memory."""
    if factor == 1:
        return _flat(picture, name)
    rows = BAND // factor * factor
    bands = [
        _flat(picture.crop((0, top, picture.width, min(top + rows, picture.height))), name).reduce(factor)
        for top in range(0, picture.height, rows)
    ]
    out = Image.new("RGB", (bands[0].width, sum(band.height for band in bands)))
    top = 0
    for band in bands:
        out.paste(band, (0, top))
        top += band.height
    return out


def _flat(picture: Image.Image, name: str) -> Image.Image:
    """Return a new RGB picture without transparency; PIL alone would cut 16 bits and floats off at 255."""
    if picture.mode.startswith("I;16"):
        picture = _from_array(np.asarray(picture).astype(np.uint16), name)
    elif picture.mode in ("I", "F"):
        picture = _from_numbers(np.asarray(picture), name)
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _from_numbers(values: np.ndarray, name: str) -> Image.Image:
    """Make a picture of whole numbers or floats by what they span: 8 bits, 16 bits or 0-1."""
    if values.dtype == np.float32:
        return _from_array(values, name)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"{name} holds numbers outside 0-65535; save it with 8 or 16 bits.")
    return _from_array(values.astype(np.uint8 if values.max() < 256 else np.uint16), name)
