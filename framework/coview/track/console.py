"""The console: who may use colour, and how results look on 80 columns."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from coview.errors import printable
from coview.evaluate.result import FeatureKind, Result, measured_kind
from coview.track.result_rows import ResultRow, interval, result_rows, sample_of, shown_kinds, warnings_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


_CONTROLS: dict[FeatureKind, str] = {
    "pretrained": "untrained and raw are the controls",
    "given": "given is the encoder as it came, as nothing was trained; raw is the control",
    "untrained": "nothing was trained: untrained is the encoder at random weights; raw is the control",
    "raw": "raw is the control",
}


def make_console(*, stderr: bool = False) -> Console:
    """A rich console that prints text as it is: no markup, no guessed highlighting; control characters by their codes.

    What goes to standard error only tells about the work: where it cannot be written, such as to a pipe whose reader
    is gone, a terminal that was closed or a log on a full disk, the work goes on.
    """
    from rich.console import Console  # rich costs start-up time
    from rich.text import Text  # the same

    class Plain(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(printable(text), **options)

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # and no exit of rich's own, with a status that says that something went wrong

    class Telling(Plain):
        def __exit__(self, *details: Any) -> None:
            try:
                super().__exit__(*details)
            except OSError:
                del self._buffer[:]

        def on_broken_pipe(self) -> None:
            self.quiet = True  # nobody reads any more
            with suppress(OSError, ValueError):  # what is left in the stream would be written at exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())

    return (Telling if stderr else Plain)(stderr=stderr, markup=False, highlight=False, emoji=False)


def print_results(results: Sequence[Result], console: Console) -> None:
    """Prints a table in which what is measured stands beside its controls, each with its 95 % interval.

    There is a row for each evaluator, metric and number of labels, with the number of test items, and of groups that
    they are of. A control is followed by what is measured less it, and how likely as much is by chance. On a
    terminal names wrap, so that 80 columns are enough; a file or a pipe gets one line for each row, however long.
    """
    rows = result_rows(results)
    if not rows:
        console.print("no results")
        return
    measured = measured_kind(result.kind for result in results)
    kinds = shown_kinds(results)
    several_data = len({(row.dataset, row.split) for row in rows}) > 1
    separator = "\n" if console.is_terminal else " "
    cells = [
        [_title(row, several_data, separator, with_sample=console.is_terminal)]
        + [_measured(row.by_kind[name], separator) if name in row.by_kind else "–" for name in kinds]
        for row in rows
    ]
    if console.is_terminal:
        console.print(_table(cells, kinds))
    else:
        samples = [sample_of(next(iter(row.by_kind.values()))) for row in rows]
        lines = [["evaluator", *kinds, "n"], *([*line, n] for line, n in zip(cells, samples, strict=True))]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            padded = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            console.print(padded.rstrip(), soft_wrap=True)
    where = "" if several_data else f" on {rows[0].dataset} {rows[0].split}".rstrip()
    console.print(f"95 % intervals{where}; {_CONTROLS[measured]}", soft_wrap=True)
    if any(result.against for result in results):
        below = "below a control" if console.is_terminal else "in round brackets"
        console.print(
            f"{below}: {measured} less the control, and p of that difference by a paired test", soft_wrap=True
        )
    for warning in warnings_of(results):
        console.print(f"warning: {warning}", soft_wrap=True)


def _table(rows: Sequence[Sequence[str]], kinds: Sequence[FeatureKind]) -> Table:
    from rich.table import Table  # rich costs start-up time

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("evaluator", min_width=12, overflow="fold")
    for number, kind in enumerate(kinds):
        table.add_column(kind, no_wrap=True, style="" if number else "bold")
    for row in rows:
        table.add_row(*row)
    return table


def _title(row: ResultRow, with_data: bool, separator: str, *, with_sample: bool) -> str:
    sample = f"n = {sample_of(next(iter(row.by_kind.values())))}" if with_sample else ""
    data = f"{row.dataset} {row.split}".strip() if with_data else ""
    parts = [row.evaluator, row.metric, data, row.budget, row.chance, sample]
    return separator.join(part for part in parts if part)


def _measured(result: Result, separator: str) -> str:
    if result.against is None:
        return interval(result)
    against = f"({result.against})" if separator == " " else str(result.against)
    return f"{interval(result)}{separator}{against}"
