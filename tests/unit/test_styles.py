"""Styles: same scene, same silhouettes, another hand."""

import numpy as np
import pytest

from course_utils.clay import vocabulary as words
from course_utils.clay.camera import fit
from course_utils.clay.compose import compose
from course_utils.clay.regions import regions
from course_utils.clay.render import render
from course_utils.clay.scenes import Scene, Thing
from course_utils.clay.styles import restyle

OTHERS = [s for s in (*words.STYLES, *words.HELD_OUT_STYLES) if s != "clay"]
COLOURED = ("cubist", "anime", "pixel art")


@pytest.fixture(scope="module")
def cat():
    """A red cat on the beach, not square."""
    scene = Scene((Thing("cat", "red", 1),), "beach")
    return render(scene.with_(camera=fit(compose(scene).rows, 0.8, aspect=1.2)), 100, 120)


@pytest.mark.parametrize("style", OTHERS)
def test_a_style_is_a_picture_and_always_the_same(cat, style):
    """Same size, same twice, and not the clay picture."""
    drawn = restyle(cat, style)
    assert drawn.shape == (100, 120, 3) and drawn.dtype == np.uint8
    assert (drawn == restyle(cat, style)).all()
    assert np.abs(drawn.astype(int) - cat.image).mean() > 3


@pytest.mark.parametrize("style", COLOURED)
def test_colour_words_stay_true(style):
    """The main colour of each thing is still nearest to the one it was modelled in."""
    for colour in ("red", "green", "blue", "yellow", "white", "black"):
        scene = Scene((Thing("ball", colour, 1),), "garden")
        made = render(scene.with_(camera=fit(compose(scene).rows, 0.8)), 64, 64)
        main = np.median(restyle(made, style)[made.instance == 0], axis=0) / 255
        paints = {c: np.array(words.rgb(c)) ** (1 / 1.7) for c in ("red", "green", "blue", "yellow", "white", "black")}
        assert min(paints, key=lambda c: np.linalg.norm(paints[c] - main)) == colour


def test_eyes_stay_apart_from_the_face(cat):
    """The cat's dark eyes are still dark on its bright face."""
    labels = regions(cat)
    dark = (cat.instance == 0) & (cat.image.max(-1) < 70)
    eyes = np.isin(labels, np.unique(labels[dark])) & (cat.instance == 0)
    body = (cat.instance == 0) & ~eyes
    drawn = restyle(cat, "cubist").astype(float).max(-1)
    assert eyes.sum() > 8 and drawn[eyes].mean() < drawn[body].mean() - 60


def test_silhouettes_stay(cat):
    """Facets do not cross from a thing to the ground: colours differ where instances do."""
    drawn = restyle(cat, "cubist").astype(float)
    inside = drawn[cat.instance == 0].mean(0)
    outside = drawn[cat.instance < 0].mean(0)
    assert np.abs(inside - outside).max() > 60


def test_blueprint_is_blue_and_pencil_is_grey(cat):
    """Their paper says what they are."""
    blue = np.median(restyle(cat, "blueprint").reshape(-1, 3), axis=0)
    assert blue[2] > blue[1] > blue[0]
    pencil = restyle(cat, "pencil")
    assert (pencil[..., 0] == pencil[..., 1]).all() and (pencil[..., 1] == pencil[..., 2]).all()


def test_pixel_art_has_few_colours(cat):
    """At most twenty."""
    assert len(np.unique(restyle(cat, "pixel art").reshape(-1, 3), axis=0)) <= 20


def test_a_scene_can_ask_for_a_style(cat):
    """``Scene.style`` and ``restyle`` are one thing."""
    assert (render(cat.scene.with_(style="cubist"), 100, 120).image == restyle(cat, "cubist")).all()


def test_unknown_style_is_named():
    """The message says what would be right."""
    made = render(Scene((Thing("ball"),)), 16, 16)
    with pytest.raises(ValueError, match="'oil'.*cubist"):
        restyle(made, "oil")
