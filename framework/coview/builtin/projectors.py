"""From representations to projections."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn


class MLP(nn.Sequential):
    """A multilayer perceptron with batch norm, as contrastive methods use between encoder and loss.

    Args:
        hidden: Width of each hidden layer; SimCLR's is that of the encoder, 2048 for a ResNet-50.
        width: Width of the projections; SimCLR's is 128.
        layers: Linear layers in all: 1 is a linear map, SimCLR's is 2, SimCLR v2's and Barlow Twins' is 3.
        batch_norm: Whether each hidden layer is batch-normalised.
        last_batch_norm: Whether the projections are batch-normalised too, without scale and shift.
    """

    def __init__(
        self,
        in_width: int,
        hidden: Annotated[int, Ge(1)] = 2048,
        width: Annotated[int, Ge(1)] = 128,
        layers: Annotated[int, Ge(1)] = 2,
        batch_norm: bool = True,
        last_batch_norm: bool = False,
    ) -> None:
        parts: list[nn.Module] = []
        for _ in range(layers - 1):
            # a bias before a batch norm does nothing
            parts.append(nn.Linear(in_width, hidden, bias=not batch_norm))
            if batch_norm:
                parts.append(nn.BatchNorm1d(hidden))
            parts.append(nn.ReLU(inplace=True))
            in_width = hidden
        parts.append(nn.Linear(in_width, width, bias=not last_batch_norm))
        if last_batch_norm:
            parts.append(nn.BatchNorm1d(width, affine=False))
        super().__init__(*parts)
        self.width = width


class Identity(nn.Module):
    """No projector: the loss sees the encoder's representations."""

    def __init__(self, in_width: int) -> None:
        super().__init__()
        self.width = in_width

    def forward(self, x_ND: Tensor) -> Tensor:
        """Returns its input."""
        return x_ND
