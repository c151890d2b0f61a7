"""The report of a comparison: a page, tables for a paper, and every cell as data."""

from coview.compare.report.write import ComparisonReport, write_comparison_report

__all__ = ["ComparisonReport", "write_comparison_report"]
