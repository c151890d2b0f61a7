"""Numbers of a ledger that may be joined: those whose protocol hashes agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from coview.compare.comparable import protocol_difference
from coview.compare.ledger.runs import LedgerRun
from coview.compare.table import as_columns
from coview.evaluate.result import FeatureKind, Result, measured_kind


@dataclass(frozen=True)
class Group:
    """Runs that measured one number alike: by one protocol, on one data set of one version, on as many test items.

    Attributes:
        runs: In the order in which they were started.
        results: Of each run its number, and those of its controls, by the columns of a comparison.
    """

    runs: Sequence[LedgerRun]
    results: Sequence[Mapping[FeatureKind, Result]]

    @property
    def result(self) -> Result:
        """One of the numbers, for what all have in common."""
        return next(iter(self.results[0].values()))

    @property
    def modality(self) -> str:
        """Of what was measured: one, or the two between which it was."""
        return modality_of(self.result, self.runs[0])


def modality_of(result: Result, run: LedgerRun) -> str:
    """Of which modality a number is; of those of its run, where its protocol says nothing."""
    own = result.protocol.get("modality")
    across = result.protocol.get("projections_of")
    if isinstance(own, str):
        return own
    return "+".join(map(str, across)) if isinstance(across, list | tuple) else "+".join(run.record.modalities)


def asked_for(name: str, metric: str | None) -> bool:
    """Whether a number's name is one that is asked for: ``knn``, ``knn/accuracy`` or ``knn/accuracy@10``."""
    if metric is None or name == metric.removesuffix("@all"):
        return True
    return "@all" not in metric and name.startswith((f"{metric}/", f"{metric}@"))


def groups_in(runs: Iterable[LedgerRun], metric: str | None = None) -> dict[str, list[Group]]:
    """By the name of the number, the groups of runs that measured it alike, the largest first.

    Args:
        runs: Of a ledger.
        metric: Which numbers, as for :func:`asked_for`; all by default.
    """
    found: dict[str, dict[tuple[str, str, int], list[tuple[LedgerRun, Mapping[FeatureKind, Result]]]]] = {}
    for run in runs:
        by_key: dict[tuple[str, tuple[str, str, int]], dict[FeatureKind, Result]] = {}
        for result in run.results:
            if asked_for(result.name, metric):
                key = result.name, (result.dataset, result.protocol_hash, result.n)
                by_key.setdefault(key, {})[result.kind] = result
        measured = measured_kind(result.kind for record in run.records for result in record.results)
        for (name, alike), by_kind in by_key.items():
            columns = as_columns(by_kind, measured)
            if "pretrained" in columns:  # else its number is contradicted, and controls alone are nobody's
                found.setdefault(name, {}).setdefault(alike, []).append((run, columns))
    return {
        name: [
            Group([run for run, _ in members], [columns for _, columns in members])
            for _, members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
        ]
        for name, groups in sorted(found.items())
    }


def kept_apart_by(one: Group, other: Group) -> list[str]:
    """Why two groups of one number are two: ``k: 5 → 20``, a line for each key of the protocol that differs."""
    lines = protocol_difference(one.result, other.result)
    if one.result.n != other.result.n:
        lines.append(f"test items: {one.result.n:,} → {other.result.n:,}")
    return lines
