"""What a hidden token was, in any modality: squared error where it is numbers, cross-entropy where it is a class.

Pixels and log-mel as masked autoencoders (He et al. 2022, arXiv:2111.06377, section 3), tokens of texts as BERT (Devlin et
al. 2019, arXiv:1810.04805, section 3.1): the loss of a comparison between modalities, in which each has its own.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

import coview
from coview_losses.token_cross_entropy import TokenCrossEntropy
from coview_losses.token_mse import TokenMSE
from coview_losses.tokens import hidden_tokens


class TokenReconstruction:
    """``token_mse`` or ``token_cross_entropy``, whichever the target makes right.

    Args:
        over: "tokens": each hidden token of the batch counts alike; "samples": each view.
    """

    needs = coview.Needs(views=1, local_views=True, smallest_batch=1, projections=False, tokens="either")

    def __init__(self, *, over: Literal["tokens", "samples"] = "tokens") -> None:
        self._of_numbers, self._of_classes = TokenMSE(over=over), TokenCrossEntropy(over=over)

    def __call__(self, views: coview.Views) -> Tensor | dict[str, Tensor]:
        """The loss of the whole batch."""
        if hidden_tokens(views, "token_reconstruction").targets.ndim == 1:
            return self._of_classes(views)
        return self._of_numbers(views)
