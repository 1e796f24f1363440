"""Run a stage of the recipe: ``python -m course_utils.clay.recipe STAGE [--minutes M] [--device cpu]``."""

from __future__ import annotations

import argparse
import math

STAGES = ("data", "autoencoder")


def main() -> None:
    """Read the command line and run the stage."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.clay.recipe", description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop and save after this long")
    asked = parser.parse_args()
    if asked.stage == "autoencoder":
        from . import autoencoder

        autoencoder.train(asked.minutes)


if __name__ == "__main__":
    main()
