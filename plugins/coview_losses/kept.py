"""Small tensors that a loss makes of the shapes of its batch, kept from one step to the next.

To make one more tensor at every step takes a GPU longer than the rest of a small loss, and to bring it over makes the
CPU wait.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from typing import TypeVar

import torch
from torch import Tensor

Made = TypeVar("Made", Tensor, tuple[Tensor, Tensor])

_MOST = 4
"""Results of each function: the batches of training, and few others."""


def kept(make: Callable[..., Made]) -> Callable[..., Made]:
    """Keeps the last results of a function of plain values, which makes tensors on the CPU and brings them over.

    What a mode of PyTorch makes in their place, such as tensors that have shapes and no numbers, is not kept: it
    would be given to the next who has the mode off.
    """
    results: OrderedDict[Hashable, Made] = OrderedDict()

    @wraps(make)
    def found(*arguments: Hashable) -> Made:
        if arguments in results:
            results.move_to_end(arguments)
            return results[arguments]
        with torch.device("cpu"), torch.inference_mode(False):
            made = make(*arguments)
        if all(type(tensor) is Tensor for tensor in ((made,) if isinstance(made, Tensor) else made)):
            results[arguments] = made
            if len(results) > _MOST:
                results.popitem(last=False)
        return made

    return found
