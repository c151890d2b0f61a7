"""Comparing runs: the cells of a comparison, launching what is missing, statistics, and one report."""
