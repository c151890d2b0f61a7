"""Adding the numbers of runs to a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coview.compare.ledger.from_run import records_of
from coview.compare.ledger.ledger import check_place
from coview.compare.ledger.merge import Merged, join_into
from coview.errors import CoviewError
from coview.plugins.home import expanded


def add_runs(ledger: Path | str, runs: Sequence[Path], who: str = "") -> Merged:
    """Adds the numbers of finished runs to a ledger, and makes it if there is none.

    Args:
        ledger: Its folder, or a file that ends in ``.jsonl``.
        runs: Folders of runs, of comparisons, or with runs below them.
        who: Whose they are, such as the name of a lab.

    Raises:
        CoviewError: If none of them can be added, or the ledger cannot be written.
    """
    check_place(expanded(ledger))
    records, passed_over = records_of(runs, who)
    if not records:
        raise CoviewError("\n".join(passed_over) or "no run was given")
    return join_into(ledger, records, passed_over)
