"""The LoRAs that ship and the tables of lesson 08, made with tiny models: what is asked, counted and kept."""

import json
from dataclasses import replace

import pytest
import torch

from course_utils import catalog, env, judge, personalize, results
from course_utils.clay import vocabulary as words
from course_utils.judge import network
from course_utils.personalize import presets, pretrained
from course_utils.recipe import data, dependents, loras, reptile
from course_utils.recipe.tables import __main__ as command
from course_utils.recipe.tables import interference, making, personal
from course_utils.recipe.tables import likeness as knobs
from course_utils.results import personal as results_personal
from tests.tiny import models
from tests.tiny.learning import DREAMBOOTH, LORA, SMALL, pictures

pytestmark = pytest.mark.slow  # it trains or paints for more than ten seconds in all

FEW = {**SMALL, "max_train_steps": 2, "ema_steps": 0}
CONFIGS = {
    "lora": replace(LORA, max_train_steps=2, rank=2),
    "dreambooth": replace(DREAMBOOTH, max_train_steps=2, class_prompts=("a cat",)),
    "few_step": personalize.FewStepConfig(**{**FEW, "max_train_steps": 1}),
}
START = reptile.ReptileConfig(**{**FEW, "learning_rate": 0.5}, inner_steps=1, rank=2)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A tiny family with its LoRAs, made by the recipe's stage; one seed, one prompt, two subjects."""
    folder, patch = tmp_path_factory.mktemp("assets"), pytest.MonkeyPatch()
    base = models.build_clay_folder(folder / "models/clay-base")
    patch.setattr(env, "ASSETS", folder)
    patch.setattr(data, "SHIPPED", base)
    patch.setenv("COURSE_CACHE", str(folder / "cache"))
    small = {"num_inference_steps": 2, "guidance_scale": 4.0, "height": 64, "width": 96}
    patch.setitem(catalog.calls.DEFAULTS, "clay", small)
    patch.setitem(presets.PRESETS, "clay", CONFIGS)
    given = [personalize.Example(one) for one in pictures(2)]
    subject = lambda word, *rest, **size: personalize.Subject(word, given)  # noqa: E731
    for module, name, value in (
        (pretrained, "RANK", 2), (pretrained, "NAMES", ("robot", "dragon", "pencil", "start-robot", "start-dragon")),
        (pretrained, "SUBJECTS", {"robot": "orange", "dragon": "purple"}), (pretrained, "subject", subject),
        (pretrained, "style_examples", lambda style, height, width: given), (personalize, "subject", subject),
        (reptile, "CONFIG", START), (reptile, "domain", lambda word, height, width: [subject("teapot")]),
        (loras, "SEEDS", 2),
        (personal, "SEEDS", 1), (personal, "BESIDE", personal.BESIDE[:1]), (personal, "OTHERS", personal.OTHERS[:1]),
        (interference, "PAIRS", (("robot", "dragon"),)), (interference, "SEEDS", 1),
    ):  # fmt: skip
        patch.setattr(module, name, value)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        bars = dict.fromkeys((*words.THINGS, judge.RAISED_HAND), judge.Threshold(0.0, 0.0))
        lenient = judge.Trained(network.ready(network.Judge()), bars)
    patch.setattr(judge, "load", lambda: lenient)
    catalog.release()
    loras.train(10)
    yield folder
    catalog.release()
    patch.undo()


def row(way="LoRA", facet=personal.SUBJECT, word="robot", hit=True, found=(), seconds=1.0, size=100):
    cost = {"seconds": seconds, "bytes": size, "steps": 300}
    return {"word": word, "way": way, "facet": facet, "hit": hit, "found": dict.fromkeys(found), **cost}


def test_what_is_asked():
    known = {prompt.split(maxsplit=1)[1] for prompt in presets.KNOWN}
    asked = {facet: personal.asks("robot", facet, "sks robot") for facet in personal.FACETS}
    assert [len(asks) for asks in asked.values()] == [loras.SEEDS, 4 * personal.SEEDS, 4 * personal.SEEDS]
    assert asked[personal.SUBJECT][0][0].wanted == (("robot", "orange"),)
    beside = asked[personal.WITH][0][0]
    assert beside.prompt == "a sks robot and a red ball in the garden"
    assert beside.wanted == (("robot", "orange"), ("ball", "red")), "the subject must be there, too"
    assert personal.asks("robot", personal.WITH, "cat")[0][0].wanted == (("cat", None), ("ball", "red"))
    others = [ask.prompt for ask, _ in asked[results_personal.OTHER]]
    assert not {prompt.split(maxsplit=1)[1] for prompt in others} & known and "an orange lion in the desert" in others
    assert not any(catalog.unknown_words(prompt, "clay") for prompt in others)


def test_counts_are_what_they_are_called():
    rows = [row(), row(hit=False, word="dragon", seconds=3.0, size=90), row(facet=personal.WITH)]
    rows += [
        row(facet=results_personal.OTHER, found=("robot",)),
        row(personal.LORA, results_personal.OTHER, "dragon", found=("robot",), seconds=3.0),
    ]
    told = results_personal.result_of(rows)
    assert told.rates[personal.SUBJECT].value == 0.5 and told.rates[personal.WITH].value == 1
    assert told.intruded.value == 0.5, "a robot is no intruder where the dragon was learned"
    assert (told.seconds, told.bytes, told.steps) == (2.0, 100, 300)
    with pytest.raises(ValueError, match="rows is empty"):
        results_personal.result_of([])


def test_settings_are_plain_and_name_the_knobs():
    for table in (*personal.TABLES.values(), *interference.TABLES.values()):
        assert json.dumps(table.settings) and table.models == personal.MODELS
    knobs = personal.TABLES["personal"].settings["knobs"]
    assert set(knobs) == set(personal.WAYS[1:])
    kept, free = (personalize.LoraTrainingConfig(**knobs[way]) for way in (personal.LORA, personal.FREE))
    assert kept.prior_loss_weight > 0
    assert free == replace(kept, prior_loss_weight=0.0, train_batch_size=2 * kept.train_batch_size)
    whole, held = (personalize.DreamBoothConfig(**knobs[way]) for way in (personal.WHOLE, personal.HELD))
    assert held == replace(whole, prior_kind=kept.prior_kind, num_class_images=kept.num_class_images)
    few, plain, fast = (knobs[way] for way in ("10 steps", *personal.SHORT))
    assert few["learning_rate"] == plain["learning_rate"] == pytest.approx(fast["learning_rate"] / 3)
    assert few["max_train_steps"] == plain["max_train_steps"] == fast["max_train_steps"]


def test_the_stage_ships_all_of_them_with_a_card(place):
    folder = place / "models/clay-loras"
    assert {path.stem for path in folder.glob("*.safetensors")} == set(pretrained.NAMES)
    pipe = catalog.load("text2img", "clay")
    for name in pretrained.NAMES:
        lora = pretrained.load(name, pipe)
        assert lora.about.trigger == pretrained.trigger_of(name) and lora.about.rank == 2
        assert lora.about.steps == loras.config_of(name).max_train_steps
    card = (folder / "README.md").read_text()
    assert "| start-robot | sks | 2 | 2 |" in card and "clay-loras" not in dependents.strangers(place / "models")
    rows = [json.loads(line) for line in (folder / "found.jsonl").read_text().splitlines()]
    assert len(rows) == 2 * 2 and {"prompt", "seed", "hit", "found"} == set(rows[0])


def test_what_ships_for_this_base_is_not_learned_again(place, monkeypatch):
    monkeypatch.setattr(loras, "learn", None)
    (place / "models/clay-loras/README.md").unlink()
    loras.train(10)
    assert (place / "models/clay-loras/README.md").exists()


def test_a_lora_that_does_not_ship_is_named(place):
    pipe = catalog.load("text2img", "clay")
    path = pretrained.path_of("pencil", pipe)
    kept = path.rename(path.with_suffix(".away"))
    with pytest.raises(FileNotFoundError, match=r"No pencil.safetensors ships.*STAGE=loras"):
        pretrained.load("pencil", pipe)
    kept.rename(path)
    with pytest.raises(ValueError, match="name='teapots' is no LoRA"):
        pretrained.load("teapots", pipe)


def test_on_sd15_it_is_learned_once_and_kept(place, monkeypatch):
    pipe, learned = catalog.load("text2img", "clay"), []
    lora = pretrained.load("robot", pipe)
    monkeypatch.setattr(pretrained, "train", lambda *told: learned.append(told) or lora)
    for _ in (1, 2):
        again = pretrained.load("dragon", pipe, "sd15")
    assert again.about == lora.about and len(learned) == 1 and learned[0][2] == "sd15"
    assert pretrained.path_of("dragon", pipe, "sd15").parent == place / "cache/personalize"


def test_each_way_learns_and_is_asked_the_same(place):
    jobs = {key: job for key, job in personal._jobs().items() if job[0] == "robot"}
    table = making.Table("personal", personal.MODELS[:1], lambda: jobs, personal._measure, {})
    assert making.make(table, place / "results")
    made = results.read("personal", place / "results")
    for way in personal.WAYS:
        rows = made.where(way=way)
        assert [r["facet"] for r in rows] == [personal.SUBJECT] * 2 + [personal.WITH, results_personal.OTHER]
    lora, whole = (made.where(way=way)[0] for way in ("LoRA", "DreamBooth"))
    few, short = ([made.where(way=way)[0] for way in ways] for ways in (personal.FEW, personal.SHORT))
    assert {lora["bytes"]} == {one["bytes"] for one in few + short} and whole["bytes"] > lora["bytes"]
    assert [one["steps"] for one in few + short] == [5, 10, 15, 10, 10]
    assert "with a cat" not in made.rows[0]["prompt"] and made.where(way="base")[2]["prompt"].startswith("a cat and")
    told = results_personal.report(made.rows)
    assert len(told.splitlines()) == 2 + len(personal.WAYS) and "DreamBooth" in told
    few = results_personal.report(made.rows, ["base", "LoRA"]).splitlines()
    assert [line.split()[0] for line in few[2:]] == ["base", "LoRA"]


def test_the_grid_of_knobs_measures_likeness_and_obedience(place, monkeypatch):
    for name, value in (("RANKS", (1, 2)), ("STEPS", (2,)), ("WEIGHTS", (0.5, 1.0)), ("OTHER_SEEDS", 1)):
        monkeypatch.setattr(knobs, name, value)
    table = making.Table("likeness", personal.MODELS[:1], knobs._jobs, knobs._measure, {})
    assert making.make(table, place / "results")
    rows = results.read("likeness", place / "results").rows
    told = results_personal.by_knobs(rows)
    assert set(told) == {(rank, 2, weight) for rank in (1, 2) for weight in (0.5, 1.0)}
    assert all(0 <= like.value <= 1 and 0 <= hits.value <= 1 for like, hits in told.values())
    assert {"shape", "parts"} < set(rows[0]) and rows[0]["bytes"] * 2 == rows[-1]["bytes"]


def test_interference_has_its_sixteen_fields(place):
    table = command.find("interference")
    table = making.Table("interference", personal.MODELS[:1], table.jobs, table.measure, {})
    assert making.make(table, place / "results")
    rows = results.read("interference", place / "results").where(pair="robot + dragon")
    found = results_personal.matrix(rows)
    assert list(found) == ["none", "robot", "dragon", "both"] and all(len(line) == 4 for line in found.values())
    assert all(0 <= value <= 1 for line in found.values() for value in line.values())


def test_interference_paints_every_cell_with_the_same_seeds(place):
    pipe, settings = catalog.load("text2img", "clay"), catalog.defaults("clay")
    two = {word: pretrained.load(word, pipe, "clay") for word in ("robot", "dragon")}
    score = lambda picture, prompt: sum(picture.getpixel((48, 32))) + len(prompt)  # noqa: E731
    rows = interference.interference(pipe, two, score, ["a cat", "a sks robot"], seeds=(0, 5), **settings)
    assert len(rows) == 4 * 2 * 2 and {row["on"] for row in rows} == {"none", "robot", "dragon", "both"}
    plain = pipe("a cat", generator=torch.Generator().manual_seed(5), **settings).images[0]
    (bare,) = [row for row in rows if (row["on"], row["prompt"], row["seed"]) == ("none", "a cat", 5)]
    assert bare["score"] == score(plain, "a cat")
    same_cell = [row["score"] for row in rows if (row["on"], row["prompt"]) == ("both", "a cat")]
    assert results_personal.matrix(rows)["both"]["a cat"] == sum(same_cell) / 2
    with pytest.raises(ValueError, match="has 1 LoRAs; give two"):
        interference.interference(pipe, {"robot": two["robot"]}, score, ["a cat"])
