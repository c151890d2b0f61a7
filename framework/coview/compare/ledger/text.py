"""What the numbers of a ledger say, as text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from coview.compare.ledger.comparison import Joined
from coview.compare.ledger.groups import Group
from coview.compare.ledger.variants import NAME
from coview.compare.report.tables import as_markdown, how_to_read, number
from coview.compare.statistics.analysis import ModalityAnalysis
from coview.compare.statistics.summary import Summary
from coview.compare.table import Row
from coview.recipe.comparison import SEED, Comparison
from coview.track.result_rows import sample_of


def in_words(joined: Sequence[Joined], path: Path) -> str:
    """A table and the verdict of each group of numbers, and of several groups together where these are one table.

    Args:
        joined: The numbers.
        path: Of the ledger.
    """
    parts = []
    for one in joined:
        by_name = {analysis.scores.modality: analysis for analysis in one.analysis.modalities}
        parts += ["\n".join(_group(one, group, by_name[group.result.dataset])) for group in one.groups]
        if one.notes:
            parts.append("\n".join(f"Note: {note}." for note in one.notes))
        if len(one.groups) > 1:
            comparison = Comparison(f"{one.name} on {len(one.groups)} data sets", "", one.name, (), path)
            parts.append(as_markdown(comparison, one.table, one.analysis).rstrip())
    return "\n\n".join(parts)


def _group(one: Joined, group: Group, analysis: ModalityAnalysis) -> Iterator[str]:
    result = group.result
    version = result.protocol.get("dataset_version")
    yield f"## {one.name} on {result.dataset}" + (f", {version}" if version else "")
    yield (
        f"{one.table.encoders} encoders, protocol {result.protocol_hash}, {result.split} split, "
        f"{sample_of(result)} test items; {how_to_read(one.table)}"
    )
    if one.apart:
        yield "Kept apart from the first table of this number, because they were measured differently:"
        yield from (f"  {line}" for line in one.apart)
    yield ""
    whose = {summary.variant: one.who.get((result.dataset, summary.variant), "") for summary in analysis.summaries}
    rows = [
        _header(one.table.of(result.dataset)),
        *(_row(summary, whose[summary.variant]) for summary in analysis.ranked),
    ]
    if not any(whose.values()):
        rows = [row[:-1] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield ""
    yield " ".join([analysis.verdict, *analysis.cautions])


def _header(rows: Sequence[Row]) -> list[str]:
    axes = dict.fromkeys(axis for row in rows for axis in row.levels if axis not in (SEED, NAME))
    variant = f"variant ({', '.join(axes)})" if axes else "variant"
    return [variant, "seeds", "mean ± sd", "95 % interval", "untrained", "raw", "who"]


def _row(summary: Summary, who: str) -> list[str]:
    spread = f" ± {number(summary.sd)}" if math.isfinite(summary.sd) else ""
    ends = f"[{number(summary.low)}, {number(summary.high)}]" if math.isfinite(summary.low) else "–"
    controls = [number(summary.untrained), number(summary.raw)]
    return [summary.variant, str(summary.seeds), f"{number(summary.mean)}{spread}", ends, *controls, who]
