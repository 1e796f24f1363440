"""Sheets, overlays, figures: sizes, places, what is refused, and that matplotlib's settings stay alone."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from course_utils import plots
from course_utils.plots import style


def flat(colour, height=64, width=96):
    return Image.new("RGB", (width, height), colour)


def find(sheet, colour):
    """Return (top, bottom, left, right) of the pixels of a colour."""
    rows, columns = np.nonzero((np.asarray(sheet) == colour).all(axis=2))
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


RED, BLUE, GREEN = (250, 0, 0), (0, 0, 250), (0, 250, 0)


def test_grid_reads_row_by_row():
    sheet = plots.grid([flat(RED), flat(BLUE), flat(GREEN)], columns=2)
    red, blue, green = (find(sheet, colour) for colour in (RED, BLUE, GREEN))
    assert red[:2] == blue[:2] and red[3] < blue[2] and red[2:] == green[2:] and red[1] < green[0]
    assert red[1] - red[0] == 64 and red[3] - red[2] == 96


def test_size_is_height_first():
    top, bottom, left, right = find(plots.strip([flat(RED)], size=(30, 50)), RED)
    assert (bottom - top, right - left) == (30, 50)


def test_titles_and_caption_take_room_and_never_cover_pictures():
    bare = plots.strip([flat(RED), flat(BLUE)])
    named = plots.strip([flat(RED), flat(BLUE)], ["short", "a title that must be broken"], caption="seed 7")
    assert named.width == bare.width and named.height > bare.height + 2 * style.LINE
    top, bottom, left, right = find(named, RED)
    assert ((np.asarray(named)[top:bottom, left:right] == RED).all(axis=2)).all()


def test_compare_has_three_panels():
    sheet = plots.compare(flat(RED), flat(GREEN), flat(BLUE), "scale 1.0, seed 7")
    assert find(sheet, RED)[3] < find(sheet, GREEN)[2] < find(sheet, GREEN)[3] < find(sheet, BLUE)[2]


def test_long_names_of_columns_are_wrapped_above_the_pictures():
    short, long = (plots.sweep([[flat(RED)] * 2], ["row"], [name, "b"]) for name in ("a", "a name that is long"))
    assert long.width == short.width and long.height > short.height
    ends = [np.argwhere((np.asarray(sheet) == RED).all(-1)).min(0) for sheet in (short, long)]
    assert ends[1][0] - ends[0][0] == long.height - short.height, "the pictures begin below the last line"


def test_sweep_is_a_table():
    sheet = plots.sweep([[flat(RED), flat(BLUE)], [flat(GREEN), flat("#777777")]], [1, 4], [5, 20], "steps")
    assert find(sheet, RED)[2] == find(sheet, GREEN)[2] and find(sheet, RED)[0] == find(sheet, BLUE)[0]
    bare = plots.sweep([[flat(RED)]], [1], [5])
    assert sheet.height > bare.height


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: plots.grid([]), "images is empty"),
        (lambda: plots.grid([flat(RED)], ["a", "b"]), "titles"),
        (lambda: plots.sweep([[flat(RED)]], [1, 2], [1]), "rows of"),
        (lambda: plots.overlay(flat(RED), np.full((4, 4), 2.0)), "0-1"),
        (lambda: plots.overlay(flat(RED), np.zeros((4, 4, 3))), "height, width"),
        (lambda: plots.as_picture(np.zeros((3, 8, 8))), "shape"),
        (lambda: plots.as_picture(np.full((8, 8, 3), 255.0)), "0-1"),
        (lambda: plots.described(flat(RED), " "), "alt"),
        (lambda: plots.curve([1], {str(n): [1] for n in range(7)}), "at most"),
    ],
)
def test_what_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_overlay_glows_where_the_map_is_high():
    heat = np.zeros((4, 6), np.float32)
    heat[:, 4:] = 1
    image = np.asarray(plots.overlay(flat("#808080"), heat)).astype(int)
    assert image.shape == (64, 96, 3)
    assert image[:, :40].std(axis=2).max() < 1, "grey where the map is 0"
    assert image[:, 84:].mean() > image[:, :40].mean() + 30


def test_floats_and_bytes_are_the_same_picture():
    floats = np.random.default_rng(0).random((8, 8, 3))
    bytes_ = (floats * 255).round().astype(np.uint8)
    assert np.array_equal(np.asarray(plots.as_picture(floats)), np.asarray(plots.as_picture(bytes_)))


def test_figures_leave_matplotlib_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    interval = {"a": ([0.1, 0.2], [0.4, 0.5])}
    curve = plots.curve([1, 2], {"a": [0.2, 0.3], "b": [0.2, 0.31]}, interval, "x", "y", "title")
    bars = plots.bars({"one": 0.5, "two": 0.25}, {"one": (0.4, 0.6)}, form="{:.0%}")
    for figure in (curve, bars):
        assert plots.as_picture(figure).width > 400
    assert dict(matplotlib.rcParams) == before
    assert {text.get_text() for text in bars.axes[0].texts} == {"50%", "25%"}


def test_a_matrix_writes_each_number_in_its_field():
    figure = plots.matrix([[0.0, 1.0, float("nan")], [0.25, -0.5, 0.75]], ["a", "b"], ["x", "y", "z"], "net", "map")
    texts = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert texts == {"0.00": (0, 0), "1.00": (1, 0), "0.25": (0, 1), "-0.50": (1, 1), "0.75": (2, 1)}
    assert plots.as_picture(figure).width > 300
    with pytest.raises(ValueError, match=r"rows of \[2, 1\] values; the names ask for 2 of 2"):
        plots.matrix([[1, 2], [3]], ["a", "b"], ["x", "y"])


def test_names_at_the_lines_ends_do_not_touch():
    figure = plots.curve([1, 2], {"a": [0, 0.5], "b": [1, 0.5], "c": [0, 0.51]})
    heights = sorted(text.xy[1] for text in figure.axes[0].texts)
    low, high = figure.axes[0].get_ylim()
    assert min(np.diff(heights)) > 0.05 * (high - low)


def test_described_carries_its_text():
    shown = plots.described(plots.strip([flat(RED)]), "A red\n field.")
    data, metadata = shown._repr_mimebundle_()
    assert data["text/plain"] == "A red field." == metadata["image/jpeg"]["alt"]
    with Image.open(io.BytesIO(base64.b64decode(data["image/jpeg"]))) as image:
        assert image.format == "JPEG"


def test_wrap_breaks_even_a_word_without_spaces():
    lines = style.wrap("x" * 200 + " end", 100)
    assert "".join(lines).replace(" ", "") == "x" * 200 + "end"
    assert all(style.font().getlength(line) <= 100 for line in lines)
