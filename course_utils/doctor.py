"""The doctor: what is wrong with this installation, and how to mend it.

Looks at metadata and files only: it must still work where `import diffusers` does not.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import env
from .catalog.files import manifest, unlike

PYTHON = (3, 11)
NEEDS_GB = {"clay": (1.5, 0.5), "sd15": (6.0, 10.0)}  # lane: free memory, free disk
NEVER_MOVED = ("torch", "numpy", "pillow", "opencv-python-headless", "ipywidgets", "ipython")  # by the setup cell
LACKS = {"kaggle": ("anywidget",)}  # what a place does not bring
# What sd15's maps of photographs need beside; never mediapipe. Held against pyproject.toml by a test.
DETECTORS = {"controlnet-aux": "==0.0.10", "einops": ">=0.8", "timm": ">=1.0"}
OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python")  # any of them gives cv2


@dataclass(frozen=True)
class Finding:
    """One thing the doctor looked at."""

    name: str
    ok: bool
    message: str  # what was found
    fix: str = ""  # what mends it; empty when ok


def report(lane: str | None = None) -> list[Finding]:
    """Examine this installation, print what is wrong with its fix, and return the findings.

    Args:
        lane: "clay" or "sd15", whose needs count; None asks `env.choose_lane`.
    """
    findings = examine(env.choose_lane(lane))
    print(table(findings))
    return findings


def examine(lane: str = "clay") -> list[Finding]:
    """Return one finding for each thing that can go wrong, good or bad."""
    checks = (python, ranges, agreement, torch_pair, widgets, writing, assets, numba_cache)
    findings = [finding for check in checks for finding in check()]
    return [*findings, *gpu(lane), *room_to_work(lane)]


def table(findings: list[Finding]) -> str:
    """Return the findings as lines of text, the fix under each thing that is wrong."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{'ok ' if finding.ok else 'FIX'}  {finding.name:<{width}}  {finding.message}")
        if not finding.ok:
            lines.append(f"     {'':<{width}}  -> {finding.fix}")
    return "\n".join(lines)


def python() -> Iterator[Finding]:
    """Is Python new enough?"""
    found = tuple(map(int, platform.python_version_tuple()[:2]))
    wanted = ".".join(map(str, PYTHON))
    yield Finding("python", found >= PYTHON, platform.python_version(), f"Install Python {wanted} or newer.")


def ranges() -> Iterator[Finding]:
    """Is every package there, in the range that the course supports?"""
    from packaging.specifiers import SpecifierSet

    for name, wanted in env.SUPPORTED.items():
        _, found = _installed(name)
        if found is None:
            known = "; Kaggle does not bring it" if name in LACKS.get(env.place(), ()) else ""
            yield Finding(name, False, f"not installed (wanted {wanted}){known}", _install(f"{name}{wanted}"))
        else:
            ok = SpecifierSet(wanted).contains(found, prereleases=True)
            yield Finding(name, ok, found if ok else f"{found} is outside {wanted}", _install(f"{name}{wanted}"))


def to_install() -> list[str]:
    """Return what pip has to bring before the course runs here, as Colab's setup cell asks; often nothing.

    What is missing or out of range comes; all else is pinned as it is, so that pip moves nothing. `NEVER_MOVED` stays
    even out of range: those are loaded already, or everything around is built on them. On the sd15 lane `DETECTORS`
    come too, for any panel may ask for them.
    """
    from packaging.specifiers import SpecifierSet

    wanted, pinned = [], []
    table = env.SUPPORTED | (DETECTORS if env.choose_lane() == "sd15" else {})
    for name, specifier in table.items():
        package, version = _installed(name)
        if version and (name in NEVER_MOVED or SpecifierSet(specifier).contains(version, prereleases=True)):
            pinned.append(f"{package}=={version}")
        else:
            wanted.append(f"{name}{specifier}")
    return [*wanted, *pinned] if wanted else []


def agreement() -> Iterator[Finding]:
    """Do the installed versions suit each other?

    `pip install -U diffusers` on Colab moves huggingface_hub to 2, and the transformers there stops importing.
    """
    quarrels = [quarrel for name in ("transformers", "diffusers", "peft", "accelerate") for quarrel in _quarrels(name)]
    for name, wanted, found in quarrels:
        yield Finding(f"{name} needs", False, f"{wanted}, found {found}", _install(wanted))
    if not quarrels:
        yield Finding("versions", True, "the model libraries suit each other")


def torch_pair() -> Iterator[Finding]:
    """Do torch and torchvision come from the same build? A mixed pair breaks `import diffusers`."""
    torch, vision = env.installed("torch"), env.installed("torchvision")
    if vision is None:
        yield Finding("torchvision", True, "not installed: only real preprocessors need it")
        return
    mixed = torch is not None and torch.endswith("+cpu") != vision.endswith("+cpu")
    wrong = mixed or any(_quarrels("torchvision"))
    message = f"{vision} does not fit torch {torch}" if wrong else f"{vision} fits torch {torch}"
    fix = "Run `pip uninstall -y torchvision`, or install torch and torchvision together from one index."
    yield Finding("torchvision", not wrong, message, fix)


def widgets() -> Iterator[Finding]:
    """Does the notebook page speak the same widget version as the kernel?"""
    kernel, page = env.installed("ipywidgets"), env.installed("jupyterlab_widgets")
    if env.place() == "colab" or kernel is None or page is None:
        yield Finding("widget page", True, "the notebook's own")
        return
    ok = (kernel.split(".")[0], page.split(".")[0]) in {("8", "3"), ("7", "1")}
    fix = _install("ipywidgets>=8,<9") + " Then restart JupyterLab."
    yield Finding("widget page", ok, f"ipywidgets {kernel} with jupyterlab_widgets {page}", fix)


def writing() -> Iterator[Finding]:
    """Can pictures be saved in the folder that the notebook runs in?"""
    folder = Path.cwd()
    fix = "Save to a folder of your own, or copy the course to one."
    yield Finding("writing", env.writable(folder), f"{'can' if env.writable(folder) else 'cannot'} save here", fix)


def assets(folder: Path | None = None) -> Iterator[Finding]:
    """Are the files of the course there, unbroken?"""
    folder = folder or env.ASSETS
    fix = "Fetch the file again: `git checkout -- assets`, or clone the course anew."
    try:
        files = manifest(folder)
    except (OSError, ValueError):
        yield Finding("assets", False, "assets/manifest.json is missing or broken", fix)
        return
    broken = 0
    for name, entry in files.items():
        if wrong := unlike(folder / name, entry):
            yield Finding(f"assets/{name}", False, wrong, fix)
            broken += 1
    if not broken:
        megabytes = sum(entry["bytes"] for entry in files.values()) / 1e6
        yield Finding("assets", True, f"{len(files)} files, {megabytes:.0f} MB, hashes right")


def numba_cache() -> Iterator[Finding]:
    """Can the compiled renderer be kept for the next start?"""
    places = [os.environ.get("NUMBA_CACHE_DIR"), Path(__file__).parent, Path.home() / ".cache"]
    kept = any(env.writable(Path(place)) for place in places if place)
    fix = "Set NUMBA_CACHE_DIR to a folder you can write to; until then each start compiles the renderer anew."
    yield Finding("numba cache", kept, "compiled code is kept" if kept else "compiled code is lost", fix)


def gpu(lane: str) -> Iterator[Finding]:
    """Is there a GPU where the lane needs one?"""
    device = env.choose_device(lane)
    menu = "Runtime > Change runtime type > T4 GPU, then run all again"  # Colab's
    if device != "cpu":
        yield Finding("gpu", True, {"cuda": "an NVIDIA card", "mps": "this Mac's"}[device])
    elif lane == "clay":
        more = f"; for sd15: {menu}" if env.place() == "colab" else ""
        yield Finding("gpu", True, f"none, and the clay lane needs none{more}")
    else:
        fix = f"On Colab: {menu}. Elsewhere work with COURSE_LANE=clay."
        yield Finding("gpu", False, "none: on the sd15 lane a picture takes minutes", fix)


def room_to_work(lane: str) -> Iterator[Finding]:
    """Is there memory and disk enough for this lane?"""
    memory, disk = NEEDS_GB[lane]
    free = env.free_memory("cpu") / env.GIB
    yield Finding("memory", free >= memory, f"{free:.1f} GB free", f"Close other kernels: {lane} wants {memory} GB.")
    cache = Path(os.environ.get("HF_HOME", Path.home() / ".cache")) if lane == "sd15" else Path(tempfile.gettempdir())
    while not cache.exists():
        cache = cache.parent
    free = shutil.disk_usage(cache).free / env.GIB
    yield Finding("disk", free >= disk, f"{free:.1f} GB free", f"Make room: the {lane} lane wants {disk} GB.")


def _quarrels(package: str) -> Iterator[tuple[str, str, str]]:
    """Yield (package, requirement, version found) for each installed requirement that is out of range."""
    from packaging.requirements import Requirement

    if env.installed(package) is None:
        return
    for line in importlib.metadata.requires(package) or ():
        wanted = Requirement(line)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        found = env.installed(wanted.name)
        if found and not wanted.specifier.contains(found, prereleases=True):
            yield package, f"{wanted.name}{wanted.specifier}", found


def _installed(name: str) -> tuple[str, str | None]:
    """Return the package that stands for a name of `env.SUPPORTED`, and its version."""
    names = OPENCV if name in OPENCV else (name,)
    return next(((other, version) for other in names if (version := env.installed(other))), (name, None))


def _install(requirement: str) -> str:
    return f'Run `pip install "{requirement}"` before any import, then restart the kernel.'
