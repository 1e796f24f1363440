"""The tables of lessons 04 and 05, made with tiny models: every trial has its row, and the rows say what was asked."""

import json

import numpy as np
import pytest
from safetensors.torch import save_file

from course_utils import catalog, clay, controls, env, judge, results
from course_utils.catalog import CONTROLS
from course_utils.clay import vocabulary as words
from course_utils.controls.reader import Reader
from course_utils.judge.network import Judge, ready
from course_utils.recipe import shipped, trials
from course_utils.recipe.tables import __main__ as command
from course_utils.recipe.tables import making, obedience, stories, together
from tests.tiny import models

pytestmark = pytest.mark.slow  # it trains or paints for more than ten seconds in all

KINDS = ("openpose", "depth")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Tiny models of every kind, and tables of two scenes, two steps a picture."""
    folder, patch = tmp_path_factory.mktemp("assets"), pytest.MonkeyPatch()
    shelf = folder / "models"
    base = models.build_clay_folder(shelf / "clay-base")
    for kind in CONTROLS:
        models.build_clay_control(shelf / f"clay-control-{kind}", base, steers=0.5)
    models.build_clay_depth(shelf / "clay-depth", base)
    (shelf / "clay-reader").mkdir()
    save_file(Reader().state_dict(), shelf / "clay-reader/model.safetensors")
    (shelf / "clay-reader/config.json").write_text(json.dumps({"classes": list(words.CLASSES)}))
    patch.setattr(env, "ASSETS", folder)
    patch.setenv("COURSE_CACHE", str(folder / "cache"))
    patch.setitem(catalog.calls.DEFAULTS["clay"], "num_inference_steps", 2)
    for module, name, value in (
        (trials, "SCENES", 2), (obedience, "SHARED", 1), (obedience, "BLOCK", 1), (obedience, "CONTROLS", KINDS),
        (stories, "SEEDS", 2), (stories, "BLOCK", 1), (stories, "STRENGTHS", (0.5, 1.0)), (stories, "COUNTS", (3,)),
        (together, "SCENES", 2), (together, "BLOCK", 1),
    ):  # fmt: skip
        patch.setattr(module, name, value)
    for room in (catalog, controls):
        room.release()
    yield folder
    for room in (catalog, controls):
        room.release()
    obedience._scenes.cache_clear()
    together._scenes.cache_clear()
    patch.undo()


def made(place, name, monkeypatch=None):
    table = command.find(name)
    models_there = tuple(model for model, digest in shipped.hashes(table.models).items() if digest)
    table = making.Table(name, models_there, table.jobs, table.measure, table.settings)
    assert making.make(table, place / "results")
    return results.read(name, place / "results")


def test_adherence_has_floor_and_ceiling_for_each_scene(place):
    table = made(place, "adherence")
    assert len(table.rows) == len(KINDS) * 2
    row = table.where(control="depth")[0]
    assert row["scene"] == 0 and row["prompt"] and -1 <= row["floor"] <= 1 and -1 <= row["ceiling"] <= 1
    assert all(made_.number < 500 for made_ in trials.choose("openpose", count=1))


def test_mismatch_gives_every_map_to_every_net(place):
    table = made(place, "mismatch")
    assert {(row["map"], row["net"]) for row in table.rows} == {
        (kind, net) for kind in KINDS for net in (obedience.WITHOUT, obedience.TRUE, *KINDS)
    }
    assert len({row["scene"] for row in table.rows}) == 1


def test_the_beach_is_asked_for_in_every_way(place):
    table = made(place, "beach")
    ways = {(row["way"], row["strength"]) for row in table.rows}
    assert ways == {("text2img", None), ("img2img", 0.5), ("img2img", 1.0), ("depth2img", None), ("openpose", None)}
    assert {row["seed"] for row in table.rows} == {0, 1}
    assert all(0 <= row["beach"] <= 1 and 0 <= row["pose"] <= 1 for row in table.rows)


def test_fingers_are_asked_for_with_and_without(place, monkeypatch):
    seen = judge.Trained(ready(Judge()), {word: judge.Threshold(0.0, 0.0) for word in (*words.THINGS, "raised hand")})
    monkeypatch.setattr(judge, "load", lambda folder=None: seen)
    table = made(place, "fingers")
    assert len(table.rows) == len(stories.SUBJECTS) * 1 * 2 * 2
    assert {row["control"] for row in table.rows} == {True, False}
    assert all(row["asked"] == 3 and row["counted"] in (None, *range(6)) for row in table.rows)


def test_two_controls_agree_and_fight(place):
    table = made(place, "together")
    for (duet, case), ways in together.WAYS.items():
        rows = table.where(duet=duet, case=case)
        assert {(row["first"], row["second"]) for row in rows} == set(ways) and len(rows) == 2 * len(ways)
        assert all(row["prompt"] for row in rows)
    alone = table.where(duet="pose + depth", first=1.0, second=0.0)
    same = {(row["case"], row["scene"]): row["obeys first"] for row in alone}
    assert all(same["agree", scene] == same["fight", scene] for _, scene in same), "the other map has no say"


def test_half_bodies_raise_the_hand_that_the_words_say():
    for seed in range(3):
        trial = together._raising(seed)
        scene = trial.made.scene
        raised = scene.things[0].pose.left or scene.things[0].pose.right
        assert scene.framing == "half-body" and stories.NUMBERS[raised.fingers] in trial.prompt
        body, hand = (np.asarray(one) for one in together.maps_of("body + hand", trial, trial))
        assert body.any() and hand.any() and not (body[hand.any(-1)] == hand[hand.any(-1)]).all()


def test_a_count_is_said_as_captions_say_it():
    assert [stories.fingers(count) for count in (1, 2)] == ["one finger", "two fingers"]
    assert clay.scene(words=stories.SUBJECTS["hand"].format(stories.fingers(4))).things[0].hand.fingers == 4
