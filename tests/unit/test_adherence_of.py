"""Obedience: the true picture obeys its own map as well as anything can; a blank one does not."""

import math

import numpy as np
import pytest
from PIL import Image

from course_utils import catalog, clay, controls
from course_utils.clay import truth
from course_utils.controls import annotators
from course_utils.controls.reader import Reading


@pytest.fixture(scope="module")
def made():
    """Somebody, and something with straight edges; not square."""
    return clay.render(clay.scene(seed=1, words="a woman and a suitcase in a room"), 192, 256)


@pytest.fixture
def eyes(made, monkeypatch):
    """Let the networks see the truth in the true picture, and nothing in any other."""
    bodies, hands = truth.joints(made)
    perfect = Reading(made.klass, made.normal, bodies, hands, 0.0)
    blank = Reading(made.klass * 0, made.normal[..., [2, 1, 0]], [], [], 0.0)

    def true(picture):
        return np.array_equal(picture, made.image)

    class Reader:
        def read(self, picture):
            return perfect if true(picture) else blank

    monkeypatch.setattr(annotators, "reader", Reader)
    monkeypatch.setattr(
        annotators, "nearness", lambda picture, lane: 1 / made.depth if true(picture) else made.klass * 0
    )


@pytest.mark.parametrize("control", catalog.CONTROLS)
def test_obedience_is_full_for_the_truth_itself(made, eyes, control):
    high, low = (controls.adherence_of(control, made, image) for image in (made.image, np.full_like(made.image, 128)))
    assert high > (0.3 if control in ("mlsd", "scribble") else 0.99) and low < 0.7 * high
    assert (
        controls.adherence_of(control, made, Image.fromarray(made.image)) == high and controls.KINDS[control].measure
    )


def test_body_and_hands_are_told_apart(made, eyes):
    found = controls.adherence_of_joints(made, made.image)
    assert found["body"] == 1 and (math.isnan(found["hand"]) or found["hand"] == 1)
    alone = clay.render(clay.scene(words="a suitcase in a room"), 192, 256)
    assert all(map(math.isnan, controls.adherence_of_joints(alone, made.image).values()))
    assert math.isnan(controls.adherence_of("openpose", alone, alone.image))


def test_what_does_not_pair_up_is_refused(made):
    with pytest.raises(ValueError, match=r"192 x 192 pixels.*the render 192 x 256"):
        controls.adherence_of("canny", made, made.image[:, :192])
    with pytest.raises(ValueError, match="control='sketch'.*canny"):
        controls.adherence_of("sketch", made, made.image)
