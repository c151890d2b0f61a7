"""A batch of texts in groups of about one length, so that a CPU computes few tokens that are padding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

MOST_GROUPS, FEWEST_ROWS = 8, 16


def by_length(
    run: Callable[[dict[str, Tensor]], Sequence[Tensor]], given: Mapping[str, Tensor], mask_NT: Tensor
) -> list[Tensor]:
    """What a model makes of a batch, computed for each group of texts of about one length.

    Each text gets what it gets in the whole batch, up to rounding, since padding is seen by no token.  Tokens of a
    group are filled up to T by zeros.  N text · T token · D width.

    Args:
        run: The model: from a batch, such as ``given`` or a part of it, to vectors of the texts (N, D) or of their
            tokens (N, T, D).
        given: Tensors (N, T, …).
        mask_NT: 1 where a token is real; padding is on the right.
    """
    groups = _groups(mask_NT)
    if len(groups) == 1:
        return list(run({**given}))
    found = []
    for rows_n in groups:
        longest = max(1, int(mask_NT[rows_n].sum(1).max()))
        found.append(run({name: tensor[rows_n, :longest] for name, tensor in given.items()}))
    back_N = torch.cat(groups).argsort()
    tokens = mask_NT.shape[1]
    filled = [[pad(part, (0, 0, 0, tokens - part.shape[1])) if part.ndim == 3 else part for part in of] for of in found]
    return [torch.cat(parts)[back_N] for parts in zip(*filled, strict=True)]


def _groups(mask_NT: Tensor) -> list[Tensor]:
    """The rows of each group, the shortest texts first.

    All rows are one group where dividing costs more than it saves: on a GPU, which would have to be waited for; where
    ``torch.compile`` traces, which would compile for each length; and on the meta device, which has no lengths.
    """
    count = min(MOST_GROUPS, len(mask_NT) // FEWEST_ROWS)
    if mask_NT.device.type != "cpu" or torch.compiler.is_compiling() or count < 2:
        return [torch.arange(len(mask_NT))]
    lengths_N, rows_N = mask_NT.sum(1).sort(stable=True)
    groups: list[Tensor] = []
    longest = -1
    for rows_n, lengths_n in zip(rows_N.tensor_split(count), lengths_N.tensor_split(count), strict=True):
        if int(lengths_n[-1]) == longest:  # as long as the group before
            groups[-1] = torch.cat([groups[-1], rows_n])
        else:
            groups.append(rows_n)
        longest = int(lengths_n[-1])
    return groups
