"""The networks behind the controls: tiny random stand-ins on both lanes, one cache, weights that are checked."""

import dataclasses
import gc
import logging
import weakref

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import catalog, controls, env
from course_utils.catalog.checkpoints import Pickle
from course_utils.catalog.files import sha256
from course_utils.clay.control_maps import SEGMENTS
from course_utils.controls import annotators, edges, preprocess_sd15
from course_utils.controls.reader import Reader
from course_utils.judge.network import ready
from tests.tiny import annotators as tiny
from tests.tiny import models
from tests.tiny.hub import use_hub

READ = ("openpose", "seg", "normal")  # by the reader
HEIGHT, WIDTH = 48, 80


@pytest.fixture(autouse=True)
def nothing_kept():
    controls.release()
    yield
    controls.release()


@pytest.fixture
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))


def reader(far):
    """A tiny random reader; every picture is as strange to it as `far` is small."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = Reader(widths=(8, 8, 8))
    made.far.fill_(far)
    return annotators.kept("reader", lambda: ready(made))


@pytest.fixture
def depth_pair(tmp_path, monkeypatch):
    """A tiny depth network in place of the one that ships."""
    base = models.build_clay_folder(tmp_path / "models/clay-base")
    models.build_clay_depth(tmp_path / "models/clay-depth", base)
    monkeypatch.setattr(env, "ASSETS", tmp_path)


def trust(monkeypatch, use, snapshot):
    """Put the hashes of tiny weights into the table."""
    entry = catalog.checkpoint(use, "sd15")
    pickles = tuple(Pickle(one.name, sha256(snapshot / one.name), one.size_gb) for one in entry.pickles)
    monkeypatch.setitem(catalog.CHECKPOINTS["sd15"], use, dataclasses.replace(entry, pickles=pickles))


# The clay lane


def test_the_reader_draws_three_controls(picture):
    network = reader(far=1e6)
    reading = network.read(picture)
    drawn = {control: controls.make(control, picture, "clay") for control in READ}
    assert all(one.mode == "RGB" and one.size == (WIDTH, HEIGHT) for one in drawn.values())
    assert np.array_equal(np.asarray(drawn["seg"]), SEGMENTS[reading.seg])
    turned = np.asarray(drawn["normal"]) / 127.5 - 1
    assert np.abs(turned * (-1, 1, 1) - reading.normal).max() < 0.02
    assert controls.notes(drawn["seg"]) == () == controls.notes(drawn["normal"])
    assert controls.problems(drawn["seg"], "seg") == []


@pytest.mark.parametrize("control", READ)
def test_what_is_unlike_clay_gets_a_note_and_a_map(picture, control):
    reader(far=1e-3)
    drawn = controls.make(control, picture, "clay")
    (note,) = [note for note in controls.notes(drawn) if "unlike" in note]
    assert note.startswith("This looks unlike a clay picture (doubt 1.00 of 1)") and "lane='sd15'" in note
    assert note in controls.problems(drawn, control)


def test_nobody_in_the_picture_is_said(picture):
    network = reader(far=1e6)
    for name in ("body", "palm"):
        torch.nn.init.constant_(network.heads[name].bias, -50.0)
    assert controls.notes(controls.make("openpose", picture)) == (
        "Nobody was found in the picture: the map is empty and steers nothing.",
    )


def test_depth_comes_from_the_depth_pair(picture, depth_pair):
    reader(far=1e-3)
    drawn = np.asarray(controls.make("depth", picture, "clay"))
    assert drawn.shape == (HEIGHT, WIDTH, 3) and (drawn[..., 0] == drawn[..., 2]).all()
    near = annotators.nearness(picture, "clay")
    order = np.argsort(near.ravel())
    assert (np.diff(drawn[..., 0].ravel()[order].astype(int)) >= 0).all()
    assert "unlike a clay picture" in controls.notes(controls.make("depth", picture))[0]


def test_a_networks_files_are_checked_once_and_not_for_each_picture(picture, depth_pair, monkeypatch):
    source, asked = catalog.source, []
    monkeypatch.setattr(catalog, "source", lambda *use: asked.append(use) or source(*use))
    for _ in range(2):
        annotators.nearness(picture, "clay")
    assert asked == [("depth2img", "clay")]


def test_the_reader_is_that_of_the_assets(tmp_path, monkeypatch):
    monkeypatch.setattr(env, "ASSETS", tmp_path)
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        annotators.reader()


def test_depth_agrees_with_the_pipelines_own_estimate(picture, depth_pair):
    pipe = catalog.load("depth2img", lane="clay")
    given = pipe.feature_extractor(images=picture, return_tensors="pt").pixel_values
    with torch.inference_mode():
        theirs = pipe.depth_estimator(given).predicted_depth[:, None]
        theirs = torch.nn.functional.interpolate(theirs, (HEIGHT, WIDTH), mode="bicubic")[0, 0]
    assert np.allclose(theirs.numpy(), annotators.nearness(picture, "clay"), atol=1e-5)


def test_networks_that_do_not_ship_yet_are_said(picture, tmp_path, monkeypatch):
    monkeypatch.setattr(env, "ASSETS", tmp_path)
    with pytest.raises(FileNotFoundError, match="clay-depth.*make models"):
        controls.make("depth", picture, "clay")


# The sd15 lane


def test_depth_anything_comes_from_a_pinned_snapshot(picture, tmp_path, monkeypatch, capfd, recwarn):
    entry = catalog.checkpoint("depth estimator", "sd15")
    tiny.build_depth_hub(tmp_path, entry.id, entry.revision)
    use_hub(monkeypatch, tmp_path)
    capfd.readouterr(), recwarn.clear()
    drawn = np.asarray(controls.make("depth", picture, "sd15"))
    assert drawn.shape == (HEIGHT, WIDTH, 3) and drawn.min() == 0 and drawn.max() == 255
    assert capfd.readouterr() == ("", "") and not list(recwarn)


def test_upernet_paints_the_colours_of_ade20k(picture, tmp_path, monkeypatch, capfd):
    snapshot = tiny.build_segmenter_hub(tmp_path, catalog.checkpoint("segmenter", "sd15").id)
    use_hub(monkeypatch, tmp_path)
    trust(monkeypatch, "segmenter", snapshot)
    capfd.readouterr()
    drawn = controls.make("seg", picture, "sd15")
    assert drawn.size == (WIDTH, HEIGHT) and controls.problems(drawn, "seg", HEIGHT, WIDTH) == []
    assert {tuple(colour) for colour in np.asarray(drawn).reshape(-1, 3)} <= {tuple(one) for one in controls.ADE20K}
    assert capfd.readouterr() == ("", "")


def test_a_pickle_that_is_another_file_is_refused_before_it_is_loaded(picture, tmp_path, monkeypatch):
    tiny.build_segmenter_hub(tmp_path, catalog.checkpoint("segmenter", "sd15").id)
    use_hub(monkeypatch, tmp_path)
    with pytest.raises(
        OSError, match=r"pytorch_model.bin is refused: SHA-256 .* instead of 76c163aa531a.*Delete .*upernet"
    ):
        controls.make("seg", picture, "sd15")
    assert not annotators._kept


def test_missing_weights_are_announced_with_their_gigabytes(picture, tmp_path, monkeypatch, capsys):
    use_hub(monkeypatch, tmp_path)
    with pytest.raises(OSError, match="upernet-convnext-small at revision main is not on this computer"):
        controls.make("seg", picture, "sd15")
    assert "about 0.33 GB" in capsys.readouterr().out
    with pytest.raises(OSError, match="Annotators at revision 982e7e"):
        catalog.fetch_pickles(catalog.checkpoint("annotators", "sd15"), "body_pose_model.pth", "hand_pose_model.pth")
    said = capsys.readouterr().out
    assert "about 0.36 GB" in said and "non-commercial" in said


def test_half_a_download_of_pickles_is_said(tmp_path, monkeypatch):
    snapshot = tiny.build_segmenter_hub(tmp_path, catalog.checkpoint("segmenter", "sd15").id)
    use_hub(monkeypatch, tmp_path)
    (snapshot / "pytorch_model.bin").unlink()
    with pytest.raises(OSError, match="upernet-convnext-small .*is not on this computer and could not be downloaded"):
        catalog.fetch_pickles(catalog.checkpoint("segmenter", "sd15"), "pytorch_model.bin")


def test_every_pickle_has_its_hash():
    for use in ("annotators", "segmenter"):
        entry = catalog.checkpoint(use, "sd15")
        assert entry.size_gb == pytest.approx(sum(one.size_gb for one in entry.pickles), rel=0.05)
        assert all(len(one.sha256) == 64 and int(one.sha256, 16) for one in entry.pickles)


@pytest.mark.parametrize("control", ["mlsd", "scribble", "openpose", "normal"])
def test_a_missing_controlnet_aux_is_said_before_anything_is_downloaded(picture, monkeypatch, control, capsys):
    monkeypatch.setitem(__import__("sys").modules, "controlnet_aux", None)
    with pytest.raises(ImportError, match=f"control='{control}' on the sd15 lane needs controlnet_aux: `pip install"):
        controls.make(control, picture, "sd15")
    assert capsys.readouterr().out == ""


def test_openposes_points_become_pixels():
    class Point:
        def __init__(self, x, y):
            self.x, self.y = x, y

    found = preprocess_sd15._points(
        [Point(0.5, 0.25), None, Point(-1 / 80, -1 / 48)], Image.new("RGB", (WIDTH, HEIGHT))
    )
    assert found.tolist() == [[40, 12, 1], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("size", [(512, 512), (1000, 600), (40, 900)])
def test_detectors_see_multiples_of_64_and_drawings_come_back_crisp(size):
    picture = Image.new("RGB", size)
    fitted = preprocess_sd15._fitted(picture)
    assert not fitted.width % 64 and not fitted.height % 64 and min(fitted.size) == 512
    lines = np.zeros((fitted.height, fitted.width), np.uint8)
    lines[:, ::64] = 255  # one pixel wide
    back = np.asarray(edges.resize_lines(Image.fromarray(lines), picture.size))
    assert back.shape == (size[1], size[0], 3) and set(np.unique(back)) == {0, 255}


# Keeping and forgetting


def test_each_control_is_made_by_both_lanes():
    for control in catalog.CONTROLS:
        assert set(controls.KINDS[control].preprocessors) == {"clay", "sd15"}


class Network:
    """Something that can be watched while it is forgotten."""


def test_two_networks_are_kept_at_most():
    first = annotators.kept("first", Network)
    gone = weakref.ref(annotators.kept("second", Network))
    assert annotators.kept("first", Network) is first
    annotators.kept("third", Network)
    gc.collect()
    assert gone() is None and annotators.kept("first", Network) is first
    assert list(annotators._kept) == ["third", "first"]


def test_room_is_made_before_the_next_is_loaded():
    watched = [weakref.ref(annotators.kept(name, Network)) for name in ("first", "second")]

    def load():
        gc.collect()
        assert watched[0]() is None and watched[1]() is not None
        return Network()

    annotators.kept("third", load)


def test_release_forgets_everything(picture):
    gone = weakref.ref(reader(far=1.0))
    env.release()
    assert gone() is None and not annotators._kept


def test_loading_leaves_the_loggers_alone(picture, tmp_path, monkeypatch):
    entry = catalog.checkpoint("depth estimator", "sd15")
    tiny.build_depth_hub(tmp_path, entry.id, entry.revision)
    use_hub(monkeypatch, tmp_path)
    level = logging.getLogger("transformers").level
    annotators.depth_pair("sd15")
    assert logging.getLogger("transformers").level == level
