"""Where trainers compute and in what, and the optimizers that they share."""

from __future__ import annotations

import torch
from accelerate import Accelerator

from .. import env


def device_for(lane: str) -> torch.device:
    """Give where this process trains: its own card if accelerate started several, else where the lane runs.

    Left alone, accelerate would take a Mac's GPU for the clay family too.
    """
    accelerator = Accelerator()
    return accelerator.device if accelerator.num_processes > 1 else torch.device(env.choose_device(lane))


def low_precision(device: torch.device) -> torch.dtype | None:
    """Give the dtype of autocast while training: what the hardware computes natively beside float32, or None.

    Weights and their updates stay float32.
    """
    if device.type in ("cuda", "mps") and not env.native_bfloat16():
        return torch.float16  # a T4, a Mac
    return torch.bfloat16 if env.native_bfloat16() else None


def autocast(device: torch.device) -> torch.autocast:
    """Give the mixed precision of every trainer: nothing is cast to a dtype that the hardware would emulate."""
    dtype = low_precision(device)
    return torch.autocast(device.type, dtype, enabled=dtype is not None)


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalised by Newton-Schulz (Jordan et al., 2024), for matrices and convolution kernels.

    Updates have the root mean square of about 0.2 that AdamW's have, so one learning rate serves both.
    """

    # Not torch.optim.Muon: it takes matrices only (most of our weights are kernels), and its Newton-Schulz is bfloat16
    # everywhere, which costs more than forward and backward together on a CPU that has to emulate it.

    def __init__(self, params, lr: float = 1e-3, momentum: float = 0.95, weight_decay: float = 0.01):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            native = bool(params) and low_precision(params[0].device) is torch.bfloat16
            dtype = torch.bfloat16 if native else torch.float32
            for p in params:
                state = self.state[p]
                m = state.setdefault("m", torch.zeros_like(p))
                m.mul_(group["momentum"]).add_(p.grad)
                flat = (p.grad + group["momentum"] * m).reshape(len(p), -1)
                update = _orthogonal(flat, dtype) * (0.2 * max(flat.shape) ** 0.5)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update.view_as(p), alpha=-group["lr"])


def _orthogonal(g: torch.Tensor, dtype: torch.dtype, steps: int = 5) -> torch.Tensor:
    x = g.to(dtype)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.T if tall else x).to(g.dtype)


def optimizers(modules: list[torch.nn.Module], learning_rate: float) -> list[torch.optim.Optimizer]:
    """Give Muon for inner matrices and kernels, AdamW for the rest (biases, norms, embeddings, thin layers)."""
    parts = [part for m in modules for part in m.modules() if not isinstance(part, torch.nn.Embedding)]
    own = [p for part in parts for p in part.parameters(recurse=False)]
    wide = {id(p) for p in own if p.ndim >= 2 and min(len(p), p[0].numel()) >= 24}
    params = [p for m in modules for p in m.parameters() if p.requires_grad]
    inner, thin = [p for p in params if id(p) in wide], [p for p in params if id(p) not in wide]
    made = [torch.optim.AdamW(thin, lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.01)]
    return [*made, Muon(inner, lr=learning_rate, weight_decay=0.01)] if inner else made
