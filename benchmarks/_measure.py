"""What benchmarks share: pipelines of both lanes' sizes, and how time and memory are taken."""

import ctypes
import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from picture import pipeline as clay
from transformers import CLIPTextConfig, CLIPTextModel

from course_utils.recipe import corpus

MB = 2**20


def sd15():
    """Build a Stable Diffusion 1.5 of true size with random weights: 860 million in the UNet, 3.4 GB in float32.

    Its text encoder has one layer and its autoencoder is tiny: neither is measured, calls end with the latents.
    """
    from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel

    tokenizer = corpus.tokenizer()
    tokenizer.model_max_length = 77
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    words = CLIPTextConfig(hidden_size=768, num_attention_heads=12, num_hidden_layers=1, **ends)
    small = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4}
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
    )
    pipe = StableDiffusionPipeline(
        AutoencoderTiny(**small), CLIPTextModel(words).eval(), tokenizer,
        UNet2DConditionModel(sample_size=64, cross_attention_dim=768).eval(), scheduler, None, None,
        requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    return pipe


def build(size: str):
    """Give the pipeline of a size, "clay" or "sd15", on the GPU if there is one."""
    pipe = {"clay": clay, "sd15": sd15}[size]()
    return pipe.to("cuda" if torch.cuda.is_available() else "cpu")


def measured(call: Callable[[], object]) -> tuple[object, float, float]:
    """Give what a call returns, its seconds and its peak of memory above what was held before, in MB.

    On a CPU the seconds are this process's own, so that other programs do not count; all threads together.
    """
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        held, began = torch.cuda.memory_allocated(), time.perf_counter()
        out = call()
        torch.cuda.synchronize()
        return out, time.perf_counter() - began, (torch.cuda.max_memory_allocated() - held) / MB
    held, began = _forget_peak(), time.process_time()
    out = call()
    return out, time.process_time() - began, _status("VmHWM") - held


def compare(title: str, calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, object]:
    """Run calls in turn, one round more than asked for where there are several; print medians, ratios to the first.

    Returns:
        What each call gave in the last round.
    """
    rows, last = {name: [] for name in calls}, {}
    for number in range(rounds + (rounds > 1)):
        for name, call in calls.items():
            last[name], *cost = measured(call)
            if number or rounds == 1:  # else the first warms up
                rows[name].append(cost)
    print(title, flush=True)
    first = next(iter(rows.values()))
    for name, costs in rows.items():
        ratio = statistics.median(cost[0] / other[0] for cost, other in zip(costs, first, strict=True))
        seconds, peak = (statistics.median(cost[column] for cost in costs) for column in (0, 1))
        print(f"  {name}: {seconds:.3g} s, ratio {ratio:.3f}, peak {peak:.4g} MB above the weights", flush=True)
    return last


def _forget_peak() -> float:
    """Give freed memory back and set the peak to what is held now, in MB; Linux only."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024
