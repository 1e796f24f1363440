"""The words that shall be excited, looked up in the prompts before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..attention import Call, Prompt

Wanted = str | int  # a word of the prompt, or the place of a token
Words = Sequence[Wanted] | Sequence[Sequence[Wanted]]  # for all prompts alike, or for each prompt


def check_words(words: Words) -> None:
    """Raise unless words are one list, or one for each prompt, with something in each.

    Raises:
        TypeError: no list, or something else than words and numbers in it.
        ValueError: an empty list.
    """
    if isinstance(words, str) or not isinstance(words, Sequence):
        raise TypeError(f"words={words!r} is no list; use one such as ['lion', 'crown'].")
    lists = words if _for_each(words) else [words]
    if not lists or not all(lists):
        raise ValueError(f"words={words!r} has an empty list; name at least one word of the prompt.")
    wrong = [word for one in lists for word in one if not isinstance(word, str | int) or isinstance(word, bool)]
    if wrong:
        raise TypeError(f"words={words!r} holds {wrong[0]!r}; use words of the prompt, or numbers of tokens.")


def spans_of(call: Call, words: Words) -> list[tuple[Sequence[Wanted], list[tuple[int, ...]]]]:
    """Give for each picture its words and the places of their tokens.

    Raises:
        ValueError: a word that is not in the prompt, stands there more than once, is beyond the tokens that the
            model reads, or is named twice; or not one list of words for each prompt.
    """
    prompts = len(call.prompts) or call.pictures
    if _for_each(words) and len(words) != prompts:
        raise ValueError(f"words={words!r} has {len(words)} lists for {prompts} prompts; give one for each, or one.")
    lists = words if _for_each(words) else [words] * prompts
    out = []
    for picture in range(call.pictures):
        mine = lists[picture * prompts // call.pictures]
        spans = [_span(word, call, picture) for word in mine]
        twice = [word for place, word in enumerate(mine) if spans[place] in spans[:place]]
        if twice:
            raise ValueError(f"words={list(mine)!r} names {twice[0]!r} twice; name each word once.")
        out.append((mine, spans))
    return out


def _for_each(words: Words) -> bool:
    return bool(words) and all(isinstance(one, list | tuple) for one in words)


def _span(word: Wanted, call: Call, picture: int) -> tuple[int, ...]:
    if isinstance(word, str):
        found = _named(word, call.prompt(picture))
    else:
        found = (word,)
    last = len(call.prompt(picture).tokens) - 2 if call.prompts else call.tokens - 2
    if not all(1 <= place <= last for place in found):
        raise ValueError(f"words holds {word!r}, which is no word of the prompt; its tokens have numbers 1 to {last}.")
    return found


def _named(word: str, prompt: Prompt) -> tuple[int, ...]:
    found = prompt.find(word)
    if len(found) > 1:
        places = " and ".join(str(places[0]) for places in found)
        raise ValueError(
            f"words holds {word!r}, which stands {len(found)} times in the prompt, at tokens {places}: "
            "give the number of one, or the words around it too, such as 'red cat'."
        )
    return found[0]
