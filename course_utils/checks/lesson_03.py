"""Exercises of lesson 03: inverse depth, stretched and laid beside the latents, and compared by its order."""

from __future__ import annotations

from typing import Any

from .asking import NotYet, ask, close, exercise, expect, expect_shape, noise

LATENTS = (2, 12, 4, 6)  # not square, so that a slip with axes shows


@exercise("03.1")
def near_is_large(nearness: Any) -> str:
    """`nearness(depth)` gives inverse depth, whose order is that of nearness."""
    import numpy as np

    depth = np.array([[1.0, 2.0, 4.0], [2.5, 5.0, 40.0]])
    given = np.asarray(ask(nearness, depth), float)
    expect_shape(given, depth.shape, "that of the map")
    if np.ptp(given) and abs(np.corrcoef(given.ravel(), (1 / depth).ravel())[0, 1] - 1) < 1e-6:
        return "Of any scale and offset: a depth network gives no more than that, and no more is needed."
    if (np.diff(given.ravel()[np.argsort(depth.ravel())]) > 0).all():
        raise NotYet("Far is large in it: near should be.")
    if np.allclose(np.diff(given, axis=1), -np.diff(depth, axis=1)):
        raise NotYet("The order is right, but the far place takes nearly the whole range: divide, do not subtract.")
    raise NotYet("At twice the distance it should be half as large: 1 m gives 1, 4 m give 0.25.")


@exercise("03.2")
def stretched(stretched: Any) -> str:
    """`stretched(near)` brings a map to -1 for its farthest and 1 for its nearest place."""
    import torch

    near = torch.rand(1, 1, *LATENTS[2:], generator=torch.Generator().manual_seed(0)) * 7 + 3
    above, largest = near - near.min(), near.max()
    unit = above / above.max()
    slips = (
        (unit, "That is 0-1: the UNet was trained with -1 to 1."),
        (1 - 2 * unit, "It is turned round: the nearest place, the largest number, should become 1."),
        (2 * near / largest - 1, "The farthest place stays above -1: take the minimum away first, then divide."),
        (2 * above / largest - 1, "Divide by the range, the maximum less the minimum, not by the maximum."),
    )
    otherwise = "The smallest value should become -1 and the largest 1, the rest in between in proportion."
    expect(ask(stretched, near), 2 * unit - 1, slips, otherwise)
    return "The UNet has never seen another range: a map in 0-1 would look to it as if all were near."


@exercise("03.3")
def one_more_channel(shown: Any) -> str:
    """`shown(latents, plane)` lays the plane beside the latents as their last channel."""
    import torch

    for batch in (LATENTS[0], 3):
        latents, plane = noise(batch, batch, *LATENTS[1:]), noise(9, 1, 1, *LATENTS[2:])
        given = ask(shown, latents, plane)
        if close(given, latents + plane):
            raise NotYet("It adds the depth to the latents: then nobody can tell them apart. Lay it beside them.")
        expect_shape(given, (batch, LATENTS[1] + 1, *LATENTS[2:]), "batch, channel, height, width")
        every = plane.expand(batch, -1, -1, -1)
        if close(given[:, :1], every):
            raise NotYet("The plane is the first channel; the UNet expects it as the last.")
        if not close(given, torch.cat([latents, every], dim=1)):
            raise NotYet("Each of the batch should keep its own latents and get the same plane.")
    return "More channels in, as many out as before: the depth is shown, never painted."


@exercise("03.4")
def order_of_depths(rank_correlation: Any) -> str:
    """`rank_correlation(a, b)` compares the order of two arrays (Spearman, 1904)."""
    import numpy as np
    from scipy.stats import spearmanr

    a, other = np.random.default_rng(0).random((2, 6, 9))
    for what, b in (
        ("a map and a curved copy of it", np.exp(9 * a)), ("a map and its opposite", -(a**3)), ("two maps", a + other)
    ):  # fmt: skip
        given, wanted = float(ask(rank_correlation, a, b)), float(spearmanr(a, b, axis=None).statistic)
        order = [values.ravel().argsort() for values in (a, b)]
        slips = (
            (np.corrcoef(a.ravel(), b.ravel())[0, 1], "these are the values' correlation. Put ranks in their place."),
            (np.corrcoef(*order)[0, 1], "one argsort says who is first, second; a rank is the argsort of that."),
            (abs(wanted), "the sign tells whether near and far are swapped, so keep it."),
        )
        where = f"For {what} it should give {wanted:.3f}, not {given:.3f}: "
        otherwise = f"{where}replace each value by its place in the order, then correlate."
        expect(given, wanted, [(value, where + reason) for value, reason in slips], otherwise)
    return "Scale and offset of a depth map mean nothing, and this measure does not see them."
