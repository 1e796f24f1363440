"""The knobs of each method, and presets for both lanes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .. import env

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
# to noisy pictures of the subject when it is told of other things (learning without forgetting, Li and Hoiem, 2016).
PRIORS = ("pictures", "answers")


@dataclass(frozen=True)
class Knobs:
    """What every method shares."""

    steps: int
    # Peak of the learning rate (AdamW); it rises over `warmup` steps and falls along a cosine over the last `decay`.
    rate: float
    warmup: int = 10
    decay: float = 0.4
    # Pictures of the subject a step, of all processes together. What is kept comes on top, as many again.
    batch: int = 4
    # Pixels of the pictures.
    height: int = 256
    width: int = 256
    # Half of the pictures are seen in a mirror.
    mirror: bool = True
    # Noise steps weigh min(SNR, cap) / SNR (min-SNR, Hang et al., 2023); None weighs all alike.
    cap: float | None = 5.0
    # Weight of the loss on what shall be kept (Ruiz et al., 2023, eq. 2: lambda); 0 keeps nothing.
    prior_weight: float = 0.0
    # One of `PRIORS`; how many of them the base makes before training, and of what; () is the trigger's class.
    prior_kind: str = "pictures"
    prior_count: int = 24
    prior_prompts: tuple[str, ...] = ()
    # Steps that the moving average of the weights looks back, at most; 0 keeps none and takes the last weights.
    memory: int = 50
    # Forget activations and compute them again on the way back: a third slower, several times less memory.
    checkpointing: bool = False
    # Of all that is drawn: pictures, noise, noise steps, first weights. The draws are a function of seed and step.
    seed: int = 0
    # Seconds between two checkpoints.
    save_every_s: float = 15.0


@dataclass(frozen=True)
class LoraKnobs(Knobs):
    """Low-rank adaptation (Hu et al., 2021): dW = alpha / rank * B A."""

    # Rows of A and columns of B: the file grows in proportion.
    rank: int = 4
    # Strength of what is learned; None is alpha = rank.
    alpha: float | None = None
    # Names of the linear layers that are adapted, as they end.
    modules: tuple[str, ...] = ATTENTION
    # Adapt the attention of the text encoder too.
    text_encoder: bool = False

    @property
    def scale(self) -> float:
        """Give alpha / rank."""
        return 1.0 if self.alpha is None else self.alpha / self.rank


@dataclass(frozen=True)
class DreamBoothKnobs(Knobs):
    """DreamBooth (Ruiz et al., 2023): the whole UNet, with prior preservation."""

    prior_weight: float = 1.0
    save_every_s: float = 120.0


@dataclass(frozen=True)
class StartKnobs(LoraKnobs):
    """A good start for few steps (Reptile, Nichol et al., 2018). `steps` counts rounds: a subject learned for a while.

    `rate` is the share of the way, 0-1, that the start moves to what was learned in a round.
    """

    warmup: int = 0
    memory: int = 0
    # Steps on one subject, and their rate: the same as few-step personalisation will take.
    inner_steps: int = 10
    inner_rate: float = 3e-3


@dataclass(frozen=True)
class FewStepKnobs(Knobs):
    """Few steps from a good start: shape and modules of the LoRA are the start's."""

    warmup: int = 0
    decay: float = 0.0
    memory: int = 0


_SMALL = {"height": 256, "width": 256}
_ANSWERS = {"batch": 2, "prior_weight": 1.0, "prior_kind": "answers", "prior_count": 192, "prior_prompts": KNOWN}
_LARGE = {"height": 512, "width": 512, "batch": 1, "checkpointing": True, "save_every_s": 120.0}
PRESETS: dict[str, dict[str, Knobs]] = {
    "clay": {
        "lora": LoraKnobs(steps=500, rate=2e-3, rank=8, modules=CROSS, **_ANSWERS, **_SMALL),
        "dreambooth": DreamBoothKnobs(steps=300, rate=2e-4, prior_prompts=KNOWN, **_SMALL),
        "few_step": FewStepKnobs(steps=10, rate=3e-3, **_SMALL),
        "start": StartKnobs(steps=150, rate=0.5, rank=8, modules=CROSS, **_SMALL),
    },
    "sd15": {
        "lora": LoraKnobs(steps=500, rate=2e-4, rank=8, **_LARGE),
        "dreambooth": DreamBoothKnobs(steps=400, rate=2e-6, prior_count=100, memory=0, **_LARGE),
        "few_step": FewStepKnobs(steps=15, rate=1e-3, **_LARGE),
        "start": StartKnobs(steps=300, rate=0.5, inner_steps=15, inner_rate=1e-3, rank=8, **_LARGE),
    },
}


def preset(method: str, lane: str | None = None, **changes) -> Knobs:
    """Give a lane's preset for a method, with some knobs turned.

    Args:
        method: "lora", "dreambooth", "few_step" or "start".
        lane: "clay" or "sd15"; None asks `env.choose_lane`.
        changes: fields of the method's dataclass.

    Raises:
        ValueError: no such method.
        TypeError: no such knob.

    Example:
        >>> preset("lora", lane="clay", rank=16).rank
        16
    """
    presets = PRESETS[env.choose_lane(lane)]
    if method not in presets:
        raise ValueError(f"method={method!r} is unknown; use one of {', '.join(map(repr, presets))}.")
    return replace(presets[method], **changes)


def check(knobs: Knobs, covers: int) -> None:
    """Raise unless the numbers make sense.

    Args:
        knobs: of any method.
        covers: pixels a side that a latent covers.

    Raises:
        ValueError: names the knob, its value and what would be right.
    """
    least = {"steps": 1, "batch": 1, "warmup": 0, "memory": 0, "prior_weight": 0, "prior_count": 1, "rank": 1}
    for name, low in least.items():
        value = getattr(knobs, name, low)
        if value < low:
            raise ValueError(f"{name}={value} is too small; use {low} or more.")
    if knobs.prior_kind not in PRIORS:
        raise ValueError(f"prior_kind={knobs.prior_kind!r} is unknown; use one of {', '.join(map(repr, PRIORS))}.")
    if not knobs.rate > 0:
        raise ValueError(f"rate={knobs.rate} must be above 0.")
    for name in ("height", "width"):
        side = getattr(knobs, name)
        if side % covers or side < 4 * covers:
            raise ValueError(f"{name}={side} is no multiple of {covers} from {4 * covers} on, as this model needs.")
