"""Stage ``latents``: everything that the text encoder and the UNet train on, in memory-sized arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from transformers import CLIPTokenizer

from ..clay.captions import CAPTION_MIX
from ..training import autocast
from . import autoencoder, corpus, data


def path(mark: str, seed: int, number: int) -> Path:
    """Say where the latents of a shard lie; ``mark`` is the encoder's."""
    return data.cache() / "latents" / mark / f"world{seed}-{number:04d}.npy"


@torch.inference_mode()
def make(vae: AutoencoderTiny, seed: int, number: int) -> Path:
    """Encode a shard and its mirror images: float16 [scene, 2, 12, 16, 16]."""
    where = path(autoencoder.mark(vae.encoder), seed, number)
    if where.exists():
        return where
    pictures = data.read_shard(seed, number).pictures()
    out = []
    for part in np.array_split(pictures, 32):
        both = np.stack([part, part[:, :, ::-1]], 1).reshape(-1, *part.shape[1:])
        with autocast(vae.device):
            z = vae.encode(autoencoder.prepare(both)).latents
        out.append(z.float().reshape(len(part), 2, *z.shape[1:]).half().numpy())
    where.parent.mkdir(parents=True, exist_ok=True)
    spare = where.with_suffix(".new.npy")
    np.save(spare, np.concatenate(out))
    spare.replace(where)
    return where


@dataclass
class Corpus:
    """Aligned arrays of n scenes.

    latents: float16 [n, 2, 12, 16, 16], plain and mirrored.
    ids, owners: [n, variant, token], see ``corpus.encode``.
    instance: int8 [n, 64, 64]; klass: uint8 [n, 64, 64].
    """

    latents: torch.Tensor
    ids: torch.Tensor
    owners: torch.Tensor
    instance: torch.Tensor
    klass: torch.Tensor

    def __len__(self) -> int:
        return len(self.latents)

    def to(self, device: torch.device) -> Corpus:
        """Move everything to a device."""
        return Corpus(*(getattr(self, f.name).to(device) for f in fields(self)))

    def draw(self, n: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Draw a batch: z float [n, 12, 16, 16], ids long [n, token], owners, instance and klass, mirrored alike."""
        highs = (len(self), 2, self.ids.shape[1])
        i, flip, variant = (torch.randint(0, h, (n,), generator=generator).to(self.ids.device) for h in highs)
        turned = flip.bool()[:, None, None]
        instance, klass = (torch.where(turned, m.flip(2), m) for m in (self.instance[i], self.klass[i]))
        return {
            "z": self.latents[i, flip].float(),
            "ids": self.ids[i, variant].long(),
            "owners": self.owners[i, variant],
            "instance": instance,
            "klass": klass,
        }


def encoded(seed: int) -> list[int]:
    """List the shards that the present encoder has encoded."""
    mark = autoencoder.mark(autoencoder.trained().encoder)
    return [n for n in data.shards(seed) if path(mark, seed, n).exists()]


def load(
    tokenizer: CLIPTokenizer, seed: int = data.TRAIN, numbers: list[int] | None = None, mix: corpus.Mixes = CAPTION_MIX
) -> Corpus:
    """Read the shards that the present autoencoder has encoded, with captions of the ``mix``.

    Raises:
        FileNotFoundError: there are none: what another autoencoder left does not count.
    """
    mark = autoencoder.mark(autoencoder.trained().encoder)
    ready = encoded(seed) if numbers is None else numbers
    if not ready:
        raise FileNotFoundError(f"The encoder {mark} has encoded nothing of world {seed}: run stage `latents`.")
    tokens = [_tokens(tokenizer, seed, n, mix) for n in ready]
    maps = [(shard.instance, shard.klass) for shard in (data.read_shard(seed, n) for n in ready)]
    parts = [[np.load(path(mark, seed, n)) for n in ready], *zip(*tokens, strict=True), *zip(*maps, strict=True)]
    return Corpus(*(torch.from_numpy(np.concatenate(part)) for part in parts))


def _tokens(tokenizer: CLIPTokenizer, seed: int, number: int, mix: corpus.Mixes) -> tuple[np.ndarray, np.ndarray]:
    made = corpus.captions(seed, number, mix)
    ids, owners = corpus.encode(tokenizer, [c for scene in made for c in scene])
    shape = (len(made), corpus.VARIANTS, corpus.LENGTH)
    return ids.reshape(shape), owners.reshape(shape)
