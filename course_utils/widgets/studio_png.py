"""The studio's PNG: our settings, the control maps themselves, and the text that other tools read."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..catalog import SAMPLERS
from ..pictures import as_picture
from .parts import reason
from .record import KEY
from .studio_carry import packed, portable, unpacked, weights_of
from .studio_settings import StudioSettings

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

MAPS = "course_utils map"  # of the control maps among a PNG's texts, with a number: a PNG in base64 each
OTHERS = "parameters"  # where other programs write their settings, and read ours
VERSION = 1  # of what is written; another one that says more of a picture has the next number
MOST = 40e6  # pixels of a PNG that is dropped
FIELDS = {"Steps": ("num_inference_steps", int), "CFG scale": ("guidance_scale", float), "Seed": ("seed", int)}
LINE = re.compile(r'\s*([\w][\w /.-]*):\s*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)')


def parameters(settings: StudioSettings, weights: Mapping[str, str]) -> str:
    """Return the settings as other programs write them: prompt, negative prompt, one line of fields."""
    line: dict[str, Any] = {
        "Steps": settings.num_inference_steps, "Sampler": settings.scheduler, "CFG scale": settings.guidance_scale,
        "Seed": settings.seed, "Size": f"{settings.width}x{settings.height}",
        "Model": Path(settings.base).stem or settings.lane,
    }  # fmt: skip
    if "base" in weights:
        line["Model hash"] = weights["base"][:10]  # as they shorten a SHA-256
    for place, unit in enumerate(settings.active):
        line[f"ControlNet {place}"] = json.dumps(
            f"Module: {unit.preprocessor}, Model: {unit.control}, Weight: {unit.scale}, "
            f"Guidance Start: {unit.start}, Guidance End: {unit.end}, Control Mode: {unit.mode}"
        )
    negative = [f"Negative prompt: {settings.negative_prompt}"] if settings.negative_prompt else []
    return "\n".join([settings.prompt, *negative, ", ".join(f"{name}: {value}" for name, value in line.items())])


def studio_png(image: Image.Image, settings: StudioSettings, weights: dict[str, str] | None = None) -> bytes:
    """Return the picture as PNG with everything that made it inside, but no path of this computer.

    Args:
        image: the picture.
        settings: that made it.
        weights: their hashes, from `weights_of`.
    """
    named, pictures = portable(settings)
    record = {"version": VERSION, **named.facts(), "weights": weights or {}, "pictures": pictures}
    texts = PngInfo()
    texts.add_text(KEY, json.dumps(record, indent=1))
    texts.add_itxt(OTHERS, parameters(settings, weights or {}))
    texts.add_itxt("Source", named.code())
    for place, drawn in enumerate(settings.maps()):  # plain text: what is compressed is read up to 1 MB only
        texts.add_text(f"{MAPS} {place}", packed(drawn))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=texts)
    return buffer.getvalue()


def preset_of(png: bytes) -> bytes:
    """Return what a PNG of the studio tells of itself, as a file of its own: JSON, its pictures inside."""
    return read_png(png)[1][KEY].encode()


class Restored(NamedTuple):
    """What a file brings back."""

    settings: StudioSettings
    notes: list[str]  # what there is to say
    maps: dict[tuple, Image.Image]  # by `Unit.recipe`


def restored(data: bytes, now: StudioSettings, folder: Path, pipe: DiffusionPipeline) -> Restored:
    """Return the settings of a PNG, or of a preset (JSON), what there is to say, and its maps.

    Its pictures are written into the folder's "inputs". Its maps are for `units.GIVEN`, once the settings are taken:
    so the same picture comes out where a preprocessor would see another thing.

    Args:
        data: the file as it is: our PNG, our JSON, or the PNG of another program.
        now: what the panel stands at: another program's text leaves the rest as it is.
        folder: the panel's.
        pipe: the panel's, whose weights the picture's are held against.

    Raises:
        ValueError: it holds nothing that can be used, or the picture is too large.
    """
    size, texts = read_png(data) if data.startswith(b"\x89PNG") else (None, {KEY: data})
    if KEY not in texts:
        if OTHERS not in texts:
            raise ValueError("The PNG holds no settings: neither ours nor the text 'parameters' of other programs.")
        return Restored(*foreign(texts[OTHERS], now), {})
    named, weights, pictures = preset(texts[KEY])
    if size not in (None, (named.width, named.height)):
        raise ValueError(
            f"The PNG's text tells of {named.width} x {named.height} pixels, and it has {' x '.join(map(str, size))}: "
            "text and picture do not belong together."
        )
    settings, notes = unpacked(named, pictures, folder, now)
    here = weights_of(pipe, settings)
    if other := [name for name in weights if here.get(name, weights[name]) != weights[name]]:
        notes.append(f"It was made with other weights of {', '.join(other)}: expect another picture.")
    maps = [texts[f"{MAPS} {place}"] for place in range(len(texts)) if f"{MAPS} {place}" in texts]
    return Restored(settings, notes, _given(settings, maps))


def _given(settings: StudioSettings, maps: Sequence[str]) -> dict[tuple, Image.Image]:
    """Return the maps that came with a PNG by their recipes, each as large as the picture; others are made anew."""
    recipes = (unit.recipe(settings.height, settings.width, settings.lane) for unit in settings.active)
    images = [as_picture(base64.b64decode(drawn), "map", smallest=1) for drawn in maps]
    size = (settings.width, settings.height)
    return {recipe: image for recipe, image in zip(recipes, images, strict=False) if image.size == size}


def read_png(data: bytes) -> tuple[tuple[int, int], dict[str, str]]:
    """Return a PNG's (width, height) and its texts; its size is looked at before anything else is."""
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    if width * height > MOST:
        raise ValueError(f"The PNG has {width} x {height} pixels; up to {MOST / 1e6:.0f} million are read.")
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size, dict(image.text)  # reads all of it: texts may stand behind the pixels
    except Exception as problem:  # PIL's readers raise what they like at damaged files
        raise ValueError(f"The PNG is broken ({reason(problem)}); save or download it anew.") from None


def preset(text: bytes | str) -> tuple[StudioSettings, dict[str, str], dict[str, str]]:
    """Return the settings of a preset, names in place of paths; hashes of weights; and pictures by their names.

    Raises:
        ValueError: it is no JSON, not a studio's, or from a newer version; names what is wrong.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"The file is neither a PNG nor JSON ({reason(problem)}).") from None
    if isinstance(found, dict) and "people" in found:
        raise ValueError("The JSON holds a pose: choose Doll as a control's picture, and open it there.")
    if not isinstance(found, dict) or found.pop("kind", None) != StudioSettings.kind:
        raise ValueError("The JSON holds no preset of the studio: its 'kind' should be 'studio'.")
    version = found.pop("version", 1)
    if not isinstance(version, int) or version > VERSION:
        raise ValueError(
            f"The settings are of version {version!r:.20}, and this course reads up to {VERSION}: update the course."
        )
    weights, pictures = (_texts(found, name) for name in ("weights", "pictures"))
    found = {each.name: each.default for each in fields(StudioSettings) if each.default is not MISSING} | found
    if unknown := set(found) ^ {each.name for each in fields(StudioSettings)}:
        raise ValueError(f"The preset is from another version: it differs in {', '.join(sorted(unknown))[:80]}.")
    try:
        return StudioSettings.of(found), weights, pictures
    except (TypeError, KeyError, AttributeError, ValueError) as problem:
        raise ValueError(f"The preset cannot be read ({reason(problem)}).") from None


def _texts(found: dict[str, Any], name: str) -> dict[str, str]:
    """Take texts by name out of a record."""
    texts = found.pop(name, {})
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise ValueError(f"The preset cannot be read: {name} must be texts by name.")
    return texts


def _number(name: str, kind: type, value: str) -> float:
    try:
        number = float(value)
        if not number.is_integer() and kind is int:
            raise ValueError
        return kind(number)
    except (ValueError, OverflowError):
        wanted = "a whole number" if kind is int else "a number"
        raise ValueError(f"The text 'parameters' has {name}: {value[:40]}, which is not {wanted}.") from None


def foreign(text: str, now: StudioSettings) -> tuple[StudioSettings, list[str]]:
    """Return settings with what another program's text says put in, and what of it has no place here."""
    head, _, last = text.strip().rpartition("\n")
    found = {match[1].strip(): match[2].strip() for match in LINE.finditer(last)}
    if "Steps" not in found:
        raise ValueError("The text 'parameters' has no line that begins with 'Steps: ...'.")
    prompt, _, negative = head.partition("\nNegative prompt:")
    changes: dict[str, object] = {"prompt": prompt.strip(), "negative_prompt": negative.strip()}
    for name, (ours, kind) in FIELDS.items():
        if name in found:
            changes[ours] = _number(name, kind, found.pop(name))
    if found.get("Sampler", "").lower() in SAMPLERS:
        changes["scheduler"] = found.pop("Sampler").lower()
    if found.get("Size") == f"{now.width}x{now.height}":
        found.pop("Size")
    notes = [f"Left out, for there is no such thing here: {', '.join(sorted(found))}."] if found else []
    units = tuple(replace(unit, enabled=False) for unit in now.units)  # it does not hold their pictures
    return replace(now, **changes, units=units, loras=(), words=(), use_source=False), notes
