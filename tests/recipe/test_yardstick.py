"""The yardstick: a distance that is right on distributions whose answer is known, and a network that learns."""

import numpy as np
import pytest
import torch

from course_utils.recipe import yardstick


def _normal(mean, spread, count=4000, seed=0):
    return mean + np.random.default_rng(seed).normal(size=(count, 3)) * spread


def test_the_distance_of_two_normal_distributions_is_the_formula_s():
    """|m1 - m2|^2 + sum (s1 - s2)^2 where the covariances are diagonal."""
    found = yardstick.frechet(_normal(0, 1), _normal((1, 0, 0), (1, 2, 3), seed=1))
    assert found == pytest.approx(1 + 0 + 1 + 4, rel=0.08)
    assert yardstick.frechet(_normal(0, 1), _normal(0, 1)) == pytest.approx(0, abs=1e-9)


def test_the_distance_agrees_with_the_matrix_root():
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(50, 8)) @ rng.normal(size=(8, 8)), rng.normal(size=(60, 8))
    a, b = np.cov(first.T), np.cov(second.T)
    root = np.real(sqrtm(a @ b))
    plain = ((first.mean(0) - second.mean(0)) ** 2).sum() + np.trace(a + b - 2 * root)
    assert yardstick.frechet(first, second) == pytest.approx(plain, rel=1e-6)


def test_the_interval_holds_the_distance_and_widens_with_fewer_pictures():
    few, many = (yardstick.distance(_normal(0, 1, n), _normal(1, 1, n, seed=2), draws=50) for n in (60, 4000))
    for found in (few, many):
        assert found.low < found.value < found.high
    assert few.high - few.low > 3 * (many.high - many.low)


def test_sharpness_falls_with_blur():
    hard = np.zeros((2, 16, 64, 3), np.uint8)
    hard[:, :, 32:] = 255
    soft = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, None, :, None], 3, -1).repeat(2, 0).repeat(16, 1)
    assert (yardstick.sharpness(hard) > 0.5).all() and (yardstick.sharpness(soft) < 0.03).all()


def test_features_do_not_depend_on_the_rest_of_the_batch():
    torch.manual_seed(0)
    net = yardstick.Onlooker().eval()
    pictures = np.random.default_rng(0).integers(0, 256, (3, 256, 256, 3), dtype=np.uint8)
    together = yardstick.features(net, pictures)
    assert together.shape == (3, 384) and np.allclose(together[1:2], yardstick.features(net, pictures[1:2]), atol=1e-5)
