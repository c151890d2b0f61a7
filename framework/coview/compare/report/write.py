"""Makes the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coview.compare.cells import FoundCell
from coview.compare.collect import collect, write_cells
from coview.compare.libraries import require
from coview.compare.report.page import page_values, source_of
from coview.compare.report.tables import as_latex, as_markdown
from coview.compare.statistics.analysis import Analysis, analyse
from coview.compare.table import Table
from coview.compare.tuning import Choice
from coview.data.atomic import write_atomically
from coview.pages.template import page_template
from coview.recipe.comparison import Comparison

PAGE = Path(__file__).parent / "comparison.html.j2"
"""The template of a comparison's page."""


@dataclass(frozen=True)
class ComparisonReport:
    """What a comparison found, and where it is written.

    Attributes:
        table: Every cell.
        analysis: What their numbers say.
        text: The table and the verdicts, to be read as they are.
        report: The page.
        markdown, latex: The tables.
        csv, parquet: Every cell as data.
    """

    table: Table
    analysis: Analysis
    text: str
    report: Path
    markdown: Path
    latex: Path
    csv: Path
    parquet: Path


def write_comparison_report(
    comparison: Comparison, cells: Sequence[FoundCell], folder: Path, choices: Sequence[Choice] = ()
) -> ComparisonReport:
    """Writes the report from the files of the runs; the same files give the same bytes.

    Args:
        comparison: What is compared.
        cells: Its cells, found; those without a run are rows with their reason.
        folder: Where ``report.html`` and the tables go.
        choices: What variants have chosen by ``[tune]``.

    Raises:
        CoviewError: If the numbers cannot be compared, a run's file is broken, or a library is missing.
    """
    require("matplotlib")
    require("jinja2")
    table = collect(comparison, cells)
    analysis = analyse(table)
    csv, parquet = write_cells(table, folder)
    page = page_template(PAGE)
    markdown = as_markdown(comparison, table, analysis)
    texts = {
        "report.html": page.render(
            page_values(comparison, table, analysis, folder, source_of(comparison, table), choices)
        ),
        "table.md": markdown,
        "table.tex": as_latex(comparison, table, analysis),
    }
    for name, text in texts.items():
        write_atomically(folder / name, text)
    report, as_table, latex = (folder / name for name in texts)
    return ComparisonReport(table, analysis, markdown, report, as_table, latex, csv, parquet)
