"""The second edition of the clay world: toys with large heads, every pose and side; the first stays as it was."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from course_utils import clay
from course_utils.clay import layout, truth
from course_utils.clay import vocabulary as words
from course_utils.clay.backdrop import palette
from course_utils.clay.camera import fit
from course_utils.clay.captions import caption
from course_utils.clay.compose import compose
from course_utils.clay.sample import MIXES, sample
from course_utils.clay.shapes import PAINT, TYPE, Modeller, lowest
from course_utils.clay.things import looks, stances
from course_utils.clay.things.anatomy import clay as clay_of
from course_utils.clay.things.people import FACE
from course_utils.clay.things.poses import BONES, REST, place_joints, random_pose

# Of scenes, captions and poses that the first edition draws, floats rounded: from before there was a second.
FIRST = "2636f180ba6ee29caf815f17e6e2399e7a4ec54c8f50f409453328125cafbcc4"
SENTENCES = ("a man in a green shirt in the garden", "a woman showing three fingers and a house",
             "a cubist painting of a cat", "a portrait of a man with a moustache and a hat", "a hand")  # fmt: skip


def rounded(value):
    """Round every float of nested plain data, so that machines agree."""
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v) for v in value]
    return round(value, 5) + 0.0 if isinstance(value, float) else value


def first_edition():
    scenes = [clay.scene(5, index) for index in range(80)]
    scenes += [clay.scene(seed, words=text) for text in SENTENCES for seed in (0, 1)]
    lines = [json.dumps(rounded(json.loads(scene.to_json()))) for scene in scenes]
    lines += [caption(scene, np.random.default_rng(k)).text for k, scene in enumerate(scenes)]
    for scene in scenes[:40]:
        made = compose(scene)
        lines.append(json.dumps(rounded(made.rows[:, TYPE : PAINT.stop].tolist())))
        lines.append(json.dumps([rounded({k: v.tolist() for k, v in a.body.items()}) for a in made.anatomy]))
    lines += [json.dumps(rounded(random_pose(np.random.default_rng(k), "stand").bones)) for k in range(5)]
    return "\n".join(lines)


def test_first_edition_stays_as_it_was():
    assert hashlib.sha256(first_edition().encode()).hexdigest() == FIRST


def test_scenes_survive_json_and_old_json_is_of_the_first_edition():
    for index in range(30):
        scene = clay.scene(5, index, edition=2)
        assert clay.Scene.from_json(scene.to_json()) == scene and scene.edition == 2
    old = clay.scene(5, 1).to_json()
    assert "edition" not in old and "head_size" not in old and clay.Scene.from_json(old).edition == 1


@pytest.mark.parametrize("size", [0.5, 2.1, float("nan")])
def test_head_sizes_out_of_range_are_refused_by_name(size):
    with pytest.raises(ValueError, match=f"head_size={size}.*0.8 to 2"):
        clay.Thing("man", head_size=size)


def test_unknown_editions_are_refused_by_name():
    with pytest.raises(ValueError, match="edition=3"):
        clay.Scene((), edition=3)
    with pytest.raises(ValueError, match="edition=3"):
        clay.scene(words="a cat", edition=3)


def person(word="man", edition=2, **fields):
    scene = clay.Scene((clay.Thing(word, fields.pop("colour", "blue"), fields.pop("variant", 3), **fields),), "room",
                       edition=edition)  # fmt: skip
    return scene.with_(camera=fit(compose(scene).rows, 0.95))


@pytest.mark.parametrize("word", words.PEOPLE)
def test_a_head_of_one_is_the_first_editions_and_a_larger_one_keeps_its_chin(word):
    plain, same = (compose(person(word, edition)).anatomy[0] for edition in (1, 1))
    usual = compose(person(word)).anatomy[0].head
    large = compose(person(word, head_size=1.9)).anatomy[0].head
    assert plain.head.scale == 1 and usual.scale == 1.6 and large.scale == 1.9
    for head in (usual, large):
        chin = head.origin[1] - 0.17 * head.scale - (plain.head.origin[1] - 0.17)
        assert abs(chin) < 0.03, "the chin neither sinks in nor floats"
    assert np.allclose(same.head.origin, plain.head.origin)


@pytest.mark.parametrize("word", words.PEOPLE)
@pytest.mark.parametrize("edition", [1, 2])
def test_face_points_lie_on_the_head_and_are_hidden_from_behind(word, edition):
    ahead, behind = (clay.render(person(word, edition, yaw=yaw), 256, 256) for yaw in (0.0, np.pi))
    face = [k for k, name in enumerate(truth.OPENPOSE_18) if name in FACE]
    seen = truth.keypoints(ahead)[0]["body"]
    front = [k for k in face if not truth.OPENPOSE_18[k].endswith("ear")]
    assert seen[front, 2].all()
    at = ahead.view.project(np.array([ahead.clay.anatomy[0].body[truth.OPENPOSE_18[k]] for k in front]), 256, 256)
    surface = ahead.depth[at[:, 1].astype(int), at[:, 0].astype(int)]
    assert np.abs(surface - at[:, 2]).max() < 0.05
    hidden = truth.keypoints(behind)[0]["body"]
    assert not hidden[front, 2].any() and hidden[1, 2]


@pytest.mark.parametrize("kind", stances.KINDS)
def test_figures_touch_the_ground_and_joints_bend_as_joints_do(kind):
    for k in range(6):
        rng = np.random.default_rng(k)
        pose = stances.draw_pose(rng, kind)
        for word in words.PEOPLE:
            assert abs(lowest(compose(person(word, pose=pose)).rows)) < 1e-6
        at = place_joints(pose)
        for bone, (parent, child, length) in BONES.items():
            assert np.linalg.norm(at[child] - at[parent]) == pytest.approx(length), bone
        for side in ("left", "right"):  # a knee bends backwards only
            thigh, shin = (np.array({**REST, **pose.bones}[f"{side}_{bone}"]) for bone in ("thigh", "shin"))
            bend = np.cross(thigh, shin)[0] / np.linalg.norm(thigh) / np.linalg.norm(shin)
            assert bend > -0.12, (kind, side)
    with pytest.raises(ValueError, match="kind='fly'"):
        stances.draw_pose(np.random.default_rng(0), "fly")


def test_two_bones_reach_what_is_in_reach():
    first, second = stances.reach((0, 1, 0), (0.2, 0.7, 0.3), (1, 0, 0), 0.3, 0.28)
    assert np.allclose(np.array((0, 1, 0)) + 0.3 * first + 0.28 * second, (0.2, 0.7, 0.3))
    first, second = stances.reach((0, 0, 0), (0, -9, 0), (0, 0, 1), 0.3, 0.3)
    assert np.allclose(first, (0, -1, 0), atol=0.03) and np.allclose(first, second, atol=0.06)


@pytest.mark.parametrize("place", words.PLACES)
def test_clothes_are_told_from_skin_and_ground(place):
    ground = palette(place)[2]
    for colour in words.COLOURS:
        for variant in range(4):
            rng = np.random.default_rng(variant)
            look = looks.Look.draw(Modeller(edition=2, ground=ground), clay_of(colour, rng), rng)
            assert looks.told_apart(look.top, look.skin) >= 0.28, (colour, variant)
            for cloth in (look.top, look.legs, look.shoes):
                assert looks.distance(cloth, ground) >= 0.18, (colour, place)
            assert looks.distance(look.legs, look.skin) >= 0.18, (colour, variant)


def test_figures_and_sleeves_wear_what_was_told_apart():
    for variant in range(12):
        for word, place in (("man", "garden"), ("woman", "garden"), ("hand", "room")):
            colour = "brown" if word == "hand" else "green"
            rows = compose(person(word, colour=colour, variant=variant).with_(place=place)).rows
            skins = rows[[np.abs(row[PAINT] - looks.SKINS).max(1).min() < 1e-6 for row in rows]]
            worn = rows[-1 if word == "hand" else 0][PAINT]
            assert looks.told_apart(worn, skins[0][PAINT]) >= 0.28
            assert looks.distance(worn, palette(place)[2]) >= 0.2


def test_every_skin_can_wear_most_colours():
    rng, counts = np.random.default_rng(0), np.zeros(4)
    for colour in words.COLOURS.values():
        for _ in range(40):
            counts[looks.skin_for(np.array(colour), rng)] += 1
    assert counts.min() > 0.17 * counts.sum()


def test_the_training_mix_has_people_from_all_sides_in_all_poses():
    scenes = [sample(1, index, MIXES[2]) for index in range(400)]
    people = [(s, t) for s in scenes if s.framing == "full" for t in s.things if t.word in words.PEOPLE]
    assert 0.30 < np.mean([any(t.word in words.PEOPLE for t in s.things) for s in scenes if s.framing == "full"]) < 0.6
    away = [abs(bearing(s, t)) > 2 for s, t in people]
    assert 0.12 < np.mean(away) < 0.30
    assert all(1.4 <= t.head_size <= 1.7 for _, t in people)
    assert any(t.pose.left and t.pose.right for _, t in people)
    assert {t.pose.bones.keys() >= {"left_shin"} for _, t in people} == {True}
    above = [s.camera.eye[1] - s.camera.target[1] > 1.0 for s in scenes if s.framing == "full"]
    assert 0.1 < np.mean(above) < 0.5


def bearing(scene, thing):
    """Say how far a thing is turned away from the camera, -pi..pi."""
    x, z = scene.camera.eye[0] - thing.x, scene.camera.eye[2] - thing.z
    return (thing.yaw - np.arctan2(x, z) + np.pi) % (2 * np.pi) - np.pi


def test_one_figure_fills_the_frame():
    filled = []
    for index in range(60):
        scene = sample(2, index, dataclasses.replace(MIXES[2], people=1.0, counts=(1, 0, 0), framings=(1, 0, 0, 0),
                                                     cubist=0.0, wears=0.0))  # fmt: skip
        there = clay.render(scene, 64, 64).instance >= 0
        filled.append(max(np.ptp(np.flatnonzero(there.any(axis))) + 1 for axis in (0, 1)) / 64)
    assert np.median(filled) > 0.88 and min(filled) > 0.80 and max(filled) < 1.0


def test_a_turned_scene_looks_alike_before_another_backdrop():
    scene = sample(3, 2, dataclasses.replace(MIXES[2], around=0.0))
    turned = layout.turn(scene, 1.0)
    first, second = (clay.render(s.with_(place="desert"), 64, 64) for s in (scene, turned))
    assert (first.instance == second.instance).mean() > 0.995


def test_words_keep_their_colours_in_the_second_edition():
    for text, colour in (("a woman in a green dress in the garden", "green"), ("a man in a pink shirt", "pink")):
        for seed in range(4):
            scene = clay.scene(seed, words=text, edition=2)
            assert scene.things[0].colour == colour and scene.edition == 2
    shown = clay.scene(0, words="a man showing two fingers", edition=2)
    hands = [hand for hand in (shown.things[0].pose.left, shown.things[0].pose.right) if hand]
    assert [hand.fingers for hand in hands] == [2] and shown.framing == "half-body"


def test_captions_of_two_hands_tell_no_fingers():
    pose = stances.draw_pose(np.random.default_rng(0), "both hands")
    scene = person(pose=pose)
    texts = [caption(scene, np.random.default_rng(k)).text for k in range(40)]
    assert not any("finger" in text or "hand" in text for text in texts)


def test_the_judges_truth_marks_both_hands_and_counts_neither():
    from course_utils.recipe import judge_truth

    pose = stances.draw_pose(np.random.default_rng(0), "both hands")
    made = clay.render(person(pose=pose), 256, 256)
    thing = np.where(made.instance >= 0, 0, -1)
    left, right = (judge_truth.raised_hand(made.scene, 0, side, thing) for side in ("left", "right"))
    assert left[1] and right[1] and left[0].sum() > 200 and right[0].sum() > 200 and not (left[0] & right[0]).any()


def test_facets_of_a_cubist_picture_hold_two_latents():
    from course_utils.clay.regions import regions
    from course_utils.clay.styles import CELLS, _shards

    made = clay.render(person(head_size=1.6), 256, 256)
    facets = _shards(regions(made), np.random.default_rng(0), CELLS[2])
    sizes = np.bincount(facets[made.primitive < 0])
    assert np.median(sizes[sizes > 200]) > 32 * 32 * 0.8


def test_the_recipe_keeps_the_editions_apart(monkeypatch, tmp_path):
    from course_utils.recipe import data

    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    first, path = data.scene_of(data.TRAIN, 0), data.shard_path(data.TRAIN, 0)
    assert first == clay.scene(data.TRAIN, 0) and first.edition == 1
    monkeypatch.setattr(data, "EDITION", 2)
    assert data.scene_of(data.TRAIN, 0) == clay.scene(data.TRAIN, 0, edition=2)
    assert data.shard_path(data.TRAIN, 0).parent != path.parent
    strange = [data.scene_of(data.JUDGE, index) for index in range(60)]
    assert all(scene.edition == 2 for scene in strange)
    assert {thing.word for scene in strange for thing in scene.things} & set(words.HELD_OUT)


def test_no_fingers_are_shown_unless_words_ask_for_them():
    for seed in range(30):
        pose = clay.scene(seed, words="a man in the garden", edition=2).things[0].pose
        assert pose.left is None and pose.right is None
