"""Each check is fed the solution that the lesson prints, the stub that it starts from, and planted wrong answers."""

import base64
import io
import re
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import jupytext
import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from course_utils import checks
from course_utils.checks import asking
from course_utils.clay import vocabulary as words
from course_utils.clay.vocabulary import CLASS_ID
from course_utils.pose import JOINTS

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted((ROOT / "notebooks/src").glob("[0-9]*.py"))
CALL = re.compile(r'checks\.check\("(\d\d\.\d+)", (\w+)\)')
FENCE = re.compile(r"```python\n(.*?)```", re.S)


def lacking(maps):
    """Lesson 07: what the word with the weakest peak lacks."""
    return (1 - maps.amax((2, 3))).amax(1)


def shared(maps):
    """Lesson 07: how far two words' maps lie together."""
    return torch.minimum(*(each / each.sum() for each in maps[0])).sum()


def opened(weights, steps, own=False):
    """Lesson 09: whom a gradient reaches; own: a weight that is 0 is never reached."""
    alive, rows = [bool(weight) for weight in weights], []
    for _ in range(steps):
        others = [sum(alive) - (not own and one) == len(alive) - (not own) for one in alive]
        rows, alive = [*rows, others], [old or new for old, new in zip(alive, others, strict=True)]
    return rows


def fitting(ways, card):
    """Lesson 09: the ways that fit, the smallest first."""
    totals = {name: millions * each / 1000 + sum(rest) for name, (millions, each, *rest) in ways.items()}
    return sorted((name for name, total in totals.items() if total <= card), key=totals.get)


def backtracked(latents, loss_of, step, patience):
    """Lesson 07: latents - step, halved until the loss falls, or as they are."""
    before = loss_of(latents)
    moves = (latents - step * 0.5**halvings for halvings in range(patience + 1))
    return next((moved for moved in moves if loss_of(moved) < before), latents)


def seeds(hits, count=8):
    """Lesson 07: verdicts by seed."""
    return {seed: seed < hits for seed in range(count)}


TRIO = {"a": 4 * [0.8], "b": 4 * [0.7], "c": 4 * [0.6]}  # lesson 05
QUARREL = {(1, 0): 6 * [(0.8, 0.1)], (0, 1): 6 * [(0.1, 0.8)], (0.5, 0.5): 6 * [(0.4, 0.78)]}  # lesson 05


ARM = {  # lesson 10
    "all": [1.0, 0.9, *6 * [0.8]], "no map": 8 * [0.1], "wrist": [0.9, *7 * [0.8]], "elbow": 8 * [0.3],
}  # fmt: skip
FIRM = {"warping error": 0.4, "drift": 0.4, "adherence": 0.9}  # lesson 11
PAIRED = {  # lesson 12
    (0, 0): 8 * [(0.2, True)],
    (1, 0): [(0.6, True), *7 * [(0.7, True)]],
    (1, 0.3): [(0.6, True), *7 * [(0.75, True)]],
    (1, 1): [*6 * [(0.9, False)], *2 * [(0.9, True)]],
}


def films(**changes):
    """Lesson 11: measures of six films of each kind; the less is new, the steadier."""
    return {
        way: [
            {"warping error": error + seed / 100, "drift": 2 * error, "sharpness": sharp, "adherence": obeyed}
            | changes
            for seed in range(6)
        ]
        for way, error, sharp, obeyed in (("same noise", 1.0, 3.0, 0.9), (0.4, 0.3, 2.9, 0.8), (0.9, 0.8, 3.0, 0.9))
    }


@dataclass(frozen=True)
class UnitOf:
    """Lesson 12: a control."""

    control: str = "openpose"
    scale: float = 1.0


def pairs_changed(rows):
    """Lesson 05: pairs that only control made right, and those that only control made wrong."""
    right = {(row["asked"], row["seed"], row["control"]): row["counted"] == row["asked"] for row in rows}
    better = sum(right[key] and not right.get((*key[:2], False), True) for key in right if key[2])
    return better, sum(right[key] and not right.get((*key[:2], True), True) for key in right if not key[2])


def right_ones(rows, control):
    """Lesson 05: how many are right, without or with control."""
    return sum(row["asked"] == row["counted"] for row in rows if row["control"] == control)


SCORED = {"floor": 8 * [0.2], "relative": 8 * [0.4], "yours": 8 * [0.6], "ceiling": 8 * [0.9]}  # lesson 09
SIDES = [(column, column) for column in (0.2, 0.8, 0.3, 0.7, 0.2, 0.8, 0.3, 0.8)]  # lesson 06: a map that knows all
STRAY = [(0.5, column) for _, column in SIDES]  # and one that knows nothing


def turned(scores, places, factor):
    """Lesson 06: a factor for each token."""
    weights = scores.new_ones(scores.shape[-1])
    weights[list(places)] = factor
    return weights


def anew(shares, axis=-1):
    """Lesson 06: shared out anew."""
    return shares / shares.sum(axis, keepdim=True)


def hit_rate(heats, masks):
    """Lesson 06: the share of maps whose peak lies in its mask."""
    return sum(float(mask.flatten()[heat.argmax()]) for heat, mask in zip(heats, masks, strict=True)) / len(heats)


class Painting(tuple):
    """What a pipeline would paint: its prompt and seed, and pixels that both decide."""

    def __array__(self, dtype=None, copy=None):
        seed = sum(place * ord(letter) for place, letter in enumerate(str(tuple(self))))
        return np.random.default_rng(seed).integers(0, 256, (4, 6, 3)).astype(dtype or np.uint8)


def two_prompts(count=4, first="a cat", second="a dog"):
    """Lesson 00: pictures of two prompts, a seed each."""
    return {prompt: [Painting((prompt, seed)) for seed in range(count)] for prompt in (first, second)}


def flat_prompts(by_words, by_seed, count=4):
    """Lesson 00: grey pictures, so far apart by words and by seed."""
    return {prompt: [np.full((4, 6, 3), k * by_words + seed * by_seed) for seed in range(count)]
            for k, prompt in enumerate(("a cat", "a dog"))}  # fmt: skip


def taken(insides, news):
    """Lesson 02: what the masks take of the new latents."""
    return sum(inside * new for inside, new in zip(insides, news, strict=True))


GONE, KEPT = {"lion": 0.9, "crown": 0.6}, {"lion": True, "green": False}  # guesses in lessons 02 and 03


def drowned(lion=0.9, crown=0.6, count=8):
    """Lesson 02: verdicts, if a thing is there below a strength of its own."""
    return {at: {"lion": count * [at < lion], "crown": count * [at < crown]} for at in (0.3, 0.6, 0.8, 1.0)}


def fitted(x, y):
    """Lesson 03: slope and offset of the line through points."""
    return np.polyfit(x.ravel(), y.ravel(), 1)


def quarrel(agree=0.8, contradict=0.7, alone=True, together=False, count=8):
    """Lesson 04: pairs of adherence and whether the words came true."""
    return {
        "agree": (count * [(0.2, True)], count * [(agree, True)]),
        "contradict": (count * [(0.3, alone)], count * [(contradict, together)]),
    }


def svd_parts(change, kept, power=1):
    """Lesson 08: some directions of a matrix as A and B, with a power of their strength."""
    u, s, vh = torch.linalg.svd(change, full_matrices=False)
    return vh[kept], u[:, kept] * s[kept] ** power


def shrunk(mask):
    """Lesson 12: the share of each cell of 4 x 4 pixels that a mask covers."""
    return torch.from_numpy(mask.reshape(4, 4, 4, 4).mean((1, 3)))


def quantiles(values):
    return np.quantile(values, [0.025, 0.975])


def exchanged(body):
    """Lesson 10: left and right joints in each other's place."""
    return body[[0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16]]


def hidden(body, *joints):
    """Lesson 10: a copy with these joints, or nose and eyes, not seen."""
    out = body.copy()
    out[list(joints or (0, 14, 15)), 2] = 0
    return out


def reached(shoulder, wrist, upper, lower):
    """Lesson 10: the foot of the elbow on the way to the wrist, and the elbow."""
    way = wrist - shoulder
    far = np.linalg.norm(way)
    along = (far**2 + upper**2 - lower**2) / (2 * far)
    foot = shoulder + way / far * along
    return foot, foot + np.array([-way[1], way[0]]) / far * np.sqrt(upper**2 - along**2)


# exercise: wrong answers, each with a word that its message must hold
def come_home(there, back, most, along=(0, 1)):
    """Of exercise 11.1: which points come home; `along` says which number of a flow is taken for x, which for y."""
    rows, columns = np.indices(there.shape[:2])
    column, row = (
        np.clip(np.rint(start + there[..., axis]), 0, start.max()).astype(int)
        for start, axis in zip((columns, rows), along, strict=True)
    )
    return np.linalg.norm(there + back[row, column], axis=-1) <= most


def packed(image, drawn, outer="PNG", kind="PNG", name="map", text=lambda data: base64.b64encode(data).decode()):
    """Of exercise 12.4: the bytes of a picture with a map in its text."""
    inside, file, info = io.BytesIO(), io.BytesIO(), PngInfo()
    drawn.save(inside, kind)
    info.add_text(name, text(inside.getvalue()))
    image.save(file, outer, pnginfo=info)
    return file.getvalue()


def facing(body, swap=False, hips=True, face=(0, 14, 15)):
    """Of exercise 10.1: which way a skeleton faces, with what a wrong answer does otherwise."""
    left, right = (11, 8) if hips and not body[[5, 2], 2].all() else (5, 2)
    sides, seen = (body[left, 0] > body[right, 0]) != swap, body[[*face], 2].any()
    return "contradiction" if sides != seen else "front" if seen else "back"


def landing(noise, to, fresh, rule):
    """Of exercise 11.3: the noise after the move, what lands in a place put together by `rule`."""
    cells = [noise[to == place] for place in range(len(noise))]
    return np.array([rule(one) if len(one) else hole for one, hole in zip(cells, fresh, strict=True)])


def order_of(near, depth, pairs, least, of=np.mean):
    """Of exercise 10.4: which pairs are in the right order, counted as a wrong answer counts them."""
    a, b = (tuple(pairs[:, end].T) for end in (0, 1))
    gap = depth[b] - depth[a]
    return of((gap * (near[a] - near[b]) > 0)[np.abs(gap) > least])


def halved(share_at, upwards):
    """Lesson 02: a bisection that goes on with the upper half where it is told to."""
    low, high = 0, 1
    for _ in range(5):
        middle = (low + high) / 2
        low, high = (middle, high) if upwards(share_at(middle)) else (low, middle)
    return (low + high) / 2


def plate(height, width, radius=4, power=2):
    """Lesson 03: inverse depth of a slope with a disc, whose radius is the height over a number; 0 is none."""
    y, x = np.indices((height, width))
    near = np.clip((y - height / 2) / (height / 2 - 1), 0, 1)
    if radius:
        away = np.abs(y - height / 2) ** power + np.abs(x - width / 2) ** power
        near[away <= (height / radius) ** power] = 0.8
    return near


def spirals(steps=(1, 2, 5, 10, 50)):
    """Lesson 01: points that come nearer to the spiral with the number of steps."""
    turn = torch.linspace(1, 9, 40)[:, None]
    points = torch.cat([turn * turn.cos(), turn * turn.sin()], 1) / 3
    return {count: points * (1 + 1 / count) for count in steps}


WRONG = {
    "00.1": {
        "a green frog and a giraffe in the snow": "giraffe",
        "a green frog in the snow": "two different things",
        "a frog and a pink balloon in the snow": "frog",
        "a green frog and a pink balloon": "where",
    },
    "00.2": {
        lambda seed, shape: torch.randn(shape): "global generator",
        lambda seed, shape: torch.randn(shape, generator=torch.Generator().manual_seed(0)): "same noise",
        lambda seed, shape: torch.rand(shape, generator=torch.Generator().manual_seed(seed)): "normal",
        lambda seed, shape: torch.randn(3, generator=torch.Generator().manual_seed(seed)): "shape",
    },
    "00.3": {
        lambda made, word: (made.klass == CLASS_ID[word]).sum(): "divide",
        lambda made, word: (made.instance == CLASS_ID[word]).mean(): "klass",
        lambda made, word: (made.klass == CLASS_ID["clock"]).mean(): "bench",
    },
    "00.4": {
        lambda: "seed": "pair",
        lambda: ("both", two_prompts()): "guess is",
        lambda: ("seed", {"a cat": [Painting(("a cat", seed)) for seed in range(4)]}): "two prompts",
        lambda: ("seed", two_prompts(2)): "four seeds",
        lambda: ("seed", two_prompts(second="a cat in the snow")): "exactly one word",
        lambda: ("seed", {prompt: 4 * row[:1] for prompt, row in two_prompts().items()}): "seed of its own",
        lambda: ("seed", dict.fromkeys(two_prompts(), two_prompts()["a cat"])): "really painted",
    },
    "01.1": {
        lambda uncond, conds, scales: torch.lerp(uncond, conds[0], scales[0]): "first prompt",
        lambda uncond, conds, scales: sum(s * (c - uncond) for c, s in zip(conds, scales, strict=True)): "missing",
        lambda uncond, conds, scales: sum(
            uncond + s * (c - uncond) for c, s in zip(conds, scales, strict=True)
        ): "counts once",
        lambda uncond, conds, scales: uncond - sum(
            s * (c - uncond) for c, s in zip(conds, scales, strict=True)
        ): "direction",
        lambda uncond, conds, scales: uncond + sum(
            s * (c - uncond) / 2 for c, s in zip(conds, scales, strict=True)
        ): "halves",
        lambda uncond, conds, scales: conds[0]: "should be",
    },
    "01.2": {
        lambda x_t, v, a: a.sqrt() * x_t - (1 - a).sqrt() * v: "clean picture",
        lambda x_t, v, a: a.sqrt() * v - (1 - a).sqrt() * x_t: "sign",
        lambda x_t, v, a: (1 - a).sqrt() * v + a.sqrt() * x_t: "each other's place",
        lambda x_t, v, a: a * v + (1 - a) * x_t: "square roots",
        lambda x_t, v, a: v: "cancel x_0",
    },
    "01.3": {
        lambda sight, wanted: any(sight.has(word, colour) for word, colour in wanted.items()): "no crown",
        lambda sight, wanted: all(sight.has(word) for word in wanted): "orange cat",
        lambda sight, wanted: len(sight.things) == len(wanted): "orange cat",
        lambda sight, wanted: {(s.word, s.colour) for s in sight.things} >= {*wanted.items()}: "yellow crown",
    },
    "01.4": {
        lambda: 10: "pair",
        lambda: (0.3, spirals()): "whole number",
        lambda: (10, {50: spirals()[50]}): "1, 5 and 50",
        lambda: (10, {steps: points[0] for steps, points in spirals().items()}): "[point, 2]",
        lambda: (10, dict.fromkeys(spirals(), torch.zeros(9, 2) + 9)): "after the last step",
    },
    "01.5": {
        lambda p, sure: 1 / p: "average",
        lambda p, sure: __import__("math").log(1 - sure) / __import__("math").log(1 - p): "round up",
        lambda p, sure: 20: "should give 5",
        lambda p, sure: 1 if p == 1 else -int(-np.log(1 - sure) // np.log(1 - (p or 1e-9))): "math.inf",
    },
    "01.6": {
        lambda: {1: 0.5}: "pair",
        lambda: ({1: 0.9}, {1: [True] * 8}): "1 to 4",
        lambda: (dict.fromkeys((1, 2, 3, 4), 90), dict.fromkeys((1, 2, 3, 4), [True] * 8)): "0 to 1",
        lambda: (dict.fromkeys((1, 2, 3, 4), 0.9), dict.fromkeys((1, 2, 3, 4), [True] * 3)): "at least 8",
        lambda: (dict.fromkeys((1, 2, 3, 4), 0.9), dict.fromkeys((1, 2, 3, 4), ["cat"] * 8)): "True or False",
    },
    "02.1": {
        lambda left, least: 1 - sum(share >= least for share in left) / len(left): "should be skipped",
        lambda left, least: sum(share > least for share in left) / len(left): "may be stronger",
        lambda left, least: 1.0: "begins where",
        lambda left, least: sum(share >= least for share in left) / len(left): "cuts off",
        lambda left, least: 100 * sum(share >= least for share in left) / len(left): "from 0 to 1",
    },
    "02.2": {
        lambda insides, news, kept: taken(insides, news) + sum(1 - one for one in insides) * kept: "once for",
        lambda insides, news, kept: taken(insides, news) + kept: "still there",
        lambda insides, news, kept: taken(insides, news): "Outside there is nothing",
        lambda insides, news, kept: insides[0] * news[0] + (1 - insides[0]) * kept: "first edit",
        lambda masks, news, kept: torch.lerp(torch.lerp(kept, news[0], masks[0]), news[1], masks[1]): "all at once",
        lambda insides, news, kept: taken(insides, news) + (1 - insides[0]) * (1 - insides[1]) * kept: "add up to 1",
        lambda insides, news, kept: kept: "should stand",
    },
    "02.3": {
        lambda b, a, mask, least: (abs(a.astype(int) - b) > least).any(-1)[mask].mean(): "inside",
        lambda b, a, mask, least: (abs(a.astype(int) - b) > least).any(-1).mean(): "whole picture",
        lambda b, a, mask, least: ((abs(a.astype(int) - b) > least).any(-1) & ~mask).mean(): "outside, not by all",
        lambda b, a, mask, least: (abs(a.astype(int) - b) > least).any(-1)[~mask].sum(): "their number",
        lambda b, a, mask, least: ((a.astype(int) - b) > least).any(-1)[~mask].mean(): "darker",
        lambda b, a, mask, least: ((a - b) > least).any(-1)[~mask].mean(): "uint8",
        lambda b, a, mask, least: (abs(a.astype(int) - b).mean(-1) > least)[~mask].mean(): "hides red",
        lambda b, a, mask, least: (abs(a.astype(int) - b) > least)[~mask].mean(): "counts channels",
        lambda b, a, mask, least: (abs(a.astype(int) - b) > least / 2).any(-1)[~mask].mean(): "changed by more",
    },
    "02.4": {
        lambda share_at: "0.5": "number from 0 to 1",
        lambda share_at: min(np.arange(0, 1, 0.02).tolist(), key=lambda s: abs(share_at(s) - 0.5)): "five are enough",
        lambda share_at: halved(share_at, lambda share: share > 0.5): "upper half",
        lambda share_at: 0.6: "tries nothing",
    },
    "02.5": {
        lambda: ({"lion": 0.8}, {}): "3 things",
        lambda: ("in the snow", {"lion": 0.8}, drowned()): "two things",
        lambda: ("a lion in the snow", GONE, drowned()): "'lion'",
        lambda: ("in the snow", GONE, {at: drowned()[at] for at in (0.3, 0.6, 0.8)}): "four strengths",
        lambda: ("in the snow", GONE, {0.5 + at / 2: each for at, each in drowned().items()}): "0.4 or less",
        lambda: ("in the snow", GONE, dict.fromkeys(drowned(), {"lion": 8 * [True]})): "lion, crown",
        lambda: ("in the snow", GONE, drowned(count=3)): "at least 8",
        lambda: ("in the snow", GONE, dict.fromkeys(drowned(), dict.fromkeys(GONE, 8 * ["cat"]))): "True or False",
        lambda: ("in the snow", GONE, drowned(crown=0.2)): "does not see it",
        lambda: ("in the snow", GONE, drowned(crown=1.1)): "of habit",
    },
    "03.1": {
        lambda height, width: plate(width, height): "height, width",
        lambda height, width: 1 - plate(height, width): "farthest",
        lambda height, width: 255 * plate(height, width): "0 to 1",
        lambda height, width: plate(height, width)[::-1]: "farthest",
        lambda height, width: plate(height, width, radius=0): "upright in the middle",
        lambda height, width: plate(height, width, radius=2): "In the middle row",
        lambda height, width: plate(height, width, power=9): "That is a box",
        lambda height, width: np.indices((height, width))[0] / height: "upper half is sky",
        lambda height, width: (plate(height, width, radius=0) > 0) * 0.6: "evenly nearer",
    },
    "03.2": {
        lambda near, true: near * (near * true).sum() / (near**2).sum(): "scale alone",
        lambda near, true: near - near.mean() + true.mean(): "offset alone",
        lambda near, true: (near - near.min()) / np.ptp(near) * np.ptp(true) + true.min(): "two pixels",
        lambda near, true: (near - near.mean()) / near.std() * true.std() + true.mean(): "partly its error",
        lambda near, true: (near - fitted(true, near)[1]) / fitted(true, near)[0]: "turned that round",
        lambda near, true: np.polyval(fitted(near, true), true): "The truth was scaled",
        lambda near, true: near: "is possible",
        lambda near, true: near.ravel(): "shape",
    },
    "03.3": {
        lambda weight: torch.cat([weight, 0 * weight[:1]]): "channel *out*",
        lambda weight: torch.cat([0 * weight[:, :1], weight], 1): "the first",
        lambda weight: torch.cat([0 * weight, 0 * weight[:, :1]], 1): "learned is lost",
        lambda weight: torch.cat([weight, torch.full_like(weight[:, :1], 0.02)], 1): "speaks before",
        lambda weight: weight: "shape",
    },
    "03.4": {
        lambda a, b: np.corrcoef(a.ravel(), b.ravel())[0, 1]: "values",
        lambda a, b: np.corrcoef(a.ravel().argsort(), b.ravel().argsort())[0, 1]: "argsort of that",
        lambda a, b: abs(np.corrcoef(*(one.ravel().argsort().argsort() for one in (a, b)))[0, 1]): "sign",
    },
    "03.5": {
        lambda: (KEPT, {}): "3 things",
        lambda: ("in the snow", {"lion": True}, {"lion": (8 * [True], 8 * [False])}): "one lost",
        lambda: ("a green thing", KEPT, dict.fromkeys(KEPT, (8 * [True], 8 * [False]))): "'green'",
        lambda: ("in the snow", KEPT, {"lion": (8 * [True], 8 * [False])}): "lion, green",
        lambda: ("in the snow", KEPT, dict.fromkeys(KEPT, 8 * [True])): "another scene",
        lambda: ("in the snow", KEPT, dict.fromkeys(KEPT, (4 * [True], 4 * [False]))): "at least 8",
        lambda: ("in the snow", KEPT, dict.fromkeys(KEPT, (8 * [0.5], 8 * [False]))): "True or False",
        lambda: ("in the snow", KEPT, dict.fromkeys(KEPT, (9 * [True], 8 * [False]))): "same seeds",
    },
    "04.1": {
        lambda additions, keep: [additions[number - 1] for number in sorted(keep)]: "is not missing",
        lambda additions, keep: [part * (k in keep) for k, part in enumerate(additions)]: "from 0",
        lambda additions, keep: [part * (k not in keep) for k, part in enumerate(additions, 1)]: "silences those",
        lambda additions, keep: list(additions): "nothing is silenced",
        lambda additions, keep: [0.5 * part for part in additions]: "zeros for all others",
    },
    "04.2": {
        lambda *sides: [np.subtract(*m[:2]) / np.subtract(*m[:0:-1]) for m in [[np.nanmean(a) for a in sides]]] * 4: (
            "leave one out"
        ),
        lambda x, low, high: [np.nanmean(np.delete((x - low) / (high - low), k)) for k in range(4)]: "means first",
        lambda x, low, high: [np.nanmean(np.delete(x, k)) for k in range(4)]: "needs floor",
        lambda x, low, high: [(np.delete(x, k).mean() - 0.2) / 0.5 for k in range(4)]: "nan",
        lambda x, low, high: np.nanmean(x): "score for each scene",
        lambda x, low, high: [0.5] * 4: "should be",
    },
    "04.3": {
        lambda m: np.stack([(m - m.min()) / np.ptp(m) * 255] * 3, -1).astype(np.uint8): "wrong way round",
        lambda m: np.stack([(m.max() - m) / np.ptp(m) * 255] * 3, -1).astype(np.uint8): "inverse",
        lambda m: np.stack([255 / m] * 3, -1).astype(np.uint8): "whole range",
        lambda m: (255 / m).astype(np.uint8): "last axis",
        lambda m: np.stack([1 / m] * 3, -1): "uint8",
        lambda m: np.stack([255 / m, 0 * m, 0 * m], -1).astype(np.uint8): "differ",
    },
    "04.4": {
        lambda x, slope, rate: (0.0, 0.0): "only w is",
        lambda x, slope, rate: (rate * slope * x, rate * slope): "minus",
        lambda x, slope, rate: (-rate * slope, -rate * slope): "chain rule",
        lambda x, slope, rate: -rate * slope * x: "pair",
    },
    "04.5": {
        lambda: ("map", {}): "3 things",
        lambda: ("edges", 0.9, quarrel()): "who wins",
        lambda: ("map", 0.9, {"contradict": quarrel()["contradict"]}): '"agree"',
        lambda: ("map", 0.9, quarrel(count=5)): "at least 8",
        lambda: ("map", 0.9, quarrel() | {"agree": quarrel(count=9)["agree"]}): "same seeds",
        lambda: ("map", 0.9, quarrel() | {"contradict": quarrel()["agree"]}): "same numbers",
        lambda: ("map", 0.9, quarrel(agree=float("nan"))): "asks for nothing",
        lambda: ("map", 0.2, quarrel()): "no way",
        lambda: ("map", 0.9, quarrel(agree=0.2)): "not obeyed for sure",
        lambda: ("map", 0.9, quarrel(alone=False)): "never had",
    },
    "05.1": {
        lambda said, weights: [sum(skip) for skip in zip(*said, strict=True)]: "left out",
        lambda said, weights: [
            sum(w * one for w, one in zip(weights, skip, strict=True)) / sum(weights)
            for skip in zip(*said, strict=True)
        ]: "the mean",
        lambda said, weights: said[0]: "sum of weight",
        lambda said, weights: [sum(one.sum() for one in net) for net in zip(*said, strict=True)][:1]: "list of 2",
    },
    "05.2": {
        lambda step, steps, start, end: start <= step / steps <= end: "ends too late",
        lambda step, steps, start, end: (step + 1) / steps <= end: "too early",
        lambda step, steps, start, end: step / steps > start and (step + 1) / steps <= end: "so the net speaks",
        lambda step, steps, start, end: (step + 1) / steps > start and (step + 1) / steps <= end: "too early",
        lambda step, steps, start, end: (step + 0.5) / steps >= start and (step + 1) / steps <= end: "too early",
    },
    "05.3": {
        lambda: (["a"], TRIO): "3 things",
        lambda: (["a"], TRIO, {"a": 4 * [0.8]}): "same three maps",
        lambda: (["d"], TRIO, TRIO): "none may be",
        lambda: (["a"], TRIO, TRIO | {"b": 3 * [0.8]}): "same seeds",
        lambda: (["a"], TRIO, TRIO | {"b": 4 * [float("nan")]}): "asks for nothing",
        lambda: (["a"], TRIO | {"b": 4 * [0.01]}, TRIO): "never had",
    },
    "05.4": {
        lambda rows: pairs_changed(rows)[::-1]: "each other's place",
        lambda rows: pairs_changed([row for row in rows if row["counted"] is not None]): "stays in",
        lambda rows: [right_ones(rows, way) for way in (0, 1)]: "changed",
        lambda rows: [right_ones(rows, way) for way in (1, 0)]: "changed",
        lambda rows: [2 * count / len(rows) for count in pairs_changed(rows)]: "shares",
        lambda rows: sum(pairs_changed(rows)): "pair",
        lambda rows: (1, 1): "should give",
    },
    "05.5": {
        lambda: {(1, 0): 6 * [(0.8, 0.1)]}: "pair",
        lambda: ({(0.5, 0.5): (0.9, 0.4)}, {(1, 0): QUARREL[1, 0], (0.5, 0.5): QUARREL[0.5, 0.5]}): "reach alone",
        lambda: ({(0.3, 0.7): (0.9, 0.4)}, QUARREL): "that you painted",
        lambda: ({(1, 0): (0.9, 0.4)}, QUARREL): "both maps speak",
        lambda: ({(0.5, 0.5): (90, 40)}, QUARREL): "0 to 1",
        lambda: ({(0.5, 0.5): (0.9, 0.4)}, QUARREL | {(0, 1): 7 * [(0.1, 0.9)]}): "same seeds",
        lambda: ({(0.5, 0.5): (0.9, 0.4)}, {weights: pairs[:3] for weights, pairs in QUARREL.items()}): "6 or more",
        lambda: ({(0.5, 0.5): (0.9, 0.4)}, QUARREL | {(0, 1): 6 * [(0.1, float("nan"))]}): "asks for nothing",
        lambda: ({(0.5, 0.5): (0.9, 0.4)}, QUARREL | {(0, 1): 6 * [(0.1, 0.0)]}): "never had",
        lambda: ({(0.5, 0.5): (0.9, 0.4)}, dict.fromkeys(QUARREL, 6 * [(0.8, 0.7)])): "reach the call",
    },
    "06.1": {
        lambda scores, places, factor: scores.softmax(-1) * turned(scores, places, factor): "add up to 1",
        lambda scores, places, factor: (scores * turned(scores, places, factor)).softmax(-1): "may be negative",
        lambda scores, places, factor: anew(scores.softmax(-1) * turned(scores, places[:1], factor)): "first",
        lambda scores, places, factor: anew(scores.softmax(-1) * turned(scores, places, factor), 1): "axis -1",
        lambda scores, places, factor: scores.softmax(-1): "Nothing is turned",
        lambda scores, places, factor: scores.softmax(-1)[0]: "shape",
        lambda scores, places, factor: anew(scores.softmax(-1) + turned(scores, places, factor)): "should be",
    },
    "06.2": {
        lambda heat, words: heat.argmax(0): "only the words",
        lambda heat, words: torch.stack([heat[list(places)].mean(0) for places in words]).argmax(0): "averaged",
        lambda heat, words: torch.stack([heat[places[0]] for places in words]).argmax(0): "first token",
        lambda heat, words: torch.stack([heat[list(places)].sum(0) for places in words]).amax(0): "to whom",
        lambda heat, words: torch.stack([heat[list(places)].sum(0) for places in words]).argmin(0): "least",
        lambda heat, words: torch.stack([heat[list(places)].sum(0) for places in words]).argmax(1): "shape",
        lambda heat, words: heat[0] > 1: "belongs to",
    },
    "06.3": {
        lambda choose, measure: (choose.mean(1).max(), measure.mean(1).max()): "best of the others",
        lambda choose, measure: (measure.mean(1).max(), choose[measure.mean(1).argmax()].mean()): "must not help",
        lambda choose, measure: (choose.mean(1).max(), choose.mean(1).max()): "too good",
        lambda choose, measure: (choose.mean(), measure.mean()): "means of all",
        lambda choose, measure: (int(choose.mean(1).argmax()), measure[choose.mean(1).argmax()].mean()): "its mean",
        lambda choose, measure: choose.mean(1).max(): "pair",
        lambda choose, measure: (0.1, 0.1): "should give",
    },
    "06.4": {
        lambda heats, masks: (len(heats) * hit_rate(heats, masks), 0.2): "divide",
        lambda heats, masks: (
            sum((h * m).sum() for h, m in zip(heats, masks, strict=True)) / sum(h.sum() for h in heats), 0
        ): "strongest place",
        lambda heats, masks: (hit_rate(heats, masks), 0.5): "coin",
        lambda heats, masks: (hit_rate(heats, masks), sum((~m).float().mean() for m in masks) / len(masks)): "outside",
        lambda heats, masks: (hit_rate(heats, masks), 0.01): "on average",
        lambda heats, masks: hit_rate(heats, masks): "pair",
        lambda heats, masks: (1.0, 0.2): "peaks lie",
    },
    "06.5": {
        lambda: {0: [(0.2, 0.2)] * 8}: "pair",
        lambda: (1, {1: SIDES, 2: SIDES, 3: SIDES}): "0 among them",
        lambda: (7, {0: SIDES, 1: SIDES, 2: SIDES}): "guess is one of them",
        lambda: (1, {0: SIDES, 1: SIDES, 2: SIDES[:5]}): "at least eight",
        lambda: (1, dict.fromkeys(range(3), [(51, 200)] * 8)): "shares of the width",
        lambda: (1, dict.fromkeys(range(3), [*SIDES, (0.2, float("nan"))])): "did not come",
        lambda: (1, {0: SIDES, 1: SIDES, 2: SIDES[::-1]}): "pictures are one",
        lambda: (1, dict.fromkeys(range(3), [(0.1 * k, 0.5) for k in range(8)])): "left as often as right",
        lambda: (1, dict.fromkeys(range(3), [(0.5, 0.2), *[(0.5, 0.8)] * 7])): "left as often as right",
    },
    "07.1": {
        lambda first, second: torch.minimum(first, second).sum(): "add up to 1",
        lambda first, second: torch.minimum(first / first.max(), second / second.max()).sum(): "peaks",
        lambda first, second: torch.maximum(first / first.sum(), second / second.sum()).sum(): "the smaller",
        lambda first, second: (first / first.sum() * second / second.sum()).sum(): "product",
        lambda first, second: torch.minimum(first / first.sum(), second / second.sum()).mean(): "add up",
        lambda first, second: 1 - torch.minimum(first / first.sum(), second / second.sum()).sum(): "apart",
        lambda first, second: 0.5: "on one another",
    },
    "07.2": {
        lambda maps, weight: lacking(maps) - weight * shared(maps): "sign",
        lambda maps, weight: lacking(maps) + shared(maps): "weight is left out",
        lambda maps, weight: weight * (lacking(maps) + shared(maps)): "second part alone",
        lambda maps, weight: weight * shared(maps): "weaker word lacks",
        lambda maps, weight: lacking(maps) + weight * torch.minimum(*maps[0]).sum(): "add up to 1",
        lambda maps, weight: 1 - maps.amax((2, 3)).amax(1) + weight * shared(maps): "stronger word",
        lambda maps, weight: maps: "one number",
        lambda maps, weight: lacking(maps): "should be",
    },
    "07.3": {
        lambda a, b, wanted: np.log(wanted / (1 - wanted)) / (b - a): "sign",
        lambda a, b, wanted: wanted / (1 - wanted) / (a - b): "logarithm",
        lambda a, b, wanted: np.log(wanted) / (a - b): "1 - wanted",
        lambda a, b, wanted: np.log(wanted / (1 - wanted)): "gap",
        lambda a, b, wanted: np.log(wanted / (1 - wanted)) / (a / b): "ratio",
        lambda a, b, wanted: np.log10(wanted / (1 - wanted)) / (a - b): "natural",
        lambda a, b, wanted: 100: "should give",
    },
    "07.4": {
        lambda z, loss_of, step, patience: z - step: "although the loss",
        lambda z, loss_of, step, patience: backtracked(z, loss_of, -step, patience): "are enough",
        lambda z, loss_of, step, patience: 2 * z - backtracked(z, loss_of, step, patience): "other way",
        lambda z, loss_of, step, patience: backtracked(z, loss_of, step, 50): "52 times",
        lambda z, loss_of, step, patience: backtracked(z, loss_of, step, patience - 1): "should be taken",
        lambda z, loss_of, step, patience: backtracked(z, loss_of, step, 1000): "no end",
    },
    "07.5": {
        lambda before, after, draws: quantiles(after[draws].mean(1) - before[draws].mean(1)): "difference",
        lambda before, after, draws: quantiles(after[draws[::-1]].mean(1) / before[draws].mean(1)): "same prompts",
        lambda before, after, draws: [after.mean() / before.mean()]: "two numbers",
        lambda before, after, draws: quantiles(after[draws].mean(1)): "should give",
    },
    "07.6": {
        lambda: {"without": 0.3}: "pair",
        lambda: ({"before": 0.3, "after": 0.5}, {"without": {}, "with": {}}): "keys",
        lambda: ({"without": 30, "with": 50}, {"without": seeds(3), "with": seeds(6)}): "0 to 1",
        lambda: ({"without": 0.3, "with": 0.5}, {"without": seeds(3), "with": {**seeds(6), 9: True}}): "one side only",
        lambda: ({"without": 0.3, "with": 0.5}, {"without": seeds(3, 5), "with": seeds(5, 5)}): "at least 8",
        lambda: ({"without": 0.3, "with": 0.5}, {"without": seeds(3), "with": {**seeds(6), 7: "cat"}}): "holds True",
    },
    "08.1": {
        lambda shapes, limit: limit / (4 * sum(map(sum, shapes))): "whole number",
        lambda shapes, limit: limit // sum(map(sum, shapes)): "four bytes",
        lambda shapes, limit: limit // (4 * sum(r * c for r, c in shapes)): "Rows + columns",
        lambda shapes, limit: limit // (4 * sum(map(sum, shapes))) + 1: "more than",
        lambda shapes, limit: (limit - 1) // (4 * sum(map(sum, shapes))): "it fits",
        lambda shapes, limit: limit // (4 * sum(c for _, c in shapes)): "Only one of the two",
        lambda shapes, limit: 3: "should be",
    },
    "08.2": {
        lambda change, rank: change: "pair",
        lambda change, rank: (change, change): "shape",
        lambda change, rank: svd_parts(change, slice(-rank, None)): "weakest",
        lambda change, rank: svd_parts(change, slice(rank), 0): "left out",
        lambda change, rank: svd_parts(change, slice(rank), 0.5): "both",
        lambda change, rank: svd_parts(change, slice(rank), 2): "twice",
        lambda change, rank: (change[:rank], torch.eye(6)[:, :rank]): "further",
    },
    "08.3": {
        lambda first, second: tuple(one + two for one, two in zip(first, second, strict=True)): "cross terms",
        lambda first, second: tuple(torch.cat(both, 0) for both in zip(first, second, strict=True)): "stack",
        lambda first, second: first: "one of the two",
        lambda first, second: (torch.cat([second[0], first[0]]), torch.cat([first[1], second[1]], 1)): "swapped",
        lambda first, second: (torch.cat([first[0], second[0]]), -torch.cat([first[1], second[1]], 1)): "should be",
    },
    "08.4": {
        lambda: 0.5: "pair",
        lambda: ({"before": 1}, {"after": []}): "keys",
        lambda: ({"kept": 80, "nothing kept": 40}, dict.fromkeys(("kept", "nothing kept"), 8 * [True])): "0 to 1",
        lambda: ({"kept": 0.8, "nothing kept": 0.4}, {"kept": 8 * [True], "nothing kept": 3 * [True]}): "at least 8",
        lambda: ({"kept": 0.8, "nothing kept": 0.4}, {"kept": 8 * [True], "nothing kept": 9 * [True]}): "same seeds",
    },
    "08.5": {
        lambda: 1.0: "pair",
        lambda: (1.0, {1.0: ([True] * 8, [True] * 8)}): "three values",
        lambda: (9, dict.fromkeys((0.5, 1.0, 1.5), ([True] * 8, [True] * 8))): "one of them",
        lambda: (1.0, dict.fromkeys((0.5, 1.0, 1.5), ([True] * 8, [True] * 2))): "at least 8",
        lambda: (1.0, dict.fromkeys((0.5, 1.0, 1.5), ([True] * 8, ["cat"] * 8))): "True or False",
    },
    "09.1": {
        lambda weights, steps: 3: "list for each step",
        lambda weights, steps: [[True]]: "3 lists",
        lambda weights, steps: opened(weights, steps, own=True): "all others",
        lambda weights, steps: [opened(weights, 1)[0]] * steps: "never change",
        lambda weights, steps: opened(weights, steps + 1)[1:]: "too early",
        lambda weights, steps: [[not hit for hit in row] for row in opened(weights, steps)]: "in step 1",
    },
    "09.2": {
        lambda normals: normals[:, ::-1].copy(): "red is to turn",
        lambda normals: 255 - normals[:, ::-1]: "Green and blue",
        lambda normals: np.concatenate([255 - normals[..., :1], normals[..., 1:]], -1): "turn the columns",
        lambda normals: normals[::-1]: "leave the rest",
        lambda normals: np.concatenate([255 - normals[..., :1], normals[..., 1:]], -1)[::-1]: "Upside down",
        lambda normals: normals[..., 0]: "shape",
        lambda normals: normals / 255: "uint8",
    },
    "09.3": {
        lambda share, uniform: (1000 * uniform).long(): "least step is 0",
        lambda share, uniform: 500 * (1 - share) + uniform * 499: "whole numbers",
        lambda share, uniform: (500 * (1 - share) + uniform * 1000).long(): "from 0 to 999",
        lambda share, uniform: (500 * (1 - share) + uniform * 300).long(): "largest",
        lambda share, uniform: torch.where(uniform < 0.5, 500 * (1 - share) + 0 * uniform, 999 + 0 * uniform).long(): (
            "gaps"
        ),
        lambda share, uniform: torch.tensor([999]): "shape",
    },
    "09.4": {
        lambda ways, card: 3: "list of names",
        lambda ways, card: [*ways]: "the totals are",
        lambda ways, card: fitting({name: (*way[:2], 0, way[3]) for name, way in ways.items()}, card): "locked lies",
        lambda ways, card: fitting({name: (*way[:3], 0) for name, way in ways.items()}, card): "left out",
        lambda ways, card: fitting(ways, card)[::-1]: "comes first",
    },
    "09.5": {
        lambda: (0.5, {"yours": 8 * [0.5]}, 1): "pair",
        lambda: (0.5, {"floor": 8 * [0.2], "yours": 8 * [0.5], "ceiling": 8 * [0.9]}): "means nothing",
        lambda: (50, SCORED): "0 at the floor",
        lambda: (0.5, SCORED | {"yours": 9 * [0.5]}): "same held-out scenes",
        lambda: (0.5, {name: values[:4] for name, values in SCORED.items()}): "eight scenes",
        lambda: (0.5, SCORED | {"yours": [*7 * [0.5], float("nan")]}): "asks for nothing",
        lambda: (0.5, SCORED | {"ceiling": 8 * [0.1]}): "does not see",
        lambda: (0.5, SCORED | {"yours": SCORED["floor"]}): "step 0",
    },
    "10.1": {
        lambda body: "front" if body[[0, 14, 15], 2].any() else "back": "a back with its face left in",
        lambda body: "front" if body[5, 0] > body[2, 0] else "back": "contradiction",
        lambda body: facing(body, swap=True): "farther right",
        lambda body: facing(body, hips=False): "shoulder is not seen",
        lambda body: facing(body, face=(0,)): "whose nose is not seen",
        lambda body: True: "one of",
    },
    "10.2": {
        lambda points, height, width: points: "multiply",
        lambda points, height, width: points * [width, height, 1]: "pixels already",
        lambda points, height, width: points * [height, width, 1]: "Column times width",
        lambda points, height, width: points * [width, height, width]: "third",
    },
    "10.3": {
        lambda shoulder, wrist, upper, lower: (shoulder + wrist) / 2: "length 2.00",
        lambda shoulder, wrist, upper, lower: 2 * reached(shoulder, wrist, upper, lower)[0] - reached(
            shoulder, wrist, upper, lower)[1]: "other side",
        lambda shoulder, wrist, upper, lower: reached(shoulder, wrist, upper, lower)[1] - shoulder: "add the shoulder",
        lambda shoulder, wrist, upper, lower: reached(shoulder, wrist, upper, upper)[1]: "not above the middle",
        lambda shoulder, wrist, upper, lower: 1.0: "two numbers",
    },
    "10.4": {
        lambda near, depth, pairs, least: order_of(-near, depth, pairs, least): "crossed",
        lambda near, depth, pairs, least: order_of(near, depth, pairs, 0): "hardly differ",
        lambda near, depth, pairs, least: order_of(near, depth, pairs, least, np.sum): "count",
        lambda near, depth, pairs, least: order_of(near, depth, pairs, least, np.sum) / len(pairs): "not by all",
        lambda near, depth, pairs, least: 0.5: "should be",
    },
    "10.5": {
        lambda: ("elbow", {"all": 8 * [1.0]}, 3): "pair",
        lambda: ("elbow", {name: ARM[name] for name in ("all", "wrist", "elbow")}): "controls",
        lambda: ("elbow", {name: ARM[name] for name in ("all", "no map", "elbow")}): "stands alone",
        lambda: ("hip", ARM): "one of wrist, elbow",
        lambda: ("elbow", ARM | {"elbow": 7 * [0.5]}): "same seeds",
        lambda: ("elbow", {name: shares[:4] for name, shares in ARM.items()}): "8 or more",
        lambda: ("elbow", ARM | {"elbow": [*7 * [0.5], float("nan")]}): "0 to 1",
        lambda: ("elbow", ARM | {"elbow": 8 * [3]}): "0 to 1",
        lambda: ("elbow", ARM | {"no map": 8 * [0.9]}): "cannot be lost",
        lambda: ("elbow", ARM | dict.fromkeys(("wrist", "elbow"), ARM["all"])): "changed skeleton drawn",
    },
    "11.1": {
        lambda there, back, most: np.linalg.norm(there + back, axis=-1) <= most: "where the way there ended",
        lambda there, back, most: come_home(there, -back, most): "opposite directions",
        lambda there, back, most: come_home(there, back, most, along=(1, 0)): "goes along the row",
        lambda there, back, most: ~come_home(there, back, most): "wrong way round",
        lambda there, back, most: come_home(there, back, most)[0]: "height, width",
        lambda there, back, most: come_home(there, back, 9.0): "come home within half a pixel",
    },
    "11.2": {
        lambda tokens, frames: torch.cat([tokens[[0] * 6], tokens[[0, 0, 1, 2, 3, 4]]], 1): "halves are mixed",
        lambda tokens, frames: torch.cat([tokens[[0] * 6], tokens[[0, 0, 1, 3, 3, 4]]], 1): "halves apart",
        lambda tokens, frames: torch.cat([tokens[[0, 0, 0, 3, 3, 3]], tokens[[2, 0, 1, 5, 3, 4]]], 1): "itself",
        lambda tokens, frames: tokens: "2 * token",
    },
    "11.3": {
        lambda noise, to, fresh: landing(noise, to, fresh, lambda cells: cells.mean()): "mean",
        lambda noise, to, fresh: landing(noise, to, fresh, lambda cells: cells.sum()): "the sum",
        lambda noise, to, fresh: landing(noise, to, fresh, lambda cells: cells[-1]): "last one wins",
        lambda noise, to, fresh: landing(noise, to, 0 * fresh, lambda cells: cells.sum() / len(cells) ** 0.5): "hole",
        lambda noise, to, fresh: noise[to]: "from",
        lambda noise, to, fresh: noise[:3]: "each place",
    },
    "11.4": {
        lambda row, alone, floor: True: "sharpness",
        lambda row, alone, floor: row["sharpness"] > 0.8: "maps",
        lambda row, alone, floor: False: "is as sharp",
        lambda row, alone, floor: row["sharpness"] >= alone["sharpness"] > row["adherence"] - 0.1: "maps",
        lambda row, alone, floor: row["sharpness"] >= alone["sharpness"] and row["adherence"] > 0.9: "leave some room",
    },
    "11.5": {
        lambda: (FIRM, films(), 3): "pair",
        lambda: ({"warping error": 0.4}, films()): "which strength is best",
        lambda: (FIRM, {at: rows for at, rows in films().items() if at != "same noise"}): "control",
        lambda: (FIRM, {at: rows for at, rows in films().items() if at != 0.9}): "two strengths",
        lambda: (FIRM, films() | {1.5: films()[0.9]}): "up to 1",
        lambda: (FIRM | {"drift": 0.6}, films()): "not tried",
        lambda: (FIRM, {at: rows[:3] for at, rows in films().items()}): "6 films",
        lambda: (FIRM, films() | {0.9: films()[0.9][:5]}): "same seeds",
        lambda: (FIRM, films() | {0.9: films()[0.4]}): "did strength",
        lambda: (FIRM, films() | {0.9: films()["same noise"]}): "did strength",
        lambda: (FIRM, films() | {0.9: films(adherence=float("nan"))[0.9]}): "nan",
        lambda: (FIRM, films() | {0.9: [row | {"warping error": 0.0} for row in films()[0.9]]}): "shown again",
    },
    "12.1": {
        lambda layers, first: first ** (np.arange(layers) / (layers - 1)): "wrong way",
        lambda layers, first: np.linspace(first, 1, layers): "same factor",
        lambda layers, first: first ** (np.arange(layers)[::-1] / layers): "12 steps",
        lambda layers, first: 0.825 ** np.arange(layers)[::-1]: "let `first` decide",
        lambda layers, first: np.ones(layers): "balanced",
        lambda layers, first: [0.5] * layers: "first should be",
        lambda layers, first: [first]: "each layer",
    },
    "12.2": {
        lambda residual, mask: residual: "multiply by the mask",
        lambda residual, mask: residual * (1 - shrunk(mask)): "outside",
        lambda residual, mask: residual * torch.from_numpy(mask[::4, ::4].copy()): "One pixel of each cell",
        lambda residual, mask: residual * shrunk(mask) / 2: "share of its pixels",
        lambda residual, mask: shrunk(mask): "shape",
    },
    "12.3": {
        lambda text: ("a cat", 42): "a lion",
        lambda text: (text, 42): "ends before",
        lambda text: (text.split("\n")[0].split(",")[0], int(text.split("Seed: ")[1].split(",")[0])): "commas",
        lambda text: (text.split("\nNegative")[0].split("\nSteps")[0], text.split("Seed: ")[1].split(",")[0]): "int",
        lambda text: (text.split("\nNegative")[0].split("\nSteps")[0], 5): "Seed: ",
        lambda text: text: "pair",
    },
    "12.4": {
        lambda image, drawn: image: "bytes of the file",
        lambda image, drawn: b"map": "no picture file",
        lambda image, drawn: packed(image, drawn, "JPEG"): "What you give is a JPEG",
        lambda image, drawn: packed(drawn, image): "itself has changed",
        lambda image, drawn: packed(image, drawn, name="drawn"): "it has drawn",
        lambda image, drawn: packed(image, drawn, text=lambda data: "upload.png"): "base64",
        lambda image, drawn: packed(image, drawn, kind="JPEG"): "inside is a JPEG",
        lambda image, drawn: packed(image, drawn.resize((8, 8))): "another one",
        lambda image, drawn: packed(image, drawn, text=lambda data: "cGljdHVyZQ=="): "inside is no picture",
    },
    "12.5": {
        lambda: (1, PAIRED, 3): "pair",
        lambda: (1, {at: cell for at, cell in PAIRED.items() if at != (0, 0)}): "controls",
        lambda: (1, {at: cell for at, cell in PAIRED.items() if at != (1, 0.3)}): "two strengths",
        lambda: (0.7, PAIRED): "or None",
        lambda: (1, PAIRED | {(1, 1): PAIRED[1, 1][:5]}): "same seeds",
        lambda: (1, {at: cell[:5] for at, cell in PAIRED.items()}): "8 or more",
        lambda: (1, PAIRED | {(1, 1): 8 * [(7, True)]}): "0 to 1",
        lambda: (1, PAIRED | {(1, 1): 8 * [(0.7, "yes")]}): "True or False",
        lambda: (1, PAIRED | {(1, 0): 8 * [(0.1, True)]}): "not obeyed",
        lambda: (1, PAIRED | {(1, 0): [(0.6, False), *7 * [(0.7, False)]]}): "never there",
        lambda: (1, PAIRED | dict.fromkeys([(1, 0.3), (1, 1)], PAIRED[1, 0])): "is it enabled",
    },
}  # fmt: skip


def lesson_cells(kind):
    for path in LESSONS:
        for cell in jupytext.read(path).cells:
            if kind in cell.metadata.get("tags", ()):
                yield cell.source


def answers():
    """Yield (exercise, stub, solution): the exercise's cell, and the code in the next folded solution."""
    texts = [FENCE.search(text)[1] for text in lesson_cells("solution")]
    stubs = [source for source in lesson_cells("exercise") if CALL.search(source)]
    assert len(texts) == len(stubs), "each exercise is followed by its solution"
    for stub, text in zip(stubs, texts, strict=True):
        yield pytest.param(*CALL.search(stub).groups(), stub, text, id=CALL.search(stub)[1])


ANSWERS = list(answers())


class Skeleton:
    """Lesson 10: joints in a row, of which some are not in the map."""

    body = np.column_stack([np.arange(18.0), 3 * np.arange(18.0), np.ones(18)])

    def __init__(self, without=""):
        self.without = without

    def hidden(self, name):
        return Skeleton(name)


def seen_in(image, lane):
    """Lesson 10: the joints of a painting; without a map all are elsewhere, without the elbow one is."""
    without, scale = image
    found = Skeleton.body + (0 if scale else 999)
    if "elbow" in without:
        found[[JOINTS.index(without)]] += 99
    return [found], []


class Sight:
    """What a judge would say of a painting, without either: a painting here is its prompt and seed."""

    def __init__(self, picture):
        self.picture = picture

    def has(self, word, colour=None):
        return word in self.picture[0] and sum(map(ord, word)) % 5 != self.picture[1] % 5

    def get(self, word):
        return SimpleNamespace(column=(0.2, 0.8)[self.picture[1] % 2]) if self.has(word) else None


class Captured:
    """What attention would be captured: all of it in one column."""

    def word(self, word, layer, step):
        heat = torch.zeros(16, 16)
        heat[:, 3 * step] = 1
        return heat


GUESS = {"without": 0.3, "with": 0.7}
LESSON_05 = {
    "runtime": SimpleNamespace(lane="clay"),
    "catalog": SimpleNamespace(load=lambda *what, **how: None),
    "size": (64, 64),
    "clay": SimpleNamespace(scene=lambda seed, words: (seed, words), render=lambda scene, *size: scene),
    "controls": SimpleNamespace(
        from_truth=lambda scene, kind: (scene, kind), adherence_of=lambda kind, scene, image: image[kind == "depth"]
    ),
    "paint": lambda pipe, *weights, maps, seed, prompt: [0.1 + 0.8 * weight for weight in weights],
}


CARS_GUESSED = {"kept": 0.8, "nothing kept": 0.4}  # shares of purple cars, lesson 08
LESSON_09 = {  # a net is its number here, and a picture too
    "held": [SimpleNamespace(instance=np.eye(8, dtype=int) - 1)] * 8,
    "pairs_for": lambda condition, count: None,
    "controlnet": SimpleNamespace(
        copy_of=lambda pipe: 0, train=lambda *what: SimpleNamespace(net=0.6), with_control=lambda pipe, net: net
    ),
    "catalog": SimpleNamespace(load=lambda *what, **how: 0.4),
    "paint": lambda own, maps: [own for _ in maps],
    "measured": list,
    **{"config": None, "floor": SCORED["floor"], "ceiling": SCORED["ceiling"], "Image": Image},
}


def sees(found):
    """A picture's look: whether a thing is found in it."""
    return lambda image: SimpleNamespace(has=lambda word, colour=None: found(image, word, colour), things=())


STAGES = {  # what stands in a lesson when its open exercise is reached
    "01.4": {"draw_points": lambda steps: [spirals((steps,))[steps]]},
    "02.5": {
        "photograph": lambda words: (None, words),
        "paint": lambda prompt, given, strength, seed: strength,
        "look": sees(lambda strength, word, colour: strength < {"lion": 0.9}.get(word, 0.7)),
    },
    "03.5": {
        "Image": SimpleNamespace(fromarray=lambda pixels: pixels),
        "photograph": lambda words: (SimpleNamespace(image=words), None),
        "depth2img": None,
        "paint": lambda pipe, prompt, picture, seed: picture,
        "judge": SimpleNamespace(look=sees(lambda shown, word, colour: word in shown)),
        "kept": lambda image, scene: float(image == scene.image),
    },
    "04.5": {
        "size": (64, 64),
        "clay": SimpleNamespace(
            scene=lambda words: words, render=lambda words, *size: SimpleNamespace(image=words)
        ),
        "Image": SimpleNamespace(fromarray=lambda pixels: pixels),
        "runtime": SimpleNamespace(lane="clay"),
        "catalog": SimpleNamespace(load=lambda *which, **more: None),
        "editing": SimpleNamespace(encode=lambda pipe, image: image, decode=lambda pipe, latents: (0.9, latents)),
        "controls": SimpleNamespace(from_truth=lambda made, kind: made, adherence_of=lambda *asked: asked[-1][0]),
        "paint": lambda pipe, seed, prompt, image, controlnet_conditioning_scale: (
            (0.9 if controlnet_conditioning_scale else 0.2 + len(prompt) / 1000), prompt),
        "judge": SimpleNamespace(look=sees(lambda image, word, colour: word in image[1])),
    },
    "05.3": LESSON_05,
    "05.5": LESSON_05,
    "09.5": LESSON_09,
    "07.2": {"lack": lacking},
    "08.4": {
        "runtime": SimpleNamespace(lane="clay"),
        "robot": SimpleNamespace(train=[]),
        "personalize": SimpleNamespace(preset=lambda *what, **how: None, lora=lambda *what: None),
        "taught": lambda prompt, seed, lora: seed,
        "judge": SimpleNamespace(look=lambda image: SimpleNamespace(has=lambda *what: True)),
    },
    "10.5": {
        "runtime": SimpleNamespace(lane="clay", generator=lambda seed: seed),
        "settings": {},
        "size": (64, 64),
        "figures": {"wave": Skeleton()},
        "pose": SimpleNamespace(JOINTS=JOINTS, draw=lambda people, *size: people[0]),
        "controls": SimpleNamespace(joints=seen_in),
        "catalog": SimpleNamespace(load=lambda *what, **how: lambda prompt, image, generator, **call: SimpleNamespace(
            images=[(image.without, call["controlnet_conditioning_scale"])])),
    },
    "11.5": {
        "words": "", "size": (64, 64), "common": {},
        "video": SimpleNamespace(
            moving=lambda *what: SimpleNamespace(maps=lambda kind: []),
            FilmConfig=lambda seed, strength="same noise": (strength, seed),
            paint=lambda pipe, clip, maps, words, rung, config: [config],
            measure=lambda frames, clip, kind: films()[frames[0][0]][frames[0][1]],
        ),
    },
    "12.5": {
        "panel": SimpleNamespace(measure=SimpleNamespace(value=True)), "beach": "",
        "pose": UnitOf(), "replace": replace,
        "studio": lambda prompt, units, seed: SimpleNamespace(image=(units[0].scale, units[1].scale, seed)),
        "joints_right": lambda image: PAIRED[image[:2]][image[2]][0],
        "adherence": SimpleNamespace(is_beach=lambda image: PAIRED[image[:2]][image[2]][1]),
    },
}  # fmt: skip


def run(source, name, exercise=""):
    """Run an exercise's code up to its check, and return what is called `name`."""
    space = {"io": io, "np": np, "torch": torch}
    space |= {"words": words, "colour": "orange", "trigger": "sks robot", "lora": None}
    space |= {"paint": lambda prompt, seed: Painting((prompt, seed)), "judge": SimpleNamespace(look=Sight)}
    space |= {
        "pipe": None,
        "block": "up",
        "attention": SimpleNamespace(capture=lambda *a, **k: nullcontext(Captured())),
    }
    space["exciting"] = lambda prompt, words, seed: ((prompt, seed + 1), None)
    space["taught"] = lambda prompt, seed, *loras, weights=1.0: (prompt, seed + int(weights))
    space |= STAGES.get(exercise, {})
    exec(CALL.split(source)[0], space)
    return space[name]


@pytest.mark.parametrize("exercise, name, stub, solution", ANSWERS)
def test_printed_solution_passes(exercise, name, stub, solution, capsys):
    checks.check(exercise, run(solution, name, exercise))
    assert capsys.readouterr().out.startswith(f"{exercise} · right. ")


@pytest.mark.parametrize("exercise, name, stub, solution", ANSWERS)
def test_stub_runs_and_is_not_yet_right(exercise, name, stub, solution, capsys):
    checks.check(exercise, run(stub, name, exercise))
    assert capsys.readouterr().out.startswith(f"{exercise} · not yet. ")


@pytest.mark.parametrize("exercise", WRONG)
def test_wrong_answers_are_refused_with_the_reason(exercise, capsys):
    assert len(WRONG[exercise]) >= 2
    for answer, reason in WRONG[exercise].items():
        checks.check(exercise, answer)
        assert "not yet" in (said := capsys.readouterr().out) and reason in said, said


def test_every_exercise_has_a_solution_and_wrong_answers():
    assert {param.values[0] for param in ANSWERS} == set(WRONG)


@pytest.mark.parametrize("exercise", WRONG)
@pytest.mark.parametrize("answer", [None, 3, {}, lambda: 1, lambda *a: 1 / 0, lambda *a: "x", lambda *a: [None]])
def test_nonsense_never_raises(exercise, answer, capsys):
    checks.check(exercise, answer)
    assert "not yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    "exercise, answer, meaning",
    [
        ("00.4", ("seed", flat_prompts(5, 40)), "The seed changes more, as you expected, with 4 of 4"),
        ("00.4", ("seed", flat_prompts(90, 7)), "and you expected the seed"),
        ("00.4", ("words", flat_prompts(40, 20)), "paint more"),
        ("01.4", (10, spirals()), "as you expected"),
        ("01.4", (50, spirals()), "and you expected 50"),
        ("01.6", ({1: 1, 2: 1, 3: 0, 4: 0}, {1: 8 * [True], 2: 8 * [True], 3: 8 * [False], 4: 8 * [False]}), "rarer"),
        ("01.6", (dict.fromkeys((1, 2, 3, 4), 0.9), dict.fromkeys((1, 2, 3, 4), 8 * [True])), "for 4 of 4"),
        (
            "01.6",
            (dict.fromkeys((1, 2, 3, 4), 0), {**dict.fromkeys((2, 3, 4), 8 * [True]), 1: 8 * [False]}),
            "frequent",
        ),
        ("02.5", ("in the snow", GONE, drowned()), "crown went first, and at 0.6 their intervals do not touch"),
        ("02.5", ("in the snow", GONE, drowned(crown=0.95)), "Both went"),
        ("02.5", ("in the snow", {"lion": 0.5, "crown": 0.6}, drowned()), "you expected 0.5"),
        ("03.5", ("in the snow", KEPT, dict.fromkeys(KEPT, (8 * [True], 8 * [False]))), "which shape asks for green"),
        ("03.5", ("in the snow", KEPT, dict.fromkeys(KEPT, (8 * [True], 8 * [True]))), "of words or habit"),
        ("03.5", ("in the snow", KEPT, dict.fromkeys(KEPT, (8 * [False], 8 * [True]))), "in its way"),
        ("03.5", ("in the snow", KEPT, {"lion": (8 * [True], 8 * [False]), "green": 2 * (8 * [False],)}), "between"),
        ("04.5", ("map", 0.9, quarrel()), "map, as you expected"),
        ("04.5", ("map", 0.9, quarrel(together=True)), "both, and you expected map"),
        ("04.5", ("map", 0.9, quarrel(contradict=0.31, together=True)), "words, and you"),
        ("04.5", ("map", 0.9, quarrel(contradict=0.31)), "neither, and you"),
        ("04.5", ("map", 0.9, quarrel(contradict=0.82)), "is not shown"),
        (
            "08.5",
            (1, {0: (20 * [False], 20 * [True]), 1: 2 * (20 * [True],), 2: (20 * [True], 20 * [False])}),
            "No other",
        ),
        ("05.3", (["a", "b", "c"], TRIO, TRIO), "all three, as you expected"),
        ("05.3", (["a"], TRIO, TRIO | {"a": 4 * [0.3]}), "b, c, and you expected otherwise"),
        ("05.5", ({(0.5, 0.5): (0.9, 0.4)}, QUARREL), "first gives way"),
        ("05.5", ({(0.5, 0.5): (1, 1)}, QUARREL | {(0.5, 0.5): 6 * [(0.8, 0.8)]}), "They agree"),
        ("05.5", ({(0.5, 0.5): (1, 1)}, QUARREL | {(0.5, 0.5): 6 * [(0.3, 0.3)]}), "Both lose"),
        ("05.5", ({(0.5, 0.5): (1, 1)}, QUARREL | {(0.5, 0.5): [*5 * [(0.8, 0.8)], (0, 0.8)]}), "more seeds"),
        ("05.5", ({(0.5, 0.5): (1, 1)}, QUARREL | {(0, 1): 6 * [(0.75, 0.8)]}), "no stranger"),
        ("06.5", (2, {0: STRAY, 1: SIDES, 2: SIDES}), "is 1, and you expected 2"),
        ("06.5", (0, dict.fromkeys((0, 1, 2), SIDES)), "noise has a say"),
        ("06.5", (0, dict.fromkeys((0, 1, 2), STRAY)), "nothing is foretold"),
        ("07.6", (GUESS, {"without": seeds(1), "with": seeds(7)}), "the pushes help"),
        ("07.6", (GUESS, {"without": seeds(8), "with": seeds(1)}), "the pushes harm"),
        ("07.6", (GUESS, {"without": seeds(2), "with": seeds(5)}), "fewer than 6"),
        ("07.6", (GUESS, {"without": seeds(8), "with": seeds(8)}), "nothing to mend"),
        ("07.6", (GUESS, {"without": seeds(0), "with": seeds(0)}), "Neither way"),
        ("07.6", (GUESS, {"without": seeds(3, 20), "with": {k: k > 1 and k < 10 for k in range(20)}}), "goes on like"),
        ("08.4", (CARS_GUESSED, {"kept": 9 * [True], "nothing kept": 9 * [False]}), "Keeping is worth it"),
        ("08.4", (CARS_GUESSED, {"kept": 9 * [False], "nothing kept": 9 * [True]}), "Keeping harms"),
        ("08.4", (CARS_GUESSED, {"kept": 9 * [True], "nothing kept": 9 * [True]}), "overlap"),
        ("08.5", (0, dict.fromkeys((0, 1, 2), (8 * [True], 8 * [True]))), "overlap"),
        ("09.5", (0.6, SCORED), "it was learned"),
        ("09.5", (0.6, SCORED | {"relative": 8 * [0.7]}), "begin from that one"),
        ("09.5", (0.6, SCORED | {"relative": [*4 * [0.5], *4 * [0.7]]}), "cannot be told"),
        ("09.5", (0.6, SCORED | {"yours": [*4 * [0.1], *4 * [0.25]]}), "floor is inside"),
        ("10.5", ("elbow", ARM), "elbow costs most, as you expected. Seed by seed it costs more than the wrist"),
        ("10.5", ("wrist", ARM), "and you expected wrist"),
        ("10.5", ("wrist", ARM | {"wrist": [0.2, *6 * [0.3], 0.5]}), "cannot tell it from the"),
        ("10.5", ("elbow", ARM | dict.fromkeys(("wrist", "elbow"), [0.9, 1, *6 * [0.8]])), "None of these losses"),
        ("11.5", (FIRM, films()), "Warping error: same noise 1.02, 0.4 0.32, 0.9 0.83; 0.4 is best, as"),
        ("11.5", (FIRM | {"drift": 0.9}, films()), "0.4 is best, and you expected 0.9; another value than same noise"),
        ("11.5", (FIRM, films()), "0.9 is best, as you expected; no sure change from same noise"),
        ("11.5", (FIRM, films() | {0.4: films(sharpness=2.0)[0.4]}), "At 0.4 sharpness is 67% of it"),
        ("11.5", (FIRM, films() | {0.9: films(drift=0.6)[0.9]}), "but 6 films do not tell it from 0.9"),
        ("12.5", (1, PAIRED), "More than half of the beaches are gone at 1, as you expected"),
        ("12.5", (None, PAIRED), "and you expected None"),
        ("12.5", (None, PAIRED | {(1, 1): 8 * [(0.9, True)]}), "The beach stays, as you expected"),
        (
            "12.5",
            (1, PAIRED),
            "At 0.3 there are 100% beaches (before 100%), joints +0.04 (surely). At 1 there are 25%",
        ),
        (
            "12.5",
            (1, PAIRED | {(1, 1): [*2 * [(0.7, False)], *6 * [(0.6, True)]]}),
            "75% beaches (before 100%, too few",
        ),
    ],
)
def test_an_open_experiment_says_what_its_result_means(exercise, answer, meaning, capsys):
    checks.check(exercise, lambda: answer)
    assert "· right." in (text := capsys.readouterr().out) and meaning in text, text


@pytest.mark.parametrize("name", ["01.99", "77.1", "", "one", None, "../x.1"])
def test_unknown_exercise_is_named(name, capsys):
    checks.check(name, None)
    assert "not yet" in (said := capsys.readouterr().out) and repr(name) in said


def test_answer_cannot_spoil_its_arguments():
    def greedy(uncond, cond, scale):
        cond.zero_()
        return uncond

    kept = torch.ones(2)
    asking.ask(greedy, torch.ones(2), kept, 1.0)
    assert kept.equal(torch.ones(2))
