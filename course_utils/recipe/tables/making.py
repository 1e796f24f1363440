"""Make a table: its jobs, one after the other or split over processes, going on where it was stopped."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ... import catalog, env
from ...results import FOLDER, Result, read
from ...results.rows import ENDING, path_of
from .. import shipped


@dataclass(frozen=True)
class Table:
    """How a table is made.

    name: of the table and its file.
    models: what its rows rest on, by the names of `shipped.hashes`.
    jobs: gives what is to be measured, by a key that stays the same from run to run; each a few seconds of work.
    measure: gives the rows of one job, plain JSON.
    settings: the knobs, the same for all rows.
    trains: whether measuring trains something; processes of one `torchrun` would then train it together.
    defaults: the lane's arguments of a call; empty where no picture is painted with them.
    """

    name: str
    models: tuple[str, ...]
    jobs: Callable[[], Mapping[str, Any]]
    measure: Callable[[Any], list[dict]]
    settings: dict = field(default_factory=dict)
    trains: bool = False
    defaults: dict = field(default_factory=lambda: catalog.defaults("clay"))


def make(table: Table, folder: Path | None = None, minutes: float = math.inf) -> bool:
    """Make a table, or go on with it; split over the processes that `torchrun` started.

    What is done is kept in the user's cache, under a name that changes with the weights, settings and versions.

    Args:
        table: what to make.
        folder: where it goes; None is ``assets/results``.
        minutes: stop after this long, to go on another time.

    Returns:
        True when the table is whole and written.

    Raises:
        RuntimeError: `torchrun` has started several processes for a table that trains.
    """
    import torch
    from accelerate import PartialState
    from tqdm import tqdm

    # Without being told, accelerate does not see that CPUs share the work.
    state, end = PartialState(cpu=not torch.cuda.is_available()), time.monotonic() + 60 * minutes
    if table.trains and state.num_processes > 1:
        raise RuntimeError(
            f"Table {table.name!r} trains: {state.num_processes} processes would share each training and spoil it: "
            f"make it in one process, python -m course_utils.recipe.tables {table.name}."
        )
    made = _made(table) | {"versions": env.versions()}
    work = workshop(table.name, made)
    work.mkdir(parents=True, exist_ok=True)
    jobs, done = table.jobs(), _done(work)
    left = [key for key in jobs if key not in done]
    state.wait_for_everyone()  # all have seen the same before anyone adds to it
    with state.split_between_processes(left) as own, (work / f"{state.process_index}.jsonl").open("a") as log:
        for key in tqdm(own, desc=table.name, unit="job", disable=not state.is_main_process):
            if time.monotonic() > end:
                break
            log.write(json.dumps({"job": key, "rows": table.measure(jobs[key])}, allow_nan=False) + "\n")
            log.flush()
    state.wait_for_everyone()
    done = _done(work)
    whole = all(key in done for key in jobs)
    if whole and state.is_main_process:
        write(Result(table.name, [row for key in jobs for row in done[key]], **made), folder)
    return whole


def write(result: Result, folder: Path | None = None) -> Path:
    """Write a table, whole or not at all; the same rows give the same bytes."""
    path = path_of(result.name, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {part: getattr(result, part) for part in ("settings", "models", "defaults", "versions")}
    lines = "".join(json.dumps(line, allow_nan=False) + "\n" for line in (made, *result.rows))
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as file:
        file.write(lines.encode())
    spare = path.with_suffix(".new")
    spare.write_bytes(packed.getvalue())
    spare.replace(path)
    return path


def fresh(table: Table, folder: Path | None = None) -> bool:
    """Tell whether a table is there and was made with these settings, the lane's defaults and what ships."""
    try:
        result = read(table.name, folder)
    except FileNotFoundError:
        return False
    wanted = json.loads(json.dumps(_made(table)))
    return all(getattr(result, part) == value for part, value in wanted.items())


def workshop(name: str, made: dict) -> Path:
    """Say where the parts of a table lie: with other weights, settings or versions elsewhere."""
    mark = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()
    return env.cache_folder() / "results" / f"{name}-{mark[:8]}"


def _made(table: Table) -> dict[str, dict]:
    return {"settings": table.settings, "models": shipped.hashes(table.models), "defaults": table.defaults}


def _done(work: Path) -> dict[str, list[dict]]:
    return {job["job"]: job["rows"] for path in sorted(work.glob("*.jsonl")) for job in _whole_lines(path)}


def _whole_lines(path: Path) -> Iterator[dict]:
    """Read a log, dropping what a killed run left of its last line."""
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    return map(json.loads, whole.splitlines())


def stale(folder: Path | None = None) -> dict[str, str]:
    """Find tables that rest on weights, a scheduler or defaults which no longer ship.

    Args:
        folder: holds the tables; None is ``assets/results``.

    Returns:
        What is wrong, by the table's name; empty if all is well.
    """
    wrong = {}
    for path in sorted((folder or FOLDER).glob(f"*{ENDING}")):
        result = read(path.name.removesuffix(ENDING), folder)
        now, defaults = shipped.hashes(result.models), catalog.defaults("clay") if result.defaults else {}
        others = [name for name, digest in result.models.items() if now[name] != digest]
        others += [name for name in {**result.defaults, **defaults} if result.defaults.get(name) != defaults.get(name)]
        if others:
            wrong[result.name] = f"made with another {', '.join(others)} than ships: `make results`"
    return wrong
