"""The stages that stand on the frozen base: maps, ControlNets, the depth pair and the reader, each for a few steps."""

import json
import shutil
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel

from course_utils import adherence, catalog, controlnet, controls, env
from course_utils.clay import control_maps, truth
from course_utils.clay import vocabulary as words
from course_utils.clay.render import render
from course_utils.clay.things.people import OPENPOSE_18
from course_utils.controls import reader as reading
from course_utils.recipe import __main__ as recipe
from course_utils.recipe import (
    autoencoder,
    base,
    control,
    control_card,
    corpus,
    data,
    dependents,
    depth,
    depth_card,
    depth_estimator,
    hints,
    latents,
    maps,
    reader,
    reader_card,
    shipped,
    trials,
)
from course_utils.recipe.reader_batches import ReaderBatches, answers, hills, unit
from course_utils.training import Plan
from tests.tiny import models

FEW = Plan(steps=2, learning_rate=1e-3, warmup_steps=1, log_every=1)


def scene(*things):
    """Find a scene of the training world that shows all of these."""
    return next(
        s for s in (data.scene_of(data.TRAIN, k) for k in range(400)) if set(things) <= {t.word for t in s.things}
    )


@pytest.fixture(scope="module")
def made():
    """A woman beside a suitcase, not square."""
    return render(scene("woman", "suitcase"), 192, 256)


@pytest.fixture(scope="module")
def facts(made):
    return maps.Facts.of(made)


# Facts


def test_facts_are_packed_without_loss_but_for_the_picture(facts):
    back = maps.MapShard({name: [value] for name, value in maps._pack(facts).items()})[0]
    for name in (*maps.PICTURES[1:], *maps.POINTS):
        assert np.array_equal(getattr(back, name), getattr(facts, name)), name
    assert np.abs(back.picture.astype(int) - facts.picture).mean() < 1.5


def test_the_mirror_image_has_mirrored_truth(made, facts):
    turned = facts.mirrored()
    made_turned = type(made)(**vars(made) | {"normal": made.normal[:, ::-1] * np.array([-1, 1, 1], np.float32)})
    drawn = np.asarray(control_maps.normal_map(made_turned)).astype(int)
    assert np.abs(drawn - turned.normal).max() <= 1
    assert np.array_equal(turned.klass[:, ::-1], facts.klass) and np.array_equal(turned.near[:, ::-1], facts.near)
    for name in maps.POINTS:
        assert np.allclose(getattr(turned.mirrored(), name), getattr(facts, name), atol=1e-3)
    left, right = (OPENPOSE_18.index(f"{side}_wrist") for side in ("left", "right"))
    width = facts.klass.shape[1]
    assert turned.bodies[0, left, 0] == pytest.approx(width - facts.bodies[0, right, 0])


def test_left_and_right_keep_their_colours_in_the_mirror(facts):
    """The arm on the left of the picture is the right arm, in the picture and in its mirror image."""
    shoulder = OPENPOSE_18.index("right_shoulder")
    for one in (facts, facts.mirrored()):
        column, row = one.bodies[0, shoulder, :2].astype(int)
        assert tuple(hints.draw("openpose", one)[row, column]) == control_maps.RAINBOW[shoulder]
        assert one.bodies[0, shoulder, 0] < one.bodies[0, OPENPOSE_18.index("left_shoulder"), 0]
    assert not np.array_equal(hints.draw("openpose", facts)[:, ::-1], hints.draw("openpose", facts.mirrored()))


def test_a_persons_pixels_are_hers(made, facts):
    (points,) = (found["body"] for found in truth.keypoints(made).values() if "body" in found)
    assert np.allclose(facts.bodies[0], points, atol=1e-3)
    mine = facts.person == 0
    assert set(np.unique(facts.klass[mine])) & {words.CLASS_ID["woman"]}
    assert (facts.klass[~mine] != words.CLASS_ID["woman"]).all() and mine.any()


# Hints


@pytest.mark.parametrize("kind", catalog.CONTROLS)
def test_a_hint_from_truth_is_the_map_from_truth(made, facts, kind):
    assert np.array_equal(hints.draw(kind, facts), np.asarray(controls.from_truth(made, kind)))


@pytest.mark.parametrize("kind", catalog.CONTROLS)
def test_worn_hints_differ_but_stay_near(facts, kind):
    true, rng = hints.draw(kind, facts).astype(int), np.random.default_rng(0)
    worn = [hints.draw(kind, facts, rng) for _ in range(30)]
    assert all(one.shape == true.shape and one.dtype == np.uint8 for one in worn)
    changed = [np.abs(one - true).max(-1) > 24 for one in worn]
    assert 1 <= sum(not c.any() for c in changed) < 30, "part of the batches is true, part worn"
    assert np.mean([c.mean() for c in changed]) < 0.12


def test_hints_keep_the_colours_that_mean_something(facts):
    rng = np.random.default_rng(1)
    palette = {tuple(colour) for colour in control_maps.SEGMENTS}
    for _ in range(6):
        assert {tuple(c) for c in hints.draw("seg", facts, rng).reshape(-1, 3)} <= palette
        assert set(np.unique(hints.draw("scribble", facts, rng))) <= {0, 255}
        depth_map = hints.draw("depth", facts, rng)
        assert depth_map.min() == 0 and depth_map.max() == 255


def test_bodies_and_hands_are_also_drawn_alone(facts):
    hand = np.stack([np.linspace(10, 40, 21), np.linspace(20, 60, 21), np.ones(21)], 1).astype(np.float32)
    both = type(facts)(**vars(facts) | {"hands": hand[None]})
    rng, seen = np.random.default_rng(0), set()
    for _ in range(30):
        drawn = hints._worn_openpose(both, rng)
        hands = (drawn == (0, 0, 255)).all(-1)[15:70, 5:45].any()
        torso = (drawn == control_maps.RAINBOW[1]).all(-1).any()
        seen.add((bool(torso), bool(hands)))
    assert {(True, True), (True, False), (False, True)} <= seen


# The stages, one after the other


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory):
    """A cache and a shelf of their own with a tiny base, and every stage run for two steps."""
    patch = pytest.MonkeyPatch()
    patch.setenv("COURSE_CACHE", str(tmp_path_factory.mktemp("cache")))
    shelf = tmp_path_factory.mktemp("assets")
    patch.setattr(env, "ASSETS", shelf)
    patch.setattr(data, "SHIPPED", models.build_clay_folder(shelf / "models" / "clay-base"))
    patch.setattr(data, "SHARD", 10)
    for module, batch in ((depth, 4), (depth_estimator, 2), (reader, 2)):
        patch.setattr(module, "BATCH", batch)
    patch.setattr(reader, "HANDS", 2)
    patch.setattr(reader, "SAMPLES", 8)
    catalog.release()
    for seed, number in ((data.TRAIN, 0), (data.HELD_OUT, 0)):
        data.make_shard(seed, number)
        maps.make_shard(seed, number)
    for number in (0, 1):
        maps.make_shard(data.READER, number)
    latents.make(autoencoder.trained(), data.TRAIN, 0)
    for module, name, count in ((trials, "SCENES", 2), (depth_card, "RENDERS", 2), (reader_card, "RENDERS", 2)):
        patch.setattr(module, name, count)
    patch.setattr(reader_card, "PHOTOGRAPHS", ("cat",))
    yield shelf / "models"
    catalog.release()
    patch.undo()


def test_shards_hold_the_scenes_of_their_world(kitchen):
    shard, pictures = maps.read(data.TRAIN, 0), data.read_shard(data.TRAIN, 0)
    assert len(shard) == 10 and maps.shards(data.TRAIN) == [0] and maps.shards(data.READER) == [0, 1]
    for k in (0, 7):
        assert np.abs(shard[k].picture.astype(int) - pictures.pictures()[k]).mean() < 1
        assert np.array_equal(shard[k].klass[2::4, 2::4], pictures.klass[k])
    assert [bool(len(shard[k].lines)) for k in range(10)] == shard.seen("lines").tolist()
    before = maps.path(data.TRAIN, 0).stat().st_mtime_ns
    assert maps.make_shard(data.TRAIN, 0).stat().st_mtime_ns == before


def test_pairs_are_drawn_from_latents_and_truth(kitchen):
    pairs = control.DrawnPairs("seg", catalog.load("text2img", "clay").tokenizer)
    batch = pairs.draw(6, torch.Generator().manual_seed(0))
    assert batch.latents.shape == (6, 12, 16, 16) and batch.ids.shape == (6, 32)
    assert batch.hint.shape == (6, 3, 256, 256) and batch.hint.max() <= 1
    again = pairs.draw(6, torch.Generator().manual_seed(0))
    assert torch.equal(batch.hint, again.hint) and torch.equal(batch.ids, again.ids)


def test_a_mirrored_latent_comes_with_a_mirrored_map(kitchen, monkeypatch):
    monkeypatch.setattr(hints, "CLEAN", 1.0)
    pairs = control.DrawnPairs("depth", catalog.load("text2img", "clay").tokenizer)
    shard, pool = maps.read(data.TRAIN, 0), pairs.corpus.latents.float()
    batch, turned = pairs.draw(24, torch.Generator().manual_seed(1)), set()
    for latent, hint in zip(batch.latents, batch.hint, strict=True):
        k, flip = (pool == latent).all(-1).all(-1).all(-1).nonzero()[0].tolist()
        near = shard[k].near[:, ::-1] if flip else shard[k].near
        assert np.array_equal((hint[0] * 255).round().byte().numpy(), near)
        turned.add(flip)
    assert turned == {0, 1}


def test_black_maps_are_rare(kitchen):
    pairs = control.DrawnPairs("mlsd", catalog.load("text2img", "clay").tokenizer)
    shard = maps.read(data.TRAIN, 0)
    assert pairs.telling.tolist() == [k for k in range(10) if len(shard[k].lines)]


def test_a_reader_learns_ships_and_has_a_card(kitchen):
    reader.train(1, FEW)
    found = reading.load(kitchen / "clay-reader")
    assert found.far != 1, "the doubt's bar was set"
    card = (kitchen / "clay-reader" / "README.md").read_text()
    assert "from 4 pictures" in card and "of\n1 reach it" in card
    assert all(f"| {line} |" in card for line in ("classes: mIoU of a picture", "doubt of 0.5 or more"))
    (data.cache() / "reader" / "checkpoint.pt").unlink()
    reader.train(1, Plan(steps=0), onward=True)
    again = reading.load(kitchen / "clay-reader").state_dict()
    assert all(torch.equal(again[name], value) for name, value in found.state_dict().items() if name != "far")


def test_the_depth_pair_ships_as_parts_that_the_base_completes(kitchen):
    depth.train(1, FEW, FEW)
    pipe = catalog.load("depth2img", "clay")
    assert type(pipe.depth_estimator.head.head[-1]) is torch.nn.ReLU, "it learns behind a leaky one"
    assert pipe.unet.config.in_channels == 13 and pipe.vae is catalog.load("text2img", "clay").vae
    assert {p.name for p in (kitchen / "clay-depth").iterdir()} == {
        "README.md", "adherence.jsonl", "depth_estimator", "feature_extractor", "model_index.json", "unet"
    }  # fmt: skip
    card = (kitchen / "clay-depth" / "README.md").read_text()
    assert "8 latents" in card and "4 renders with true depth" in card and "rank correlation" in card
    rows = [json.loads(line) for line in (kitchen / "clay-depth" / "adherence.jsonl").read_text().splitlines()]
    assert len(rows) == trials.SCENES and {"reached", "floor", "ceiling"} <= rows[0].keys()
    shutil.rmtree(dependents.workshop("depth"))
    shutil.rmtree(data.cache() / "depth-estimator")
    before = pipe.depth_estimator.state_dict(), pipe.unet.conv_in.weight.clone()
    depth.train(1, Plan(steps=0), Plan(steps=0), onward=True)
    catalog.release()
    again = catalog.load("depth2img", "clay")
    assert all(torch.equal(again.depth_estimator.state_dict()[name], value) for name, value in before[0].items())
    base_in = catalog.load("text2img", "clay").unet.conv_in.weight
    assert torch.equal(again.unet.conv_in.weight[:, :-1], base_in), "only what hears the depth"
    assert torch.equal(again.unet.conv_in.weight[:, -1], before[1][:, -1])
    assert "further renders with true depth" in (kitchen / "clay-depth" / "README.md").read_text()


def test_controls_learn_ship_and_name_their_base(kitchen):
    config = controlnet.ControlNetTrainingConfig(max_train_steps=2, train_batch_size=2, lr_warmup_steps=1, log_every=1)
    for kind in ("canny", "openpose"):
        control.train(kind, 1, config)
        card = (kitchen / f"clay-control-{kind}" / "README.md").read_text()
        assert dependents.lines(shipped.TRAINED_ON, kitchen) in card and controls.KINDS[kind].measure in card
        assert ("went on from clay-control-canny" in card) == (kind != "canny") != ("its connections zero" in card)
    control.train("openpose", 1, config, onward=True)  # finished above: told anew
    assert "as it shipped with the base before" in (kitchen / "clay-control-openpose" / "README.md").read_text()
    pipe = catalog.load("controlnet", "clay", control=["canny", "openpose"])
    assert len(pipe.controlnet.nets) == 2 and not {"clay-control-canny", "clay-control-openpose"} & {
        *dependents.strangers(kitchen)
    }
    assert controlnet.zero_layers(pipe.controlnet.nets[0])["middle"].weight.any()


def test_a_gain_ships_in_the_weights_and_is_told(kitchen, monkeypatch):
    """What ships is louder than what was trained; its gains are scored on scenes that its card does not know."""
    monkeypatch.setattr(control_card, "TUNING", 2)
    folder, config = (
        kitchen / "clay-control-canny",
        controlnet.ControlNetTrainingConfig(max_train_steps=2, train_batch_size=2, lr_warmup_steps=1, log_every=1),
    )
    middles = {}
    for gain in (1.0, 1.5):
        monkeypatch.setattr(control, "GAIN", {"canny": gain})
        control.train("canny", 1, config)
        middles[gain] = ControlNetModel.from_pretrained(folder).controlnet_mid_block.weight
        assert ("multiplied by 1.5" in (folder / "README.md").read_text()) == (gain == 1.5)
    assert torch.allclose(middles[1.5], 1.5 * middles[1.0], rtol=2e-3, atol=1e-6)
    asked = []
    heard = trials.generate
    monkeypatch.setattr(trials, "generate", lambda *given, **more: asked.append(given[1:]) or heard(*given, **more))
    monkeypatch.setattr(adherence, "score", lambda *columns: [len(column) for column in columns])
    assert control.gain("canny") == dict.fromkeys(control_card.GAINS, [2, 2, 2])
    scales = [how["controlnet_conditioning_scale"] for _, how in asked[1:]]
    assert scales == [gain / 1.5 for gain in control_card.GAINS]
    known = {trial.number for trial in trials.choose("canny")}
    assert all(known.isdisjoint(trial.number for trial in chosen) for chosen, *_ in asked)


def test_the_others_go_on_from_the_first(kitchen, tmp_path, monkeypatch):
    """Its weights, to half precision, are what another kind begins with; the first begins silent."""
    pipe = catalog.load("text2img", "clay")
    monkeypatch.setattr(dependents, "folder_of", lambda name: tmp_path / name)
    with pytest.raises(FileNotFoundError, match="run `control canny`"):
        control.begin("depth", pipe)
    first = control.begin("canny", pipe)
    assert not any(layer.weight.any() for layer in controlnet.zero_layers(first).values())
    first.controlnet_mid_block.weight.data.fill_(0.25)
    dependents.save(first, tmp_path / "control-canny")
    begun = control.begin("depth", pipe).state_dict()
    assert all(torch.equal(begun[name], value.half().float()) for name, value in first.state_dict().items())


def test_a_net_goes_on_from_its_own_as_it_was_before_its_gain(kitchen, tmp_path, monkeypatch):
    pipe = catalog.load("text2img", "clay")
    monkeypatch.setattr(dependents, "folder_of", lambda name: tmp_path / name)
    with pytest.raises(FileNotFoundError, match="run `control seg`"):
        control.begin("seg", pipe, onward=True)
    net = controlnet.copy_of(pipe)
    net.controlnet_mid_block.weight.data.fill_(0.25)
    dependents.save(control.with_gain(net, control.GAIN["seg"]), tmp_path / "control-seg")
    begun = control.begin("seg", pipe, onward=True)
    assert torch.allclose(begun.controlnet_mid_block.weight, net.controlnet_mid_block.weight, rtol=1e-3)
    assert torch.equal(begun.conv_in.weight, net.conv_in.weight.half().float())
    assert control.plan("seg", onward=True).max_train_steps < control.plan("seg").max_train_steps


def test_another_base_starts_anew_and_another_decoder_does_not(kitchen, monkeypatch):
    here, known = dependents.workshop("control-canny"), shipped.hashes
    for part, anew in (("unet", True), ("decoder", False)):
        other = {f"clay-base/{part}": "f" * 64}
        monkeypatch.setattr(
            shipped,
            "hashes",
            lambda names, models=None, other=other: (
                known(names, models) | other if {*other} & {*names} else known(names, models)
            ),
        )
        assert (dependents.workshop("control-canny") != here) == anew


def test_trials_need_no_shard(kitchen):
    """The scene is rendered on the spot, and its caption is the one that the shard's scene has."""
    trial = trials.Trial.of(3)
    assert np.abs(trial.made.image.astype(int) - maps.read(data.HELD_OUT, 0)[3].picture).mean() < 1.5
    assert trial.prompt == corpus.captions(data.HELD_OUT, 0, variants=1)[3][0].text
    assert all(controls.from_truth(one.made, "mlsd").getbbox() for one in trials.choose("mlsd", count=2))


def test_missing_stages_are_named(kitchen, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="run the stages `latents` and `maps`"):
        control.encoded()
    for train in (reader.train, depth.train):
        with pytest.raises(FileNotFoundError, match="run stage `maps`"):
            train(1)
    monkeypatch.setattr(data, "SHIPPED", tmp_path)
    with pytest.raises(FileNotFoundError, match="stage `card` ships it"):
        control.train("canny", 1)
    with pytest.raises(ValueError, match="kind='sketch'.*canny"):
        control.train("sketch", 1)


@pytest.mark.parametrize("asked", [["control", "sketch"], ["base", "canny"], ["card", "text"]])
def test_a_kind_that_a_stage_does_not_know_is_refused(asked, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["recipe", *asked])
    with pytest.raises(SystemExit):
        recipe.main()
    assert f"kind={asked[1]!r} is none of stage {asked[0]}" in capsys.readouterr().err


def test_stages_that_cannot_go_on_from_what_ships_say_so(monkeypatch, capsys):
    called = []
    monkeypatch.setattr(base, "train", lambda minutes, onward: called.append(onward))
    for stage, outcome in (("base", nullcontext()), ("text", pytest.raises(SystemExit))):
        monkeypatch.setattr(sys, "argv", ["recipe", stage, "--onward"])
        with outcome:
            recipe.main()
    assert called == [True] and "--onward: stage text starts anew" in capsys.readouterr().err


def test_the_command_line_reaches_the_stage(monkeypatch):
    called = []
    monkeypatch.setattr(control, "train", lambda kind, minutes, onward: called.append((kind, minutes)))
    for arguments, kinds in ((["control", "seg", "--minutes", "3"], ["seg"]), (["control"], catalog.CONTROLS)):
        called.clear()
        monkeypatch.setattr(sys, "argv", ["recipe", *arguments])
        recipe.main()
        assert [kind for kind, _ in called] == list(kinds)


def test_gains_are_printed(monkeypatch, capsys):
    monkeypatch.setattr(control, "gain", lambda kind: {1.5: f"score of {kind}"})
    monkeypatch.setattr(sys, "argv", ["recipe", "gain", "seg"])
    recipe.main()
    assert "gain 1.5: score of seg" in capsys.readouterr().out


# Depth


def test_a_widened_unet_does_not_heed_its_new_channel():
    from diffusers import UNet2DConditionModel

    unet = models._unet(sample_size=16, channels=12)
    unet.register_to_config(_name_or_path="/where/it/lay")
    wide = depth.widened(unet)
    assert "/where" not in wide.to_json_string()
    x, words_said = torch.randn(2, 12, 4, 6), torch.randn(2, 5, models.WIDTH)
    told = torch.cat([x, torch.randn(2, 1, 4, 6)], dim=1)
    with torch.no_grad():
        assert torch.allclose(wide(told, 10, words_said).sample, unet(x, 10, words_said).sample, atol=1e-6)
    assert isinstance(wide, UNet2DConditionModel) and wide.config.in_channels == 13


def test_the_plane_is_what_the_pipeline_makes_of_a_depth_map(kitchen):
    from PIL import Image

    pipe, near = catalog.load("depth2img", "clay"), torch.rand(1, 64, 96)
    given = pipe.prepare_depth_map(Image.new("RGB", (96, 64)), near, 1, False, torch.float32, torch.device("cpu"))
    assert torch.allclose(depth.plane(near[:, None], 4, 6), given, atol=1e-5)


def test_depth_is_compared_up_to_scale_and_shift():
    near = torch.rand(2, 32, 32)
    assert depth_estimator.aligned(3 * near + 5, near).sub(near).abs().max() < 1e-3
    right, bent, wrong = (depth_estimator.loss_of(g, near) for g in (near + 0.2, near**2, 1 - near))
    assert right < bent < wrong


def test_the_estimator_has_its_size_and_starts_open():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = depth_estimator.build()
    assert sum(p.numel() for p in model.parameters()) <= 4e6
    with torch.no_grad():
        near = model(torch.randn(1, 3, 256, 256)).predicted_depth
    assert near.shape == (1, 256, 256) and (near > 0).float().mean() > 0.9


# The reader's batches


def test_answers_move_with_the_picture(facts):
    """A square that is cut out shows each joint where the answers say."""
    picture = np.zeros((reading.SIDE, reading.SIDE, 3), np.uint8)
    whole, part = (answers(facts, square, picture) for square in ((0, 0, 192), (60, 20, 128)))
    for lesson, (left, top, side) in ((whole, (0, 0, 192)), (part, (60, 20, 128))):
        scale = 128 / side
        at = (facts.bodies[0, :, :2] - (left, top)) * scale
        inside = (facts.bodies[0, :, 2] > 0) & (at > 1).all(1) & (at < 127).all(1)
        for joint in np.flatnonzero(inside):
            row, column = np.unravel_index(int(lesson.body[joint].argmax()), (128, 128))
            assert np.hypot(column + 0.5 - at[joint, 0], row + 0.5 - at[joint, 1]) <= 1
        assert (lesson.klass == words.CLASS_ID["woman"])[lesson.person].float().mean() > 0.9
    assert torch.allclose(part.normal.norm(dim=0), torch.ones(128, 128), atol=1e-4)


def test_drawn_normals_turn_back(made, facts):
    assert np.abs(unit(facts.normal) - made.normal).max() < 0.02


def test_lessons_are_drawn_and_their_loss_falls(kitchen):
    shards, trips = [maps.read(data.READER, 1)], [reader.trips(1)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = reading.Reader((8, 16, 24), (1, 1, 1))
    first = ReaderBatches(shards, trips, 3).batch(2)
    assert torch.equal(first.x, ReaderBatches(shards, trips, 3).batch(2).x) and first.body.shape == (2, 18, 128, 128)
    adam, losses = torch.optim.Adam(model.parameters(), 1e-2), []
    for _ in range(20):
        loss = reader.loss_of(model, ReaderBatches(shards, trips, 0))
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_hills_stand_where_the_points_are():
    heat = hills(np.array([[10.5, 3.5, 1.0], [4.0, 4.0, 0.0]]), 16)
    assert np.unravel_index(heat[0].argmax(), (16, 16)) == (3, 10) and heat[0].max() == 1 and not heat[1].any()
