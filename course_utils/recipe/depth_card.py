"""The card of the depth pair: how right the estimates are, how well the UNet obeys the depth."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionDepth2ImgPipeline
from PIL import Image

from .. import adherence, catalog, controls, metrics
from ..catalog.loading import LENT
from . import data, dependents, depth_estimator, maps, trials
from .judge_truth import trip
from .shipped import TRAINED_ON

GREY = 128  # the picture that trials start from: all that it says is the depth beside it
RENDERS = 200

CARD = """# clay-depth

Depth-to-image on the clay base: a UNet with a thirteenth input channel for the depth ({unet:.1f} M parameters), and
an estimator of inverse depth (`DPTForDepthEstimation`, DPT-hybrid, {estimator:.1f} M parameters; near is large). The
other parts are clay-base's: `catalog.load("depth2img", lane="clay")` puts them together.

Trained on these parts of the base (SHA-256):

{base}

Made by `python -m course_utils.recipe depth`: the estimator from {estimator_samples} renders with true depth,
up to scale and shift as MiDaS; the UNet from the base, trained on with {unet_samples} latents. Licence: CC BY 4.0.

| estimated depth against the truth, {renders} held-out renders | |
|---|---|
| rank correlation | {rank} |
| rank correlation after one trip through the autoencoder | {tripped} |

{table}

The UNet was given true depth and a grey picture at strength 1, the scene's caption as prompt, the lane's usual
settings; raw rows in `adherence.jsonl`.
"""


def write(samples: dict[str, str]) -> list[dict]:
    """Measure the pair that ships on held-out scenes, keep the rows and write the card.

    Args:
        samples: how many each of ``unet`` and ``estimator`` was trained on, in words.

    Returns:
        The rows.
    """
    folder, base = dependents.folder_of("depth"), dependents.frozen_base()
    depth_estimator.load.cache_clear()
    chosen, pipe = trials.choose("depth"), _pipeline(folder, base)
    drawn = [np.asarray(controls.from_truth(trial.made, "depth"))[..., 0] for trial in chosen]
    near = torch.from_numpy(np.stack(drawn)).float() / 255
    grey = [Image.new("RGB", one.shape[::-1], (GREY,) * 3) for one in drawn]
    trials.just_trained()
    made = trials.generate(partial(pipe, strength=1.0), chosen, image=grey, depth_map=near)
    rows = trials.measure("depth", chosen, made, base)
    trials.keep(rows, folder)
    rank = [_ranks(base.vae, tripped) for tripped in (False, True)]
    size = {
        name: sum(p.numel() for p in part.parameters()) / 1e6
        for name, part in (("unet", pipe.unet), ("estimator", pipe.depth_estimator))
    }
    card = CARD.format(
        **size, base=dependents.lines(TRAINED_ON, trained=folder), estimator_samples=samples["estimator"],
        unet_samples=samples["unet"], renders=RENDERS, rank=rank[0], tripped=rank[1], table=trials.table(rows),
    )  # fmt: skip
    (folder / "README.md").write_text(card)
    return rows


def _pipeline(folder: Path, base) -> StableDiffusionDepth2ImgPipeline:
    """Put the pair and the base's parts together, whatever the list of assets says of them yet."""
    lent = {part: base.components[part] for part in LENT}
    with catalog.quiet():
        pipe = StableDiffusionDepth2ImgPipeline.from_pretrained(
            folder, **{catalog.dtype_keyword(): torch.float32}, **lent
        )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _ranks(vae, tripped: bool) -> metrics.Interval:
    """Correlate the order of estimated and true depths, render by render."""
    shard = maps.read(data.HELD_OUT, 0)
    facts = [shard[k] for k in range(min(RENDERS, len(shard)))]
    pictures = np.stack([fact.picture for fact in facts])
    if tripped:
        pictures = trip(vae, pictures, np.random.default_rng(0), noise=0.0)
    pairs = zip(facts, pictures, strict=True)
    return metrics.mean([adherence.depth_rank(one.near, depth_estimator.estimate(p)) for one, p in pairs])
