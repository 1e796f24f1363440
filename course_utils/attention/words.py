"""A prompt as the model reads it: its tokens, and at which of them a word stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

WORD_END = "</w>"  # how CLIP's tokenizer marks the last piece of a word


@dataclass(frozen=True)
class Word:
    """A word of a prompt and the places of its tokens; the start token has place 0."""

    text: str
    places: tuple[int, ...]


class Prompt:
    """A prompt cut into tokens, with a start and an end token around them.

    Args:
        tokenizer: the pipeline's.
        text: the prompt; what goes beyond the tokenizer's limit is not read.
    """

    def __init__(self, tokenizer: CLIPTokenizer, text: str):
        self.text, self._tokenizer = text, tokenizer
        self.limit = tokenizer.model_max_length
        self._all = tokenizer(text, verbose=False).input_ids
        self._ids = self._all[: self.limit - 1]
        if len(self._ids) < len(self._all):
            self._ids = [*self._ids, tokenizer.eos_token_id]

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """The tokens as text, start and end included; the padding after the end is left out."""
        return tuple(self._text([one]) for one in self._ids)

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The words in order, each with all its tokens; the last one is the end token with all padding after it."""
        begins = [place for place in range(len(self._ids) - 1) if self._begins(self._ids, place)]
        ends = [*begins[1:], len(self._ids) - 1]
        words = [
            Word(self._text(self._ids[begin:end]), tuple(range(begin, end)))
            for begin, end in zip(begins, ends, strict=True)
        ]
        return (*words, Word(self.tokens[-1], tuple(range(len(self._ids) - 1, self.limit))))

    def find(self, word: str) -> list[tuple[int, ...]]:
        """Give the places of a word's tokens, for each time it stands in the prompt.

        Args:
            word: one word or several in a row, in any case; "<|startoftext|>" and "<|endoftext|>" are found too.

        Raises:
            TypeError: the word is no text.
            ValueError: it is not in the prompt, or beyond what the model reads.
        """
        if not isinstance(word, str):
            raise TypeError(f"word={word!r} is no text; use a word of the prompt such as {self.tokens[-2]!r}.")
        found = self._places(self._ids, word)
        if not found:
            raise ValueError(f"word={word!r} {self._why_not(word)}")
        return found

    def place(self, word: str, which: int = 0) -> tuple[int, ...]:
        """Give the places of the tokens of one occurrence of a word, the first if nothing is said.

        Raises:
            ValueError: the word does not stand there so often.
        """
        found = self.find(word)
        if which not in range(len(found)):
            raise ValueError(f"which={which!r}: {word!r} stands {len(found)} times in the prompt; count from 0.")
        return found[which]

    def _text(self, ids: list[int]) -> str:
        """Read tokens as text. A tokenizer that was copied, as a panel's is, forgets to take the marks away."""
        return self._tokenizer.decode(ids).replace(WORD_END, " ").strip()

    def _places(self, ids: list[int], word: str) -> list[tuple[int, ...]]:
        """Look for the word's own tokens in a row, from the beginning of a word on."""
        wanted = self._tokenizer(word, add_special_tokens=False).input_ids
        count = len(wanted)
        starts = range(len(ids) - count + 1) if count else ()
        found = (place for place in starts if ids[place : place + count] == wanted and self._begins(ids, place))
        return [tuple(range(place, place + count)) for place in found]

    def _begins(self, ids: list[int], place: int) -> bool:
        """Tell whether a word begins at a place: "fly" is no word of "dragonfly"."""
        before = self._tokenizer.convert_ids_to_tokens(ids[max(place - 1, 0)])
        return place <= 1 or before.endswith(WORD_END)

    def _why_not(self, word: str) -> str:
        if self._places(self._all, word):
            return f"stands beyond the {self.limit - 2} tokens that the model reads; shorten the prompt {self.text!r}."
        return f"is not in the prompt {self.text!r}; its tokens are {', '.join(map(repr, self.tokens))}."
