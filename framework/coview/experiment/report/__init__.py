"""report.html: a run on one page, made from nothing but the files in its folder."""

from coview.experiment.report.write import write_report

__all__ = ["write_report"]
