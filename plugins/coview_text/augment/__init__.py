"""Augmentations of one text; all their randomness comes from the Rng they are given."""
