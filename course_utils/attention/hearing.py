"""What a pipeline is asked: the prompts of a call, and how many pictures it makes of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .words import Prompt

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


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


@contextmanager
def hearing(pipe: DiffusionPipeline, begin: Callable[[Call], None]) -> Iterator[None]:
    """Call `begin` whenever the pipeline has encoded its prompts, before its first step.

    Every SD pipeline calls `encode_prompt` once; here it is wrapped, on this pipeline alone, and put back.
    """
    plain, before = pipe.encode_prompt, vars(pipe).get("encode_prompt")
    signature = inspect.signature(plain)

    @functools.wraps(plain)
    def encode_prompt(*args, **named):
        encoded = plain(*args, **named)
        text = signature.bind(*args, **named).arguments.get("prompt")
        texts = [text] if isinstance(text, str) else list(text or ())
        pictures, tokens = encoded[0].shape[:2]
        begin(Call(tuple(Prompt(pipe.tokenizer, one) for one in texts), pictures, tokens))
        return encoded

    pipe.encode_prompt = encode_prompt
    try:
        yield
    finally:
        del pipe.encode_prompt
        if before is not None:
            pipe.encode_prompt = before
