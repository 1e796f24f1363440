"""What a ControlNet learns from: pictures, each with a map and a prompt; in memory, and in a folder.

A folder of pairs is laid out as in ControlNet's own tutorial: a line of JSON for each pair in prompt.json.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from PIL import Image

from ..editing import encode
from ..pictures import as_picture

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

INDEX = "prompt.json"  # lines {"source": the map, "target": the picture, "prompt": its words}
KEYS = ("target", "source", "prompt")
JPEG = b"\xff\xd8"  # how such a file begins
FEW, SMEARED = 16, 24  # colours that cover half of a map whose colours are flat; more than such a map has


@dataclass(frozen=True)
class Batch:
    """Pairs of a step.

    latents: [batch, channel, latent_h, latent_w], scaled as the UNet sees them;
    ids: long [batch, token]; hint: [batch, channel, height, width], RGB, 0-1.
    """

    latents: torch.Tensor
    ids: torch.Tensor
    hint: torch.Tensor


class PairSource(Protocol):
    """Whatever pairs can be drawn from."""

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draw `count` pairs; the generator is on the CPU."""


@dataclass(frozen=True)
class ControlPairs:
    """Pairs made ready once and kept in memory; `pairs[:100]` are the first hundred.

    latents and ids as in `Batch`; hints: uint8 [batch, channel, height, width].
    """

    latents: torch.Tensor
    ids: torch.Tensor
    hints: torch.Tensor

    @staticmethod
    def of(
        pipe: DiffusionPipeline,
        pictures: Sequence[Image.Image],
        maps: Sequence[Image.Image],
        prompts: Sequence[str],
    ) -> ControlPairs:
        """Encode pictures and prompts with a pipeline's own parts.

        Args:
            pipe: a Stable Diffusion.
            pictures: all of one size, in whole latents; each whatever `as_picture` takes.
            maps: one for each picture and of its size, with what colours and brightness you like.
            prompts: what each picture shows.

        Raises:
            ValueError: there are none, the lists do not pair up, the sizes differ or are not whole latents, or a map
                with flat colours was saved as JPEG, which smears them.
        """
        counts = {"pictures": len(pictures), "maps": len(maps), "prompts": len(prompts)}
        if not any(counts.values()):
            raise ValueError(f"{counts}: there are no pairs; give at least one picture, its map and its prompt.")
        if len(set(counts.values())) > 1:
            raise ValueError(f"{counts} do not pair up: give each picture one map and one prompt.")
        pictures = [as_picture(picture, f"pictures[{n}]") for n, picture in enumerate(pictures)]
        maps = [_unsmeared(drawn, f"maps[{n}]") for n, drawn in enumerate(maps)]
        sizes = sorted({(image.height, image.width) for image in (*pictures, *maps)})
        if len(sizes) > 1:
            raise ValueError(f"pictures and maps have the (height, width) {sizes}: bring all of them to one size.")
        step = pipe.vae_scale_factor
        if any(side % step for side in sizes[0]):
            near = " x ".join(str(max(1, round(side / step)) * step) for side in sizes[0])
            raise ValueError(
                f"pictures have {' x '.join(map(str, sizes[0]))} pixels (height x width), no multiples of {step}; "
                f"bring them to {near}."
            )
        hints = np.stack([np.asarray(drawn).transpose(2, 0, 1) for drawn in maps])
        latents = torch.cat([encode(pipe, picture).float().cpu() for picture in pictures])
        return ControlPairs(latents, tokens(pipe, list(prompts)), torch.from_numpy(hints))

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, rows: slice) -> ControlPairs:
        return ControlPairs(self.latents[rows], self.ids[rows], self.hints[rows])

    def digest(self) -> str:
        """Give the SHA-256 of all pairs: a run that goes on must have the same."""
        digest = hashlib.sha256()
        for tensor in (self.latents, self.ids, self.hints):
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draw `count` pairs, with repetition."""
        rows = torch.randint(len(self), (count,), generator=generator)
        return Batch(self.latents[rows], self.ids[rows], self.hints[rows].float() / 255)


def tokens(pipe: DiffusionPipeline, prompts: list[str]) -> torch.Tensor:
    """Give the tokens of prompts, long [batch, token], cut or filled to the tokenizer's length."""
    how = {"padding": "max_length", "truncation": True, "max_length": pipe.tokenizer.model_max_length}
    return pipe.tokenizer(prompts, return_tensors="pt", **how).input_ids


def _unsmeared(source, name: str) -> Image.Image:
    """Open a map; refuse a JPEG whose colours were flat."""
    drawn = as_picture(source, name, "black")
    if isinstance(source, str | Path):
        with open(source, "rb") as file:
            source = file.read(len(JPEG))
    jpeg = source.format == "JPEG" if isinstance(source, Image.Image) else bytes(source[:2]) == JPEG
    colours, counts = np.unique(np.asarray(drawn).reshape(-1, 3), axis=0, return_counts=True) if jpeg else ((), ())
    if len(colours) > SMEARED and np.sort(counts)[-FEW:].sum() > 0.5 * np.sum(counts):
        raise ValueError(
            f"{name} is a JPEG: its flat colours are smeared into {len(colours):,}, and a net would learn the smear. "
            "Make the map again and save it as PNG."
        )
    return drawn


def write_pairs(
    folder: str | Path, pictures: Sequence[Image.Image], maps: Sequence[Image.Image], prompts: Sequence[str]
) -> Path:
    """Write pairs into a folder, maps as PNG, for `read_pairs` and for trainers elsewhere; return the folder."""
    folder = Path(folder)
    lines = []
    for number, (picture, drawn, prompt) in enumerate(zip(pictures, maps, prompts, strict=True)):
        names = {"source": f"source/{number}.png", "target": f"target/{number}.png"}
        for name, image in ((names["source"], drawn), (names["target"], picture)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            image.save(folder / name)
        lines.append(json.dumps({**names, "prompt": prompt}) + "\n")
    (folder / INDEX).write_text("".join(lines), encoding="utf-8")
    return folder


def read_pairs(folder: str | Path) -> tuple[list[Path], list[Path], list[str]]:
    """Read a folder of pairs: what `ControlPairs.of` takes after the pipeline.

    Returns:
        The files of the pictures, those of the maps, and the prompts.

    Raises:
        FileNotFoundError: no such folder, no prompt.json in it, or a file that it names is missing.
        ValueError: a line of it that is no pair, or none at all.
    """
    folder = Path(folder)
    index = folder / INDEX
    if not index.is_file():
        raise FileNotFoundError(
            f"folder={str(folder)!r} has no {INDEX}: write a line for each pair, such as "
            '{"source": "source/0.png", "target": "target/0.png", "prompt": "a cat in the snow"}.'
        )
    found = list(_lines(index))
    if not found:
        raise ValueError(f"folder={str(folder)!r} has no pairs: its {INDEX} is empty.")
    pictures, maps, prompts = map(list, zip(*found, strict=True))
    for path in (*pictures, *maps):
        if not path.is_file():
            raise FileNotFoundError(f"{INDEX} names {os.path.relpath(path, folder)!r}, which is not there.")
    return pictures, maps, prompts


def _lines(index: Path) -> Iterator[tuple[Path, Path, str]]:
    for number, line in enumerate(index.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            target, source, prompt = (json.loads(line)[key] for key in KEYS)
            if not all(isinstance(value, str) for value in (target, source, prompt)):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"Line {number} of {INDEX} is no pair: it needs {', '.join(KEYS)}, as JSON.") from None
        yield index.parent / target, index.parent / source, prompt
