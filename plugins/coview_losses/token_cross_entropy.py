"""Cross-entropy of hidden tokens that are classes: BERT's masked language model, BEST-RQ.

Devlin et al. 2019 (arXiv:1810.04805, section 3.1); Chiu et al. 2022 (arXiv:2202.01855, section 3). With p the
prediction of a hidden token, of a number for each class, and t the class that it was,

    loss = -mean over hidden tokens of  log softmax(p)_t
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional

import coview
from coview_losses.cosine import in_full_precision, no_autocast
from coview_losses.tokens import hidden_tokens


class TokenCrossEntropy:
    """Cross-entropy; beside it the share of hidden tokens whose class was predicted best.

    Args:
        over: "tokens": each hidden token of the batch counts alike, as in the authors' code; "samples": each view.
    """

    needs = coview.Needs(views=1, local_views=True, smallest_batch=1, projections=False, tokens="classes")

    def __init__(self, *, over: Literal["tokens", "samples"] = "tokens") -> None:
        self.over: Literal["tokens", "samples"] = over

    def __call__(self, views: coview.Views) -> dict[str, Tensor]:
        """The loss of the whole batch, and ``token_accuracy``."""
        tokens = hidden_tokens(views, "token_cross_entropy")
        with no_autocast(tokens.predictions.device):
            logits_KC = in_full_precision(tokens.predictions)
            loss = tokens.mean(functional.cross_entropy(logits_KC, tokens.targets, reduction="none"), over=self.over)
            right_K = (logits_KC.detach().argmax(1) == tokens.targets).to(logits_KC.dtype)
            return {"loss": loss, "token_accuracy": tokens.mean(right_K)}
