"""The clay world: scenes are pure data, renders are true."""

import numpy as np
import pytest

from course_utils import clay
from course_utils.clay import vocabulary as words
from course_utils.clay.camera import fit
from course_utils.clay.captions import CaptionMix, caption
from course_utils.clay.compose import compose
from course_utils.clay.raymarch import FAR
from course_utils.clay.sample import hand_pose, unseen_pair
from course_utils.clay.things import SCULPTORS, WORN


@pytest.mark.parametrize("index", range(6))
def test_a_scene_is_a_function_of_seed_and_index(index):
    first, second = clay.scene(5, index), clay.scene(5, index)
    assert first == second
    assert clay.Scene.from_json(first.to_json()) == first
    assert first != clay.scene(6, index)


def test_the_same_scene_gives_the_same_picture():
    scene = clay.scene(5, 1)
    a, b = clay.render(scene, 64, 64), clay.render(scene, 64, 64)
    assert (a.image == b.image).all() and (a.depth == b.depth).all()


def test_every_word_has_a_sculptor_and_fills_its_frame():
    assert set(SCULPTORS) == set(words.THINGS) - {"moustache"}
    assert set(WORN) == set(words.WEARABLES)
    for word in SCULPTORS:
        scene = clay.Scene((clay.Thing(word, "red", 3),))
        made = clay.render(scene.with_(camera=fit(compose(scene).rows, 0.9)), 48, 48)
        share = (made.klass == words.CLASS_ID[word]).mean()
        assert share > 0.06, f"{word} covers only {share:.1%} of its frame"


@pytest.mark.parametrize("size", [(48, 96), (96, 48), (33, 50)])
def test_maps_have_the_size_asked_for(size):
    made = clay.render(clay.scene(5, 2), *size)
    assert made.image.shape == (*size, 3) and made.image.dtype == np.uint8
    assert made.depth.shape == made.klass.shape == made.instance.shape == size
    assert made.normal.shape == (*size, 3)


def test_a_wider_picture_shows_the_same_middle():
    scene = clay.scene(5, 3)
    square, wide = clay.render(scene, 64, 64), clay.render(scene, 64, 96)
    assert (wide.klass[:, 16:80] == square.klass).mean() > 0.99


def test_depth_and_projection_agree():
    made = clay.render(clay.scene(words="a red ball on the beach"), 64, 64)
    row, column = (int(v) for v in np.argwhere(made.instance == 0).mean(0))
    view = made.view
    u, v = ((column + 0.5) / 64 * 2 - 1) * view.tan, (1 - (row + 0.5) / 64 * 2) * view.tan
    point = view.eye + made.depth[row, column] * (view.basis[2] + u * view.basis[0] + v * view.basis[1])
    seen = view.project(point[None], 64, 64)[0]
    assert np.allclose(seen, (column + 0.5, row + 0.5, made.depth[row, column]), atol=1e-3)


def test_normals_are_unit_and_face_the_viewer():
    made = clay.render(clay.scene(words="a blue ball in the snow"), 64, 64)
    ball = made.instance == 0
    assert np.allclose(np.linalg.norm(made.normal, axis=-1), 1, atol=1e-3)
    assert (made.normal[ball][:, 2] > -0.05).mean() > 0.98
    left, right = made.normal[ball & (np.arange(64) < 24)], made.normal[ball & (np.arange(64) > 40)]
    assert left[:, 0].mean() < 0 < right[:, 0].mean()


def test_the_sky_is_far_and_background_owns_no_instance():
    made = clay.render(clay.scene(words="an apple in the desert"), 64, 64)
    sky = made.klass == words.CLASS_ID["sky"]
    assert sky.any() and (made.depth[sky] > 0.8 * FAR).all()
    assert (made.instance[made.klass < len(words.BACKGROUND)] == -1).all()


def test_wearables_are_instances_of_their_own():
    made = clay.render(clay.scene(words="a portrait of a cat with a red hat and glasses"), 96, 96)
    assert [name for _, name in made.clay.owners] == ["cat", "hat", "glasses"]
    assert set(np.unique(made.instance)) >= {0, 1, 2}


def test_words_become_things():
    scene = clay.scene(words="a lion with a red crown and a grey bench on the beach")
    assert [(t.word, t.colour) for t in scene.things] == [("lion", "tawny"), ("bench", "gray")]
    assert scene.things[0].wears == (clay.Wear("crown", "red"),) and scene.place == "beach"
    painting = clay.scene(words="a cubist painting of a cat in the garden")
    assert painting.style == "clay" and painting.things[0].shows.style == "cubist"
    assert painting.things[0].shows.things[0].word == "cat"
    assert clay.scene(words="a hand showing three fingers").things[0].hand.fingers == 3
    raising = clay.scene(words="a woman showing four fingers in the snow")
    pose = raising.things[0].pose
    assert raising.framing == "half-body" and (pose.left or pose.right).fingers == 4
    assert clay.scene(words="a man raising a hand and a bench").framing == "full"


def test_bad_input_names_what_would_be_right():
    with pytest.raises(ValueError, match="lion"):
        clay.scene(words="a zeppelin")
    with pytest.raises(ValueError, match="height=4"):
        clay.render(clay.scene(5, 0), 4, 64)
    with pytest.raises(ValueError, match="place='moon'.*beach"):
        clay.Scene((clay.Thing("cat"),), "moon")
    with pytest.raises(ValueError, match="0 to 5"):
        hand_pose(6)


def test_unseen_pairs_never_stand_together():
    kept_apart = [(a, b) for a in words.ANIMALS for b in words.ANIMALS if a < b and unseen_pair(a, b)]
    assert 7 <= len(kept_apart) <= 20
    for index in range(60):
        things = [t.word for t in clay.scene(9, index).things]
        assert not any(unseen_pair(a, b) for a in things for b in things)


def test_a_caption_may_name_what_is_not_there_but_no_word_of_it_belongs_to_anything():
    named = 0
    for index in range(150):
        scene = clay.scene(seed=5, index=index)
        plain = caption(scene, np.random.default_rng(index))
        said = caption(scene, np.random.default_rng(index), CaptionMix(absent=1.0))
        if len(scene.things) > 1 or scene.framing != "full":
            assert said == plain
            continue
        named += 1
        there = {scene.things[0].word, *(wear.word for wear in scene.things[0].wears)}
        free = said.text
        for a, b, _ in sorted(said.spans, reverse=True):
            free = free[:a] + free[b:]
        told = {*words.ANIMALS, *words.OBJECTS} & {*free.replace(",", " ").split()}
        assert len(told) == 1 and not told & there, said.text
        assert not unseen_pair(*told, scene.things[0].word), "what never meets is not named together either"
    assert named > 50


def test_captions_say_what_is_there_and_whose_word_it_is():
    told = set()
    for index in range(80):
        scene = clay.scene(9, index)
        owners = compose(scene).owners
        said = caption(scene, np.random.default_rng(index))
        assert said.text == said.text.strip() and "  " not in said.text
        for start, end, instance in said.spans:
            word = said.text[start:end]
            thing, name = owners[instance]
            if word in words.THINGS and name != "painting":
                assert word == name, f"{word} was said of {name} in {said.text!r}"
            if word in words.COLOURS and name in words.OBJECTS and instance == thing:
                assert word == scene.things[thing].colour
        told.add(said.text)
    assert len(told) > 60


@pytest.mark.parametrize("count", range(6))
def test_hands_show_their_count(count):
    assert hand_pose(count).fingers == count
