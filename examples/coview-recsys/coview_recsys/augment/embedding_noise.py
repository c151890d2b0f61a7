"""Views of SimGCL: the whole graph, with noise on the vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar

from annotated_types import Gt

import coview
from coview_recsys.data.bipartite import Bipartite


class EmbeddingNoise:
    """Has ``lightgcn`` move the vectors of each layer by noise (SimGCL, arXiv:2112.08679, section 3.1).

    Args:
        length: How far each vector moves.
    """

    of_context: ClassVar[bool] = True

    def __init__(self, *, length: Annotated[float, Gt(0)] = 0.1) -> None:
        self.length = length

    def __call__(self, context: Bipartite, rng: coview.Rng, /) -> Bipartite:
        """The same graph, which says how much noise there is and from which seed it is drawn."""
        return replace(context, noise=self.length, noise_seed=int(rng.numpy.integers(2**62)))
