"""A model that others may look at, and whether they have left it as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

_Trace = tuple[int, int, int, bool]
"""Of a tensor: which it is, where its numbers lie, how often they were written, and whether it wants a gradient."""


class WatchedModel:
    """A model for one who reads it. What is watched costs no look at a single number: PyTorch counts the writes.

    Args:
        model: The model.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._before: _State | None = None
        self._is_known = False

    def get(self) -> nn.Module:
        """The model; from here on it is watched."""
        self._is_known = True
        if self._before is None:
            self._before = _State.of(self._model)
        return self._model

    def begin(self) -> None:
        """Before its reader is called: who has got the model once may have kept it."""
        self._before = _State.of(self._model) if self._is_known else None

    def written(self) -> list[str]:
        """The parameters, buffers and gradients that were written or replaced since, by their names."""
        if self._before is None:
            return []
        before, now = self._before.tensors, dict(_traces(self._model))
        return [name for name in {**before, **now} if before.get(name) != now.get(name)]

    def put_modes_back(self) -> list[str]:
        """The modules whose mode was changed since, by their names; they are in the mode that they were in."""
        changed = []
        for name, module, training in () if self._before is None else self._before.modes:
            if module.training != training:
                changed.append(name or "the whole model")
                module.training = training
        return changed


@dataclass(frozen=True)
class _State:
    tensors: Mapping[str, _Trace]
    modes: tuple[tuple[str, nn.Module, bool], ...]

    @classmethod
    def of(cls, model: nn.Module) -> _State:
        modes = tuple((name, module, module.training) for name, module in model.named_modules())
        return cls(dict(_traces(model)), modes)


def _traces(model: nn.Module) -> Iterator[tuple[str, _Trace]]:
    for name, parameter in model.named_parameters():
        yield name, _trace(parameter)
        if parameter.grad is not None:
            yield f"the gradient of {name}", _trace(parameter.grad)
    for name, buffer in model.named_buffers():
        yield name, _trace(buffer)


def _trace(tensor: Tensor) -> _Trace:
    return id(tensor), tensor.data_ptr(), tensor._version, tensor.requires_grad
