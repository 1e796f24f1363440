"""What capturing attention costs: `python benchmarks/capture.py [clay] [sd15]`.

In turn: a plain call up to the latents, the same call captured at one resolution, captured with everything kept
apart, and with a recorder that stores every probability of every layer and step, as is often done. Ratios are to the
plain call.
"""

import gc
import sys

from _measure import build, compare

from course_utils import attention

PROMPT = "a red clock and a blue bench"
SIZES = {"clay": (20, 9), "sd15": (1, 1)}  # steps of a call, rounds


class Hoarder(attention.EagerAttnProcessor):
    """Writes attention out and stores all of it."""

    def __init__(self, store: list):
        super().__init__()
        self.store = store

    def __call__(self, attn, hidden_states, encoder_hidden_states, attention_mask=None, temb=None):
        """Attend and store the probabilities of both halves."""
        out = super().__call__(attn, hidden_states, encoder_hidden_states, attention_mask, temb)
        self.store.append(self.kept.float())
        return out


def hoarded(pipe, call):
    """Call with everything stored."""
    before, store = pipe.unet.attn_processors, []
    mine = {f"{name}.processor": Hoarder(store) for name in attention.cross_layers(pipe.unet)}
    pipe.unet.set_attn_processor(before | mine)
    try:
        call()
    finally:
        pipe.unet.set_attn_processor(before)
    return store


def captured(pipe, call, **how):
    """Call with a capture."""
    with attention.capture(pipe, **how) as maps:
        call()
    return maps


def run(size: str) -> None:
    """Time the four in turn and print medians and ratios."""
    (steps, rounds), pipe = SIZES[size], build(size)

    def plain():
        return pipe(PROMPT, num_inference_steps=steps, guidance_scale=4.0, output_type="latent").images

    calls = {
        "plain": plain,
        "captured at resolution 16": lambda: captured(pipe, plain),
        "captured, all layers, heads and steps apart": lambda: captured(
            pipe, plain, resolutions=None, heads=True, steps=True
        ),
        "everything stored": lambda: hoarded(pipe, plain),
    }
    compare(f"{size}, {steps} steps on {pipe.device}:", calls, rounds)


def main() -> None:
    """Measure the sizes that are asked for, or both."""
    for size in sys.argv[1:] or SIZES:
        run(size)
        gc.collect()


if __name__ == "__main__":
    main()
