"""A ledger on disk: a folder with a file for each record, or one file with a record a line.

A record's file is named after its content, so that ledgers are merged by copying, in git too: two files of one name are
the same, and nothing that is written is changed again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from coview.compare.ledger.record import Record, RecordError, parse_record
from coview.data.atomic import write_atomically
from coview.data.file_lock import file_lock
from coview.errors import CoviewError
from coview.plugins.home import expanded

SUFFIX = ".jsonl"
"""What the name of a ledger ends in that is one file."""

LARGEST = 64 * 2**20
"""Bytes of a record's file, at most: a record has some hundred numbers."""


@dataclass(frozen=True)
class Ledger:
    """What a ledger has.

    Attributes:
        path: Its folder, or its file.
        records: By the hash of their content, in its order.
        places: By the same: the file, or file and line.
        passed_over: What is damaged or no record, a line for each.
    """

    path: Path
    records: Mapping[str, Record]
    places: Mapping[str, str] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()


def read_ledger(path: Path | str) -> Ledger:
    """Reads a ledger; damaged and foreign files in it are named in ``passed_over``.

    Args:
        path: A folder, with records in it or in folders below it, or a file that ends in ``.jsonl``.

    Raises:
        CoviewError: If there is no such folder or file, or it cannot be read.
    """
    given = expanded(path)
    if not given.exists():
        raise CoviewError(f"{given}: there is no such ledger", hint=f"coview results add {given} RUN makes one")
    records: dict[str, Record] = {}
    places: dict[str, str] = {}
    passed_over: list[str] = []
    for place, text in _texts(given, passed_over):
        try:
            record = parse_record(text)
        except RecordError as error:
            passed_over.append(f"{place}: {error}")
            continue
        records.setdefault(record.content, record)
        places.setdefault(record.content, place)
    return Ledger(given, dict(sorted(records.items())), places, tuple(passed_over))


def write_records(path: Path | str, records: Iterable[Record]) -> list[Record]:
    """Writes what a ledger does not have yet, each record whole or not at all; makes the ledger if there is none.

    Args:
        path: As for :func:`read_ledger`.
        records: Of any number of runs.

    Returns:
        What is new.

    Raises:
        CoviewError: If it is the folder of a run or of runs, or cannot be written.
    """
    given = expanded(path)
    check_place(given)
    wanted = {record.content: record for record in records}
    if given.suffix == SUFFIX:
        return _write_lines(given, wanted)
    with _refusals(given):
        given.mkdir(parents=True, exist_ok=True)
    there = read_ledger(given).records
    new = [record for content, record in sorted(wanted.items()) if content not in there]
    for record in new:
        with _refusals(given):
            write_atomically(given / f"{record.content}.json", record.as_text())
    return new


def _write_lines(path: Path, wanted: Mapping[str, Record]) -> list[Record]:
    with _refusals(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with _refusals(path), file_lock(path.with_name(f".{path.name}.lock")):
        before = path.read_text(encoding="utf-8", errors="backslashreplace") if path.exists() else ""
        there = read_ledger(path).records if before else {}
        new = [record for content, record in sorted(wanted.items()) if content not in there]
        if new or not path.exists():
            separator = "\n" if before and not before.endswith("\n") else ""
            write_atomically(path, before + separator + "".join(record.as_line() for record in new))
        return new


def _texts(path: Path, passed_over: list[str]) -> Iterator[tuple[str, bytes]]:
    """Every file or line that may be a record, with where it is."""
    if path.is_file():
        if path.suffix != SUFFIX:
            raise CoviewError(f"{path} is not a ledger", hint=f"a ledger is a folder, or a file that ends in {SUFFIX}")
        try:
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            raise CoviewError(f"{path} cannot be read: {error.strerror or error}") from error
        yield from ((f"{path}:{number}", line) for number, line in enumerate(lines, 1) if line.strip())
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder) / name
            if not name.endswith(".json") or name.startswith(".") or not file.is_file():
                continue
            try:
                with file.open("rb") as opened:
                    text = opened.read(LARGEST)
            except OSError as error:
                passed_over.append(f"{file}: it cannot be read ({error.strerror or error})")
                continue
            yield str(file), text


def check_place(path: Path) -> None:
    """Refuses to write records among the files of runs: the arguments are then in the wrong order.

    Raises:
        CoviewError: If the path is the folder of a run or of runs, or a file of another kind.
    """
    hint = "the ledger comes first: coview results add LEDGER RUN…"
    if (path / "recipe.toml").is_file():
        raise CoviewError(f"{path} is a run, not a ledger", hint=hint)
    if any(next(path.glob(pattern), None) for pattern in ("*/recipe.toml", "*/*/recipe.toml")):
        raise CoviewError(f"{path} is a folder of runs, not a ledger", hint=hint)
    if path.is_file() and path.suffix != SUFFIX:
        raise CoviewError(f"{path} is not a ledger", hint=f"a ledger is a folder, or a file that ends in {SUFFIX}")


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CoviewError(
            f"{path} cannot be written: {error.strerror or error}", hint="choose another place for the ledger"
        ) from error
