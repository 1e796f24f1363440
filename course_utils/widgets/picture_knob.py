"""Where a panel's picture comes from: a clay scene, a file, a drawing, or the doll; and what it looks like."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipywidgets import HTML, BoundedIntText, Dropdown, HBox, Layout, Text, VBox, Widget
from ipywidgets import Image as ImageWidget
from PIL import Image

from .. import controls
from ..pictures import RESIZES
from ..validation import LARGEST_SEED
from .browser import Pad, Upload, jpeg
from .doll import Doll
from .parts import Message, classed, dice, field, indented, reason, row, show_only, toggles
from .pictures import INPUTS, KINDS, PictureSource, frozen, keep
from .running import Outbox

SMALL = 296  # pixels of a small picture's width as it is sent; it is shown at half that
AT_ONCE = Outbox(hold=False)  # what answers the browser need not wait
NAMES = {"scene": "Clay scene", "file": "Upload", "paper": "Draw", "doll": "Doll"}
RESIZED = {"fit": "fit: what hangs over is cut", "fill": "fill: all of it, on a border", "stretch": "stretch"}


class Thumbnails(HBox):
    """Small pictures side by side, each with its name below."""

    def __init__(self, names: tuple[str, ...], height: int, width: int) -> None:
        self.images: dict[str, Image.Image] = {}  # what is on show
        self._nothing = jpeg(Image.new("RGB", (width, height), "#eceff1"), SMALL)
        images = {name: ImageWidget(value=self._nothing, format="jpeg") for name in names}
        self.slots = {name: VBox([image, HTML(html.escape(name))]) for name, image in images.items()}
        super().__init__(list(self.slots.values()))
        classed(self, "looks")

    def show(self, name: str, image: Image.Image | None, outbox: Outbox = AT_ONCE, text: str = "") -> None:
        """Put a picture in its place, with another text below if one is given; None takes it away."""
        if text:
            outbox(self.slots[name].children[1], value=html.escape(text))
        if image is not None:
            self.images[name] = image
        elif self.images.pop(name, None) is None:
            return  # nothing was there
        outbox(self.slots[name].children[0], value=jpeg(image, SMALL) if image else self._nothing)


def received(
    change: Any, message: Message, folder: Path, prepare: Callable[[bytes, str], Image.Image | bytes] | None = None
) -> str:
    """Keep what an upload button brought in the panel's folder, and return the file's path.

    `change` is of the button's `data` or `problem`; `prepare`, given the bytes and the name, returns what is kept, and
    raises where it will not do. What is wrong stands in `message`, and the path is "".
    """
    upload = change.owner
    if change.name == "data" and not change.new:
        return ""
    message.say(AT_ONCE, upload.problem)
    if upload.problem or not (data := bytes(upload.take())):
        return ""
    try:
        return keep(prepare(data, upload.name) if prepare else data, upload.name, folder / INPUTS)
    except Exception as problem:  # whatever it is, the learner reads it below the button
        message.say(AT_ONCE, reason(problem))
        return ""


class PictureKnob(VBox):
    """A knob whose value is a `PictureSource`.

    Args:
        source: what it stands at first.
        height, width: of the panel's pictures.
        folder: the panel's, for what is uploaded.
        mode: of the pad: "scribble" offers to draw instead, "over" lets draw on any picture, None has no pad.
        also: names of more small pictures, which the panel shows with `looks.show`.
        knobs: what stands above the small pictures: how they are made.
        kinds: of picture that are offered; None are those that the mode knows.
    """

    def __init__(
        self,
        source: PictureSource,
        height: int,
        width: int,
        folder: Path,
        mode: str | None = None,
        also: tuple[str, ...] = (),
        knobs: tuple[Widget, ...] = (),
        kinds: tuple[str, ...] | None = None,
    ) -> None:
        self.size, self.mode, self._file, self._folder = (height, width), mode, "", folder
        kinds = kinds or (KINDS[:3] if mode == "scribble" else KINDS[:2])
        self.kind = toggles("Picture", [(NAMES[kind], kind) for kind in kinds])
        self.words = field(Text, "Scene", placeholder="any", continuous_update=False)
        self.words.layout.flex = "1 1 180px"
        self.seed = BoundedIntText(0, 0, LARGEST_SEED, layout=Layout(width="76px"))
        self.upload, self.error = Upload(), Message("error")
        self.doll: Doll | None = None  # it is large: made when it is asked for
        self.resize = field(Dropdown, "Resize", options=[(RESIZED[way], way) for way in RESIZES])
        self.pad = Pad(height, width, mode) if mode else None
        self.looks = Thumbnails((*(("picture",) if mode != "over" else ()), *also), height, width)
        files = VBox([indented(self.upload), self.resize])
        self._rows = {"scene": row(self.words, self.seed, dice(self.seed)), "file": files, "doll": VBox()}
        pads = [indented(self.pad)] if mode else []
        super().__init__([self.kind, *self._rows.values(), self.error, *pads, *knobs, indented(self.looks)])
        classed(self, "source")
        self._settling = False
        self.value = source
        for knob in (self.kind, self.words, self.seed, self.resize):
            knob.observe(self._changed, "value")
        self.upload.observe(self._came, ["data", "problem"])
        if self.pad:
            self.pad.observe(lambda change: self.forget(), "strokes")

    @property
    def value(self) -> PictureSource:
        """Return where the picture comes from now, with what is drawn."""
        drawn = self.mode == "over" or self.kind.value == "paper"
        strokes = frozen(self.pad.strokes) if drawn else ()
        fields = {
            "scene": {"words": self.words.value.strip(), "seed": self.seed.value},
            "file": {"file": self._file, "resize": self.resize.value},
            "paper": {},
            "doll": {"doll": self.doll.value if self.doll else ""},
        }[self.kind.value]
        return PictureSource(self.kind.value, **fields, strokes=strokes)

    @value.setter
    def value(self, source: PictureSource) -> None:
        self._settling = True  # showing it once, at the end, is enough
        if source.kind == "scene":
            self.words.value, self.seed.value = source.words, source.seed
        if source.kind == "file":
            self._file, self.resize.value = source.file, source.resize
            self.upload.name = Path(source.file).name
        if source.kind == "doll":
            self._asked_doll().value = source.doll or "{}"
        self.kind.value = source.kind
        if self.pad:
            self.pad.strokes = [[ink, width, list(points)] for ink, width, points in source.strokes]
        self._settling = False
        self._show()

    def forget(self) -> None:
        """Take away the small pictures that were made of another picture."""
        for name in self.looks.slots:
            if name != "picture":
                self.looks.show(name, None)

    def _asked_doll(self) -> Doll:
        """Return the doll, which is made now where it was not asked for before."""
        if self.doll is None:
            self.doll = Doll([{"word": "man"}], *self.size)
            self._rows["doll"].children = (self.doll,)
            self.doll.observe(self._changed, "seen")
        return self.doll

    def _changed(self, change: Any) -> None:
        if not self._settling:
            self._show()

    def _came(self, change: Any) -> None:
        def prepare(data: bytes, name: str) -> bytes:
            controls.as_picture(data, name)  # must be one, and stays as it came: `resize` and maps want all of it
            return data

        if file := received(change, self.error, self._folder, prepare):
            self._file = file
            self.kind.value = "file"
            self._show()
        elif self.error.value:
            self.upload.name = Path(self._file).name

    def _show(self) -> None:
        """Show what belongs to this kind of picture, and the picture."""
        kind = self.kind.value
        show_only(self._rows, kind)
        self.forget()
        self.error.say(AT_ONCE)
        if self.mode == "scribble":
            self.pad.layout.display = None if kind == "paper" else "none"
            self.looks.slots["picture"].layout.display = "none" if kind == "paper" else None
        if kind == "paper":
            return  # the last picture stays below the drawing, to be traced
        if kind == "doll":
            self.looks.show("picture", Image.fromarray(self._asked_doll().made.image))
            return
        image = None
        try:
            image = self.value.base(*self.size)
        except (ValueError, OSError) as problem:
            if kind == "scene" or self._file:  # without a file nothing is wrong yet
                self.error.say(AT_ONCE, reason(problem))
        if self.pad:
            self.pad.load(image)
        if "picture" in self.looks.slots:
            self.looks.show("picture", image)
