"""Run the sd15 lane at its true size with random weights: `python -m tools.true_size`, or count it: `--count`.

On a GPU in float16 at 512 pixels, with no more memory than a T4 has; on a CPU small and for two steps, in the dtype
that it computes natively. Prints a row for each thing that lessons do. Ends with 0 only if all that was run is finite
and would fit on a T4. Needs torch, diffusers, transformers and accelerate; for LoRA also peft, numba and OpenCV. It
needs no network and no file.
"""

from __future__ import annotations

import argparse
import gc
import math
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel

from course_utils import env
from course_utils.catalog import loading

from . import cases, models
from .counting import counted

T4_GB = 14.5  # of the 15 that a T4 shows, what a process may fill
CARD_GB = 2.4  # a pretended card, on which the parts have to take turns
HEAD = "| what | seconds | peak, GiB | weights | finite | differs from float32 |\n|---|---|---|---|---|---|"
HEAD_COUNTED = "| what | peak, GiB | weights | beside them | a T4 has room |\n|---|---|---|---|---|"


@dataclass
class Row:
    """A line of the table of what was run."""

    name: str
    seconds: float = math.nan
    peak_gb: float = math.nan  # weights and all
    weights_gb: float = math.nan
    finite: bool = True
    gap: float = math.nan  # distance to the float32 result, as a share of how much that one varies
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Tell whether it was run, is finite, and would fit on a T4."""
        return not self.problem and self.finite and self.peak_gb <= T4_GB

    def __str__(self) -> str:
        if self.problem:
            return f"| {self.name} | {self.problem} | - | - | - | - |"
        figures = f"{self.seconds:.1f} | {self.peak_gb:.2f} | {self.weights_gb:.2f}"
        gap = "-" if math.isnan(self.gap) else f"{self.gap:.1%}"
        return f"| {self.name} | {figures} | {'yes' if self.finite else 'NO'} | {gap} |"


class Machine:
    """The device that things are run on, and its memory."""

    def __init__(self) -> None:
        self.cuda = torch.cuda.is_available()
        self.device = "cuda" if self.cuda else "cpu"
        self.dtype = torch.float16 if self.cuda else env.choose_dtype("sd15")

    def __str__(self) -> str:
        name = torch.cuda.get_device_name() if self.cuda else f"CPU, {torch.get_num_threads()} threads"
        return f"{name}, {str(self.dtype).removeprefix('torch.')}"

    def limit(self, gb: float) -> None:
        """Let this process have so much of the card's memory."""
        if self.cuda:
            torch.cuda.set_per_process_memory_fraction(min(1.0, gb * env.GIB / torch.cuda.mem_get_info()[1]))

    def measured(self, call: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, float, float]:
        """Give what a call returns, its seconds, and the most memory that was in use meanwhile, in GiB."""
        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        else:
            Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far; Linux only
        began = time.perf_counter()
        made = call()
        if self.cuda:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - began
        return made, seconds, (torch.cuda.max_memory_allocated() if self.cuda else _resident()) / env.GIB


def _resident() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def run(machine: Machine, name: str, case: Callable[[cases.Kit], torch.Tensor], kit: cases.Kit) -> Row:
    """Run a case, and once more in float32 with the same weights."""
    try:
        made, seconds, peak = machine.measured(lambda: case(kit))
        row = Row(name, seconds, peak, weights_gb(kit), bool(made.isfinite().all()))
        if machine.cuda or len(kit.nets) < 2:  # a computer need not have 8 GB to spare
            with in_float32(kit):
                exact = case(kit)
            row.gap = float((made.float() - exact).norm() / (exact - exact.mean()).norm())
    except Exception as problem:  # the next rows shall be run all the same
        traceback.print_exc(limit=-3)
        row = Row(name, problem=f"{type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''}")
    print(row, flush=True)
    return row


@contextmanager
def in_float32(kit: cases.Kit) -> Iterator[None]:
    """Let the models of a kit compute in float32; what is half precision comes back without a change."""
    dtypes = [(module, next(module.parameters()).dtype) for module in modules(kit)]
    try:
        for module, _ in dtypes:
            module.float()
        yield
    finally:
        for module, dtype in dtypes:
            torch.nn.Module.to(module, dtype)  # diffusers' own would warn of layers that are not there


def modules(kit: cases.Kit) -> list[torch.nn.Module]:
    """Give the models of a kit."""
    return [part for part in (*kit.parts.values(), *kit.nets) if isinstance(part, torch.nn.Module)]


def weights_gb(kit: cases.Kit) -> float:
    """Give how much memory the weights of a kit take, in GiB."""
    return sum(p.nbytes for module in modules(kit) for p in module.parameters()) / env.GIB


def taking_turns(kit: cases.Kit) -> torch.Tensor:
    """Paint on a card that cannot hold all parts at once, placed there as `catalog.load` places them."""
    with mock.patch.object(env, "free_memory", lambda device: CARD_GB * env.GIB):
        pipe = loading._place(kit.pipe(StableDiffusionPipeline), "sd15")
    try:
        return kit.paint(pipe, **kit.size)
    finally:
        pipe.remove_all_hooks()


def measure() -> list[Row]:
    """Run everything on the device that is here."""
    machine = Machine()
    how = {} if machine.cuda else {"side": 256, "steps": 2, "refinements": 1}
    with models.made_in(machine.device, machine.dtype):
        parts = models.base()
        nets = [models.control(parts["unet"], seed) for seed in range(2)]
    if not machine.cuda:
        del parts["safety_checker"]  # 1.1 GB in float32
        parts |= {"safety_checker": None}
    kit = cases.Kit(parts, **how)
    print(f"{machine}, {kit.side} x {kit.side} pixels, {kit.steps} steps\n\n{HEAD}", flush=True)
    machine.limit(T4_GB)
    rows = []
    for name, case in cases.CASES.items():
        if name == "four pictures at once" and not machine.cuda:
            continue  # minutes on a CPU, and nothing new
        kit.nets = nets[: {"one ControlNet": 1, "two ControlNets": 2}.get(name, 0)]
        rows.append(run(machine, name, case, kit))
    kit.nets = nets = []
    if machine.cuda:
        rows.append(_in_turns(machine, kit))
    del kit, parts
    gc.collect()
    with models.made_in(machine.device, machine.dtype):
        kit = cases.Kit(models.depth(), **how)
    return [*rows, run(machine, "depth to image", cases.depth2img, kit)]


def _in_turns(machine: Machine, kit: cases.Kit) -> Row:
    for module in modules(kit):
        module.to("cpu")
    torch.cuda.empty_cache()
    machine.limit(CARD_GB)
    made, seconds, peak = machine.measured(lambda: taking_turns(kit))
    machine.limit(T4_GB)
    finite = bool(made.isfinite().all())
    row = Row(f"text to image, parts in turn on {CARD_GB} GiB", seconds, peak, weights_gb(kit), finite)
    print(row, flush=True)
    return row


def count(names: list[str] | None = None) -> dict[str, tuple[float, float]]:
    """Count what cases take on a T4 in float16 at 512 pixels.

    Args:
        names: of `cases.CASES`, "DreamBooth" or "depth to image"; None counts all.

    Returns:
        For each the weights and what comes beside them, in GiB.
    """
    wanted, found = names or [*cases.CASES, "DreamBooth", "depth to image"], {}
    with counted() as memory:
        for name in wanted:
            with models.made_in("cpu", torch.float16):
                kit = cases.Kit(models.depth() if name == "depth to image" else models.base(), steps=2, refinements=1)
                nets = {"one ControlNet": 1, "two ControlNets": 2}.get(name, 0)
                kit.nets = [models.control(kit.parts["unet"], seed) for seed in range(nets)]
            weights, held = weights_gb(kit), _without_checker(kit)
            gc.collect()
            before = memory.peak = memory.held
            _call(name, kit)
            found[name] = weights, (memory.peak - before) / env.GIB
            del kit, held
    return found


def _without_checker(kit: cases.Kit) -> object:
    """Take the safety checker out of the calls, for it wants a picture of numbers; its weights stay."""
    checker = kit.parts.get("safety_checker")
    kit.parts |= {"safety_checker": None} if checker else {}
    return checker


def _call(name: str, kit: cases.Kit) -> None:
    if name == "DreamBooth":
        with models.made_in("cpu", torch.float32):
            unet = UNet2DConditionModel(**models.UNET)
        cases.dreambooth_step(kit, unet)
    else:
        {**cases.CASES, "LoRA": cases.lora_step, "depth to image": cases.depth2img}[name](kit)


def main() -> int:
    """Print the table that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tools.true_size", description=__doc__)
    parser.add_argument("--count", action="store_true", help="count memory without using it")
    counting = parser.parse_args().count
    found = env.versions()
    versions = ", ".join(f"{name} {found[name]}" for name in ("torch", "diffusers", "transformers"))
    print(f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {versions}; random weights", flush=True)
    if not counting:
        return 0 if all(row.ok for row in measure()) else 1
    print(f"float16, 512 x 512 pixels, computed\n\n{HEAD_COUNTED}")
    for name, (weights, beside) in count().items():
        room = "yes" if weights + beside <= T4_GB else "no: refused"
        print(f"| {name} | {weights + beside:.2f} | {weights:.2f} | {beside:.2f} | {room} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
