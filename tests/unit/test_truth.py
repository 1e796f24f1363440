"""Truth and control maps: held against geometry, not against stored pictures."""

import numpy as np
import pytest

from course_utils import controls
from course_utils.clay import control_maps, truth
from course_utils.clay import vocabulary as words
from course_utils.clay.camera import fit
from course_utils.clay.compose import compose
from course_utils.clay.flow import flow
from course_utils.clay.render import render
from course_utils.clay.scenes import Camera, Hand, Light, Scene, Thing, Wear
from course_utils.clay.straight import straight_edges
from course_utils.controls import ade20k

HEIGHT, WIDTH = 80, 112
CAMERA = Camera((0.0, 1.0, 5.0), (0.0, 0.6, 0.0), 0.7)
PAIR = Scene((Thing("cat", "red", 1, x=-0.8), Thing("box", "blue", 2, x=0.8, yaw=0.5)), "garden", camera=CAMERA)


@pytest.fixture(scope="module")
def pair():
    """A cat and a box."""
    return render(PAIR, HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def person():
    """A man who faces us, filling the frame."""
    scene = Scene((Thing("man", "blue", 3),), "beach")
    return render(scene.with_(camera=fit(compose(scene).rows, 0.9)), 128, 128)


@pytest.mark.parametrize("kind", controls.KINDS)
def test_every_map_is_rgb_of_the_pictures_size(pair, kind):
    """A map that is not the size of its picture controls the wrong place."""
    made = controls.from_truth(pair, kind)
    assert made.mode == "RGB" and made.size == (WIDTH, HEIGHT)


def test_depth_is_bright_where_near(pair):
    """MiDaS shows inverse depth over the whole range."""
    grey = np.asarray(control_maps.depth_map(pair))[..., 0].astype(int)
    assert grey.min() == 0 and grey.max() == 255
    assert grey[pair.instance >= 0].min() > grey[pair.klass == words.CLASS_ID["sky"]].max()
    order = np.argsort(pair.depth.ravel())
    assert (np.diff(grey.ravel()[order]) <= 0).all()


def test_normals_are_blue_in_front_green_above_red_at_the_left():
    """The colours that the NormalBae ControlNet was trained on."""
    scene = Scene((Thing("ball", "red"),), "garden")
    made = render(scene.with_(camera=fit(compose(scene).rows, 0.8, pitch=0.0)), 96, 96)
    colour, ball = np.asarray(control_maps.normal_map(made)).astype(int), made.instance >= 0
    rows, columns = np.nonzero(ball)
    middle = int(rows.mean()), int(columns.mean())
    assert colour[middle][2] > 240
    assert colour[middle[0], columns.min() + 2, 0] > 200 > 60 > colour[middle[0], columns.max() - 2, 0]
    assert colour[rows.min() + 2, middle[1], 1] > 200
    assert (colour[made.klass == words.CLASS_ID["grass"]][:, 1] > 200).all()


def test_segments_have_ades_colours(pair):
    """Animals share ADE20K's animal, sky and grass have their own, and what ADE lacks takes none of its colours."""
    seen = {tuple(c) for c in np.asarray(control_maps.seg_map(pair)).reshape(-1, 3).tolist()}
    assert {(255, 0, 122), (0, 255, 20), (6, 230, 230), (4, 250, 7)} <= seen
    assert control_maps.SEGMENTS.shape == (len(words.CLASSES), 3)
    alone = {noun.segment for noun in words.NOUNS.values()} - {tuple(colour) for colour in ade20k.COLOURS.tolist()}
    assert len(alone) == 9  # of glasses, crown, balloon, bowl, mushroom, moustache, robot, dragon, teapot


def test_lines_follow_the_boxes_and_only_them(pair):
    """A cat has no straight edge."""
    drawn = np.asarray(control_maps.line_map(pair))[..., 0] > 0
    rows, columns = np.nonzero(pair.instance == 1)
    assert drawn.sum() > 40
    r, c = np.nonzero(drawn)
    assert rows.min() - 2 <= r.min() and r.max() <= rows.max() + 2
    assert columns.min() - 2 <= c.min() and c.max() <= columns.max() + 2


def test_hidden_edges_are_not_drawn():
    """The far edges of a box lie behind it."""
    scene = Scene((Thing("box", "red", 0),), camera=CAMERA)
    made = render(scene, HEIGHT, WIDTH)
    boxes = (made.clay.rows[:, 0] == 2).sum()
    assert 0 < len(straight_edges(made)) < 9 * boxes


def test_pose_of_a_man_facing_us(person):
    """His right side is at our left, in warm colours, and all of him is seen."""
    body = truth.keypoints(person)[0]["body"]
    assert body.shape == (18, 3) and body[:, 2].sum() >= 16
    assert body[2, 0] < body[5, 0] and body[0, 1] < body[8, 1] < body[10, 1]
    drawn = np.asarray(control_maps.pose_map(person)).reshape(-1, 3).tolist()
    assert [255, 0, 0] in drawn and [153, 0, 0] in drawn  # the nose's dot; the dimmed limb to the right shoulder


def test_pose_hides_what_is_hidden():
    """From behind, no nose; behind a house, nothing."""
    man = Thing("man", "blue", 3, yaw=np.pi)
    camera = Camera((0.0, 1.0, 6.0), (0.0, 0.9, 0.0), 0.5)
    assert truth.keypoints(render(Scene((man,), camera=camera), 96, 96))[0]["body"][0, 2] == 0
    house = Thing("house", "red", 1, z=2.5, size=1.6)
    assert truth.keypoints(render(Scene((man, house), camera=camera), 96, 96))[0]["body"][8:14, 2].sum() == 0


def test_hand_has_its_21_points():
    """A hand close up shows all its joints, inside its own silhouette."""
    scene = Scene((Thing("hand", "blue", 1, hand=Hand()),), "room")
    made = render(scene.with_(camera=fit(compose(scene).rows, 0.8)), 96, 96)
    (points,) = truth.keypoints(made)[0].values()
    assert points.shape == (21, 3) and points[:, 2].all()
    assert (made.instance[points[:, 1].astype(int), points[:, 0].astype(int)] == 0).mean() > 0.9
    assert np.asarray(control_maps.pose_map(made)).any()


def test_flow_of_a_still_scene_is_zero(pair):
    """Nothing moves: zero everywhere, everything visible."""
    motion, visible = flow(pair, pair)
    assert motion.dtype == np.float32 and motion.shape == (HEIGHT, WIDTH, 2)
    assert np.abs(motion).max() < 1e-3 and visible.mean() > 0.999


def test_flow_takes_the_picture_with_it(pair):
    """What a pixel shows is found again where the flow points: same primitive, same depth, also after a turn."""
    moved = (Thing("cat", "red", 1, x=-0.5, yaw=0.4), PAIR.things[1])
    after = render(PAIR.with_(things=moved, camera=Camera((0.4, 1.2, 4.6), (0.0, 0.6, 0.0), 0.7)), HEIGHT, WIDTH)
    motion, visible = flow(pair, after)
    i, j = np.nonzero(visible & (pair.instance >= 0))
    row, column = (i + 0.5 + motion[i, j, 1]).astype(int), (j + 0.5 + motion[i, j, 0]).astype(int)
    same = pair.primitive[i, j] == after.primitive[row, column]
    assert len(i) > 300 and same.mean() > 0.85
    sky = pair.klass == words.CLASS_ID["sky"]
    assert np.abs(motion[sky]).max() > 1  # the camera turned


def test_flow_of_a_turning_camera_is_exact():
    """A camera that turns on the spot moves every pixel by the same homography, whatever its depth."""
    bare = Scene((Thing("ball", "red"),), camera=Camera((0, 1, 5), (0, 0.6, 0), 0.7))
    turned = bare.with_(camera=Camera((0, 1, 5), (0.3, 0.6, 0), 0.7))
    a, b = render(bare, HEIGHT, WIDTH), render(turned, HEIGHT, WIDTH)
    motion, _ = flow(a, b)
    rays = np.stack([np.ones(3), np.zeros(3), np.zeros(3)], axis=1)
    i, j = np.array([10, 40, 70]), np.array([20, 60, 100])
    u, v = ((j + 0.5) / WIDTH * 2 - 1) * a.view.tan * WIDTH / HEIGHT, (1 - (i + 0.5) / HEIGHT * 2) * a.view.tan
    rays = np.stack([u, v, np.ones(3)], axis=1) @ a.view.basis
    at = b.view.project(b.view.eye + rays, HEIGHT, WIDTH)[:, :2]
    assert np.allclose(motion[i, j], at - np.stack([j, i], axis=1) - 0.5, atol=1e-2)


def test_flow_refuses_other_things(pair):
    """Two scenes with other primitives have no flow between them."""
    with pytest.raises(ValueError, match="same things"):
        flow(pair, render(PAIR.with_(things=PAIR.things[:1]), HEIGHT, WIDTH))


def test_whole_masks_hold_the_hidden_part():
    """Behind a box the cat is still whole."""
    scene = PAIR.with_(things=(Thing("cat", "red", 1, z=-0.8), Thing("box", "blue", 2, z=0.6)))
    made = render(scene, HEIGHT, WIDTH)
    cat, box = truth.whole_masks(scene, HEIGHT, WIDTH)
    assert (cat & (made.instance == 1)).sum() > 50
    assert (cat[made.instance == 0]).all() and (box == (made.instance == 1)).mean() > 0.995
    seen = truth.things_seen(made, [cat, box])
    assert seen[0]["visible_share"] < 0.9 and seen[1]["visible_share"] > 0.97


def test_things_seen_names_colours_and_wearers():
    """A crown belongs to the cat that wears it."""
    thing = Thing("cat", "gray", 1, wears=(Wear("crown"), Wear("bow", "green")))
    made = render(Scene((thing,), camera=CAMERA, light=Light(height=1.2)), HEIGHT, WIDTH)
    cat, crown, bow = truth.things_seen(made)
    assert (cat["word"], cat["colour"], cat["parent"]) == ("cat", "gray", None)
    assert (crown["word"], crown["colour"], crown["parent"]) == ("crown", "yellow", "cat")
    assert (bow["colour"], bow["thing"]) == ("green", 0)
    assert cat["share"] == pytest.approx((made.instance == 0).mean())
