"""Towers (encoder and projector), and what a loss sees of them."""
