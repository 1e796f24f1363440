"""What a call of a pipeline may be given: defaults, limits said before anything runs, and notes on the prompt."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING, Annotated

from .. import env
from ..validation import Range, Share, check_value, short

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline

DEFAULTS = {
    "clay": {"num_inference_steps": 20, "guidance_scale": 4.0, "height": 256, "width": 256},
    "sd15": {"num_inference_steps": 30, "guidance_scale": 7.5, "height": 512, "width": 512},
}
SIZES = {"clay": (16, 64, 1024), "sd15": (8, 64, 1536)}  # lane: pixels a latent covers, smallest and largest side
Steps = Annotated[int, Range(1, 1000)]
Guidance = Annotated[float, Range(0, 100)]
Weight = Annotated[float, Range(0, 10)]  # of a control
LIMITS = {
    "num_inference_steps": Steps,
    "guidance_scale": Guidance,
    "strength": Share,
    "controlnet_conditioning_scale": Weight,
    "control_guidance_start": Share,
    "control_guidance_end": Share,
    "seed": Annotated[int, Range(0, 2**63 - 1)],
}
# What captions say beside the words of the vocabulary; held against the captions by a test.
CAPTION_WORDS = """
    a an the of in on at to up and with next beside wearing showing raising holding one two three four five
    finger fingers fist open thumbs sleeve shirt dress frame grass portrait close face picture image photo
    gentleman lady grey
""".split()
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
EMPHASIS = re.compile(r"[(\[{]+([^()\[\]{}]*?)(?::\s*[\d.]+)?[)\]}]+")  # as other programs read it
SHOWN = 8  # unknown words that a note lists
QUOTED = 40  # characters that a note quotes


def defaults(lane: str | None = None) -> dict:
    """Return the arguments that a lane's base is good with: steps, guidance, height and width in pixels."""
    return dict(DEFAULTS[env.choose_lane(lane)])


def check_call(lane: str | None = None, **arguments) -> None:
    """Raise unless the arguments of a pipeline call make sense; those that are not known here pass.

    Args:
        lane: "clay" or "sd15"; None asks `env.choose_lane`.
        arguments: any of prompt, negative_prompt, num_inference_steps, guidance_scale, strength, seed,
            height, width, controlnet_conditioning_scale, control_guidance_start and control_guidance_end (a number,
            or a list of them), depth_map (a tensor), and whatever else the call takes.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: out of range; a depth that is the same everywhere (diffusers would divide by zero).
    """
    for name in ("prompt", "negative_prompt"):
        if arguments.get(name) is not None or (name == "prompt" and name in arguments):
            _check_prompt(name, arguments[name])
    for name in (name for name in LIMITS if name in arguments):
        many = name.startswith("control") and isinstance(arguments[name], list | tuple)
        check_value(name, arguments[name], tuple[LIMITS[name], ...] if many else LIMITS[name])
    if arguments.get("depth_map") is not None:
        _check_depth(arguments["depth_map"])
    if arguments.keys() >= {"strength", "num_inference_steps"}:
        _check_steps_run(arguments["num_inference_steps"], arguments["strength"])
    sides = {name: arguments[name] for name in ("height", "width") if arguments.get(name) is not None}
    check_size(**sides, lane=lane)


def check_size(height: int | None = None, width: int | None = None, lane: str | None = None) -> None:
    """Raise unless a picture of this size can be made: each side a whole number of latents.

    Args:
        height: pixels; None is the pipeline's own.
        width: pixels.
        lane: "clay" (multiples of 16) or "sd15" (of 8); None asks `env.choose_lane`.

    Raises:
        TypeError: a side is no whole number.
        ValueError: too small, too large or between two latents; names the nearest that would do.
    """
    lane = env.choose_lane(lane)
    step, least, most = SIZES[lane]
    for name, side in (("height", height), ("width", width)):
        if side is None:
            continue
        check_value(name, side, Annotated[int, Range(least, most)])
        if side % step:
            low = side // step * step
            raise ValueError(f"{name}={side} is not a multiple of {step} ({lane} lane); use {low} or {low + step}.")


def unknown_words(prompt: str, lane: str | None = None, taught: str = "") -> list[str]:
    """Return the words of a prompt that the clay base never met, in order, each once; none on sd15.

    The tokenizer spells any text, so such words do no harm: they only mean nothing. The words of ``taught``
    (what a LoRA taught the base) count as known.
    """
    if env.choose_lane(lane) != "clay":
        return []
    known = known_words() | {*WORD.findall(taught.lower())}
    return [word for word in dict.fromkeys(WORD.findall(prompt.lower())) if word not in known]


@cache
def known_words() -> frozenset[str]:
    """Return the words that the captions of the clay base use."""
    from ..clay import vocabulary as words

    met = [word for word in words.THINGS if words.NOUNS[word].number < words.TRAINED and word not in words.HELD_OUT]
    return frozenset((*CAPTION_WORDS, *words.COLOURS, *met, *words.PLACES, "cubist"))


def prompt_notes(
    prompt: str,
    lane: str | None = None,
    pipe: DiffusionPipeline | None = None,
    taught: str = "",
    negative_prompt: str = "",
    guidance_scale: float | None = None,
) -> list[str]:
    """Say in sentences what a learner should know about a prompt before it is used.

    An empty prompt is allowed: the picture is then the model's own choice. A prompt that is longer than the
    tokenizer reads is allowed too: its end is cut off.

    Args:
        prompt: any text.
        lane: "clay" or "sd15"; None asks `env.choose_lane`.
        pipe: its tokenizer tells what fits; without it nothing is said about length.
        taught: words that the base was taught meanwhile.
        negative_prompt, guidance_scale: of the same call; the notes on a negative prompt begin with its name.

    Returns:
        No, one or several sentences.

    Raises:
        TypeError: the prompt is no text.
    """
    if not isinstance(prompt, str):
        raise TypeError(f"prompt={short(prompt)} is {_a(prompt)}; use a text such as 'a cat on the beach'.")
    notes = _text_notes(prompt, lane, pipe, taught)
    if not prompt.strip():
        notes = ["The prompt is empty: the picture is the model's own choice."]
    if negative_prompt.strip():
        notes += [f"Negative prompt: {note}" for note in _text_notes(negative_prompt, lane, pipe, taught)]
        if guidance_scale is not None and guidance_scale <= 1:
            notes.append(f"At guidance {guidance_scale:g} the negative prompt is not read; use a guidance above 1.")
    return notes


def _text_notes(text: str, lane: str | None, pipe: DiffusionPipeline | None, taught: str) -> list[str]:
    """Say what of a text is not read, or means nothing."""
    notes = [_cut_off(text, pipe.tokenizer)] if pipe is not None else []
    plain = EMPHASIS.sub(r"\1", text)
    if plain != text:
        notes.append("Brackets and weights, as in (lion:1.5), give no emphasis here: they are read as they stand.")
    unknown = unknown_words(plain, lane, taught)
    if unknown:
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        notes.append(f"The clay model does not know: {', '.join(unknown[:SHOWN])}{more}.")
    return [note for note in notes if note]


def _check_depth(depth_map: torch.Tensor) -> None:
    low, high = float(depth_map.min()), float(depth_map.max())
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"depth_map goes from {low:g} to {high:g}; it must be finite and have a near and a far.")


def _cut_off(prompt: str, tokenizer) -> str:
    """Say where reading ends; an empty string if everything is read."""
    limit = tokenizer.model_max_length - 2  # a start and an end token stand around the words
    places = tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True, verbose=False).offset_mapping
    if len(places) <= limit:
        return ""
    end = places[limit - 1][1]
    last = prompt[max(0, end - QUOTED) : end].strip()
    return f'The prompt has {len(places)} tokens and the model reads {limit}: all after "...{last}" is cut off.'


def _check_prompt(name: str, prompt: object) -> None:
    texts = prompt if isinstance(prompt, list | tuple) and prompt else [prompt]
    wrong = [text for text in texts if not isinstance(text, str)]
    if wrong:
        raise TypeError(f"{name}={short(prompt)} is refused: use a text or a list of texts, not {_a(wrong[0])}.")


def _check_steps_run(steps: int, strength: float) -> None:
    """Raise unless a step is left: a pipeline that starts from a picture runs int(steps * strength) of them."""
    if int(steps * strength) < 1:
        raise ValueError(
            f"strength={strength} of num_inference_steps={steps} leaves no step to run; use more steps, or a strength "
            f"of at least {math.ceil(100 / steps) / 100}."
        )


def _a(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
