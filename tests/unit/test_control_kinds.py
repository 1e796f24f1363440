"""A kind of control is one record and one checkpoint: whatever shows, makes, measures and checks maps knows it."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from course_utils import catalog, clay, controls

RED = (255, 0, 0)


def silhouette(mask):
    return Image.fromarray(np.where(mask[..., None], np.uint8(RED), np.uint8(0)))


def is_silhouette(pixels):
    return {tuple(colour) for colour in np.unique(pixels.reshape(-1, 3), axis=0)} == {RED, (0, 0, 0)}


TOY = controls.ControlKind(
    "silhouette", "what is not the ground", "red on black",
    {"clay": controls.Preprocessor("a threshold", lambda picture: silhouette(np.asarray(picture)[..., 0] > 127))},
    "classes", lambda made: silhouette(made.instance >= 0), "share of pixels",
    lambda made, seen: float(((np.asarray(seen)[..., 0] > 127) == (made.instance >= 0)).mean()),
    lambda pixels: ["It covers everything."] if pixels[..., 0].all() else [],
    "Nothing was found", recognise=is_silhouette,
)  # fmt: skip


@pytest.fixture
def toy(monkeypatch):
    entry = dataclasses.replace(catalog.checkpoint("control canny", "clay"), id="models/clay-control-silhouette")
    monkeypatch.setitem(catalog.CHECKPOINTS["clay"], "control silhouette", entry)
    monkeypatch.setitem(controls.KINDS, "silhouette", TOY)
    return TOY


@pytest.fixture(scope="module")
def made():
    return clay.render(clay.scene(0, words="a man and a red bench"), 256, 256)


def test_an_eighth_kind_is_known_by_the_catalogue_and_in_the_table(toy):
    assert catalog.control_names("clay") == (*catalog.control_names("sd15"), "silhouette") == catalog.control_names()
    assert toy.model("clay") == "models/clay-control-silhouette" and toy.model("sd15") == ""
    rows = {lane: controls.pairs_table(lane).splitlines()[-1] for lane in ("clay", "sd15")}
    assert rows == {
        "clay": "| silhouette | what is not the ground | red on black | a threshold | models/clay-control-silhouette |",  # noqa: E501
        "sd15": "| silhouette | what is not the ground | red on black | - | - |",
    }


def test_an_eighth_kind_is_drawn_made_and_measured(toy, made):
    drawn, seen = controls.from_truth(made, "silhouette"), controls.make("silhouette", made.image, "clay")
    assert drawn.size == seen.size == (256, 256) and drawn.getbbox()
    assert (
        controls.adherence_of("silhouette", made, drawn) == 1 > controls.adherence_of("silhouette", made, made.image)
    )
    with pytest.raises(ValueError, match=r"lane='sd15' has no preprocessor for control='silhouette'; use \['clay'\]"):
        controls.make("silhouette", made.image, "sd15")


def test_an_eighth_kind_is_told_from_the_others_and_checked(toy, made):
    drawn = controls.from_truth(made, "silhouette")
    assert controls.problems(drawn, "silhouette", 256, 256) == []
    assert controls.problems(np.full_like(made.image, RED), "silhouette") != []
    (other,) = controls.problems(drawn, "canny")
    assert "map for silhouette; the canny model expects" in other
    (photograph,) = controls.problems(made.image, "silhouette")
    assert "photograph" in photograph and "what is not the ground, red on black" in photograph
    assert controls.problems(np.zeros_like(made.image), "silhouette") == [
        "Nothing was found in the picture: the map is empty and steers nothing."
    ]
    assert "a silhouette map already" in controls.notes(controls.make("silhouette", drawn, "clay"))[0]


def test_a_kind_may_be_on_one_lane_only_and_lack_truth_and_measure(monkeypatch, made):
    plain = controls.ControlKind(
        "softedge",
        "soft edges",
        "grey on black",
        {"sd15": controls.Preprocessor("HED", lambda picture: picture)},
        "smooth",
    )
    entry = dataclasses.replace(catalog.checkpoint("control canny", "sd15"), id="somebody/softedge")
    monkeypatch.setitem(catalog.CHECKPOINTS["sd15"], "control softedge", entry)
    monkeypatch.setitem(controls.KINDS, "softedge", plain)
    assert "softedge" in catalog.control_names() and "softedge" not in catalog.control_names("clay")
    assert "| softedge | soft edges | grey on black | HED | somebody/softedge |" in controls.pairs_table("sd15")
    with pytest.raises(ValueError, match="control='softedge' is not drawn from truth"):
        controls.from_truth(made, "softedge")
    with pytest.raises(ValueError, match="control='softedge' has no measure"):
        controls.adherence_of("softedge", made, made.image)
    with pytest.raises(ValueError, match="lane='clay' has no preprocessor"):
        controls.make("softedge", made.image, "clay")
    with pytest.raises(ValueError, match="use='control softedge' is not on the clay lane"):
        catalog.load("controlnet", lane="clay", control="softedge")


@pytest.mark.parametrize("shape", [(16, 16), (16, 1024), (1024, 16), (17, 23), (31, 500), (250, 250)])
def test_every_preprocessor_takes_pictures_of_odd_and_very_long_shapes(shape):
    pixels = np.random.default_rng(0).integers(0, 255, (*shape, 3), np.uint8)
    for control in catalog.CONTROLS:
        assert controls.make(control, pixels, "clay").size == shape[::-1], control


@pytest.mark.parametrize("control", ["canny", "mlsd", "scribble", "openpose"])
@pytest.mark.parametrize("ground", ["RGB", "L", "RGBA", "P"])
def test_an_empty_map_is_known_in_every_mode(control, ground):
    empty = Image.new(ground, (64, 96))
    assert any("the map is empty and steers nothing" in told for told in controls.problems(empty, control))


@pytest.mark.parametrize(("control", "empty"), [("depth", "same everywhere"), ("seg", "no class")])
def test_a_flat_map_is_known(control, empty):
    assert any(empty in told for told in controls.problems(np.full((64, 64, 3), 7, np.uint8), control))


@pytest.mark.parametrize("control", catalog.CONTROLS)
def test_a_map_that_goes_through_its_own_preprocessor_is_said(made, control, monkeypatch):
    kind = controls.KINDS[control]
    lazy = controls.Preprocessor("nothing", lambda picture: picture.copy())
    monkeypatch.setitem(controls.KINDS, control, dataclasses.replace(kind, preprocessors={"clay": lazy}))
    (note,) = controls.notes(controls.make(control, controls.from_truth(made, control), "clay"))
    assert "map already: use it as it is" in note
    assert controls.notes(controls.make(control, made.image, "clay")) == ()


@pytest.mark.parametrize("control", ["canny", "mlsd", "scribble", "openpose", "seg"])
@pytest.mark.parametrize("size", [(128, 128), (200, 240), (512, 512)])
def test_a_map_is_resized_so_that_lines_and_classes_stay(control, size):
    made = clay.render(clay.scene(0, words="a man and a red bench"), 256, 256)
    drawn = controls.from_truth(made, control)
    resized = controls.as_map(drawn, control, *size)
    colours = [{tuple(one) for one in np.asarray(each).reshape(-1, 3)} for each in (drawn, resized)]
    assert resized.size == size[::-1] and colours[1] <= colours[0] and resized.getbbox()
    assert controls.as_map(drawn, control).tobytes() == drawn.tobytes()


@pytest.mark.parametrize("control", ["canny", "mlsd", "scribble", "openpose"])
def test_a_map_on_transparent_ground_keeps_its_lines(made, control):
    pixels = np.asarray(controls.from_truth(made, control))
    drawn = Image.fromarray(np.dstack([pixels, (pixels.max(-1) > 0).astype(np.uint8) * 255]))
    assert np.array_equal(np.asarray(controls.as_map(drawn, control)), pixels)
    (told,) = controls.problems(drawn, control)
    assert "transparent" in told and "black" in told
