"""Making, finding and locking the folders of runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from coview.data.atomic import ABANDONED, remove_abandoned, write_atomically
from coview.data.json_object import parse_json, read_json_object
from coview.errors import CoviewError
from coview.experiment.environment import read_environment
from coview.plugins.home import expanded
from coview.plugins.registry import Registry
from coview.recipe.load import load_recipe
from coview.recipe.place import RELATIVE_TO
from coview.recipe.recipe import Recipe
from coview.recipe.snapshot import difference, hashed_part, to_toml
from coview.track.run_folder import RunFolder, RunName


def new_folder(out: Path, recipe: Recipe) -> RunFolder:
    """Makes ``out/NAME/STAMP-HASH6`` with the resolved recipe in it: a folder without a recipe is not a run.

    Raises:
        CoviewError: If it cannot be written.
    """
    parent = out / recipe.name
    try:
        parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(parent, f"*/.recipe{ABANDONED}")
        folder = _free_folder(parent, recipe)
        try:
            write_atomically(folder.recipe, to_toml(recipe.tables))
        except BaseException:
            remove_folder(folder)
            raise
    except OSError as error:
        raise CoviewError(
            f"runs cannot be written to {out}: {error.strerror or error}",
            hint="choose another folder with --out",
        ) from error
    return folder


def _free_folder(parent: Path, recipe: Recipe) -> RunFolder:
    for number in range(1, 1000):
        folder = RunFolder(parent / str(RunName.now(recipe.hash, number)))
        try:
            folder.path.mkdir()
        except FileExistsError:
            continue
        return folder
    raise CoviewError(f"{parent}: too many runs were started in this second")


def remove_folder(folder: RunFolder) -> None:
    """Removes a run that has come to nothing, and the folder of its name if no other run is in it."""
    shutil.rmtree(folder.path, ignore_errors=True)
    with suppress(OSError):
        folder.path.parent.rmdir()


def mend_recipe(folder: RunFolder, recipe: Recipe, registry: Registry) -> None:
    """Writes the recipe of a run that is resumed again, where its file is lost or damaged, or its data have moved."""
    with suppress(CoviewError):
        kept = load_recipe(folder.recipe, registry)
        if kept.hash == recipe.hash and kept.tables.get(RELATIVE_TO) == recipe.tables.get(RELATIVE_TO):
            return
    write_atomically(folder.recipe, to_toml(recipe.tables))


def set_aside_damaged(folder: RunFolder, say: Callable[[str], None]) -> None:
    """Renames JSON files of a run that cannot be read, so that they are written anew, or done without."""
    for path, kind in ((folder.results, dict), (folder.views, list), (folder.hidden, dict)):
        try:
            parse_json(path.read_bytes(), kind)
        except FileNotFoundError:
            continue
        except ValueError as error:
            kept = path.with_name(f"{path.stem}.damaged{path.suffix}")
            path.replace(kept)
            say(f"warning: {path} is damaged, and now called {kept.name}: {error}")


def find_unfinished(out: Path, recipe: Recipe, registry: Registry) -> RunFolder | None:
    """The latest run of this name, to go on with; None where there is none. A copy that somebody has made beside it,
    under a name that is not a run's, does not count.

    Raises:
        CoviewError: If it is of another recipe; the message shows the difference.
    """
    runs = _in_order(path.parent for path in (out / recipe.name).glob("*/recipe.toml"))
    same = [folder for folder in runs if folder.run_name().is_of(recipe.hash)]
    if same:
        return same[-1]
    if not runs:
        return None
    folder = runs[-1]
    before = load_recipe(folder.recipe, registry)
    lines = difference(hashed_part(before.tables), hashed_part(recipe.tables))
    listed = "\n    ".join(lines)
    raise CoviewError(
        f"{folder.path} is a run of another recipe and cannot be resumed with this one; what has changed:\n"
        f"    {listed}",
        hint="undo the change to go on with that run, or leave out --resume to start a new one",
    )


def runs_below(out: Path) -> list[RunFolder]:
    """Every run below a folder, as they were started. Links are followed, and no run counts twice."""
    return _in_order(_with_recipe(out))


def _with_recipe(out: Path) -> Iterator[Path]:
    seen: set[str] = set()  # a link may lead up again
    for folder, inner, files in os.walk(out, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            inner.clear()
            continue
        seen.add(real)
        if "recipe.toml" in files:
            yield Path(folder)


def _in_order(paths: Iterable[Path]) -> list[RunFolder]:
    """The folders that are named as coview names runs, the latest last."""
    return _by_start(RunFolder(path) for path in paths if RunName.parse(path.name) is not None)


def _by_start(folders: Iterable[RunFolder]) -> list[RunFolder]:
    return sorted(folders, key=lambda folder: (started(folder), _number(folder), folder.path))


def started(folder: RunFolder) -> datetime:
    """When a run was started: as it has recorded, whatever zone it was in and whatever has become of its files.

    Of one without a record, such as a run that was killed before it wrote one, what its name says, in local time; of
    one that somebody has named, when its recipe was written.
    """
    recorded = (read_environment(folder.environment) or {}).get("started")
    with suppress(TypeError, ValueError, OverflowError):
        return datetime.fromisoformat(recorded).astimezone(UTC)  # type: ignore[arg-type]
    if (name := RunName.parse(folder.path.name)) is not None:
        with suppress(ValueError, OverflowError):
            return name.local_time().astimezone(UTC)
    try:
        return datetime.fromtimestamp(folder.recipe.stat().st_mtime, UTC)
    except OSError:  # it has been removed since it was found
        return datetime.fromtimestamp(0, UTC)


def _number(folder: RunFolder) -> int:
    """Among the runs of one second."""
    name = RunName.parse(folder.path.name)
    return 0 if name is None else name.number


def is_finished(folder: RunFolder) -> bool:
    """Whether the run went to its end: it says so, and its numbers are there. What only shows them, the report, is made
    again without it."""
    try:
        read_json_object(folder.results)
        return read_json_object(folder.environment).get("finished") is not None
    except (OSError, ValueError):
        return False


@contextmanager
def locked(folder: RunFolder, say: Callable[[str], None]) -> Iterator[None]:
    """Holds the run for this process, and clears what a killed one has left half-written.

    Args:
        folder: The run's.
        say: Gets a sentence where the file system has no locks.

    Raises:
        CoviewError: If another process holds it, or the folder cannot be written.
    """
    from coview.data.file_lock import LockHeldError, file_lock  # it costs start-up time
    from coview.train.checkpoint import remove_half_written  # the same

    if not os.access(folder.path, os.W_OK):
        raise CoviewError(f"{folder.path} cannot be written", hint="copy the run to a place where you can write")
    try:
        with file_lock(folder.lock, wait=False, say=say):
            remove_abandoned(folder.path, f"**/.*{ABANDONED}")
            remove_half_written(folder.checkpoints)
            yield
    except LockHeldError:
        raise CoviewError(f"another process is writing {folder.path}", hint="wait for it to end, or stop it") from None


def existing_folder(path: Path | str) -> RunFolder:
    """The folder of a run that is there: its own path, or that of a folder of runs, of which the latest counts.

    Raises:
        CoviewError: If there is no run.
    """
    given = expanded(path)
    if (given / "recipe.toml").is_file():
        return RunFolder(given)
    inside = [found.parent for pattern in ("*/recipe.toml", "*/*/recipe.toml") for found in given.glob(pattern)]
    if named := _in_order(inside):
        return named[-1]
    if not inside:
        there = "there is no run in it" if given.is_dir() else "it is a file, not the folder of a run"
        if not os.path.lexists(given):
            there = "there is no such folder"
        raise CoviewError(f"{given}: {there}", hint="a run is a folder such as runs/NAME/STAMP-HASH")
    return _by_start(map(RunFolder, inside))[-1]
