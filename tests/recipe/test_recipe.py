"""The recipe's stages, each for a few steps on a handful of scenes, and the loop that they share."""

import shutil
from functools import partial

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny

from course_utils.attention.layers import EagerAttnProcessor
from course_utils.controls import reader as reader_network
from course_utils.judge import Detection, Detections
from course_utils.judge import load as load_judge
from course_utils.recipe import (
    autoencoder,
    base,
    card,
    corpus,
    data,
    decoder,
    dependents,
    exam,
    eye,
    judge,
    judge_card,
    latents,
    ship,
    shipped,
    text,
    word_maps,
    yardstick,
)
from course_utils.training import Loop, Muon, Plan, optimizers

FEW = Plan(steps=2, learning_rate=1e-3, warmup_steps=1)


def _problem(seed=0):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(32, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))

    def loss_of(step):
        x = torch.randn(16, 32, generator=torch.Generator().manual_seed(step))
        return (model(x) - x[:, :1]).pow(2).mean()

    return model, loss_of


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path):
    plan = Plan(steps=8, learning_rate=1e-2, warmup_steps=2, ema_steps=4)
    straight, loss_of = _problem()
    assert Loop(tmp_path / "a", {"m": straight}, plan).run(loss_of)
    halves, loss_of = _problem()
    loop = Loop(tmp_path / "b", {"m": halves}, plan)
    for step in range(4):
        loop.update(loss_of(step))
    loop.save()
    fresh, loss_of = _problem(seed=7)
    again = Loop(tmp_path / "b", {"m": fresh}, plan)
    assert again.step == 4
    assert again.run(loss_of)
    for a, b in zip(straight.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_loop_learns_and_stops_at_its_minutes(tmp_path):
    model, loss_of = _problem()
    before = loss_of(0).item()
    loop = Loop(tmp_path, {"m": model}, Plan(steps=60, learning_rate=1e-2, warmup_steps=5))
    assert not loop.run(loss_of, minutes=0)
    loop.run(loss_of)
    assert loss_of(0).item() < 0.5 * before


def test_each_optimizer_keeps_its_own_rate(tmp_path):
    model, loss_of = _problem()

    def two(modules, rate):
        (weights, *others) = modules[0].parameters()
        return [torch.optim.SGD([weights], lr=rate), torch.optim.SGD(others, lr=3 * rate)]

    loop = Loop(tmp_path, {"m": model}, plan := Plan(steps=60, learning_rate=1e-2, warmup_steps=5), choose=two)
    loop.update(loss_of(0))
    first, second = (o.param_groups[0]["lr"] for o in loop.optimizers)
    assert first == 1e-2 * plan.factor(0) and second == pytest.approx(3 * first)


def test_the_rate_rises_stays_and_falls():
    plan = Plan(steps=1000, warmup_steps=10, decay=0.5)
    assert plan.factor(0) < plan.factor(9) == plan.factor(400) == 1
    assert plan.factor(600) > plan.factor(900) > plan.factor(999) >= plan.min_lr_ratio


def test_muon_takes_matrices_and_leaves_the_thin_ones():
    model = torch.nn.Sequential(torch.nn.Embedding(40, 32), torch.nn.Linear(32, 48), torch.nn.Linear(48, 3))
    adam, muon = optimizers([model], 1e-3)
    assert isinstance(muon, Muon)
    assert [p.shape for p in muon.param_groups[0]["params"]] == [(48, 32)]
    assert sum(p.numel() for o in (adam, muon) for g in o.param_groups for p in g["params"]) == sum(
        p.numel() for p in model.parameters()
    )


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory):
    """A cache of its own with two tiny shards, trained through for two steps a stage."""
    patch = pytest.MonkeyPatch()
    patch.setenv("COURSE_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.setattr(data, "SHARD", 24)
    patch.setattr(data, "SHIPPED", tmp_path_factory.mktemp("shipped"))  # so that the tokenizer is trained, too
    patch.setattr(autoencoder, "BATCH", 2)
    patch.setattr(text, "BATCH", 8)
    patch.setattr(base, "BATCH", 4)
    data.make_shard(data.TRAIN, 0)
    data.make_shard(data.HELD_OUT, 0)
    autoencoder.train(1, FEW)
    for world in (data.TRAIN, data.HELD_OUT):
        latents.make(autoencoder.trained(), world, 0)
    text.train(1, FEW)
    base.train(1, FEW)
    yield data.cache()
    patch.undo()


def test_shards_come_back_as_they_were(kitchen):
    shard = data.read_shard(data.TRAIN, 0)
    assert len(shard.scenes) == 24 and shard.pictures().shape == (24, 256, 256, 3)
    assert shard.klass.shape == shard.instance.shape == (24, 64, 64)
    assert data.shards(data.TRAIN) == [0]


def test_every_word_of_the_captions_is_one_token(kitchen):
    tokenizer = corpus.tokenizer()
    made = [c for scene in corpus.captions(data.TRAIN, 0) for c in scene]
    for word in {w for c in made for w in c.text.replace(",", " ").replace("-", " ").split()}:
        assert len(tokenizer.tokenize(word)) == 1, word
    odd = tokenizer("Ünïcode zebra 你好")["input_ids"]
    assert 3 < len(odd) and max(odd) < len(tokenizer)
    ids, owners = corpus.encode(tokenizer, made)
    assert ids.shape == owners.shape == (len(made), corpus.LENGTH)
    for c, row, whose in zip(made, ids, owners, strict=True):
        counted = {tokenizer.decode([int(t)]).strip() for t, o in zip(row, whose, strict=True) if o >= 0}
        assert counted == {w for a, b, _ in c.spans for w in c.text[a:b].split()}


def test_a_mirrored_scene_keeps_its_masks(kitchen):
    world = latents.load(corpus.tokenizer())
    batch = world.draw(64, torch.Generator().manual_seed(0))
    assert batch["z"].shape == (64, 12, 16, 16) and batch["ids"].shape == (64, corpus.LENGTH)
    masks = base.owner_masks(batch["instance"], batch["owners"], 16)
    owned = batch["owners"] >= 0
    assert masks.shape == (64, corpus.LENGTH, 16, 16) and (masks[~owned] == 0).all() and masks[owned].max() == 1


def test_latents_of_another_autoencoder_do_not_count(kitchen, monkeypatch):
    other = autoencoder.build().eval()
    assert autoencoder.mark(other) != autoencoder.mark(autoencoder.trained())
    monkeypatch.setattr(autoencoder, "trained", lambda: other)
    with pytest.raises(FileNotFoundError, match="run stage `latents`"):
        latents.load(corpus.tokenizer())


def test_a_finer_decoder_leaves_encoder_and_latents_as_they_are(kitchen):
    before = autoencoder.trained()
    try:
        decoder.train(1, FEW)
        after = autoencoder.trained()
        assert autoencoder.mark(after.encoder) == autoencoder.mark(before.encoder)
        assert autoencoder.mark(after) != autoencoder.mark(before) and latents.encoded(data.TRAIN) == [0]
        z = torch.randn(1, 12, 16, 16, generator=torch.Generator().manual_seed(0))
        assert after.decode(z).sample.shape == (1, 3, 256, 256)
        shipped = ship.save_vae(kitchen / "again")
        assert AutoencoderTiny.from_pretrained(shipped / "vae").config.num_decoder_blocks == [9, 7, 3, 1, 0]
    finally:
        shutil.rmtree(autoencoder.finer())


def test_what_the_base_guesses_from_little_noise_is_near_the_latent(kitchen):
    tokenizer = corpus.tokenizer()
    pairs = decoder.DecoderPairs(ship.trained_unet(), base.frozen_encoder(len(tokenizer)), tokenizer)
    world, _ = pairs.worlds[data.TRAIN]
    z = world.latents[:8, 0].float()
    pairs.schedule.alphas_cumprod[:] = 1 - 1e-6
    assert (pairs.denoise(z, world.ids[:8, 0], torch.Generator().manual_seed(0)) - z).abs().max() < 0.02
    drawn, pictures = pairs.draw(4, torch.Generator().manual_seed(1))
    assert drawn.shape == (4, 12, 10, 10) and pictures.shape == (4, 3, 160, 160) and pictures.abs().max() <= 1


def test_a_decoder_that_gets_blocks_decodes_as_before():
    """A block more changes nothing at first; where one goes the rest stays as it was."""
    old, wider = autoencoder.build((2, 1, 2, 1, 0)), autoencoder.build((4, 3, 2, 1, 0))
    for kept, level in zip(decoder._levels(old.decoder), decoder._levels(wider.decoder), strict=True):
        decoder._grow(kept, level)
    z = torch.randn(1, 12, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(wider.decoder(z), old.decoder(z))


def test_critic_and_decoder_learn_from_one_backward():
    """The critic's gradient is that of its hinge alone, and the decoder's push is a share of its other losses'."""
    torch.manual_seed(0)
    vae, critic = autoencoder.build((1, 1, 1, 1, 0)), decoder.Critic()
    loss = decoder.DecoderLoss(vae.decoder, critic, reader_network.Reader().eval())
    z, x = torch.randn(2, 12, 4, 4), torch.rand(2, 3, 64, 64) * 2 - 1
    loss(0, z, x).backward()
    alone = [p.grad.clone() for p in vae.decoder.parameters()]
    before = [p.grad.clone() for p in critic.parameters()]
    for module in (vae, critic):
        module.zero_grad()
    loss(decoder.SLOW[1], z, x).backward()
    pushed = [p.grad for p in vae.decoder.parameters()]
    assert any(not torch.allclose(a, b) for a, b in zip(alone, pushed, strict=True)), "now the critic is heard"
    assert all(p.grad is not None and p.grad.isfinite().all() for p in critic.parameters()) and len(before) > 5
    assert loss.features.stem[0].weight.grad is None


def test_the_yardstick_measures_what_ships(kitchen, monkeypatch):
    monkeypatch.setattr(yardstick, "BATCH", 4)
    yardstick.train(1, FEW)
    found = yardstick.measure("a trial", ship.load(ship.save(kitchen / "a base")), count=20)
    assert {"painted, all", "trips, people", "other renders, all", "sharpness, painted"} <= set(found)
    assert (data.cache() / "yardstick" / "a trial.json").exists()


def test_token_compose_prefers_maps_inside_their_masks():
    instance = torch.full((1, 64, 64), -1, dtype=torch.int8)
    instance[:, :32, :32] = 0
    owners = torch.full((1, corpus.LENGTH), -1, dtype=torch.int8)
    owners[:, 2] = 0
    losses = []
    for inside in (True, False):
        recorder = EagerAttnProcessor()
        heat = torch.full((1, 16, 16, corpus.LENGTH), 1e-3)
        heat[:, slice(0, 8) if inside else slice(8, 16), :8, 2] = 0.9
        recorder.kept = heat.reshape(1, 1, 256, corpus.LENGTH).repeat(1, 4, 1, 1)
        batch = {"instance": instance, "owners": owners}
        losses.append(float(base.token_compose([recorder], batch, torch.tensor([True]))))
    assert losses[0] < 0.2 < losses[1]


def test_the_base_ships_as_an_ordinary_diffusers_folder(kitchen, tmp_path):
    from diffusers import StableDiffusionPipeline

    folder = ship.save(tmp_path / "clay-base")
    assert not list(folder.rglob("*.bin")) and list(folder.rglob("*.safetensors"))
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    image = pipe("a lion on the beach", num_inference_steps=2, output_type="np").images
    assert image.shape == (1, 256, 256, 3) and np.isfinite(image).all()
    assert pipe.tokenizer.model_max_length == corpus.LENGTH


def test_where_the_cache_is_gone_the_base_goes_on_from_what_ships(kitchen, tmp_path, monkeypatch):
    folder = ship.save(tmp_path / "clay-base")
    monkeypatch.setattr(data, "SHIPPED", folder)
    (kitchen / "base").rename(tmp_path / "base")
    (kitchen / "text").rename(tmp_path / "text")
    try:
        base.train(1, Plan(steps=0), onward=True)
        kept = ship.trained_unet().state_dict()
        encoder = base.frozen_encoder(len(corpus.tokenizer()))
    finally:
        shutil.rmtree(kitchen / "base")
        (tmp_path / "base").rename(kitchen / "base")
        (tmp_path / "text").rename(kitchen / "text")
    assert all(torch.equal(kept[name].half(), v.half()) for name, v in ship.trained_unet().state_dict().items())
    trained = base.frozen_encoder(len(corpus.tokenizer())).state_dict()
    assert all(torch.equal(v.half(), trained[name].half()) for name, v in encoder.state_dict().items())


def test_word_maps_are_measured_and_leave_no_trace(kitchen):
    pipe = ship.pipeline()
    before = pipe.unet.attn_processors
    rows = word_maps.measure(pipe, steps=(500,), count=3)
    assert pipe.unet.attn_processors == before
    assert rows and all(0 <= v <= 1 for v in rows.values())
    assert word_maps.best(rows)[0].endswith("attn2")


def test_the_exam_asks_every_word_with_seeds_of_its_own_and_the_papers_prompts():
    singles, pairs = exam.singles(), exam.pairs()
    words = {ask.wanted[0][0] for ask, _ in singles}
    for word in words:
        mine = [(ask.prompt, seed) for ask, seed in singles if ask.wanted[0][0] == word]
        assert len({seed for _, seed in mine}) == len({prompt for prompt, _ in mine}) == 8
    assert len(words) == 34 and len(pairs) == 276 * 4 and len({ask.prompt for ask, _ in pairs}) == 276
    assert 0 < sum(not ask.seen for ask, _ in pairs) < len(pairs)


@pytest.mark.parametrize(
    ("found", "leaked"),
    [
        ({"clock": "red", "bench": "blue"}, [False, False]),
        ({"clock": "blue", "bench": "blue"}, [True, False]),
        ({"clock": "blue"}, [True, None]),
        ({"clock": "green", "bench": "red"}, [False, True]),
        ({}, [None, None]),
    ],
)
def test_a_leak_is_the_other_things_colour(found, leaked):
    ask = exam.Ask("a red clock and a blue bench", (("clock", "red"), ("bench", "blue")), "object-object")
    assert exam.leaks(ask, found) == leaked


def test_a_bears_own_brown_is_no_leak():
    ask = exam.Ask("a bear and a brown suitcase", (("bear", None), ("suitcase", "brown")), "animal-object")
    assert exam.leaks(ask, {"bear": "brown", "suitcase": "brown"}) == [None, None]


def test_the_card_sums_rows_up():
    row = {"category": "object-object", "seen": True, "present": [True, False], "colour": [False, None]}
    single = {"category": "single", "seen": True, "present": [True], "colour": [True], "leaked": [None]}
    other = row | {"seen": False, "present": [True, True], "colour": [True, True], "leaked": [False, False]}
    figures = card.rates([single], [row | {"leaked": [True, None]}, other])
    assert figures["276 prompts, both things there"].startswith("0.500")
    assert figures["276 prompts, a thing took the other's colour"].startswith("0.333")
    assert figures["pairs never met, both there"].startswith("1.000")


def test_the_judge_learns_ships_and_has_a_card(kitchen, tmp_path, monkeypatch):
    monkeypatch.setattr(judge_card, "PICTURES", 4)
    monkeypatch.setattr(eye, "LABELS", tmp_path / "none.tsv")
    monkeypatch.setattr(judge, "settle", partial(judge.settle, count=1))
    for number in range(3):
        data.make_shard(data.JUDGE, number)
    judge.train(1, FEW, tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "from 24 scenes" in text and "| pictures | 24 | 24 | 24 |" in text
    (tmp_path / "README.md").unlink()
    judge.card(tmp_path)
    assert (tmp_path / "README.md").read_text() == text
    (kitchen / "judge" / "checkpoint.pt").unlink()
    judge.train(0, FEW, tmp_path, onward=True)
    on = torch.load(kitchen / "judge" / "checkpoint.pt", weights_only=True)["modules"]["judge"]
    assert all(torch.equal(on[name], v) for name, v in load_judge(tmp_path).model.state_dict().items())


def test_the_base_sits_its_exam_once_and_has_a_card(kitchen, tmp_path, monkeypatch):
    singles, pairs = exam.singles()[:3], exam.pairs()[::150]  # some of each kind
    monkeypatch.setattr(exam, "singles", lambda: singles)
    monkeypatch.setattr(exam, "pairs", lambda: pairs)
    monkeypatch.setattr(card.word_maps, "measure", lambda pipe: {("up.attn2", 500, "first"): 0.5})
    monkeypatch.setattr(card.word_maps, "best", lambda rows: ("up.attn2", 500, 0.5, 0.5))
    folder = tmp_path / "clay-base"
    card.write(folder)
    text = (folder / "README.md").read_text()
    assert "single thing with colour and place" in text and dependents.lines(card.RESTS_ON, tmp_path) in text
    assert len((folder / "exam.jsonl").read_text().splitlines()) == len(singles + pairs)
    (log,) = (kitchen / "exam").glob("*.jsonl")
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:5]))  # as a killed run leaves it
    rows = exam.sit(ship.load(folder), singles + pairs, log)
    assert [(r["prompt"], r["seed"]) for r in rows] == [(ask.prompt, seed) for ask, seed in singles + pairs]
    assert len(log.read_text().splitlines()) == len(singles + pairs)
    monkeypatch.delattr(card, "_samples")  # what ships is enough
    card.again(folder)
    assert (folder / "README.md").read_text() == text


def test_pictures_are_drawn_for_the_eye_without_their_prompts(kitchen, tmp_path, monkeypatch):
    monkeypatch.setattr(eye, "jobs", lambda: eye_jobs[:3])
    eye_jobs = [(ask, 1000 + k) for k, (ask, _) in enumerate(exam.singles())]
    folder = ship.save(tmp_path / "clay-base")
    out = eye.draw(folder)
    assert [p.name for p in out.glob("*.png")] == ["sheet-000.png"]
    made_by, labels = eye.read(out / "labels.tsv")
    assert made_by == dependents.facts((*shipped.PAINTED_BY, "defaults"), tmp_path)
    assert [(label.prompt, label.seed) for label in labels] == [(ask.prompt, seed) for ask, seed in eye_jobs[:3]]
    assert all(label.things == {} and label.fingers is None for label in labels)


def test_the_eyes_pictures_are_spread_over_the_exam_and_are_none_of_it():
    asked = eye.jobs()
    sat = {(ask.prompt, seed) for ask, seed in exam.singles() + exam.pairs()}
    assert len(asked) == len(set(asked)) == 200 and not {(ask.prompt, seed) for ask, seed in asked} & sat
    assert {ask.category for ask, _ in asked} == {ask.category for ask, _ in exam.singles() + exam.pairs()}
    assert len({ask.wanted[0][0] for ask, _ in asked if ask.category == "single"}) == 34


def test_eye_and_judge_are_compared_question_by_question():
    labels = [
        eye.Label("a black cat and a dog", 1, {"cat": "black"}, None),
        eye.Label("a hand showing two fingers", 2, {"hand": "pink"}, 2),
    ]
    sights = [
        Detections((Detection("cat", "gray", 0.2, 0.9), Detection("crown", "yellow", 0.1, 0.9))),
        Detections((Detection("hand", "pink", 0.3, 0.9),), fingers=3),
    ]
    counted = eye.answers(labels, sights)
    assert counted == {"there": [True, False, True, True], "colour": [False, True], "fingers": [False]}
    assert "| all answers | 7 | 0.571" in eye.table(counted)


def test_labels_name_things_and_colours_that_exist(tmp_path):
    path = tmp_path / "labels.tsv"
    path.write_text(
        '# {"clay-base/unet": "abc"}\nnumber\tprompt\tseed\tthings\tfingers\n7\ta cat\t3\tblack cat, red unicorn\t\n'
    )
    with pytest.raises(ValueError, match="number=7: things='red unicorn'"):
        eye.read(path)
    path.write_text(
        '# {"clay-base/unet": "abc"}\nnumber\tprompt\tseed\tthings\tfingers\n7\ta cat\t3\tblack cat, tawny lion\t2\n'
    )
    assert eye.read(path) == ({"clay-base/unet": "abc"}, [eye.Label("a cat", 3, {"cat": "black", "lion": "tawny"}, 2)])
    with pytest.raises(ValueError, match="label anew"):
        eye.measure(None, path=path)
