"""What the judge should answer: labels, colours and fingers of shards, and their trips through the autoencoder."""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np
import torch

from ..clay import vocabulary as words
from ..clay.compose import compose
from ..clay.scenes import Scene
from ..clay.things import colour_of
from ..clay.view import View
from ..judge.network import COLOURS, HAND_ROOM, LABELLED, NOTHING, RAISED_HAND, SIZE, label_of, window
from ..training import autocast
from . import autoencoder, data

UNKNOWN = 255  # of a label or colour: no answer is wrong there
COUNTABLE = 40  # least height or width, in pixels at 256, of a hand whose fingers count
HAND_WIDTH, SPARE = 256, 1.3  # kept pictures of hands: pixels a side, and room beyond HAND_ROOM for shifts
LEAST, LEAST_WORN, LEAST_RAISED = 0.004, 0.0015, 0.008  # shares of the picture from which on a thing counts as there
COLOURLESS = ("blueprint", "pencil")
TRIP_NOISE = 0.3  # largest deviation of the noise added to latents on a trip


@dataclass
class Truth:
    """The right answers for n pictures; maps are [n, 64, 64].

    label: uint8, pixel labels of ``judge.network``; thing: int8, index in the scene, -1 background;
    colour: uint8, index into ``COLOURS``; fingers: int8 [n], -1 where nothing can be counted, -2 where it is unclear;
    hand: bool [n, 64, 64], the hand to count.
    """

    label: np.ndarray
    thing: np.ndarray
    colour: np.ndarray
    fingers: np.ndarray
    hand: np.ndarray

    @staticmethod
    def of(shard: data.Shard) -> Truth:
        """Work out the answers for a shard."""
        made = [_answers(Scene.from_json(s), i) for s, i in zip(shard.scenes, shard.instance, strict=True)]
        return Truth(*(np.stack(part) for part in zip(*made, strict=True)))


def _answers(scene: Scene, instance: np.ndarray) -> tuple:
    """Give label, thing, colour, fingers and hand of one picture."""
    owners = [(k, source) for k, thing in enumerate(scene.things) for source in (thing, *thing.wears)]
    plain = scene.style not in COLOURLESS
    label = np.array([label_of(s.word) for _, s in owners] + [NOTHING], np.uint8)[instance]
    colour = [COLOURS.index(colour_of(s)) if plain else UNKNOWN for _, s in owners]
    thing = np.array([k for k, _ in owners] + [-1], np.int8)[instance]
    hand, fingers = np.zeros(label.shape, bool), -1
    for k, one in enumerate(scene.things):
        if one.word == "hand":
            hand, fingers = label == label_of("hand"), one.hand.fingers if one.hand else 5
            continue
        raised = {side: held for side in ("left", "right") if one.pose and (held := getattr(one.pose, side))}
        for side, held in raised.items():
            mask, whole = raised_hand(scene, k, side, thing)
            wide = max(np.ptp(np.nonzero(mask), axis=1)) + 1 if mask.any() else 0
            label[mask & (label == label_of(one.word))] = label_of(RAISED_HAND) if whole and wide >= 4 else UNKNOWN
            if whole and wide >= COUNTABLE / 4 and len(raised) == 1:
                hand, fingers = mask, held.fingers
            elif wide >= 4:
                fingers = -2
    return label, thing, np.array([*colour, UNKNOWN], np.uint8)[instance], np.int8(fingers), hand


def raised_hand(scene: Scene, index: int, side: str, thing: np.ndarray) -> tuple[np.ndarray, bool]:
    """Mark a person's raised hand of one side in the map ``thing`` [height, width]; say whether all of it shows."""
    height, width = thing.shape
    at = View.of(scene.camera).project(compose(scene).anatomy[index].hands[side], height, width)[:, :2]
    hull = np.zeros(thing.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.round(at - 0.5).astype(np.int32)), 1)
    hull = cv2.dilate(hull, np.ones((3, 3), np.uint8)) > 0
    framed = ((at > 0) & (at < (width, height))).all()
    covered = (hull & (thing >= 0) & (thing != index)).sum() > 0.1 * hull.sum()
    return hull & (thing == index), bool(framed and not covered)


def least(word: str) -> float:
    """Give the share of the picture from which on a thing counts as there."""
    return LEAST_RAISED if word == RAISED_HAND else LEAST_WORN if word in words.WEARABLES else LEAST


def there(label: np.ndarray) -> np.ndarray:
    """Tell for each word of ``LABELLED`` whether a label map shows it: 1, 0, or -1 where it is too small to say."""
    share = np.bincount(label.ravel(), minlength=256)[1 : 1 + len(LABELLED)] / label.size
    enough = share >= [least(word) for word in LABELLED]
    return np.where(enough, 1, np.where(share > 0, -1, 0))


@dataclass
class Kept:
    """A shard as the judge's training reads it.

    picture, trip: uint8 [n, SIZE, SIZE, 3], before and after the autoencoder (``trip`` is empty without one);
    hand, hand_trip: uint8 [m, HAND_WIDTH, HAND_WIDTH, 3]; fingers: int8 [m], 0-5; the rest as in ``Truth``.
    """

    picture: np.ndarray
    trip: np.ndarray
    label: np.ndarray
    thing: np.ndarray
    colour: np.ndarray
    hand: np.ndarray
    hand_trip: np.ndarray
    fingers: np.ndarray


def join(parts: list):
    """Put several ``Truth`` or ``Kept`` one behind the other."""
    kind = type(parts[0])
    return kind(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(kind)))


def keep(seed: int, number: int) -> Kept:
    """Prepare a shard, or read what was prepared; trips are made anew when the autoencoder has gone on."""
    vae = autoencoder.trained()
    path = data.cache() / "judge" / autoencoder.mark(vae) / f"world{seed}-{number:04d}.npz"
    if path.exists():
        kept = np.load(path)
        return Kept(*(kept[f.name] for f in fields(Kept)))
    shard = data.read_shard(seed, number)
    truth, pictures = Truth.of(shard), shard.pictures()
    trips = trip(vae, pictures, np.random.default_rng([seed, number]))
    counted = np.flatnonzero(truth.fingers >= 0)
    hands = [hand_pictures(p, truth.hand, counted) for p in (pictures, trips)]
    maps = truth.label, truth.thing, truth.colour
    kept = Kept(_sized(pictures), _sized(trips), *maps, *hands, truth.fingers[counted])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path.with_suffix(".new.npz"), **vars(kept))
    path.with_suffix(".new.npz").replace(path)
    return kept


def hand_pictures(pictures: np.ndarray, masks: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Cut the hands out of pictures [n, height, width, 3]: uint8 [m, HAND_WIDTH, HAND_WIDTH, 3]."""
    chosen = counted if len(pictures) else counted[:0]
    cut = [window(masks[k], pictures[k], HAND_ROOM * SPARE, HAND_WIDTH) for k in chosen]
    return np.stack(cut) if cut else np.empty((0, HAND_WIDTH, HAND_WIDTH, 3), np.uint8)


def _sized(pictures: np.ndarray) -> np.ndarray:
    cut = [cv2.resize(p, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for p in pictures]
    return np.stack(cut) if cut else np.empty((0, SIZE, SIZE, 3), np.uint8)


@torch.inference_mode()
def trip(vae, pictures: np.ndarray, rng: np.random.Generator, noise: float = TRIP_NOISE) -> np.ndarray:
    """Carry pictures through the autoencoder, each with its own share of ``noise`` in the latents."""
    out = []
    for part in np.array_split(pictures, max(1, len(pictures) // 8)):
        with autocast(vae.device):
            z = vae.encode(autoencoder.prepare(part).to(vae.device)).latents.float()
            spread = rng.uniform(0, noise, (len(part), 1, 1, 1)) * rng.normal(size=z.shape)
            y = vae.decode(z + torch.from_numpy(spread).to(z)).sample.float()
        out.append(y.add(1).mul(127.5).clamp(0, 255).round().byte().permute(0, 2, 3, 1).cpu().numpy())
    return np.concatenate(out)
