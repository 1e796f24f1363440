"""Exercises of lesson 03: inverse depth, stretched and laid beside the latents, and compared by its order."""

from __future__ import annotations

from typing import Any

from .asking import Exercise, NotYet, ask, close

LATENTS = (2, 12, 4, 6)  # not square, so that a slip with axes shows


def near_is_large(nearness: Any) -> str:
    """03.1: `nearness(depth)` gives inverse depth, whose order is that of nearness."""
    import numpy as np

    depth = np.array([[1.0, 2.0, 4.0], [2.5, 5.0, 40.0]])
    given = np.asarray(ask(nearness, depth), float)
    if given.shape != depth.shape:
        raise NotYet(f"A map of shape {depth.shape} should stay one; this has shape {given.shape}.")
    if np.ptp(given) and abs(np.corrcoef(given.ravel(), (1 / depth).ravel())[0, 1] - 1) < 1e-6:
        return "Of any scale and offset: a depth network gives no more than that, and no more is needed."
    if (np.diff(given.ravel()[np.argsort(depth.ravel())]) > 0).all():
        raise NotYet("Far is large in it: near should be.")
    if np.allclose(np.diff(given, axis=1), -np.diff(depth, axis=1)):
        raise NotYet("The order is right, but the far place takes nearly the whole range: divide, do not subtract.")
    raise NotYet("At twice the distance it should be half as large: 1 m gives 1, 4 m give 0.25.")


def stretched(stretched: Any) -> str:
    """03.2: `stretched(near)` brings a map to -1 for its farthest and 1 for its nearest place."""
    import torch

    near = torch.rand(1, 1, *LATENTS[2:], generator=torch.Generator().manual_seed(0)) * 7 + 3
    given, unit = ask(stretched, near), (near - near.min()) / (near.max() - near.min())
    if close(given, 2 * unit - 1):
        return "The UNet has never seen another range: a map in 0-1 would look to it as if all were near."
    slips = {
        "That is 0-1: the UNet was trained with -1 to 1.": unit,
        "It is turned round: the nearest place, the largest number, should become 1.": 1 - 2 * unit,
        "Dividing by the maximum leaves the farthest place above -1: take the minimum away first.": 2
        * near
        / near.max()
        - 1,
        "Divide by the range, the maximum less the minimum, not by the maximum.": 2 * (near - near.min()) / near.max()
        - 1,
    }
    for reason, slip in slips.items():
        if close(given, slip):
            raise NotYet(reason)
    raise NotYet("The smallest value should become -1 and the largest 1, the rest in between in proportion.")


def one_more_channel(shown: Any) -> str:
    """03.3: `shown(latents, plane)` lays the plane beside the latents as their last channel."""
    import torch

    draw = torch.Generator().manual_seed(1)
    for batch in (LATENTS[0], 3):
        latents, plane = (torch.randn(n, c, *LATENTS[2:], generator=draw) for n, c in ((batch, LATENTS[1]), (1, 1)))
        given, wanted = ask(shown, latents, plane), (batch, LATENTS[1] + 1, *LATENTS[2:])
        if close(given, latents + plane):
            raise NotYet("It adds the depth to the latents: then nobody can tell them apart. Lay it beside them.")
        if tuple(given.shape) != wanted:
            raise NotYet(f"It should have shape {wanted}, batch, channel, height, width; it has {tuple(given.shape)}.")
        if close(given[:, :1], plane.expand(batch, -1, -1, -1)):
            raise NotYet("The plane is the first channel; the UNet expects it as the last.")
        if not close(given, torch.cat([latents, plane.expand(batch, -1, -1, -1)], dim=1)):
            raise NotYet("Each of the batch should keep its own latents and get the same plane.")
    return "More channels in, as many out as before: the depth is shown, never painted."


def order_of_depths(rank_correlation: Any) -> str:
    """03.4: `rank_correlation(a, b)` compares the order of two arrays (Spearman, 1904)."""
    import numpy as np

    draw = np.random.default_rng(0)
    a, other = draw.random((2, 6, 9))
    for what, b, wanted in (
        ("a map and a curved copy of it", np.exp(9 * a), 1.0),
        ("a map and its opposite", -(a**3), -1.0),
        ("two maps", a + other, _spearman(a, a + other)),
    ):
        given = float(ask(rank_correlation, a, b))
        if abs(given - wanted) < 1e-6:
            continue
        where = f"For {what} it should give {wanted:.3f}, not {given:.3f}"
        if abs(given - np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 1e-6:
            raise NotYet(f"{where}: that is the correlation of the values. Put their ranks in their place.")
        if abs(given - np.corrcoef(a.ravel().argsort(), b.ravel().argsort())[0, 1]) < 1e-6:
            raise NotYet(f"{where}: one argsort says who is first, second, third; a rank is the argsort of that.")
        if abs(given - abs(wanted)) < 1e-6:
            raise NotYet(f"{where}: the sign tells whether near and far are swapped, so keep it.")
        raise NotYet(f"{where}: replace each value by its place in the order, then correlate.")
    return "Scale and offset of a depth map mean nothing, and this measure does not see them."


def _spearman(a: Any, b: Any) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b, axis=None).statistic)


EXERCISES: dict[str, Exercise] = {
    "03.1": near_is_large,
    "03.2": stretched,
    "03.3": one_more_channel,
    "03.4": order_of_depths,
}
