"""The door for pictures: whatever a learner hands in becomes one RGB picture, or is refused by its name."""

import io

import numpy as np
import pytest
from PIL import Image

from course_utils import controls, pictures


def saved(picture, kind="PNG", **how):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **how)
    return buffer.getvalue()


def ramp(height=40, width=60):
    return Image.linear_gradient("L").resize((width, height)).convert("RGB")


def test_a_picture_comes_in_every_way(tmp_path):
    picture = ramp()
    path = tmp_path / "ramp.png"
    path.write_bytes(saved(picture))
    ways = [picture, str(path), path, path.read_bytes(), memoryview(path.read_bytes()), np.asarray(picture)]
    ways += [np.asarray(picture)[..., 0], np.asarray(picture)[..., :1], np.asarray(picture) / 255]
    for way in ways:
        found = pictures.as_picture(way)
        assert found.mode == "RGB" and np.array_equal(np.asarray(found), np.asarray(picture)), type(way)
        assert pictures.notes(found) == () and found is not picture


def test_transparent_parts_lie_over_white():
    pixels = np.zeros((20, 30, 4), np.uint8)
    pixels[:10] = 255, 0, 0, 255
    pixels[15:, :, 3] = 128
    wanted = [(255, 0, 0), (255, 255, 255), (127, 127, 127)]
    rgba = Image.fromarray(pixels)
    for one in (pixels, rgba, saved(rgba)):
        found = pictures.as_picture(one)
        assert [found.getpixel((0, row)) for row in (0, 12, 19)] == wanted
    pixels[15:] = 0
    palette = Image.fromarray(pixels).quantize(4)
    assert palette.mode == "P"
    found = pictures.as_picture(saved(palette))
    assert [found.getpixel((0, row)) for row in (0, 19)] == wanted[:2]
    assert pictures.as_picture(saved(palette.convert("RGB").quantize(4), "GIF")).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("mode", ["I;16", "I", "F", "L", "1", "CMYK", "LA", "HSV"])
def test_every_mode_keeps_its_brightness(mode):
    grey = np.asarray(ramp())[..., 0]
    if mode == "I;16":
        picture = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "F":
        picture = Image.fromarray((grey / 255).astype(np.float32))
    else:
        picture = ramp().convert("L" if mode == "I" else mode).convert(mode)
    found = np.asarray(pictures.as_picture(picture)).astype(int)
    assert picture.mode == mode and found.shape == (40, 60, 3)
    if mode == "1":
        assert set(np.unique(found)) == {0, 255}
    else:
        assert np.abs(found[..., 0] - grey).max() <= 2


def test_sixteen_bits_in_a_file_and_in_an_array():
    values = np.linspace(0, 65535, 20 * 30).reshape(20, 30).astype(np.uint16)
    for one in (values, saved(Image.fromarray(values)), Image.fromarray(values.astype(np.int32))):
        found = np.asarray(pictures.as_picture(one))[..., 0]
        assert found.min() == 0 and found.max() == 255 and np.abs(found - values / 257).max() <= 1
    assert pictures.as_picture(values > 30000).getpixel((29, 19)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [(60, 40), (3000, 1000)])
def test_a_photograph_is_turned_as_the_camera_was_held(kind, size):
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = 6  # the top of the scene is at the file's left
    picture = Image.linear_gradient("L").rotate(90).resize(size).convert("RGB")
    found = pictures.as_picture(saved(picture, kind, exif=exif))
    assert found.height > found.width and found.getexif().get(pictures.ORIENTATION, 1) == 1
    assert found.getpixel((0, 2))[0] < 60 and found.getpixel((0, found.height - 3))[0] > 190


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_huge_photograph_is_shrunk_with_a_note(kind, recwarn):
    data = saved(Image.new("L", (12000, 9000), 80), kind, **({"compress_level": 1} if kind == "PNG" else {}))
    picture = pictures.as_picture(data)
    assert picture.size == (2048, 1536) and picture.getpixel((9, 9)) == (80, 80, 80)
    assert pictures.notes(picture) == ("The picture of 12000 x 9000 pixels was shrunk to 2048 x 1536.",)
    assert not list(recwarn)
    assert pictures.notes(controls.canny(picture.resize((64, 48))))[0] == pictures.notes(picture)[0]


def test_a_large_picture_is_averaged_whole_across_bands():
    picture = Image.linear_gradient("L").resize((64, 5000)).convert("RGBA")
    found = np.asarray(pictures.as_picture(picture)).astype(int)
    assert found.shape == (2048, 26, 3) and picture.size == (64, 5000)
    wanted = np.linspace(0, 255, 2048)[:, None]
    assert np.abs(found[..., 0] - wanted).max() <= 3 and np.diff(found[:, 0, 0]).min() >= 0


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        (b"", ValueError, "image is empty: 0 bytes"),
        (b"This is a letter.", ValueError, "no picture that can be read; give a PNG"),
        (Image.new("RGB", (1, 1)), ValueError, "1 x 1 pixels; it needs at least 16"),
        (np.zeros((400, 3, 3), np.uint8), ValueError, "400 x 3 pixels"),
        (np.zeros((20, 20, 5), np.uint8), ValueError, r"shape \[20, 20, 5\]; give \[height, width\]"),
        (np.zeros((0, 20, 3), np.uint8), ValueError, r"shape \[0, 20, 3\]"),
        (np.full((20, 20), np.nan), ValueError, "floats outside 0-1, or NaN"),
        (np.full((20, 20), 3.5), ValueError, "floats outside 0-1"),
        (np.zeros((20, 20), np.int64), ValueError, "dtype int64; give uint8"),
        (Image.new("I", (20, 20), 70000), ValueError, "outside 0-65535"),
        (7, TypeError, "image is of type int; give a PIL picture"),
        (None, TypeError, "image is of type NoneType"),
    ],
)
def test_what_is_no_picture_is_refused(source, error, said):
    with pytest.raises(error, match=said):
        pictures.as_picture(source)


def test_files_that_are_broken_are_named(tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    for kind in ("PNG", "JPEG"):
        with pytest.raises(ValueError, match="broken|no picture"):
            pictures.as_picture(saved(noise, kind)[:-900])
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match="empty.png' is empty: 0 bytes"):
        pictures.as_picture(tmp_path / "empty.png")
    with pytest.raises(FileNotFoundError, match="nothing.png' is no file"):
        pictures.as_picture(tmp_path / "nothing.png")
    with pytest.raises(FileNotFoundError, match="is no file"):
        pictures.as_picture(tmp_path)


def test_a_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match="more than 0 megapixels; shrink it"):
        pictures.as_picture(saved(ramp(100, 100)))


def test_a_map_on_transparent_ground_lies_on_black_and_says_so():
    pixels = np.zeros((20, 30, 4), np.uint8)
    pixels[9:11] = 255
    drawn = Image.fromarray(pixels)
    for one in (drawn, saved(drawn), drawn.convert("LA"), drawn.quantize(4), pixels):
        found = pictures.as_picture(one, "map", ground="black")
        assert np.array_equal(np.asarray(found), pixels[..., :3])
        assert pictures.notes(found) == ("What is transparent in it became black.",)
    pixels[..., 3] = 255
    assert pictures.notes(pictures.as_picture(pixels, "map", ground="black")) == ()
    large = Image.fromarray(np.dstack([np.full((3000, 64, 3), 255, np.uint8), np.zeros((3000, 64), np.uint8)]))
    assert (
        pictures.notes(pictures.as_picture(large, "map", ground="black"))[0]
        == "What is transparent in it became black."
    )


def test_a_mask_heeds_its_alpha_and_any_mode():
    marked = np.zeros((20, 30), bool)
    marked[5:9, 5:9] = True
    strokes = np.dstack([np.full((20, 30, 3), 255, np.uint8), marked * np.uint8(255)])
    grey = Image.fromarray(marked * np.uint8(255))
    for one in (strokes, marked, marked.astype(float), grey, grey.convert("1"), grey.convert("P"), saved(grey)):
        found = pictures.as_mask(one)
        assert found.mode == "L" and np.array_equal(np.asarray(found) > 0, marked)


def test_a_dark_picture_of_16_bits_stays_dark_in_every_band():
    values = np.zeros((3000, 40), np.int32)
    values[2900:] = 60000
    found = np.asarray(pictures.as_picture(Image.fromarray(values + 200)))
    assert found[:100].max() == 1 and found[-10:].min() > 200


MODES = (
    "1",
    "L",
    "LA",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "La",
    "CMYK",
    "YCbCr",
    "HSV",
    "LAB",
    "I",
    "I;16",
    "I;16B",
    "F",
)
DTYPES = (
    bool,
    np.uint8,
    np.uint16,
    np.int8,
    np.int64,
    np.float16,
    np.float32,
    np.float64,
    complex,
    object,
    "U1",
    ">u2",
)


def handed_in(rng):
    """Draw something that a learner might hand in: a picture, an array or a file, whole or not."""
    height, width = rng.integers(1, 70, 2)
    way = rng.integers(3)
    if way == 0:
        channels = int(rng.integers(-1, 6))  # -1: no height, 0: no channel
        shape = (height, width, channels)[: 3 if channels > 0 else 2 + channels]
        values = rng.random(shape) * rng.choice([1, 1, 1, 255, -1, np.nan])
        with np.errstate(all="ignore"):
            return values.astype(DTYPES[rng.integers(len(DTYPES))])
    picture = Image.new(MODES[rng.integers(len(MODES))], (int(width), int(height)), int(rng.integers(255)))
    if way == 1:
        return picture
    kind = str(rng.choice(["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM"]))
    try:
        data = saved(picture, kind)
    except (OSError, ValueError, KeyError):
        return b"such a file cannot be written"
    damage = rng.integers(3)
    if damage == 1:
        return data[: rng.integers(len(data) + 1)]
    if damage == 2:
        data = bytearray(data)
        for place in rng.integers(0, len(data), 1 + len(data) // 50):
            data[place] = rng.integers(256)
    return bytes(data)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_whatever_comes_is_a_picture_or_refused_by_name():
    outcomes = {True: 0, False: 0}
    for seed in range(1500):
        source = handed_in(np.random.default_rng(seed))
        for door in (pictures.as_picture, pictures.as_mask):
            try:
                found = door(source, "argument")
                assert found.mode in ("RGB", "L") and min(found.size) >= 1, seed
                outcomes[True] += 1
            except (ValueError, TypeError) as refusal:
                assert str(refusal).startswith("argument"), (seed, refusal)
                outcomes[False] += 1
    assert min(outcomes.values()) > 500
