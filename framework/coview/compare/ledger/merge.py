"""Joining ledgers: the union of their records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coview.compare.ledger.ledger import read_ledger, write_records
from coview.compare.ledger.record import Record
from coview.compare.ledger.runs import Contradiction, contradictions_in


@dataclass(frozen=True)
class Merged:
    """What has come into a ledger.

    Attributes:
        new: Records that it did not have.
        known: Records that it had.
        passed_over: What could not be taken, a line for each.
        contradictions: What records of one run in it now say differently.
    """

    new: Sequence[Record]
    known: Sequence[Record]
    passed_over: Sequence[str]
    contradictions: Sequence[Contradiction]


def merge_ledgers(ledger: Path | str, others: Sequence[Path | str]) -> Merged:
    """Copies what other ledgers have and this one does not; makes it if there is none.

    Raises:
        CoviewError: If one of the others is not there, or the ledger cannot be written.
    """
    read = [read_ledger(other) for other in others]
    records = {content: record for other in read for content, record in other.records.items()}
    return join_into(ledger, list(records.values()), [line for other in read for line in other.passed_over])


def join_into(path: Path | str, records: Sequence[Record], passed_over: Sequence[str]) -> Merged:
    """Writes the records that a ledger does not have.

    Args:
        path: Of the ledger.
        records: Of any number of runs.
        passed_over: What could not be read, to be told with the rest.

    Raises:
        CoviewError: If the ledger cannot be written.
    """
    new = write_records(path, records)
    names = {record.content for record in new}
    ledger = read_ledger(path)
    touched = {record.run for record in records}
    contradictions = contradictions_in(record for record in ledger.records.values() if record.run in touched)
    known = [record for record in records if record.content not in names]
    return Merged(new, known, [*passed_over, *ledger.passed_over], contradictions)
