"""How each method trains, and presets for both lanes. Fields are named as in diffusers' training scripts and peft."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from .. import env
from ..training import BaseTrainingConfig
from ..validation import Choice, Range, Share, check_config

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")  # of self- and cross-attention, as in the LoRA of SD 1.5
# Cross-attention and feed-forward layers: on our small base a subject that is seen alone and in company comes to a
# better likeness with these than with `ATTENTION`, at the same rank.
CROSS = ("attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0", "ff.net.0.proj", "ff.net.2")
# What the clay base knows, kept while it learns something new. It has no idea of a robot to preserve, so Ruiz et al.'s
# pictures of the class would preserve nothing. The tables of lesson 08 ask for none of these things.
KNOWN = (
    "a man in a room", "a house in the desert", "a tree at night", "a bird in the garden", "a pink bear on the beach",
    "a white horse on the street", "a yellow balloon at night", "a purple frog in the snow", "a woman at night",
    "a blue rabbit in the snow", "a black hat in a room", "a red apple in the garden", "an elephant in the desert",
    "a green backpack on the street", "a brown bench on the beach", "an orange turtle in a room",
)  # fmt: skip
# How the base is kept from forgetting: by pictures that it painted itself (Ruiz et al., 2023, 3.2), or by its answers
# to noisy pictures of the subject when it is given other captions (learning without forgetting, Li and Hoiem, 2016).
PRIORS = ("pictures", "answers")


@dataclass(frozen=True)
class TrainingConfig(BaseTrainingConfig):
    """What every method shares. What is kept comes on top of `train_batch_size`, as many pictures again."""

    # Pixels of the pictures.
    height: Annotated[int, Range(1)] = 256
    width: Annotated[int, Range(1)] = 256
    # Half of the pictures are seen in a mirror.
    random_flip: bool = True
    # Weight of the loss on what shall be kept (Ruiz et al., 2023, eq. 2: lambda); 0 keeps nothing.
    prior_loss_weight: Annotated[float, Range(0)] = 0.0
    # How it is kept; how many pictures or answers the base makes before training; of what: () is the trigger's class.
    prior_kind: Annotated[str, Choice(PRIORS)] = "pictures"
    num_class_images: Annotated[int, Range(1)] = 24
    class_prompts: tuple[str, ...] = ()

    def latent_pixels(self, covers: int) -> int:
        """Count the latent pixels of one picture, whose latents cover `covers` pixels a side."""
        return (self.height // covers) * (self.width // covers)


@dataclass(frozen=True)
class LoraTrainingConfig(TrainingConfig):
    """Low-rank adaptation (Hu et al., 2021): dW = lora_alpha / rank * B A."""

    # Rows of A and columns of B: the file grows in proportion.
    rank: Annotated[int, Range(1)] = 4
    # Strength of what is learned; None is lora_alpha = rank.
    lora_alpha: Annotated[float, Range(above=0)] | None = None
    # Names of the linear layers that are adapted, as they end.
    target_modules: tuple[str, ...] = ATTENTION
    # Adapt the attention of the text encoder too.
    train_text_encoder: bool = False

    @property
    def scale(self) -> float:
        """Give lora_alpha / rank."""
        return 1.0 if self.lora_alpha is None else self.lora_alpha / self.rank


@dataclass(frozen=True)
class DreamBoothConfig(TrainingConfig):
    """DreamBooth (Ruiz et al., 2023): the whole UNet, with prior preservation."""

    prior_loss_weight: Annotated[float, Range(0)] = 1.0
    save_every_s: Annotated[float, Range(0)] = 120.0


@dataclass(frozen=True)
class FewStepConfig(TrainingConfig):
    """Few steps from a good start: rank and layers of the LoRA are the start's."""

    lr_warmup_steps: Annotated[int, Range(0)] = 0
    lr_decay_share: Share = 0.0
    ema_steps: Annotated[int, Range(0)] = 0


_ANSWERS = {"train_batch_size": 2, "prior_loss_weight": 1.0, "prior_kind": "answers", "num_class_images": 192,
            "class_prompts": KNOWN}  # fmt: skip
_LARGE = {"height": 512, "width": 512, "train_batch_size": 1, "gradient_checkpointing": True, "save_every_s": 120.0}
# Computed (benchmarks/README.md), for a UNet of 860 million numbers.
LORA_ONLY = (
    "has no preset for Stable Diffusion 1.5: the whole UNet, its gradients and Adam's means take 13 GB beside the "
    "pipeline, and a T4 has less. A DreamBoothConfig of your own is taken on a larger card"
)
PRESETS: dict[str, dict[str, TrainingConfig]] = {
    "clay": {
        "lora": LoraTrainingConfig(500, 2e-3, rank=8, target_modules=CROSS, **_ANSWERS),
        "dreambooth": DreamBoothConfig(300, 2e-4, class_prompts=KNOWN),
        "few_step": FewStepConfig(10, 3e-3),
    },
    "sd15": {
        "lora": LoraTrainingConfig(500, 2e-4, rank=8, **_LARGE),
        "few_step": FewStepConfig(15, 1e-3, **_LARGE),
    },
}


def preset(method: str, lane: str | None = None, **changes) -> TrainingConfig:
    """Give a lane's preset for a method, with some fields changed.

    Args:
        method: "lora", "dreambooth" or "few_step".
        lane: "clay" or "sd15"; None asks `env.choose_lane`.
        changes: fields of the method's dataclass.

    Raises:
        ValueError: no such method on this lane; DreamBooth of Stable Diffusion 1.5 does not fit on a T4.
        TypeError: no such field.

    Example:
        >>> preset("lora", lane="clay", rank=16).rank
        16
    """
    presets = PRESETS[env.choose_lane(lane)]
    if method not in presets:
        why = LORA_ONLY if method in PRESETS["clay"] else "is unknown"
        raise ValueError(f"method={method!r} {why}; use one of {', '.join(map(repr, presets))}.")
    return replace(presets[method], **changes)


def check_training(config: TrainingConfig, covers: int) -> None:
    """Raise unless a configuration can train a model whose latents cover `covers` pixels a side; names the field."""
    check_config(config)
    for name in ("height", "width"):
        side = getattr(config, name)
        if side % covers or side < 4 * covers:
            raise ValueError(f"{name}={side} is no multiple of {covers} from {4 * covers} on, as this model needs.")
