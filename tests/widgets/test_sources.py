"""Rules for the sources of the panels: what breaks elsewhere, how much travels, how little a new panel takes."""

import ast
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

import pytest

from course_utils import widgets
from course_utils.widgets import panel, parts, record
from course_utils.widgets.film import ClipSource
from course_utils.widgets.pictures import PictureSource
from course_utils.widgets.studio_settings import StudioUnit
from tests.widgets.press import make

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "course_utils/widgets"
PYTHON = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("path", [*PYTHON, *sorted((ROOT / "notebooks/src").glob("*.py"))], ids=lambda path: path.name)
def test_no_widget_that_colab_breaks(path):
    """Colab's widget manager loses the pages of Tab and Accordion (colabtools issue 3571)."""
    names = {getattr(node, "id", getattr(node, "attr", getattr(node, "name", None)))
             for node in ast.walk(ast.parse(path.read_text()))}  # fmt: skip
    assert not names & {"Tab", "Accordion", "Stack"}, f"{path.name}: use buttons and a VBox."


def test_what_travels_to_the_browser_is_small():
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir() if path.suffix in (".js", ".css")}
    assert sum(sizes.values()) < 60_000, sizes


# Fields of settings that are text and no path; another one must be named here, or in `record.PATHS`.
TEXTS = {
    "prompt", "negative_prompt", "scheduler", "lane", "kind", "words", "doll", "resize", "strokes", "preprocessor",
    "control", "knobs", "mode", "region", "depth", "motion", "rung", "weights", "units",
}  # fmt: skip


def test_every_field_that_holds_a_path_is_known():
    """What leaves this computer inside a picture names files, and not where they lie (`record.without_paths`)."""
    nested = {PictureSource, ClipSource, StudioUnit}
    kinds = {*subclasses(record.Settings), record.Settings, *nested}
    texts = {
        each.name for kind in kinds for each in fields(kind) if re.search(r"str|tuple|Weighted|Chosen", str(each.type))
    }
    assert texts - set(record.PATHS) <= TEXTS, texts - set(record.PATHS) - TEXTS


def subclasses(kind):
    return {each for child in kind.__subclasses__() for each in (child, *subclasses(child))}


def test_class_names_stand_once():
    names = re.findall(r"^class (\w+)", "".join(path.read_text() for path in PYTHON), re.M)
    assert len(names) == len(set(names))


@dataclass(frozen=True)
class ClipSkipSettings(record.Settings):
    """A toy: one more knob."""

    kind: ClassVar[str] = "clip skip"

    shift: float

    def call(self):
        return [*super().call(), record.Argument("eta", self.shift)]


def test_a_new_panel_is_one_record_and_its_knobs(pipe):
    """One file with these ten lines; the others are `__init__.py`, which names it, and its test."""
    start = parts.first_call(pipe, None, "a cat", "", {"num_inference_steps": 2})
    knobs = {
        **parts.prompts(start),
        "shift": parts.slider("shift", "Shift", 0.0, 0, 1, 0.1),
        **parts.sampling(pipe, start),
    }
    toy = panel.Panel(pipe, knobs, start, ClipSkipSettings)
    first, other = make(toy, scheduler="ddim"), make(toy, shift=1.0)
    assert first.png != other.png and "    eta=1.0,\n" in other.settings.code()
    toy.history.click(1)
    assert toy.settings == first.settings and isinstance(toy, widgets.Panel)
