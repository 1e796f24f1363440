"""How much memory training will take, told before it starts, and whether that fits.

One step is run on tensors without numbers (fake ones, which have shapes and sizes only), and what is alive is
counted: so checkpointing, batch and size come in as they are, and no table of constants grows old.
"""

from __future__ import annotations

import json
import weakref
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from .. import env
from ..objectives import low_precision
from .layers import TEXT, numbers_per_rank, targets
from .presets import DreamBoothKnobs, LoraKnobs

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

SPARE = 1.15  # what allocators lose between the pieces, and scratch space of the kernels
LIBRARIES_GB = 0.4  # what the kernels' libraries keep for themselves (on a CPU, with SD 1.5, 0.3 was measured)
# Not weighed, for that takes two seconds: models of the clay lane's size (a picture of 256 x 256 takes 16 MB a step,
# DreamBooth's numbers 0.3 GB) on fewer pixels a step than this, where so many GB are free.
SMALL, PIXELS, ROOMY_GB = 50e6, 64 * 256 * 256, 4.0
PLAIN = 32 * 32  # latent pixels; at 64 x 64 the attention maps of SD 1.5 took 1 GB more than the fused kernel


@dataclass(frozen=True)
class Estimate:
    """What training takes beyond the loaded pipeline, in GiB.

    weights: trained numbers with their gradients, Adam's two means and the moving average; activations: the most that
    one step keeps at a time; spare: allocators and libraries.
    """

    weights: float
    activations: float
    spare: float

    @property
    def total(self) -> float:
        """Sum up."""
        return self.weights + self.activations + self.spare

    def __str__(self) -> str:
        return (
            f"{self.total:.1f} GB beside the pipeline: {self.weights:.1f} for what is trained, "
            f"{self.activations:.1f} for a step, {self.spare:.1f} to spare"
        )


def estimate(pipe: DiffusionPipeline, knobs: LoraKnobs | DreamBoothKnobs) -> Estimate:
    """Say what training with these knobs will take.

    Args:
        pipe: only its configuration and dtype are read.
        knobs: of a LoRA or of DreamBooth. What a text encoder keeps for a step is small and not counted.
    """
    whole = isinstance(knobs, DreamBoothKnobs)
    rank, modules = (0, ()) if whole else (knobs.rank, knobs.modules)
    count = sum(p.numel() for p in pipe.unet.parameters()) if whole else rank * numbers_per_rank(pipe.unet, modules)
    if not whole and knobs.text_encoder:
        count += rank * numbers_per_rank(pipe.text_encoder, TEXT)
    copies = 4 + (1 if knobs.memory else 0)
    batch = knobs.batch * (2 if knobs.prior_weight else 1)
    side = (knobs.height // pipe.vae_scale_factor, knobs.width // pipe.vae_scale_factor)
    dtype = torch.float32 if whole or pipe.unet.dtype == torch.float32 else torch.bfloat16
    config = json.dumps(dict(pipe.unet.config), default=str, sort_keys=True)
    low = low_precision(pipe.unet.device) is not None
    tokens = pipe.tokenizer.model_max_length
    plain = plain_attention(pipe.unet.device, *side)
    step = _peak(config, batch, side, tokens, knobs.checkpointing, dtype, low, plain, rank, modules)
    sizes = 4 * copies * count / env.GIB, max(step, 4 * count) / env.GIB  # Adam works on a copy when a step ends
    return Estimate(*sizes, (SPARE - 1) * sum(sizes) + LIBRARIES_GB)


def check(pipe: DiffusionPipeline, knobs: LoraKnobs | DreamBoothKnobs, free_gb: float | None = None) -> None:
    """Raise unless training will fit.

    Args:
        pipe: loaded, on the device that it will be trained on.
        knobs: of a LoRA or of DreamBooth.
        free_gb: GiB that may be used; None asks the device.

    Raises:
        MemoryError: says how much is missing, and what to turn.
    """
    free_gb = free(pipe.unet.device) if free_gb is None else free_gb
    small = sum(p.numel() for p in pipe.unet.parameters()) < SMALL
    if small and knobs.batch * knobs.height * knobs.width < PIXELS and free_gb > ROOMY_GB:
        return
    needed = estimate(pipe, knobs)
    if needed.total <= free_gb:
        return
    advice = [] if knobs.checkpointing else ["checkpointing=True"]
    advice += [f"batch={max(1, knobs.batch // 2)}"] if knobs.batch > 1 else []
    advice += ["prior_weight=0"] if knobs.prior_weight else []
    advice += ["memory=0"] if knobs.memory and isinstance(knobs, DreamBoothKnobs) else []
    advice += ["a LoRA in place of DreamBooth"] if isinstance(knobs, DreamBoothKnobs) else []
    smaller = f"smaller pictures than height={knobs.height}, width={knobs.width}"
    raise MemoryError(f"Training takes {needed}; {free_gb:.1f} GB are free. Try {', '.join([*advice, smaller])}.")


def free(device: torch.device) -> float:
    """Give the GiB that may still be used on a device."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return (torch.cuda.mem_get_info(device)[0] + unused) / env.GIB
    import psutil

    return min(psutil.virtual_memory().available, env.total_memory()) / env.GIB


def plain_attention(device: torch.device, latent_h: int, latent_w: int) -> bool:
    """Tell whether to compute attention the plain way while training: faster on a CPU, but its maps must be small."""
    return device.type == "cpu" and latent_h * latent_w <= PLAIN


class Meter(TorchDispatchMode):
    """Counts the bytes of the tensors that are made while it is on and still alive; `peak` is the most of them."""

    def __init__(self, known: list[torch.Tensor]):
        super().__init__()
        self.now = self.peak = 0
        self.alive = {tensor.untyped_storage()._cdata for tensor in known}  # of weights only views are made

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        """Run an operation and weigh what it gives."""
        out = function(*args, **(kwargs or {}))
        for tensor in torch.utils._pytree.tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self._weigh(tensor.untyped_storage())
        return out

    def _weigh(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self.alive:
            self.alive.add(key)
            self.now += size
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self.alive.discard(key)
        self.now -= size


class _Thin(torch.nn.Module):
    """A linear layer with a LoRA beside it, as peft computes it."""

    def __init__(self, layer: torch.nn.Linear, rank: int):
        super().__init__()
        self.layer = layer
        self.a = torch.nn.Linear(layer.in_features, rank, bias=False)
        self.b = torch.nn.Linear(rank, layer.out_features, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result = self.layer(x)
        return (result + self.b(self.a(x.float()))).to(result.dtype)


@lru_cache(maxsize=16)
def _peak(
    config: str, batch: int, side: tuple[int, int], tokens: int, checkpointing: bool, dtype: torch.dtype, low: bool,
    plain: bool, rank: int, modules: tuple[str, ...],
) -> int:  # fmt: skip
    """Count the bytes of activations in one step, forward and backward; rank 0 trains all weights."""
    from diffusers import UNet2DConditionModel
    from diffusers.models.attention_processor import AttnProcessor
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(), torch.random.fork_rng(devices=[]):
        unet = UNet2DConditionModel.from_config(json.loads(config))
        for layer in unet.modules():  # fake parameters cannot be changed in place, as `to` would
            for name, p in list(layer.named_parameters(recurse=False)):
                setattr(layer, name, torch.nn.Parameter(p.detach().to(dtype), requires_grad=not rank))
        for name, layer in targets(unet, modules).items() if rank else ():
            parent, _, child = name.rpartition(".")
            setattr(unet.get_submodule(parent), child, _Thin(layer, rank))
        if plain:
            unet.set_attn_processor(AttnProcessor())
        if checkpointing:
            unet.enable_gradient_checkpointing()
        for p in unet.parameters():
            p.grad = torch.zeros_like(p) if p.requires_grad else None
        latents = torch.empty(batch, unet.config.in_channels, *side, dtype=dtype)
        words = torch.empty(batch, tokens, unet.config.cross_attention_dim, dtype=dtype)
        known = [t for p in unet.parameters() for t in (p, p.grad) if t is not None]
        with Meter([*known, *unet.buffers()]) as meter:
            with torch.autocast("cpu", torch.bfloat16) if low else nullcontext():
                loss = unet(latents, torch.zeros(batch), words, return_dict=False)[0].float().pow(2).mean()
            loss.backward()
        return meter.peak
