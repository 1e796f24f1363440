"""Stage ``decoder``: the autoencoder's decoder, trained on once the base is there; the encoder stays as it is.

So all latents, and all that was trained on them, stay valid. Compared with pixels alone, a decoder paints the mean of
what it is unsure of: a blur. Three things make it choose instead. It has more blocks where context is cheap (16 and 32
pixels a side). What it decodes is what the base makes of latents under noise, with the errors that painted pictures
have. And its pictures have to look like renders: to the reader's inner features (a perceptual loss, Johnson et al.,
2016) and to a critic of patches that learns beside it (hinge loss with spectral norm: Lim and Ye, 2017; Miyato et al.,
2018), weighed by the size of its gradient (VQGAN, Esser et al., 2021).
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny, DDPMScheduler
from torch import nn

from ..controls import reader
from ..training import Loop, Plan, autocast
from . import autoencoder, base, corpus, data, latents, ship

BATCH, CROP = 4, 10  # crops a step, and their side in latents
DENOISED, NEAR = 0.6, 400  # share of the latents that went through the base, and from how much noise at most (step)
MOST = 16  # shards kept in memory
ALIKE = 0.3  # weight of the features' distance
CRITIC, SLOW = 0.3, (1_000, 4_000)  # its gradient as a share of the other losses', and the steps over which it rises
KEEN = 3.0  # how much faster the critic learns: a slower one the decoder leads by the nose, and overdraws
PLAN = Plan(steps=8_000, learning_rate=2e-4, warmup_steps=100, decay=0.4, max_grad_norm=1e9, ema_steps=300)


def build() -> AutoencoderTiny:
    """Give the autoencoder that its own stage left or that ships, with the blocks of ``autoencoder.FINER``."""
    old, new = autoencoder.first(), autoencoder.build(autoencoder.FINER)
    new.encoder.load_state_dict(old.encoder.state_dict())
    for kept, level in zip(_levels(old.decoder), _levels(new.decoder), strict=True):
        _grow(kept, level)
    return new


def _levels(decoder: nn.Module) -> list[list[nn.Module]]:
    """Split a decoder where the picture grows: the layers with weights of each level, its blocks first to last."""
    levels: list[list[nn.Module]] = [[]]
    for layer in decoder.layers:
        if isinstance(layer, nn.Upsample):
            levels.append([])
        elif any(True for _ in layer.parameters()):
            levels[-1].append(layer)
    return levels


def _grow(kept: list[nn.Module], level: list[nn.Module]) -> None:
    """Copy a level's weights; a block more changes nothing at first, a block less is the last one."""
    (blocks, others), (old, plain) = (_parted(layers) for layers in (level, kept))
    for ours, theirs in (*zip(blocks, old, strict=False), *zip(others, plain, strict=True)):
        ours.load_state_dict(theirs.state_dict())
    for fresh in blocks[len(old) :]:
        nn.init.zeros_(fresh.conv[-1].weight)
        nn.init.zeros_(fresh.conv[-1].bias)


def _parted(layers: list[nn.Module]) -> tuple[list[nn.Module], list[nn.Module]]:
    blocks = [layer for layer in layers if hasattr(layer, "fuse")]
    return blocks, [layer for layer in layers if not hasattr(layer, "fuse")]


class DecoderPairs:
    """Latents, as the base leaves them for its own world, and the pictures they stand for."""

    def __init__(self, unet, encoder, tokenizer):
        self.worlds = {}
        for seed in (data.TRAIN, data.DECODER):
            if numbers := latents.encoded(seed)[:MOST]:
                pictures = np.concatenate([data.read_shard(seed, n).pictures() for n in numbers])
                self.worlds[seed] = latents.load(tokenizer, seed, numbers), pictures
        self.unet, self.encoder = unet, encoder
        self.schedule = DDPMScheduler(**base.SCHEDULE)

    def draw(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw latents [count, 12, CROP, CROP] and pictures [count, 3, 16 * CROP, 16 * CROP] in -1..1."""
        seed = list(self.worlds)[int(torch.randint(len(self.worlds), (1,), generator=generator))]
        world, kept = self.worlds[seed]
        rows, turned = (torch.randint(high, (count,), generator=generator) for high in (len(world), 2))
        z = world.latents[rows, turned].float()
        pictures = kept[rows.numpy()].copy()
        pictures[turned.numpy() == 1] = pictures[turned.numpy() == 1][:, :, ::-1]
        rough = z + 0.05 * torch.randn(z.shape, generator=generator)
        if seed == data.TRAIN:  # the base knows nothing of the words that it never sees
            denoised = (torch.rand(count, generator=generator) < DENOISED)[:, None, None, None]
            rough = torch.where(denoised, self.denoise(z, world.ids[rows, 0], generator), rough)
        top, left = (int(v) for v in torch.randint(16 - CROP + 1, (2,), generator=generator))
        x = autoencoder.prepare(pictures)[:, :, 16 * top : 16 * (top + CROP), 16 * left : 16 * (left + CROP)]
        return rough[:, :, top : top + CROP, left : left + CROP].contiguous(), x.contiguous()

    @torch.no_grad()
    def denoise(self, z: torch.Tensor, ids: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Add noise to latents and let the base say what they were, from their captions ``ids`` [n, token]."""
        t = torch.randint(NEAR, (len(z),), generator=generator)
        noise = torch.randn(z.shape, generator=generator)
        noisy = self.schedule.add_noise(z, noise, t).contiguous(memory_format=torch.channels_last)
        device = self.unet.device
        with autocast(device):
            hidden = self.encoder(ids.long().to(device)).last_hidden_state
            found = self.unet(noisy.to(device), t.to(device), hidden, return_dict=False)[0].float().cpu()
        share = self.schedule.alphas_cumprod[t][:, None, None, None]
        return (noisy - (1 - share).sqrt() * found) / share.sqrt()


class Critic(nn.Module):
    """Tells patches of about 60 pixels of renders (high) from decoded ones (low)."""

    def __init__(self, widths: tuple[int, ...] = (3, 32, 64, 96, 128)):
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.utils.parametrizations.spectral_norm(nn.Conv2d(a, b, 4, 2, 1)), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give a score [n, 1, height / 16, width / 16] for pictures [n, 3, height, width] in -1..1."""
        return self.body(x)

    def frozen(self, x: torch.Tensor) -> torch.Tensor:
        """Give the same scores; they teach ``x``, not the critic."""
        held = {name: p.detach() for name, p in self.named_parameters()}
        return torch.func.functional_call(self, held, (x,))


class DecoderLoss:
    """The decoder's losses and the critic's on a batch; ``parts`` keeps running means for the log."""

    def __init__(self, decoder: nn.Module, critic: Critic, features: reader.Reader):
        self.decoder, self.critic, self.features = decoder, critic, features
        self.parts = {"l1": 0.0, "alike": 0.0, "real": 0.0, "decoded": 0.0}

    def __call__(self, step: int, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Give a loss whose gradient is that of both players; its value says nothing, ``parts`` does."""
        with autocast(x.device):
            y = self.decoder(z).float()
            l1, alike = (y - x).abs().mean(), self._distance(y, x)
            score = -self.critic.frozen(y).mean()
            real, decoded = self.critic(x).float(), self.critic(y.detach()).float()
        plain = torch.autograd.grad(l1 + ALIKE * alike, y, retain_graph=True)[0]
        pushed = torch.autograd.grad(score, y, retain_graph=True)[0]
        rise = min(1.0, max(0.0, (step - SLOW[0]) / (SLOW[1] - SLOW[0])))
        weight = CRITIC * rise * plain.norm() / (pushed.norm() + 1e-8)
        for name, value in (("l1", l1), ("alike", alike), ("real", real.mean()), ("decoded", decoded.mean())):
            self.parts[name] = 0.98 * self.parts[name] + 0.02 * float(value.detach())
        hinge = F.relu(1 - real).mean() + F.relu(1 + decoded).mean()
        return (y * (plain + weight * pushed).detach()).sum() + hinge

    def _distance(self, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            goal = self._inner(x)
        return sum((a - b).pow(2).sum(1).mean() for a, b in zip(self._inner(y), goal, strict=True))

    def _inner(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Give the reader's features at a quarter, an eighth and a sixteenth of the picture, each of length 1."""
        net = self.features
        found = [net.inner[0](net.stem(x))]
        for down, inner in zip(net.down, net.inner[1:], strict=True):
            found.append(inner(down(F.relu(found[-1]))))
        return [F.normalize(f.float(), dim=1) for f in found]


def players(modules: list[nn.Module], learning_rate: float) -> list[torch.optim.Optimizer]:
    """Give decoder and critic an Adam with little memory each, as is usual where one chases the other."""
    rates = zip(modules, (learning_rate, KEEN * learning_rate), strict=True)
    return [torch.optim.Adam(module.parameters(), lr=rate, betas=(0.5, 0.95)) for module, rate in rates]


def train(minutes: float, plan: Plan = PLAN) -> Path:
    """Train or go on; when the plan is finished, leave the autoencoder where ``autoencoder.trained`` looks first."""
    torch.manual_seed(0)
    vae, critic = build().to(memory_format=torch.channels_last), Critic()
    loop = Loop(data.cache() / "decoder", {"decoder": vae.decoder, "critic": critic}, plan, choose=players)
    tokenizer = corpus.tokenizer()
    parts = ship.trained_unet().to(loop.device), base.frozen_encoder(len(tokenizer)).to(loop.device)
    pairs, draw = DecoderPairs(*parts, tokenizer), loop.generator()
    loss = DecoderLoss(vae.decoder, critic, reader.load().to(loop.device))
    held = data.read_shard(data.HELD_OUT, 0).pictures()[:48]

    def averaged() -> AutoencoderTiny:
        whole = autoencoder.build(autoencoder.FINER).to(loop.device)
        whole.encoder.load_state_dict(vae.encoder.state_dict())
        whole.decoder.load_state_dict(loop.average["decoder"].state_dict())
        return whole.eval()

    def note() -> dict:
        figures = {name: round(value, 4) for name, value in loss.parts.items()}
        return figures | ({"psnr": round(autoencoder.psnr(averaged(), held), 2)} if loop.step % 500 == 0 else {})

    if loop.run(lambda step: loss(step, *(p.to(loop.device) for p in pairs.draw(BATCH, draw))), minutes, note):
        averaged().cpu().save_pretrained(autoencoder.finer())
    return loop.folder
