"""The prompts of a call as the model reads them: their tokens, and at which of them a word stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

Words = Sequence[str | int] | Sequence[Sequence[str | int]]  # words or numbers of tokens; for all prompts or for each
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
        return tuple(self._text([token]) for token in self._ids)

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The words in order, each with all its tokens; the last one is the end token with all padding after it."""
        begins = [place for place in range(len(self._ids) - 1) if self._begins(self._ids, place)]
        ends = [*begins[1:], len(self._ids) - 1]
        spans = zip(begins, ends, strict=True)
        words = [Word(self._text(self._ids[begin:end]), tuple(range(begin, end))) for begin, end in spans]
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

    def place(self, word: str, which: int | None = 0) -> tuple[int, ...]:
        """Give the places of a word's tokens; where it stands several times, of that one. None: it stands there once.

        Raises:
            ValueError: the word does not stand there so often, or more than once.
        """
        found = self.find(word)
        if which is None and len(found) > 1:
            raise ValueError(
                f"word={word!r} stands {len(found)} times in the prompt, at tokens "
                f"{' and '.join(str(places[0]) for places in found)}: give the number of one, or the words around it "
                "too, such as 'red cat'."
            )
        which = which or 0
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


@dataclass(frozen=True)
class Call:
    """One call of a pipeline, from the moment its prompts are encoded."""

    prompts: tuple[Prompt, ...]  # none where the call gave embeddings in place of a prompt
    pictures: int  # of all prompts together
    tokens: int  # that a text has in the model, padding included

    def prompt(self, picture: int) -> Prompt:
        """Give the prompt of a picture.

        Raises:
            IndexError: there is no such picture.
            ValueError: the call gave embeddings, so that no words are known.
        """
        if picture not in range(self.pictures):
            raise IndexError(f"picture={picture!r}: the call made {self.pictures}; count from 0.")
        if not self.prompts:
            raise ValueError("The call gave prompt_embeds, so its words are not known: ask by the number of a token.")
        return self.prompts[picture * len(self.prompts) // self.pictures]

    def find(self, words: Words) -> tuple[list[Sequence[str | int]], list[list[tuple[int, ...]]]]:
        """Give for each picture its words, and the places of their tokens.

        Args:
            words: of the prompts, each there once, or numbers of tokens; for all prompts alike, or a list for each.

        Raises:
            TypeError: no list, or something else than words and numbers in it.
            ValueError: an empty list, not one for each prompt, or a word that is not there, there more than once,
                beyond the tokens that the model reads, or named twice.
        """
        if isinstance(words, str) or not isinstance(words, Sequence):
            raise TypeError(f"words={words!r} is no list; use one such as ['lion', 'crown'].")
        prompts = len(self.prompts) or self.pictures
        each = bool(words) and all(isinstance(row, list | tuple) for row in words)
        if not words or each and not all(words):
            raise ValueError(f"words={words!r} has an empty list; name at least one word of the prompt.")
        if each and len(words) != prompts:
            raise ValueError(f"words={words!r} has {len(words)} lists for {prompts} prompts; give one each, or one.")
        lists = words if each else [words] * prompts
        rows = [lists[picture * prompts // self.pictures] for picture in range(self.pictures)]
        spans = [[self._place(word, picture) for word in row] for picture, row in enumerate(rows)]
        for row, places in zip(rows, spans, strict=True):
            if twice := [word for number, word in enumerate(row) if places[number] in places[:number]]:
                raise ValueError(f"words={list(row)!r} names {twice[0]!r} twice; name each word once.")
        return rows, spans

    def _place(self, word: str | int, picture: int) -> tuple[int, ...]:
        if not isinstance(word, str | int) or isinstance(word, bool):
            raise TypeError(f"words holds {word!r}; use words of the prompt, or numbers of tokens.")
        places = self.prompt(picture).place(word, which=None) if isinstance(word, str) else (word,)
        last = len(self.prompt(picture).tokens) - 2 if self.prompts else self.tokens - 2
        if not all(1 <= place <= last for place in places):
            raise ValueError(f"words holds {word!r}, which is no word of the prompt; its tokens are 1 to {last}.")
        return places
