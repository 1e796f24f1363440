"""Trying an answer: find the exercise, ask the learner's function, print what came of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

Exercise = Callable[[Any], str]  # takes the answer, returns what it shows; raises `NotYet` where it is wrong
EXERCISES: dict[str, Exercise] = {}  # by number, of the lessons that were asked for
LEAST = 8  # pictures on which an open experiment rests


class NotYet(Exception):
    """An answer is not right; the message says what came out, what should have, and why."""


def exercise(name: str) -> Callable[[Exercise], Exercise]:
    """Give an exercise its number, such as "01.2"."""
    return lambda function: EXERCISES.setdefault(name, function)


def check(name: str, answer: Any) -> None:
    """Try an answer, and print what is wrong with it or what it shows.

    Nothing is returned: as a cell's last line it would be shown.

    Args:
        name: the exercise's number, such as "01.2".
        answer: what the exercise asks for: mostly a function, not what it returns.
    """
    try:
        print(f"{name} · right. {find(name)(answer)}")
    except NotYet as reason:
        print(f"{name} · not yet. {reason}")
    except Exception as error:  # "Run all" goes on, whatever an answer returned
        print(f"{name} · not yet. The answer could not be read ({type(error).__name__}: {error}).")


def find(name: str) -> Exercise:
    """Return the exercise of a number.

    Raises:
        NotYet: there is none; says which there are.
    """
    lesson = str(name).partition(".")[0]
    module = f"{__package__}.lesson_{lesson}"
    if not lesson.isdigit() or find_spec(module) is None:
        raise NotYet(f"No lesson has an exercise {name!r}; write a number such as '01.1'.")
    import_module(module)
    if name not in EXERCISES:
        known = [number for number in EXERCISES if number.startswith(f"{lesson}.")]
        raise NotYet(f"Lesson {lesson} has no exercise {name!r}, only {', '.join(known)}.")
    return EXERCISES[name]


def ask(function: Any, *arguments: Any) -> Any:
    """Call the learner's function with copies of the arguments and return what it gives.

    Raises:
        NotYet: it is no function, it raised, or it returned nothing.
    """
    if not callable(function):
        raise NotYet(f"Give the function itself, without brackets after its name; this is {function!r:.60}.")
    name = getattr(function, "__name__", "the function")
    try:
        given = function(*copy.deepcopy(arguments))
    except Exception as error:
        raise NotYet(f"{name} stopped with {type(error).__name__}: {error}") from error
    if given is None:
        raise NotYet(f"{name} returns nothing so far: write your line after `return`.")
    return given


def close(given: Any, wanted: Any) -> bool:
    """Tell whether two tensors or numbers are the same up to rounding."""
    import torch

    given, wanted = (torch.as_tensor(each).cpu().double() for each in (given, wanted))  # on a GPU it may be missing
    return given.shape == wanted.shape and torch.allclose(given, wanted, rtol=1e-4, atol=1e-5)


def expect(given: Any, wanted: Any, slips: Iterable[tuple[Any, str]], otherwise: str) -> None:
    """Go on if an answer is right, or say which slip explains it.

    Args:
        given: what the answer gave, a tensor, an array or a number.
        wanted: what is right.
        slips: what a slip would have given, and the sentence that explains it; the first that fits is said.
        otherwise: what is said if none fits.

    Raises:
        NotYet: the answer is not right.
    """
    if close(given, wanted):
        return
    raise NotYet(next((sentence for value, sentence in slips if close(given, value)), otherwise))


def expect_parts(given: Any, values: str, count: int = 2) -> tuple | list:
    """Return an answer that has so many parts; else say what it should hold."""
    if not isinstance(given, tuple | list) or len(given) != count:
        raise NotYet(f"Give {'a pair' if count == 2 else f'{count} things'}, {values}; this gives {given!r:.60}.")
    return given


def expect_verdicts(name: str, verdicts: Any) -> None:
    """Go on if an experiment gives True or False for each of enough pictures; else say what is missing."""
    if not isinstance(verdicts, tuple | list) or len(verdicts) < LEAST:
        count = len(verdicts) if isinstance(verdicts, tuple | list) else 0
        raise NotYet(f"Give a list of at least {LEAST} pictures' verdicts; for {name} there are {count}.")
    if any(verdict not in (True, False) for verdict in verdicts):
        raise NotYet(f"The list for {name} holds True or False, one for each picture.")


def as_expected(found: Any, guess: Any) -> str:
    """Say whether an experiment came out as its reader had expected."""
    return "as you expected" if found == guess else f"and you expected {guess}"


def expect_unnamed(prompt: Any, things: Iterable[str]) -> None:
    """Go on if a prompt names none of these; else say why it must not."""
    if not isinstance(prompt, str):
        raise NotYet(f"prompt is the text that you painted with; this is {prompt!r:.60}.")
    if named := [thing for thing in things if thing.split()[-1].lower() in prompt.lower().split()]:
        raise NotYet(
            f"The words {prompt!r} name {named[0]!r}: then it may come because it was asked for, not because the "
            "picture showed it. Say less."
        )


def expect_shape(given: Any, shape: tuple[int, ...], axes: str) -> None:
    """Go on if an answer has the right shape; else say which, and what its axes are."""
    if tuple(given.shape) != tuple(shape):
        raise NotYet(f"It should have shape {tuple(shape)}, {axes}; it has {tuple(given.shape)}.")


def noise(seed: int, *shape: int) -> Any:
    """Draw a tensor of normal numbers."""
    import torch

    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
