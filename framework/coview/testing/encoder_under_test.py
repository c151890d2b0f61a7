"""An encoder that is checked, and what it is tried on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coview.data.generators import seeded
from coview.data.modality import Modality
from coview.model.context import InContext, takes_context
from coview.model.encoder import Encoding, FitsToData
from coview.model.encoder_hooks import collator

TOLERANCE = 1e-4
"""Relative to the largest number of an encoding: other batch sizes take other kernels, in fp32."""


@dataclass(frozen=True)
class EncoderUnderTest:
    """An encoder, by what builds it, and values to try it on.

    Attributes:
        factory, parameters: A fresh instance is ``factory(**parameters)``.
        modality: What makes batches for it, unless it does so itself.
        values: Values of its modality, of different lengths where the modality has lengths.
        context: What it is called with besides, if it takes a context.
    """

    factory: Callable[..., Any]
    parameters: Mapping[str, Any]
    modality: Modality
    values: Sequence[Any]
    context: Any = None

    def built(self) -> Any:
        """A new instance with the same weights each time."""
        with seeded(0):
            return self.factory(**copy.deepcopy(dict(self.parameters)))

    def fresh(self) -> Any:
        """The same, fitted to the values where it fits itself."""
        return self.fitted(self.built())

    def fitted(self, encoder: Any) -> Any:
        """The encoder, fitted where it fits itself: as a run does, to values that can be gone through once."""
        if isinstance(encoder, FitsToData):
            encoder.fit(copy.deepcopy(value) for value in self.values)
        return encoder

    def collated(self, encoder: Any, values: Sequence[Any]) -> Any:
        """The batch that the encoder is given of some values."""
        return collator(self.modality, encoder).collate(values)

    def given(self, encoder: Any, values: Sequence[Any]) -> Any:
        """The same, in the context where it takes one."""
        batch = self.collated(encoder, values)
        return InContext(batch, (self.context,)) if takes_context(encoder) else batch

    def encode(self, encoder: Any, values: Sequence[Any]) -> Encoding:
        """The encoding of some values, in whichever mode the encoder is."""
        return self.called(encoder, self.collated(encoder, values))

    def called(self, encoder: Any, batch: Any) -> Encoding:
        """What it makes of a batch, in the context where it takes one."""
        encoding: Encoding = encoder(batch, self.context) if takes_context(encoder) else encoder(batch)
        return encoding
