"""Skeletons, their files, and the doll as a scene of the clay world."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from course_utils import adherence, clay, controls, pose
from course_utils.clay import truth
from course_utils.clay.control_maps import draw_pose
from course_utils.clay.shapes import rotation
from course_utils.clay.things.hands import turn_of
from course_utils.clay.things.poses import STRETCH, place_joints

HEIGHT, WIDTH = 96, 160
NAN = float("nan")


def skeleton(hands=True):
    rng = np.random.default_rng(0)
    body, left, right = (
        np.column_stack([rng.uniform(2, WIDTH - 2, n), rng.uniform(2, HEIGHT - 2, n), np.ones(n)])
        for n in (18, 21, 21)
    )
    body[[3, 9], 2] = 0
    return pose.Skeleton(body, *((left, right) if hands else ()))


def flat(points):
    return (points * points[:, 2:]).ravel().tolist()


def as_25(body):
    """CMU's BODY_25: the hip's middle in ninth place, six points of the feet at the end."""
    return np.vstack([body[:8], [[70, 60, 1]], body[8:], np.full((6, 3), [50, 90, 1])])


def relative(points):
    return points / [WIDTH, HEIGHT, 1]


# --- skeletons


def test_drawing_is_that_of_the_maps_which_the_nets_know():
    one = skeleton()
    drawn = pose.draw([one], HEIGHT, WIDTH)
    assert np.array_equal(drawn, draw_pose([one.body], [one.left, one.right], HEIGHT, WIDTH))
    assert drawn.size == (WIDTH, HEIGHT) and not pose.draw([], HEIGHT, WIDTH).getbbox()


def test_mirror_and_behind_change_the_sides():
    one = skeleton()
    mirrored, behind = one.mirrored(WIDTH), one.from_behind()
    left, right = (pose.JOINTS.index(f"{side}_wrist") for side in ("left", "right"))
    assert np.allclose(mirrored.body[left, :2], [WIDTH - one.body[right, 0], one.body[right, 1]])
    assert np.allclose(mirrored.mirrored(WIDTH).body, one.body) and np.allclose(
        mirrored.mirrored(WIDTH).left, one.left
    )
    assert np.array_equal(behind.body[left], one.body[right]) and np.array_equal(behind.left, one.right)
    assert not behind.body[[pose.JOINTS.index(name) for name in ("nose", "left_eye", "right_eye")], 2].any()


def test_joints_are_hidden_shown_and_moved_and_the_first_stays_as_it_was():
    one = skeleton()
    hidden = one.hidden("neck", "left_hand")
    assert hidden.body[1, 2] == 0 and not hidden.left[:, 2].any() and one.body[1, 2] == 1
    assert np.array_equal(hidden.shown("neck", "left_hand").left, one.left)
    moved = one.moved("left_wrist", 10, 20)
    step = np.array([10, 20]) - one.body[7, :2]
    assert moved.body[7].tolist() == [10, 20, 1] and np.allclose(moved.left[:, :2], one.left[:, :2] + step)
    with pytest.raises(ValueError, match="'tail'.*left_wrist"):
        one.hidden("tail")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (np.ones((17, 3)), r"body.*\(17, 3\).*\(18, 3\)"),
        (np.full((18, 3), NAN), "'nose'.*not finite"),
        (np.full((18, 3), 0.5), "seen=0.5.*1 or 0"),
    ],
)
def test_a_skeleton_says_what_is_wrong_with_it(body, words):
    with pytest.raises(ValueError, match=words):
        pose.Skeleton(body)


# --- files


def test_what_is_written_is_read_and_draws_the_same_map(tmp_path):
    people = [skeleton(), skeleton(hands=False).hidden("nose")]
    text = pose.write(people, HEIGHT, WIDTH)
    (tmp_path / "pose.json").write_text(text)
    for source in (text, text.encode(), json.loads(text), tmp_path / "pose.json", str(tmp_path / "pose.json")):
        back = pose.read(source)
        assert (back.height, back.width, back.notes) == (HEIGHT, WIDTH, [])
        assert np.array_equal(pose.draw(back.people, HEIGHT, WIDTH), pose.draw(people, HEIGHT, WIDTH))
    assert back.people[1].left is None


def test_what_is_written_suits_the_reader_of_the_tab():
    """The tab's ``decode_json_as_poses``: null or nothing is no part, every point below full confidence is dropped."""
    data = json.loads(pose.write([skeleton(), skeleton(hands=False)], HEIGHT, WIDTH))
    assert (data["canvas_height"], data["canvas_width"]) == (HEIGHT, WIDTH)
    for person, one in zip(data["people"], (skeleton(), skeleton(hands=False)), strict=True):
        for key, points in (("pose", one.body), ("hand_left", one.left), ("hand_right", one.right)):
            numbers = person[f"{key}_keypoints_2d"]
            assert len(numbers) % 3 == 0
            seen = [(x, y) if c >= 1.0 else None for x, y, c in zip(*[iter(numbers)] * 3, strict=True)]
            wanted = [] if points is None else [(x, y) if c else None for x, y, c in points.tolist()]
            assert seen == wanted
        assert max(numbers, default=2) > 1, "the tab takes numbers up to 1 for shares of the canvas"


CANVAS = {"canvas_height": HEIGHT, "canvas_width": WIDTH}
ONE = skeleton()
BODY = {"pose_keypoints_2d": flat(ONE.body)}
HANDS = {"hand_left_keypoints_2d": flat(ONE.left), "hand_right_keypoints_2d": flat(ONE.right)}
SURE = np.where(ONE.body[:, 2:] > 0, [1, 1, 0.7], 1.0)
MINUS = np.where(ONE.body[:, 2:] > 0, ONE.body, [-1, -1, 0])
# Foreign files made by hand: what each holds, and a word that a note must have; "" expects no note.
FOREIGN = {
    "the tab's, with nulls": (
        {"people": [BODY | dict.fromkeys([*HANDS, "face_keypoints_2d"])], "animals": [], **CANVAS}, ""),
    "the tab's, a list of frames": ([{"people": [BODY | HANDS], **CANVAS}] * 3, "3 frames"),
    "the tab's detector: shares": (
        {"people": [{"pose_keypoints_2d": flat(relative(ONE.body))}], **CANVAS}, "0 to 1"),
    "OpenPose's own, 18 points": (
        {"version": 1.3, "people": [{"person_id": [-1]} | BODY | HANDS | {"face_keypoints_2d": [],
                                                                         "pose_keypoints_3d": []}]}, "canvas"),
    "OpenPose's own, 25 points": ({"version": 1.3, "people": [{"pose_keypoints_2d": flat(as_25(ONE.body))}]},
                                  "25 points"),
    "OpenPose's own, confidences": ({"people": [{"pose_keypoints_2d": (ONE.body * SURE).ravel().tolist()}], **CANVAS},
                                    "confidence below 1"),
    "OpenPose's own, -1 to 1": (
        {"people": [{"pose_keypoints_2d": flat(relative(ONE.body) * [2, 2, 1] - [1, 1, 0])}], **CANVAS}, "-1 to 1"),
    "missing as -1": ({"people": [{"pose_keypoints_2d": MINUS.ravel().tolist()}], **CANVAS}, ""),
    "missing as null": ({"people": [{"pose_keypoints_2d": [v if v else None for v in flat(ONE.body)]}], **CANVAS}, ""),
    "the first editor's": (
        {"width": WIDTH, "height": HEIGHT, "keypoints": [[p[:2] if p[2] else None for p in ONE.body.tolist()]]}, ""),
    "two people, a face": (
        {"people": [BODY | {"face_keypoints_2d": [1.0] * 210}, BODY], **CANVAS}, "face"),
    "a hand alone": ({"people": [{"pose_keypoints_2d": None, **HANDS}], **CANVAS}, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files_are_read(name):
    data, word = FOREIGN[name]
    back = pose.read(json.dumps(data), HEIGHT, WIDTH)
    if "canvas" in word or "25" in word:
        guessed = pose.read(data)
        assert any("guess" in note for note in guessed.notes) and min(guessed.height, guessed.width) >= 96
    else:
        assert any(word in note for note in back.notes) if word else not back.notes
    assert (back.height, back.width) == (HEIGHT, WIDTH) and len(back.people) == 1 + ("two" in name)
    if name != "a hand alone":
        assert np.allclose(back.people[0].body, ONE.body * ONE.body[:, 2:])
    if (
        HANDS.keys() & (data[0] if isinstance(data, list) else data).get("people", [{}])[0].keys()
        and "null" not in name
    ):
        assert np.allclose(back.people[0].right, ONE.right)


REFUSED = {
    "": "empty",
    "  \n": "empty",
    '{"people": [{"pose_keypoints_2d": [1, 2': "no JSON.*cut off",
    '{"workflow": 1}': "people.*workflow",
    "[]": "list of frames is empty",
    '{"people": 3}': "list",
    '{"people": [3]}': r"people\[0\].*dict",
    json.dumps({"people": [BODY] * 200}): "200 entries.*20",
    json.dumps({"people": [{"pose_keypoints_2d": [1.0] * 51}]}): "51 numbers.*54.*75.*no neck",
    json.dumps({"people": [{"pose_keypoints_2d": ["a"] * 54}]}): "no number",
    json.dumps({"people": [{"pose_keypoints_2d": [NAN] * 54}]}): "point 0 is not finite",
    json.dumps({"people": [{"pose_keypoints_2d": [1e30] * 54}], **CANVAS}): "far off",
    json.dumps({"people": [BODY], "canvas_height": 0, "canvas_width": 10**6}): "height=0.*16 to 8192",
    json.dumps({"keypoints": [["x"]]}): r"keypoints\[0\]\[0\]",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_pose_is_refused_with_the_reason(text):
    with pytest.raises(ValueError, match=REFUSED[text]):
        pose.read(text)


def test_other_files_are_refused_too(tmp_path):
    with pytest.raises(FileNotFoundError, match="no-such"):
        pose.read(tmp_path / "no-such.json")
    with pytest.raises(ValueError, match="no text"):
        pose.read(b"\x89PNG\r\n\xff\xfe")
    with pytest.raises(ValueError, match="bytes"):
        pose.read(b" " * 20_000_001)


def test_an_empty_pose_is_read_and_said():
    assert "Nobody" in pose.read({"people": [], **CANVAS}).notes[0]
    assert "Nobody" in pose.read({"people": [{"pose_keypoints_2d": [0] * 54}], **CANVAS}).notes[0]


# --- the doll


def test_a_doll_is_a_thing_and_its_skeleton_the_truth():
    person = {"word": "man", "left": "victory", "bones": {"left_forearm": [0.3, 1, 0.2]}, "hidden": ["nose"]}
    scene = pose.to_scene([person], "beach", edition=2)
    made = clay.render(scene, HEIGHT, WIDTH)
    (one,) = pose.skeletons(made, [person])
    bodies, hands = truth.joints(made)
    assert one.body[0, 2] == 0 and np.array_equal(one.body[1:], bodies[0][1:]) and np.array_equal(one.left, hands[0])
    assert scene.place == "beach" and scene.edition == 2 and clay.Scene.from_json(scene.to_json()) == scene


def test_two_people_stand_where_they_are_put_and_a_third_is_refused():
    pair = [{"x": -0.5}, {"x": 0.5, "word": "man"}]
    first, second = pose.skeletons(clay.render(pose.to_scene(pair), HEIGHT, WIDTH))
    assert first.body[1, 0] < second.body[1, 0]
    for people in ([], pair * 2):
        with pytest.raises(ValueError, match="1 to 2"):
            pose.to_scene(people)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("forearm", [(0.1, -1, 0.2), (1, 0, 0), (-0.3, 1, 0.4), (0, 0, 1), (0.2, -0.4, -0.9)])
def test_a_hand_goes_on_along_its_forearm(side, forearm):
    turn = turn_of(pose.hold("open", side, forearm), side)
    assert np.allclose(turn[:, 1], np.array(forearm) / np.linalg.norm(forearm))
    back = turn_of(pose.hold({"curl": [0] * 5, "palm": math.pi}, side, forearm), side)
    assert np.allclose(back[:, 2], -turn[:, 2]) and np.allclose(turn, turn_of(pose.hold("fist", side, forearm), side))
    assert np.allclose(turn @ turn.T, np.eye(3)) and np.allclose(rotation(), np.eye(3))


def test_lengths_stretch_their_part_and_nothing_else():
    usual, long = place_joints(clay.Pose()), place_joints(clay.Pose(lengths={"legs": 1.5, "shoulders": 2.0}))

    def apart(at, first, second):
        return np.linalg.norm(at[first] - at[second])

    for pair, factor in {("left_hip", "left_knee"): 1.5, ("right_knee", "right_ankle"): 1.5, ("hip", "neck"): 1,
                         ("left_elbow", "left_wrist"): 1, ("left_shoulder", "neck"): 2}.items():  # fmt: skip
        assert np.isclose(apart(long, *pair), factor * apart(usual, *pair))
    assert '"lengths"' not in pose.to_scene([{}]).to_json()
    for part, factor in (("tail", 1.0), ("legs", STRETCH[1] + 0.1)):
        with pytest.raises(ValueError, match=part):
            place_joints(clay.Pose(lengths={part: factor}))


@pytest.mark.parametrize(
    ("person", "error", "words"),
    [
        ({"arm": 1}, ValueError, "'arm'.*bones"),
        ({"word": "cat"}, ValueError, "'cat'.*woman"),
        ({"bones": {"tail": [0, 1, 0]}}, ValueError, "'tail'.*spine"),
        ({"bones": {"spine": [0, 1]}}, ValueError, "three numbers"),
        ({"bones": {"spine": [0, NAN, 0]}}, ValueError, "finite"),
        ({"bones": {"spine": [0, 0, 0]}}, ValueError, "points nowhere"),
        ({"bones": 3}, TypeError, "dict"),
        ({"lengths": {"legs": 9}}, ValueError, "0.5 to 2"),
        ({"yaw": "left"}, TypeError, "yaw='left'"),
        ({"head_size": 5}, ValueError, "0.8 to 2"),
        ({"left": "paw"}, ValueError, "'paw'.*victory"),
        ({"left": {"curl": [0, 1]}}, ValueError, "5"),
        ({"left": {"curl": [2] * 5}}, ValueError, "0 to 1"),
        ({"hidden": ["tail"]}, ValueError, "'tail'.*left_hand"),
        ({"hidden": 5}, TypeError, "hidden=5: give a list"),
        ({"hidden": "nose"}, TypeError, "hidden='nose': give a list"),
        ({"variant": "tall"}, TypeError, "variant='tall' is no number"),
        ({"variant": -1}, ValueError, "variant=-1"),
        ({"left": 3}, TypeError, "left=3: give a gesture's name"),
        ({"left": {"curl": 1}}, ValueError, r"left\['curl'\]=1: give 5 numbers"),
        ({"right": {"curl": [0, 0]}}, ValueError, r"right\['curl'\]=\[0, 0\]: give 5 numbers"),
        (3, TypeError, "dict"),
    ],
)
def test_the_doll_says_what_is_wrong(person, error, words):
    with pytest.raises(error, match=words):
        pose.to_scene([person])


def test_every_pose_of_the_library_is_sculpted_and_seen():
    poses = pose.library()
    assert len(poses) >= 12 and pose.library()["cheer"] is not poses["cheer"]
    for name, person in poses.items():
        (one,) = pose.skeletons(clay.render(pose.to_scene([person], edition=2), 64, 64))
        assert one.body[:, 2].sum() >= 12, name


# --- from a picture


def test_a_rendered_person_is_found_with_the_hand_at_its_wrist():
    scene = pose.to_scene([pose.library()["show two"]])
    made = clay.render(scene)
    people = pose.from_picture(made.image, lane="clay")
    whole = max(people, key=lambda one: one.body[:, 2].sum())
    truth_of = pose.skeletons(made)[0]
    assert adherence.pck([truth_of.body], [whole.body]) > 0.4
    bodies, hands = controls.joints(made.image, "clay")
    assert len(hands) == sum(len(one.hands) for one in people) and len(people) >= len(bodies) > 0


def test_how_far_two_skeletons_are_apart():
    one = skeleton()
    moved = replace(one, body=one.body + [3, 4, 0])
    assert pose.apart(one, one) == 0 and pose.apart(one, moved) == 5
    assert pose.apart(one, moved.moved("nose", 0, 0)) == 5, "one joint that is far off does not move the median"
    assert np.isnan(pose.apart(one, one.hidden(*pose.JOINTS)))
