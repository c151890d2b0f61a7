"""Mean squared error of hidden tokens: masked autoencoders and I-JEPA.

He et al. 2022 (arXiv:2111.06377, section 3). With p the prediction of a hidden token and t what it was, of P numbers,

    loss = mean over hidden tokens of  mean over P of (p - t)²
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

import coview
from coview_losses.cosine import in_full_precision, no_autocast
from coview_losses.tokens import hidden_tokens

NEEDS = coview.Needs(views=1, local_views=True, smallest_batch=1, projections=False, tokens="numbers")
"""Of every loss of hidden tokens that are numbers."""


class TokenMSE:
    """Mean squared error.

    Args:
        over: "tokens": each hidden token of the batch counts alike, as in the authors' code; "samples": each view.
    """

    needs = NEEDS

    def __init__(self, *, over: Literal["tokens", "samples"] = "tokens") -> None:
        self.over: Literal["tokens", "samples"] = over

    def __call__(self, views: coview.Views) -> Tensor:
        """The loss of the whole batch."""
        tokens = hidden_tokens(views, "token_mse")
        with no_autocast(tokens.predictions.device):
            difference_KP = in_full_precision(tokens.predictions) - in_full_precision(tokens.targets)
            return tokens.mean(difference_KP.square().mean(1), over=self.over)
