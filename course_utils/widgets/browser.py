"""The widgets with a half of their own in the browser: the drawing pad, upload, download, and the heartbeat."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import anywidget
import traitlets
from ipywidgets import Widget
from ipywidgets.embed import dependency_state
from PIL import Image

from .. import editing
from ..pictures import encoded
from ..plots import style

HERE = Path(__file__).parent
BASE = (HERE / "base.css").read_text(encoding="utf-8")  # the style of all front ends, before their own
INKS = {"scribble": editing.WHITE, "over": "#c8553d"}  # that a pad starts with
BRUSHES = {"scribble": 3 / 256, "over": 8 / 256}  # shares of the picture's smaller side
OPACITIES = {"scribble": 0.4, "over": 1.0}  # of the picture below
SNAPSHOT = "COURSE_SNAPSHOT"  # names a command that makes a picture of a widget's state, see tools/snapshot.py
LONGEST = 1536  # pixels of an uploaded picture's longer side: no lane makes larger ones


def jpeg(image: Image.Image, longest: int | None = None) -> bytes:
    """Return a small JPEG, its sides at most `longest` pixels."""
    image = image.convert("RGB")
    if longest:
        image.thumbnail((longest, longest))
    return encoded(image, "JPEG", quality=style.QUALITY)


class Pad(anywidget.AnyWidget):
    """A drawing, kept as strokes: they survive a page that is loaded again, and Python draws them the same.

    Args:
        height, width: of the drawing, pixels.
        mode: "scribble" draws white lines on black, a picture below is there to be traced; "over" draws in colour on
            a picture and marks what of it may change.

    Raises:
        traitlets.TraitError: an unknown mode.
    """

    _esm, _css = HERE / "pad.js", BASE + (HERE / "pad.css").read_text()

    height = traitlets.Int().tag(sync=True)
    width = traitlets.Int().tag(sync=True)
    mode = traitlets.Enum(list(INKS), "scribble").tag(sync=True)
    strokes = traitlets.List().tag(sync=True)  # [ink, width, [x, y, x, y, ...]], as editing.paint takes them
    ink = traitlets.Unicode().tag(sync=True)
    brush = traitlets.Int().tag(sync=True)  # the width that a pad starts with, pixels
    underlay = traitlets.CBytes().tag(sync=True)  # the picture below, for the browser
    opacity = traitlets.Float().tag(sync=True)

    def __init__(self, height: int = 256, width: int = 256, mode: str = "scribble") -> None:
        super().__init__(height=height, width=width, mode=mode)
        self.ink, self.opacity = INKS[mode], OPACITIES[mode]
        self.brush = max(1, round(BRUSHES[mode] * min(height, width)))

    def load(self, image: Image.Image | None) -> None:
        """Put a picture below the drawing, stretched to the pad's size; None takes it away."""
        size = (self.width, self.height)
        self.underlay = jpeg(image.convert("RGB").resize(size, Image.Resampling.LANCZOS)) if image else b""


class Upload(anywidget.AnyWidget):
    """A button that takes a picture from the learner's computer; the file may be dropped on it as well.

    `data` changes when a file has come, `problem` when one could not be read in the browser. ipywidgets has such a
    button too, but its value differs between versions 7 and 8, and it sends a photograph whole: that costs the
    connection on Colab over about 1 MB. This one reduces large pictures in the browser.
    """

    _esm = HERE / "upload.js"

    data = traitlets.CBytes().tag(sync=True, echo_update=False)
    name = traitlets.Unicode().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)
    longest = traitlets.Int(LONGEST).tag(sync=True)
    accept = traitlets.Unicode("image/*").tag(sync=True)  # whatever else is named travels as it is, up to 9 MB
    anywhere = traitlets.Bool(False).tag(sync=True)  # a file may be dropped on the whole panel

    def take(self) -> bytes:
        """Return what came and forget it, so that the same file is news when it is chosen again."""
        data, self.data = self.data, b""
        return data


class Download(anywidget.AnyWidget):
    """A link that saves what the page has already: no server, no shared disk, and nothing travels twice.

    Args:
        text: of the link.
        of: a widget whose `value` is saved; None saves `data`.
    """

    _esm = HERE / "download.js"

    text = traitlets.Unicode().tag(sync=True)
    of = traitlets.Unicode().tag(sync=True)  # the other widget's model_id
    name = traitlets.Unicode().tag(sync=True)  # of the file; without one there is no link
    data = traitlets.CBytes().tag(sync=True)

    def __init__(self, text: str, of: Widget | None = None) -> None:
        super().__init__(text=text, of=of.model_id if of else "")


class Compare(anywidget.AnyWidget):
    """A picture, with the traits of ipywidgets' Image; with `other` the two are held against each other by a line."""

    _esm = HERE / "compare.js"

    value = traitlets.CBytes().tag(sync=True)
    format = traitlets.Unicode("png").tag(sync=True)
    other = traitlets.CBytes().tag(sync=True)  # JPEG or PNG of the same shape; empty without one


class Heartbeat(anywidget.AnyWidget):
    """An invisible widget that calls `on_beat` four times a second while its `beating` is True; see `running.py`."""

    _esm = HERE / "heartbeat.js"

    beating = traitlets.Bool(False).tag(sync=True)
    beats = traitlets.Int(0).tag(sync=True)

    def __init__(self, on_beat: Callable[[], None]) -> None:
        super().__init__()
        self.observe(lambda change: on_beat(), "beats")


def photograph(widget: Widget) -> Image.Image | None:
    """Return a photograph of a widget's page while a lesson is built, by the command of `SNAPSHOT`; else None."""
    if not (command := os.environ.get(SNAPSHOT)):
        return None
    view = {"model_id": widget.model_id, "state": {"state": dependency_state([widget], drop_defaults=False)}}
    png = subprocess.check_output(shlex.split(command), input=json.dumps(view).encode())
    return Image.open(io.BytesIO(png)).convert("RGB")
