"""Reading what was learned: files of the course, which say what they are, and LoRAs of other programs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .. import env
from ..catalog.checkpoints import CLAY
from ..catalog.files import PICKLES
from .weights import HEADER, About, Base, Lora, Tuned, base_of, check_base

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

LICENCES = ("modelspec.license", "license", "licence")  # where files name it
PHRASE = "modelspec.trigger_phrase"  # where other programs' files name the words that they were taught
# diffusers' older names of layers and of both halves, as the pipeline and peft name them
RENAMED = {
    r"\.processor\.": ".",
    r"\.to_out_lora\.": ".to_out.0.lora.",
    r"\.to_([qkv])_lora\.": r".to_\1.lora.",
    r"(text_encoder\..*\.self_attn)\.to_([qkv])\.": r"\1.\2_proj.",
    r"(text_encoder\..*\.self_attn)\.to_out\.0\.": r"\1.out_proj.",
    r"\.(?:lora_linear_layer|lora)\.down\.": ".lora_A.",
    r"\.(?:lora_linear_layer|lora)\.up\.": ".lora_B.",
}


def read(path: str | Path, pipe: DiffusionPipeline) -> Lora | Tuned:
    """Read what `save` wrote, or a LoRA of another program, for a pipeline that it shall go on.

    Another program's file does not say which base it is for: where its layers are there and fit, it is taken.

    Args:
        path: a .safetensors file.
        pipe: stands on the base that it was learned on.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a pickle, a broken file, one that holds no LoRA, or one for another base.
    """
    path = Path(path)
    tensors, metadata = _opened(path)
    if HEADER not in metadata:
        lora = foreign(path, tensors, metadata, pipe)
        _check_shapes(path, lora, pipe)
        return lora
    about = _about(path, metadata[HEADER])
    check_base(about, pipe)
    if not about.rank:
        unet = type(pipe.unet).from_config(pipe.unet.config)
        unet.load_state_dict(tensors)
        return Tuned(unet.type(pipe.unet.dtype).to(pipe.unet.device).eval(), about)
    lora = Lora({name: tensor.float() for name, tensor in tensors.items()}, about)
    _check_shapes(path, lora, pipe)
    return lora


def licence(path: str | Path) -> str:
    """Say what a LoRA's file tells of its licence, in a sentence.

    Raises:
        FileNotFoundError, ValueError: as `read` does.
    """
    path = Path(path)
    metadata = _opened(path, whole=False)[1]
    named = next((metadata[key] for key in LICENCES if metadata.get(key)), "")
    if path.resolve().is_relative_to(env.ASSETS.resolve()):
        named = named or CLAY
    return f"{path.name}: licence {named}." if named else f"{path.name} tells no licence: look where you got it."


def trigger(path: str | Path) -> str:
    """Return the words that mean what a LoRA's file has learned; an empty string where it names none.

    Raises:
        FileNotFoundError, ValueError: as `read` does.
    """
    path = Path(path)
    metadata = _opened(path, whole=False)[1]
    return _about(path, metadata[HEADER]).trigger if HEADER in metadata else metadata.get(PHRASE, "")


def _opened(path: Path, whole: bool = True) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read tensors, if `whole`, and metadata, refusing what is no safetensors file."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"path={str(path)!r} is no file.")
    with path.open("rb") as file:
        head = file.read(2)
    if path.suffix in PICKLES or head in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise ValueError(f"{path.name} is refused: it is a pickle, which can run any code; use a .safetensors file.")
    if path.suffix != ".safetensors":
        raise ValueError(f"{path.name} is refused: its name must end in .safetensors.")
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if whole}, file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path.name} is broken or cut short: {error}.") from error


def _about(path: Path, header: str) -> About:
    """Read what a file of the course says of itself."""
    try:
        about = json.loads(header)
        lists = {key: tuple(about[key]) for key in ("modules", "seen")}
        return About(**{**about, **lists, "base": Base(**about["base"])})
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path.name} is broken: its metadata cannot be read ({error}).") from error


def _check_shapes(path: Path, lora: Lora, pipe: DiffusionPipeline) -> None:
    """Raise unless each A and B fits its layer and the rank that the file tells."""
    names = {name.rpartition(".lora_")[0] for name in lora.tensors}
    alone = {f"{name}.lora_{half}.weight" for name in names for half in "AB"} ^ lora.tensors.keys()
    if alone:
        raise ValueError(f"{path.name} is broken: {min(alone)} has no partner or no place.")
    layers = {f"unet.{name}": layer for name, layer in pipe.unet.named_modules()}
    layers |= {f"text_encoder.{name}": layer for name, layer in pipe.text_encoder.named_modules()}
    for name, (a, b) in lora.pairs().items():
        layer = getattr(layers.get(name), "base_layer", layers.get(name))
        shape = layer.weight.shape if layer is not None else (0, 0)
        wanted = (lora.about.rank, *shape[1:]), (shape[0], lora.about.rank, *[1] * len(shape[2:]))
        if (tuple(a.shape), tuple(b.shape)) != wanted:
            raise ValueError(f"{path.name} is broken: {name} has shapes {[*a.shape]}, {[*b.shape]}, wanted {wanted}.")


def foreign(
    path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str], pipe: DiffusionPipeline
) -> Lora:
    """Turn a LoRA of another program, such as kohya's, into one of ours: alpha / rank in B, one rank for all layers.

    diffusers knows the names that are around. A layer of lower rank is filled with zeros, which changes nothing.

    Raises:
        ValueError: no LoRA, or one with parts that are none, such as LoHa's.
    """
    try:
        found, alphas = pipe.lora_state_dict(dict(tensors))[:2]
    except Exception as problem:  # it raises what it likes at names that it does not know
        raise ValueError(f"{path.name} holds no LoRA that diffusers can read ({problem}).") from None
    models = {part: dict(getattr(pipe, part).named_modules()) for part in ("unet", "text_encoder")}
    halves = {_name(key, models): tensor.float() for key, tensor in found.items()}
    names = {key.removesuffix(".lora_A.weight") for key in halves if key.endswith(".lora_A.weight")}
    if not names or {f"{name}.lora_{half}.weight" for name in names for half in "AB"} != halves.keys():
        raise ValueError(f"{path.name} holds no LoRA, or more than one: such as {min(tensors, default='nothing')!r}.")
    scales = {_name(key.removesuffix(".alpha"), models): float(alpha) for key, alpha in (alphas or {}).items()}
    adapter = json.loads(metadata.get("lora_adapter_metadata", "{}"))
    rank, folded = max(len(halves[f"{name}.lora_A.weight"]) for name in names), {}
    for name in sorted(names):
        a, b = (halves[f"{name}.lora_{half}.weight"] for half in "AB")
        alpha = adapter.get(f"{name.partition('.')[0]}.lora_alpha", len(a))
        alpha = scales.get(name, scales.get(f"{name}.lora_A.weight", alpha))
        missing = rank - len(a)
        b = b * (alpha / len(a))
        folded[f"{name}.lora_A.weight"] = torch.cat([a, a.new_zeros(missing, *a.shape[1:])])
        folded[f"{name}.lora_B.weight"] = torch.cat([b, b.new_zeros(len(b), missing, *b.shape[2:])], 1)
    return Lora(folded, About("foreign", path.stem, base_of(pipe), 0, rank, float(rank)))


def _name(key: str, models: Mapping[str, Mapping[str, object]]) -> str:
    """Return the name that a tensor has here; newer versions of transformers leave "text_model." out."""
    for old, new in RENAMED.items():
        key = re.sub(old, new, key)
    shorter = key.replace("text_encoder.text_model.", "text_encoder.")
    layer = shorter.partition(".")[2].partition(".lora_")[0]
    return shorter if layer in models["text_encoder"] else key
