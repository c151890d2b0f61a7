"""Cosine distance of hidden tokens.

Of a prediction p and what it has to be, t, both of any length (EVA, arXiv:2211.07636, section 2):

    loss = mean over hidden tokens of  1 - cos(p, t)
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

import coview
from coview_losses.cosine import no_autocast, unit_rows
from coview_losses.token_mse import NEEDS
from coview_losses.tokens import hidden_tokens


class TokenCosine:
    """One minus the cosine.

    Args:
        over: "tokens": each hidden token of the batch counts alike; "samples": each view.
    """

    needs = NEEDS

    def __init__(self, *, over: Literal["tokens", "samples"] = "tokens") -> None:
        self.over: Literal["tokens", "samples"] = over

    def __call__(self, views: coview.Views) -> Tensor:
        """The loss of the whole batch."""
        tokens = hidden_tokens(views, "token_cosine")
        with no_autocast(tokens.predictions.device):
            cosine_K = (unit_rows(tokens.predictions) * unit_rows(tokens.targets)).sum(1)
            return tokens.mean(1 - cosine_K, over=self.over)
