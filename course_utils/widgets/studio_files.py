"""What the studio takes back: pictures of its history, PNGs, presets, its last result as a control's picture."""

from __future__ import annotations

from typing import Any

from .browser import jpeg
from .picture_knob import AT_ONCE
from .pictures import INPUTS, PictureSource, keep
from .record import Shot
from .studio_png import restored
from .studio_settings import StudioSettings
from .units import GIVEN


class Files:
    """What a panel with a history and an `Upload` does with them: a part of `StudioPanel`."""

    def _hold_against(self) -> None:
        """Lay another picture of the history over this one, or a control's map: negative numbers, see `_show`."""
        place, other = self.against.value, None
        if place is not None and place >= 0:
            other = self.history.shots[place].image
        elif place is not None and place < -1 and self.shot:
            other = self.shot.settings.maps()[-place - 2]
        self.outbox(self.stage.image, other=jpeg(other) if other else b"")

    def _take_last(self, knob: Any) -> None:
        """Make the picture on show a unit's picture."""
        if self.shot is None:
            raise ValueError("There is no picture yet: generate one first.")
        file = keep(self.shot.image, self.shot.name, self.folder / INPUTS)
        knob.source.value = PictureSource("file", file=file)

    def apply(self, settings: StudioSettings) -> None:
        """Turn all knobs to settings, such as `studio_png.preset` reads.

        Raises:
            ValueError: they are of another size or lane, or a knob cannot stand there; the panel stays as it was.
        """
        for name, own in self._fixed.items():
            if getattr(settings, name) != own:
                raise ValueError(
                    f"{name}={getattr(settings, name)!r}, and this panel has {own!r}; make another panel."
                )
        before = self.settings
        try:
            settings.check_strokes()
            self._turn(settings)
            self._check_held(settings)
        except Exception:
            self._turn(before)
            raise

    def _check_held(self, settings: StudioSettings) -> None:
        """Raise where a knob lets something go, such as strokes on a unit's clay scene."""
        held = self.settings
        for name in self.knobs:
            asked, stands = getattr(settings, name), getattr(held, name)
            if asked != stands:
                raise ValueError(f"{name}={asked!r}: its knob can hold only {stands!r}.")

    def _turn(self, settings: StudioSettings) -> None:
        for name, knob in self.knobs.items():
            knob.value = getattr(settings, name)

    def restore(self, shot: Shot) -> None:
        """Turn the knobs back to a picture's settings, and show it unless another one is being made."""
        self._turn(shot.settings)
        if not self.runner.running:
            self._say_error("")
            self._show(shot, "Brought back, with its settings.")
        self.outbox.flush()

    def _came(self) -> None:
        """Take the settings out of a file that was chosen or dropped."""
        if self.file.problem:
            raise ValueError(self.file.problem)
        if not (data := bytes(self.file.take())):
            return
        self._say_error("")
        settings, notes, maps = restored(data, self.settings, self.folder, self.pipe)
        self.apply(settings)
        GIVEN.update(maps)  # not before: what is refused changes nothing
        self.told.say(AT_ONCE, f"{self.file.name}: everything that it says is set.", *notes)
