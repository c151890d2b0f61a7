"""The table of a comparison for a text: as Markdown and as LaTeX."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence

from coview.compare.statistics.analysis import Analysis, ModalityAnalysis
from coview.compare.statistics.ranks import Ranks
from coview.compare.statistics.summary import Summary
from coview.compare.table import Table
from coview.evaluate.paired import said_p
from coview.recipe.comparison import Comparison
from coview.track.result_rows import sample_of

TEST_ITEMS = "test items, n"
CONTROLS = {"untrained": "untrained control", "raw": "raw control"}


def number(value: float, places: int = 3) -> str:
    """``0.912``; a dash for what is not there."""
    return f"{value:.{places}f}" if math.isfinite(value) else "–"


def with_interval(summary: Summary) -> str:
    """``0.912 [0.905, 0.919]``; without the brackets where there is no interval."""
    if not math.isfinite(summary.low):
        return number(summary.mean)
    return f"{number(summary.mean)} [{number(summary.low)}, {number(summary.high)}]"


def as_markdown(comparison: Comparison, table: Table, analysis: Analysis) -> str:
    """Variants by modalities, the controls below, and the verdicts."""
    header, *rows = _aligned([[cell.replace("|", "\\|") for cell in row] for row in _cells(table, analysis)])
    rule = ["-" * len(header[0]), *("-" * (len(cell) - 1) + ":" for cell in header[1:])]
    lines = [
        f"# {comparison.name}",
        *([f"\n{comparison.question}"] if comparison.question else []),
        "",
        f"{table.metric}: mean over seeds and 95 % interval; {how_to_read(table)}.",
        "",
        _markdown_row(header),
        _markdown_row(rule),
        *map(_markdown_row, rows),
        "",
        *(f"- **{each.scores.modality}**: {' '.join([each.verdict, *each.cautions])}" for each in analysis.modalities),
        *_over_all(analysis),
    ]
    return "\n".join(lines) + "\n"


def how_to_read(table: Table) -> str:
    """Which numbers are better, and what each is tested against where that is one variant."""
    better = f"{'lower' if table.lower_is_better else 'higher'} is better"
    return better if table.baseline is None else f"{better}, and each is tested against {table.baseline}"


def _over_all(analysis: Analysis) -> list[str]:
    """The ranks over all modalities, and how far each two rank alike."""
    lines, ranks = [], analysis.ranks
    if isinstance(ranks, Ranks):
        best_first = sorted(zip(ranks.rank_V, ranks.variants, strict=True))
        ranked = ", ".join(f"{name} {rank:.2f}" for rank, name in best_first)
        lines.append(
            f"- **over all**: mean ranks {ranked}; ranks that lie "
            f"{ranks.critical_difference:.2f} apart differ (Nemenyi). Friedman's test: {said_p(ranks.p)}."
        )
    for each in analysis.agreements:
        if math.isfinite(each.tau):
            ends = f" [{number(each.low, 2)}, {number(each.high, 2)}]" if math.isfinite(each.low) else ""
            lines.append(
                f"- **{each.first} and {each.second}**: Kendall's τ between the rankings {each.tau:.2f}{ends}."
            )
        elif each.variants == 2:
            lines.append(f"- **{each.first} and {each.second}**: {each.note}.")
    return lines


def as_latex(comparison: Comparison, table: Table, analysis: Analysis) -> str:
    """The same as a table for ``booktabs``."""
    header, *rows = _cells(table, analysis)
    leading = [each.leading for each in analysis.modalities]
    controls = len([row for row in rows if row[0] in {*CONTROLS.values(), TEST_ITEMS}])
    body = [*rows[: len(rows) - controls], None, *rows[len(rows) - controls :]] if controls else rows
    bold = " Bold: the highest mean, and what is not told apart from it." if any(leading) else ""
    bold = bold.replace("highest", "lowest") if table.lower_is_better else bold
    caption = f"{comparison.question} {table.metric}: mean over seeds and 95 % interval.{bold}"
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{_latex(caption.strip())}}}",
        f"\\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
        "\\toprule",
        _latex_row(header),
        "\\midrule",
        *("\\midrule" if row is None else _latex_row(row, leading) for row in body),
        "\\bottomrule",
        "\\end{tabular}",
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _cells(table: Table, analysis: Analysis) -> list[list[str]]:
    """The header, a row for each variant, and one for each control that was measured."""
    by_variant = [{s.variant: s for s in each.summaries} for each in analysis.modalities]
    rows = [["", *(each.scores.modality for each in analysis.modalities)]]
    rows += [
        [variant, *(with_interval(s[variant]) if variant in s else "–" for s in by_variant)]
        for variant in table.variants
    ]
    for features, title in CONTROLS.items():
        values = [_control(each, features) for each in analysis.modalities]
        if any(map(math.isfinite, values)):
            rows.append([title, *map(number, values)])
    rows.append([TEST_ITEMS, *(test_items(table, each.scores.modality) for each in analysis.modalities)])
    return rows


def test_items(table: Table, modality: str) -> str:
    """How many test items a modality's numbers are of, and of how many groups; a dash where there is no number."""
    found = (row.results["pretrained"] for row in table.of(modality) if "pretrained" in row.results)
    return next((sample_of(result) for result in found), "–")


def _control(each: ModalityAnalysis, features: str) -> float:
    found = [value for s in each.summaries if math.isfinite(value := getattr(s, features))]
    return sum(found) / len(found) if found else math.nan


def _aligned(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The same, padded: the first column to the left, numbers to the right."""
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    return [
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        for row in rows
    ]


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "·": r"$\cdot$", "–": "--",
    "→": r"$\rightarrow$", **{c: "\\" + c for c in "&%$#_{}"},
}  # fmt: skip


def _latex(text: str) -> str:
    return re.sub("|".join(map(re.escape, _LATEX)), lambda match: _LATEX[match[0]], text)


def _latex_row(cells: Sequence[str], leading: Sequence[Collection[str]] = ()) -> str:
    """A row, its number in bold in the columns of which its variant leads."""
    name, *numbers = map(_latex, cells)
    bold = [cells[0] in of_column for of_column in leading] or [False] * len(numbers)
    shown = [f"\\textbf{{{cell}}}" if is_bold else cell for cell, is_bold in zip(numbers, bold, strict=True)]
    return " & ".join([name, *shown]) + " \\\\"
