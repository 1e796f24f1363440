"""One check for all settings: wrong types, numbers that are none, values that can only give nothing."""

import math
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pytest
from hypothesis import given, settings

from course_utils import controlnet, excite, personalize, video
from course_utils.validation import Choice, Range, Share, check_config
from tests.tiny.anything import ANYTHING, refused_by_name

CONFIGS = [
    personalize.preset(method, lane) for lane, methods in personalize.presets.PRESETS.items() for method in methods
] + [controlnet.ControlNetTrainingConfig(), excite.AttendExciteConfig(), video.FilmConfig()]


@dataclass(frozen=True)
class Toy:
    count: Annotated[int, Range(1, 9)] = 3
    share: Annotated[float, Range(0, 1)] = 0.5
    rate: Annotated[float, Range(above=0)] | None = 1.0
    kind: Annotated[str, Choice(("a", "b"))] = "a"
    flag: bool = False
    names: tuple[str, ...] = ()
    pair: tuple[float, Share] = (2.0, 1.0)
    words: tuple[str | int, ...] = ("a", 1)


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
        ({"rate": 0.0}, ValueError, "rate=0.0 is out of range; use more than 0"),
        ({"rate": -math.inf}, ValueError, "rate=-inf is not finite"),
        ({"kind": "c"}, ValueError, "kind='c' is unknown; use one of 'a', 'b'"),
        ({"kind": None}, TypeError, "kind=None must be text"),
        ({"flag": 1}, TypeError, "flag=1 must be True or False"),
        ({"count": np.timedelta64(3)}, TypeError, r"count=np.timedelta64\(3\) must be a whole number, 1 to 9"),
        ({"rate": "high"}, TypeError, "rate='high' must be a number, more than 0 or None"),
        ({"rate": 10**400}, ValueError, "rate=10+ is not finite, or too large"),
        ({"count": 10**5000}, ValueError, "count=<int> is not finite, or too large"),
        ({"pair": (1.0,)}, ValueError, r"pair=\(1.0,\) has 1 values; use 2"),
        ({"pair": (1.0, 2.0)}, ValueError, r"pair\[1\]=2.0 is out of range; use 0 to 1"),
        ({"words": (1.5,)}, TypeError, r"words\[0\]=1.5 must be text or a whole number"),
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


@given(ANYTHING)
@settings(max_examples=150)
def test_whatever_is_given_is_taken_or_refused_by_name_and_value(value):
    for config in CONFIGS:
        refused_by_name(config, value, check_config)
