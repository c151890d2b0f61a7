"""What a computation is made of: its operations, and the memory that it holds."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count, flop_registry, sdpa_flop_count

from coview.experiment.estimate.cards import Card

_NAMES = {torch.bfloat16: "bf16", torch.float16: "fp16"}
_ARITHMETIC_WITHOUT_FORMULA = ("fft", "lstm", "gru", "rnn", "attention", "cdist", "cholesky", "eigh", "svd", "solve")
"""In the names of operations that compute much, and of which PyTorch's counter may know no number of operations."""


class Operation(NamedTuple):
    """One call of a kernel.

    Attributes:
        dtype: Of its numbers: ``bf16``, ``fp16`` or ``fp32``.
        is_convolution: Whether it is one.
        flops: Operations, two for each multiplication with its addition.
        bytes: What it reads and writes.
    """

    dtype: str
    is_convolution: bool
    flops: int
    bytes: int


@dataclass
class Work:
    """Operations, with how often each is called.

    Attributes:
        calls: By operation. A number need not be whole: work can be scaled.
        uncounted: Names of operations that may compute much, and that have no formula.
    """

    calls: dict[Operation, float] = field(default_factory=dict)
    uncounted: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, operations: Iterable[Operation], uncounted: Iterable[str] = ()) -> Work:
        """Some operations, each called once for each time that it occurs."""
        return cls({operation: float(count) for operation, count in Counter(operations).items()}, set(uncounted))

    @property
    def flops(self) -> float:
        """All operations."""
        return sum(operation.flops * count for operation, count in self.calls.items())

    @property
    def bytes(self) -> float:
        """All that is read and written."""
        return sum(operation.bytes * count for operation, count in self.calls.items())

    @property
    def kernels(self) -> float:
        """How many calls there are."""
        return sum(self.calls.values())

    def seconds(self, card: Card) -> tuple[float, float]:
        """The least that a card takes, of operations that its arithmetic limits, and of those that its memory does.

        The roofline of each call by itself (Williams et al. 2009, doi:10.1145/1498765.1498785): as no kernel of PyTorch
        without ``torch.compile`` is fused with the next one, each reads its inputs and writes its outputs.
        """
        by_arithmetic = by_memory = 0.0
        for operation, count in self.calls.items():
            of_flops = operation.flops / card.peak(operation.dtype, is_convolution=operation.is_convolution)
            of_bytes = operation.bytes / card.bandwidth
            if of_flops > of_bytes:
                by_arithmetic += count * of_flops
            else:
                by_memory += count * of_bytes
        return by_arithmetic, by_memory

    def times(self, factor: float) -> Work:
        """The same so many times."""
        return Work({operation: count * factor for operation, count in self.calls.items()}, set(self.uncounted))

    def __add__(self, other: Work) -> Work:
        calls = dict(self.calls)
        for operation, count in other.calls.items():
            calls[operation] = calls.get(operation, 0) + count
        return Work(calls, self.uncounted | other.uncounted)


class Recorder(TorchDispatchMode):
    """Notes each operation while it is entered, and how many bytes the tensors hold that were made meanwhile.

    With fake tensors nothing is computed and nothing allocated.

    Args:
        only_shapes: Whether operations that compute much give zeros, of the right shapes: quickly.

    Attributes:
        operations: What was called, in this order.
        uncounted: Names of what may compute much, and has no formula.
        live: Bytes of tensors that were made since, and are still there.
        lives: The same after each of the operations.
    """

    def __init__(self, *, only_shapes: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self.uncounted: set[str] = set()
        self.live = 0
        self.lives: list[int] = []
        self._held: dict[int, weakref.ref[Any]] = {}
        self._counter = FlopCounterMode(display=False, custom_mapping=_formulas())
        self._zeros = _Zeros() if only_shapes else None  # type: ignore[no-untyped-call]

    def know(self, tensors: Iterable[Tensor]) -> None:
        """Tensors that were there before, and do not count."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            self._held[id(storage)] = weakref.ref(storage)

    def __enter__(self) -> Recorder:
        if self._zeros is not None:
            self._zeros.__enter__()  # type: ignore[no-untyped-call]
        self._counter.__enter__()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *details: Any) -> None:
        super().__exit__(*details)  # type: ignore[no-untyped-call]
        self._counter.__exit__(*details)
        if self._zeros is not None:
            self._zeros.__exit__(*details)  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        before = self._counter.get_total_flops()
        out = func(*args, **(kwargs or {}))
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        made = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        for tensor in made:
            self._hold(tensor)
        self._note(func, self._counter.get_total_flops() - before, given, made)
        return out

    def _note(self, func: Any, flops: int, given: list[Tensor], made: list[Tensor]) -> None:
        storages = {id(tensor.untyped_storage()) for tensor in given}
        is_view = made and all(id(tensor.untyped_storage()) in storages for tensor in made)
        if not made or (is_view and not func._schema.is_mutable):
            return
        name = str(func)
        if not flops and any(part in name for part in _ARITHMETIC_WITHOUT_FORMULA):
            self.uncounted.add(name.removesuffix(".default"))
        floating = next((tensor.dtype for tensor in [*given, *made] if tensor.is_floating_point()), torch.float32)
        moved = sum({id(tensor): _bytes_of(tensor) for tensor in [*given, *made]}.values())
        self.operations.append(Operation(_NAMES.get(floating, "fp32"), "conv" in name, flops, moved))
        self.lives.append(self.live)

    @property
    def peak(self) -> int:
        """The most bytes at once."""
        return max(self.lives, default=0)

    def _hold(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = id(storage)
        known = self._held.get(key)
        if known is not None and known() is storage:
            return
        size = storage.nbytes()

        def freed(_: Any) -> None:
            self.live -= size
            self._held.pop(key, None)

        self._held[key] = weakref.ref(storage, freed)
        self.live += size


class _Zeros(TorchDispatchMode):
    """Has the operations that PyTorch's counter counts give zeros of the shapes that they would give."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func._overloadpacket not in flop_registry and func._overloadpacket not in _formulas():
            return func(*args, **(kwargs or {}))
        given = tree_map_only(Tensor, lambda tensor: tensor.to("meta"), (args, kwargs or {}))
        made = func(*given[0], **given[1])
        return tree_map_only(Tensor, lambda tensor: torch.zeros_like(tensor, device="cpu"), made)


def _bytes_of(tensor: Tensor) -> int:
    """What has to be read of it: of an expanded tensor not more than there is."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


@cache
def _formulas() -> dict[Any, Callable[..., int]]:
    """What PyTorch's counter lacks: the attention of a CPU, and that a grouped convolution has few gradients."""
    aten: Any = torch.ops.aten
    return {
        aten._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_, **__: sdpa_flop_count(q, k, v),
        # the scores are computed again, and there are four products of the gradients
        aten._scaled_dot_product_flash_attention_for_cpu_backward: (
            lambda grad, q, k, v, *_, **__: sdpa_flop_count(q, k, v) * 5 // 2
        ),
        aten.convolution_backward: _flops_of_convolution_backward,
    }


def _flops_of_convolution_backward(
    grad: Any, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
    output_padding: Any, groups: int, wanted: list[bool], out_shape: Any = None,
) -> int:  # fmt: skip
    """The gradients by input and by weight are each as much work as the forward pass, whatever the groups."""
    return sum(wanted[:2]) * conv_flop_count(x, weight, grad, transposed)
