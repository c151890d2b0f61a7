"""How do the representations lie in their space, whatever they are used for?"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge

from coview.data.rng import Rng
from coview.errors import CoviewError
from coview.evaluate.evaluator import KnownData
from coview.evaluate.features import Features
from coview.evaluate.result import Result
from coview.evaluating import diagnostics, finite_features, intervals

_LOWER = ("uniformity", "mean_cosine")
"""Of these the lower is the better: representations that use more of the space."""


FEWEST = 20
"""Samples that it is measured on, at least."""


class Geometry:
    """Collapse and spread of the test representations; needs no labels.

    ``effective_rank`` is RankMe (arXiv:2210.02885), from 1 to the smaller of samples and width. ``uniformity``
    (arXiv:2005.10242) is 0 where all have one direction, and the lower the more evenly they fill the sphere; about -4
    at best. ``spread`` is the deviation of the normalised dimensions times √D (arXiv:2011.10566): 0 collapsed, 1
    isotropic. ``isotropy`` is IsoScore* (arXiv:2305.19358): 0 all variance on one line, 1 the same in every direction.
    ``mean_cosine`` is that of two different samples: 1 where all lie in a narrow cone, 0 where they are centred.
    None of them is an accuracy: they show collapse, not usefulness. Numbers of different widths, or of different
    numbers of samples, cannot be compared.

    Args:
        samples: Test samples that are drawn, at least 20; all of them where there are fewer. RankMe takes 25,600.
    """

    splits = ("test",)
    labels: None = None

    def __init__(self, *, samples: Annotated[int, Ge(20)] = 2048) -> None:
        self.samples = samples

    def check(self, data: KnownData, /) -> None:
        """Refuses a test split of fewer than 20 samples."""
        if data.samples["test"] < FEWEST:
            raise CoviewError(
                f"the test split has {data.samples['test']} samples, and geometry needs at least {FEWEST}"
            )

    def __call__(self, features: Features, rng: Rng) -> list[Result]:
        """The five numbers, with intervals over samples.

        Raises:
            CoviewError: If there are fewer than 20 samples.
        """
        x_ND = finite_features(features, "test")
        if len(x_ND) < FEWEST:
            raise CoviewError(f"the test split has {len(x_ND)} samples, and geometry needs at least {FEWEST}")
        drawn = np.sort(rng.numpy.permutation(len(x_ND))[: self.samples])
        groups_N = features["test"].groups_N
        groups = intervals.groups_of(None if groups_N is None else groups_N[torch.from_numpy(drawn)])
        x_ND = x_ND[torch.from_numpy(drawn).to(x_ND.device)]

        def measure(rows: np.ndarray) -> dict[str, float]:
            return measures(x_ND[torch.from_numpy(rows).to(x_ND.device)])

        values = measure(np.arange(len(x_ND)))
        ends = intervals.jackknife_interval(len(x_ND), measure, rng.numpy, groups)
        protocol: dict[str, Any] = {
            "samples": len(x_ND),
            "of": "representations, neither centred nor scaled",
            "interval": intervals.JACKKNIFE_METHOD if groups is None else groups.method_of(intervals.JACKKNIFE_GROUPS),
        }
        return [
            Result(
                name,
                value,
                *ends[name],
                len(x_ND),
                "test",
                protocol,
                better="lower" if name in _LOWER else "higher",
                groups=None if groups is None else groups.count,
            )
            for name, value in values.items()
        ]


def measures(x_ND: torch.Tensor) -> dict[str, float]:
    """The five numbers, for at least two rows."""
    return {
        "effective_rank": float(diagnostics.effective_rank(x_ND)),
        "uniformity": float(diagnostics.uniformity(x_ND)),
        "spread": float(diagnostics.spread(x_ND)),
        "isotropy": float(diagnostics.isotropy(x_ND)),
        "mean_cosine": float(diagnostics.negative_similarity(x_ND)),
    }
