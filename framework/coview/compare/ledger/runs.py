"""The runs of a ledger: what all records of one run say together, and where they contradict each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coview.compare.ledger.record import Record
from coview.evaluate.result import Result

SAME = 1e-6
"""Relative difference up to which two numbers are one: measured again on another device, sums are rounded otherwise."""


@dataclass(frozen=True)
class Contradiction:
    """One number of one run that records have differently.

    Attributes:
        run: The run.
        name: The recipe's name.
        result: One of the numbers.
        values: All of them, from the lowest.
        contents: Of the records that have them, in the order of the values.
    """

    run: str
    name: str
    result: Result
    values: tuple[float, ...]
    contents: tuple[str, ...]

    def __str__(self) -> str:
        listed = " and ".join(
            f"{value:.6g} ({content})" for value, content in zip(self.values, self.contents, strict=True)
        )
        return (
            f"run {self.run} of {self.name}: {self.result.name} of the {self.result.kind} features on "
            f"{self.result.dataset} is {listed}"
        )


@dataclass(frozen=True)
class LedgerRun:
    """A run, by all records of it.

    Attributes:
        records: By the hash of their content.
        results: What they agree in; a number that they contradict each other in is not there.
        contradictions: These.
    """

    records: tuple[Record, ...]
    results: tuple[Result, ...]
    contradictions: tuple[Contradiction, ...]

    @property
    def record(self) -> Record:
        """What tells of the run itself, in which records of it do not differ."""
        return self.records[0]

    @property
    def who(self) -> str:
        """Whose it is, by all that have said so."""
        return ", ".join(sorted({record.who for record in self.records if record.who}))


def runs_in(records: Iterable[Record]) -> list[LedgerRun]:
    """Every run that records are of, in the order in which they were started, whatever that of the records."""
    by_run: dict[str, dict[str, Record]] = {}
    for record in records:
        by_run.setdefault(record.run, {})[record.content] = record
    joined = [_joined([of_run[content] for content in sorted(of_run)]) for of_run in by_run.values()]
    return sorted(joined, key=lambda run: (run.record.started, run.record.run))


def contradictions_in(records: Iterable[Record]) -> list[Contradiction]:
    """Every number that records of one run have differently."""
    return [contradiction for run in runs_in(records) for contradiction in run.contradictions]


def _joined(records: Sequence[Record]) -> LedgerRun:
    numbers: dict[tuple[str, ...], list[tuple[Result, str]]] = {}
    for record in records:
        for result in record.results:
            numbers.setdefault(_identity(result), []).append((result, record.content))
    results, contradictions = [], []
    for found in numbers.values():
        first = found[0][0]
        if all(_same(first, other) for other, _ in found):
            results.append(first)
            continue
        distinct: dict[float, str] = {}
        for result, content in found:
            distinct.setdefault(result.value, content)
        values = tuple(sorted(distinct))
        contents = tuple(distinct[value] for value in values)
        contradictions.append(Contradiction(records[0].run, records[0].name, first, values, contents))
    return LedgerRun(tuple(records), tuple(results), tuple(contradictions))


def _identity(result: Result) -> tuple[str, ...]:
    return result.evaluator, result.metric, result.dataset, result.split, result.kind, result.protocol_hash


def _same(one: Result, other: Result) -> bool:
    return one.n == other.n and math.isclose(one.value, other.value, rel_tol=SAME, abs_tol=SAME)
