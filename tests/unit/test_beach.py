"""The beach, told by its colours: all beaches pass, no other place does, at any size."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from course_utils import adherence, clay
from course_utils.clay import vocabulary as words

HEIGHT, WIDTH = 48, 64
SCENES = [scene for scene in (clay.scene(900, index) for index in range(12)) if scene.style == "clay"]


def picture(scene, place="beach", height=HEIGHT, width=WIDTH):
    return clay.render(dataclasses.replace(scene, place=place), height, width).image


@pytest.mark.parametrize("place", words.PLACES)
def test_the_beach_is_told_from_all_other_places(place):
    found = [adherence.beach(picture(scene, place)) for scene in SCENES]
    if place == "beach":
        assert min(found) >= 0.4
    else:
        assert max(found) <= 0.15
    assert [adherence.is_beach(picture(scene, place)) for scene in SCENES[:2]] == [place == "beach"] * 2


def test_without_colour_there_is_no_beach():
    grey = Image.fromarray(picture(SCENES[0])).convert("L").convert("RGB")
    assert adherence.beach(grey) == 0 and not adherence.is_beach(grey)


def test_size_and_kind_of_picture_hardly_matter():
    small, large = picture(SCENES[0]), picture(SCENES[0], height=2 * HEIGHT, width=2 * WIDTH)
    assert (
        adherence.beach(small)
        == adherence.beach(Image.fromarray(small))
        == pytest.approx(adherence.beach(large), abs=0.05)
    )


def test_both_halves_must_be_there_and_the_middle_is_not_looked_at():
    beach = picture(SCENES[0])
    upper, lower, middle = beach.copy(), beach.copy(), beach.copy()
    upper[: HEIGHT // 2], lower[HEIGHT // 2 :] = 128, 128
    middle[:, WIDTH // 4 : -(WIDTH // 4)] = (255, 0, 0)
    assert adherence.beach(upper) == adherence.beach(lower) == 0
    assert adherence.beach(middle) == adherence.beach(beach)
    assert adherence.beach(beach[::-1]) < adherence.BEACH, "upside down the sky is below"


@pytest.mark.parametrize("nothing, message", [(np.zeros((48, 64, 5)), r"image has shape \[48, 64, 5\]"),
                                            (np.full((48, 64), 2.0), "image holds floats outside 0-1"),
                                            (np.zeros((8, 8, 3), np.uint8), "image has 8 x 8 pixels")])  # fmt: skip
def test_what_is_no_picture_is_refused(nothing, message):
    with pytest.raises(ValueError, match=message):
        adherence.beach(nothing)
