"""Smooth L1 of hidden tokens: data2vec and, with ``beta = 0``, SimMIM.

Baevski et al. 2022 (arXiv:2202.03555); Xie et al. 2022 (arXiv:2111.09886, section 3.4). With d the
difference between a prediction and what it has to be,

    loss = mean over hidden tokens and their numbers of  d² / (2 beta) where |d| < beta, else |d| - beta / 2
"""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le
from torch import Tensor
from torch.nn import functional

import coview
from coview_losses.cosine import in_full_precision, no_autocast
from coview_losses.token_mse import NEEDS
from coview_losses.tokens import hidden_tokens


class TokenSmoothL1:
    """Squared near zero, and absolute further off.

    Args:
        beta: The distance at which one becomes the other; 0: absolute throughout, as in SimMIM; data2vec: 2 for
            pictures, 4 for texts.
        over: "tokens": each hidden token of the batch counts alike, as in the authors' code; "samples": each view.
    """

    needs = NEEDS
    read_each_step = ("beta",)

    def __init__(
        self, *, beta: Annotated[float, Ge(0), Le(100)] = 1.0, over: Literal["tokens", "samples"] = "tokens"
    ) -> None:
        self.beta = beta
        self.over: Literal["tokens", "samples"] = over

    def __call__(self, views: coview.Views) -> Tensor:
        """The loss of the whole batch."""
        tokens = hidden_tokens(views, "token_smooth_l1")
        with no_autocast(tokens.predictions.device):
            predictions_KP, targets_KP = in_full_precision(tokens.predictions), in_full_precision(tokens.targets)
            loss_KP = functional.smooth_l1_loss(predictions_KP, targets_KP, beta=self.beta, reduction="none")
            return tokens.mean(loss_KP.mean(1), over=self.over)
