"""Searching a run's data by a text, a picture or a sound."""

from coview.experiment.search.find import Found, Hit, search
from coview.experiment.search.page import write_page

__all__ = ["Found", "Hit", "search", "write_page"]
