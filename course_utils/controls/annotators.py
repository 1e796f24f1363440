"""The networks that look at pictures: loaded when first asked for, two at most in memory, forgotten at release."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from .. import catalog, env

if TYPE_CHECKING:
    from transformers import BaseImageProcessor, PreTrainedModel

    from .reader import Reader

Network = TypeVar("Network")

MOST = 2  # networks kept: a lesson works with one or two preprocessors at a time, beside a pipeline

_kept: dict[str, object] = {}  # by name, the one used last at the end


def kept(name: str, load: Callable[[], Network]) -> Network:
    """Return the network of that name; the one unused for longest makes room before another is loaded."""
    if name not in _kept:
        while len(_kept) >= MOST:
            del _kept[next(iter(_kept))]
        _kept[name] = load()
    _kept[name] = _kept.pop(name)
    return _kept[name]


@env.at_release
def release() -> None:
    """Forget all networks; `env.release` calls this too."""
    _kept.clear()


def reader() -> Reader:
    """Return the clay lane's reader of classes, joints and normals."""
    from .reader import FOLDER, load

    return kept("reader", lambda: load(env.ASSETS / "models" / FOLDER.name))


def depth_pair(lane: str) -> tuple[PreTrainedModel, BaseImageProcessor]:
    """Return a lane's depth network and what prepares pictures for it."""
    parts = ("depth_estimator", "feature_extractor") if lane == "clay" else ("", "")

    def load() -> tuple[PreTrainedModel, BaseImageProcessor]:  # here, so that its files are checked once
        source = catalog.source("depth2img" if lane == "clay" else "depth estimator", lane)
        return pair("DepthEstimation", *(source / part for part in parts))

    return kept(f"depth {lane}", load)


def pair(task: str, model: Path, processor: Path, **how) -> tuple[PreTrainedModel, BaseImageProcessor]:
    """Read a network for a task (a class name of transformers behind "AutoModelFor") and its image processor."""
    import torch
    import transformers

    with catalog.quiet():
        network = getattr(transformers, f"AutoModelFor{task}").from_pretrained(model, dtype=torch.float32, **how)
        return network.to(device()), transformers.AutoImageProcessor.from_pretrained(processor)


def device() -> str:
    """Return where preprocessors run: on a Mac the CPU, for some are older than its GPU."""
    return env.choose_device("clay")


def nearness(picture: Image.Image, lane: str) -> np.ndarray:
    """Estimate how near each pixel is: inverse depth of unknown scale and offset, float32 [height, width]."""
    import torch

    network, processor = depth_pair(lane)
    with torch.inference_mode():
        inputs = processor(images=picture, return_tensors="pt").to(device())
        near = network(**inputs).predicted_depth[:, None].float()
        size = picture.size[::-1]
        return torch.nn.functional.interpolate(near, size, mode="bicubic", align_corners=False)[0, 0].cpu().numpy()
