"""One check for all settings: wrong types, numbers that are none, values that can only give nothing."""

import math
from dataclasses import dataclass, fields, replace
from typing import Annotated

import numpy as np
import pytest

from course_utils import personalize
from course_utils.validation import Choice, Range, check_config

CONFIGS = [
    personalize.preset(method, lane) for method in ("lora", "dreambooth", "few_step") for lane in ("clay", "sd15")
]


@dataclass(frozen=True)
class Toy:
    count: Annotated[int, Range(1, 9)] = 3
    share: Annotated[float, Range(0, 1)] = 0.5
    rate: Annotated[float, Range(above=0)] | None = 1.0
    kind: Annotated[str, Choice(("a", "b"))] = "a"
    flag: bool = False
    names: tuple[str, ...] = ()


def test_presets_and_numpy_numbers_pass():
    for config in CONFIGS:
        check_config(config)
    check_config(Toy(count=np.int64(2), share=np.float32(0.5), rate=None, names=("x",)))


@pytest.mark.parametrize(
    ("changes", "problem", "says"),
    [
        ({"count": 0}, ValueError, "count=0 is out of range; use 1 to 9"),
        ({"count": 2.0}, TypeError, "count=2.0 must be a whole number"),
        ({"count": True}, TypeError, "count=True must be a whole number"),
        ({"share": math.nan}, ValueError, "share=nan is not finite"),
        ({"share": "0.5"}, TypeError, "share='0.5' must be a number"),
        ({"rate": 0.0}, ValueError, "rate=0.0 is out of range; use a number above 0"),
        ({"rate": -math.inf}, ValueError, "rate=-inf is not finite"),
        ({"kind": "c"}, ValueError, "kind='c' is unknown; use one of 'a', 'b'"),
        ({"kind": None}, TypeError, "kind=None must be text"),
        ({"flag": 1}, TypeError, "flag=1 must be True or False"),
        ({"names": "abc"}, TypeError, "names='abc' must be a tuple"),
        ({"names": ("a", 1)}, TypeError, r"names\[1\]=1 must be text"),
    ],
)
def test_each_kind_of_fault_is_named(changes, problem, says):
    with pytest.raises(problem, match=says):
        check_config(replace(Toy(), **changes))


def test_only_settings_are_checked():
    with pytest.raises(TypeError, match="is no dataclass"):
        check_config({"count": 3})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lora_alpha", 0.0), ("lora_alpha", math.nan), ("snr_gamma", 0.0), ("snr_gamma", math.nan),
        ("prior_loss_weight", math.nan), ("learning_rate", math.inf), ("lr_decay_share", math.nan),
        ("lr_decay_share", 1.5), ("ema_steps", -1), ("seed", -1), ("seed", 2**40), ("save_every_s", math.nan),
        ("rank", 2.5), ("target_modules", "to_q"), ("height", "256"), ("random_flip", None),
    ],
)  # fmt: skip
def test_settings_that_can_only_give_nothing_are_refused(field, value):
    with pytest.raises((TypeError, ValueError), match=field):
        check_config(personalize.preset("lora", "clay", **{field: value}))


JUNK = (
    None, True, -1, 0, 1, 3, 2**70, 0.0, -0.5, 1e-300, 1e300, math.nan, math.inf, -math.inf, 1j, "", "a", b"a", (), [],
    ("a",), (None,), (math.nan,), [1], {}, {"a": 1}, object(), np.nan, np.float32("inf"), np.zeros(2), np.int8(3), max,
)  # fmt: skip


@pytest.mark.parametrize("value", JUNK, ids=lambda value: type(value).__name__)
def test_whatever_is_given_is_taken_or_refused_by_name(value):
    for config in CONFIGS:
        for field in fields(config):
            try:
                check_config(replace(config, **{field.name: value}))
            except (TypeError, ValueError) as problem:
                assert str(problem).startswith(field.name)
