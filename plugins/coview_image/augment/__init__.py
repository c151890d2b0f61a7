"""Augmentations of one picture; all their randomness comes from the Rng they are given."""

from __future__ import annotations

import os

# Before any module here imports albumentations, which would ask PyPI for a newer version of itself.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
