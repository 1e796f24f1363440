"""Tables of lesson 09: ControlNets for filled silhouettes, trained in several ways on the same pairs.

Each job trains one net and measures it on the way: the overlap of what the reader sees with what was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import lru_cache
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from ... import catalog, clay, controlnet, editing, metrics
from ...clay.captions import caption
from ...clay.vocabulary import BACKGROUND
from ...controls import annotators
from ...results.learning import ENDS, PLAIN
from ...results.learning import TABLES as ARMS
from ..shipped import PAINTED_BY
from .making import Table

if TYPE_CHECKING:
    from diffusers import ControlNetModel, StableDiffusionPipeline

MODELS = (*PAINTED_BY, "clay-base/encoder", "clay-reader")
WORLD, PAIRS, SCENES = 9, 200, 16  # the first scenes are learned from; the last before HELD are measured
HELD = 20_000
SEEDS, STOPS, STEPS = 3, 5, 12  # of training; measurements on the way; steps of a picture
CONFIG = controlnet.ControlNetTrainingConfig.for_lane("clay", max_train_steps=150)
Job = tuple[str, int]


def silhouette(made: clay.Render) -> Image.Image:
    """Draw the condition: what is a thing in white, all else in black."""
    return Image.fromarray(np.uint8(made.instance >= 0) * 255).convert("RGB")


def overlap(made: clay.Render, image: Image.Image) -> float:
    """Measure it: the IoU of the things asked for and those that the reader sees."""
    return metrics.iou(made.instance >= 0, annotators.reader().read(image).seg >= len(BACKGROUND))


def words_of(made: clay.Render, index: int) -> str:
    """Write the prompt of a scene."""
    return caption(made.scene, np.random.default_rng([WORLD, index])).text


@lru_cache(maxsize=1)
def pairs_of(count: int) -> controlnet.ControlPairs:
    """Render and encode pairs; each also in a mirror."""
    pipe, parts = catalog.load("text2img", "clay"), []
    for index in range(count):
        made = clay.render(clay.scene(WORLD, index))
        picture, prompt = Image.fromarray(made.image), words_of(made, index)
        both = [[side, side.transpose(Image.Transpose.FLIP_LEFT_RIGHT)] for side in (picture, silhouette(made))]
        parts.append(controlnet.ControlPairs.of(pipe, *both, [prompt] * 2))
    return controlnet.ControlPairs(
        *(torch.cat([getattr(part, name) for part in parts]) for name in ("latents", "ids", "hints"))
    )


@lru_cache(maxsize=1)
def held() -> list[tuple[clay.Render, str]]:
    """Render the scenes that are measured."""
    made = [clay.render(clay.scene(WORLD, HELD - 1 - index)) for index in range(SCENES)]
    return [(render, words_of(render, HELD - 1 - index)) for index, render in enumerate(made)]


def reached(pipe: StableDiffusionPipeline, net: ControlNetModel | None) -> list[float]:
    """Paint the held scenes, with a net or without, and measure each."""
    own = pipe if net is None else controlnet.with_control(pipe, net)
    how = catalog.defaults("clay") | {"num_inference_steps": STEPS}
    maps = {} if net is None else {"image": [silhouette(made) for made, _ in held()]}
    noise = [torch.Generator().manual_seed(seed) for seed in range(SCENES)]
    images = own([prompt for _, prompt in held()], generator=noise, **maps, **how).images
    return [round(overlap(made, image), 4) for (made, _), image in zip(held(), images, strict=True)]


def _tripped(pipe: StableDiffusionPipeline) -> list[float]:
    """Measure the true renders after one trip through the autoencoder: about the best that can be expected."""
    trips = (editing.decode(pipe, editing.encode(pipe, Image.fromarray(made.image))) for made, _ in held())
    return [round(overlap(made, image), 4) for (made, _), image in zip(held(), trips, strict=True)]


def large_first(step: int, count: int, generator: torch.Generator) -> torch.Tensor:
    """Draw noise steps from a range that opens downwards: 500 to 999 at first, all of them after half of the steps."""
    least = 500 * max(0.0, 1 - 2 * step / CONFIG.max_train_steps)
    return (least + torch.rand(count, generator=generator) * (1000 - least)).long()


def _fresh(pipe: StableDiffusionPipeline, seed: int) -> ControlNetModel:
    """Give a net of the copy's shape that inherits nothing: PyTorch's own first weights, zero connections."""
    net = controlnet.copy_of(pipe, seed=seed)
    new = (*net.controlnet_cond_embedding.modules(), *controlnet.zero_layers(net).values())
    kept = {id(module) for module in new}
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(seed)
        for module in net.modules():
            if id(module) not in kept and hasattr(module, "reset_parameters"):
                module.reset_parameters()
    return net


def _start(pipe: StableDiffusionPipeline, arm: str, seed: int) -> ControlNetModel:
    if arm == "nothing inherited":
        return _fresh(pipe, seed)
    return controlnet.copy_of(pipe, zero=arm != "Gaussian in place of zero", seed=seed)


def _config(arm: str, seed: int) -> controlnet.ControlNetTrainingConfig:
    changes = {
        "ten times as long": {"max_train_steps": 10 * CONFIG.max_train_steps, "ema_steps": 10 * CONFIG.ema_steps},
        "no prompt emptied": {"proportion_empty_prompts": 0.0},
    }
    return replace(CONFIG, seed=seed, **changes.get(arm, {}))


def _learned(job: Job) -> list[dict]:
    """Train one net and measure it on the way."""
    arm, seed = job
    pipe = catalog.load("text2img", "clay")
    if arm in ENDS:
        found = reached(pipe, None) if arm == "floor" else _tripped(pipe)
        return [{"arm": arm, "seed": 0, "step": 0, "loss": None, "reached": found}]
    config, rows, losses = _config(arm, seed), [], []
    stops = {round(config.max_train_steps * (number + 1) / STOPS) for number in range(STOPS)}

    def watch(progress: controlnet.ControlNetProgress) -> None:
        losses.append(progress.loss)
        if progress.step in stops:
            mean = round(float(np.mean(losses[-20:])), 5)
            row = {"arm": arm, "seed": seed, "step": progress.step, "loss": mean}
            rows.append({**row, "reached": reached(pipe, progress.net)})

    pairs = pairs_of(int(arm.removesuffix(" pairs").replace(",", "")) if arm.endswith(" pairs") else PAIRS)
    noise: Callable | None = large_first if arm == "large noise steps first" else None
    with TemporaryDirectory() as folder:  # a job that begins anew does not go on from an earlier one's checkpoint
        controlnet.train(pipe, _start(pipe, arm, seed), pairs, config, watch, folder, timesteps=noise)
    return rows


def _jobs(name: str) -> Callable[[], dict[str, Job]]:
    def jobs() -> dict[str, Job]:
        ends = [(end, 0) for end in ENDS] if PLAIN in ARMS[name] else []
        trained = [(arm, seed) for arm in ARMS[name] for seed in range(SEEDS)]
        return {f"{arm}, {seed}": (arm, seed) for arm, seed in (*ends, *trained)}

    return jobs


TABLES = {
    name: Table(
        name, MODELS, _jobs(name), _learned,
        {"config": asdict(CONFIG), "pairs": PAIRS, "world": WORLD, "held": HELD, "scenes": SCENES,
         "seeds": SEEDS, "steps of a picture": STEPS},
        trains=True,
    )
    for name in ARMS
}  # fmt: skip
