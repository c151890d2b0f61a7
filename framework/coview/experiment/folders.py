"""Making, finding and locking the folders of runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from coview.errors import CoviewError
from coview.plugins.registry import Registry
from coview.recipe.load import load_recipe
from coview.recipe.recipe import Recipe
from coview.recipe.snapshot import difference, hashed_part, to_toml
from coview.track.run_folder import RunFolder


def new_folder(out: Path, recipe: Recipe) -> RunFolder:
    """Makes ``out/NAME/STAMP-HASH6`` with the resolved recipe in it.

    Raises:
        CoviewError: If it cannot be written.
    """
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    name = f"{stamp}-{recipe.hash[:6]}"
    try:
        parent = out / recipe.name
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            path = parent / (name if number == 1 else f"{name}-{number}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            folder = RunFolder(path)
            folder.recipe.write_text(to_toml(recipe.tables), encoding="utf-8")
            return folder
        raise CoviewError(f"{parent}: there are too many runs of this second")
    except OSError as error:
        raise CoviewError(
            f"runs cannot be written to {out}: {error.strerror or error}",
            hint="choose another folder with --out",
        ) from error


def find_unfinished(out: Path, recipe: Recipe, registry: Registry) -> RunFolder | None:
    """The latest run of this name, to go on with; None where there is none.

    Raises:
        CoviewError: If it is of another recipe; the message shows the difference.
    """
    runs = sorted(path for path in (out / recipe.name).glob("*-??????*") if (path / "recipe.toml").is_file())
    same = [path for path in runs if path.name.split("-")[2][:6] == recipe.hash[:6]]
    if same:
        return RunFolder(same[-1])
    if not runs:
        return None
    folder = RunFolder(runs[-1])
    before = load_recipe(folder.recipe, registry)
    lines = difference(hashed_part(before.tables), hashed_part(recipe.tables))
    listed = "\n    ".join(lines)
    raise CoviewError(
        f"{folder.path} is a run of another recipe, and cannot be resumed by this one; what has changed:\n    {listed}",
        hint="undo the change to go on with that run, or leave out --resume to start a new one",
    )


def is_finished(folder: RunFolder) -> bool:
    """Whether the run went to its end."""
    try:
        return json.loads(folder.environment.read_text())["finished"] is not None
    except (OSError, ValueError, KeyError):
        return False


@contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Holds the run for this process.

    Raises:
        CoviewError: If another process holds it.
    """
    lock = FileLock(folder.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise CoviewError(f"another process is writing {folder.path}", hint="wait for it to end, or stop it") from None
    try:
        yield
    finally:
        lock.release()


def existing_folder(path: Path | str) -> RunFolder:
    """The folder of a run that is there: its own path, or that of a folder of runs, of which the latest counts.

    Raises:
        CoviewError: If there is no run.
    """
    given = Path(path)
    if (given / "recipe.toml").is_file():
        return RunFolder(given)
    inside = sorted(
        (found.parent for pattern in ("*/recipe.toml", "*/*/recipe.toml") for found in given.glob(pattern)),
        key=lambda folder: folder.name,
    )
    if not inside:
        there = "there is no run in it" if given.is_dir() else "it is a file, not the folder of a run"
        if not os.path.lexists(given):
            there = "there is no such folder"
        raise CoviewError(f"{given}: {there}", hint="a run is a folder such as runs/NAME/STAMP-HASH")
    return RunFolder(inside[-1])
