"""The command for a class: finished, half finished and broken notebooks are graded, and none stops the others."""

import json
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_utils import __version__
from course_utils.checks import __main__ as grading
from tools import build

FIRST = "from course_utils import checks"
PROMPT = 'checks.check("00.1", "a red cat and a blue dog on the beach")'
NOISE = """
import torch

def noise(seed, shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))

checks.check("00.2", noise)
"""


def write(path, *cells):
    nbformat.write(new_notebook(cells=[new_markdown_cell("# a lesson"), *map(new_code_cell, cells)]), path)
    return path


def graded(path):
    return {number: answer["result"] for number, answer in grading.grade(path)["answers"].items()}


def test_a_finished_and_a_half_finished_notebook(tmp_path, capsys):
    done = write(tmp_path / "done.ipynb", FIRST, 'checks.check("00.1", "a cat")', PROMPT, NOISE)
    half = write(tmp_path / "half.ipynb", FIRST, 'checks.check("00.1", "a cat")', "1 / 0", NOISE, 'print("mine")')
    before = half.read_bytes()
    out = tmp_path / "grades.json"
    assert grading.main([str(done), str(half), "--out", str(out)]) == 0
    first, second = json.loads(out.read_text())
    assert first["lesson"] == "00" and first["course"] == __version__ and not first["stopped"]
    assert {n: a["result"] for n, a in first["answers"].items()} == {
        "00.1": "right", "00.2": "right", "00.3": "not asked", "00.4": "not asked"
    }  # fmt: skip
    assert first["right"] == 2 and first["exercises"] == 4
    assert second["answers"]["00.1"]["result"] == "not yet" and second["answers"]["00.1"]["message"]
    assert "mine" not in second["answers"]["00.2"]["message"]
    assert second["answers"]["00.2"]["result"] == "right", "a cell that stops does not stop the next"
    assert second["stopped"] == [{"cell": 3, "error": "ZeroDivisionError: division by zero"}]
    assert half.read_bytes() == before and "2 of 4 right" in capsys.readouterr().out


def test_what_never_ends_is_interrupted_and_a_dead_kernel_is_told(tmp_path):
    loop = write(tmp_path / "loop.ipynb", FIRST, "while True: pass", PROMPT)
    result = grading.grade(loop, cell_s=3)
    assert result["answers"]["00.1"]["result"] == "right" and result["stopped"][0]["error"].startswith("KeyboardInt")
    stubborn = "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except KeyboardInterrupt:\n        pass"
    result = grading.grade(write(tmp_path / "stubborn.ipynb", FIRST, PROMPT, stubborn, NOISE), cell_s=2)
    assert result["answers"]["00.1"]["result"] == "right" and result["stopped"][-1]["cell"] == 3
    dead = write(tmp_path / "dead.ipynb", FIRST, PROMPT, "import os; os._exit(1)", NOISE)
    result = grading.grade(dead)
    assert result["answers"]["00.1"]["result"] == "right" and result["answers"]["00.2"]["result"] == "not asked"
    assert "kernel" in result["stopped"][-1]["error"].lower()


@pytest.mark.parametrize("text", ["", "{", "no json", '{"cells": 3}', '{"nbformat": 4, "nbformat_minor": 5}'])
def test_a_broken_file_is_named_and_the_next_is_graded(tmp_path, text, capsys):
    broken = tmp_path / "broken.ipynb"
    broken.write_text(text)
    good = write(tmp_path / "good.ipynb", FIRST)
    assert grading.main([str(broken), str(good), "--out", str(tmp_path / "g.json")]) == 1
    first, second = json.loads((tmp_path / "g.json").read_text())
    assert "broken.ipynb" in first["problem"] and "asks no exercise" in second["problem"]
    assert "broken.ipynb" in capsys.readouterr().err


OPEN = """
def experiment():
    {body}

checks.check("{number}", experiment)
"""
SEEN = "return {n: 0.5 for n in range(1, 5)}, {n: [True] * (9 - 2 * n) + [False] * (2 * n - 1) for n in range(1, 5)}"


def test_wrong_answers_stop_nothing_and_each_says_what_is_wrong(tmp_path):
    wrong = ['checks.check("00.1", 3)', 'checks.check("00.2", lambda: 1 / 0)', 'checks.check("00.3", "share")',
             'checks.check("00.4", None)', 'checks.check("00.9", 1)']  # fmt: skip
    result = grading.grade(write(tmp_path / "wrong.ipynb", FIRST, *wrong))
    assert [answer["result"] for answer in result["answers"].values()] == ["not yet"] * 4 and not result["stopped"]
    assert all(len(answer["message"]) > 20 for answer in result["answers"].values())
    assert result["right"] == 0 and "00.9" not in result["answers"], "an exercise that there is not is no answer"


def test_an_open_experiment_is_graded_with_what_its_result_means(tmp_path):
    text = OPEN.format(body=SEEN, number="01.6")
    result = grading.grade(write(tmp_path / "open.ipynb", FIRST, OPEN.format(body="return None", number="01.6"), text))
    answer = result["answers"]["01.6"]
    assert answer["result"] == "right" and len(answer["message"]) > 40, "the last answer counts, with its meaning"


def test_a_notebook_is_of_the_lesson_whose_exercises_it_asks_whatever_its_name(tmp_path):
    stranger = write(tmp_path / "Maria (2) final.ipynb", FIRST, PROMPT, NOISE, OPEN.format(body=SEEN, number="01.6"))
    result = grading.grade(stranger)
    assert result["lesson"] == "00" and result["right"] == 2, "most of its checks are of lesson 00"
    assert not any(number.startswith("01") for number in result["answers"]), "one check of another lesson is left out"
    named_otherwise = write(tmp_path / "03_depth2img.ipynb", FIRST, PROMPT)
    assert grading.grade(named_otherwise)["lesson"] == "00"


def test_every_exercise_of_every_lesson_can_be_graded():
    for source in build.sources():
        asked = set(re.findall(r"checks\.check\(\s*[\"'](\d\d\.\d+)", source.read_text()))
        grading.find(f"{source.stem[:2]}.1")
        assert asked == {number for number in grading.EXERCISES if number.startswith(source.stem[:2])}


def test_a_lesson_that_there_is_not(tmp_path):
    with pytest.raises(ValueError, match="of no lesson of this course"):
        grading.grade(write(tmp_path / "x.ipynb", 'checks.check("77.1", 1)'))
