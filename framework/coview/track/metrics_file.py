"""metrics.jsonl: one JSON object a line, which any tool can follow while the run goes on.

A run that is killed may leave a torn last line, and one that resumes from a checkpoint repeats the steps
after it: both are dropped when the file is opened again, so that the file reads as one uninterrupted run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from coview.data.atomic import write_atomically
from coview.data.json_object import parse_json_object
from coview.errors import CoviewError

SPLIT: Final = "split"
"""The key of a line that is a point of curves: what it was measured on."""


class MetricsFile:
    """Appends lines to ``metrics.jsonl``; each is on its way to the disk when ``write`` returns.

    Attributes:
        last: The last line kept from before a resume; empty for a new run.

    Args:
        path: The file.
        resume_step: The step of the checkpoint that the run goes on from: lines of later steps are dropped, and all of
            them where it is 0, as the run begins anew. ``None`` for a new run, which starts an empty file.
        say: Gets a sentence for each line that is damaged, and so is left out.
    """

    def __init__(
        self, path: Path, *, resume_step: int | None = None, say: Callable[[str], None] = lambda text: None
    ) -> None:
        damaged: list[str] = []
        earlier = [] if resume_step is None else _read(path, damaged)
        for line in damaged:
            say(f"warning: a damaged line of the metrics is left out: {line}")
        kept = [row for row in earlier if resume_step and row["step"] <= resume_step]
        self.last: Mapping[str, Any] = kept[-1] if kept else {}
        write_atomically(path, "".join(map(_line, kept)))
        self._file = path.open("a", encoding="utf-8", newline="\n")

    def write(self, record: Mapping[str, Any]) -> None:
        """Appends one line. A number that JSON has no word for (NaN, infinity) becomes ``null``.

        Raises:
            OSError: If the disk refuses. The line is kept, and written with the next one.
        """
        self._file.write(_line(record))
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a ``metrics.jsonl``, in order; none if there is no file. A torn last line is left out.

    Raises:
        CoviewError: If a line before the last is not a JSON object with a step.
    """
    damaged: list[str] = []
    rows = _read(path, damaged)
    if damaged:
        raise CoviewError(
            damaged[0], hint="The file was changed by something other than coview; repair or delete that line."
        )
    return rows


def split_lines(rows: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The lines of training, and the points of curves, which say by ``split`` what they were measured on."""
    return [row for row in rows if SPLIT not in row], [row for row in rows if SPLIT in row]


def _read(path: Path, damaged: list[str]) -> list[dict[str, Any]]:
    """The lines that are what coview writes; ``damaged`` gets a sentence for each before the last that is not."""
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = []
    lines = path.read_bytes().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            row = parse_json_object(line)
        except ValueError:
            row = {}
        if type(row.get("step")) is int:
            rows.append(row)
        elif number < len(lines):
            damaged.append(f'{path}:{number}: expected a JSON object with a whole-number "step", got {line[:60]!r}')
    return rows


def _line(record: Mapping[str, Any]) -> str:
    finite = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in record.items()
    }
    return json.dumps(finite, allow_nan=False) + "\n"
