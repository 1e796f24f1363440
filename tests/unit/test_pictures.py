"""The door for pictures: whatever a learner hands in becomes one RGB picture, or is refused by its name."""

import io
import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageOps

from course_utils import adherence, controls, editing, personalize, pictures, plots


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


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "I;16", "P"])
@pytest.mark.parametrize("colour", [b"", b"\0", b"\0\0\0", "x", None, -1, 300, 1.5, (1, 2, 3), (1,), []])
def test_a_transparent_colour_is_heeded_or_refused_by_name(mode, colour):
    picture = Image.new(mode, (3, 3))
    picture.info["transparency"] = colour
    try:
        assert pictures.as_picture(picture, "argument", smallest=1).size == (3, 3)
    except ValueError as refusal:
        assert str(refusal).startswith("argument has a transparent colour that is none")


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


MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "LAB", "I", "I;16", "I;16B",
         "F")  # fmt: skip
KINDS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM")


@st.composite
def arrays(draw):
    """Arrays of any dtype and shape, mostly of shapes that pictures have."""
    side = st.integers(1, 40)
    like = st.tuples(side, side) | st.tuples(side, side, st.integers(1, 5))
    shape = draw(like | hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    dtype = draw(st.sampled_from([bool, np.uint8, np.uint16, np.float32]) | hnp.scalar_dtypes())
    elements = st.floats(0, 1, width=16) if np.dtype(dtype).kind == "f" and draw(st.booleans()) else None
    pixels = draw(hnp.arrays(dtype, shape, elements=elements))
    return pixels.astype(object) if draw(st.integers(0, 20)) == 7 else pixels


@st.composite
def opened(draw):
    """PIL pictures of any mode and size; some with a transparent colour or turned, some with nonsense for either."""
    mode, size = draw(st.sampled_from(MODES)), draw(st.tuples(st.integers(1, 50), st.integers(1, 50)))
    try:
        picture = Image.linear_gradient("L").resize(size).convert(mode)
    except ValueError:  # no way from grey to this mode
        picture = Image.new(mode, size, draw(st.integers(0, 255)))
    seen_through = st.integers(-1, 300) | st.binary(max_size=3) | st.tuples(*[st.integers(0, 255)] * 3)
    if draw(st.booleans()):
        picture.info["transparency"] = draw(seen_through)
    if draw(st.booleans()):
        picture.getexif()[pictures.ORIENTATION] = draw(st.integers(-1, 9) | st.text(max_size=2))
    return picture


@st.composite
def files(draw):
    """The bytes of a file, whole or damaged."""
    try:
        picture = draw(opened())
        data = bytearray(saved(picture, draw(st.sampled_from(KINDS)), exif=picture.getexif()))
    except Exception:  # such a file cannot be written
        return draw(st.binary(max_size=30))
    for place, value in draw(st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=9)):
        data[place % len(data)] = value
    return bytes(data[: draw(st.none() | st.integers(0, len(data)))])


SOURCES = arrays() | opened() | files() | st.none() | st.integers() | st.text(max_size=3)
SIDES = st.integers(16, 50)
WHOLE = hnp.arrays(np.uint8, st.tuples(SIDES, SIDES, st.just(3)))  # what every door takes
MIX = st.booleans().flatmap(lambda whole: WHOLE if whole else SOURCES)


def white(source):
    """A white picture of the source's size."""
    try:
        return Image.new("L", pictures.as_picture(source, smallest=1, largest=None).size, 255)
    except (TypeError, ValueError, FileNotFoundError):
        return Image.new("L", (32, 32), 255)


DOORS = {
    "as_picture": lambda source: pictures.as_picture(source, "argument", smallest=1, largest=20),
    "as_mask": lambda source: pictures.as_mask(source, "argument"),
    "as_map": lambda source: controls.as_map(source, "scribble", 24, 40),
    "problems": lambda source: controls.problems(source, "seg"),
    "make": lambda source: controls.make("mlsd", source, "clay"),
    "keep_outside": lambda source: editing.keep_outside(source, white(source)),
    "keep_outside of": lambda source: editing.keep_outside(white(source), source),
    "paint": lambda source: editing.paint(source, [("#ff0000", 3, (1, 1))]),
    "gather": lambda source: personalize.gather([source], "sks robot", 24, 24),
    "grid": lambda source: plots.grid([source]),
    "beach": adherence.beach,
}  # fmt: skip
NAMES = {  # what each door calls it
    "as_picture": "argument", "as_mask": "argument", "as_map": "map", "problems": "map", "make": "image",
    "keep_outside": "mask", "keep_outside of": "picture", "paint": "picture", "gather": "pictures[0]",
    "grid": "picture", "beach": "image",
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_whatever_comes_is_taken_or_refused_by_name(door):
    taken = Counter()

    @settings(max_examples=300 if door in ("as_picture", "as_mask") else 60)
    @given(MIX)
    def knock(source):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's, of numbers that are none
            try:
                found = DOORS[door](source)
            except (TypeError, ValueError, FileNotFoundError) as refusal:
                assert str(refusal).startswith(NAMES[door]), (source, refusal)
                taken[False] += 1
            else:
                assert not isinstance(found, Image.Image) or (found.mode in ("RGB", "L") and min(found.size) >= 1)
                taken[True] += 1

    knock()
    assert min(taken[True], taken[False]) >= 5, taken


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20).map(lambda side: (*side, 4))))
def test_alpha_means_paper_of_a_photograph_and_nothing_of_a_mask_or_a_map(pixels):
    colour, share = pixels[..., :3].astype(float), pixels[..., 3:] / 255
    for ground, paper in (("white", 255), ("black", 0)):
        found = np.asarray(pictures.as_picture(pixels, ground=ground, smallest=1)).astype(float)
        assert np.abs(found - (colour * share + paper * (1 - share))).max() <= 1
    assert not np.asarray(pictures.as_mask(pixels))[pixels[..., 3] == 0].any()


@given(st.integers(1, 8), st.tuples(st.integers(1, 40), st.integers(1, 40)), st.sampled_from(["PNG", "TIFF", "WEBP"]))
def test_every_way_to_hold_a_camera_is_turned_as_pil_turns_it(orientation, size, kind):
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = orientation
    data = saved(picture, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    found = pictures.as_picture(data, smallest=1)
    assert found.size == wanted.size and np.array_equal(np.asarray(found), np.asarray(wanted))


@given(hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20)))
def test_deep_greys_are_scaled_and_never_clipped(values):
    ways = [values, Image.fromarray(values), saved(Image.fromarray(values))]
    for way in ways:
        found = np.asarray(pictures.as_picture(way, smallest=1))[..., 0]
        assert np.abs(found - values / 257).max() <= 0.51


@given(
    hnp.arrays(np.bool_, st.tuples(st.integers(16, 60), st.integers(16, 60)), elements=st.booleans()),
    st.sampled_from(["canny", "seg"]), st.integers(16, 60), st.integers(16, 60),
)  # fmt: skip
def test_a_map_of_any_size_keeps_its_lines_and_classes(drawn, control, height, width):
    palette = [[0, 0, 0], [255, 255, 255]] if control == "canny" else [[120, 120, 120], [4, 200, 3]]
    colours = np.array(palette, np.uint8)
    found = controls.as_map(colours[drawn.astype(int)], control, height, width)
    assert found.size == (width, height)
    seen = {tuple(colour) for colour in np.asarray(found).reshape(-1, 3).tolist()}
    assert seen <= {tuple(colour) for colour in colours.tolist()}
    if control == "canny" and drawn.all(1).any() and drawn.all(0).any():  # a whole row and a whole column
        assert found.getbbox(), "lines survive"
