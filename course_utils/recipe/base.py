"""Stage ``base``: the UNet, on frozen latents and a frozen text encoder.

SD's own noise schedule and target (epsilon), min-SNR-5 weights (Hang et al., 2023), and
TokenCompose's loss (Wang et al., CVPR 2024) on the up blocks' cross-attention: nouns
and their adjectives are taught where they belong. Stable Diffusion's word maps are
emergent, ours were taught; the card and lesson 06 say so. A 1 x 1 head on inner features
learns to name what is where and is thrown away afterwards (the idea of REPA, Yu et al., 2025).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import nn
from transformers import CLIPTextModel

from ..attention.layers import EagerAttnProcessor
from ..catalog import dtype_keyword
from ..clay import vocabulary as words
from ..clay.captions import CaptionMix
from ..objectives import noise_loss
from ..training import Loop, Plan, autocast
from . import corpus, data, latents, text
from .autoencoder import LATENT

BATCH = 256  # of all processes together, so that a plan means the same on any number of them
# Captions that name a thing that is not there make it forget one of two, as Stable Diffusion does. Naming one of two,
# the other habit of the web's captions, made it add strangers instead. Of captions that name two, 63 % are true so.
CAPTION_MIX = CaptionMix(absent=0.2, only_one=0.1)
# Every fourth caption is whole: a prompt that says all is painted best. The others name absent things the more.
COMPLETE = CaptionMix(place=1, colour=1, dyed_colour=1, wears=1, only_one=0, style=1, slip=0)
ONWARD_MIX = (COMPLETE, *[replace(CAPTION_MIX, absent=0.27)] * 3)
DROP = 0.1  # share of captions emptied, for guidance
SNR_GAMMA = 5.0  # of min-SNR
TOKEN_WEIGHT, PIXEL_SHARE, CLASS_WEIGHT = 0.05, 0.3, 0.1
# What ships grew in legs: 1,420 steps down to a low rate with the captions' own mix; 1,080 more at 4e-3, the
# last 450 falling, with absent=0.5, which forgot too much (both things in 45 %); 190 at 3e-3, 120 falling, with
# absent=0.05, which forgot too little (89 %). The weights are the mean of the last two, 0.45 and 0.55 ("Model soups",
# Wortsman et al., 2022). This plan trains as long in one go, and has not been run as it stands.
PLAN = Plan(steps=2_690, learning_rate=5e-3, warmup_steps=80, decay=0.3, ema_steps=150)
# From the weights that ship, on scenes of the second edition: 512,000 samples.
ONWARD = Plan(steps=2_000, learning_rate=3e-3, warmup_steps=100, decay=0.35, ema_steps=150)
SCHEDULE = {
    "num_train_timesteps": 1000, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
}  # fmt: skip


def build() -> UNet2DConditionModel:
    """Give the untrained UNet: cross-attention at 16 x 16 and 8 x 8."""
    return UNet2DConditionModel(
        sample_size=16, in_channels=LATENT, out_channels=LATENT, block_out_channels=(96, 160, 192), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=text.WIDTH, attention_head_dim=4,
    )  # fmt: skip


def record_attention(unet: UNet2DConditionModel) -> list[EagerAttnProcessor]:
    """Let the up blocks' cross-attention keep its probabilities; plain processors go everywhere else."""
    chosen = {
        n: EagerAttnProcessor() if n.startswith("up_blocks") and "attn2" in n else AttnProcessor()
        for n in unet.attn_processors
    }
    recorders = [p for p in chosen.values() if isinstance(p, EagerAttnProcessor)]
    unet.set_attn_processor(chosen)  # which empties the dict
    return recorders


def owner_masks(instance: torch.Tensor, owners: torch.Tensor, side: int) -> torch.Tensor:
    """Give each token's instance as a share of each patch: [batch, token, side, side]; zero where it owns nothing."""
    same = instance[:, None] == owners[:, :, None, None]
    same &= owners[:, :, None, None] >= 0
    return F.avg_pool2d(same.float(), instance.shape[-1] // side)


def token_compose(recorders: list[EagerAttnProcessor], batch: dict, kept: torch.Tensor) -> torch.Tensor:
    """TokenCompose's token loss plus ``PIXEL_SHARE`` of its pixel loss, mean over the recorded layers.

    kept: bool [batch], False where the caption was emptied.
    """
    full = owner_masks(batch["instance"], batch["owners"], 16)
    losses = []
    for recorder in recorders:
        side = int(recorder.kept.shape[2] ** 0.5)
        mask = full if side == 16 else F.avg_pool2d(full, 16 // side)
        heat = recorder.kept.float().mean(1).unflatten(1, (side, side)).permute(0, 3, 1, 2)
        counted = (mask.sum((2, 3)) > 0.25 * (side / 16) ** 2) & kept[:, None]
        heat, mask = heat[counted], mask[counted]
        inside = (heat * mask).sum((1, 2)) / (heat.sum((1, 2)) + 1e-6)
        pixel = F.binary_cross_entropy(heat.clamp(1e-4, 1 - 1e-4), mask)
        losses.append((1 - inside).pow(2).mean() + PIXEL_SHARE * pixel)
        recorder.kept = None
    return torch.stack(losses).mean()


class ClassHead(nn.Module):
    """Tells the class at each latent pixel from the UNet's features at 8 x 8, before the mid block."""

    def __init__(self, unet: UNet2DConditionModel):
        super().__init__()
        block = unet.down_blocks[1]
        self.head = nn.Conv2d(block.resnets[-1].out_channels, 4 * len(words.CLASSES), 1)
        self.features: list[torch.Tensor] = []
        block.attentions[-1].register_forward_hook(lambda *call: self.features.append(call[-1][0]))

    def forward(self, klass: torch.Tensor) -> torch.Tensor:
        """Give the cross-entropy against klass (uint8 [n, 64, 64]) for what the UNet last looked at."""
        logits = F.pixel_shuffle(self.head(self.features.pop()), 2)
        step = klass.shape[-1] // logits.shape[-1]
        return F.cross_entropy(logits.float(), klass[:, step // 2 :: step, step // 2 :: step].long())


def draw_steps(n: int, generator: torch.Generator) -> torch.Tensor:
    """Draw noise steps: half uniform, half around step 400 where layout is decided."""
    uniform = torch.randint(0, 1000, (n,), generator=generator)
    middle = (400 + 180 * torch.randn(n, generator=generator)).long().clamp(0, 999)
    return torch.where(torch.rand(n, generator=generator) < 0.5, uniform, middle)


class BaseLoss:
    """The base's loss on a batch; ``parts`` keeps running means of its terms for the log."""

    def __init__(self, unet, encoder, tokenizer, class_head: ClassHead, token_weight: float = TOKEN_WEIGHT):
        self.unet, self.encoder, self.class_head, self.weight = unet, encoder, class_head, token_weight
        self.recorders = record_attention(unet)
        self.schedule, self.device = DDPMScheduler(**SCHEDULE), unet.device
        empty = tokenizer("", padding="max_length", max_length=corpus.LENGTH)["input_ids"]
        self.empty = torch.tensor(empty, device=self.device)
        self.parts = {"noise": 0.0, "token": 0.0, "klass": 0.0}

    def __call__(self, batch: dict, generator: torch.Generator) -> torch.Tensor:
        """Draw noise for a batch of ``Corpus.draw`` and give the loss."""
        z, n = batch["z"], len(batch["z"])
        kept = (torch.rand(n, generator=generator) >= DROP).to(self.device)
        ids = torch.where(kept[:, None], batch["ids"], self.empty)

        def model(noisy: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            noisy = noisy.contiguous(memory_format=torch.channels_last)
            return self.unet(noisy, t, hidden, return_dict=False)[0]

        with autocast(self.device):
            with torch.no_grad():
                hidden = self.encoder(ids).last_hidden_state
            timesteps = draw_steps(n, generator)
            error = noise_loss(model, z, self.schedule, generator, timesteps, SNR_GAMMA).mean()
            klass = self.class_head(batch["klass"])
        token = token_compose(self.recorders, batch, kept)
        for name, value in (("noise", error), ("token", token), ("klass", klass)):
            self.parts[name] = 0.98 * self.parts[name] + 0.02 * float(value.detach())
        return error + self.weight * token + CLASS_WEIGHT * klass


class HeldOut:
    """The plain noise loss of the averaged UNet on 512 scenes that it never sees, and on 512 that it trains on.

    The draws are the same each time. When the two part, more scenes are needed.
    """

    def __init__(self, objective: BaseLoss, average: UNet2DConditionModel, worlds: dict[str, latents.Corpus]):
        self.objective, self.average = objective, average
        average.down_blocks[1].attentions[-1]._forward_hooks.clear()  # the class head listens to the other one
        self.batches = {name: world.draw(512, torch.Generator().manual_seed(0)) for name, world in worlds.items()}

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        """Give the mean loss of each world."""
        return {name: round(self._loss(batch), 5) for name, batch in self.batches.items()}

    def _loss(self, batch: dict) -> float:
        with autocast(self.objective.device):
            hidden = self.objective.encoder(batch["ids"]).last_hidden_state
            return float(
                noise_loss(
                    lambda noisy, t: self.average(noisy, t, hidden, return_dict=False)[0],
                    batch["z"], self.objective.schedule, torch.Generator().manual_seed(1), snr_gamma=SNR_GAMMA,
                ).mean()
            )  # fmt: skip


def shipped() -> UNet2DConditionModel:
    """Load the UNet that ships, in float32, to train it further."""
    return UNet2DConditionModel.from_pretrained(data.SHIPPED / "unet", **{dtype_keyword(): torch.float32})


def train(minutes: float, plan: Plan | None = None, onward: bool = False) -> Path:
    """Train or go on; give the folder with the checkpoint.

    Args:
        minutes: stop and save after this long.
        plan: the knobs; None is `PLAN`, or `ONWARD`.
        onward: where there is no checkpoint, start from the UNet that ships instead of a random one.
    """
    torch.manual_seed(0)
    plan = plan or (ONWARD if onward else PLAN)
    tokenizer = corpus.tokenizer()
    unet = (shipped() if onward else build()).to(memory_format=torch.channels_last)
    class_head = ClassHead(unet)
    loop = Loop(data.cache() / "base", {"unet": unet, "namer": class_head}, plan)
    encoder = frozen_encoder(len(tokenizer)).to(loop.device)
    faster = torch.compile(unet) if minutes > 10 else unet  # a fifth faster, after some minutes
    objective = BaseLoss(faster, encoder, tokenizer, class_head)
    mix = ONWARD_MIX if onward else CAPTION_MIX
    world = latents.load(tokenizer, mix=mix).to(loop.device)
    held_out = latents.load(tokenizer, data.HELD_OUT, mix=mix).to(loop.device)
    measure = HeldOut(objective, loop.average["unet"], {"held_out": held_out, "seen": world})
    draw, share = loop.generator(), BATCH // loop.accelerator.num_processes
    loop.run(
        lambda _: objective(world.draw(share, draw), draw),
        minutes,
        lambda: {k: round(v, 4) for k, v in objective.parts.items()} | measure(),
    )
    return loop.folder


def frozen_encoder(vocab_size: int) -> torch.nn.Module:
    """Load the text encoder that stage ``text`` left, or where there is none the one that ships."""
    path = data.cache() / "text" / "checkpoint.pt"
    if path.exists():
        encoder = text.build(vocab_size)
        encoder.load_state_dict(torch.load(path, weights_only=True)["average"]["encoder"])
    else:
        encoder = CLIPTextModel.from_pretrained(data.SHIPPED / "text_encoder", **{dtype_keyword(): torch.float32})
    return encoder.eval().requires_grad_(False)
