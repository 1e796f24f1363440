"""One check for all dataclasses of settings: types, finite numbers, ranges, choices; before anything is computed."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from dataclasses import dataclass
from numbers import Integral, Real


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
            return f"a number above {self.above:g}" + (f", at most {self.high:g}" if self.high < math.inf else "")
        return f"{self.low:g} or more" if self.high == math.inf else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Choice:
    """The values that a field may have."""

    values: tuple[str, ...]


def check_config(config: object) -> None:
    """Raise unless every field of a dataclass has the type of its annotation, is finite and within its limits.

    Raises:
        TypeError: `config` is no dataclass, or a field has another type; names field and value.
        ValueError: a number that is not finite or out of range, or an unknown choice; says what would be right.
    """
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"config={config!r} is no dataclass of settings.")
    hints = typing.get_type_hints(type(config), include_extras=True)
    for field in dataclasses.fields(config):
        check_value(field.name, getattr(config, field.name), hints[field.name])


def check_value(name: str, value: object, hint: object) -> None:
    """Check one value against an annotation such as `Annotated[float, Range(0, 1)] | None`; see `check_config`."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in args:
            return
        hint = next(option for option in args if option is not type(None))
        origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        if not isinstance(value, tuple | list):
            raise TypeError(f"{name}={value!r} must be a tuple.")
        for number, item in enumerate(value):
            check_value(f"{name}[{number}]", item, args[0])
        return
    limits = args[1:] if origin is typing.Annotated else ()
    _check_type(name, value, args[0] if limits else hint)
    for limit in limits:
        _check_limit(name, value, limit)


def _check_type(name: str, value: object, kind: type) -> None:
    accepted = {int: Integral, float: Real}.get(kind, kind)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        noun = {int: "a whole number", float: "a number", bool: "True or False", str: "text"}.get(kind, kind.__name__)
        raise TypeError(f"{name}={value!r} must be {noun}.")
    if isinstance(value, Real) and not math.isfinite(value):
        raise ValueError(f"{name}={value!r} is not finite: use a finite number.")


def _check_limit(name: str, value: object, limit: Range | Choice) -> None:
    if isinstance(limit, Choice):
        if value not in limit.values:
            raise ValueError(f"{name}={value!r} is unknown; use one of {', '.join(map(repr, limit.values))}.")
    elif not limit.low <= value <= limit.high or not value > limit.above:
        raise ValueError(f"{name}={value!r} is out of range; use {limit}.")
