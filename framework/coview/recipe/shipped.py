"""The recipes that come with coview."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from coview.plugins.home import expanded

RECORDS = "published"
"""The folder in which records of what authors have set lie beside the recipes, and are none."""


def shipped_folder() -> Path | None:
    """Where they are: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_recipes", package.parents[1] / "recipes"):
        if folder.is_dir():
            return folder
    return None


def find_recipe(path: Path | str, beside: Path | None = None) -> Path:
    """The file that ``path`` means: itself, or the shipped recipe of that name (``quickstart``, ``base/simclr``).

    Args:
        path: As it was written.
        beside: The folder of the file that it was written in; absent: the current one.
    """
    given = expanded(path)
    there = given if beside is None else beside / given
    folder = shipped_folder()
    try:
        if there.exists() or folder is None or given.is_absolute():
            return there
        for name in (
            given,
            given.with_name(given.name + ".toml"),
            Path(*given.parts[1:]) if given.parts[:1] == ("recipes",) else given,
        ):
            if given.name and (folder / name).is_file():
                return folder / name
    except (OSError, ValueError):  # a name that no file can have: reading it says so
        return there
    return there


def recipe_files(folder: Path) -> Iterator[Path]:
    """Every recipe below a folder, sorted: ``.toml`` files, but for parts of recipes, whose names begin with ``_``, and
    for records of what authors have set."""
    for path in sorted(folder.rglob("*.toml")):
        if path.is_file() and not path.name.startswith("_") and RECORDS not in path.relative_to(folder).parts:
            yield path


def shipped_names() -> list[str]:
    """What to type for each shipped recipe: ``quickstart``, ``base/simclr``."""
    folder = shipped_folder()
    if folder is None:
        return []
    return [path.relative_to(folder).with_suffix("").as_posix() for path in recipe_files(folder)]
