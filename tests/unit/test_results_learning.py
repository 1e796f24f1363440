"""Lesson 09's tables, read: scores and differences by seed and scene, and nothing of what was not measured."""

import pytest

from course_utils.recipe.tables import __main__ as command
from course_utils.recipe.tables import learning as maker
from course_utils.results import learning

FLOOR, CEILING = [0.4, 0.5, 0.6, 0.5], [0.9, 1.0, 0.9, 1.0]


def row(arm, seed, step, gain):
    reached = [low + gain * (high - low) for low, high in zip(FLOOR, CEILING, strict=True)]
    return {"arm": arm, "seed": seed, "step": step, "loss": 0.05, "reached": reached}


ROWS = [
    row("floor", 0, 0, 0.0),
    row("ceiling", 0, 0, 1.0),
    *(row(learning.PLAIN, seed, step, gain) for seed in range(3) for step, gain in ((30, 0.0), (150, 0.8))),
    *(row("nothing inherited", seed, 150, 0.2) for seed in range(2)),
]


def test_a_score_is_that_of_the_end():
    assert learning.score_of(ROWS, learning.PLAIN).value == pytest.approx(0.8)
    with pytest.raises(ValueError):
        learning.score_of(ROWS, "large noise steps first")


def test_a_difference_is_paired_by_seed_and_scene():
    found = learning.difference(ROWS, "nothing inherited")
    gaps = [-0.6 * (high - low) for low, high in zip(FLOOR, CEILING, strict=True)]
    assert found.value == pytest.approx(sum(gaps) / 4) and found.low < found.high < 0


def test_the_report_claims_nothing_of_what_was_not_measured():
    said = learning.report(ROWS)
    assert "nothing inherited" in said and "no difference" not in said and "10,000" not in said
    same = [*ROWS[:8], *(row("nothing inherited", seed, 150, 0.8) for seed in range(3))]
    assert "no difference is shown" in learning.report(same)


def test_every_arm_has_a_table_and_every_table_a_command():
    for name in learning.TABLES:
        jobs = command.find(name).jobs()
        assert len(jobs) == 3 * len(learning.TABLES[name]) + 2 * (name == "learned")


def test_large_noise_steps_come_first():
    import torch

    first, last = (maker.large_first(step, 400, torch.Generator().manual_seed(0)) for step in (0, 140))
    assert 500 <= first.min() and first.max() < 1000 and last.min() < 20 and last.max() > 950


def test_a_fresh_net_inherits_nothing_and_still_changes_nothing(tmp_path):
    from course_utils import catalog, controlnet
    from tests.tiny import models

    pipe = catalog.load("text2img", "clay", folder=models.build_clay_folder(tmp_path))
    net, copied = maker._start(pipe, "nothing inherited", 0), controlnet.copy_of(pipe)
    assert not any(layer.weight.any() for layer in controlnet.zero_layers(net).values())
    assert not (net.conv_in.weight == copied.conv_in.weight).any()
    encoders = (own.controlnet_cond_embedding.conv_in.weight for own in (net, copied))
    assert (next(encoders) == next(encoders)).all()
