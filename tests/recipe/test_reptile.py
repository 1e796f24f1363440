"""Where few steps begin: a start is found, resumed, and learned from."""

import pytest
import torch

from course_utils import catalog, personalize
from course_utils.clay import vocabulary as words
from course_utils.personalize.subjects import TRAIN
from course_utils.recipe import reptile
from tests.tiny import models
from tests.tiny.learning import SMALL, TRIGGER, Killed, kill_at, pictures, same


@pytest.fixture(scope="module")
def pipe(tmp_path_factory):
    return catalog.load("text2img", folder=models.build_clay_folder(tmp_path_factory.mktemp("base")))


def subjects():
    return [
        personalize.Subject(word, [personalize.Example(p) for p in pictures(2, turn=turn)])
        for word, turn in (("dragon", 0.0), ("teapot", 0.5))
    ]


def test_way_comes_back_and_its_gradient_is_the_way(pipe):
    param = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    config = reptile.ReptileConfig(max_train_steps=1, learning_rate=0.5, inner_steps=3, inner_learning_rate=0.1)
    half = reptile.reptile_loss([param], lambda: (param**2).sum(), config)
    assert param.tolist() == [1.0, -2.0]
    half.backward()
    straight = torch.nn.Parameter(param.detach().clone())
    optimizer = torch.optim.AdamW([straight], lr=0.1, betas=(0.9, 0.99), weight_decay=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        (straight**2).sum().backward()
        optimizer.step()
    assert torch.allclose(param.grad, param.detach() - straight.detach(), atol=1e-9)


def test_few_steps_from_a_good_start(pipe, tmp_path):
    config = reptile.ReptileConfig(
        **{**SMALL, "learning_rate": 0.5, "ema_steps": 0, "max_train_steps": 3}, rank=2, inner_steps=2
    )
    start = reptile.good_start(pipe, subjects(), config=config, folder=tmp_path / "start")
    assert start.about.seen == ("dragon", "teapot") and start.about.method == "start"
    with pytest.raises(Killed):
        reptile.good_start(pipe, subjects(), config=config, watch=kill_at(1), folder=tmp_path / "again")
    again = reptile.good_start(pipe, subjects(), config=config, folder=tmp_path / "again")
    assert same(again.tensors, start.tensors)

    few = personalize.FewStepConfig(**{**SMALL, "ema_steps": 0, "max_train_steps": 2, "learning_rate": 1e-3})
    lora = personalize.few_step(pipe, pictures(1), TRIGGER, start, few, folder=tmp_path / "few")
    moved = max(float((lora.tensors[name] - start.tensors[name]).abs().max()) for name in lora.tensors)
    assert 0 < moved < 3 * 2e-3, "two steps of Adam go about two rates far"
    assert (lora.about.method, lora.about.steps, lora.about.rank) == ("few_step", 2, 2)

    with pytest.raises(ValueError, match="start has seen 'dragon'"):
        personalize.few_step(pipe, pictures(), "sks dragon", start, few)
    with pytest.raises(ValueError, match="must begin with the start's word, 'sks'"):
        personalize.few_step(pipe, pictures(), "zwx robot", start, few)
    with pytest.raises(ValueError, match="start was made by 'few_step'"):
        personalize.few_step(pipe, pictures(), TRIGGER, lora, few)
    with pytest.raises(ValueError, match="subjects is empty"):
        reptile.good_start(pipe, [], config=config)


def test_domain_leaves_the_class_out():
    kept = reptile.domain("robot", height=16, width=16)
    assert {one.word for one in kept} == set(words.HELD_OUT) - {"robot"} and len(kept) == 10
    assert len({one.name for one in kept}) == 10 and all(len(one.train) == TRAIN for one in kept)
    with pytest.raises(ValueError, match="not held out"):
        reptile.domain("cat")
