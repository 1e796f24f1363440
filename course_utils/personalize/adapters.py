"""LoRA layers: put into a model, taken out again, attached to paint with; and the law of their size."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..catalog.carried import carried
from ..validation import check_value
from .presets import ATTENTION, LoraTrainingConfig
from .weights import Lora, check_base

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

TEXT = ("q_proj", "k_proj", "v_proj", "out_proj")  # the attention of CLIPTextModel
NAME = "learning"  # of the adapter while it is trained


def targets(model: nn.Module, target_modules: Sequence[str] = ATTENTION) -> dict[str, nn.Linear]:
    """Find the layers whose names end in one of `target_modules`.

    Raises:
        ValueError: a name that ends no layer, or the name of a layer that is not linear.
    """
    named = dict(model.named_modules())
    found = {}
    for ending in target_modules:
        matching = {name: layer for name, layer in named.items() if name == ending or name.endswith(f".{ending}")}
        if not matching:
            raise ValueError(f"target_modules={ending!r} ends no layer's name; try {', '.join(ATTENTION)}.")
        wrong = next((name for name, layer in matching.items() if not isinstance(layer, nn.Linear)), None)
        if wrong:
            kind = type(named[wrong]).__name__
            raise ValueError(f"target_modules={ending!r}: {wrong} is a {kind}; LoRAs here adapt linear layers.")
        found |= matching
    return found


def parameters_per_rank(model: nn.Module, target_modules: Sequence[str] = ATTENTION) -> int:
    """Count what one rank costs: inputs + outputs, summed over the layers; only shapes are read.

    The tensors of a LoRA file take 4 * rank * parameters_per_rank(...) bytes, exactly.

    Args:
        model: a UNet, also one on the meta device, such as `sd15_unet()`.
        target_modules: how the names of the adapted layers end.
    """
    return sum(layer.in_features + layer.out_features for layer in targets(model, target_modules).values())


@cache
def sd15_unet() -> nn.Module:
    """Build the UNet of Stable Diffusion 1.5 from its configuration, on the meta device: shapes without numbers."""
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):  # what is not said here are diffusers' defaults, which are those of SD 1
        return UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)


def adapted(pipe: DiffusionPipeline, config: LoraTrainingConfig) -> dict[str, tuple[nn.Module, Sequence[str]]]:
    """Give the models that are adapted, and how the names of their layers end."""
    text = {"text_encoder": (pipe.text_encoder, TEXT)} if config.train_text_encoder else {}
    return {"unet": (pipe.unet, config.target_modules), **text}


def check_fit(pipe: DiffusionPipeline, config: LoraTrainingConfig) -> None:
    """Raise unless LoRA layers can be put into a pipeline: layers known, rank not too large."""
    for model, target_modules in adapted(pipe, config).values():
        layers = targets(model, target_modules).values()
        most = min((min(layer.in_features, layer.out_features) for layer in layers), default=0)
        if not 1 <= config.rank <= most:
            raise ValueError(
                f"rank={config.rank} is out of range: the smallest of the adapted matrices of {type(model).__name__} "
                f"has {most} rows or columns, and no change of it has a higher rank; use 1 to {most}."
            )


def check_untouched(*models: nn.Module, merged: bool = False) -> None:
    """Raise if models carry more than their checkpoints' weights; `merged` lets what `merge` put there pass."""
    for model in models:
        if found := carried(model, merged=not merged):
            raise ValueError(f"The {type(model).__name__} carries {found}.")


@contextmanager
def injected(
    pipe: DiffusionPipeline, config: LoraTrainingConfig, start: Lora | None = None
) -> Iterator[dict[str, nn.Parameter]]:
    """Put trainable LoRA layers into a pipeline; on leaving, its modules are the same objects as before.

    Args:
        pipe: changed in place meanwhile.
        config: rank, lora_alpha, target_modules, train_text_encoder and seed count.
        start: begin from these weights; None begins from B = 0, that is from the base itself (Hu et al., 2021, 4.1).

    Yields:
        The parameters A and B, float32, by the names of a LoRA file; all others are locked.

    Raises:
        ValueError: a rank or layer that does not fit, or a pipeline that carries a LoRA already.
    """
    check_untouched(pipe.unet, pipe.text_encoder, merged=True)
    check_fit(pipe, config)
    with ExitStack() as stack:
        parameters: dict[str, nn.Parameter] = {}
        for part, (model, target_modules) in adapted(pipe, config).items():
            parameters |= stack.enter_context(_layers(model, part, list(targets(model, target_modules)), config))
        _initialize(parameters, config, start)
        yield parameters


@contextmanager
def _layers(
    model: nn.Module, part: str, names: list[str], config: LoraTrainingConfig
) -> Iterator[dict[str, nn.Parameter]]:
    from peft import LoraConfig

    with _restored(model):
        with torch.random.fork_rng(devices=[]):  # what peft draws is drawn again
            alpha = config.scale * config.rank
            model.add_adapter(LoraConfig(r=config.rank, lora_alpha=alpha, target_modules=names), adapter_name=NAME)
        _refuse_fusing(model)
        trained = {name: p for name, p in model.named_parameters() if f".{NAME}.weight" in name}
        for p in trained.values():
            p.data = p.data.float()
        yield {f"{part}.{name.replace(f'.{NAME}.', '.')}": p for name, p in trained.items()}


@contextmanager
def _restored(*models: nn.Module) -> Iterator[None]:
    """On leaving, take LoRA layers out of models and let those parameters be trained that could be before."""
    trainable = [p for model in models for p in model.parameters() if p.requires_grad]
    try:
        yield
    finally:
        for model in models:
            eject(model)
        for p in trainable:
            p.requires_grad_(True)


def _refuse_fusing(model: nn.Module) -> None:
    """Let no LoRA layer be fused: what is added to the base in a block would stay there when the block ends."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    def merge(safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        raise ValueError("fuse_lora inside this block would change the base for good: use personalize.merge after it.")

    for layer in model.modules():
        if isinstance(layer, BaseTunerLayer):
            layer.merge = merge


def eject(model: nn.Module) -> None:
    """Take all LoRA layers out of a model and put the very modules back that were there before."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, layer in list(model.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, layer.get_base_layer())
    if hasattr(model, "peft_config"):
        del model.peft_config
    model.__dict__.pop("_hf_peft_config_loaded", None)


@torch.no_grad()
def _initialize(parameters: dict[str, nn.Parameter], config: LoraTrainingConfig, start: Lora | None) -> None:
    """Set the first weights: A drawn (Kaiming, as peft does), B zero; or those of `start`, its scale in B."""
    generator = torch.Generator().manual_seed(config.seed)
    for name, p in parameters.items():
        if start is not None:
            p.copy_(start.tensors[name] / (config.scale if name.endswith("lora_B.weight") else 1.0))
        elif name.endswith("lora_A.weight"):
            p.copy_(nn.init.kaiming_uniform_(torch.empty(p.shape), math.sqrt(5), generator=generator))
        else:
            p.zero_()


@contextmanager
def attached(
    pipe: DiffusionPipeline, *loras: Lora, weights: float | Sequence[float] = 1.0
) -> Iterator[tuple[str, ...]]:
    """Let a pipeline paint with LoRAs; on leaving, its modules are the same objects as before.

    Args:
        pipe: any that stands on the base of the LoRAs: text2img, img2img, ControlNet ...
        loras: one or several; their changes are added.
        weights: how strongly each counts, one number for all or one for each; 0 is the base.

    Yields:
        The names of the adapters: inside, `pipe.set_adapters(names, weights)` turns the weights without loading again.

    Raises:
        ValueError: no LoRA, one for another base, weights that do not pair up or are not finite, a pipeline that
            carries one already; inside, `pipe.fuse_lora`, which would outlast the block.
    """
    weights = list(weights) if isinstance(weights, list | tuple) else [weights] * len(loras)
    if not loras or len(weights) != len(loras):
        raise ValueError(
            f"weights has {len(weights)} numbers for {len(loras)} LoRAs; give at least one, and a number for each."
        )
    for number, weight in enumerate(weights):
        check_value(f"weights[{number}]", weight, float)
    models = [pipe.unet, pipe.text_encoder]
    for lora in loras:
        check_base(lora.about, pipe)
    check_untouched(*models, merged=True)
    names = tuple(f"lora{number}" for number in range(len(loras)))
    with _restored(*models):
        for name, lora in zip(names, loras, strict=True):
            _load(pipe, lora, name)
        pipe.set_adapters(list(names), weights)
        for model in models:
            _refuse_fusing(model)
        yield names


def _load(pipe: DiffusionPipeline, lora: Lora, name: str) -> None:
    """Load a LoRA in silence: diffusers warns if the text encoder has no part in it, peft of each but the first."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`")
        if any(key.startswith("text_encoder.") for key in lora.tensors):
            pipe.load_lora_weights(dict(lora.tensors), adapter_name=name)
        else:
            pipe.unet.load_lora_adapter(dict(lora.tensors), prefix="unet", adapter_name=name)
