"""What travels inside the studio's PNG: its pictures, names in place of paths, and hashes of the weights."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from .. import catalog, env
from ..catalog.files import sha256
from ..pictures import as_picture
from .pictures import INPUTS, PictureSource, keep, kept_name
from .record import without_paths
from .studio_settings import StudioSettings, StudioUnit
from .units import NOTHING

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

BASE = ("unet", "text_encoder", "vae")  # parts of a pipeline that each picture comes from


def packed(image: Image.Image) -> str:
    """Return a picture as PNG in base64."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def portable(settings: StudioSettings) -> tuple[StudioSettings, dict[str, str]]:
    """Return settings with names in place of paths, and the pictures that they name, packed, as large as asked."""
    pictures: dict[str, str] = {}

    def named(file: str, draw: Callable[[int, int], Image.Image]) -> str:
        try:
            drawn = draw(settings.height, settings.width)
        except (OSError, ValueError):  # it is no longer there; a unit that is not used need not have it
            return file
        name = kept_name(drawn, file)
        pictures[name] = packed(drawn)
        return name

    def at(picture: PictureSource, draw: Callable[[int, int], Image.Image]) -> PictureSource:
        return replace(picture, file=named(picture.file, draw)) if picture.kind == "file" else picture

    def of(unit: StudioUnit) -> StudioUnit:
        map_itself = unit.preprocessor == NOTHING
        draw = partial(unit.map, lane=settings.lane) if map_itself else unit.picture.base
        file = unit.region_file
        mask = file and named(file, lambda height, width: as_picture(file, smallest=1))
        return replace(unit, picture=at(unit.picture, draw), region_file=mask)

    units, source = tuple(map(of, settings.units)), at(settings.source, settings.source.base)
    return without_paths(replace(settings, units=units, source=source)), pictures


def unpacked(
    settings: StudioSettings, pictures: Mapping[str, str], folder: Path, now: StudioSettings
) -> tuple[StudioSettings, list[str]]:
    """Write the pictures of portable settings into the folder's "inputs", find LoRAs and base, say what is missing.

    Raises:
        ValueError: a picture that is none, or of another size.
    """
    size, notes = (settings.width, settings.height), []

    def found(name: str) -> str:
        if name not in pictures:
            return name
        image = as_picture(base64.b64decode(pictures[name]), name, smallest=1)
        if image.size != size:
            raise ValueError(f"{name} has {image.width} x {image.height} pixels in place of {size}.")
        return keep(image, name, folder / INPUTS)

    def at(picture: PictureSource) -> PictureSource:
        return replace(picture, file=found(picture.file))

    units = tuple(
        replace(unit, picture=at(unit.picture), region_file=found(unit.region_file)) for unit in settings.units
    )
    loras = []
    for name, weight in settings.loras:
        path = place_of(name, folder, [path for path, _ in now.loras])
        if path is None:
            notes.append(f"{name} is not here: write into its row where it lies.")
        loras.append((path or name, weight))
    base = settings.base and place_of(settings.base, folder, [now.base])
    if base is None:
        notes.append(f"The base {settings.base} is not here: write into its field where it lies.")
    source, base = at(settings.source), base or settings.base
    return replace(settings, units=units, source=source, loras=tuple(loras), base=base), notes


def place_of(name: str, folder: Path, known: Sequence[str]) -> str | None:
    """Return where weights lie: known by a knob, here, in the panel's folder, among the course's; None if nowhere."""
    rows = [path for path in known if Path(path).name == Path(name).name]
    places = [*rows, name, folder / name, env.ASSETS / "models" / "clay-loras" / name]
    return next((Path(place).as_posix() for place in places if Path(place).exists()), None)


def weights_of(pipe: DiffusionPipeline, settings: StudioSettings) -> dict[str, str]:
    """Return the SHA-256 of the files of weights that are at hand, by part: base, ControlNets, LoRAs."""
    file = base if (base := Path(settings.base).expanduser()).is_file() else None
    folders = {} if file else {part: _part(pipe, part, settings) for part in BASE}
    names = [unit.control for unit in settings.active]
    try:
        catalog.check_nets(pipe, names)
        nets = [_folder(net) for net in getattr(pipe.controlnet, "nets", [pipe.controlnet])]
    except ValueError:  # they are not loaded, so they are those of the table
        nets = [catalog.folder_of(f"control {name}", settings.lane) for name in names]
    folders |= {f"control {name}": folder for name, folder in zip(names, nets, strict=True)}
    found = {name: sorted(folder.glob("*.safetensors")) for name, folder in folders.items() if folder}
    files = {name: of_part[0] for name, of_part in found.items() if of_part}
    files |= {Path(path).name: Path(path) for path, _ in settings.used} | ({"base": file} if file else {})
    return {name: _hash(file, file.stat().st_mtime_ns) for name, file in files.items() if file.is_file()}


def _part(pipe: DiffusionPipeline, part: str, settings: StudioSettings) -> Path | None:
    """Return where a part of the base lies that settings ask for; None if it is not known."""
    if settings.base == catalog.base_of(pipe):
        return _folder(getattr(pipe, part))
    base = Path(settings.base).expanduser() if settings.base else catalog.folder_of("base", settings.lane)
    return base and base / part


def _folder(model: Any) -> Path | None:
    """Return where a model was read from; None if it was not."""
    name = getattr(model.config, "_name_or_path", "")
    return Path(name) if name else None


@lru_cache(maxsize=32)
def _hash(file: Path, written: int) -> str:
    """Hash a file once; `written` is when it was."""
    return sha256(file)
