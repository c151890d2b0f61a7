"""Hook specifications, discovery and the registry. Imports nothing heavy: ``coview plugins list`` needs no torch."""
