"""What panels hand on is checked as all settings are: by one validator, by name, before anything runs."""

import math
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings

from course_utils.widgets import (
    ClipSource,
    ControlSettings,
    Depth2ImgSettings,
    DollSettings,
    ExciterSettings,
    FilmSettings,
    Img2ImgSettings,
    LoraSettings,
    PictureSource,
    Settings,
    Unit,
)
from tests.tiny.anything import ANYTHING, refused_by_name

CALL = {"prompt": "a cat", "negative_prompt": "", "seed": 0, "num_inference_steps": 2, "guidance_scale": 4.0,
        "scheduler": "ddim", "height": 64, "width": 64, "lane": "clay"}  # fmt: skip
SOURCE = PictureSource("scene", "a cat", 1)
UNIT = Unit(SOURCE, "canny", "canny")
RECORDS = [
    SOURCE, UNIT, Settings(**CALL), ControlSettings(**CALL, units=(UNIT,), guess_mode=False),
    Img2ImgSettings(**CALL, image=SOURCE, strength=0.5),
    Depth2ImgSettings(**CALL, image=SOURCE, strength=0.5, depth="true"), LoraSettings(**CALL, loras=(("a", 1.0),)),
    ClipSource("a man", frames=2), FilmSettings(**CALL, clip=ClipSource(), control="canny", rung="plain"),
    DollSettings(**CALL, doll="{}", weights=(("openpose", 1.0),)),
    ExciterSettings(**CALL, words=("cat", 2), scale_factor=2.5, alter_share=0.5, smooth=True, refine=False),
]  # fmt: skip


@given(ANYTHING)
@settings(max_examples=100)
def test_whatever_a_knob_stands_at_is_taken_or_refused_by_name(value):
    for record in RECORDS:
        refused_by_name(record, value)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_what_a_picture_holds_comes_back(record):
    assert replace(record) == record and asdict(replace(record)) == asdict(record)


@pytest.mark.parametrize(
    ("record", "changes", "says"),
    [
        (RECORDS[2], {"seed": 2**40}, "seed=1099511627776 is out of range; use 0 to 4294967295"),
        (RECORDS[2], {"guidance_scale": math.nan}, "guidance_scale=nan is not finite"),
        (RECORDS[2], {"lane": "sdxl"}, "lane='sdxl' is unknown; use one of 'clay', 'sd15'"),
        (RECORDS[2], {"num_inference_steps": 2.5}, "num_inference_steps=2.5 must be a whole number, 1 to 1000"),
        (RECORDS[3], {"units": (UNIT, "canny")}, r"units\[1\]='canny' must be Unit"),
        (UNIT, {"scale": math.inf}, "scale=inf is not finite"),
        (UNIT, {"end": 1.5}, "end=1.5 is out of range; use 0 to 1"),
        (RECORDS[4], {"strength": "high"}, "strength='high' must be a number, 0 to 1"),
        (RECORDS[5], {"depth": "guessed"}, "depth='guessed' is unknown; use one of 'estimated', 'true'"),
        (RECORDS[6], {"loras": (("a", math.nan),)}, r"loras\[0\]\[1\]=nan is not finite"),
        (RECORDS[6], {"loras": (("a",),)}, r"loras\[0\]=\('a',\) has 1 values; use 2"),
        (RECORDS[-1], {"words": (1.5,)}, r"words\[0\]=1.5 must be text or a whole number"),
        (RECORDS[-1], {"smooth": 1}, "smooth=1 must be True or False"),
        (SOURCE, {"kind": "camera"}, "kind='camera' is unknown"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(record, changes, says):
    with pytest.raises((TypeError, ValueError), match=says):
        replace(record, **changes)
