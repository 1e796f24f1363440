"""Parts that every panel is put together from: the stage, the actions, the history."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable
from pathlib import Path

from ipywidgets import HTML, Accordion, Button, HBox, IntProgress, Layout, Textarea, VBox, Widget
from ipywidgets import Image as ImageWidget
from PIL import Image, ImageDraw

from ..plots import style
from .post import Post
from .record import Shot

CSS = Path(__file__).with_name("panel.css")
SLOTS = 8  # pictures that the history shows
THUMBNAIL = 144  # pixels, shown at half that: sharp on fine screens
STAGE = (256, 400)  # smallest and largest width of the picture on the screen, pixels
LABELS = {"description_width": "92px"}


def classed(widget: Widget, name: str) -> Widget:
    """Give a widget a class of panel.css."""
    return widget.add_class(f"course-{name}")


def styles() -> HTML:
    """Return the invisible widget that carries panel.css to the browser."""
    return HTML(f"<style>{CSS.read_text()}</style>", layout=Layout(display="none"))


def text_field(name: str, value: str, hint: str, rows: int) -> Textarea:
    """Return a field for a prompt; it tells the kernel when it is left, so before a click elsewhere."""
    return Textarea(
        value,
        description=name,
        placeholder=hint,
        rows=rows,
        continuous_update=False,
        style=LABELS,
        layout=Layout(width="auto", height="auto"),
    )


def jpeg(image: Image.Image, longest: int | None = None) -> bytes:
    """Return a small JPEG, its sides at most `longest` pixels."""
    image = image.convert("RGB")
    if longest:
        image.thumbnail((longest, longest))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=style.QUALITY)
    return buffer.getvalue()


def blank(height: int, width: int) -> Image.Image:
    """Draw what stands in the picture's place before there is one."""
    paper = Image.new("RGB", (width, height), "#f1f3f4")
    pen = ImageDraw.Draw(paper)
    pen.text((width / 2, height / 2), "your picture", "#9aa1a7", style.font(max(11, width // 18)), "mm")
    return paper


class Stage(VBox):
    """The picture, how far it is, and what can be done with it.

    Args:
        height, width: of the picture, pixels.
        image: the widget that shows it, with the traits of ipywidgets' Image; None takes that one.
    """

    def __init__(self, post: Post, height: int, width: int, image: Widget | None = None) -> None:
        self._post = post
        shown = min(max(width, STAGE[0]), STAGE[1])
        self.image = image or ImageWidget()
        self.image.value, self.image.format = jpeg(blank(height, width)), "jpeg"
        self.image.layout.width = f"{shown}px"
        self.progress = classed(IntProgress(0, 0, 1, layout=Layout(width=f"{shown}px")), "progress")
        self.status = classed(HTML("Ready.", layout=Layout(width=f"{shown}px")), "status")
        self.download = HTML()
        self.save = Button(description="Save", disabled=True, tooltip="Write the picture into the folder")
        self.save.layout.width = "72px"
        actions = classed(HBox([self.download, self.save]), "actions")
        super().__init__([self.image, self.progress, self.status, actions])
        classed(self, "stage")

    def say(self, text: str) -> None:
        """Write the line below the picture."""
        self._post(self.status, value=html.escape(text))

    def step(self, done: int, steps: int, preview: Image.Image | None) -> None:
        """Show how far the picture is, and what it looks like if that is known."""
        self._post(self.progress, max=steps, value=done)
        self.say(f"Step {done} of {steps}")
        if preview is not None:
            self._post(self.image, value=jpeg(preview), format="jpeg")

    def clear(self) -> None:
        """Take the finished picture's link and button away: another one begins."""
        self._post(self.progress, value=0)
        self._post(self.download, value="")
        self._post(self.save, disabled=True)

    def show(self, shot: Shot, text: str) -> None:
        """Show a finished picture, to be downloaded or saved."""
        data = base64.b64encode(shot.png).decode()
        # A data link: the one kind of download that needs neither a server nor a shared disk.
        link = (
            f'<a class="course-download" download="{shot.name}" href="data:image/png;base64,{data}">Download PNG</a>'
        )
        self._post(self.image, value=shot.png, format="png")
        self._post(self.download, value=link)
        self._post(self.save, disabled=False)
        self._post(self.progress, max=1, value=1)
        self.say(text)


class History(HBox):
    """The last pictures, newest first; one click brings a picture and its settings back.

    All slots are made with the panel and filled later: a widget that is born in a run's thread is lost on Colab.
    """

    def __init__(self, post: Post, on_restore: Callable[[Shot], None]) -> None:
        self._post, self._on_restore = post, on_restore
        self.shots: list[Shot] = []
        super().__init__([self._slot(number) for number in range(SLOTS)])
        classed(self, "history")

    def _slot(self, number: int) -> VBox:
        button = Button(tooltip="Bring this picture and its settings back")
        button.on_click(lambda _: self._on_restore(self.shots[number]))
        nothing = jpeg(Image.new("RGB", (1, 1)))
        slot = VBox([ImageWidget(value=nothing, format="jpeg"), button], layout=Layout(display="none"))
        return classed(slot, "shot")

    def add(self, shot: Shot) -> None:
        """Put a picture in front; the oldest falls off when all slots are full."""
        self.shots = [shot, *self.shots][:SLOTS]
        for slot, kept in zip(self.children, self.shots, strict=False):
            image, button = slot.children
            self._post(image, value=jpeg(kept.image, THUMBNAIL))
            self._post(button, description=f"seed {kept.settings.seed}")
            self._post(slot.layout, display=None)

    def click(self, number: int) -> None:
        """Restore as a click does; 0 is the newest."""
        self.children[number].children[1].click()


class Code(Accordion):
    """The Python call that makes the shown picture; folded at first."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self.text = classed(HTML(), "code")
        super().__init__([self.text], selected_index=None, layout=Layout(display="none", width="auto"))
        self.set_title(0, "The Python call that makes this picture")

    def show(self, code: str) -> None:
        """Write the call; an empty one takes the fold away."""
        self._post(self.text, value=f"<pre>{html.escape(code)}</pre>" if code else "")
        self._post(self.layout, display=None if code else "none")


def row(*widgets: Widget) -> HBox:
    """Return widgets side by side."""
    return HBox(widgets, layout=Layout(width="auto", overflow="visible"))


def reason(problem: ValueError | OSError) -> str:
    """Say why a file was not taken, without the system's number of the error."""
    return problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)


def plain(problem: Exception) -> str:
    """Say an exception in one line for a learner."""
    text = " ".join(str(problem).split())
    if "out of memory" in text.lower() or isinstance(problem, MemoryError):
        return "The memory is full. Make the picture smaller, or restart the kernel and run only what you need."
    if isinstance(problem, ValueError | TypeError | OSError) and text:
        return text
    return f"{type(problem).__name__}: {text}" if text else type(problem).__name__
