"""The words of a prompt as buttons that stay down: those that must be in the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipywidgets import HBox, Label, Layout, Textarea, ToggleButton

from .. import attention
from ..clay.vocabulary import THINGS
from .parts import classed

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

SLOTS = 16  # words that are shown
SMALL = frozenset("a an the of and with in on at to up next beside wearing".split())  # words that show nothing
Chosen = tuple[str | int, ...]  # as `excite.exciting` takes them


class Words(HBox):
    """The words of a prompt; it follows what is written there.

    A word that stands in the prompt more than once is chosen by the number of its token. Words stay as they were when
    the prompt changes; of new ones those are chosen that name a thing of the clay world.

    Args:
        prompt: the field that holds the prompt.
        tokenizer: the pipeline's.
        chosen: at first; None takes the things.
    """

    description = "Must show"

    def __init__(self, prompt: Textarea, tokenizer: CLIPTokenizer, chosen: Chosen | None = None) -> None:
        self._tokenizer = tokenizer
        self._options: list[str | int] = []  # what each shown button stands for
        # All are made with the panel and filled later: a widget that is born in a run's thread is lost on Colab.
        self._slots = [ToggleButton(layout=Layout(display="none")) for _ in range(SLOTS)]
        super().__init__([Label(self.description), HBox(self._slots)])
        classed(self, "words")
        self._fill(prompt.value)
        if chosen is not None:
            self.value = chosen
        prompt.observe(lambda change: self._fill(change.new), "value")

    @property
    def shown(self) -> list[ToggleButton]:
        """Return the buttons that stand for a word now."""
        return self._slots[: len(self._options)]

    @property
    def value(self) -> Chosen:
        """Return the words that are chosen, in the order of the prompt."""
        return tuple(option for option, slot in zip(self._options, self.shown, strict=True) if slot.value)

    @value.setter
    def value(self, chosen: Chosen) -> None:
        if unknown := [word for word in chosen if word not in self._options]:
            raise ValueError(f"words={tuple(chosen)!r} holds {unknown[0]!r}; use any of {tuple(self._options)}.")
        for option, slot in zip(self._options, self.shown, strict=True):
            slot.value = option in chosen

    def _fill(self, prompt: str) -> None:
        """Show the words of another prompt."""
        before = {option: slot.value for option, slot in zip(self._options, self.shown, strict=True)}
        _, *words, _ = attention.Prompt(self._tokenizer, prompt).words  # without the start and the end
        telling = [word for word in words if word.text.isalpha() and word.text.lower() not in SMALL][:SLOTS]
        often = [word.text for word in words]
        self._options = [word.text if often.count(word.text) == 1 else word.places[0] for word in telling]
        for slot in self._slots[len(telling) :]:
            slot.layout.display = "none"
        for slot, option, word in zip(self.shown, self._options, telling, strict=True):
            slot.description, slot.layout.display = word.text, None
            slot.value = before.get(option, word.text in THINGS)
