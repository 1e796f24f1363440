"""Stage ``reader``: learn from rendered truth to read classes, joints and directions in clay pictures.

The reader's world has seeds of its own, and the things and styles that the base never sees; its first shard is
never trained on and sets the doubt. Nothing of the judge, which measures only, goes into it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from tqdm import tqdm

from ..clay import vocabulary as words
from ..controls import annotators
from ..controls.reader import SIDE, Reader, class_entropy, load, scaled
from ..judge.network import prepare, ready
from ..training import Loop, Plan, autocast
from . import autoencoder, data, dependents, maps, reader_card
from .judge_truth import trip
from .reader_batches import ReaderBatches

RESERVED = 0  # shard that the doubt is set on
BATCH, HANDS = 16, 12  # of each process
PLAN = Plan(steps=3_500, learning_rate=3e-3, warmup_steps=150, decay=0.6, ema_steps=400)
ONWARD = Plan(steps=2_500, learning_rate=3e-3, warmup_steps=100, decay=0.6, ema_steps=300)  # from what ships
NORMAL, HEAT, NECK, SIZE, POINT = 1.0, 20.0, 2.0, 0.2, 20.0  # weights of the losses beside that of the classes
RARE = 20.0  # a cell with a point in it counts so much more
SAMPLES = 500  # pictures that the doubt rests on
DOUBTED = 0.05  # share of them that is doubted: drawings, mostly


def trips(number: int) -> list[np.ndarray]:
    """Carry a shard of the reader's world through the present autoencoder, once: a JPEG file (BGR) a picture."""
    vae = autoencoder.trained()
    where = data.cache() / "reader" / autoencoder.mark(vae) / f"{number:04d}.npz"
    if not where.exists():
        shard = maps.read(data.READER, number)
        pictures = np.stack([shard[k].picture for k in range(len(shard))])
        seen = trip(vae, pictures, np.random.default_rng([data.READER, number]))
        files = [cv2.imencode(".jpg", picture, maps.JPEG)[1].ravel() for picture in seen]
        where.parent.mkdir(parents=True, exist_ok=True)
        spare = where.with_suffix(".new.npz")
        np.savez(spare, files=np.concatenate(files), sizes=np.array(list(map(len, files))))
        spare.replace(where)
    kept = np.load(where)
    return np.split(kept["files"], np.cumsum(kept["sizes"])[:-1])


def loss_of(model: Reader, batches: ReaderBatches) -> torch.Tensor:
    """Draw a batch; sum the losses of all heads."""
    batch, hands = batches.batch(BATCH), batches.hands(HANDS)
    device = next(model.parameters()).device
    with autocast(device):
        found, close = model(batch.x.to(device)), model(hands[0].to(device))
    found = type(found)(*(part.float().cpu() for part in found))
    klass = (F.cross_entropy(found.klass, batch.klass, reduction="none") * batch.weight).mean()
    normal = (1 - F.cosine_similarity(found.normal, batch.normal, dim=1)).mean()
    there, palm = batch.person[:, None], batch.palm[:, None]
    neck = ((found.neck - batch.neck).abs() * there).sum() / there.sum().clamp(min=1)
    size = ((found.size - batch.size[:, None]).abs() * palm).sum() / palm.sum().clamp(min=1)
    heat = _miss(found.body, batch.body) + _miss(found.palm, palm)
    point = _miss(close.fingers.float().cpu(), hands[1])
    return klass + NORMAL * normal + HEAT * heat + NECK * neck + SIZE * size + POINT * point


def _miss(logits: torch.Tensor, hills: torch.Tensor) -> torch.Tensor:
    """Give the cross-entropy of hills 0-1, the places of points counting more than the emptiness around them."""
    return F.binary_cross_entropy_with_logits(logits, hills, 1 + RARE * hills)


@torch.inference_mode()
def set_doubt(model: Reader, pictures: Iterable[np.ndarray]) -> None:
    """Learn how unsure it is of its own world's pictures, uint8 [height, width, 3]: what one in 20 exceeds."""
    seen = [class_entropy(model(prepare(scaled(one, SIDE)[None])).klass) for one in pictures]
    model.far.copy_(torch.cat(seen).quantile(1 - DOUBTED))


def reserved() -> Iterator[np.ndarray]:
    """Give the pictures that the doubt is set on: renders, and others after their trip."""
    shard, tripped = maps.read(data.READER, RESERVED), trips(RESERVED)
    for k in range(min(SAMPLES, len(shard))):
        yield shard[k].picture if k % 2 else cv2.imdecode(tripped[k], cv2.IMREAD_COLOR)


def save(model: Reader, folder: Path) -> None:
    """Write ``model.safetensors``, in half precision but for the doubt's bar, and ``config.json``."""
    dependents.uncarded(folder).mkdir(parents=True, exist_ok=True)
    buffers = dict(model.named_buffers())
    state = {k: v if k in buffers else v.half() for k, v in model.state_dict().items()}
    save_file({k: v.contiguous() for k, v in state.items()}, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)
    (folder / "config.json").write_text(json.dumps({"classes": words.CLASSES}, indent=1) + "\n")
    annotators.release()


def folder() -> Path:
    """Say where the reader ships: beside the base."""
    return data.SHIPPED.parent / "clay-reader"


def train(minutes: float, plan: Plan | None = None, onward: bool = False) -> None:
    """Train or go on; when the plan is finished, set the doubt, ship the reader and write its card.

    Args:
        minutes: stop and save after this long.
        plan: the knobs; None is `PLAN`, or `ONWARD`.
        onward: where there is no checkpoint, start from the reader that ships instead of a random one.
    """
    torch.manual_seed(0)
    numbers = [n for n in maps.shards(data.READER) if n != RESERVED]
    if not numbers:
        raise FileNotFoundError(f"World {data.READER} has no maps in {data.cache()}: run stage `maps`.")
    model = Reader()
    if onward:
        model.load_state_dict(load(folder()).state_dict())
    model = model.to(memory_format=torch.channels_last)
    loop = Loop(data.cache() / "reader", {"reader": model}, plan or (ONWARD if onward else PLAN))
    shards = [maps.read(data.READER, n) for n in numbers]
    batches = ReaderBatches(
        shards, [trips(n) for n in tqdm(numbers, desc="trips", unit="shard")], loop.generator().initial_seed()
    )
    if loop.run(lambda step: loss_of(model, batches), minutes):
        average = ready(loop.average["reader"].cpu())
        set_doubt(average, reserved())
        save(average, folder())
        card(onward)


def card(onward: bool = False) -> dict:
    """Measure what ships and write its card; give the figures. ``onward`` says how it was trained, as for `train`."""
    samples = dependents.samples(data.cache() / "reader" / "log.jsonl", BATCH, onward)
    return reader_card.write(folder(), samples)
