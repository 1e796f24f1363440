"""Each check is fed the solution that the lesson prints, the stub that it starts from, and planted wrong answers."""

import re
from pathlib import Path

import jupytext
import pytest
import torch

from course_utils import checks
from course_utils.checks import asking
from course_utils.clay import vocabulary as words
from course_utils.clay.vocabulary import CLASS_ID

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted((ROOT / "notebooks/src").glob("[0-9]*.py"))
CALL = re.compile(r'checks\.check\("(\d\d\.\d+)", (\w+)\)')
FENCE = re.compile(r"```python\n(.*?)```", re.S)

# exercise: wrong answers, each with a word that its message must hold
WRONG = {
    "00.1": {
        "a green frog and a giraffe in the snow": "giraffe",
        "a green frog in the snow": "two different things",
        "a frog and a pink balloon in the snow": "frog",
        "a green frog and a pink balloon": "where",
    },
    "00.2": {
        lambda seed, shape: torch.randn(shape): "global generator",
        lambda seed, shape: torch.randn(shape, generator=torch.Generator().manual_seed(0)): "same noise",
        lambda seed, shape: torch.rand(shape, generator=torch.Generator().manual_seed(seed)): "normal",
        lambda seed, shape: torch.randn(3, generator=torch.Generator().manual_seed(seed)): "shape",
    },
    "00.3": {
        lambda made, word: (made.klass == CLASS_ID[word]).sum(): "divide",
        lambda made, word: (made.instance == CLASS_ID[word]).mean(): "klass",
        lambda made, word: (made.klass == CLASS_ID["clock"]).mean(): "bench",
    },
    "01.1": {
        lambda uncond, cond, scale: cond + scale * (cond - uncond): "start from uncond",
        lambda uncond, cond, scale: uncond + scale * (uncond - cond): "direction",
        lambda uncond, cond, scale: scale * uncond + (1 - scale) * cond: "direction",
        lambda uncond, cond, scale: (uncond + cond) / 2: "no guidance",
        lambda uncond, cond, scale: torch.lerp(uncond, cond, min(scale, 1.0)): "beyond",
    },
    "01.2": {
        lambda x_t, eps, a: x_t - (1 - a).sqrt() * eps: "faded",
        lambda x_t, eps, a: (x_t - (1 - a) * eps) / a: "square root",
        lambda x_t, eps, a: (x_t + (1 - a).sqrt() * eps) / a.sqrt(): "second time",
        lambda x_t, eps, a: x_t - eps: "do not come back",
    },
    "01.3": {
        lambda sight, wanted: any(sight.has(word, colour) for word, colour in wanted.items()): "no crown",
        lambda sight, wanted: all(sight.has(word) for word in wanted): "orange cat",
        lambda sight, wanted: len(sight.things) == len(wanted): "orange cat",
        lambda sight, wanted: {(s.word, s.colour) for s in sight.things} >= {*wanted.items()}: "yellow crown",
    },
    "01.4": {
        lambda verdicts: [seed for seed, name in verdicts.items() if name != "right"]: "dict",
        lambda found: {name: [seed for seed in found if found[seed] == name] for name in found.values()}: "leave it",
        lambda verdicts: {name: [k] for k, name in enumerate(verdicts.values()) if name != "right"}: "should give",
    },
    "01.5": {
        lambda p, sure: 1 / p: "average",
        lambda p, sure: __import__("math").log(1 - sure) / __import__("math").log(1 - p): "round up",
        lambda p, sure: 20: "should give 5",
    },
}


def lesson_cells(kind):
    for path in LESSONS:
        for cell in jupytext.read(path).cells:
            if kind in cell.metadata.get("tags", ()):
                yield cell.source


def answers():
    """Yield (exercise, stub, solution): the exercise's cell, and the code in the next folded solution."""
    texts = [FENCE.search(text)[1] for text in lesson_cells("solution")]
    stubs = [source for source in lesson_cells("exercise") if CALL.search(source)]
    assert len(texts) == len(stubs), "each exercise is followed by its solution"
    for stub, text in zip(stubs, texts, strict=True):
        yield pytest.param(*CALL.search(stub).groups(), stub, text, id=CALL.search(stub)[1])


ANSWERS = list(answers())


def run(source, name):
    """Run an exercise's code up to its check, and return what is called `name`."""
    space = {"torch": torch, "words": words}
    exec(CALL.split(source)[0], space)
    return space[name]


@pytest.mark.parametrize("exercise, name, stub, solution", ANSWERS)
def test_printed_solution_passes(exercise, name, stub, solution, capsys):
    assert checks.check(exercise, run(solution, name)) is True
    assert capsys.readouterr().out.startswith(f"{exercise} · right. ")


@pytest.mark.parametrize("exercise, name, stub, solution", ANSWERS)
def test_stub_runs_and_is_not_yet_right(exercise, name, stub, solution, capsys):
    assert checks.check(exercise, run(stub, name)) is False
    assert capsys.readouterr().out.startswith(f"{exercise} · not yet. ")


@pytest.mark.parametrize("exercise", WRONG)
def test_wrong_answers_are_refused_with_the_reason(exercise, capsys):
    assert len(WRONG[exercise]) >= 2
    for answer, reason in WRONG[exercise].items():
        assert checks.check(exercise, answer) is False
        assert reason in (said := capsys.readouterr().out), said


def test_every_exercise_has_a_solution_and_wrong_answers():
    assert {param.values[0] for param in ANSWERS} == set(WRONG)


@pytest.mark.parametrize("exercise", WRONG)
@pytest.mark.parametrize("answer", [None, 3, {}, lambda: 1, lambda *a: 1 / 0, lambda *a: "x", lambda *a: [None]])
def test_nonsense_never_raises(exercise, answer, capsys):
    assert checks.check(exercise, answer) is False
    assert "not yet" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["01.99", "77.1", "", "one", None, "../x.1"])
def test_unknown_exercise_is_named(name, capsys):
    assert checks.check(name, None) is False
    assert repr(name) in capsys.readouterr().out


def test_answer_cannot_spoil_its_arguments():
    def greedy(uncond, cond, scale):
        cond.zero_()
        return uncond

    kept = torch.ones(2)
    asking.ask(greedy, torch.ones(2), kept, 1.0)
    assert kept.equal(torch.ones(2))
