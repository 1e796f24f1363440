"""Train a LoRA or a DreamBooth from a folder of pictures: see the package's docstring for the commands."""

from __future__ import annotations

from accelerate import Accelerator

from .. import catalog, env, personalize
from ..training import command
from .weights import check_out

FIELDS = {"max_train_steps": int, "learning_rate": float, "train_batch_size": int, "rank": int, "seed": int}


def main(line: list[str] | None = None) -> None:
    """Train and save; every process trains, the first one speaks and writes."""
    parser = command.parser("python -m course_utils.personalize", __doc__, FIELDS)
    parser.add_argument("method", choices=("lora", "dreambooth"))
    parser.add_argument("pictures", help="a folder of pictures")
    parser.add_argument("trigger", help="the words that shall mean it, such as 'sks robot'")
    parser.add_argument("out", help="the file to write, NAME.safetensors")
    given = parser.parse_args(line)
    check_out(given.out, name="out")
    first = Accelerator().is_main_process  # before the pipeline, so that each process has a card of its own
    config = personalize.preset(given.method, given.lane, **command.changes(given, FIELDS))
    pipe = catalog.load("text2img", lane=given.lane, folder=given.base)
    train = getattr(personalize, given.method)
    learned = train(pipe, given.pictures, given.trigger, config, command.report, out=given.out)
    if first:
        env.say(f"{given.out}: {learned.bytes:,} bytes of tensors, {learned.about.steps} steps")


if __name__ == "__main__":
    main()
