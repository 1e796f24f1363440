"""What stands on the base names the parts that it rests on: a card that names others is found out."""

import shutil

import pytest

from course_utils import env
from course_utils.catalog import calls
from course_utils.recipe import dependents, shipped
from tests.tiny import models


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A tiny base and models that stand on it, with their cards."""
    folder = tmp_path_factory.mktemp("models")
    base = models.build_clay_folder(folder / "clay-base")
    models.build_clay_control(folder / "clay-control-canny", base)
    models.build_clay_depth(folder / "clay-depth", base)
    (folder / "clay-judge").mkdir()
    (folder / "clay-judge/model.safetensors").write_bytes(b"a judge")
    for name in ("clay-base", "clay-control-*", "clay-depth", "clay-judge"):
        (path,) = folder.glob(name)
        (path / "README.md").write_text(f"# {path.name}\n\n{dependents.lines(dependents.NEEDS[name], folder)}\n")
    return folder


@pytest.fixture
def shelf(built, tmp_path):
    """A copy of them that a test may change."""
    folder = tmp_path / "models"
    shutil.copytree(built, folder)
    assert dependents.strangers(folder) == {}
    return folder


def test_what_ships_stands_on_the_base_that_ships():
    assert dependents.strangers(env.ASSETS / "models") == {}


def test_no_configuration_tells_where_a_model_was_made():
    configs = sorted((env.ASSETS / "models").rglob("*.json"))
    assert configs and not [str(file) for file in configs if '": "/' in file.read_text()]


def test_a_card_that_names_another_part_or_none_is_found(shelf):
    card = shelf / "clay-depth/README.md"
    told = card.read_text()
    card.write_text("# depth\n")
    assert "does not name clay-base/unet" in dependents.strangers(shelf)["clay-depth"]
    card.write_text(told.replace(shipped.hashes(["clay-base/encoder"], shelf)["clay-base/encoder"], "0" * 64))
    assert dependents.strangers(shelf).keys() == {"clay-depth"}
    assert "another clay-base/encoder than ships" in dependents.strangers(shelf)["clay-depth"]


MODELS = {"clay-base", "clay-control-canny", "clay-depth", "clay-judge"}


@pytest.mark.parametrize(
    ("part", "spoils"),
    [
        ("unet", MODELS - {"clay-judge"}),
        ("text_encoder", MODELS - {"clay-judge"}),
        ("encoder", MODELS),
        ("decoder", {"clay-base", "clay-judge"}),
        ("scheduler", {"clay-base"}),
    ],
)
def test_another_part_spoils_what_rests_on_it(shelf, part, spoils, monkeypatch):
    """A new decoder leaves ControlNets and depth valid; the base's figures, and who learned from trips, are not."""
    known = shipped.hashes

    def pretended(names, models=None):
        return {
            name: "f" * 64 if name == f"clay-base/{part}" else value for name, value in known(names, models).items()
        }

    monkeypatch.setattr(shipped, "hashes", pretended)
    assert dependents.strangers(shelf).keys() == spoils


def test_another_default_or_judge_spoils_the_figures_of_the_base(shelf, monkeypatch):
    monkeypatch.setitem(calls.DEFAULTS, "clay", calls.DEFAULTS["clay"] | {"num_inference_steps": 25})
    assert "another defaults" in dependents.strangers(shelf)["clay-base"]
    monkeypatch.undo()
    (shelf / "clay-judge/model.safetensors").write_bytes(b"another judge")
    assert dependents.strangers(shelf).keys() == {"clay-base"}


def test_a_model_that_is_measured_again_keeps_what_it_was_trained_on(shelf, monkeypatch):
    """Its card must not name what ships by now; new weights ship without the old card, and get today's names."""
    folder, names = shelf / "clay-control-canny", dependents.NEEDS["clay-control-*"]
    before = dependents.lines(names, shelf)
    monkeypatch.setattr(shipped, "hashes", lambda names, models=None: dict.fromkeys(names, "f" * 64))
    assert dependents.lines(names, shelf, trained=folder) == before != dependents.lines(names, shelf)
    dependents.uncarded(folder)
    assert dependents.lines(names, shelf, trained=folder) == dependents.lines(names, shelf)


def test_no_base_is_needed_where_nothing_stands_on_it(tmp_path):
    assert dependents.strangers(tmp_path) == {}
