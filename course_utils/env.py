"""Where are we: Colab or a computer of your own, device, dtype, memory, lane, versions.

Nothing heavy is imported before it is asked for, so that `import course_utils` stays quick.
"""

from __future__ import annotations

import gc
import importlib.metadata
import os
import platform
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# Held against pyproject.toml by a test: on Colab the course runs from a folder and has no metadata of its own.
SUPPORTED = {
    "torch": ">=2.11",
    "diffusers": ">=0.39,<0.43",
    "transformers": ">=5.15,<6",
    "huggingface_hub": ">=1.27,<3",
    "peft": ">=0.20,<0.22",
    "accelerate": ">=1.14",
    "safetensors": ">=0.7",
    "numpy": ">=2.1,<3",
    "pillow": ">=11.3",
    "opencv-python-headless": ">=5.0",
    "scikit-image": ">=0.25",
    "scipy": ">=1.14",
    "matplotlib": ">=3.10",
    "numba": ">=0.60",
    "ipywidgets": ">=7.7.1,<9",
    "anywidget": ">=0.9.21",
    "av": ">=18.1",
    "ipython": ">=7.34",
}
LANES = ("clay", "sd15")
ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "assets"
SHOWN = ("torch", "diffusers", "transformers")  # packages whose version the opening line gives
GIB = 2**30

_at_release: list[Callable[[], None]] = []


@dataclass(frozen=True)
class Runtime:
    """Where a lesson runs."""

    place: str  # "colab", "kaggle" or "local"
    lane: str  # "clay" or "sd15"
    device: str  # "cuda", "mps" or "cpu"
    dtype: torch.dtype  # of the models; pictures and measurements stay float32
    memory_gb: float  # of the GPU where there is one, else what this process may use
    gpu: str | None = None
    seed: int = 0
    versions: dict[str, str] = field(default_factory=dict)

    def generator(self, seed: int | None = None) -> torch.Generator:
        """Return a fresh generator; on the CPU, so that a seed means the same noise on every device."""
        import torch

        return torch.Generator("cpu").manual_seed(self.seed if seed is None else seed)

    def __str__(self) -> str:
        place = {"colab": "Colab", "kaggle": "Kaggle"}.get(self.place, "this computer")
        device = self.gpu or self.device.upper()
        versions = ", ".join(f"{name} {self.versions[name]}" for name in SHOWN if name in self.versions)
        dtype = str(self.dtype).removeprefix("torch.")
        slow = ", so a picture takes minutes (see `doctor.report()`)" if (self.lane, device) == ("sd15", "CPU") else ""
        return f"{self.lane} lane on {place}: {device}, {self.memory_gb:.0f} GB, {dtype}{slow}; {versions}"


def start(seed: int = 0, lane: str | None = None) -> Runtime:
    """Look around and say in one line where this lesson runs.

    Args:
        seed: what `runtime.generator()` starts from; the global generators are left alone.
        lane: "clay" or "sd15"; None asks `choose_lane`.

    Returns:
        The runtime; lessons pass its `device`, `dtype` and generators on.
    """
    import torch

    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    cuda = torch.cuda.is_available()
    lane = choose_lane(lane)
    properties = torch.cuda.get_device_properties(0) if cuda else None
    runtime = Runtime(
        place=place(),
        lane=lane,
        device=choose_device(lane),
        dtype=choose_dtype(lane),
        memory_gb=(properties.total_memory if properties else total_memory()) / GIB,
        gpu=properties.name if properties else None,
        seed=seed,
        versions=versions(),
    )
    print(runtime)
    return runtime


def place() -> str:
    """Return "colab", "kaggle" (asked first: its image is made from Colab's) or "local"."""
    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        return "kaggle"
    return "colab" if "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ else "local"


def choose_lane(lane: str | None = None) -> str:
    """Return the lane: the argument, else COURSE_LANE, else clay wherever there is no GPU.

    Raises:
        ValueError: the name is no lane.
    """
    asked = lane or os.environ.get("COURSE_LANE")
    if not asked:
        import torch

        return "sd15" if torch.cuda.is_available() else "clay"
    if asked not in LANES:
        source = "lane" if lane else "COURSE_LANE"
        raise ValueError(f"{source}={asked!r} is no lane; use {' or '.join(map(repr, LANES))}.")
    return asked


def choose_device(lane: str) -> str:
    """Return where a lane runs: "cuda", else "mps" (a Mac; sd15 only, for clay is small), else "cpu"."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if lane == "sd15" and torch.backends.mps.is_available() else "cpu"


def choose_dtype(lane: str) -> torch.dtype:
    """Return the dtype that is safe and quick here.

    The clay family is small: float32 everywhere. The sd15 checkpoints ship in float16, which every card computes
    natively, and a Mac's GPU as a rule; a CPU has no quick float16, and bfloat16 only where it is native.
    """
    import torch

    if lane == "clay":
        return torch.float32
    device = choose_device(lane)
    if device != "cpu":
        return torch.float16 if device == "cuda" or has_float16(device) else torch.float32
    return torch.bfloat16 if native_bfloat16() else torch.float32


def has_float16(device: str) -> bool:
    """Tell whether a device has in float16 what a UNet is made of; on a Mac older systems lack some of it."""
    import torch
    import torch.nn.functional as F

    try:
        x = torch.ones(8, 8, 8, 8, dtype=torch.float16, device=device)
        x = F.silu(F.group_norm(F.conv2d(x, x, padding=4), 4))
        return bool(F.interpolate(F.scaled_dot_product_attention(x, x, x), scale_factor=2.0).isfinite().all())
    except (RuntimeError, TypeError):
        return False


def native_bfloat16() -> bool:
    """Tell whether bfloat16 runs in hardware here.

    `torch.cuda.is_bf16_supported()` counts emulation: it says yes on a T4 (sm_75), which has none.
    """
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_capability() >= (8, 0)
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def total_memory() -> int:
    """Return the bytes that this process may use: the machine's, or a container's smaller share."""
    import psutil

    total = psutil.virtual_memory().total
    try:
        share = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return total
    return min(total, int(share)) if share.isdigit() else total


def free_memory(device: str) -> int:
    """Return the bytes that may still be used on a device, after what nobody holds any more was collected."""
    gc.collect()
    if device == "cuda":
        import torch

        torch.cuda.empty_cache()
        return torch.cuda.mem_get_info()[0]
    import psutil

    return min(psutil.virtual_memory().available, total_memory())


def installed(package: str) -> str | None:
    """Return the version of an installed package, or None; nothing is imported."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that the course builds on."""
    found = {name: installed(name) for name in SUPPORTED}
    return {"python": platform.python_version()} | {name: version for name, version in found.items() if version}


def settle_numba() -> None:
    """Give numba, before it is imported, the threads that OpenMP may use, and a folder that can be written.

    numba does not read OMP_NUM_THREADS, and its OpenMP layer hands its own number on to the thread that calls it:
    after a render torch would compute there with as many threads as there are cores, and a picture of the same seed
    that is made in another thread would differ from it by a rounding.
    """
    if threads := os.environ.get("OMP_NUM_THREADS"):
        os.environ.setdefault("NUMBA_NUM_THREADS", threads.split(",")[0])
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    if not any(map(writable, (Path(__file__).parent, Path.home() / ".cache"))):
        os.environ["NUMBA_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / "course-numba")


def cache_folder() -> Path:
    """Return the folder of long work, outside the repository: COURSE_CACHE, the user's cache, or a spare one."""
    folder = Path(os.environ.get("COURSE_CACHE") or Path.home() / ".cache" / "course_utils")
    return folder if writable(folder) else Path(tempfile.gettempdir()) / "course_utils"


def writable(folder: Path) -> bool:
    """Tell whether a file could be made in `folder`, or the folder itself be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def at_release(forget: Callable[[], None]) -> Callable[[], None]:
    """Register what `release` calls: rooms that keep pipelines say here how to drop them."""
    if forget not in _at_release:
        _at_release.append(forget)
    return forget


def release() -> None:
    """Drop the pipelines that the course keeps and give GPU memory back, for the next lesson."""
    for forget in _at_release:
        forget()
    gc.collect()
    torch = sys.modules.get("torch")
    for backend in (torch.cuda, torch.mps) if torch else ():
        if backend.is_available():
            backend.empty_cache()


def say(line: str) -> None:
    """Print a line at once: for a room that has to tell the learner something before a long wait."""
    print(line, flush=True)


@contextmanager
def until_interrupt(alone: bool = True) -> Iterator[threading.Event]:
    """Let an interrupt (Ctrl-C) set an event, so that a step is finished and kept; a second one raises."""
    interrupted = threading.Event()
    if not alone or threading.current_thread() is not threading.main_thread():
        yield interrupted  # several processes would wait for each other, and threads have no signals
        return

    def handle(number: int, frame: object) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
