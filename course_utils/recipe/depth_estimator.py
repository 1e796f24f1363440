"""Part of stage ``depth``: a small DPT-hybrid that estimates inverse depth, up to scale and shift.

Trained as MiDaS (Ranftl et al., 2020): the estimate is aligned to the truth before they are compared, so that only
what a picture can tell counts; near is large.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from transformers import BitConfig, DPTConfig, DPTForDepthEstimation, DPTImageProcessor

from ..training import Loop, Plan, autocast
from . import data, dependents, maps
from .judge_spoil import GREY, camera
from .maps import Facts

SIDE = 256
BATCH = 12  # of each process
PLAN = Plan(steps=1_200, learning_rate=2e-3, warmup_steps=150, decay=0.6, ema_steps=200)
ONWARD = Plan(steps=500, learning_rate=1e-3, warmup_steps=50, decay=0.6, ema_steps=100)  # from the one that ships
EDGES = 0.5  # weight of the gradient term (MiDaS eq. 11)
SCALES = 4


def build() -> DPTForDepthEstimation:
    """Give the untrained estimator: convolutions to 16 x 16, four layers of attention, a neck back to full size."""
    stages = [64, 96, 192]
    bit = BitConfig(
        layer_type="bottleneck", global_padding="same", embedding_size=32, hidden_sizes=stages, depths=[2, 2, 3],
        num_groups=8, embedding_dynamic_padding=True, out_features=["stage1", "stage2", "stage3"],
    )  # fmt: skip
    config = DPTConfig(
        is_hybrid=True, backbone_config=bit.to_dict(), hidden_size=192, num_hidden_layers=4, num_attention_heads=4,
        intermediate_size=768, image_size=SIDE, patch_size=16, backbone_featmap_shape=[1, stages[-1], 16, 16],
        backbone_out_indices=[0, 1, 1, 3], neck_hidden_sizes=[*stages[:2], 128, 192], fusion_hidden_size=64,
    )  # fmt: skip
    model = DPTForDepthEstimation(config)
    for layer in [*model.neck.modules(), *model.head.modules()]:
        if isinstance(layer, nn.Conv2d):  # transformers draws for large, pretrained networks: too small to start from
            nn.init.normal_(layer.weight, std=layer.weight[0].numel() ** -0.5)
    last = model.head.head[-2]
    nn.init.normal_(last.weight, std=0.01)
    nn.init.constant_(last.bias, 0.5)
    model.head.head[-1] = nn.LeakyReLU(0.1)  # while it learns: behind a ReLU that has closed everywhere nothing does
    return model


def processor() -> DPTImageProcessor:
    """Give what prepares pictures for it: squeezed to 256 x 256, -1..1."""
    half = [0.5] * 3
    return DPTImageProcessor(size={"height": SIDE, "width": SIDE}, image_mean=half, image_std=half)


@lru_cache(maxsize=1)
def load(folder: Path) -> tuple[DPTForDepthEstimation, DPTImageProcessor]:
    """Read the estimator and its processor from the pair's folder."""
    model = DPTForDepthEstimation.from_pretrained(folder / "depth_estimator", dtype=torch.float32)
    return model.eval(), DPTImageProcessor.from_pretrained(folder / "feature_extractor")


@torch.inference_mode()
def estimate(picture: np.ndarray) -> np.ndarray:
    """Estimate the inverse depth of a picture uint8 [height, width, 3] with what ships: float32 [height, width]."""
    model, prepare = load(dependents.folder_of("depth"))
    near = model(prepare(images=Image.fromarray(picture), return_tensors="pt").pixel_values).predicted_depth[0]
    return cv2.resize(near.numpy(), picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def aligned(prediction: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Scale and shift each prediction [batch, height, width] to the truth by least squares (MiDaS eq. 3-4)."""
    g, t = prediction.flatten(1), truth.flatten(1)
    off = g - g.mean(1, keepdim=True)
    scale = (off * (t - t.mean(1, keepdim=True))).mean(1) / (off.pow(2).mean(1) + 1e-6)
    return (off * scale.clamp(min=0)[:, None] + t.mean(1, keepdim=True)).view_as(prediction)


def loss_of(prediction: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Compare a prediction with true inverse depth, both [batch, height, width], truth in 0-1.

    The aligned absolute error, and that of its gradients at several scales, which keeps borders sharp
    (MiDaS eq. 5, with the robust error, and eq. 11).
    """
    # Without the raw error a prediction of the wrong sign would align to a constant and never recover.
    error = aligned(prediction, truth) - truth
    total = error.abs().mean() + 0.1 * (prediction - truth).abs().mean()
    for level in range(SCALES):
        part = error[:, :: 2**level, :: 2**level]
        across = (part[..., 1:] - part[..., :-1]).abs().mean() + (part[:, 1:] - part[:, :-1]).abs().mean()
        total = total + EDGES * across
    return total


class DepthBatches:
    """Draws pictures seen by a bad camera, with their inverse depth."""

    def __init__(self, shards: list[maps.MapShard], seed: int):
        self.shards, self.rng = shards, np.random.default_rng([6, seed])

    def batch(self, count: int = BATCH) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw pictures [count, 3, SIDE, SIDE] in -1..1 and inverse depth [count, SIDE, SIDE] in 0-1."""
        drawn = [self.example() for _ in range(count)]
        x = torch.from_numpy(np.stack([picture for picture, _ in drawn])).permute(0, 3, 1, 2).float() / 127.5 - 1
        near = torch.from_numpy(np.stack([near for _, near in drawn])).float() / 255
        return x.contiguous(memory_format=torch.channels_last), near

    def example(self) -> tuple[np.ndarray, np.ndarray]:
        """Draw a scene, mirrored every other time, and cut a part out."""
        facts = self.facts()
        height, width = facts.near.shape
        tall, wide = (round(n * self.rng.uniform(0.7, 1.0)) for n in (height, width))
        y, x = self.rng.integers(height - tall + 1), self.rng.integers(width - wide + 1)
        cuts = (m[y : y + tall, x : x + wide] for m in (facts.picture, facts.near))
        picture, near = (cv2.resize(cut, (SIDE, SIDE)) for cut in cuts)
        return camera(picture, self.rng, GREY), near

    def facts(self) -> Facts:
        """Draw a scene."""
        shard = self.shards[self.rng.integers(len(self.shards))]
        facts = shard[int(self.rng.integers(len(shard)))]
        return facts.mirrored() if self.rng.random() < 0.5 else facts


def train(minutes: float, plan: Plan | None = None, onward: bool = False) -> tuple[DPTForDepthEstimation, bool]:
    """Train or go on; give the averaged network and whether the plan is finished.

    Args:
        minutes: stop and save after this long.
        plan: the knobs; None is `PLAN`, or `ONWARD`.
        onward: where there is no checkpoint, start from the estimator that ships instead of a random one.
    """
    torch.manual_seed(0)
    numbers = maps.shards(data.TRAIN)
    if not numbers:
        raise FileNotFoundError(f"World {data.TRAIN} has no maps in {data.cache()}: run stage `maps`.")
    model = build()
    if onward:
        model.load_state_dict(load(dependents.folder_of("depth"))[0].state_dict())
    model = model.to(memory_format=torch.channels_last)
    loop = Loop(data.cache() / "depth-estimator", {"estimator": model}, plan or (ONWARD if onward else PLAN))
    batches = DepthBatches([maps.read(data.TRAIN, n) for n in numbers], loop.generator().initial_seed())

    def step(_: int) -> torch.Tensor:
        x, near = (part.to(loop.device) for part in batches.batch())
        with autocast(loop.device):
            prediction = model(x).predicted_depth
        return loss_of(prediction.float(), F.interpolate(near[:, None], prediction.shape[1:], mode="area")[:, 0])

    finished = loop.run(step, minutes)
    return loop.average["estimator"], finished
