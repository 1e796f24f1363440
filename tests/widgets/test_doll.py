"""The doll and its panel without a browser: states come over the wire, files are opened, pictures follow."""

import io
import json
import math
import re

import numpy as np
import pytest
import torch

from course_utils import catalog, clay, controls, env, pose, widgets
from course_utils.widgets.doll_panel import maps_of
from tests.tiny import models
from tests.widgets.press import build_family, make
from tools.squeeze import WIDGETS, first_line

SMALL = {"num_inference_steps": 2, "height": 128, "width": 192}
SOURCE = WIDGETS / "source/doll.js"
UP = {"left_upper_arm": [1.0, 0.4, 0.0], "left_forearm": [0.4, 1.0, 0.1]}
PERSON = {"word": "man", "bones": UP, "left": "victory", "head_size": 1.2}


@pytest.fixture
def doll():
    return widgets.Doll([PERSON])


def state(doll):
    """What the browser has; it sends it back with something changed."""
    return json.loads(json.dumps(doll.state))


def moved(doll, **changes):
    sent = state(doll)
    sent["figures"][0] |= changes
    doll.set_state({"state": sent})
    return doll


def opened(doll, text):
    doll.set_state({"file": {"name": "pose.json", "text": text, "number": doll.file.get("number", 0) + 1}})
    return doll.problem


def test_what_is_posed_is_what_the_renderer_sees(doll):
    height, width = doll.made.depth.shape
    (person,) = doll.people
    wrist, elbow = (person.body[pose.JOINTS.index(f"left_{joint}")] for joint in ("wrist", "elbow"))
    assert wrist[1] < elbow[1] and person.body[:, 2].all() and person.left is not None and person.right is None
    assert (person.body[:, :2] > 0).all() and (person.body[:, 0] < width).all() and (person.body[:, 1] < height).all()
    assert doll.seen["people"] == [{"body": [1] * 18, "left": [1] * 21}] and doll.state["figures"][0]["left"]["curl"]


def test_a_joint_that_is_let_go_is_rendered_at_once(doll):
    number, before = doll.seen["number"], doll.made
    moved(doll, yaw=math.pi)
    (seen,) = doll.seen["people"]
    assert doll.seen["number"] == number + 1 and doll.made is not before and not doll.problem
    hidden = {name for name, one in zip(pose.JOINTS, seen["body"], strict=True) if not one}
    assert {"nose", "left_eye", "right_eye"} <= hidden <= set(pose.JOINTS[14:]) | {"nose"}, "seen from behind"


def test_what_is_hidden_by_hand_is_not_in_the_map(doll):
    whole = np.asarray(maps_of(doll.made, doll.state)["openpose"])
    moved(doll, hidden=["right_ankle", "left_hand"])
    left = np.asarray(maps_of(doll.made, doll.state)["openpose"])
    (person,) = doll.people
    column, row, seen = person.body[pose.JOINTS.index("right_ankle")]
    assert not seen and not person.left[:, 2].any()
    assert whole[int(row), int(column)].any() and not left[int(row), int(column)].any()


def test_one_person_covers_another():
    front = {"word": "man", "z": 0.9}
    doll = widgets.Doll(pose.state_of([front, {"word": "woman", "z": -0.6}], yaw=0.0, pitch=0.05))
    first, second = (np.array(person["body"]) for person in doll.seen["people"])
    assert first.all() and second.sum() < 12


def test_the_view_is_kept_whatever_the_figure_does(doll):
    """The target's height is measured from the hips: who crouches does not sink out of the picture."""
    crouching = pose.library()["crouch"]["bones"]
    hips = pose.JOINTS.index("right_hip")
    before = doll.people[0].body[hips]
    moved(doll, bones=crouching)
    assert np.abs(doll.people[0].body[hips] - before).max() < 6


@pytest.mark.parametrize("name", pose.library())
def test_every_pose_of_the_library_is_framed(name):
    doll = widgets.Doll([pose.library()[name]])
    assert (doll.people[0].body[:, :2] > 0).all() and (doll.people[0].body[:, :2] < 256).all()
    assert [named for named, _ in doll.library] == list(pose.library())


# Files


def test_a_file_of_points_becomes_a_doll(doll):
    """Depth is guessed, so the doll from the front covers the points that it was read from."""
    flat = widgets.Doll(pose.state_of([PERSON], yaw=0.0, pitch=0.0))
    text = pose.write(flat.people, 256, 256)
    assert not opened(doll, text)
    read, wanted = doll.people[0].body, flat.people[0].body
    limbs = [pose.JOINTS.index(f"{side}_{joint}") for side in ("left", "right")
             for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]  # fmt: skip
    assert np.abs(read[limbs, :2] - wanted[limbs, :2]).max() < 16, "pixels of 256"
    curl = doll.state["figures"][0]["left"]["curl"]
    assert curl[1] < 0.4 and curl[2] < 0.4 and min(curl[3:]) > 0.5, "victory"


def test_a_file_that_names_a_path_is_text_and_opens_nothing(doll, tmp_path):
    secret = tmp_path / "pose.json"
    secret.write_text('{"people": []}')
    before = doll.state
    doll.file = {"name": "x.json", "text": str(secret), "number": 1}
    assert "no JSON" in doll.problem and doll.state == before


def test_what_had_to_be_guessed_of_a_file_is_said(doll):
    (person,) = json.loads(pose.write(doll.people, 256, 256))["people"]
    body = person["pose_keypoints_2d"]
    more = body[:24] + [0, 0, 0] + body[24:] + [0] * 18  # 25 points: the hips' middle and the feet
    number = doll.seen["number"]
    assert "25 points were read as 18" in opened(doll, json.dumps({"people": [{"pose_keypoints_2d": more}]}))
    assert doll.seen["number"] == number + 1 and doll.state["figures"][0]["hidden"] == []


def test_who_is_seen_from_behind_is_turned_round(doll):
    back = widgets.Doll(pose.state_of([PERSON | {"yaw": math.pi}], yaw=0.0, pitch=0.0))
    assert not opened(doll, pose.write(back.people, 256, 256))
    assert doll.state["figures"][0]["yaw"] == pytest.approx(math.pi)
    assert "nose" in doll.state["figures"][0]["hidden"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ('{"people": [', "no JSON"),
        ('{"people": []}', "0 people"),
        (json.dumps({"people": [{"pose_keypoints_2d": [100, 100, 1] * 18}] * 200}), "200"),
        (json.dumps({"people": [{"pose_keypoints_2d": [100, 100, 1] * 18}] * 3}), "3 people"),
        ('{"people": [{"pose_keypoints_2d": [' + "NaN, 1, 1, " * 17 + "NaN, 1, 1]}]}", "finite"),
        ('{"people": [{"pose_keypoints_2d": [1, 2]}]}', "2 numbers"),
        (json.dumps({"people": [{"pose_keypoints_2d": [100, 100, 1] + [0] * 51}]}), "person is seen"),
    ],
)  # fmt: skip
def test_a_bad_file_is_explained_and_nothing_is_lost(doll, text, says):
    before = doll.value
    assert says in opened(doll, text) and doll.value == before
    assert not opened(doll, pose.write(doll.people, 256, 256)), "and the next one is read"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"head_size": 9.0}, "head_size"),
        ({"yaw": math.nan}, "yaw"),
        ({"bones": {"tail": [0, 1, 0]}}, "tail"),
        ({"left": {"curl": [0, 0], "spread": 0.5, "palm": 0.0}}, "curl"),
        ({"word": "lion"}, "lion"),
    ],
)
def test_a_bad_state_is_explained(doll, change, says):
    made = doll.made
    moved(doll, **change)
    assert says in doll.problem and doll.made is made, "the last good one stays"
    assert not moved(doll, **PERSON | {"left": None, "yaw": 0.0}).problem
    with pytest.raises((ValueError, TypeError), match=says):
        widgets.Doll([PERSON | change])


@pytest.mark.parametrize("wrong", ["[]", "{}", '{"figures": [{}], "view": {"yaw": 0}}', '{"figures": [], "view": {}}'])
def test_a_state_that_is_none_is_refused(doll, wrong):
    before = doll.value
    with pytest.raises(ValueError):
        doll.value = wrong
    assert doll.value == before


def test_three_people_are_too_many():
    with pytest.raises(ValueError, match="3"):
        widgets.Doll([{}, {}, {}])


# The browser's half


def test_the_browser_s_half_is_whole_and_made_from_its_source():
    """Nothing is fetched from elsewhere, and both halves speak of the same traits."""
    script = SOURCE.read_text()
    assert "http" not in script and not re.search(r"\bimport\b", script)
    names = set(re.findall(r"model\.(?:get|set)\(\"(\w+)\"", script)) | set(re.findall(r"\"change:(\w+)\"", script))
    names |= set(re.findall(r"\"(\w+)\"", re.search(r"= \[([^\]]*)\]\.map\(\(name\) => model\.get", script)[1]))
    own = set(widgets.Doll.class_trait_names(sync=True)) - {"_anywidget_id", "_esm", "_css"}
    import anywidget

    assert names == own - set(anywidget.AnyWidget.class_trait_names(sync=True))
    product = WIDGETS / "doll.js"
    assert product.read_text().startswith(first_line(SOURCE)), "run `python -m tools.squeeze`"
    assert product.stat().st_size < 25_000


def test_the_page_of_its_own_needs_nothing(doll):
    page = doll.page()
    assert "{traits}" not in page and "http" not in page and len(page) < 60_000
    assert json.loads(re.search(r"traits = (\{.*?\}), listeners", page)[1])["state"] == state(doll)


# The panel


@pytest.fixture(scope="module")
def assets(tmp_path_factory):
    return build_family(tmp_path_factory.mktemp("dolls") / "assets")


@pytest.fixture
def panel(assets, monkeypatch, tmp_path):
    monkeypatch.setattr(env, "ASSETS", assets)
    monkeypatch.chdir(tmp_path)
    catalog.release()
    pipe = catalog.load("controlnet", lane="clay", control="openpose")
    yield widgets.doll_panel(pipe, people=[PERSON], **SMALL)
    catalog.release()


def test_the_default_press_and_all_that_makes_the_picture_again(panel):
    shot = make(panel, seed=3)
    assert shot and not panel.error.value and shot.image.size == (192, 128)
    assert shot.settings.weights == (("openpose", 1.0),)
    names = {}
    exec(shot.settings.code(), names)
    assert names["image"].tobytes() == shot.image.tobytes(), "the shown call"
    settings = widgets.from_png(io.BytesIO(shot.png), widgets.DollSettings)
    assert settings == shot.settings
    drawn = settings.maps()["openpose"]
    assert drawn == pose.draw(panel.knobs["doll"].people, 128, 192), "the map that the PNG brings back"


def test_another_pose_makes_another_picture_and_the_history_brings_the_first_back(panel):
    doll = panel.knobs["doll"]
    first = make(panel)
    before = doll.value
    moved(doll, bones=pose.library()["sit"]["bones"], left=None, yaw=0.5)
    second = make(panel)
    assert first.image.tobytes() != second.image.tobytes()
    panel.history.click(1)
    assert doll.value == before and panel.settings == first.settings
    assert make(panel).image.tobytes() == first.image.tobytes(), "to the bit"


def test_depth_joins_in_and_its_map_is_the_truth(panel):
    first = make(panel)
    panel.knobs["weights"].sliders["depth"].value = 0.6
    both = make(panel)
    assert both.settings.weights == (("openpose", 1.0), ("depth", 0.6))
    assert both.image.tobytes() != first.image.tobytes()
    made = panel.knobs["doll"].render()
    assert both.settings.maps()["depth"] == controls.from_truth(made, "depth")
    names = {}
    exec(both.settings.code(), names)
    assert names["image"].tobytes() == both.image.tobytes()


def test_small_pictures_follow_the_doll(panel):
    looks = panel.knobs["weights"].looks
    before = {name: image.copy() for name, image in looks.images.items()}
    moved(panel.knobs["doll"], yaw=1.0)
    assert set(before) == {"openpose", "depth", "normal", "seg"}
    assert all(looks.images[name] != image for name, image in before.items())


def test_without_a_map_nothing_is_made_and_it_says_so(panel):
    panel.knobs["weights"].sliders["openpose"].value = 0.0
    panel.generate.click()
    assert panel.wait(60) and panel.shot is None and "No map steers" in panel.error.value


def test_impossible_arguments_are_refused(panel):
    with pytest.raises(ValueError, match="control='pose'"):
        widgets.doll_panel(panel.pipe, weights={"pose": 1.0})
    with pytest.raises(ValueError, match="openpose"):
        widgets.doll_panel(panel.pipe, weights={"openpose": 3.0})


def test_the_same_on_the_sd15_lane(tmp_path, monkeypatch):
    from huggingface_hub import constants

    base, control = catalog.checkpoint("base", "sd15"), catalog.checkpoint("control openpose", "sd15")
    folder = models.build_sd15_hub(tmp_path, base.id, base.revision)
    models.build_control_hub(tmp_path, control.id, control.revision, folder)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(env, "choose_dtype", lambda lane: torch.float32)
    catalog.release()
    pipe = catalog.load("controlnet", lane="sd15", control="openpose")
    panel = widgets.doll_panel(pipe, people=[PERSON], folder=tmp_path, **SMALL)
    shot = make(panel)
    assert shot and not panel.error.value and shot.settings.lane == "sd15" and panel.settings == shot.settings
    assert isinstance(panel.knobs["doll"].made, clay.Render), "the truth is the clay renderer's here too"
    catalog.release()
