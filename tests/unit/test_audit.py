"""The audit of lesson 07: the right jobs, rows that say what was seen, and counts that are what they are called."""

import json
import math
import warnings
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from course_utils import attention, catalog, env, judge, results
from course_utils.excite import AttendExciteConfig
from course_utils.judge import network
from course_utils.recipe import exam
from course_utils.recipe.tables import audit
from course_utils.results import Result, counting
from tests.tiny import models

LION = exam.Ask("a lion with a crown", (("lion", None), ("crown", None)), "animal-object")
BARS = counting.Bars({"animal-object": 0.2}, 0.3)


def row(prompt="a lion with a crown", seed=0, **columns):
    plain = {"category": "animal-object", "present": [True, True], "colour": [None, None], "leaked": [None, None]}
    plain |= {"prompt": prompt, "seed": seed, "extra": [], "mixing": 0.1, "held": None}
    return plain | {"seconds": 1.0, "losses": []} | columns


# What is asked


def test_the_tables_ask_for_the_papers_prompts():
    jobs = {
        name: [trial for trials, _ in table.jobs().values() for trial in trials]
        for name, table in audit.TABLES.items()
    }
    assert {name: len(found) for name, found in jobs.items()} == {
        "excite": 276 * 4, "excite_parts": 69 * 4, "excite_knobs": 23 * 2
    }  # fmt: skip
    kinds = [ask.category for ask, seed in jobs["excite_parts"] if seed == 0]
    assert {kind: kinds.count(kind) for kind in counting.CATEGORIES} == dict(
        zip(counting.CATEGORIES, (17, 36, 16), strict=True)
    )
    assert set(jobs["excite_parts"]) <= set(jobs["excite"]), "their plain pictures are there already"
    seeds = {name: {seed for _, seed in found} for name, found in jobs.items()}
    assert not seeds["excite_knobs"] & seeds["excite"], "the knobs are chosen on other seeds"


def test_each_prompt_names_its_two_things_once():
    tokenizer = CLIPTokenizer.from_pretrained(env.ASSETS / "models/clay-base/tokenizer")
    for ask in audit.asks():
        prompt = attention.Prompt(tokenizer, ask.prompt)
        assert [len(prompt.find(word)) for word, _ in ask.wanted] == [1, 1], ask.prompt
    assert [ask.prompt for ask in audit.asks(every=4)] == [ask.prompt for ask in audit.asks()][::4]


def test_the_lanes_knobs_are_the_best_of_those_that_were_tried():
    tried = results.read("excite_knobs")
    rates = {
        way: [
            np.mean([counting.fault(row, name, BARS) for row in tried.where(way=way)]) for name in ("missing", "extra")
        ]
        for way in (audit.WITHOUT, *audit.choices())
    }
    fit = {way: missing for way, (missing, extra) in rates.items() if extra <= rates[audit.WITHOUT][1]}
    assert audit.choices()[min(fit, key=fit.get)] == AttendExciteConfig.for_lane("clay")
    assert tried.settings["knobs"] == {
        way: json.loads(json.dumps(asdict(one))) for way, one in audit.choices().items()
    }


def test_settings_say_how_each_way_was_made():
    for table in audit.TABLES.values():
        ways = next(iter(table.jobs().values()))[1]
        assert set(table.settings["knobs"]) == {way for way, knobs in ways.items() if knobs}
        assert all(AttendExciteConfig(**table.settings["knobs"][way]) == knobs for way, knobs in ways.items() if knobs)
        assert json.dumps(table.settings) and table.settings["scheduler"] == "ddim" and table.defaults


@pytest.mark.parametrize(
    "knobs",
    [
        AttendExciteConfig(),
        AttendExciteConfig.for_lane("clay"),
        AttendExciteConfig(alter_share=0.3, thresholds=((0.2, 0.5),)),
    ],
)
def test_one_part_is_changed(knobs):
    ways = audit.changed(knobs)
    refined = bool(knobs.thresholds)
    assert list(ways)[1] == ("no refinement" if refined else "with refinement")
    assert bool(list(ways.values())[1].thresholds) is not refined
    assert (
        ways["no smoothing"] == replace(knobs, sigma=0.0)
        and ways["twice the scale"].scale_factor == 2 * knobs.scale_factor
    )
    half = ways["half the steps"]
    assert half.alter_share == knobs.alter_share / 2 and all(share < half.alter_share for share, _ in half.thresholds)
    assert len(set(ways.values())) == 4 and knobs not in ways.values()


# What is seen


def test_shared_pixels():
    one, two = np.zeros((2, 4, 4))
    one[:, :2], two[:, 2:] = 0.9, 0.8
    assert audit.shared(one, two) == 0 and audit.shared(one, one) == 1
    two[:, :2] = 0.45
    assert audit.shared(one, two) == pytest.approx(8 * 0.45 / (8 * 0.9 + 8 * 0.8), abs=1e-4)
    assert audit.shared(one, np.full((4, 4), 1e-3)) < 0.01, "what is not there is not mixed in"


def test_a_border_is_shared_or_not():
    lion, crown = network.label_of("lion"), network.label_of("crown")
    label = np.zeros((12, 12), int)
    label[6:, 2:10] = lion
    label[4:6, 4:8] = crown  # stands on the head: 6 of the 16 pixels around it are the lion's
    assert audit.bordering(label, "lion", "crown") == pytest.approx(6 / 16, abs=1e-4)
    assert audit.bordering(np.where(label == crown, 0, label), "lion", "crown") is None
    label[4:6, 4:8], label[0:2, 0:2] = 0, crown
    assert audit.bordering(label, "lion", "crown") == 0


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A tiny family, small pictures, and a judge whom a single pixel convinces."""
    models.build_clay_folder(tmp_path / "models/clay-base")
    monkeypatch.setattr(env, "ASSETS", tmp_path)
    small = {"num_inference_steps": 2, "guidance_scale": 4.0, "height": 64, "width": 96}
    monkeypatch.setitem(catalog.calls.DEFAULTS, "clay", small)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        every = dict.fromkeys(network.LABELLED, judge.Threshold(0.0, 0.0))
        lenient = judge.Trained(network.ready(network.Judge()), every)
    monkeypatch.setattr(judge, "load", lambda: lenient)
    catalog.release()
    yield tmp_path
    catalog.release()


def test_a_job_gives_a_row_for_each_way(place):
    still = AttendExciteConfig(scale_factor=0.0, thresholds=())
    ways = {
        audit.TRUE: None,
        audit.WITHOUT: None,
        "still": still,
        audit.WITH: AttendExciteConfig(alter_share=1.0, thresholds=()),
    }
    rows = audit.measure(([(LION, 3), (LION, 4)], ways))
    true, without, unmoved, pushed = rows[::2]
    assert [one["way"] for one in rows[::2]] == list(ways) and json.loads(json.dumps(rows)) == rows
    assert all((one["prompt"], one["category"]) == (LION.prompt, LION.category) for one in rows)
    assert [one["seed"] for one in rows] == [3, 4] * len(ways)
    own = {"way", "losses", "seconds"}
    assert {name: without[name] for name in without if name not in own} == {
        name: unmoved[name] for name in unmoved if name not in own
    }
    assert (len(without["losses"]), len(unmoved["losses"]), len(pushed["losses"])) == (0, 1, 2)
    assert true["seconds"] is None and without["seconds"] > 0 and 0 <= true["mixing"] <= 1
    assert "crown" not in true["extra"] and set(true["extra"]) == set(true["found"]) - {"lion", "crown"}


def test_held_is_asked_only_where_the_prompt_says_so(place):
    black = np.zeros((64, 96, 3), np.uint8)
    beside = exam.Ask("a lion and a crown", LION.wanted, LION.category)
    with_it, without = audit.judged(LION, 0, black), audit.judged(beside, 0, black)
    assert without["held"] is None and (with_it["held"] is not None) is all(with_it["present"])


# What is counted


def test_bars_let_true_pictures_pass():
    true = [row(seed=k, mixing=k / 100, held=k / 100) for k in range(101)]
    assert counting.bars(true) == counting.Bars({"animal-object": 0.99}, 0.05)
    assert counting.bars([row()]).held is None
    with pytest.raises(ValueError, match="true is empty"):
        counting.bars([])


@pytest.mark.parametrize(
    ("name", "columns", "expected"),
    [
        ("missing", {"present": [True, True]}, 0),
        ("missing", {"present": [True, False]}, 0.5),
        ("missing", {"present": [False, False]}, 1),
        ("incomplete", {"present": [True, True]}, 0),
        ("incomplete", {"present": [True, False]}, 1),
        ("mixed", {"mixing": 0.2}, 0),
        ("mixed", {"mixing": 0.21}, 1),
        ("extra", {"extra": []}, 0),
        ("extra", {"extra": ["dog"]}, 1),
        ("not held", {"held": None}, None),
        ("not held", {"held": 0.3}, 0),
        ("not held", {"held": 0.1}, 1),
        ("leaked", {"leaked": [None, None]}, None),
        ("leaked", {"leaked": [None, False]}, 0),
        ("leaked", {"leaked": [True, None]}, 1),
        ("wrong colour", {"colour": [None, None]}, None),
        ("wrong colour", {"colour": [True, None]}, 0),
        ("wrong colour", {"colour": [True, False]}, 1),
    ],
)
def test_faults(name, columns, expected):
    assert counting.fault(row(**columns), name, BARS) == expected


def test_an_unknown_fault_is_named():
    with pytest.raises(ValueError, match="name='ugly' is no fault; use one of missing"):
        counting.fault(row(), "ugly", BARS)


def test_no_clean_pair_is_incomplete_or_mixed():
    assert counting.fault(row(), "no clean pair", BARS) == 0
    assert counting.fault(row(present=[True, False]), "no clean pair", BARS) == 1
    assert counting.fault(row(mixing=0.9), "no clean pair", BARS) == 1


def test_an_example_has_its_fault_and_little_else():
    both, alone = row("one", mixing=0.9, extra=["dog"]), row("two", extra=["dog"])
    assert counting.example([row(), both, alone], "extra", BARS) is alone
    with pytest.raises(ValueError, match="name='mixed': no row of 1 has this fault"):
        counting.example([alone], "mixed", BARS)


def test_comparing_pairs_pictures_and_averages_seeds():
    before = [row("one", 0, present=[False, False]), row("one", 1), row("two", 0, present=[True, False])]
    after = [row("one", 0, present=[True, False]), row("one", 1), row("two", 0), row("three", 0)]
    found = counting.compare(before, after, "missing", BARS)
    assert (found.before, found.after) == (0.5, 0.125) and (found.pictures, found.prompts) == (3, 2)
    assert found.ratio.value == 0.25 and found.difference.value == -0.375
    assert found.difference.low <= -0.375 <= found.difference.high
    same = counting.compare(before, before, "missing", BARS)
    assert same.ratio.value == 1 and same.difference.low == same.difference.high == 0


def test_what_cannot_be_told_both_times_is_left_out():
    before, after = [row("one", leaked=[True, None]), row("two")], [row("one"), row("two", leaked=[True, None])]
    assert counting.compare(before, after, "leaked", BARS) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a lesson prints this
        found = counting.compare([row(), row("two")], [row(), row("two")], "extra", BARS)
    assert math.isnan(found.ratio.value) and found.difference.value == 0


def test_cost_is_a_ratio_of_the_same_pictures():
    before = [row(seed=0, seconds=1.0), row(seed=1, seconds=3.0)]
    after = [row(seed=1, seconds=6.0), row(seed=0, seconds=2.0), row(seed=2, seconds=99.0)]
    assert counting.cost(before, after).value == 2


def audited():
    """Rows of three ways: what was missing half the time without, and never with, is there in all renders."""
    seeds = [(prompt, seed) for prompt in ("a cat and a dog", "a lion with a crown") for seed in range(4)]
    kind = {"a cat and a dog": "animal-animal", "a lion with a crown": "animal-object"}
    return [
        row(prompt, seed, way=way, category=kind[prompt], seen=prompt.startswith("a lion"), seconds=seconds)
        | {"present": [True, way != "without" or seed % 2 == 0]}
        for prompt, seed in seeds
        for way, seconds in (("truth", None), ("without", 1.0), ("with", 1.5))
    ]


def test_the_report_says_rates_and_what_is_left():
    lines = counting.report(audited()).splitlines()
    assert len(lines) == 1 + len(counting.FAULTS)
    assert lines[1].split()[:4] == ["missing", "0.0%", "25.0%", "0.0%"] and "0.000 (0.000 to 0.000)" in lines[1]
    assert "cannot be told" in next(line for line in lines if line.startswith("leaked"))


def test_the_report_of_parts_holds_them_against_the_whole_on_the_same_prompts():
    parts = [row(seed=seed, way="no smoothing", present=[True, seed > 0], losses=[0.5] * 4) for seed in range(4)]
    head, whole, part = counting.report_parts(audited(), parts).splitlines()
    assert whole.split() == ["all", "as", "it", "is", "0.0%", "0.0"]
    assert part.split()[:4] == ["no", "smoothing", "12.5%", "0.125"] and part.split()[-1] == "4.0"


def test_kinds_of_prompts_are_compared_apart():
    rows = audited()
    sides = [[one for one in rows if one["way"] == way] for way in ("without", "with")]
    found = counting.by_kind(*sides, "missing", counting.bars(rows))
    assert set(found) == {"animal-animal", "animal-object", "pairs never seen"}
    assert all((one.before, one.after, one.prompts) == (0.25, 0, 1) for one in found.values())
    head, *lines = counting.report_kinds(found).splitlines()
    assert len(lines) == 3 and lines[0].split()[:3] == ["animal-animal", "25.0%", "0.0%"]
    assert all("0.000 (0.000 to 0.000)" in line and line.split()[-1] == "1" for line in lines)


def test_pairs_that_met_are_counted_only_beside_their_like():
    kinds = {"one": ("animal-animal", True), "two": ("animal-animal", False), "three": ("animal-object", True)}
    rows = [row(prompt, category=kind, seen=seen) for prompt, (kind, seen) in kinds.items()]
    found = counting.by_kind(rows, rows, "missing", counting.bars(rows))
    assert {name: one.prompts for name, one in found.items() if name.startswith("pairs")} == {
        "pairs seen": 1,
        "pairs never seen": 1,
    }


def test_rates_over_the_scale():
    knobs = {"a": {"scale_factor": 5.0, "sharpness": 100.0}, "b": {"scale_factor": 20.0, "sharpness": 100.0}}
    knobs |= {"c": {"scale_factor": 5.0, "sharpness": 25.0}}
    rows = [row(way=way, present=[True, way == "b"], extra=["dog"] * (way == "b")) for way in ("without", *"abc")]
    tried = Result("excite_knobs", rows, {"knobs": knobs}, {}, {})
    scales, rates = counting.by_scale(tried, 100.0, ["missing", "extra"], BARS)
    assert scales == [0.0, 5.0, 20.0] and rates == {"missing": [0.5, 0.5, 0.0], "extra": [0.0, 0.0, 1.0]}
