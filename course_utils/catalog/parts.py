"""Parts that a pipeline is given rather than reads by itself, and how much memory all of them take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .. import env

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

OLD, NEW = "FeatureExtractor", "ImageProcessor"  # how names of classes end
WORKING_GB = 2.5  # what a call of an sd15 pipeline needs beside its weights, for one picture of 512 x 512


@contextmanager
def old_names(folder: Path) -> Iterator[None]:
    """Let a pipeline of 2022 find the classes that its index names, while it is read.

    CLIPFeatureExtractor and DPTFeatureExtractor are called ...ImageProcessor today; transformers 5 has dropped the old
    names, and diffusers does not know that.
    """
    import transformers

    index = folder / "model_index.json"
    entries = json.loads(index.read_text(encoding="utf-8")).values() if index.is_file() else ()
    named = {str(entry[1]) for entry in entries if isinstance(entry, list)}
    dropped = [name for name in named if name.endswith(OLD) and not hasattr(transformers, name)]
    for name in dropped:
        setattr(transformers, name, getattr(transformers, name.replace(OLD, NEW)))
    try:
        yield
    finally:
        for name in dropped:
            delattr(transformers, name)


def weights_gb(pipe: DiffusionPipeline) -> float:
    """Return how much memory the weights of a pipeline take, in GiB."""
    import torch

    modules = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    held = {tensor.data_ptr(): tensor.nbytes for module in modules for tensor in module.parameters()}
    return sum(held.values()) / env.GIB
