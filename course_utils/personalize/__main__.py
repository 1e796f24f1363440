"""Train a LoRA or a DreamBooth from a folder of pictures: see the package's docstring for the commands."""

from __future__ import annotations

import argparse

from accelerate import Accelerator

from .. import catalog, env, personalize
from .weights import check_out

FIELDS = {"max_train_steps": int, "learning_rate": float, "train_batch_size": int, "rank": int, "seed": int}


def arguments(line: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.personalize", description=__doc__)
    parser.add_argument("method", choices=("lora", "dreambooth"))
    parser.add_argument("pictures", help="a folder of pictures")
    parser.add_argument("trigger", help="the words that shall mean it, such as 'sks robot'")
    parser.add_argument("out", help="the file to write, NAME.safetensors")
    parser.add_argument("--lane", choices=env.LANES)
    parser.add_argument("--base", help="a pipeline's folder in place of the lane's base")
    for name, kind in FIELDS.items():
        parser.add_argument(f"--{name}", type=kind)
    return parser.parse_args(line)


def main(line: list[str] | None = None) -> None:
    """Train and save; every process trains, the first one speaks and writes."""
    given = arguments(line)
    check_out(given.out, name="out")
    first = Accelerator().is_main_process  # before the pipeline, so that each process has a card of its own
    changes = {name: getattr(given, name) for name in FIELDS if getattr(given, name) is not None}
    config = personalize.preset(given.method, given.lane, **changes)
    pipe = catalog.load("text2img", lane=given.lane, folder=given.base)

    def watch(progress: personalize.Progress) -> None:
        if progress.step % 10 == 0:
            env.say(f"{progress.stage}: {progress.step} of {progress.steps}, loss {progress.loss:.4f}")

    train = getattr(personalize, given.method)
    learned = train(pipe, given.pictures, given.trigger, config, watch, out=given.out)
    if first:
        env.say(f"{given.out}: {learned.bytes:,} bytes of tensors, {learned.about.steps} steps")


if __name__ == "__main__":
    main()
