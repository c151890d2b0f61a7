"""Texts with labels, scores and judged pairs."""
