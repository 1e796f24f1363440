"""What was learned, in memory and as a file: safetensors that `pipe.load_lora_weights` reads, and says what it is.

The scale alpha / rank is folded into B, and a file has one rank: diffusers 0.39 takes a rank that differs between
layers for a change of scale, and other programs read no alpha of ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .. import __version__, env

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, UNet2DConditionModel

DRIVE = Path("/content/drive")  # where Colab mounts it
HEADER = "course_utils"  # the key of our entry in a file's metadata


@dataclass(frozen=True)
class Base:
    """Which model something was learned on; `hash` decides, the names are for people."""

    name: str
    revision: str
    hash: str


@dataclass(frozen=True)
class About:
    """What a file says of itself."""

    method: str  # "lora", "dreambooth", "few_step", "start" or "sum"
    trigger: str
    base: Base
    steps: int
    rank: int = 0  # 0: whole weights
    alpha: float = 0.0  # as it was trained; already inside the tensors
    modules: tuple[str, ...] = ()  # how the names of the adapted layers end
    seen: tuple[str, ...] = ()  # classes that a good start has met
    course: str = __version__


@dataclass(frozen=True)
class Lora:
    """A low-rank change of weights.

    tensors: float32, by diffusers' names: "unet.LAYER.lora_A.weight" [rank, in] and "unet.LAYER.lora_B.weight"
        [out, rank]; "text_encoder." where the text encoder was adapted too. dW = B A.
    """

    tensors: dict[str, torch.Tensor] = field(repr=False)
    about: About

    @property
    def bytes(self) -> int:
        """Count the bytes of the tensors."""
        return sum(t.numel() * t.element_size() for t in self.tensors.values())

    def pairs(self) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """Give A and B of each layer, by "unet.LAYER"."""
        names = [name.removesuffix(".lora_A.weight") for name in self.tensors if name.endswith(".lora_A.weight")]
        return {name: (self.tensors[f"{name}.lora_A.weight"], self.tensors[f"{name}.lora_B.weight"]) for name in names}

    def save(self, path: str | Path) -> Path:
        """Write one .safetensors file, whole or not at all."""
        return write_tensors(Path(path), self.tensors, self.about)


@dataclass(frozen=True)
class Tuned:
    """A whole UNet that was trained further: what DreamBooth gives."""

    unet: UNet2DConditionModel = field(repr=False)
    about: About

    @property
    def bytes(self) -> int:
        """Count the bytes of the tensors as `save` writes them: two a number."""
        return sum(2 * p.numel() for p in self.unet.state_dict().values())

    def save(self, path: str | Path) -> Path:
        """Write one .safetensors file in float16, whole or not at all."""
        return write_tensors(Path(path), {k: v.half() for k, v in self.unet.state_dict().items()}, self.about)


def base_of(pipe: DiffusionPipeline) -> Base:
    """Say which model a pipeline stands on.

    The hash is taken over the UNet's biases and norms, rounded to bfloat16, so that it is quick, and the same in each
    dtype, on each device, and with or without a LoRA.
    """
    digest = hashlib.sha256()
    for name, p in pipe.unet.named_parameters():
        if p.ndim == 1:
            digest.update(name.replace(".base_layer", "").encode())
            digest.update(p.detach().to("cpu", torch.bfloat16).float().numpy().tobytes())
    parts = Path(pipe.unet.config.get("_name_or_path") or "").parts
    if "snapshots" in parts:  # OWNER/NAME in the cache of the Hub
        at = parts.index("snapshots")
        return Base(parts[at - 1].removeprefix("models--").replace("--", "/"), parts[at + 1], digest.hexdigest())
    named = [part for part in parts if part != "unet"]
    return Base(named[-1] if named else "unnamed", "", digest.hexdigest())


def check_base(about: About, pipe: DiffusionPipeline) -> None:
    """Raise unless something was learned on the model that a pipeline stands on.

    Raises:
        ValueError: names both.
    """
    here = base_of(pipe)
    if about.base.hash != here.hash:
        learned, stands = (f"{b.name} {b.revision[:8]} ({b.hash[:8]})".replace("  ", " ") for b in (about.base, here))
        raise ValueError(f"What {about.trigger!r} means was learned on {learned}; this pipeline stands on {stands}.")


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], about: About | None = None) -> Path:
    """Write one .safetensors file, whole or not at all."""
    from safetensors.torch import save_file

    check_out(path)
    spare = path.with_suffix(f".{os.getpid()}.safetensors")
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(whole, spare, metadata={"format": "pt"} | ({HEADER: json.dumps(asdict(about))} if about else {}))
    spare.chmod(0o644)  # safetensors are written for their owner alone
    spare.replace(path)
    return path


def check_out(path: str | Path, size: int = 0, name: str = "path") -> None:
    """Raise unless a .safetensors file of `size` bytes can be written; makes its folder.

    Raises:
        ValueError: the name has another ending, or is a folder's.
        OSError: the folder cannot be made or written to, or has too little space.
    """
    path = Path(path)
    if path.suffix != ".safetensors" or path.is_dir():
        raise ValueError(f"{name}={str(path)!r} must end in .safetensors.")
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f"{name}: nothing can be written to {str(folder)!r} ({error.strerror}).") from error
    free = shutil.disk_usage(folder).free
    if free < size:
        raise OSError(f"{name}: {str(folder)!r} has {free / 1e6:,.0f} MB free, and {size / 1e6:,.0f} MB are needed.")


def send(path: str | Path, to: str | Path = "download") -> Path:
    """Send a file to where it outlives this session.

    Args:
        path: the file.
        to: "download" starts a download in the browser, "drive" copies into the folder course_utils of your Google
            Drive (it asks for leave): both on Colab only. A folder works everywhere.

    Returns:
        Where the file lies then; after a download where it lay.

    Raises:
        FileNotFoundError: no such file.
        ValueError: "download" or "drive" on a computer of your own, where the file already outlives the session.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path={str(path)!r} is no file.")
    if to in ("download", "drive") and env.place() != "colab":
        raise ValueError(f"to={to!r} works on Colab; here the file stays in {path.parent}. Give a folder to copy it.")
    if to == "download":
        from google.colab import files

        files.download(str(path))
        return path
    to = drive() if to == "drive" else Path(to)
    to.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy2(path, to))


def drive() -> Path:
    """Return the folder course_utils of the learner's Google Drive, which outlives the session; asks for leave.

    Raises:
        ValueError: this is not Colab.
    """
    if env.place() != "colab":
        raise ValueError("Google Drive is at hand on Colab only; here your files outlive the session where they are.")
    from google.colab import drive

    drive.mount(str(DRIVE))
    return DRIVE / "MyDrive" / "course_utils"
