"""Make tables: ``python -m course_utils.recipe.tables [NAME ...] [--minutes M]``; all that are not fresh without one.

Each goes on where it stopped. On several cores or GPUs:
``torchrun --nproc_per_node 2 -m course_utils.recipe.tables NAME``; those that train ("personal",
"likeness") take one process.
"""

from __future__ import annotations

import argparse
import importlib
import math

from ... import env
from . import making

# table: the module of this package whose TABLES has it; in the order of the lessons
MODULES: dict[str, str] = {
    "beach": "stories",
    "adherence": "obedience",
    "mismatch": "obedience",
    "together": "together",
    "fingers": "stories",
    "word_maps": "word_maps",
    "excite_knobs": "audit",
    "excite": "audit",
    "excite_parts": "audit",
    "personal": "personal",
    "interference": "interference",
    "likeness": "likeness",
    "learned": "learning",
    "learned_noise": "learning",
    "learned_start": "learning",
    "learned_words": "learning",
    "learned_pairs": "learning",
    "learned_longer": "learning",
    "film": "film",
}


def find(name: str) -> making.Table:
    """Give a table by its name."""
    return importlib.import_module(f".{MODULES[name]}", __package__).TABLES[name]


def main() -> None:
    """Read the command line and make what was asked for."""
    parser = argparse.ArgumentParser(description="The tables that take minutes.")
    parser.add_argument("name", nargs="*", help=f"one of {', '.join(MODULES)}; all that are not fresh without one")
    parser.add_argument("--minutes", type=float, default=math.inf, help="for each table: stop after this long")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.name if name not in MODULES]
    if unknown:
        parser.error(f"no table {unknown[0]!r}; there are {', '.join(MODULES)}.")
    for table in map(find, arguments.name or MODULES):
        if not arguments.name and making.fresh(table):
            env.say(f"{table.name}: fresh")
        else:
            env.say(f"{table.name}: {'made' if making.make(table, minutes=arguments.minutes) else 'not whole yet'}")


if __name__ == "__main__":
    main()
