"""The diagnostics of projections by name. Apart from what computes them, which imports torch."""

from __future__ import annotations

from collections.abc import Mapping

DIAGNOSTICS: Mapping[str, str] = {
    "spread": "How far samples lie apart. Near 0 the representation has collapsed.",
    "effective_rank": "How many dimensions are in use.",
    "lidar": "How many dimensions tell samples apart more than views.",
    "alignment": "Distance between two views of one sample.",
    "uniformity": "How evenly samples cover the sphere; lower is more even.",
    "positive_similarity": "Cosine between two views of one sample.",
    "negative_similarity": "Cosine between different samples.",
    "false_negative_rate": "Share of the batch's pairs of samples that are of one class.",
}
"""The name that each is logged under, and what it says; :mod:`coview.evaluate.diagnostics` computes them."""
