"""What shall not be forgotten: the base's own answers, held while a subject is learned."""

from dataclasses import replace

import pytest
import torch

from course_utils import catalog, env, personalize
from course_utils.personalize import batches
from course_utils.personalize.batches import PreservationLoss, encode_examples
from course_utils.personalize.presets import KNOWN
from course_utils.personalize.runs import step_generator
from course_utils.recipe.tables import personal
from course_utils.training import autocast
from tests.tiny import models
from tests.tiny.learning import DREAMBOOTH, LORA, TRIGGER, Killed, guess, kill_at, pictures, same, state

pytestmark = pytest.mark.slow  # it trains or paints for more than ten seconds in all

ASKS = ("a cat", "a red ball", "a dog")
HELD = replace(LORA, prior_loss_weight=1.0, prior_kind="answers", num_class_images=20, class_prompts=ASKS)


@pytest.fixture(scope="module")
def pipe(tmp_path_factory):
    return catalog.load("text2img", folder=models.build_clay_folder(tmp_path_factory.mktemp("base")))


@pytest.fixture
def subject(pipe):
    return encode_examples(pipe, personalize.gather(pictures(), TRIGGER, 64, 96), HELD.random_flip)


def test_answers_are_the_bases_own_at_all_noise_levels(pipe, subject):
    captions = batches.prior_captions(TRIGGER, HELD)
    assert captions[:4] == [*ASKS, "a cat"] and len(captions) == 20
    given = batches.base_answers(pipe, captions, subject)
    assert sorted(given.steps.tolist()) == list(range(0, 1000, 50)) and given.steps[0] != 0
    for row in (0, 7, 19):
        words = pipe.encode_prompt([captions[row]], "cpu", 1, False)[0]
        with torch.no_grad(), autocast(torch.device("cpu")):  # as the training sees it
            own = pipe.unet(given.noisy[row, None], given.steps[row, None], words, return_dict=False)[0]
        assert torch.allclose(given.predictions[row, None], own.float(), atol=2e-2 if env.native_bfloat16() else 1e-5)
    noisy, steps, predictions, captions_drawn = given.draw(5, step_generator(0, 0))
    for latents, step, answer, text in zip(noisy, steps, predictions, captions_drawn, strict=True):
        (row,) = [k for k in range(20) if given.steps[k] == step]
        assert (
            torch.equal(latents, given.noisy[row])
            and torch.equal(answer, given.predictions[row])
            and text == captions[row]
        )
    again, other = (batches.base_answers(pipe, captions, subject, seed) for seed in (0, 1))
    assert torch.equal(again.noisy, given.noisy) and not torch.equal(other.noisy, given.noisy)


def test_what_has_learned_nothing_pays_nothing_for_what_is_kept(pipe, subject):
    alone = PreservationLoss(pipe, subject, None, HELD)
    kept = PreservationLoss(
        pipe, subject, batches.base_answers(pipe, batches.prior_captions(TRIGGER, HELD), subject), HELD
    )
    with personalize.injected(pipe, HELD) as named:  # B is zero: the base itself
        pair = [float(loss(pipe.unet, step_generator(0, 0), 2).detach()) for loss in (alone, kept)]
        assert pair[1] == pytest.approx(pair[0], rel=1e-3)
        for p in named.values():
            p.data.add_(0.3)
        pair = [float(loss(pipe.unet, step_generator(0, 0), 2).detach()) for loss in (alone, kept)]
        assert pair[1] > pair[0] * 1.01


@pytest.mark.parametrize("whole", [False, True], ids=["lora", "dreambooth"])
def test_what_is_kept_moves_less(pipe, whole, tmp_path):
    base, moved = {text: guess(pipe, text) for text in (*ASKS, f"a {TRIGGER}")}, {}
    for weight in (0.0, 10.0):
        more = {
            "max_train_steps": 40,
            "prior_loss_weight": weight,
            "prior_kind": "answers",
            "num_class_images": 60,
            "class_prompts": ASKS,
        }
        if whole:
            config = replace(DREAMBOOTH, **more | {"learning_rate": 1e-3})
            tuned = personalize.dreambooth(pipe, pictures(), TRIGGER, config, folder=tmp_path / f"{weight}")
            on = personalize.swapped(pipe, tuned)
        else:
            lora = personalize.lora(pipe, pictures(), TRIGGER, replace(LORA, **more), folder=tmp_path / f"{weight}")
            on = personalize.attached(pipe, lora)
        with on:
            moved[weight] = {text: float((guess(pipe, text) - own).norm()) for text, own in base.items()}
    assert all(moved[10.0][text] < 0.7 * moved[0.0][text] for text in ASKS), moved
    assert moved[10.0][f"a {TRIGGER}"] > 0


@pytest.mark.parametrize("text_encoder", [False, True], ids=["unet", "text"])
def test_killed_run_goes_on_to_the_same_result(pipe, text_encoder, tmp_path):
    config, before = replace(HELD, train_text_encoder=text_encoder), state(pipe.unet)
    straight = personalize.lora(pipe, pictures(), TRIGGER, config, folder=tmp_path / "straight")
    with pytest.raises(Killed):
        personalize.lora(pipe, pictures(), TRIGGER, config, kill_at(2), tmp_path / "killed")
    again = personalize.lora(pipe, pictures(), TRIGGER, config, folder=tmp_path / "killed")
    assert same(straight.tensors, again.tensors) and same(state(pipe.unet), before)
    free = personalize.lora(
        pipe, pictures(), TRIGGER, replace(config, prior_loss_weight=0.0), folder=tmp_path / "free"
    )
    assert not same(straight.tensors, free.tensors)


def test_photo_lane_keeps_in_its_dtype(tmp_path):
    photo = catalog.load("text2img", lane="sd15", folder=models.build_sd15_hub(tmp_path, "some/model", "0" * 40))
    lora = personalize.lora(photo, pictures(), TRIGGER, HELD, folder=tmp_path / "run")
    assert all(t.dtype == torch.float32 and t.isfinite().all() for t in lora.tensors.values())
    assert all(b.abs().max() > 0 for _, b in lora.pairs().values())


@pytest.mark.parametrize("kind", ["pictures", "answers"])
def test_what_is_kept_needs_words(pipe, kind, tmp_path):
    config = replace(HELD, prior_kind=kind, num_class_images=1, class_prompts=())
    with pytest.raises(ValueError, match="'sks' names no class"):
        personalize.lora(pipe, pictures(), "sks", config, folder=tmp_path / "a")
    assert batches.prior_captions(TRIGGER, config) == ["a robot"]


def test_unknown_kind(pipe, tmp_path):
    with pytest.raises(ValueError, match="prior_kind='photos' is unknown; use one of 'pictures', 'answers'"):
        personalize.lora(pipe, pictures(), TRIGGER, replace(HELD, prior_kind="photos"), folder=tmp_path)


def test_tables_ask_for_nothing_that_is_kept():
    asked = {thing for _, thing, _ in (*personal.BESIDE, *personal.OTHERS)} | {personal.STAND_IN}
    assert not asked & set(" ".join(KNOWN).split())
    assert not catalog.unknown_words(" ".join(KNOWN), "clay"), "the base must know what it shall keep"
