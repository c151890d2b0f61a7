"""A comparison of numbers that a ledger has joined: the statistics of ``coview compare``, on its records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coview.compare.ledger.groups import Group, groups_in, kept_apart_by
from coview.compare.ledger.record import Record
from coview.compare.ledger.runs import LedgerRun
from coview.compare.ledger.variants import Variants, variants_of
from coview.compare.made_with import made_with
from coview.compare.statistics.analysis import Analysis, analyse
from coview.compare.table import Row, Table
from coview.errors import CoviewError, few
from coview.evaluate.result import Result
from coview.plugins.nearest import did_you_mean
from coview.recipe.comparison import SEED


@dataclass(frozen=True)
class Joined:
    """One number on one or several data sets, on each by one protocol.

    Attributes:
        name: Of the number: ``EVALUATOR/METRIC@LABELS``.
        groups: One for each column of the table.
        table: A row for each variant and seed.
        analysis: What the numbers say.
        apart: Why it is another table than the first of its number, a line for each key that differs.
        notes: What has to be known of what was joined, a line for each.
        who: By data set and variant whose the runs are, as far as anybody has said.
    """

    name: str
    groups: Sequence[Group]
    table: Table
    analysis: Analysis
    apart: Sequence[str] = ()
    notes: Sequence[str] = ()
    who: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Recipe:
    """The recipe of a record, which may be of plugins that are not installed here."""

    record: Record

    @property
    def tables(self) -> Mapping[str, Any]:
        return self.record.recipe

    @property
    def hash(self) -> str:
        return self.record.recipe_hash


def compare_in(
    runs: Sequence[LedgerRun],
    *,
    metric: str | None = None,
    by: Sequence[str] = (),
    baseline: str | None = None,
    margin: float = 0.0,
) -> list[Joined]:
    """Every number of some runs, joined where it was measured alike.

    Args:
        runs: Of a ledger.
        metric: Which numbers, such as ``knn/accuracy``; all by default.
        by: Keys to tell runs apart by; with them, variants on several data sets are one table.
        baseline: The variant that each other is tested against.
        margin: Differences that do not matter; 0: all matter.

    Raises:
        CoviewError: If there is no such number, key or variant, or a library of the ``compare`` extra is missing.
    """
    found = groups_in(runs, metric)
    if not found:
        names = list(groups_in(runs))
        raise CoviewError(
            f"no run has the number {metric}{did_you_mean(metric or '', names)}" if names else "no run has a number",
            hint=f"numbers: {few(names)}" if names else None,
        )
    joined = [one for name, groups in found.items() for one in _of_name(name, groups, by, baseline, margin)]
    if baseline is not None and not any(one.table.baseline for one in joined):
        variants = list(dict.fromkeys(variant for one in joined for variant in one.table.variants))
        raise CoviewError(
            f'no variant is called "{baseline}"{did_you_mean(baseline, variants)}', hint=f"variants: {few(variants)}"
        )
    return joined


def _of_name(
    name: str, groups: Sequence[Group], by: Sequence[str], baseline: str | None, margin: float
) -> list[Joined]:
    """One table of all data sets where variants are called alike on each, and each has one protocol; else one each."""
    datasets = {group.result.dataset for group in groups}
    together = bool(by) and len(datasets) == len(groups)
    parts = [groups] if together else [[group] for group in groups]
    joined = []
    for part in parts:
        variants = _named(part, by)
        rows, of_variant = _rows(part, variants)
        there = {row.variant for row in rows}
        table = Table(name, rows, baseline if baseline in there else None, margin=margin)
        apart = kept_apart_by(groups[0], part[0]) if part[0] is not groups[0] else []
        who = {key: _who(of) for key, of in of_variant.items()}
        notes = [*variants.notes, *_notes(of_variant)]
        joined.append(Joined(name, part, table, analyse(table), apart, notes, who))
    return joined


def _named(groups: Sequence[Group], by: Sequence[str]) -> Variants:
    """The variants of all groups together, so that one is called alike in each."""
    if len(groups) == 1:
        return variants_of(groups[0].runs, by)
    of_groups = [variants_of(group.runs, by) for group in groups]
    return Variants(
        [levels for variants in of_groups for levels in variants.levels],
        [note for variants in of_groups for note in variants.notes],
    )


_OfVariant = dict[tuple[str, str], list[tuple[LedgerRun, float]]]
"""By data set and variant its runs, and the number of each."""


def _rows(groups: Sequence[Group], variants: Variants) -> tuple[list[Row], _OfVariant]:
    """A row for each variant and seed of each group. Of runs of one seed the first counts: they are no two draws."""
    rows: dict[tuple[str, str, int], Row] = {}
    of_variant: _OfVariant = {}
    levels_of = iter(variants.levels)
    for group in groups:
        dataset = group.result.dataset
        for run, results in zip(group.runs, group.results, strict=True):
            levels, record = next(levels_of), run.record
            variant = " · ".join(levels.values()) or record.name
            of_variant.setdefault((dataset, variant), []).append((run, results["pretrained"].value))
            row = Row(
                modality=dataset,
                variant=variant,
                seed=str(record.seed),
                levels={**levels, SEED: str(record.seed)},
                recipe=_Recipe(record),
                status="done",
                results=results,
                seconds=record.seconds,
                leaks=_leaks(record, results["pretrained"]),
                stopped=record.stopped,
                made_with=made_with(record.made_with),
            )
            rows.setdefault((dataset, variant, record.seed), row)
    return list(rows.values()), of_variant


def _who(of: Sequence[tuple[LedgerRun, float]]) -> str:
    return ", ".join(dict.fromkeys(run.who for run, _ in of if run.who))


def _notes(of_variant: _OfVariant) -> list[str]:
    notes = []
    for (_, variant), of in of_variant.items():
        by_seed: dict[int, list[str]] = {}
        for run, value in of:
            by_seed.setdefault(run.record.seed, []).append(f"{value:.4f}")
        for seed, values in by_seed.items():
            if len(values) > 1:
                listed = ", ".join(values)
                notes.append(f"seed {seed} of {variant} was run {len(values)} times ({listed}), and the first counts")
        if lines := _other_code([run.record for run, _ in of]):
            notes.append(f"runs of {variant} are joined although their code differs: {'; '.join(lines)}")
    return notes


def _leaks(record: Record, result: Result) -> list[str]:
    of = result.dataset, result.protocol.get("dataset_version")
    return [leak["said"] for leak in record.leaks if (leak["data"], leak["version"]) == of]


def _other_code(records: Sequence[Record]) -> list[str]:
    """The components whose code differs between repetitions: a change of it may or may not change their numbers."""
    names = dict.fromkeys(name for record in records for name in record.code if not name.startswith("evaluator "))
    lines = []
    for name in names:
        codes = list(dict.fromkeys(record.code[name] for record in records if name in record.code))
        if len(codes) > 1:
            lines.append(f"{name}: {' → '.join(codes)}")
    return lines[:3] + ([f"and {len(lines) - 3} more"] if len(lines) > 3 else [])
