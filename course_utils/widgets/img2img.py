"""The panel of lesson 02: a picture in, a picture out, all of it or inside a mask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from .. import editing, env
from . import knobs as sets
from .given import Given, given
from .panel import Panel
from .record import Settings
from .source import Source

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


@dataclass(frozen=True)
class Img2ImgSettings(Settings):
    """The knobs of one call that starts from a picture."""

    kind: ClassVar[str] = "img2img"

    image: Given  # with what is drawn on it, and marks where alone it may change
    strength: float  # 0-1

    def arguments(self) -> dict[str, Any]:
        """Return the pipeline's arguments, the generator excepted."""
        picture = self.image.picture(self.height, self.width)
        arguments = {**self.plain(), "image": picture, "strength": self.strength}
        if self.image.marked(self.height, self.width):
            mask = self.image.mask(self.height, self.width)
            arguments["callback_on_step_end"] = editing.keep_outside(mask, picture, self.seed)
        return arguments

    def expressions(self) -> dict[str, str]:
        """Return the same arguments as Python."""
        said = {name: repr(value) for name, value in self.plain().items()}
        said |= {"image": "picture", "strength": repr(self.strength)}
        if self.image.marked(self.height, self.width):
            said["callback_on_step_end"] = f"editing.keep_outside(mask, picture, {self.seed})"
        return said

    def making(self) -> str:
        """Return Python that makes the picture and the mask."""
        return self.image.code(self.height, self.width) + "\n"

    @classmethod
    def of(cls, found: dict[str, Any]) -> Img2ImgSettings:
        """Return settings from what JSON made of them."""
        return cls(**found | {"image": Given.of(found["image"])})


def img2img_panel(
    pipe: DiffusionPipeline,
    room: env.Runtime | None = None,
    prompt: str = "a portrait of a man with a moustache",
    negative_prompt: str = "",
    picture: Given | Path | str = "a portrait of a man",
    strength: float = 0.6,
    folder: str | Path = "pictures",
    **defaults: float,
) -> Panel:
    """Return a panel on an image-to-image pipeline: draw on the picture, mark what alone may change.

    Args:
        pipe: from `catalog.load("img2img")`; its weights are used, nothing of it is changed.
        room: from `env.start`: the lane and the first seed.
        prompt, negative_prompt: what stands in the fields at first.
        picture: what it starts from at first: words of a clay scene, or the Path of a file.
        strength: how far from the picture the run may go at first, 0.05-1.
        folder: where Save writes; uploaded pictures are kept in its folder "inputs".
        defaults: in place of `catalog.defaults`: num_inference_steps, guidance_scale, height, width.

    Raises:
        TypeError: an unknown name among the defaults.
        ValueError: a size or a number that cannot be.
    """
    start = sets.first_call(room, prompt, negative_prompt, defaults)
    knobs = {
        **sets.prompts(start),
        "image": Source(given(picture), start["height"], start["width"], Path(folder), mode="over"),
        "strength": sets.slider("Strength", strength, 0.05, 1, 0.05),
        **sets.sampling(pipe, start),
    }
    return Panel(pipe, knobs, sets.fixed(start), Img2ImgSettings, folder, sets.rows(knobs), tall=True)
