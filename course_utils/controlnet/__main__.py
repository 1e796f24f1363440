"""Train a ControlNet from a folder of pairs: see the package's docstring for the commands."""

from __future__ import annotations

from pathlib import Path

from accelerate import Accelerator

from .. import catalog, controlnet, env
from ..training import command

FIELDS = {
    "max_train_steps": int, "learning_rate": float, "train_batch_size": int, "gradient_accumulation_steps": int,
    "seed": int, "optimizer": str,
}  # fmt: skip


def main(line: list[str] | None = None) -> None:
    """Train and save; every process trains, the first one speaks and writes."""
    parser = command.parser("python -m course_utils.controlnet", __doc__, FIELDS)
    parser.add_argument("pairs", help="a folder of pairs with a prompt.json")
    parser.add_argument("out", help="the folder to write: what ControlNetModel.from_pretrained reads")
    given = parser.parse_args(line)
    Path(given.out).mkdir(parents=True, exist_ok=True)  # where it cannot be, that is said before anything is learned
    pictures, maps, prompts = controlnet.read_pairs(given.pairs)
    first = Accelerator().is_main_process  # before the pipeline, so that each process has a card of its own
    config = controlnet.ControlNetTrainingConfig.for_lane(given.lane, **command.changes(given, FIELDS))
    pipe = catalog.load("text2img", lane=given.lane, folder=given.base)
    pairs = controlnet.ControlPairs.of(pipe, pictures, maps, prompts)
    run = controlnet.train(pipe, controlnet.copy_of(pipe), pairs, config, command.report)
    if first:
        run.net.type(pipe.unet.dtype).save_pretrained(given.out)
        unfinished = "" if run.finished else ", unfinished: the same command goes on"
        env.say(f"{given.out}: a ControlNet{unfinished}")


if __name__ == "__main__":
    main()
