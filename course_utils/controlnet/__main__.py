"""Train a ControlNet from a folder of pairs: see the package's docstring for the commands."""

from __future__ import annotations

import argparse
from pathlib import Path

from accelerate import Accelerator

from .. import catalog, controlnet, env

FIELDS = {
    "max_train_steps": int, "learning_rate": float, "train_batch_size": int, "gradient_accumulation_steps": int,
    "seed": int, "optimizer": str,
}  # fmt: skip


def arguments(line: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.controlnet", description=__doc__)
    parser.add_argument("pairs", help="a folder of pairs with a prompt.json")
    parser.add_argument("out", help="the folder to write: what ControlNetModel.from_pretrained reads")
    parser.add_argument("--lane", choices=env.LANES)
    parser.add_argument("--base", help="a pipeline's folder in place of the lane's base")
    for name, kind in FIELDS.items():
        parser.add_argument(f"--{name}", type=kind)
    return parser.parse_args(line)


def main(line: list[str] | None = None) -> None:
    """Train and save; every process trains, the first one speaks and writes."""
    given = arguments(line)
    Path(given.out).mkdir(parents=True, exist_ok=True)  # where it cannot be, that is said before anything is learned
    pictures, maps, prompts = controlnet.read_pairs(given.pairs)
    first = Accelerator().is_main_process  # before the pipeline, so that each process has a card of its own
    changes = {name: getattr(given, name) for name in FIELDS if getattr(given, name) is not None}
    config = controlnet.ControlNetTrainingConfig.for_lane(given.lane, **changes)
    pipe = catalog.load("text2img", lane=given.lane, folder=given.base)
    pairs = controlnet.ControlPairs.of(pipe, pictures, maps, prompts)

    def watch(progress: controlnet.ControlNetProgress) -> None:
        if progress.step % 10 == 0:
            env.say(f"{progress.step} of {progress.steps}, loss {progress.loss:.4f}")

    run = controlnet.train(pipe, controlnet.copy_of(pipe), pairs, config, watch)
    if first:
        run.net.type(pipe.unet.dtype).save_pretrained(given.out)
        unfinished = "" if run.finished else ", unfinished: the same command goes on"
        env.say(f"{given.out}: a ControlNet{unfinished}")


if __name__ == "__main__":
    main()
