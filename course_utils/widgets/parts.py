"""What every panel is put together from: knobs and where they stand at first, the stage, the history, the call."""

from __future__ import annotations

import html
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ipywidgets import (
    HTML,
    BoundedIntText,
    Button,
    Dropdown,
    FloatSlider,
    HBox,
    IntProgress,
    IntSlider,
    Layout,
    Textarea,
    ToggleButtons,
    VBox,
    Widget,
)  # fmt: skip
from ipywidgets import Image as ImageWidget
from PIL import Image, ImageDraw

from .. import catalog, env
from ..plots import style
from ..validation import LARGEST_SEED, Range, Seed, check_value
from .browser import BASE, HERE, Download, jpeg

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from .record import Shot
    from .running import Outbox

SLOTS = 8  # pictures that the history shows
THUMBNAIL = 144  # pixels, shown at half that: sharp on fine screens
STAGE = (256, 400)  # smallest and largest width of the picture on the screen, pixels
LABELS = {"description_width": "92px"}
SEEDS = 10_000  # the dice throw small numbers: easy to read out and to write down


def first_call(
    pipe: DiffusionPipeline, runtime: env.Runtime | None, prompt: str, negative_prompt: str, defaults: dict[str, float]
) -> dict[str, Any]:
    """Return what a panel stands at first: lane, prompts, seed, and `catalog.defaults` with the caller's instead.

    Raises:
        TypeError: an unknown name among the defaults.
        ValueError: a size or a number that cannot be.
    """
    lane, seed = (runtime.lane, runtime.seed) if runtime else (catalog.lane_of(pipe), 0)
    start = catalog.defaults(lane) | defaults
    if unknown := set(start) - set(catalog.defaults(lane)):
        raise TypeError(f"defaults={defaults!r} name {sorted(unknown)}; use any of {list(catalog.defaults(lane))}.")
    start |= {"prompt": prompt, "negative_prompt": negative_prompt, "seed": seed}
    catalog.check_call(lane, **start)
    return start | {"lane": lane}


def prompts(start: dict[str, Any]) -> dict[str, Widget]:
    """Return the fields for what the picture shall show and what not."""
    each = (("prompt", "Prompt", "what the picture shall show", 3),
            ("negative_prompt", "Negative", "what it shall not show", 1))  # fmt: skip
    return {  # each tells the kernel when it is left, so before a click elsewhere
        name: field(Textarea, label, value=start[name], placeholder=hint, rows=rows, continuous_update=False,
                    layout=Layout(width="auto", height="auto"))
        for name, label, hint, rows in each
    }  # fmt: skip


def sampling(pipe: DiffusionPipeline, start: dict[str, Any]) -> dict[str, Widget]:
    """Return the knobs of the walk from noise to picture: seed, steps, guidance, scheduler."""
    steps, seed, own = start["num_inference_steps"], start["seed"], catalog.sampler_of(pipe)
    check_value("seed", seed, Seed)
    return {
        "seed": BoundedIntText(seed, 0, LARGEST_SEED, description="Seed", style=LABELS, layout=Layout(width="200px")),
        "num_inference_steps": slider("num_inference_steps", "Steps", steps, 1, max(60, steps), 1),
        "guidance_scale": slider("guidance_scale", "Guidance", start["guidance_scale"], 1, 15, 0.5),
        "scheduler": field(Dropdown, "Scheduler", options=list(dict.fromkeys([*catalog.SAMPLERS, own])), value=own),
    }


def slider(argument: str, label: str, value: float, least: float, most: float, step: float) -> IntSlider | FloatSlider:
    """Return a labelled slider as wide as its column.

    Raises:
        TypeError, ValueError: the slider cannot stand at this value; a widget would take the nearest in silence.
    """
    check_value(argument, value, Annotated[type(step), Range(least, most)])
    how = {"value": value, "min": least, "max": most, "step": step}
    if isinstance(step, int):
        return field(IntSlider, label, **how)
    return field(FloatSlider, label, **how, readout_format=".2f" if step < 0.1 else ".1f")


def field(kind: type[Widget], label: str, **traits: Any) -> Widget:
    """Return a labelled widget as wide as its column."""
    return kind(**{"description": label, "style": LABELS, "layout": Layout(width="auto")} | traits)


def toggles(label: str, options: Sequence = ()) -> ToggleButtons:
    """Return buttons of which one is pressed, each as wide as its text."""
    return ToggleButtons(options=options, description=label, style=LABELS | {"button_width": "auto"})


def button(text: str, width: int, **traits: Any) -> Button:
    """Return a button of a width in pixels."""
    return Button(**{"description": text, "layout": Layout(width=f"{width}px")} | traits)


def show_only(widgets: Mapping[Any, Widget], shown: Any) -> None:
    """Of widgets by name, leave one on the page."""
    for name, widget in widgets.items():
        widget.layout.display = None if name == shown else "none"


def rows(knobs: dict[str, Widget]) -> list[Widget]:
    """Return what stands in the left column: the knobs, dice beside the seed."""
    return [row(knob, dice(knob)) if name == "seed" else knob for name, knob in knobs.items()]


def row(*widgets: Widget) -> HBox:
    """Return widgets side by side."""
    return HBox(widgets, layout=Layout(width="auto", overflow="visible"))


def indented(widget: Widget) -> HBox:
    """Put a widget where fields begin."""
    return classed(HBox([widget]), "indented")


def dice(seed: BoundedIntText) -> Button:
    """Return a button that throws another seed."""
    another = button("⚄", 40, tooltip="Another seed")
    another.on_click(lambda clicked: setattr(seed, "value", secrets.randbelow(SEEDS)))
    return another


def classed(widget: Widget, name: str) -> Widget:
    """Give a widget a class of panel.css."""
    return widget.add_class(f"course-{name}")


def styles() -> HTML:
    """Return the invisible widget that carries panel.css to the browser."""
    return HTML(f"<style>{BASE}{(HERE / 'panel.css').read_text()}</style>", layout=Layout(display="none"))


def blank(height: int, width: int) -> Image.Image:
    """Draw what stands in the picture's place before there is one."""
    paper = Image.new("RGB", (width, height), "#f1f3f4")
    pen = ImageDraw.Draw(paper)
    pen.text((width / 2, height / 2), "your picture", "#9aa1a7", style.font(max(11, width // 18)), "mm")
    return paper


class Message(HTML):
    """A line that is there only while it says something: an error, a warning.

    Args:
        kind: "error" or "warning", a class of panel.css.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(layout=Layout(display="none"))
        classed(self, kind)

    def say(self, outbox: Callable[..., None], *texts: str) -> None:
        """Write sentences below each other; none takes the line away."""
        text = "<br>".join(html.escape(text) for text in texts if text)
        outbox(self, value=text)
        outbox(self.layout, display=None if text else "none")


def colab_button(text: str, tooltip: str = "") -> Button:
    """Return a button for what Colab alone can do; elsewhere it is not shown."""
    layout = Layout(width="72px", display=None if env.place() == "colab" else "none")
    return Button(description=text, tooltip=tooltip, disabled=True, layout=layout)


class Stage(VBox):
    """The picture, how far it is, and what can be done with it.

    Args:
        height, width: of the picture, pixels.
        image: the widget that shows it, with the traits of ipywidgets' Image; None takes that one.
        shown: pixels of its width on the screen; None takes the picture's own within bounds.
    """

    def __init__(
        self, outbox: Outbox, height: int, width: int, image: Widget | None = None, shown: int | None = None
    ) -> None:
        self._outbox = outbox
        layout = {"width": f"{shown or min(max(width, STAGE[0]), STAGE[1])}px"}
        self.image = image or ImageWidget()
        self.image.value, self.image.format = jpeg(blank(height, width)), "jpeg"
        self.image.layout.width = layout["width"]
        self.progress = classed(IntProgress(0, 0, 1, layout=layout), "progress")
        self.status = classed(HTML("Ready.", layout=layout), "status")
        self.download = Download("Download PNG", of=self.image)
        self.save = button("Save", 60, disabled=True, tooltip="Write the picture into the folder")
        self.drive = colab_button("To Drive", "Save into the folder course_utils of your Google Drive")
        actions = classed(HBox([self.download, self.save, self.drive]), "actions")
        super().__init__([self.image, self.progress, self.status, actions])
        classed(self, "stage")

    def say(self, text: str) -> None:
        """Write the line below the picture."""
        self._outbox(self.status, value=html.escape(text))

    def step(self, done: int, steps: int, preview: Image.Image | None) -> None:
        """Show how far the picture is, and what it looks like if that is known."""
        self._outbox(self.progress, max=steps, value=done)
        self.say(f"Step {done} of {steps}")
        if preview is not None:
            self._outbox(self.image, value=jpeg(preview), format="jpeg")

    def clear(self) -> None:
        """Take the finished picture's link and buttons away: another one begins."""
        self._outbox(self.progress, value=0)
        self._offer("")

    def show(self, shot: Shot, text: str) -> None:
        """Show a finished picture, to be downloaded or saved."""
        self._outbox(self.image, value=shot.png, format=shot.format)
        self._offer(shot.name)
        self._outbox(self.progress, max=1, value=1)
        self.say(text)

    def _offer(self, name: str) -> None:
        """Offer a file by its name; without one, nothing."""
        self._outbox(self.download, name=name)
        for each in (self.save, self.drive):
            self._outbox(each, disabled=not name)


class History(HBox):
    """The last pictures, newest first; one click brings a picture and its settings back.

    All slots are made with the panel and filled later: a widget that is born in a run's thread is lost on Colab.
    """

    def __init__(self, outbox: Outbox, on_restore: Callable[[Shot], None]) -> None:
        self._outbox, self._on_restore = outbox, on_restore
        self.shots: list[Shot] = []
        super().__init__([self._slot(number) for number in range(SLOTS)])
        classed(self, "history")

    def _slot(self, number: int) -> VBox:
        back = Button(tooltip="Bring this picture and its settings back")
        back.on_click(lambda _: self._on_restore(self.shots[number]))
        nothing = jpeg(Image.new("RGB", (1, 1)))
        slot = VBox([ImageWidget(value=nothing, format="jpeg"), back], layout=Layout(display="none"))
        return classed(slot, "shot")

    def add(self, shot: Shot) -> None:
        """Put a picture in front; the oldest falls off when all slots are full."""
        self.shots = [shot, *self.shots][:SLOTS]
        for slot, kept in zip(self.children, self.shots, strict=False):
            image, back = slot.children
            self._outbox(image, value=jpeg(kept.image, THUMBNAIL))
            self._outbox(back, description=f"seed {kept.settings.seed}")
            self._outbox(slot.layout, display=None)

    def click(self, number: int) -> None:
        """Restore as a click does; 0 is the newest."""
        self.children[number].children[1].click()


def fold(code: str) -> str:
    """Return the Python call as HTML that is folded at first."""
    call = html.escape(code)
    return f"<details><summary>The Python call that makes this picture</summary><pre>{call}</pre></details>"


def reason(problem: Exception) -> str:
    """Say an exception in one line for a learner."""
    if isinstance(problem, OSError) and problem.strerror and not problem.filename:
        return problem.strerror  # without the system's number of the error
    text = " ".join(str(problem).split())
    if "out of memory" in text.lower() or (isinstance(problem, MemoryError) and not text):
        return "The memory is full. Make the picture smaller, or restart the kernel and run only what you need."
    if isinstance(problem, ValueError | TypeError | OSError | MemoryError | FloatingPointError) and text:
        return text
    return f"{type(problem).__name__}: {text}" if text else type(problem).__name__
