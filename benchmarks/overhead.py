"""What checking costs beside a picture: `python benchmarks/overhead.py`.

One run: the time of a call of each kind (the lane's 20 steps, guidance on), and in turn with it that of everything the
course asks before such a call: the pictures' door, the check of settings, notes on the prompt, the sampler's record,
and the fingerprint of the shared weights when the pipeline is handed out. Printed is the second as a share of the
first, in CPU seconds of this process; bar: below `BAR`, else it ends with an error. On 2026-11-30, one core: 0.003
(ControlNet) to 0.008 (img2img).
"""

import statistics
import time

import torch
from PIL import Image

from course_utils import catalog, controls, editing, pictures, validation
from course_utils.catalog.carried import carried
from course_utils.widgets import Settings

ROUNDS, AGAIN = 5, 20  # of all; of each check in a round
BAR = 0.01  # of a call
PROMPT = "a red clock and a blue bench"
CALL = catalog.defaults("clay")
SIZE = {name: CALL[name] for name in ("height", "width")}
RECORD = Settings(prompt=PROMPT, negative_prompt="", seed=0, scheduler="ddpm", lane="clay", **CALL)


def kinds():
    """Give of each kind of call: its pipeline, its arguments, and what it is given to look at."""
    text, image = catalog.load("text2img", "clay"), catalog.load("img2img", "clay")
    control = catalog.load("controlnet", "clay", control="canny")
    photo = Image.linear_gradient("L").resize((SIZE["width"], SIZE["height"])).convert("RGB")
    walk = {name: value for name, value in CALL.items() if name not in SIZE}
    yield "text2img", text, CALL, []
    yield "img2img", image, walk | {"image": photo, "strength": 0.6}, [lambda: pictures.as_picture(photo)]
    mask = Image.new("L", photo.size, 255)
    keep = {"callback_on_step_end": editing.keep_outside(mask, photo)}
    masked = walk | {"image": photo, "strength": 0.6} | keep
    yield "masked edit", image, masked, [lambda: editing.keep_outside(mask, photo)]
    drawn = controls.canny(photo)
    yield "controlnet", control, CALL | {"image": drawn}, [lambda: controls.as_map(drawn, "canny", **SIZE)]


def checks(pipe, arguments: dict, own: list):
    """Give what is asked before a call."""
    numbers = {name: value for name, value in arguments.items() if name in CALL or name == "strength"}
    return [
        *own,
        lambda: [carried(part) for part in (pipe.unet, pipe.text_encoder)],
        lambda: catalog.check_call("clay", prompt=PROMPT, seed=0, **numbers),
        lambda: catalog.prompt_notes(PROMPT, "clay", pipe),
        lambda: catalog.sampler_of(pipe),
        lambda: validation.check_config(RECORD),
    ]


def seconds(work, again: int = 1) -> float:
    """Give the CPU seconds of one run of some work."""
    began = time.process_time()
    for _ in range(again):
        work()
    return (time.process_time() - began) / again


def measure(kind: str, pipe, arguments: dict, own: list) -> float:
    """Time a call and its checks in turn; print medians and return the share."""
    asked, rows = checks(pipe, arguments, own), []
    for number in range(ROUNDS + 1):
        call = seconds(lambda: pipe(PROMPT, generator=torch.Generator().manual_seed(0), **arguments))
        cost = seconds(lambda: [check() for check in asked], AGAIN)
        if number:  # the first warms up
            rows.append((cost / call, cost, call))
    share, cost, call = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"{kind}: checks {1000 * cost:.2f} ms, call {call:.2f} s, share {share:.5f}", flush=True)
    return share


def main() -> None:
    """Measure each kind of call; end with an error where one is over the bar."""
    over = [each[0] for each in kinds() if measure(*each) >= BAR]
    if over:
        raise SystemExit(f"over the bar of {BAR}: {', '.join(over)}")


if __name__ == "__main__":
    main()
