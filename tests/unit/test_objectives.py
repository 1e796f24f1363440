"""The shared noise objective, and what the loop does with half precision, a watch, and no average."""

import math
import signal

import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler

from course_utils.objectives import add_noise, noise_loss, prediction_error
from course_utils.training import Loop, Plan

NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
Z = torch.linspace(-1, 1, 2 * 3 * 4 * 5, dtype=torch.float64).reshape(2, 3, 4, 5)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", [DDIMScheduler, EulerDiscreteScheduler])
def test_the_noise_itself_is_the_right_model(kind):
    scheduler, steps = kind(**NOISE), torch.tensor([10, 900])
    share = scheduler.alphas_cumprod[steps].double()[:, None, None, None]

    def right(noisy, t):
        assert torch.equal(t, steps)
        return (noisy - share.sqrt() * Z) / (1 - share).sqrt()

    assert noise_loss(right, Z, scheduler, chance(), steps).max() < 1e-12
    silent = noise_loss(lambda noisy, t: torch.zeros_like(noisy), Z, scheduler, chance(), steps)
    assert silent.shape == (2,) and (silent - 1).abs().max() < 0.6, "of unit noise, unseen, the mean square is left"


def test_draws_are_the_generators_and_weights_are_min_snr():
    scheduler = DDIMScheduler(**NOISE)
    asked = []

    def model(noisy, t):
        asked.append((noisy, t))
        return torch.zeros_like(noisy)

    plain = noise_loss(model, Z, scheduler, chance(1))
    capped = noise_loss(model, Z, scheduler, chance(1), snr_gamma=5.0)
    other = noise_loss(model, Z, scheduler, chance(2))
    assert torch.equal(asked[0][0], asked[1][0]) and not torch.equal(plain, other)
    alpha = scheduler.alphas_cumprod[asked[0][1]]
    snr = alpha / (1 - alpha)
    assert torch.allclose(capped, plain * torch.minimum(snr, torch.tensor(5.0)) / snr)


def test_noise_loss_is_noise_and_then_the_error_of_the_model():
    scheduler = DDIMScheduler(**NOISE)
    noisy, steps, noise = add_noise(Z, scheduler, chance(1))
    model = lambda noisy, t: 0.5 * noisy  # noqa: E731
    error = prediction_error(model, noisy, steps, noise, scheduler, snr_gamma=5.0)
    assert torch.equal(error, noise_loss(model, Z, scheduler, chance(1), snr_gamma=5.0))
    assert (
        prediction_error(model, noisy, steps, 0.5 * noisy, scheduler, snr_gamma=5.0).max() == 0
    )  # any target will do


def test_other_targets_are_refused():
    with pytest.raises(ValueError, match="prediction_type='v_prediction'"):
        noise_loss(None, Z, DDIMScheduler(**NOISE, prediction_type="v_prediction"), chance())


def fit(folder, stop=None, **plan):
    """Fit a line; give its weights."""
    line = torch.nn.Linear(3, 1)
    with torch.no_grad():
        line.weight.fill_(0.1), line.bias.zero_()
    x = torch.linspace(-1, 1, 12).reshape(4, 3)
    choose = lambda modules, rate: [torch.optim.AdamW(modules[0].parameters(), lr=rate)]  # noqa: E731
    plan = Plan(steps=6, learning_rate=0.05, warmup_steps=1, save_every_s=0, **plan)
    loop = Loop(folder, {"line": line}, plan, choose=choose)
    seen = []

    def watch(loss):
        seen.append(loss)
        return len(seen) == stop

    loop.run(lambda step: (line(x) - x.sum(1, keepdim=True) * (1 + step)).pow(2).mean(), watch=watch)
    return loop, seen


def test_scaled_loss_takes_the_same_steps(tmp_path):
    plain, seen = fit(tmp_path / "a", ema_steps=3)
    scaled, also = fit(tmp_path / "b", ema_steps=3, fp16=True)
    assert len(seen) == 6 and seen == pytest.approx(also, rel=1e-5)
    assert torch.allclose(plain.modules["line"].weight, scaled.modules["line"].weight, atol=1e-6)
    assert scaled.scaler.is_enabled() and not plain.scaler.is_enabled()


def test_a_scaled_run_resumes_with_its_scale(tmp_path):
    fit(tmp_path / "a", stop=3, ema_steps=3, fp16=True)
    kept = torch.load(tmp_path / "a/checkpoint.pt", weights_only=True)
    assert kept["scaler"]["scale"] > 1
    again, seen = fit(tmp_path / "a", ema_steps=3, fp16=True)
    straight, _ = fit(tmp_path / "b", ema_steps=3, fp16=True)
    assert len(seen) == 3 and torch.equal(again.average["line"].weight, straight.average["line"].weight)


def test_watch_stops_and_saves_and_no_memory_means_no_average(tmp_path):
    loop, seen = fit(tmp_path, stop=2, ema_steps=0)
    assert len(seen) == 2 and loop.step == 2 and loop.average["line"] is loop.modules["line"]
    assert torch.load(loop.path, weights_only=True)["step"] == 2


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_ends_the_run_and_keeps_what_was_before(tmp_path, value):
    line = torch.nn.Linear(3, 1)
    loop = Loop(tmp_path, {"line": line}, Plan(steps=6, learning_rate=0.25, save_every_s=1e9, ema_steps=2))
    weights = []

    def loss_of(step):
        weights.append(line.weight.detach().clone())
        return line(torch.ones(3)).sum() * (value if step == 3 else 1.0)

    with pytest.raises(FloatingPointError, match="loss is .* at step 4.* up to step 3 is in .*learning rate 0.25 is"):
        loop.run(loss_of)
    assert loop.step == 3 and torch.equal(line.weight, weights[-1]) and line.weight.isfinite().all()
    kept = torch.load(loop.path, weights_only=True)
    assert kept["step"] == 3 and torch.equal(kept["modules"]["line"]["weight"], weights[-1])


def test_weights_that_are_no_numbers_are_not_kept(tmp_path):
    line = torch.nn.Linear(3, 1)
    loop = Loop(tmp_path, {"line": line}, Plan(steps=6, save_every_s=1e9))
    broken = lambda step: line(torch.ones(3)).sum() * (1 if step < 2 else line.weight.data.fill_(math.nan).sum())  # noqa: E731
    with pytest.raises(FloatingPointError, match="at step 3, so training ends; nothing is kept"):
        loop.run(broken)
    assert not loop.path.exists()


def test_an_interrupt_finishes_the_step_and_saves_and_a_second_one_breaks_off(tmp_path):
    line = torch.nn.Linear(3, 1)
    before = signal.getsignal(signal.SIGINT)
    for folder, times in ((tmp_path / "once", 1), (tmp_path / "twice", 2)):
        loop = Loop(folder, {"line": line}, Plan(steps=6, save_every_s=1e9))

        def loss_of(step, times=times):
            for _ in range(times if step == 2 else 0):
                signal.raise_signal(signal.SIGINT)
            return line(torch.ones(3)).sum()

        if times == 1:
            assert loop.run(loss_of) is False and torch.load(loop.path, weights_only=True)["step"] == 3
        else:
            with pytest.raises(KeyboardInterrupt):
                loop.run(loss_of)
            assert loop.step == 2
        assert signal.getsignal(signal.SIGINT) is before
