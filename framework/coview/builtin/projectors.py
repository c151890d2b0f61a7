"""From representations to projections."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from annotated_types import Ge
from torch import Tensor, nn

from coview.model.encoder import HasOwnProjection


class MLP(nn.Sequential):
    """A multilayer perceptron with batch norm, as contrastive methods use between encoder and loss.

    Args:
        hidden: Width of each hidden layer; SimCLR's is that of the encoder, 2048 for a ResNet-50.
        width: Width of the projections; SimCLR's is 128.
        layers: Linear layers in all: 1 is a linear map, SimCLR's is 2, SimCLR v2's and Barlow Twins' is 3.
        batch_norm: Whether each hidden layer is batch-normalised.
        last_batch_norm: Whether the projections are batch-normalised too: true is without scale and shift, as in
            SimSiam and MoCo v3; "scale" with a scale alone, as in the code of SimCLR; "affine" with both.
        last_bias: Whether the last layer has a bias, unless a batch norm follows, before which a bias does nothing. It
            has none in BYOL, Barlow Twins, VICReg and MoCo v3's predictor for ResNets.
    """

    def __init__(
        self,
        in_width: int,
        hidden: Annotated[int, Ge(1)] = 2048,
        width: Annotated[int, Ge(1)] = 128,
        layers: Annotated[int, Ge(1)] = 2,
        batch_norm: bool = True,
        last_batch_norm: bool | Literal["scale", "affine"] = False,
        last_bias: bool = True,
    ) -> None:
        parts: list[nn.Module] = []
        for _ in range(layers - 1):
            # a bias before a batch norm does nothing
            parts.append(nn.Linear(in_width, hidden, bias=not batch_norm))
            if batch_norm:
                parts.append(nn.BatchNorm1d(hidden))
            parts.append(nn.ReLU(inplace=True))
            in_width = hidden
        parts.append(nn.Linear(in_width, width, bias=last_bias and not last_batch_norm))
        if last_batch_norm:
            norm = nn.BatchNorm1d(width, affine=last_batch_norm is not True)
            if last_batch_norm == "scale":
                norm.bias.requires_grad_(False)
            parts.append(norm)
        super().__init__(*parts)
        self.width = width

    def first_layers(self, count: int, /) -> Layers:
        """The first layers, with what normalises them and their ReLU.

        Raises:
            ValueError: If there are not so many.
        """
        starts = [at for at, part in enumerate(self) if isinstance(part, nn.Linear)]
        if not 1 <= count <= len(starts):
            raise ValueError(f"the projector has {len(starts)} layers, and {count} are asked for")
        end = len(self) if count == len(starts) else starts[count]
        last = self[starts[count - 1]]
        assert isinstance(last, nn.Linear)
        return Layers(list(self)[:end], last.out_features)


class Layers(nn.Sequential):
    """Layers of a perceptron, and the width that they end in."""

    def __init__(self, parts: Iterable[nn.Module], width: int) -> None:
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


class Own(nn.Module):
    """The projection that came with the encoder's weights, such as CLIP's projection of pictures.

    Args:
        in_width: Width of the representations.
        encoder: The encoder.
    """

    def __init__(self, in_width: int, *, encoder: nn.Module) -> None:
        super().__init__()
        if not isinstance(encoder, HasOwnProjection):
            raise ValueError(f"{type(encoder).__name__} has no projection of its own: take mlp or identity")
        self.projection, self.width = encoder.own_projection()

    def forward(self, x_ND: Tensor) -> Tensor:
        """From ``(N, in_width)`` to ``(N, width)``."""
        z_ND: Tensor = self.projection(x_ND)
        return z_ND
