"""One check for all dataclasses of settings: types, finite numbers, ranges, choices; before anything is computed."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real

NOUNS = {int: "a whole number", float: "a number", bool: "True or False", str: "text", tuple: "a tuple",
         types.NoneType: "None"}  # fmt: skip
NUMBERS = {int: Integral, float: Real}  # what passes for them: numpy's numbers too
SHOWN = 60  # characters of a value that an error repeats


@dataclass(frozen=True)
class Range:
    """Limits of a number, written into an annotation: `rank: Annotated[int, Range(1)]`.

    low, high: what may be reached; above: what may not.
    """

    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf

    def __str__(self) -> str:
        if self.above > -math.inf:
            return f"more than {self.above:g}" + (f", at most {self.high:g}" if self.high < math.inf else "")
        low, high = (f"{side:g}" if isinstance(side, float) else str(side) for side in (self.low, self.high))
        return f"{low} or more" if self.high == math.inf else f"{low} to {high}"


@dataclass(frozen=True)
class Choice:
    """The values that a field may have."""

    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"one of {', '.join(map(repr, self.values))}"


Share = typing.Annotated[float, Range(0, 1)]
LARGEST_SEED = 2**32 - 1
Seed = typing.Annotated[int, Range(0, LARGEST_SEED)]


def check_config(config: object) -> None:
    """Raise unless every field of a dataclass has the type of its annotation, is finite and within its limits.

    Raises:
        TypeError: `config` is no dataclass, or a field has another type; names field and value.
        ValueError: a number that is not finite or out of range, or an unknown choice; says what would be right.
    """
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"config={short(config)} is no dataclass of settings.")
    for name, hint in _hints(type(config)).items():
        check_value(name, getattr(config, name), hint)


@cache
def _hints(kind: type) -> dict[str, object]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def check_value(name: str, value: object, hint: object) -> None:
    """Check one value against an annotation such as `Annotated[float, Range(0, 1)] | None`; see `check_config`.

    A union takes what one of its types takes, `tuple[A, ...]` any number of A, `tuple[A, B]` an A and a B.
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        _check_union(name, value, args)
    elif origin is tuple:
        _check_type(name, value, tuple)
        kinds = args[:1] * len(value) if args[1:] == (...,) else args
        if len(kinds) != len(value):
            raise ValueError(f"{name}={short(value)} has {len(value)} values; use {len(kinds)}.")
        for number, (item, kind) in enumerate(zip(value, kinds, strict=True)):
            check_value(f"{name}[{number}]", item, kind)
    elif origin is typing.Annotated:
        kind, *limits = args
        _check_type(name, value, kind, *limits)
        for limit in limits:
            _check_limit(name, value, limit)
    else:
        _check_type(name, value, hint)


def short(value: object) -> str:
    """Write a value as Python does, as far as an error needs it."""
    try:
        return repr(value)[:SHOWN]
    except Exception:  # such as for a whole number of 5,000 digits
        return f"<{type(value).__name__}>"


def _check_union(name: str, value: object, hints: tuple[object, ...]) -> None:
    wanted = []
    for hint in hints:
        try:
            return check_value(name, value, hint)
        except TypeError as problem:
            wanted.append(str(problem).rpartition(" must be ")[2].removesuffix("."))
    raise TypeError(f"{name}={short(value)} must be {' or '.join(wanted)}.")


def _check_type(name: str, value: object, kind: type, *limits: Range | Choice) -> None:
    accepted = (tuple, list) if kind is tuple else NUMBERS.get(kind, kind)
    duration = getattr(getattr(value, "dtype", None), "kind", "") == "m"  # numpy's pass for whole numbers
    if not isinstance(value, accepted) or duration or (isinstance(value, bool) and kind is not bool):
        noun = NOUNS.get(kind, kind.__name__)
        raise TypeError(f"{name}={short(value)} must be {', '.join(map(str, (noun, *limits)))}.")
    if isinstance(value, Real) and not _finite(value):
        raise ValueError(f"{name}={short(value)} is not finite, or too large: use a finite number.")


def _finite(value: Real) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def _check_limit(name: str, value: object, limit: Range | Choice) -> None:
    if isinstance(limit, Choice):
        if value not in limit.values:
            raise ValueError(f"{name}={short(value)} is unknown; use {limit}.")
    elif not limit.low <= value <= limit.high or not value > limit.above:
        raise ValueError(f"{name}={short(value)} is out of range; use {limit}.")
