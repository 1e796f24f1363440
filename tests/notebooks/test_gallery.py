"""The README's pictures are those of the lessons that ship."""

import pytest

from tools import gallery


def test_the_readme_shows_what_the_lessons_show():
    files, part = gallery.pictures()
    page = (gallery.ROOT / "README.md").read_text()
    assert page.partition(gallery.BEGIN)[2].partition(gallery.END)[0].strip() == part, "run `python -m tools.gallery`"
    for name, jpeg in files.items():
        assert (gallery.ROOT / name).read_bytes() == jpeg, f"{name} is of other models: run `python -m tools.gallery`"
    assert len(files) == 6 and sum(map(len, files.values())) < 700_000


def test_a_picture_that_no_lesson_shows_is_named():
    with pytest.raises(ValueError, match="01_text_to_image shows 0 pictures .* 'A cathedral'"):
        gallery.picture("01", "A cathedral")
