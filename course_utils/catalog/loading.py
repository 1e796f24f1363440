"""Load a pipeline, ready to call; the wrinkles of versions, dtypes, devices and log lines are smoothed here."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from .. import env
from .carried import PARTS, carried, state_of
from .checkpoints import CONTROLLED, Checkpoint, check_controls, checkpoint, class_of
from .compat import dtype_keyword, old_names, quiet, without_warning
from .files import check_model, shown
from .finite import refuse_black
from .hub import cached, fetch
from .own import checker_folder, lacking, own_base, own_folder, variant_of, version_of
from .samplers import afresh

if TYPE_CHECKING:
    import torch
    from diffusers import ControlNetModel, DiffusionPipeline

LENT = ("vae", "text_encoder", "tokenizer", "scheduler")  # what a folder without them borrows from the base
# GiB on a card, computed (benchmarks/README.md); 15 % more for what allocators lose, 0.4 for what libraries keep.
# Beside the weights of an sd15 pipeline: for four pictures of 512 x 512 at once, which is more than lessons need
# otherwise; and for one. The UNet, the largest part, and a ControlNet, which are wanted at the same time.
WORKING_GB, LEAST_GB = 2.5, 0.9
UNET_GB, CONTROL_GB = 1.61, 0.67

_kept: dict[str, DiffusionPipeline] = {}  # by the id of its checkpoint; at most one
_nets: WeakValueDictionary[Path, ControlNetModel] = WeakValueDictionary()  # by folder, while a pipeline has them
_controls: WeakKeyDictionary[Any, str] = WeakKeyDictionary()  # by ControlNet, those of the table
_lanes: WeakKeyDictionary[Any, str] = WeakKeyDictionary()  # by autoencoder, which every pipeline on a base shares
_bases: WeakKeyDictionary[Any, str] = WeakKeyDictionary()  # by autoencoder, the learner's own


def load(
    kind: str = "text2img",
    lane: str | None = None,
    control: str | Sequence[str] | None = None,
    folder: str | Path | None = None,
    base: str | Path | None = None,
) -> DiffusionPipeline:
    """Return a diffusers pipeline, ready to call.

    One base stays in memory: the next kind that stands on it shares its weights and has a scheduler of its
    own; another base takes its place. ControlNets are shared for as long as a pipeline has them. Weights are
    safetensors, checked; sd15 comes at its pinned revision, in float16 on a GPU, with its safety checker.

    Args:
        kind: a key of `KINDS`, such as "text2img".
        lane: "clay" or "sd15"; None asks `env.choose_lane`.
        control: for the kinds of `CONTROLLED`: one of `CONTROLS`, or a list of them for several at once.
        folder: a folder of your own in place of the one in the table: the ControlNet for
            "controlnet" and "controlnet_img2img", else the whole pipeline. It is read anew each time.
        base: on the sd15 lane, a Stable Diffusion 1.5 of your own that the kind shall stand on, in place of the one in
            the table: the folder of a pipeline, or one .safetensors file. What it lacks is taken from the table's
            (`fetch_checker`); for it alone the Hub is not asked.

    Returns:
        The pipeline on the right device, in the right dtype, without a progress bar.

    Raises:
        ValueError: an unknown name, weights that are a pickle, or a base of another family.
        OSError: files are missing or broken; FileNotFoundError also where the clay lane does not ship it yet.
        MemoryError: the card has no room for it, even part by part; nothing was downloaded or read.
    """
    lane = env.choose_lane(lane)
    use, name = class_of(kind)
    controls = [control] if isinstance(control, str) else list(control or ())
    check_controls(kind, controls, given=folder is not None)
    if base is not None and folder is not None and kind not in CONTROLLED:
        raise ValueError(
            f"base={str(base)!r} and folder={str(folder)!r} both name a whole pipeline; give one of them."
        )
    stand = None if base is None else own_base(base, kind, lane)
    _check_room(kind, lane, len(set(controls)) or int(kind in CONTROLLED))
    index = "config.json" if kind in CONTROLLED else "model_index.json"
    own = None if folder is None else own_folder(Path(folder), index)
    if kind not in CONTROLLED:
        below = _read(_base_class(use), own, lane, **_lent(own, lane)) if own else _base(use, lane, stand)
        return _place(_pipeline(name, below, {}), lane)
    folders = [source(f"control {name}", lane) for name in controls]
    below = _base(use, lane, stand)
    nets = [_net(own, lane)] if own else [_shared_net(folder, lane) for folder in folders]
    _controls.update(zip(nets, [] if own else controls, strict=False))
    return _place(_pipeline(name, below, {"controlnet": nets if len(nets) > 1 else nets[0]}), lane)


def lane_of(pipe: DiffusionPipeline) -> str:
    """Return the lane of a pipeline: what `load` was given when it read the autoencoder.

    Pipelines that diffusers makes of a loaded one (`from_pipe`) have it too; one that came from elsewhere is asked of
    the environment, as in `env.choose_lane`.
    """
    return _lanes.get(pipe.vae) or env.choose_lane()


def base_of(pipe: DiffusionPipeline) -> str:
    """Return the `base` that `load` was given for a pipeline; empty for the one in the table."""
    return _bases.get(pipe.vae, "")


def check_nets(pipe: DiffusionPipeline, controls: Sequence[str]) -> None:
    """Raise unless a pipeline has the ControlNets of these controls, in this order; one of your own may be any.

    Raises:
        ValueError: an unknown control, or other nets; names both.
    """
    check_controls("controlnet", list(controls), given=False)
    net = getattr(pipe, "controlnet", None)
    nets = getattr(net, "nets", [net] if net is not None else [])
    there = [_controls.get(each, "one of your own") for each in nets]
    if len(there) != len(controls) or any(
        net in _controls and name != wanted for net, name, wanted in zip(nets, there, controls, strict=True)
    ):
        has = f"the ControlNets {', '.join(there)}" if there else "no ControlNet"
        raise ValueError(
            f"The controls are {', '.join(controls)}, and pipe has {has}: "
            f"give catalog.load('controlnet', control={list(controls)!r}), or name what it has."
        )


@env.at_release
def release() -> None:
    """Forget the base that is kept; `env.release` calls this too."""
    _kept.clear()


def source(use: str, lane: str) -> Path:
    """Return the checked folder of a checkpoint, downloading it where it is not here yet.

    Args:
        use: a key of `CHECKPOINTS[lane]`.
        lane: "clay" or "sd15".

    Raises:
        ValueError: no such use.
        OSError: it cannot be had, or a file of it is broken; says what to do.
    """
    return _source(checkpoint(use, lane))


def folder_of(use: str, lane: str) -> Path | None:
    """Return a checkpoint's folder if it is on this computer, without a look into it; nothing is downloaded."""
    entry = checkpoint(use, lane)
    folder = env.ASSETS / entry.id if entry.local else cached(entry)
    return folder if folder and folder.is_dir() else None


def _source(entry: Checkpoint) -> Path:
    if not entry.local:
        return fetch(entry)
    folder = env.ASSETS / entry.id
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The clay lane does not ship {shown(folder)} yet, or this copy has lost it: "
            f"`git checkout -- {shown(folder)}` brings it back, `make models` trains it."
        )
    check_model(folder, entry.variant, f"`git checkout -- {shown(folder)}` brings the shipped files back.")
    return folder


def _base(use: str, lane: str, own: Path | None = None) -> DiffusionPipeline:
    """Return the pipeline that holds a base, the table's or one of the learner's own: the kept one, or a new one."""
    entry = checkpoint(use, lane)
    name = version_of(own) if own else entry.id
    kept = _kept.get(name)
    if changes := [carried(kept.components[part]) for part in PARTS] if kept else []:
        if any(changes):
            env.say(f"The base in memory carries {next(filter(None, changes))}. A fresh one is read.")
            del _kept[name]
    if name not in _kept:
        source = own or _source(entry)
        if not own and (lent := _lent(source, lane)):  # the rest is small and read anew, as a ControlNet is
            return _read(_base_class(use), source, lane, **lent)
        release()
        gc.collect()
        _kept[name] = _read(_base_class(use), source, lane, **(lacking(own, env.choose_dtype(lane)) if own else {}))
        if own:
            _bases[_kept[name].vae] = own.as_posix()
    return _kept[name]


def _lent(folder: Path, lane: str) -> dict:
    """Return the parts that a pipeline's folder leaves to the lane's base, by name; none if it is whole."""
    whole = "vae" in json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    return {} if whole else {part: _base("base", lane).components[part] for part in LENT}


def _base_class(use: str) -> str:
    """Return the class to read a base as: plain text2img where several kinds stand on it."""
    return class_of("text2img" if use == "base" else use)[1]


def _shared_net(folder: Path, lane: str) -> ControlNetModel:
    net = _nets.get(folder)
    if net is None:
        net = _nets[folder] = _net(folder, lane)
    return net


def _net(folder: Path, lane: str) -> ControlNetModel:
    from .once import encode_once

    return encode_once(_read("ControlNetModel", folder, lane))


def _read(name: str, folder: Path, lane: str, **lent) -> DiffusionPipeline | ControlNetModel:
    """Read a pipeline or a model of the class `name` from a folder, or from one file; what is lent is elsewhere's."""
    import diffusers

    kind, how = getattr(diffusers, name), {dtype_keyword(): env.choose_dtype(lane), **lent}
    settings = checker_folder() if folder.is_file() else folder
    with quiet(), old_names(settings):
        if folder.is_file():
            model = kind.from_single_file(str(folder), config=str(settings), local_files_only=True, **how)
        else:
            model = kind.from_pretrained(str(folder), variant=variant_of(folder), use_safetensors=True, **how)
    if hasattr(model, "vae") and model.vae not in _lanes:
        _lanes[model.vae] = lane
        refuse_black(model.vae)
    return model


def _pipeline(name: str, base: DiffusionPipeline, extra: dict) -> DiffusionPipeline:
    """Build a pipeline on the parts of a base, with a scheduler of its own.

    `from_pipe` would do the same but drops an AutoencoderTiny.
    """
    import diffusers

    parts = base.components | extra
    if "requires_safety_checker" in base.config:
        parts["requires_safety_checker"] = base.config.requires_safety_checker
    for part in PARTS:
        state_of(parts[part])  # as it was read
    pipe = getattr(diffusers, name)(**parts)
    afresh(pipe)
    pipe.set_progress_bar_config(disable=True)
    if "depth_estimator" in parts:
        pipe.prepare_depth_map = without_warning(pipe.prepare_depth_map)
    return pipe


def _check_room(kind: str, lane: str, controls: int) -> None:
    """Raise unless the card can hold what a call needs at one time: the UNet, the ControlNets and their tensors."""
    device = env.choose_device(lane)
    if device != "cuda" or lane != "sd15":
        return
    held = [*_kept.values(), *list(_nets.values())[:controls]]  # there already, or it goes for what comes
    free_gb = env.free_memory(device) / env.GIB + sum(weights_gb(model) - weights_gb(model, device) for model in held)
    needed_gb = UNET_GB + CONTROL_GB * controls + LEAST_GB
    if needed_gb > free_gb:
        many, less = (f" with {controls} controls", " Use fewer controls at once.") if controls > 1 else ("", "")
        raise MemoryError(
            f"kind={kind!r}{many} needs {needed_gb:.1f} GB on the card even where its parts take turns, and "
            f"{free_gb:.1f} GB are free. `del` the pipelines that you no longer need and run `env.release()`; close "
            f"other notebooks that use the card.{less} Or work without it: COURSE_LANE=clay."
        )


def _place(pipe: DiffusionPipeline, lane: str) -> DiffusionPipeline:
    """Move a pipeline to where its lane runs: part by part while it works, if not all of it fits on the card."""
    device = env.choose_device(lane)
    if device == "cuda" and lane == "sd15":
        missing_gb = weights_gb(pipe, elsewhere_than=device) + WORKING_GB
        if missing_gb > (free_gb := env.free_memory(device) / env.GIB):
            env.say(
                f"{missing_gb:.1f} GB wanted, {free_gb:.1f} GB free on the card: the parts take turns there, which is "
                "slower. `del` the pipelines that you no longer need and run `env.release()`, then load this again."
            )
            pipe.enable_model_cpu_offload()
            pipe.vae.enable_slicing()
            return pipe
    return pipe.to(device)


def weights_gb(pipe: DiffusionPipeline | torch.nn.Module, elsewhere_than: str = "") -> float:
    """Return how much memory the weights of a pipeline or model take, in GiB; not counted are those on one device."""
    import torch

    parts = [pipe] if isinstance(pipe, torch.nn.Module) else pipe.components.values()
    modules = [part for part in parts if isinstance(part, torch.nn.Module)]
    tensors = [tensor for module in modules for tensor in module.parameters() if tensor.device.type != elsewhere_than]
    return sum({tensor.data_ptr(): tensor.nbytes for tensor in tensors}.values()) / env.GIB
