"""The judge: its answers are read rightly, and what it is taught is true; how good it is stands on its card."""

import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import judge
from course_utils.clay import vocabulary as words
from course_utils.clay.camera import fit
from course_utils.clay.compose import compose
from course_utils.clay.render import render
from course_utils.clay.sample import hand_pose
from course_utils.clay.scenes import Scene, Thing, Wear
from course_utils.clay.things.poses import random_pose
from course_utils.judge import network
from course_utils.judge.network import COLOURS, LABELS, label_of
from course_utils.recipe import data, judge_card, judge_spoil, judge_truth
from course_utils.recipe.judge import JudgeBatches, loss_of, settle


@pytest.fixture(scope="module")
def model():
    """An untrained network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return network.ready(network.Judge())


@pytest.fixture(scope="module")
def lenient(model):
    """A judge whom a single pixel convinces."""
    return judge.Trained(model, dict.fromkeys(network.LABELLED, judge.Threshold(0.0, 0.0)))


def framed(*things, **more):
    """A scene with a camera that shows all of it."""
    scene = Scene(things, **more)
    return scene.with_(camera=fit(compose(scene).rows, 0.9))


def raising(fingers):
    """A man close up who shows so many fingers."""
    pose = random_pose(np.random.default_rng(0), "raised hand", hand_pose(fingers))
    return framed(Thing("man", "blue", 1, pose=pose))


SCENES = (
    framed(Thing("cat", "red", 1, x=-0.7, wears=(Wear("hat", "blue"),)), Thing("box", None, 2, x=0.7)),
    framed(Thing("hand", "green", 3, hand=hand_pose(2)), framing="hand"),
    raising(3),
    framed(Thing("dragon", "pink", 4), style="pencil"),
)


@pytest.fixture(scope="module")
def shard():
    """The scenes as the stage ``data`` would store them."""
    made = [render(scene) for scene in SCENES]
    small = slice(2, None, 4)
    klass, instance = (
        np.stack([m.klass[small, small] for m in made]),
        np.stack([m.instance[small, small] for m in made]),
    )
    jpegs = [_jpeg(m.image) for m in made]
    return data.Shard(0, 0, [s.to_json() for s in SCENES], jpegs, klass, instance.astype(np.int8))


def _jpeg(picture):
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=96)
    return out.getvalue()


@pytest.fixture(scope="module")
def truth(shard):
    """The right answers."""
    return judge_truth.Truth.of(shard)


@pytest.fixture(scope="module")
def kept(shard, truth):
    """The shard as training reads it."""
    pictures, counted = shard.pictures(), np.flatnonzero(truth.fingers >= 0)
    hands = judge_truth.hand_pictures(pictures, truth.hand, counted)
    small = np.stack([network.shrink(p) for p in pictures])
    maps = truth.label, truth.thing, truth.colour
    return judge_truth.Kept(small, small[:0], *maps, hands, hands[:0], truth.fingers[counted])


def test_size_and_shapes(model):
    assert sum(p.numel() for p in model.parameters()) <= 4e6
    klass, colour, fingers = model(torch.zeros(2, 3, 256, 384))
    assert klass.shape == (2, LABELS, 64, 96) and colour.shape == (2, len(COLOURS), 64, 96)
    assert fingers.shape == (2, 7)


@pytest.mark.parametrize("size", [(256, 256), (256, 384), (64, 48), (1000, 300)])
def test_looks_at_any_size_and_kind(lenient, size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    sight = judge.look(pixels, lenient)
    assert sight == judge.look(Image.fromarray(pixels), lenient)
    shares = [seen.share for seen in sight.things]
    assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1
    assert all(seen.word in words.THINGS and seen.colour in COLOURS for seen in sight.things)


def test_looking_leaves_the_global_generator_alone(lenient):
    before = torch.random.get_rng_state()
    judge.look(np.zeros((256, 256, 3), np.uint8), lenient)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    "bad, error, message",
    [
        (np.zeros((64, 64, 5)), ValueError, r"image has shape \[64, 64, 5\]"),
        (np.full((64, 64), np.nan), ValueError, "image holds floats .* NaN"),
        (np.zeros((8, 64, 3)), ValueError, "image has 8 x 64 pixels"),
        (None, TypeError, "image is of type NoneType"),
    ],
)
def test_no_picture_is_an_error(lenient, bad, error, message):
    with pytest.raises(error, match=message):
        judge.look(bad, lenient)


def test_has_and_get():
    sight = judge.Detections(
        (judge.Detection("cat", "red", 0.2, 0.9), judge.Detection("hat", "blue", 0.01, 0.8)), None
    )
    assert sight.has("cat") and sight.has("cat", "red") and not sight.has("cat", "blue") and not sight.has("dog")
    assert sight.get("hat").share == 0.01 and sight.get("bow") is None
    with pytest.raises(ValueError, match="word='wolf'"):
        sight.has("wolf")
    with pytest.raises(ValueError, match="colour='mauve'"):
        sight.has("cat", "mauve")


def test_colour_is_voted_by_the_sure_pixels():
    """Two sure pixels outvote three doubtful ones."""
    label = np.zeros((2, 4), int)
    label[0], label[1, 0] = label_of("cat"), label_of("cat")
    sure = np.array([[0.9, 0.9, 0.3, 0.3], [0.3, 1, 1, 1]])
    colours = np.zeros((len(COLOURS), 2, 4))
    colours[COLOURS.index("red"), 0, :2] = 1
    colours[COLOURS.index("blue"), 0, 2:] = colours[COLOURS.index("blue"), 1] = 1
    (seen,) = judge.candidates(judge.Cells(label, sure, colours))
    assert (seen.word, seen.colour, seen.share) == ("cat", "red", 5 / 8)
    assert seen.confidence == pytest.approx((0.9 + 0.9 + 0.3 * 3) / 5)
    assert seen.column == pytest.approx((0.125 * 2 + 0.375 + 0.625 + 0.875) / 5)
    assert judge.Threshold(0.6, 0.5).passes(seen) and not judge.Threshold(0.7, 0.5).passes(seen)
    assert not judge.Threshold(0.6, 0.6).passes(seen)


def test_saved_judge_reads_back(model, tmp_path):
    bars = {word: (0.002, 0.5) for word in network.LABELLED}
    judge_card.save(model, bars, tmp_path)
    back = judge.load(tmp_path)
    assert back.thresholds["cat"] == judge.Threshold(0.002, 0.5) and set(back.thresholds) == set(network.LABELLED)
    x = torch.zeros(1, 3, 256, 256)
    assert torch.allclose(back.model(x)[0], model(x)[0], atol=2e-2)
    assert (tmp_path / "model.safetensors").stat().st_size < 8.5e6


def test_missing_damaged_and_foreign_weights_say_so(model, tmp_path):
    with pytest.raises(FileNotFoundError, match="config.json"):
        judge.load(tmp_path)
    judge_card.save(model, {}, tmp_path)
    config = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(config.replace('"cat"', '"wolf"'))
    with pytest.raises(ValueError, match="folder=.* of other words"):
        judge.load(tmp_path)
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 64)
    with pytest.raises(ValueError, match="folder=.* damaged"):
        judge.load(tmp_path)


def test_window_holds_the_largest_piece():
    mask = np.zeros((64, 64), bool)
    mask[10:20, 30:36] = mask[60, 2] = True
    pixels = np.zeros((256, 256, 3), np.uint8)
    pixels[40:80, 120:144] = 255
    cut = network.window(mask, pixels, room=1.0, size=40)
    assert cut.shape == (40, 40, 3) and (cut.max(-1) > 128).mean() == pytest.approx(24 / 40, abs=0.03)
    assert (network.window(mask, pixels, room=2.0, size=40).max(-1) > 128).mean() == pytest.approx(0.15, abs=0.03)


def test_truth_names_things_colours_and_wearables(truth):
    label, colour = truth.label[0], truth.colour[0]
    assert set(np.unique(label)) == {0, label_of("cat"), label_of("hat"), label_of("box")}
    for word, paint in (("cat", "red"), ("hat", "blue"), ("box", "red")):
        assert set(colour[label == label_of(word)]) == {COLOURS.index(paint)}
    assert set(truth.thing[0][label == label_of("hat")]) == {0} == set(truth.thing[0][label == label_of("cat")])
    assert (colour[label == 0] == judge_truth.UNKNOWN).all()


def test_truth_counts_fingers_and_marks_the_hand(truth):
    assert truth.fingers.tolist() == [-1, 2, 3, -1]
    assert (truth.label[1][truth.hand[1]] == label_of("hand")).all() and truth.hand[1].any()
    hand = truth.hand[2]
    assert (truth.label[2][hand] == label_of(judge.RAISED_HAND)).all()
    assert 20 < hand.sum() < 0.3 * (truth.thing[2] == 0).sum()
    assert not truth.hand[0].any()


def test_pencil_has_no_colour(truth):
    assert (truth.colour[3] == judge_truth.UNKNOWN).all() and (truth.label[3] == label_of("dragon")).any()


def test_a_small_thing_counts_neither_way():
    label = np.zeros((64, 64), np.uint8)
    label[:1, :10], label[5:15] = label_of("cat"), label_of("dog")
    label[20, :7] = label_of("glasses")
    shown = judge_truth.there(label)
    told = {word: int(n) for word, n in zip(network.LABELLED, shown, strict=True) if n}
    assert told == {"cat": -1, "dog": 1, "glasses": 1}


def test_half_formed_things_are_nothing(kept):
    """Spoiling changes the picture where the labels say so, and takes the thing away."""
    for spoil in judge_spoil.SPOILS:
        rng, plain = np.random.default_rng(1), sample(kept, 0)
        s = sample(kept, 0)
        spoil(s, sample(kept, 3), rng)
        spoiled = s.label == judge_spoil.SPOILED
        changed = np.abs(s.picture.astype(int) - plain.picture).max(-1).reshape(64, 4, 64, 4).max((1, 3)) > 12
        assert spoiled.sum() > 80 and changed[spoiled].mean() > 0.6, spoil.__name__
        assert (s.colour[spoiled] == judge_truth.UNKNOWN).all()
        assert not spoiled[plain.thing < 0].any() or spoil is judge_spoil.mix


def test_a_camera_loses_the_colour_when_asked_to():
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200
    for grey, coloured in ((0.0, True), (1.0, False)):
        seen = judge_spoil.camera(red, np.random.default_rng(0), grey).mean((0, 1))
        assert bool(np.ptp(seen) > 50) is coloured


def sample(kept, k):
    """Copy a picture with its maps."""
    return judge_spoil.Sample(
        kept.picture[k].copy(), kept.label[k].copy(), kept.thing[k].copy(), kept.colour[k].copy()
    )


def test_pasted_things_stay_things_and_fragments_do_not(kept):
    sizes = {}
    for whole in (True, False):
        s = sample(kept, 3)
        judge_spoil.paste(s, sample(kept, 0), np.random.default_rng(0), whole)
        new = s.thing == 99
        pasted = set(np.unique(s.label[new]).tolist())
        assert pasted == {judge_spoil.SPOILED} if not whole else pasted <= set(np.unique(kept.label[0]).tolist()) - {0}
        assert (s.picture != kept.picture[3]).any(-1)[::4, ::4][new].mean() > 0.8
        sizes[whole] = new.sum()
    assert sizes[False] < 0.4 * sizes[True]


def test_zoom_keeps_picture_and_maps_together(kept):
    """A label map painted as a picture must move as the map does."""
    s, rng = sample(kept, 0), np.random.default_rng(0)
    s.picture = judge_spoil.large(s.label)[..., None].repeat(3, -1)
    for _ in range(8):
        z = judge_spoil.zoom(s, rng)
        assert (z.picture[2::4, 2::4, 0] == z.label).mean() > 0.93
        assert ((z.label > 0) == (z.thing >= 0)).all()


def test_small_things_weigh_more_and_the_unknown_nothing(kept):
    from course_utils.recipe.judge import weigh

    label = kept.label[0].copy()
    label[0] = judge_truth.UNKNOWN
    weight = weigh(label)
    assert (weight[0] == 0).all()
    assert weight[label == label_of("hat")].min() > weight[label == label_of("cat")].max() > 0


@pytest.mark.slow
def test_a_lesson_teaches(kept):
    """A few steps on the real loss, spoiled pictures and all, lower it; the batch is drawn from the seed alone."""
    assert torch.equal(JudgeBatches(kept, 3).batch(2)[0], JudgeBatches(kept, 3).batch(2)[0])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = network.Judge((8, 16, 24, 32))
    adam = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        loss = loss_of(model, JudgeBatches(kept, 0))
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    settle(model, JudgeBatches(kept, 0), count=2)
    assert not model.training and all(b.isfinite().all() for b in model.buffers())


def test_hands_are_ruined_into_uncountable_ones(kept):
    x, fingers = JudgeBatches(kept, 0).hands(60)
    assert x.shape == (60, 3, 256, 256) and set(fingers.tolist()) == {2, 3, network.UNCOUNTABLE}


def test_bars_reject_what_is_unsure():
    """Nothing but low confidence tells the false finds from the true ones."""
    truth = np.array([1] * 20 + [0] * 20 + [-1] * 20)
    share, sure = np.full(60, 2.0), np.array([0.9] * 20 + [0.6] * 20 + [0.7] * 20)
    scores = judge_card._scores(truth, share, sure)
    best = judge_card.SURE[scores.max(0) == 1]
    assert best.min() > 0.6 and best.max() <= 0.91
    assert np.isnan(judge_card._scores(np.zeros(60), share, sure)).all()


def test_measure_and_card(lenient, shard, truth, tmp_path):
    """A judge that sees nothing scores nothing; the card has a line for each thing."""
    blind = dataclasses.replace(lenient, thresholds=dict.fromkeys(network.LABELLED, judge.Threshold(2.0, 2.0)))
    found = judge_card.measure(blind, truth, shard.pictures())
    assert found["count"]["cat"] == found["count"]["hat"] == 1 and found["f1"]["cat"] == 0
    assert found["fingers"] == [False, False] and found["colour"] == [] and not any(found["invented"])
    (tmp_path / "model.safetensors").write_bytes(bytes(7_000_000))
    card = judge_card.card({"renders": found}, blind, 4, tmp_path)
    assert all(f"| {word} |" in card for word in words.THINGS) and "7.0 MB" in card


def test_the_judges_world_has_what_the_base_never_sees():
    scenes = [data.scene_of(data.JUDGE, k) for k in range(60)]
    assert {t.word for s in scenes for t in s.things} & set(words.HELD_OUT)
    assert {s.style for s in scenes} & set(words.HELD_OUT_STYLES)
    assert data.scene_of(data.JUDGE, 3) == scenes[3]
    base = [data.scene_of(data.TRAIN, k) for k in range(60)]
    assert not {t.word for s in base for t in s.things} & set(words.HELD_OUT)
