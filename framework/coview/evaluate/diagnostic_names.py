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

_OF_PAIRS: Mapping[str, str] = {
    "modality_gap": "Distance between the centres of two modalities; 0 where they lie in one place.",
    "alignment": "Distance between a sample's rows in two modalities.",
    "uniformity": "How evenly different samples' rows in two modalities cover the sphere; lower is more even.",
}
"""Those of each pair of modalities, which are logged under ``NAME/image-text``."""


def is_diagnostic(key: str) -> bool:
    """Whether a metric is one of them."""
    return key in DIAGNOSTICS or ("/" in key and key.partition("/")[0] in _OF_PAIRS)


def about_diagnostic(key: str) -> str:
    """What a diagnostic says; empty for another metric."""
    return DIAGNOSTICS.get(key) or (_OF_PAIRS.get(key.partition("/")[0], "") if "/" in key else "")
