"""Stage ``text``: the text encoder, trained first and then frozen, as Stable Diffusion does with CLIP.

Contrastive and token-wise (FILIP, Yao et al. 2021): every word finds its best patch,
every patch its best word. An encoder trained with the UNet would pack all meaning
into the last tokens (it is causal), and word maps would mean nothing.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from ..training import Loop, Plan, autocast
from . import corpus, data, latents

WIDTH = 256
BATCH = 96
PLAN = Plan(steps=1_500, learning_rate=1e-3, warmup_steps=100, decay=0.6, ema_steps=200)


def build(vocab_size: int) -> CLIPTextModel:
    """Give the untrained text encoder: 4 layers, width 256."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocab_size, hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=4,
            num_attention_heads=4, max_position_embeddings=corpus.LENGTH, projection_dim=WIDTH,
            bos_token_id=vocab_size - 2, eos_token_id=vocab_size - 1, pad_token_id=vocab_size - 1,
        )
    )  # fmt: skip


class _Residual(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class Matcher(nn.Module):
    """The picture's side of the match, thrown away afterwards: latents to 8 x 8 patches, and both projections."""

    def __init__(self, channels: int = 12, width: int = 128):
        super().__init__()
        self.picture = nn.Sequential(
            nn.Conv2d(channels, 64, 3, padding=1), nn.SiLU(), nn.Conv2d(64, 128, 3, 2, 1), _Residual(128),
            _Residual(128), nn.Conv2d(128, 192, 3, padding=1), _Residual(192),
        )  # fmt: skip
        self.patch, self.word = nn.Linear(192, width), nn.Linear(WIDTH, width, bias=False)
        self.scale = nn.Parameter(torch.tensor(2.6))

    def forward(self, z: torch.Tensor, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Give unit patches [picture, 64, width] and unit words [caption, token, width]."""
        patches = self.patch(self.picture(z).flatten(2).transpose(1, 2))
        return F.normalize(patches.float(), dim=-1), F.normalize(self.word(hidden).float(), dim=-1)


def filip(
    patches: torch.Tensor, words: torch.Tensor, mask: torch.Tensor, scale: torch.Tensor
) -> tuple[torch.Tensor, float]:
    """Token-wise contrastive loss (FILIP eq. 4-5) over a batch of pairs, and the share of captions matched right.

    mask: bool [caption, token], True for words (not start, end, padding).
    """
    similar = torch.einsum("ipd,jtd->ijpt", patches, words)
    count = mask.sum(-1).clamp(min=1)
    by_word = (similar.amax(2) * mask[None]).sum(-1) / count[None]
    by_patch = (similar - 9.0 * ~mask[None, :, None, :]).amax(3).mean(2)
    target = torch.arange(len(words), device=words.device)
    logits = [scale.exp().clamp(max=100) * m for m in (by_word, by_patch)]
    loss = sum(F.cross_entropy(m, target) + F.cross_entropy(m.T, target) for m in logits) / 4
    return loss, (by_word.argmax(0) == target).float().mean().item()


def train(minutes: float, plan: Plan = PLAN) -> Path:
    """Train or go on; give the folder with the checkpoint."""
    torch.manual_seed(0)
    tokenizer = corpus.tokenizer()
    encoder, matcher = build(len(tokenizer)), Matcher()
    loop = Loop(data.cache() / "text", {"encoder": encoder, "matcher": matcher}, plan)
    world = latents.load(tokenizer).to(loop.device)
    draw = loop.generator()
    right = [0.0]

    def step(number: int) -> torch.Tensor:
        batch = world.draw(BATCH, draw)
        z = batch["z"] + 0.1 * torch.randn(batch["z"].shape, generator=draw).to(loop.device)
        mask = (batch["ids"] != tokenizer.bos_token_id) & (batch["ids"] != tokenizer.eos_token_id)
        longest = int(mask.sum(-1).max()) + 1  # the encoder is causal: padding changes nothing before it
        mask = mask[:, :longest]
        with autocast(loop.device):
            patches, words = matcher(z, encoder(batch["ids"][:, :longest]).last_hidden_state)
        loss, share = filip(patches, words, mask, matcher.scale)
        right[0] = 0.95 * right[0] + 0.05 * share
        return loss

    loop.run(step, minutes, lambda: {"matched": round(right[0], 3)})
    return loop.folder
