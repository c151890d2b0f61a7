"""The public functions that need components: each takes all installed plugins unless it is given a registry.

Below them the registry is a required argument, so that what a caller has left out stays left out.
"""
