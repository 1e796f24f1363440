"""Take the README's six pictures out of the executed notebooks: `python -m tools.gallery`.

So they follow the models: whoever builds the lessons anew runs it, `make notebooks` does, and a test compares.
"""

from __future__ import annotations

import base64
from pathlib import Path

import nbformat

from . import assets, build
from .template import ROOT

BEGIN, END = "<!-- pictures: written by tools/gallery.py -->", "<!-- end of pictures -->"
FOLDER = "assets/figures/lessons"
CHOSEN = {  # lesson: how the picture's alt text begins, and what the reader should look for
    "01": ("Sixteen pictures from one prompt", "A prompt is a lottery: a red clock and a blue bench, sixteen times."),
    "03": ("Four seeds: above image to image", "Depth keeps a pose that image to image loses, and frees the colours."),
    "04": ("Maps above, and below each the picture", "Seven kinds of map, and what a ControlNet paints from each."),
    "05": ("Maps of four hands with three fingers", "Three fingers asked for: by words, and with a map of the hand."),
    "07": ("Eight seeds of 'a cat and a dog'", "Attend-and-Excite: plain; pushed anywhere; pushed where it counts."),
    "11": ("Five rungs, a row each", "A walk painted frame by frame, and what each cure for its flicker does."),
}


def picture(lesson: str, begins: str, root: Path = ROOT) -> tuple[bytes, str]:
    """Return a picture of an executed lesson as JPEG, and its alt text.

    Raises:
        ValueError: no picture of the lesson, or more than one, has an alt text that begins so.
    """
    (source,) = build.sources(root, [lesson])
    found = [
        (base64.b64decode(output.data["image/jpeg"]), output.data["text/plain"])
        for cell in nbformat.read(build.product(source), as_version=4).cells if cell.cell_type == "code"
        for output in cell.outputs
        if "image/jpeg" in output.get("data", {}) and output.data["text/plain"].startswith(begins)
    ]  # fmt: skip
    if len(found) != 1:
        raise ValueError(
            f"{source.stem} shows {len(found)} pictures whose alt text begins with {begins!r}: choose one in CHOSEN."
        )
    return found[0]


def pictures(root: Path = ROOT) -> tuple[dict[str, bytes], str]:
    """Return the files by their paths, and the README's part that shows them."""
    files, parts = {}, []
    for lesson, (begins, caption) in CHOSEN.items():
        jpeg, alt = picture(lesson, begins, root)
        name = f"{FOLDER}/{lesson}.jpg"
        files[name] = jpeg
        alt = alt.replace("[", "(").replace("]", ")")
        parts.append(f"![{alt}]({name})\n\n*Lesson {lesson}. {caption}*")
    return files, "\n\n".join(parts)


def main(root: Path = ROOT) -> None:
    """Write the pictures, the README's part that shows them, and the list of assets."""
    files, part = pictures(root)
    for name, jpeg in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(jpeg)
    page = root / "README.md"
    head, rest = page.read_text(encoding="utf-8").split(BEGIN)
    page.write_text(f"{head}{BEGIN}\n{part}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    assets.main(root / "assets")


if __name__ == "__main__":
    main()
