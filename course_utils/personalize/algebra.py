"""What can be done with LoRAs once they are there: merge, unmerge, add, weigh."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated

import torch

from ..catalog.carried import fingerprint, state_of
from ..validation import Range, check_value
from .adapters import check_untouched
from .weights import Lora, check_base

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


@dataclass(frozen=True)
class Merged:
    """What `merge` changed: the weights as they were, by layer; of which LoRA."""

    kept: dict[str, torch.Tensor] = field(repr=False)
    lora: Lora = field(repr=False)

    @property
    def trigger(self) -> str:
        """Give the words of what was merged."""
        return self.lora.about.trigger


@torch.no_grad()
def merge(pipe: DiffusionPipeline, lora: Lora, weight: float = 1.0) -> Merged:
    """Add a LoRA to a pipeline's own weights: W + weight * B A. It then costs nothing when painting.

    Args:
        pipe: changed in place.
        lora: learned on its base.
        weight: how strongly it counts; not 0, which would change nothing.

    Returns:
        What `unmerge` needs: a copy of the weights that were changed. Subtracting again would leave rounding errors.

    Raises:
        ValueError: the LoRA is for another base or merged already, one is attached to the pipeline, or its weights
            were changed by something else.
    """
    check_value("weight", weight, float)
    if weight == 0:
        raise ValueError(f"weight={weight!r} would change nothing; use another number.")
    models = _changed(pipe, lora)
    check_base(lora.about, pipe)
    check_untouched(pipe.unet, pipe.text_encoder, merged=True)
    for model in models:
        if any(other.lora is lora or _same(other.lora, lora) for other in state_of(model).merged):
            raise ValueError(f"lora {lora.about.trigger!r} is merged already and would count twice: unmerge it.")
    kept = {}
    for name, change in changes(lora):
        w = _weight(pipe, name)
        kept[name] = w.detach().clone()
        w.copy_((w.cpu().double() + weight * change).to(w.dtype))  # a Mac's GPU has no float64
    merged = Merged(kept, lora)
    for model in models:
        state_of(model).merged.append(merged)
        state_of(model).fingerprint = fingerprint(model)
    return merged


@torch.no_grad()
def unmerge(pipe: DiffusionPipeline, merged: Merged) -> None:
    """Put the weights back, to the last bit, that were there before `merge`; the last merged goes first.

    Raises:
        ValueError: it is not merged any more, or another LoRA was merged after it.
    """
    models = _changed(pipe, merged.lora)
    for model in models:
        stack = state_of(model).merged
        if not any(other is merged for other in stack):
            raise ValueError(f"merged: the LoRA {merged.trigger!r} is not merged into this pipeline (any more).")
        if stack[-1] is not merged:
            raise ValueError(f"merged: {stack[-1].trigger!r} was merged after {merged.trigger!r}: unmerge that first.")
    check_untouched(*models, merged=True)
    for name, kept in merged.kept.items():
        _weight(pipe, name).copy_(kept)
    for model in models:
        state_of(model).merged.pop()
        state_of(model).fingerprint = fingerprint(model)


def _changed(pipe: DiffusionPipeline, lora: Lora) -> list[torch.nn.Module]:
    """List the models that a LoRA changes."""
    return [getattr(pipe, part) for part in dict.fromkeys(name.partition(".")[0] for name in lora.tensors)]


def _same(first: Lora, second: Lora) -> bool:
    """Tell whether two LoRAs are equal, such as one that was read twice."""
    return first.tensors.keys() == second.tensors.keys() and all(
        torch.equal(tensor, second.tensors[name]) for name, tensor in first.tensors.items()
    )


def low_rank(matrix: torch.Tensor, rank: int) -> torch.Tensor:
    """Give the nearest matrix of a rank (Eckart and Young, 1936): the sum of its strongest columns times rows.

    Example:
        >>> low_rank(torch.tensor([[3.0, 0.0], [0.0, 1.0]]), 1).round().tolist()
        [[3.0, 0.0], [0.0, 0.0]]
    """
    check_value("rank", rank, Annotated[int, Range(1)])
    columns, strengths, rows = torch.linalg.svd(matrix, full_matrices=False)
    return columns[:, :rank] * strengths[:rank] @ rows[:rank]


def changes(lora: Lora) -> Iterator[tuple[str, torch.Tensor]]:
    """Give dW = B A of each layer in float64, by "unet.LAYER", one after the other."""
    for name, (a, b) in lora.pairs().items():
        change = b.cpu().double().flatten(1) @ a.cpu().double().flatten(1)
        yield name, change.reshape(len(b), *a.shape[1:])  # of a convolution, whose B is 1 x 1, too


@torch.no_grad()
def norm(pipe: DiffusionPipeline, lora: Lora) -> dict[str, float]:
    """Tell how large each layer's change is beside its weights, |dW| / |W| (Frobenius), the largest first.

    It answers "my LoRA does nothing": all zero is untrained, 0.001 is hardly seen, above 1 breaks pictures.
    """
    check_base(lora.about, pipe)
    found = {name: float(change.norm() / _weight(pipe, name).cpu().double().norm()) for name, change in changes(lora)}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def add(first: Lora, second: Lora, weights: Sequence[float] = (1.0, 1.0)) -> Lora:
    """Put two LoRAs into one whose change is the weighted sum of theirs, exactly: w1 B1 A1 + w2 B2 A2.

    The rows of A are stacked and so are the columns of B; ranks add. (Summing the As and the Bs instead would add
    w1 w2 (B1 A2 + B2 A1), which nobody has learned.)

    Args:
        first, second: learned on one base. A layer that one of them lacks is filled with zeros.
        weights: how strongly each counts.

    Raises:
        ValueError: they are for different bases.
    """
    check_value("weights", weights, tuple[float, float])
    if first.about.base.hash != second.about.base.hash:
        names = [f"{lora.about.trigger!r} on {lora.about.base.name}" for lora in (first, second)]
        raise ValueError(f"first and second were learned on different bases: {names[0]}, {names[1]}.")
    parts = [(lora.pairs(), lora.about.rank, weight) for lora, weight in zip((first, second), weights, strict=True)]
    tensors = {}
    for name in dict.fromkeys([*parts[0][0], *parts[1][0]]):
        pairs = [(*(own.get(name) or _nothing(parts, name, rank)), weight) for own, rank, weight in parts]
        tensors[f"{name}.lora_A.weight"] = torch.cat([a for a, _, _ in pairs])
        tensors[f"{name}.lora_B.weight"] = torch.cat([weight * b for _, b, weight in pairs], 1)
    a, b = first.about, second.about
    rank, modules = a.rank + b.rank, tuple(dict.fromkeys([*a.modules, *b.modules]))
    triggers = f"{a.trigger}, {b.trigger}"
    more = {"rank": rank, "alpha": float(rank), "modules": modules, "seen": tuple(sorted({*a.seen, *b.seen}))}
    return Lora(tensors, replace(a, method="sum", trigger=triggers, steps=a.steps + b.steps, **more))


def _nothing(parts: list, name: str, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the A and B of a layer that a LoRA of this rank leaves alone."""
    a, b = next(own[name] for own, _, _ in parts if name in own)
    return a.new_zeros(rank, a.shape[1]), b.new_zeros(b.shape[0], rank)


def _weight(pipe: DiffusionPipeline, name: str) -> torch.Tensor:
    part, _, layer = name.partition(".")
    return getattr(pipe, part).get_submodule(layer).weight
