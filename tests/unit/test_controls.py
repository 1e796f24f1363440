"""Controls: the door for pictures, maps of the right size and convention, and slips that the validator must name."""

import io
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from course_utils import adherence, catalog, clay, controls
from course_utils.controls import edges

HEIGHT, WIDTH = 144, 192
SCENES = ("a man and a suitcase on the beach", "a red box in the garden", "a woman in a room", "a cat in the street")


@pytest.fixture(scope="module")
def renders():
    """Scenes with people, boxes, ground and sky."""
    return [clay.render(clay.scene(seed, words=said), HEIGHT, WIDTH) for seed, said in enumerate(SCENES)]


@pytest.fixture(scope="module")
def truth(renders):
    """The maps of each scene, by control; all hold something."""
    drawn = {control: [controls.from_truth(made, control) for made in renders] for control in catalog.CONTROLS}
    return {control: [one for one in maps if one.getbbox()] for control, maps in drawn.items()}


def saved(picture, kind="PNG", **how):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **how)
    return buffer.getvalue()


def ramp(height=40, width=60):
    return Image.linear_gradient("L").resize((width, height)).convert("RGB")


# Maps from truth and by arithmetic


@pytest.mark.parametrize("control", catalog.CONTROLS)
def test_truth_is_drawn_at_the_pictures_size(renders, control):
    drawn = controls.from_truth(renders[0], control)
    assert drawn.mode == "RGB" and drawn.size == (WIDTH, HEIGHT) and drawn.getbbox()


@pytest.mark.parametrize("control", ["canny", "mlsd", "scribble"])
def test_drawn_maps_are_white_on_black_and_of_the_pictures_size(renders, control):
    for shape in ((HEIGHT, WIDTH), (16, 17), (33, 90)):
        picture = cv2.resize(renders[0].image, shape[::-1])
        drawn = np.asarray(controls.make(control, picture, "clay"))
        assert drawn.shape == (*shape, 3) and set(np.unique(drawn)) <= {0, 255} and drawn.mean() < 127
    assert np.array_equal(
        np.asarray(controls.make(control, Image.fromarray(renders[0].image))),
        np.asarray(controls.make(control, renders[0].image)),
    )


def test_canny_is_the_same_from_truth_and_by_its_thresholds(renders):
    made = renders[0]
    assert np.array_equal(np.asarray(controls.canny(made.image)), np.asarray(controls.from_truth(made, "canny")))
    few, many = (np.asarray(controls.canny(made.image, *pair)).mean() for pair in ((200, 400), (30, 60)))
    assert 0 < few < many


def test_lines_are_found_and_curves_are_not():
    canvas = np.full((200, 240, 3), 90, np.uint8)
    cv2.rectangle(canvas, (30, 30), (150, 90), (200, 60, 60), -1)
    cv2.circle(canvas, (160, 140), 45, (60, 200, 60), -1)
    cv2.line(canvas, (10, 120), (100, 190), (90, 90, 200), 4, cv2.LINE_AA)
    lines = edges.straight_lines(canvas)
    near = [min(abs(y - 30), abs(y - 90), abs(x - 30), abs(x - 150)) <= 2 for x, y in lines.reshape(-1, 2)]
    assert sum(near) >= 8 and lines.shape[1:] == (2, 2)
    on_circle = np.abs(np.linalg.norm(lines.mean(1) - (160, 140), axis=1) - 45) < 6
    assert not on_circle.any()
    slanted = np.degrees(np.arctan2(*(lines[:, 1] - lines[:, 0]).T[::-1])) % 180
    assert (np.abs(slanted - 38) < 2).any()


def test_a_line_seen_in_several_channels_is_drawn_once():
    canvas = np.full((128, 128, 3), 40, np.uint8)
    canvas[:, 64:] = 230, 90, 40  # lightness and both colours change here
    assert len(edges.straight_lines(canvas)) == 1 and len(edges.straight_lines(canvas[::-1] * 0)) == 0


def test_scribbles_leave_out_shadows_and_grain(renders):
    canvas = np.full((256, 256, 3), 150, np.uint8)
    cv2.circle(canvas, (90, 130), 50, (200, 80, 60), -1)
    plain = edges.outlines(canvas)
    shaded = canvas.copy()
    shaded[:, 180:] = 130
    grainy = (canvas + np.random.default_rng(0).normal(0, 3, canvas.shape)).clip(0, 255).astype(np.uint8)
    assert plain.any() and not edges.outlines(shaded)[:, 170:].any()
    assert (edges.outlines(grainy) != plain).mean() < 0.01
    survives = cv2.erode(plain.astype(np.uint8), np.ones((2, 2), np.uint8)).sum()
    assert survives > 0.5 * plain.sum()  # thick


def test_scribble_of_a_picture_is_near_the_one_from_truth(renders):
    for made in renders:
        drawn = np.asarray(controls.from_truth(made, "scribble"))[..., 0] > 0
        straight, mirrored = (
            adherence.edge_f1(drawn, edges.outlines(one)) for one in (made.image, made.image[:, ::-1])
        )
        assert straight > 0.6 and straight > mirrored + 0.1


def test_notes_say_that_a_map_is_empty():
    for control in ("canny", "mlsd", "scribble"):
        (note,) = controls.notes(controls.make(control, np.full((64, 64), 0.5)))
        assert note == f"{controls.KINDS[control].empty} in the picture: the map is empty and steers nothing."


@pytest.mark.parametrize("call", [controls.make, lambda control, picture: controls.from_truth(picture, control)])
def test_unknown_controls_are_refused(call, renders):
    with pytest.raises(ValueError, match="control='edges' is no control; use one of 'canny', 'mlsd'"):
        call("edges", renders[0])


def test_truth_is_known_of_renders_only(renders):
    with pytest.raises(TypeError, match="made is of type ndarray; give what clay.render returns"):
        controls.from_truth(renders[0].image, "depth")


# What is wrong with a map

SWAPPED = {"openpose": "limbs and joints", "seg": "the classes", "normal": "the surfaces"}


def inverted(picture):
    return 255 - np.asarray(picture)


def named(found, said):
    return len(found) == 1 and said in found[0]


@pytest.mark.parametrize("control", catalog.CONTROLS)
def test_true_maps_raise_no_alarm(truth, control):
    for drawn in truth[control]:
        assert controls.problems(drawn, control, HEIGHT, WIDTH) == []
        if control != "seg":  # that is a slip of its own
            assert controls.problems(saved(drawn, "JPEG", quality=85), control) == []
    empty = Image.new("RGB", (WIDTH, HEIGHT))
    said = controls.problems(empty, control)
    assert named(said, "steers nothing") or control in ("seg", "normal")


@pytest.mark.parametrize("control", ["canny", "mlsd", "scribble"])
def test_inverted_lines_are_named(truth, control):
    assert all(named(controls.problems(inverted(one), control), "white on black. Invert") for one in truth[control])


@pytest.mark.parametrize("control", SWAPPED)
def test_bgr_is_named(truth, control):
    for drawn in truth[control]:
        assert named(
            controls.problems(np.asarray(drawn)[..., ::-1], control), f"{SWAPPED[control]} are those of a map in BGR"
        )


def test_hands_alone_in_bgr_are_named():
    made = clay.render(clay.scene(3, words="a blue hand in the snow"), HEIGHT, WIDTH)
    drawn = np.asarray(controls.from_truth(made, "openpose"))
    assert controls.problems(drawn, "openpose") == []
    assert named(controls.problems(drawn[..., ::-1], "openpose"), "BGR")


def test_other_palettes_are_named(truth):
    rng = np.random.default_rng(0)
    for drawn in truth["seg"]:
        colours, place = np.unique(np.asarray(drawn).reshape(-1, 3), axis=0, return_inverse=True)
        other = rng.integers(0, 255, colours.shape, np.uint8)[place.ravel()].reshape(HEIGHT, WIDTH, 3)
        assert named(controls.problems(other, "seg"), "this is another palette")
        assert named(controls.problems(saved(drawn, "JPEG"), "seg"), "saved as JPEG or resized smoothly")
        assert named(controls.problems(drawn.resize((300, 200), Image.Resampling.BICUBIC), "seg"), "saved as JPEG")
        assert controls.problems(drawn.resize((300, 200), Image.Resampling.NEAREST), "seg") == []


def test_depth_with_the_wrong_sign_is_guessed(truth):
    for drawn in truth["depth"]:
        assert named(controls.problems(inverted(drawn), "depth"), "near = bright. (A guess")


def test_normals_with_green_flipped_are_named(truth):
    for drawn in truth["normal"]:
        flipped = np.asarray(drawn).copy()
        flipped[..., 1] = 255 - flipped[..., 1]
        assert named(controls.problems(flipped, "normal"), "green seems to be flipped")


@pytest.mark.parametrize("control", catalog.CONTROLS)
def test_another_size_is_named(truth, control):
    drawn = truth[control][0]
    assert named(
        controls.problems(drawn, control, HEIGHT, 160), "144 x 192 pixels (height x width), the picture 144 x 160"
    )
    assert named(controls.problems(drawn, control, HEIGHT, 160), "resized and squeezed")
    assert named(controls.problems(drawn, control, 2 * HEIGHT, 2 * WIDTH), "would be resized;")
    assert controls.problems(drawn, control, width=WIDTH) == []


@pytest.mark.parametrize("control", catalog.CONTROLS)
def test_a_photograph_where_a_map_is_due_is_named(renders, control):
    from skimage import data

    for picture in (renders[0].image, data.astronaut(), data.coffee()):
        assert named(
            controls.problems(picture, control), f"like a photograph, not like a map; the {control} model expects"
        )
    assert named(controls.problems(data.camera(), control), "photograph")  # grey


@pytest.mark.parametrize("control", catalog.CONTROLS)
def test_the_map_of_another_control_is_named(truth, control):
    lines = {"canny", "mlsd"}  # cousins: a box has straight edges only
    for other, maps in truth.items():
        if other == control or {other, control} == lines:
            continue
        for drawn in maps:
            (said,) = controls.problems(drawn, control)
            shown = other if other not in lines else "canny or mlsd"
            assert said.startswith(f"This looks like a map for {shown}; the {control} model expects: "), (other, said)


def test_lines_and_edges_are_told_apart_where_they_differ(truth):
    canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for radius in (10, 20, 40):
        cv2.circle(canvas, (90, 70), radius, (255, 255, 255))
    assert named(controls.problems(canvas, "mlsd"), "map for canny") and controls.problems(canvas, "canny") == []
    straight = np.zeros_like(canvas)
    cv2.rectangle(straight, (20, 20), (160, 110), (255, 255, 255))
    assert named(controls.problems(straight, "canny"), "map for mlsd") and controls.problems(straight, "mlsd") == []


def test_what_the_maker_said_comes_first():
    drawn = controls.canny(np.full((64, 64), 0.5))
    assert controls.problems(drawn, "canny") == list(controls.notes(drawn)) != []


def test_problems_refuses_what_it_cannot_judge():
    with pytest.raises(ValueError, match="control='edges' is no control"):
        controls.problems(ramp(), "edges")
    with pytest.raises(ValueError, match="map is empty: 0 bytes"):
        controls.problems(b"", "canny")


# The table


@pytest.mark.parametrize("lane", ["clay", "sd15"])
def test_the_table_has_every_control_and_its_model(lane):
    assert tuple(controls.KINDS) == catalog.CONTROLS
    lines = controls.pairs_table(lane).splitlines()
    assert len(lines) == 2 + len(catalog.CONTROLS) and len({line.count("|") for line in lines}) == 1
    for line, control in zip(lines[2:], catalog.CONTROLS, strict=True):
        assert line.startswith(f"| {control} |") and catalog.checkpoint(f"control {control}", lane).id in line


def test_importing_the_room_is_light():
    code = "import sys, course_utils.controls; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"torch", "diffusers", "transformers", "controlnet_aux", "ipywidgets"} & set(loaded)
