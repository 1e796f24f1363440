"""The studio's PNG: our settings, the control maps themselves, and the text that other tools read."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import fields, replace
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..catalog import SAMPLERS
from .parts import reason
from .pictures import INPUTS, PictureSource, keep
from .record import KEY
from .studio_settings import StudioSettings
from .units import NOTHING

MAPS = "course_utils map"  # of the control maps among a PNG's texts, with a number: a PNG in base64 each
OTHERS = "parameters"  # where other programs write their settings, and read ours
VERSION = 1  # of what is written; another one that says more of a picture has the next number
MOST = 40e6  # pixels of a PNG that is dropped
FIELDS = {"Steps": ("num_inference_steps", int), "CFG scale": ("guidance_scale", float), "Seed": ("seed", int)}
LINE = re.compile(r'\s*([\w][\w /.-]*):\s*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)')


def parameters(settings: StudioSettings) -> str:
    """Return the settings as other programs write them: prompt, negative prompt, one line of fields."""
    line = {
        "Steps": settings.num_inference_steps, "Sampler": settings.scheduler, "CFG scale": settings.guidance_scale,
        "Seed": settings.seed, "Size": f"{settings.width}x{settings.height}", "Model": settings.lane,
    }  # fmt: skip
    for place, unit in enumerate(settings.active):
        line[f"ControlNet {place}"] = json.dumps(
            f"Module: {unit.preprocessor}, Model: {unit.control}, Weight: {unit.scale}, "
            f"Guidance Start: {unit.start}, Guidance End: {unit.end}, Control Mode: {unit.mode}"
        )
    negative = [f"Negative prompt: {settings.negative_prompt}"] if settings.negative_prompt else []
    return "\n".join([settings.prompt, *negative, ", ".join(f"{name}: {value}" for name, value in line.items())])


def record(settings: StudioSettings) -> str:
    """Return what a PNG or a preset holds of the settings: JSON."""
    return json.dumps({"version": VERSION, **settings.facts()}, indent=1)


def studio_png(image: Image.Image, settings: StudioSettings) -> bytes:
    """Return the picture as PNG with everything that made it inside."""
    texts = PngInfo()
    texts.add_text(KEY, record(settings))
    texts.add_itxt(OTHERS, parameters(settings))
    texts.add_itxt("Source", settings.code())
    for place, drawn in enumerate(settings.maps()):  # plain text: what is compressed is read up to 1 MB only
        texts.add_text(f"{MAPS} {place}", _packed(drawn))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=texts)
    return buffer.getvalue()


def _packed(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def restored(data: bytes, now: StudioSettings, folder: Path) -> tuple[StudioSettings, list[str]]:
    """Return the settings of a PNG, or of a preset (JSON), and what there is to say.

    A map whose picture is not on this computer comes back out of the PNG, as a file in the folder's "inputs".

    Args:
        data: the file as it is: our PNG, our JSON, or the PNG of another program.
        now: what the panel stands at: another program's text leaves the rest as it is.
        folder: the panel's.

    Raises:
        ValueError: it holds nothing that can be used, or the picture is too large.
    """
    if not data.startswith(b"\x89PNG"):
        return preset(data), []
    (width, height), texts = _read(data)
    if KEY in texts:
        settings = preset(texts[KEY])
        if (settings.width, settings.height) != (width, height):
            raise ValueError(
                f"The PNG's text tells of {settings.width} x {settings.height} pixels, and it has {width} x {height}: "
                "text and picture do not belong together."
            )
        maps = [texts[f"{MAPS} {place}"] for place in range(len(texts)) if f"{MAPS} {place}" in texts]
        return _with_maps(settings, maps, folder)
    if OTHERS not in texts:
        raise ValueError("The PNG holds no settings: neither ours nor the text 'parameters' of other programs.")
    return foreign(texts[OTHERS], now)


def _read(data: bytes) -> tuple[tuple[int, int], dict[str, str]]:
    """Return a PNG's (width, height) and its texts; its size is looked at before anything else is."""
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    if width * height > MOST:
        raise ValueError(f"The PNG has {width} x {height} pixels; up to {MOST / 1e6:.0f} million are read.")
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size, dict(image.text)  # reads all of it: texts may stand behind the pixels
    except Exception as problem:  # PIL's readers raise what they like at damaged files
        raise ValueError(f"The PNG is broken ({reason(problem)}); save or download it anew.") from None


def preset(text: bytes | str) -> StudioSettings:
    """Return the settings of a preset.

    Raises:
        ValueError: it is no JSON, not a studio's, or from a newer version; names what is wrong.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"The file is neither a PNG nor JSON ({reason(problem)}).") from None
    if not isinstance(found, dict) or found.pop("kind", None) != StudioSettings.kind:
        raise ValueError("The JSON holds no preset of the studio: its 'kind' should be 'studio'.")
    version = found.pop("version", 1)
    if not isinstance(version, int) or version > VERSION:
        raise ValueError(
            f"The settings are of version {version!r:.20}, and this course reads up to {VERSION}: update the course."
        )
    if unknown := set(found) ^ {each.name for each in fields(StudioSettings)}:
        raise ValueError(f"The preset is from another version: it differs in {', '.join(sorted(unknown))[:80]}.")
    try:
        return StudioSettings.of(found)
    except (TypeError, KeyError, AttributeError, ValueError) as problem:
        raise ValueError(f"The preset cannot be read ({reason(problem)}).") from None


def _with_maps(settings: StudioSettings, maps: list[str], folder: Path) -> tuple[StudioSettings, list[str]]:
    units, notes, packed = list(settings.units), [], iter(maps)
    for place, unit in enumerate(units):
        drawn = next(packed, None) if unit in settings.active else None
        file = Path(unit.picture.file)
        if unit.picture.kind == "file" and drawn and not file.is_file():
            image = Image.open(io.BytesIO(base64.b64decode(drawn))).convert("RGB")
            kept = PictureSource("file", file=keep(image, f"{file.stem}-map", folder / INPUTS))
            units[place] = replace(unit, picture=kept, preprocessor=NOTHING)
            notes.append(f"Unit {place + 1}: {file.name} is not here; its map came back out of the PNG.")
    return replace(settings, units=tuple(units)), notes


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
