"""Recipes: read, extend, override, validate, locate, snapshot, sweep."""
