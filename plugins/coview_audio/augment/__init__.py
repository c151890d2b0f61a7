"""Augmentations of sounds; all their randomness comes from the Rng they are given."""
