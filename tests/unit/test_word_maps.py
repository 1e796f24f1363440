"""The table of lesson 06: which captions, what is scored, and what a perfect map scores."""

import numpy as np
import pytest

from course_utils import attention, catalog, clay, env, metrics
from course_utils.recipe import word_maps as recipe
from course_utils.recipe.tables import word_maps
from tests.tiny import models


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Assets with a tiny base in place of what ships."""
    models.build_clay_folder(tmp_path / "models/clay-base")
    monkeypatch.setattr(env, "ASSETS", tmp_path)
    catalog.release()
    yield
    catalog.release()


def test_the_halves_share_no_caption(monkeypatch):
    monkeypatch.setattr(word_maps, "CAPTIONS", 2)
    jobs = word_maps.jobs()
    assert [half for half, _ in jobs.values()] == ["choose"] * 2 + ["measure"] * 2
    assert len({index for _, index in jobs.values()}) == 4
    for _, index in jobs.values():
        scene, said = word_maps.trial(index)
        assert recipe.shows_two(scene) and word_maps.trial(index)[1].text == said.text
        assert {said.text[start:end] for start, end, _ in recipe.nouns(said)} == {t.word for t in scene.things}


def test_a_caption_s_rows_hold_both_nouns_all_layers_and_steps(tiny, monkeypatch):
    monkeypatch.setattr(word_maps, "CAPTIONS", 1)
    monkeypatch.setattr(word_maps, "TIMESTEPS", (100, 700))
    job = next(iter(word_maps.jobs().values()))
    rows = word_maps.measure(job)
    pipe = catalog.load("text2img", lane="clay")
    layers = len(attention.cross_layers(pipe.unet)) + len(word_maps.MEANS)
    assert len(rows) == 2 * (3 * layers + len(word_maps.GRIDS))
    assert {row["order"] for row in rows} == {"first", "last"} and {row["half"] for row in rows} == {"choose"}
    assert all(len(row["iou"]) == len(word_maps.THRESHOLDS) and 0 <= min(row["iou"]) for row in rows)
    assert rows == word_maps.measure(job), "the same caption gives the same rows"


def test_a_perfect_map_is_the_better_the_finer_its_grid():
    made = clay.render(clay.scene(words="a lion and a clock"), 128, 192)
    for number in (0, 1):
        mask = made.instance == number
        best = [
            max(word_maps.overlaps(attention.coverage_map(mask, grid), mask))
            for grid in ((8, 12), (16, 24), (128, 192))
        ]
        assert best[0] < best[1] < best[2] == 1


def test_a_region_is_measured_by_the_map_s_own_peak():
    heat = np.array([[0.0, 0.2], [0.5, 1.0]])
    for scale in (1, 0.01):
        assert attention.region(scale * heat, 0.4).tolist() == [[False, False], [True, True]]
    for wrong in (0, -1, 1.1):
        with pytest.raises(ValueError, match="threshold="):
            attention.region(heat, wrong)


def test_not_square():
    mask = np.zeros((64, 96), bool)
    mask[16:32, 48:96] = True
    heat = attention.coverage_map(mask, (4, 6))
    assert heat.tolist() == [[0] * 6, [0, 0, 0, 1, 1, 1], [0] * 6, [0] * 6]
    large = attention.enlarged(heat, 64, 96)
    assert large.shape == (64, 96) and metrics.iou(mask, attention.region(large, 0.5)) > 0.9
