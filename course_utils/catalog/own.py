"""What learners bring of their own: folders, and a base for the sd15 lane in one file. Looked at before it is read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from .checkpoints import KINDS, checkpoint, class_of
from .compat import quiet
from .files import PICKLES, check_model, missing, shapes, shown
from .hub import cached, fetch

TOKEN = 768  # numbers of a token in Stable Diffusion 1.5
CHECKER = replace(checkpoint("base", "sd15"), size_gb=0.61, part="safety_checker")
LACKING = ("safety_checker", "feature_extractor")  # of a pipeline: no single file has them, and not every folder
PARTS = {  # how a file of Stable Diffusion 1 names its tensors
    "model.diffusion_model.": "UNet",
    "cond_stage_model.transformer.text_model.": "text encoder",
    "first_stage_model.": "autoencoder",
}
OTHERS = {  # beginnings of names that tell another thing
    "conditioner.embedders.": "Stable Diffusion XL",
    "cond_stage_model.model.": "Stable Diffusion 2",
    "lora_": "a LoRA, which `personalize.read` takes",
}
FIRST = "model.diffusion_model.input_blocks.0.0.weight"  # [channel, latent channel, 3, 3]
WORDS = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"  # [channel, TOKEN]


def own_folder(folder: Path, index: str, argument: str = "folder") -> Path:
    """Check a folder of the learner's own, which must hold `index`."""
    if folder.is_dir() and not (folder / index).is_file():
        wanted = "a ControlNet" if index == "config.json" else "a whole pipeline"
        raise FileNotFoundError(f"{argument}={shown(folder)} has no {index}: that is not {wanted}.")
    check_model(folder, variant_of(folder))
    return folder


def own_base(base: str | Path, kind: str, lane: str) -> Path:
    """Check a base of the learner's own: Stable Diffusion 1.5, as a folder of diffusers or as one file.

    Raises:
        ValueError: of another lane, kind or family, or a pickle.
        FileNotFoundError: no such folder or file; nothing is asked of the Hub.
        OSError: a file is broken.
    """
    path = Path(base).expanduser()
    if lane != "sd15":
        raise ValueError(f"base={str(base)!r} goes with lane='sd15'; the {lane} lane has one base, its own.")
    if class_of(kind)[0] != "base":
        raise ValueError(f"base={str(base)!r} does not go with kind={kind!r}, which stands on weights of its own.")
    if not path.exists():
        raise FileNotFoundError(
            f"base={str(base)!r} is neither a folder nor a file on this computer; the Hub is not asked for it."
        )
    found = _folder_is(path) if path.is_dir() else _file_is(path)
    if found:
        raise ValueError(f"base={str(base)!r} is {found}; wanted is Stable Diffusion 1.5, which this lane stands on.")
    return path


def _folder_is(folder: Path) -> str:
    """Say what a pipeline's folder is if not the wanted one."""
    own_folder(folder, "model_index.json", "base")
    name = json.loads((folder / "model_index.json").read_text(encoding="utf-8")).get("_class_name")
    if name not in {class_name for use, class_name in KINDS.values() if use == "base"}:
        return f"a {name}"
    config = json.loads((folder / "unet/config.json").read_text(encoding="utf-8"))
    return _unet_is(config.get("in_channels"), config.get("cross_attention_dim"))


def _file_is(path: Path) -> str:
    """Say what a file is if not the wanted one."""
    if path.suffix in PICKLES:
        raise ValueError(
            f"base={str(path)!r} is refused: a pickle can run any code when it is loaded. Take the same model as "
            "a .safetensors file."
        )
    if path.suffix != ".safetensors":
        return "no .safetensors file"
    try:
        tensors = shapes(path)
    except OSError as problem:
        raise OSError(f"base={str(path)!r} is broken: {problem}. Get it anew.") from None
    for beginning, other in OTHERS.items():
        if any(name.startswith(beginning) for name in tensors):
            return other
    absent = [part for beginning, part in PARTS.items() if not any(name.startswith(beginning) for name in tensors)]
    if absent or FIRST not in tensors or WORDS not in tensors:
        return f"a file without {', '.join(absent) or 'the layers of this UNet'}"
    return _unet_is(tensors[FIRST][1], tensors[WORDS][1])


def _unet_is(channels: Any, width: Any) -> str:
    """Say what a UNet is for if not Stable Diffusion 1.5's own pictures."""
    if channels != 4:
        return f"a checkpoint whose UNet reads {channels} channels in place of 4, such as one for inpainting"
    return "" if width == TOKEN else f"a checkpoint whose words have {width} numbers in place of {TOKEN}"


def fetch_checker() -> Path:
    """Return the folder with what a base in one file lacks, downloading what is not here: 0.61 GB at most, announced.

    That are the safety checker, which stays on, the words, and the settings. `load` does not do this by itself.

    Raises:
        OSError: it cannot be had.
    """
    return fetch(CHECKER)


def checker_folder() -> Path:
    """Return that folder, checked, if it is here already.

    Raises:
        FileNotFoundError: it is not; says what brings it.
    """
    folder = cached(CHECKER)
    if folder is None or missing(folder, CHECKER.variant, CHECKER.part):
        raise FileNotFoundError(
            f"A base of your own needs the safety checker, the words and the settings of {CHECKER.id} "
            f"({CHECKER.size_gb} GB, licence: {CHECKER.licence}), which are not on this computer: "
            "catalog.fetch_checker() downloads them, once."
        )
    return fetch(CHECKER)


def lacking(base: Path, dtype: Any) -> dict[str, Any]:
    """Return the parts that a base does not have, read from the checker's folder: it keeps its safety checker."""
    if base.is_dir():
        index = json.loads((base / "model_index.json").read_text(encoding="utf-8"))
        if all((index.get(part) or [None])[0] for part in LACKING):
            return {}
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPImageProcessor

    folder = checker_folder()
    how = {"variant": CHECKER.variant, "use_safetensors": True, "dtype": dtype}
    with quiet():
        checker = StableDiffusionSafetyChecker.from_pretrained(folder / "safety_checker", **how)
        extractor = CLIPImageProcessor.from_pretrained(folder / "feature_extractor")
    return {**dict(zip(LACKING, (checker, extractor), strict=True)), "requires_safety_checker": True}


def variant_of(folder: Path) -> str | None:
    """Return "fp16" where the weights are named NAME.fp16.safetensors."""
    return "fp16" if any(folder.rglob("*.fp16.safetensors")) else None


def version_of(base: Path) -> str:
    """Name a base as it is now: its place, and when it was written."""
    file = base / "model_index.json" if base.is_dir() else base
    return f"{base.resolve()} {file.stat().st_mtime_ns}"
