"""Whole runs: their folder, their environment, and what is done with them."""
