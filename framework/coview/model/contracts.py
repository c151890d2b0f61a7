"""The contracts of encoders and projectors, which plugins implement."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from coview.model.encoding import Encoding


class Encoder(Protocol):
    """An ``nn.Module`` from a modality's batch to an :class:`Encoding`. Padding must not change what it returns.

    Attributes:
        width: D of ``pooled_ND``.
    """

    width: int

    def __call__(self, batch: Any, /) -> Encoding:
        """Encodes what the modality has collated."""
        ...


class Projector(Protocol):
    """An ``nn.Module`` from representations ``(N, in_width)`` to projections ``(N, width)``.

    The registered target is called as ``target(in_width=…, **parameters)``.
    """

    width: int

    def __call__(self, x_ND: Tensor, /) -> Tensor:
        """Projects ``(N, in_width)`` to ``(N, width)``."""
        ...


@runtime_checkable
class ExportsToHub(Protocol):
    """An encoder that can be written as a folder which transformers or timm load; a modality, as its preprocessor."""

    def export_hf(self, folder: Path, /) -> str:
        """Writes into the folder and returns the Python lines that load what was written.

        A modality's come first and may name what they prepare; an encoder's may use it.
        """
        ...
