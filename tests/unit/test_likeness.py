"""Likeness: a true subject is like itself, and each fault lowers what it spoils."""

import numpy as np
import pytest

from course_utils import clay, personalize
from course_utils.clay.compose import compose
from course_utils.clay.shapes import PAINT
from course_utils.clay.things import heldout
from course_utils.personalize import likeness

HELD = {"robot": "orange", "dragon": "purple", "teapot": "blue"}
ROBOT_PARTS = {"body", "head", "arms", "hands", "dial", "eyes", "mouth", "antenna", "boots"}


@pytest.fixture(scope="module")
def bank():
    return likeness.views("robot", 0, "orange")


def scene(word="robot", index=6):
    return personalize.scene(word, 0, index, HELD[word])


def picture(word="robot", index=6):
    return clay.render(scene(word, index)).image


@pytest.mark.parametrize("word", HELD)
def test_a_true_render_is_like_itself_and_not_like_another(word):
    own = likeness.views(word, 0, HELD[word])
    true = [likeness.measure(picture(word, index), own) for index in (6, 8)]
    assert min(one.value for one in true) > 0.8
    assert all(0 <= score <= 1 for one in true for score in (one.shape, *one.parts.values()))
    other = next(name for name in HELD if name != word)
    assert likeness.measure(picture(other), own).value < 0.3


def test_the_bank_shows_the_parts(bank):
    assert set(bank.names) > ROBOT_PARTS and bank.images.shape[1:] == (64, 64, 3)
    assert bank.images.shape[:3] == bank.surfaces.shape and bank.parts.shape == bank.paints.shape
    shown = np.append(bank.parts, -1)[bank.surfaces]
    seen = {name for k, name in enumerate(bank.names) if (shown == k).any()}
    assert seen == set(bank.names) and bank.surfaces.max() == len(bank.parts) - 1
    assert likeness.views("robot", 0, "orange") is bank, "drawn once"


def test_recolouring_a_part_lowers_that_part(bank, monkeypatch):
    before = likeness.measure(picture(), bank)
    monkeypatch.setattr(heldout, "LAMP", np.array([0.05, 0.25, 0.85]))  # eyes and dial turn blue
    after = likeness.measure(picture(), bank)
    lost = {name for name in before.parts if after.parts.get(name, 0.0) < before.parts[name] - 0.25}
    assert lost == {"dial", "eyes"} and after.value < before.value


def test_a_mirrored_subject_is_as_like():
    """Training shows half of the pictures in a mirror."""
    own = likeness.views("teapot", 0, "blue")
    straight, mirrored = (likeness.measure(one, own) for one in (picture("teapot"), picture("teapot")[:, ::-1]))
    assert mirrored.value == pytest.approx(straight.value, abs=0.1) and mirrored.value > 0.8


def test_what_the_edge_cuts_off_is_lost(bank):
    whole = picture()
    columns = np.flatnonzero((clay.render(scene()).instance >= 0).any(0))
    half = whole[:, : columns.mean().astype(int)]
    gone = np.pad(half, ((0, 0), (whole.shape[1] - half.shape[1], 0), (0, 0)), mode="edge")
    assert 0.1 < likeness.measure(gone, bank).value < likeness.measure(whole, bank).value - 0.1


def test_no_subject_is_no_likeness(bank):
    nothing = likeness.measure(np.full((256, 256, 3), 200, np.uint8), bank)
    assert nothing.value == 0 and set(nothing.parts) == set(bank.names) and nothing.crop is None


def test_other_sizes_will_do(bank):
    wide = clay.render(scene(), 256, 384).image
    assert likeness.measure(wide, bank).value > 0.75


def test_errors_name_what_is_wrong(bank):
    with pytest.raises(ValueError, match="word='cat' is not held out"):
        likeness.views("cat")
    with pytest.raises(ValueError, match="variant=9: a robot comes in the shapes 0 to 4"):
        likeness.views("robot", 9)
    with pytest.raises(TypeError, match="image"):
        likeness.measure(3, bank)
    with pytest.raises(ValueError, match="16"):
        likeness.measure(np.zeros((8, 8, 3), np.uint8), bank)


def test_every_part_of_every_shape_has_a_name():
    for word in HELD:
        for variant in range(5):
            made = compose(clay.Scene((clay.Thing(word, None, variant),)))
            assert len(made.names) == len(made.rows) and all(made.names)
            assert len(np.unique(made.rows[:, PAINT], axis=0)) <= len(set(made.names))
