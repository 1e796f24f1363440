"""Stage ``control KIND``: a ControlNet on the frozen base, from the training world's latents and their maps."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import torch
from diffusers import ControlNetModel, StableDiffusionPipeline
from transformers import CLIPTokenizer

from .. import controlnet, metrics
from ..catalog import CONTROLS
from . import control_card, data, dependents, hints, latents, maps, trials

# The first net begins as a copy of the UNet's encoder and sees 96,000 pairs (the paper's saw 25,000 to 3,000,000).
# What is hard to learn is to be heard by the locked decoder; the others go on from there and learn another map.
FIRST = "canny"
CONFIG = controlnet.ControlNetTrainingConfig(
    max_train_steps=3_000,
    train_batch_size=32,
    learning_rate=2e-3,
    lr_warmup_steps=100,
    lr_decay_share=0.5,
    ema_steps=400,
)
NEXT = controlnet.ControlNetTrainingConfig(
    max_train_steps=700, train_batch_size=32, learning_rate=2e-3, lr_warmup_steps=50, lr_decay_share=0.6, ema_steps=200
)
TWICE = ("mlsd", "scribble", "seg")  # these got a second leg as long as the first
# The loss asks for the noise of a step, not for a picture. How loud a net should be there, stage `gain` measured: the
# least of its gains that scored within 0.01 of the best.
GAIN = {"canny": 1.5, "mlsd": 1.5, "scribble": 1.75, "seg": 1.5}
EMPTY = 0.05  # share of the pairs drawn from all scenes: a black map says nothing, and must not be feared


def encoded() -> list[int]:
    """List the shards of the training world that have both latents and maps.

    Raises:
        FileNotFoundError: there are none.
    """
    ready = sorted({*maps.shards(data.TRAIN)} & {*latents.encoded(data.TRAIN)})
    if not ready:
        raise FileNotFoundError(
            f"No shard of world {data.TRAIN} in {data.cache()} has both maps and latents of the present encoder: "
            "run the stages `latents` and `maps`."
        )
    return ready


class DrawnPairs:
    """Pairs from the training world: a latent, one of its captions, and its map drawn on the spot."""

    def __init__(self, kind: str, tokenizer: CLIPTokenizer):
        self.kind, numbers = kind, encoded()
        self.corpus = latents.load(tokenizer, numbers=numbers)
        self.shards = [maps.read(data.TRAIN, number) for number in numbers]
        telling = np.concatenate([trials.telling(kind, shard) for shard in self.shards])
        self.telling = torch.from_numpy(np.flatnonzero(telling))

    def draw(self, count: int, generator: torch.Generator) -> controlnet.Batch:
        """Draw ``count`` pairs, half of them mirrored."""
        rows = self.telling[torch.randint(len(self.telling), (count,), generator=generator)]
        any_row = torch.randint(len(self.corpus), (count,), generator=generator)
        rows = torch.where(torch.rand(count, generator=generator) < EMPTY, any_row, rows)
        turned = torch.randint(2, (count,), generator=generator)
        caption = torch.randint(self.corpus.ids.shape[1], (count,), generator=generator)
        rng = np.random.default_rng(torch.randint(2**62, (1,), generator=generator).item())
        drawn = [self._map(row, flip, rng) for row, flip in zip(rows.tolist(), turned.tolist(), strict=True)]
        hint = torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).float() / 255
        return controlnet.Batch(self.corpus.latents[rows, turned].float(), self.corpus.ids[rows, caption].long(), hint)

    def _map(self, row: int, turned: int, rng: np.random.Generator) -> np.ndarray:
        facts = self.shards[row // data.SHARD][row % data.SHARD]
        return hints.draw(self.kind, facts.mirrored() if turned else facts, rng)


def begin(kind: str, pipe: StableDiffusionPipeline, onward: bool = False) -> ControlNetModel:
    """Give the network that training begins with: a copy of the UNet's encoder, or the first net as it ships.

    Args:
        kind: of ``catalog.CONTROLS``.
        pipe: the base.
        onward: begin with the net of this kind that ships, as it was before its gain.

    Raises:
        FileNotFoundError: the net to go on from has not shipped.
    """
    net, source = controlnet.copy_of(pipe), kind if onward else FIRST
    if kind == FIRST and not onward:
        return net
    folder = dependents.folder_of(f"control-{source}")
    if not (folder / "config.json").exists():
        raise FileNotFoundError(f"{folder} holds no ControlNet for this one to go on from: run `control {source}`.")
    net.load_state_dict(ControlNetModel.from_pretrained(folder).state_dict())  # its config would tell where it lay
    return with_gain(net, 1 / GAIN.get(kind, 1.0)) if onward else net


def plan(kind: str, onward: bool = False) -> controlnet.ControlNetTrainingConfig:
    """Give how a ControlNet is trained."""
    if onward:
        return NEXT
    return CONFIG if kind == FIRST else replace(NEXT, max_train_steps=(1 + (kind in TWICE)) * NEXT.max_train_steps)


def train(
    kind: str, minutes: float, config: controlnet.ControlNetTrainingConfig | None = None, onward: bool = False
) -> None:
    """Train or go on; when the plan is finished, ship the ControlNet and write its card.

    Args:
        kind: of ``catalog.CONTROLS``.
        minutes: stop and save after this long.
        config: None takes `plan(kind, onward)`.
        onward: start from the net of this kind that ships: it stood on the base before this one.

    Raises:
        ValueError: no such kind.
        FileNotFoundError: the net that this one goes on from has not shipped.
    """
    if kind not in CONTROLS:
        raise ValueError(f"kind={kind!r} is no control; use one of {', '.join(CONTROLS)}.")
    torch.manual_seed(0)
    pipe = dependents.frozen_base()
    pairs, net = DrawnPairs(kind, pipe.tokenizer), begin(kind, pipe, onward)
    config = config or plan(kind, onward)
    if minutes > 10:  # the base alone trains a fifth faster so, after some minutes
        net.compile()
        pipe.unet.compile()
    where = dependents.workshop(f"control-{kind}")
    run = controlnet.train(pipe, net, pairs, config, folder=where, minutes=minutes)
    if run.finished:
        dependents.save(with_gain(run.net, GAIN.get(kind, 1.0)), dependents.folder_of(f"control-{kind}"))
        card(kind, onward)


def card(kind: str, onward: bool = False) -> list[dict]:
    """Measure what ships and write its card; give the rows. ``onward`` says how it was trained, as for `train`."""
    log = dependents.workshop(f"control-{kind}") / "log.jsonl"
    first = kind if onward else None if kind == FIRST else FIRST
    return control_card.write(kind, dependents.samples(log, CONFIG.train_batch_size), first, GAIN.get(kind, 1.0))


def gain(kind: str) -> dict[float, metrics.Interval]:
    """Score what ships at several gains, by the gain; on scenes that its card does not know."""
    return control_card.gains(kind, GAIN.get(kind, 1.0))


def with_gain(net: ControlNetModel, gain: float) -> ControlNetModel:
    """Give a copy of a ControlNet that steers at scale 1 as the first does at scale `gain`.

    Raises:
        ValueError: `gain` is not above 0.
    """
    if not 0 < gain < math.inf:
        raise ValueError(f"gain={gain!r} is no gain; use a number above 0, where 1 changes nothing.")
    scaled = copy.deepcopy(net)
    with torch.no_grad():
        for name, layer in controlnet.zero_layers(scaled).items():
            for p in layer.parameters() if name != "hint" else ():
                p.mul_(gain)
    return scaled
