"""Frozen representations in, numbers with intervals out."""
