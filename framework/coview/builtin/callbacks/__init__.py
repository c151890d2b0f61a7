"""Callbacks that come with coview: what ends a run early, and trackers."""
