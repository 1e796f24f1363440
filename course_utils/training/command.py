"""What the command lines of the trainers share."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from .. import env
from .progress import Progress


def parser(prog: str, about: str, fields: Mapping[str, type]) -> argparse.ArgumentParser:
    """Return a parser with the lane, another base, and a flag for each field of the settings."""
    made = argparse.ArgumentParser(prog=prog, description=about)
    made.add_argument("--lane", choices=env.LANES)
    made.add_argument("--base", help="a pipeline's folder in place of the lane's base")
    for name, kind in fields.items():
        made.add_argument(f"--{name}", type=kind)
    return made


def changes(given: argparse.Namespace, fields: Mapping[str, type]) -> dict:
    """Return the fields that the command line names."""
    return {name: value for name in fields if (value := getattr(given, name)) is not None}


def report(progress: Progress) -> None:
    """Say every ten steps how far a training is."""
    if progress.step % 10 == 0:
        env.say(f"{progress.stage}: {progress.step} of {progress.steps}, loss {progress.loss:.4f}")
