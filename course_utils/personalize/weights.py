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
from ..catalog.files import PICKLES

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


def read(path: str | Path, pipe: DiffusionPipeline) -> Lora | Tuned:
    """Read what `save` wrote, for a pipeline that it shall go on.

    Args:
        path: a .safetensors file.
        pipe: stands on the base that it was learned on.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a pickle, or no file of the course, a broken one, or one for another base.
    """
    path = Path(path)
    tensors, about = _opened(path)
    check_base(about, pipe)
    if not about.rank:
        unet = type(pipe.unet).from_config(pipe.unet.config)
        unet.load_state_dict(tensors)
        return Tuned(unet.type(pipe.unet.dtype).to(pipe.unet.device).eval(), about)
    lora = Lora({name: tensor.float() for name, tensor in tensors.items()}, about)
    _check_shapes(path, lora, pipe)
    return lora


def _opened(path: Path) -> tuple[dict[str, torch.Tensor], About]:
    """Read tensors and metadata, refusing what is no safetensors file of the course."""
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
            header = (file.metadata() or {}).get(HEADER)
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(f"{path.name} is broken or cut short: {error}.") from error
    if header is None:
        raise ValueError(
            f"{path.name} does not say which base it is for, so it was not saved by this course; "
            f"pipe.load_lora_weights reads foreign LoRAs."
        )
    try:
        about = json.loads(header)
        lists = {key: tuple(about[key]) for key in ("modules", "seen")}
        return tensors, About(**{**about, **lists, "base": Base(**about["base"])})
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
        wanted = layer and (lora.about.rank, layer.in_features), layer and (layer.out_features, lora.about.rank)
        if (tuple(a.shape), tuple(b.shape)) != wanted:
            raise ValueError(f"{path.name} is broken: {name} has shapes {[*a.shape]}, {[*b.shape]}, wanted {wanted}.")


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
