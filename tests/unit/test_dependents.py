"""What stands on the base names it: a model of another base is found out."""

import pytest

from course_utils import env
from course_utils.recipe import dependents, ship
from tests.tiny import models


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A tiny base and two models that stand on it."""
    folder = tmp_path_factory.mktemp("models")
    base = models.build_clay_folder(folder / "clay-base")
    models.build_clay_control(folder / "clay-control-canny", base)
    models.build_clay_depth(folder / "clay-depth", base)
    return folder


def test_what_ships_stands_on_the_base_that_ships():
    assert dependents.strangers(env.ASSETS / "models") == {}


def test_no_configuration_tells_where_a_model_was_made():
    configs = sorted((env.ASSETS / "models").rglob("*.json"))
    assert configs and not [str(file) for file in configs if '": "/' in file.read_text()]


def test_a_card_that_names_another_base_or_none_is_found(shelf):
    digest = ship.base_hash(shelf / "clay-base")
    cards = [shelf / name / "README.md" for name in ("clay-control-canny", "clay-depth")]
    cards[0].write_text(f"# canny\n\n{dependents.line(digest)}\n")
    assert dependents.strangers(shelf) == {"clay-depth": "its card names no base"}
    cards[1].write_text(f"# depth\n\n{dependents.line(digest)}\n")
    assert dependents.strangers(shelf) == {}
    cards[0].write_text(f"# canny\n\n{dependents.line('0' * 64)}\n")
    (wrong,) = dependents.strangers(shelf).values()
    assert wrong == f"trained on the base 00000000, but {digest[:8]} ships: train it anew"


def test_another_base_is_noticed(shelf):
    for name in ("clay-control-canny", "clay-depth"):
        (shelf / name / "README.md").write_text(dependents.line(ship.base_hash(shelf / "clay-base")) + "\n")
    weights = next((shelf / "clay-base/unet").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes() + b"\0")
    assert set(dependents.strangers(shelf)) == {"clay-control-canny", "clay-depth"}


def test_no_base_is_needed_where_nothing_stands_on_it(tmp_path):
    assert dependents.strangers(tmp_path) == {}
