"""A column of a table that says which split a row belongs to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from coview.data.split_folders import NAMES
from coview.data.table_file import Table, read_table
from coview.errors import CoviewError, few
from coview.plugins.home import expanded


def rows_by_split(table: Table, column: str, fold: str | None = None) -> dict[str, np.ndarray]:
    """The rows of each split, by a column: ``train`` and ``test``, and ``validation`` where there is one beside them.

    Args:
        table: The table.
        column: Its values name splits as folders do (``train``, ``training``; ``test``, ``testing``; ``validation``,
            ``valid``, ``val``, ``dev``, in small letters or capitals), unless ``fold`` is given.
        fold: The value whose rows are the test split; the others are to train on.

    Raises:
        CoviewError: If a row has no value, one is not the name of a split, or there is nothing to train or to test on.
    """
    values = table.names(column)
    if fold is not None:
        if fold not in values:
            known = sorted(set(values))
            raise CoviewError(f'{table.path}: no row has {fold!r} in "{column}"', hint=f"there are {few(known)}")
        of_row = ["test" if value == fold else "train" for value in values]
    else:
        split_of = {name: split for split, names in NAMES.items() for name in names}
        of_row = []
        for row, value in zip(table.rows, values, strict=True):
            if value.lower() not in split_of:
                raise CoviewError(
                    f'{table.path}:{row.line}: "{column}" has {value!r}, which is not the name of a split',
                    hint=f"there are {', '.join(split_of)}; for folds, give the one to test on: fold = {value!r}",
                )
            of_row.append(split_of[value.lower()])
    found = {split: np.flatnonzero(np.array(of_row) == split) for split in NAMES}
    found = {split: rows for split, rows in found.items() if len(rows)}
    if "test" not in found and "validation" in found:
        found["test"] = found.pop("validation")
    lacking = [split for split in ("train", "test") if split not in found]
    if lacking:
        raise CoviewError(f'{table.path}: no row is of the {lacking[0]} split by the column "{column}"')
    return found


def table_splits(path: Any, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The splits that a table has, for a data set's ``find_splits``; nothing is wrong with it yet.

    Args:
        path: The table.
        parameters: A data set's, not checked, of which ``split_column``, ``fold``, ``encoding``, ``header`` and
            ``quotes`` count: see :func:`rows_by_split` and :func:`coview.read_table`.
    """
    two = ("train", "test")
    column, fold = parameters.get("split_column"), parameters.get("fold")
    if not isinstance(column, str) or fold is not None:
        return two
    how = {name: parameters[name] for name in ("encoding", "header", "quotes") if name in parameters}
    try:
        path = Path(path)
        state = os.stat(expanded(path))
        found = _splits(path, state.st_size, state.st_mtime_ns, column, tuple(sorted(how.items())))
    except (OSError, TypeError, ValueError, CoviewError):
        return two
    return ("train", "validation", "test") if "validation" in found else two


@lru_cache(maxsize=16)
def _splits(path: Path, size: int, time: int, column: str, how: tuple[tuple[str, object], ...]) -> frozenset[str]:
    options: dict[str, object] = dict(how)
    table = read_table(path, [column], **options)  # type: ignore[arg-type]
    return frozenset(rows_by_split(table, column))
