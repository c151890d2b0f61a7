"""DCLW: decoupled contrastive learning that draws more where a sample's views agree less.

The loss and its weights stand in ``dcl.py`` (arXiv:2110.06848).
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import Temperature
from coview_losses.dcl import dcl, von_mises_fisher_weights
from coview_losses.positives_and_negatives import Similarities


class DCLW(nn.Module):
    """DCL whose positives are weighted by a negative von Mises-Fisher function of their agreement.

    Args:
        temperature: Divides the cosine similarities; 0.01 to 10. The paper's is 0.1 for ImageNet
            and 0.07 for CIFAR.
        sigma: Divides the cosine in the weight, 0.01 to 100: the smaller, the more the weights differ. The paper's
            is 0.5.
    """

    needs = coview.Needs(views=2, queue="optional", local_views=True, smallest_batch=2, negatives="queue")
    read_each_step = (
        "temperature",
        "sigma",
    )

    def __init__(self, *, temperature: Temperature = 0.1, sigma: Annotated[float, Ge(0.01), Le(100)] = 0.5) -> None:
        super().__init__()
        self.temperature = temperature
        self.sigma = sigma

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns."""
        weight_VNG = von_mises_fisher_weights(views.student, views.teacher, self.sigma)
        return dcl(Similarities.of(views, self.temperature, loss="dclw"), weight_VNG[:, views.anchors])
