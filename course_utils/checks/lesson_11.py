"""Exercises of lesson 11: who is still seen, cross-frame attention, white noise, who may win, how much is new."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import metrics, results
from .asking import NotYet, as_expected, ask, exercise, expect, expect_parts, expect_shape, noise

BEST = {"warping error": min, "drift": min, "adherence": max}  # columns of `video.measure`: which end is good
PLAIN, FILMS, BLURRED = "same noise", 6, 0.8  # the control; least films of each kind; the share of its sharpness


@exercise("11.1")
def there_and_back(still_seen: Any) -> str:
    """`still_seen(there, back, most)` tells which points come home when the two flows are followed."""
    rng = np.random.default_rng(0)
    there = rng.integers(-3, 4, (6, 8, 2)) + rng.uniform(-0.3, 0.3, (6, 8, 2))
    rows, columns = np.indices((6, 8))
    to_row = np.clip(np.rint(rows + there[..., 1]), 0, 5).astype(int)
    to_column = np.clip(np.rint(columns + there[..., 0]), 0, 7).astype(int)
    back = rng.uniform(-3, 3, (6, 8, 2))
    back[3], back[to_row[1], to_column[1]] = -there[3], there[1]  # who looks in the wrong place finds something, too
    back[to_row[::2], to_column[::2]] = -there[::2]  # of every other row the points come home, unless two meet
    given = np.asarray(ask(still_seen, there, back, 0.5))
    expect_shape(given, (6, 8), "height, width: whether the point is still seen")

    def near(home: Any) -> Any:
        return np.linalg.norm(home, axis=-1) <= 0.5

    crossed = back[np.clip(np.rint(rows + there[..., 0]), 0, 5).astype(int),
                   np.clip(np.rint(columns + there[..., 1]), 0, 7).astype(int)]  # fmt: skip
    found, wanted = back[to_row, to_column], near(there + back[to_row, to_column])
    slips = (
        (near(there + back), "The way back begins where the way there ended: look `back` up there."),
        (near(there - found), "The two ways have opposite directions: who comes home has a sum of nothing."),
        (near(there + crossed), "A flow's first number goes along the row, to another column."),
        (~wanted, "It is the wrong way round: True is for points that come home."),
    )  # fmt: skip
    expect(given.astype(float), wanted.astype(float), [(value.astype(float), text) for value, text in slips],
           f"Of 48 points {wanted.sum()} come home within half a pixel; you find {int(given.sum())}.")  # fmt: skip
    return "What does not come home was covered, has left the frame, or its flow is wrong: leave it out of the error."


@exercise("11.2")
def looks(first_and_previous: Any) -> str:
    """`first_and_previous(tokens, frames)` gathers keys and values, each half of guidance for itself."""
    frames, tokens = 3, noise(0, 6, 4, 2)
    given = ask(first_and_previous, tokens, frames)
    expect_shape(given, (6, 8, 2), "[half * frame, 2 * token, channel]")

    def gather(first: list[int], previous: list[int]) -> Any:
        import torch

        return torch.cat([tokens[first], tokens[previous]], dim=1)

    first, previous = [0, 0, 0, 3, 3, 3], [0, 0, 1, 3, 3, 4]
    slips = (
        (gather([0] * 6, [0, 0, 1, 2, 3, 4]), "The halves are mixed: the second half's first frame is number 3."),
        (gather([0] * 6, previous), "The second half looks at the first half's first frame: take the halves apart."),
        (
            gather(first, [2, 0, 1, 5, 3, 4]),
            "The first frame has none before it: it looks at itself, not at the last.",
        ),
        (gather(previous, first), "The first frame's tokens come first, then the previous frame's."),
        (gather(first, [0, 1, 2, 3, 4, 5]), "That is the frame itself, not the one before it."),
    )
    expect(given, gather(first, previous), slips, "Some frame looks elsewhere: print which rows it should take.")
    return "That is all that cross-frame attention needs."


@exercise("11.3")
def white(carried: Any) -> str:
    """`carried(noise, to, fresh)` [n] keeps the variance at 1 however many cells land in a place, none included."""
    rng, count = np.random.default_rng(0), 12
    values, fresh = rng.normal(size=(2, count))
    to = np.array([3, 3, 3, 0, 5, 5, 8, 9, 9, 9, 9, 11])
    given = np.asarray(ask(carried, values, to, fresh), float)
    expect_shape(given, (count,), "a number for each place")
    landed = [values[to == place] for place in range(count)]

    def moved(rule: Any, holes: Any = fresh) -> np.ndarray:
        return np.array([rule(cells) if len(cells) else hole for cells, hole in zip(landed, holes, strict=True)])

    wanted = moved(lambda cells: cells.sum() / len(cells) ** 0.5)
    slips = (
        (moved(np.mean), "That is the mean: its variance is one over their number, and the noise fades."),
        (moved(np.sum), "That is the sum: its variance is their number."),
        (moved(lambda cells: cells[-1]), "The last one wins: that is white, but throws away what else landed."),
        (moved(lambda cells: cells.sum() / len(cells) ** 0.5, np.zeros(count)),
         "The empty places hold 0: a hole in the noise. Take what `fresh` has there."),
        (values[to], "Cell k goes *to* `to[k]`; you have fetched it *from* there."),
    )  # fmt: skip
    expect(given, wanted, slips, f"Place 3, where three landed, should hold {wanted[3]:.3f}, not {given[3]:.3f}.")
    return "The sum over the root of their number: as white as what came in."


LIKE = ("warping error", "drift", "sharpness", "adherence")  # columns of `video.measure`
ALONE, GROUND = (1.8, 1.9, 0.92, 0.96), (0.08, 0.19, 1.11, 0.97)  # frames alone, and the floor
BASELINE, FLOOR = "alone", "autoencoder"  # their rungs in the table
CASES = (  # a film, whether it must get through, and why
    ((1.4, 1.5, 0.60, 0.93), False, "it has lost a third of its sharpness: it is blurred"),
    ((0.3, 0.8, 1.01, 0.83), False, "it does not obey its maps any more: the first frame is shown again and again"),
    ((0.35, 0.5, 0.94, 0.96), True, "it flickers less, is as sharp, and obeys as well"),
    ((0.25, 0.4, 0.91, 0.95), True, "a hundredth of sharpness or adherence is no cheating: leave some room"),
)


@exercise("11.4")
def honest_films(honest: Any) -> str:
    """`honest(row, alone, floor)` tells whether a film may enter the ranking; then it ranks the shipped table."""
    alone, floor = (dict(zip(LIKE, values, strict=True)) for values in (ALONE, GROUND))
    for values, through, why in CASES:
        row = dict(zip(LIKE, values, strict=True))
        if bool(ask(honest, row, alone, floor)) != through:
            said = "gets through, but" if not through else "is kept out, but"
            raise NotYet(f"A film with {', '.join(f'{k} {v:.2f}' for k, v in row.items())} {said} {why}.")
    table = results.read("film")
    rows = {
        rung: {name: float(np.mean(table.column(name, rung=rung))) for name in LIKE}
        for rung in dict.fromkeys(table.column("rung"))
    }
    alone, floor = rows.pop(BASELINE), rows.pop(FLOOR)
    through = [rung for rung, row in rows.items() if ask(honest, row, alone, floor)]
    if not through:
        raise NotYet("Of the table of many clips no rung gets through: your limits are too narrow.")
    best = min(through, key=lambda rung: rows[rung]["warping error"])
    error = rows[best]["warping error"]
    below = error < floor["warping error"]
    means = (
        f"It is below the floor of {floor['warping error']:.2f}: made with the arrows that measure it, and smoothed. "
        "Would somebody who only watches the films agree?"
        if below
        else f"It stays above the floor, {floor['warping error']:.2f}: nothing that ought to change is smoothed away."
    )
    return f"Of {len(rows)} rows {len(through)} get through, and {best!r} is best, {error:.2f}. {means}"


@exercise("11.5")
def painted_anew(experiment: Any) -> str:
    """`experiment()` gives ({column: best strength}, {"same noise", strength, ...: [`video.measure` of a film]})."""
    guess, seen = expect_parts(ask(experiment), "guess and seen")
    if not isinstance(guess, dict) or {*guess} != {*BEST}:
        raise NotYet(f"guess is a dict: which strength is best in {', '.join(BEST)}?")
    if not isinstance(seen, dict) or PLAIN not in seen:
        raise NotYet(
            f'seen is a dict; beside the strengths it has "{PLAIN}", the rung that pulls no frame: the control.'
        )
    strengths = [key for key in seen if key != PLAIN]
    if len(strengths) < 2 or not all(0 < strength <= 1 for strength in strengths):
        raise NotYet("Try two strengths or more, above 0, up to 1.")
    if wrong := [column for column in BEST if guess[column] not in strengths]:
        raise NotYet(f"You expect {guess[wrong[0]]!r:.30} to be best in {wrong[0]}, which you have not tried.")
    if len(counts := {len(films) for films in seen.values()}) > 1 or min(counts) < FILMS:
        raise NotYet(f"The same seeds (or clips) for all, {FILMS} films or more; there are {sorted(counts)}.")
    table = {
        column: {key: np.array([film[column] for film in films], float) for key, films in seen.items()}
        for column in (*BEST, "sharpness")
    }
    if not all(np.isfinite(each).all() for row in table.values() for each in row.values()):
        raise NotYet("Some numbers are no numbers (nan): take a clip whose maps ask for something.")
    error = table["warping error"]
    if len({tuple(values) for values in error.values()}) < len(error):
        raise NotYet("Two ways flicker alike to the last digit: did strength, and the rung, reach `video.paint`?")
    if not all(each.mean() > 0 for row in (error, table["sharpness"]) for each in row.values()):
        raise NotYet("A film that does not flicker at all is one picture, shown again and again.")
    return " ".join(
        [*(_column(name, table[name], guess[name]) for name in BEST), *_blur(table["sharpness"], strengths)]
    )


def _column(name: str, row: dict[Any, np.ndarray], guess: float) -> str:
    """Say which strength is best in a column, beside the control, and what so few films cannot tell."""
    strengths = [key for key in row if key != PLAIN]
    best = BEST[name](strengths, key=lambda key: row[key].mean())
    second = BEST[name]([key for key in strengths if key != best], key=lambda key: row[key].mean())
    apart = metrics.difference(row[best], row[second])
    sure = apart.low > 0 or apart.high < 0
    doubt = "" if sure else f", but {len(row[best])} films do not tell it from {second}"
    change = metrics.difference(row[PLAIN], row[best])
    than = "no sure change from" if change.low <= 0 <= change.high else "another value than"
    means = ", ".join(f"{key} {values.mean():.2f}" for key, values in row.items())
    return f"{name.capitalize()}: {means}; {best} is best, {as_expected(best, guess)}{doubt}; {than} {PLAIN}."


def _blur(row: dict[Any, np.ndarray], strengths: list[float]) -> list[str]:
    """Say where the steadiness may be blur."""
    kept = {key: row[key].mean() / row[PLAIN].mean() for key in strengths}
    return [
        f"At {key} sharpness is {share:.0%} of it: blur is steady, too."
        for key, share in kept.items()
        if share < BLURRED
    ]
