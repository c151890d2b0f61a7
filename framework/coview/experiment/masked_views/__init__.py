"""Showing what a mask hides of views, and what was predicted for it: nothing here trains."""
