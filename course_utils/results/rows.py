"""Raw rows on disk: one small compressed file a table, with what made it."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import env

FOLDER = env.ASSETS / "results"
ENDING = ".jsonl.gz"


@dataclass(frozen=True)
class Result:
    """A table: its rows, and what made them.

    rows: one dict a trial, all values plain JSON.
    settings: the knobs, the same for all rows.
    models: SHA-256 of the models and parts that the rows rest on, by the names of `recipe.shipped.hashes`.
    versions: of Python and the packages.
    defaults: the clay lane's arguments of a call when it was made; empty where no picture was painted with them.
    """

    name: str
    rows: list[dict]
    settings: dict
    models: dict[str, str]
    versions: dict[str, str]
    defaults: dict = field(default_factory=dict)

    def where(self, **wanted) -> list[dict]:
        """Give the rows in which each named column has the given value.

        Raises:
            KeyError: no row has such a column.
        """
        self._check(*wanted)
        return [row for row in self.rows if all(row.get(column) == value for column, value in wanted.items())]

    def column(self, name: str, **wanted) -> np.ndarray:
        """Give one column of the rows that `where` gives; None becomes nan."""
        self._check(name)
        values = [row.get(name) for row in self.where(**wanted)]
        known = [value for value in values if value is not None]
        if known and not all(isinstance(value, bool | int | float) for value in known):
            return np.array(values)
        return np.array([np.nan if value is None else value for value in values])

    def _check(self, *columns: str) -> None:
        for column in columns:
            if not any(column in row for row in self.rows):
                raise KeyError(f"table {self.name!r} has no column {column!r}, only {', '.join(self.rows[0])}.")


def path_of(name: str, folder: Path | None = None) -> Path:
    """Say where a table lies."""
    return (folder or FOLDER) / f"{name}{ENDING}"


def read(name: str, folder: Path | None = None) -> Result:
    """Read a table.

    Args:
        name: of the table.
        folder: holds the tables; None is ``assets/results``.

    Raises:
        FileNotFoundError: it has not been made.
        OSError: it is broken.
    """
    path = path_of(name, folder)
    if not path.is_file():
        made = sorted(other.name.removesuffix(ENDING) for other in path.parent.glob(f"*{ENDING}"))
        raise FileNotFoundError(f"No table {name!r}; there are {made}. `make results` makes what is missing.")
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            made, *rows = map(json.loads, file)
        return Result(name, rows, made["settings"], made["models"], made["versions"], made.get("defaults", {}))
    except (EOFError, ValueError, KeyError, OSError) as error:
        raise OSError(f"The table {path.name} is broken: {error}. Check it out again, or `make results`.") from error
