"""Views of SGL: the graph without some of its edges."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Lt

import coview
from coview_recsys.data.bipartite import Bipartite


class DropEdges:
    """Leaves out edges of the graph (SGL's edge dropout; Wu et al., SIGIR 2021, arXiv:2010.10783, equation 3).

    Args:
        share: Of the edges that are left out, each by itself.
    """

    of_context: ClassVar[bool] = True

    def __init__(self, *, share: Annotated[float, Ge(0), Lt(1)] = 0.1) -> None:
        self.share = share

    def __call__(self, context: Bipartite, rng: coview.Rng, /) -> Bipartite:
        """The graph with the other edges; degrees are those of what is left."""
        kept_E = torch.from_numpy(rng.numpy.random(len(context.users_E)) >= self.share).to(context.users_E.device)
        return replace(context, users_E=context.users_E[kept_E], items_E=context.items_E[kept_E])
