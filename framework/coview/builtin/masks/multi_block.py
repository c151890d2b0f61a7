"""Hides all but one large block, and asks for some blocks of what is hidden."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from coview.builtin.masks.grid import block_at, real_columns, rows_and_columns
from coview.data.batch_rng import BatchRng
from coview.data.token_mask import Hidden, TokenLayout

Fraction = Annotated[float, Gt(0), Le(1)]
Positive = Annotated[float, Gt(0)]


class MultiBlock:
    """I-JEPA's masks: the encoder sees one block without the tokens of several others, each of which is predicted by
    itself (arXiv:2301.08243, section 3).

    Sizes are drawn once for each batch, and places for each row, as in the authors' code. There rows are cut to the
    shortest of the batch, which would make a row depend on the others; here none is.

    Args:
        targets: Blocks that are predicted; the paper's 4.
        target_scale: Bounds of their share of the grid; the paper's 0.15 and 0.2.
        target_aspect: Bounds of their height by their width; the paper's 0.75 and 1.5.
        context_scale: Bounds of the seen block's share of the grid, before the targets are taken out; the paper's
            0.85 and 1.
    """

    def __init__(
        self,
        targets: Annotated[int, Ge(1), Le(64)] = 4,
        target_scale: tuple[Fraction, Fraction] = (0.15, 0.2),
        target_aspect: tuple[Positive, Positive] = (0.75, 1.5),
        context_scale: tuple[Fraction, Fraction] = (0.85, 1.0),
    ) -> None:
        for name, (low, high) in (
            ("target_scale", target_scale), ("target_aspect", target_aspect), ("context_scale", context_scale)
        ):  # fmt: skip
            if low > high:
                raise ValueError(f"{name}: the lower bound comes first, got [{low:g}, {high:g}]")
        self.targets, self.target_scale, self.target_aspect = targets, target_scale, target_aspect
        self.context_scale = context_scale

    def __call__(self, layout: TokenLayout, rng: BatchRng, /) -> Hidden:
        """Hides what is not of the context, and wants the targets."""
        height, width = rows_and_columns(layout, "multi_block")
        columns_N = real_columns(layout)
        of_view_VK, place_NK = rng.of_view().uniform(3), rng.uniform(2 * (self.targets + 1))
        rows = len(place_NK) // len(of_view_VK)
        scale_N, aspect_N, context_N = of_view_VK.repeat_interleave(rows, dim=0).unbind(1)
        h_N, w_N = self._size(
            _between(scale_N, self.target_scale), _between(aspect_N, self.target_aspect), height, columns_N
        )
        at_NK2 = place_NK.unflatten(1, (self.targets + 1, 2))
        blocks = [block_at(at_N2, h_N, w_N, (height, width), columns_N) for at_N2 in at_NK2[:, :-1].unbind(1)]
        wanted_NBT = torch.stack(blocks, 1)
        scale_N = _between(context_N, self.context_scale)
        h_N, w_N = self._size(scale_N, torch.ones_like(scale_N), height, columns_N)
        context_NT = block_at(at_NK2[:, -1], h_N, w_N, (height, width), columns_N)
        hidden_NT = ~context_NT | wanted_NBT.any(1)
        # where the targets cover all of the context, one token of it is seen none the less
        nothing_N = hidden_NT.all(1)
        spared_NT = torch.zeros_like(hidden_NT).scatter_(1, context_NT.int().argmax(1, keepdim=True), True)
        hidden_NT &= ~(spared_NT & nothing_N[:, None])
        wanted_NBT &= hidden_NT[:, None]
        whole_NBT = torch.stack([layout.whole(block_NT) for block_NT in wanted_NBT.unbind(1)], 1)
        return Hidden(layout.whole(hidden_NT), whole_NBT)

    def _size(self, scale_N: Tensor, aspect_N: Tensor, height: int, columns_N: Tensor) -> tuple[Tensor, Tensor]:
        """As the authors' code: of a whole number of tokens, and never as high or as wide as the grid."""
        area_N = (scale_N * height * columns_N).floor()
        h_N, w_N = (area_N * aspect_N).sqrt().round().long(), (area_N / aspect_N).sqrt().round().long()
        return h_N.clamp(max=height - 1).clamp(min=1), torch.minimum(w_N, columns_N - 1).clamp(min=1)


def _between(unit_N: Tensor, bounds: tuple[float, float]) -> Tensor:
    return unit_N * (bounds[1] - bounds[0]) + bounds[0]
