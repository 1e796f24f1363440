"""Tables: what is made comes back, goes on where it was killed, and is refused when its weights are gone."""

import gzip
import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from course_utils import catalog, env, results
from course_utils.catalog import calls
from course_utils.recipe import shipped
from course_utils.recipe.tables import __main__ as command
from course_utils.recipe.tables import making
from tests.tiny import models


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Assets with a tiny model, and an empty cache."""
    models.build_clay_folder(tmp_path / "models/clay-base")
    monkeypatch.setattr(env, "ASSETS", tmp_path)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path


def table(seen, settings=None):
    def measure(job):
        if job is None:
            raise KeyboardInterrupt
        seen.append(job)
        return [{"job": job, "twice": 2 * job, "word": "cat" if job else "dog"}]

    return making.Table("doubles", ("clay-base",), lambda: {str(k): k for k in range(4)}, measure, settings or {})


def test_a_table_comes_back_with_what_made_it(place):
    assert making.make(table([], {"steps": 20}), place / "results")
    result = results.read("doubles", place / "results")
    assert [row["twice"] for row in result.rows] == [0, 2, 4, 6]
    assert result.settings == {"steps": 20} and result.versions["python"]
    assert result.models == {"clay-base": catalog.weights_hash(place / "models/clay-base")}
    assert result.defaults == catalog.defaults("clay")


def test_it_goes_on_where_it_was_killed(place):
    seen = []
    broken = making.Table(
        "doubles", ("clay-base",), lambda: {str(k): k if k < 2 else None for k in range(4)}, table(seen).measure
    )
    with pytest.raises(KeyboardInterrupt):
        making.make(broken, place / "results")
    assert seen == [0, 1] and not (place / "results").exists()
    (part,) = (place / "cache/results").rglob("*.jsonl")
    part.write_text(part.read_text() + '{"job": "2", "ro')
    assert making.make(table(seen), place / "results") and seen == [0, 1, 2, 3]
    assert results.read("doubles", place / "results").column("job").tolist() == [0, 1, 2, 3]


def test_it_stops_after_its_minutes(place):
    seen = []
    assert not making.make(table(seen), place / "results", minutes=0)
    assert not seen and not (place / "results").exists()


def test_processes_do_not_train_a_table_together(place, monkeypatch):
    monkeypatch.setattr("accelerate.PartialState", lambda **_: SimpleNamespace(num_processes=2))
    seen = []
    with pytest.raises(RuntimeError, match="2 processes would share each training and spoil"):
        making.make(replace(table(seen), trains=True), place / "results")
    assert seen == [] and command.find("personal").trains


def test_other_settings_start_anew(place):
    seen = []
    making.make(table(seen), place / "results")
    assert making.fresh(table(seen), place / "results")
    assert not making.fresh(table(seen, {"steps": 3}), place / "results")
    making.make(table(seen, {"steps": 3}), place / "results")
    assert seen == [0, 1, 2, 3] * 2


PARTS = (*shipped.PAINTED_BY, "clay-base/encoder", "clay-base/noise")
PAINTED = shipped.PAINTED_BY
ENCODED = (*shipped.TRAINED_ON, "clay-base/noise")  # such as word maps: nothing is painted


def unlike(assets, part):
    """Ship another part of the base."""
    base = assets / "models/clay-base"
    if part in ("scheduler", "noise"):
        config = base / "scheduler/scheduler_config.json"
        change = {"timestep_spacing": "trailing"} if part == "scheduler" else {"beta_end": 0.02}
        config.write_text(json.dumps(json.loads(config.read_text()) | change))
        return
    half, folder = (f"{part}.", "vae") if part in ("encoder", "decoder") else ("", part)
    (weights,) = (base / folder).glob("*.safetensors")
    tensors = {name: -tensor if name.startswith(half) else tensor for name, tensor in load_file(weights).items()}
    save_file(tensors, weights)


@pytest.mark.parametrize(
    ("part", "spoils"),
    [
        ("unet", {"painted", "encoded"}),
        ("text_encoder", {"painted", "encoded"}),
        ("encoder", {"encoded"}),
        ("decoder", {"painted"}),
        ("scheduler", {"painted"}),
        ("noise", {"painted", "encoded"}),
    ],
)
def test_another_part_makes_stale_what_rests_on_it(place, part, spoils):
    tables = {
        "painted": replace(table([]), name="painted", models=PAINTED),
        "encoded": replace(table([]), name="encoded", models=ENCODED, defaults={}),
    }
    for made in tables.values():
        making.make(made, place / "results")
    assert making.stale(place / "results") == {} and all(
        making.fresh(one, place / "results") for one in tables.values()
    )
    unlike(place, part)
    stale = making.stale(place / "results")
    assert set(stale) == spoils and all(f"clay-base/{part}" in why for why in stale.values() if part != "noise")
    assert {name for name, one in tables.items() if not making.fresh(one, place / "results")} == spoils


def test_another_class_of_scheduler_makes_it_stale(place):
    making.make(replace(table([]), models=PAINTED), place / "results")
    index = place / "models/clay-base/model_index.json"
    index.write_text(index.read_text().replace("DDIMScheduler", "PNDMScheduler"))
    assert "clay-base/scheduler" in making.stale(place / "results")["doubles"]


@pytest.mark.parametrize("change", [{"num_inference_steps": 25}, {"guidance_scale": 5.0}, {"scheduler": "dpm++ 2m"}])
def test_other_defaults_make_it_stale_where_pictures_are_painted(place, monkeypatch, change):
    making.make(table([]), place / "results")
    making.make(replace(table([]), name="encoded", defaults={}), place / "results")
    monkeypatch.setitem(calls.DEFAULTS, "clay", calls.DEFAULTS["clay"] | change)
    (why,) = making.stale(place / "results").values()
    assert next(iter(change)) in why and not making.fresh(table([]), place / "results")


def test_every_shipped_table_names_what_made_its_pictures():
    for path in results.FOLDER.glob("*.jsonl.gz"):
        result = results.read(path.name.removesuffix(".jsonl.gz"))
        assert {"clay-base/unet", "clay-base/text_encoder"} <= result.models.keys()
        assert bool(result.defaults) == ({*shipped.PAINTED_BY} <= result.models.keys()) == (result.name != "word_maps")


def test_a_header_of_before_is_still_read(place):
    path = making.write(results.Result("old", [{"a": 1}], {"k": 2}, {}, {}), place / "results")
    head, row = gzip.decompress(path.read_bytes()).splitlines()
    old = {name: value for name, value in json.loads(head).items() if name != "defaults"}
    path.write_bytes(gzip.compress(json.dumps(old).encode() + b"\n" + row + b"\n"))
    assert results.read("old", place / "results").rows == [{"a": 1}]


def test_the_same_rows_give_the_same_bytes(place):
    made = results.Result("one", [{"a": 1}], {}, {}, {})
    first = making.write(made, place / "x").read_bytes()
    assert making.write(made, place / "y").read_bytes() == first


def test_columns_and_rows_are_asked_by_name():
    result = results.Result("t", [{"k": "a", "x": 1}, {"k": "b", "x": None}, {"k": "a", "x": True}], {}, {}, {})
    assert result.column("x", k="a").tolist() == [1, 1] and math.isnan(result.column("x")[1])
    assert result.column("k").tolist() == ["a", "b", "a"] and len(result.where(k="b", x=None)) == 1
    assert result.column("x", k="c").shape == (0,) and np.asarray(result.column("x", k="c")).size == 0
    with pytest.raises(KeyError, match="'y'.*k, x"):
        result.column("y")
    with pytest.raises(KeyError, match="'z'"):
        result.where(z=1)


def test_a_missing_or_broken_table_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No table 'one'.*make results"):
        results.read("one", tmp_path)
    path = making.write(results.Result("one", [{"a": 1}], {}, {}, {}), tmp_path)
    whole = path.read_bytes()
    for broken in (b"", b"no gzip", whole[:-9], gzip.compress(b"{}\n"), gzip.compress(b"{no")):
        path.write_bytes(broken)
        with pytest.raises(OSError, match="one.jsonl.gz is broken"):
            results.read("one", tmp_path)


def test_nothing_that_json_cannot_say_is_kept(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        making.write(results.Result("one", [{"a": math.nan}], {}, {}, {}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_every_table_is_found_under_its_name():
    for name in command.MODULES:
        found = command.find(name)
        assert found.name == name and found.models and json.dumps(found.settings)


def test_shipped_tables_are_fresh():
    assert making.stale() == {}
    for path in results.FOLDER.glob("*.jsonl.gz"):
        assert making.fresh(command.find(path.name.removesuffix(".jsonl.gz"))), f"{path.name} is stale: make results"
