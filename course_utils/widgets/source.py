"""Where a panel's picture comes from: a clay scene, a file of the learner's, or a drawing; and what it looks like."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from ipywidgets import HTML, BoundedIntText, HBox, Layout, Text, ToggleButtons, VBox, Widget
from ipywidgets import Image as ImageWidget
from PIL import Image

from .. import controls, editing
from .given import KINDS, Given, frozen, keep
from .knobs import LARGEST_SEED, dice
from .pad import Pad
from .parts import LABELS, classed, jpeg, reason, row
from .post import Post
from .upload import Upload

INPUTS = "inputs"  # the folder in the panel's folder where uploaded pictures are kept
LOOK = (296, 148)  # pixels of a small picture's width: as it is sent, as it is shown
AT_ONCE = Post(wait=False)  # what answers the browser need not wait
NAMES = {"scene": "Clay scene", "file": "Upload", "paper": "Draw"}


class Looks(HBox):
    """Small pictures side by side, each with its name below."""

    def __init__(self, names: tuple[str, ...], height: int, width: int) -> None:
        self.size = (height, width)
        self.images: dict[str, Image.Image] = {}  # what is on show
        self._nothing = jpeg(Image.new("RGB", (width, height), "#eceff1"), LOOK[0])
        self.slots = {
            name: VBox([ImageWidget(value=self._nothing, format="jpeg"), HTML(html.escape(name))]) for name in names
        }
        super().__init__(list(self.slots.values()))
        classed(self, "looks")

    def show(self, name: str, image: Image.Image | None, post: Post) -> None:
        """Put a picture in its place; None takes it away."""
        if image is not None:
            self.images[name] = image
        elif self.images.pop(name, None) is None:
            return  # nothing was there
        post(self.slots[name].children[0], value=jpeg(image, LOOK[0]) if image else self._nothing)


def indented(widget: Widget) -> HBox:
    """Put a widget where fields begin."""
    return classed(HBox([widget]), "indented")


class Source(VBox):
    """A knob whose value is a `Given`.

    Args:
        given: what it stands at first.
        height, width: of the panel's pictures.
        folder: the panel's, for what is uploaded.
        mode: of the pad: "scribble" offers to draw instead, "over" lets draw on any picture, None has no pad.
        also: names of more small pictures, which the panel shows with `looks.show`.
        knobs: what stands above the small pictures: how they are made.
    """

    def __init__(
        self,
        given: Given,
        height: int,
        width: int,
        folder: Path,
        mode: str | None = None,
        also: tuple[str, ...] = (),
        knobs: tuple[Widget, ...] = (),
    ) -> None:
        self.size, self.mode, self._file, self._folder = (height, width), mode, "", folder / INPUTS
        kinds = KINDS if mode == "scribble" else KINDS[:2]
        how = {"style": LABELS, "layout": Layout(width="auto", flex="1 1 180px")}
        self.kind = ToggleButtons(options=[(NAMES[kind], kind) for kind in kinds], description="Picture", style=LABELS)
        self.kind.style.button_width = "auto"
        self.words = Text(description="Scene", placeholder="any", continuous_update=False, **how)
        self.seed = BoundedIntText(0, 0, LARGEST_SEED, layout=Layout(width="76px"))
        self.upload, self.error = Upload(), classed(HTML(layout=Layout(display="none")), "error")
        self.pad = Pad(height, width, mode) if mode else None
        self.looks = Looks((*(("picture",) if mode != "over" else ()), *also), height, width)
        self.scene = row(self.words, self.seed, dice(self.seed))
        self._rows = {"scene": self.scene, "file": indented(self.upload)}
        pads = [indented(self.pad)] if mode else []
        super().__init__([self.kind, *self._rows.values(), self.error, *pads, *knobs, indented(self.looks)])
        classed(self, "source")
        self._settling = False
        self.value = given
        for knob in (self.kind, self.words, self.seed):
            knob.observe(self._changed, "value")
        self.upload.observe(self._came, ["data", "problem"])
        if self.pad:
            self.pad.observe(lambda change: self.forget(), "strokes")

    @property
    def value(self) -> Given:
        """Return where the picture comes from now, with what is drawn."""
        drawn = self.mode == "over" or self.kind.value == "paper"
        strokes = frozen(self.pad.strokes) if drawn else ()
        source = {
            "scene": {"words": self.words.value.strip(), "seed": self.seed.value},
            "file": {"file": self._file},
            "paper": {},
        }[self.kind.value]
        return Given(self.kind.value, **source, strokes=strokes)

    @value.setter
    def value(self, given: Given) -> None:
        self._settling = True  # one look at the end is enough
        if given.kind == "scene":
            self.words.value, self.seed.value = given.words, given.seed
        if given.kind == "file":
            self._file = given.file
            self.upload.name = Path(given.file).name
        self.kind.value = given.kind
        if self.pad:
            self.pad.strokes = [[ink, width, list(points)] for ink, width, points in given.strokes]
        self._settling = False
        self._show()

    def forget(self) -> None:
        """Take away the small pictures that were made of another picture."""
        for name in self.looks.slots:
            if name != "picture":
                self.looks.show(name, None, AT_ONCE)

    def _changed(self, change: Any) -> None:
        if not self._settling:
            self._show()

    def _came(self, change: Any) -> None:
        """Take what the upload button brought: read it, make it as small as the panel needs, keep it."""
        self._say(self.upload.problem)
        if self.upload.problem or not self.upload.data:
            return
        try:
            image = editing.fit(controls.as_picture(self.upload.data, self.upload.name), *self.size)
            self._file = keep(image, self.upload.name, self._folder)
        except (ValueError, OSError) as problem:
            self.upload.name = Path(self._file).name
            self._say(reason(problem))
        else:
            self.kind.value = "file"
            self._show()

    def _show(self) -> None:
        """Show what belongs to this kind of picture, and the picture."""
        kind = self.kind.value
        for name, part in self._rows.items():
            part.layout.display = None if name == kind else "none"
        self.forget()
        if self.mode == "scribble":
            self.pad.layout.display = None if kind == "paper" else "none"
            self.looks.slots["picture"].layout.display = "none" if kind == "paper" else None
        if kind == "paper":
            self._say("")
            return  # the last picture stays below the drawing, to be traced
        image = None
        try:
            image = self.value.base(*self.size)
            self._say("")
        except (ValueError, OSError) as problem:
            self._say(str(problem) if kind == "scene" or self._file else "")
        if self.pad:
            self.pad.load(image)
        if "picture" in self.looks.slots:
            self.looks.show("picture", image, AT_ONCE)

    def _say(self, text: str) -> None:
        self.error.value = html.escape(text)
        self.error.layout.display = None if text else "none"
