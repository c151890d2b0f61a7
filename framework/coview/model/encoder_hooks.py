"""What an encoder may bring besides its forward pass: a collation of its own, and what it fits to the data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from coview.data.dataset import Dataset
from coview.data.modality import Collates
from coview.data.values import readable_values
from coview.model.encoder import FitsToData
from coview.model.tower import Towers


@dataclass(frozen=True)
class _EncodersOwn:
    """An encoder's collation without the encoder, for a loader process that does not share this one's memory."""

    collate: Callable[[Sequence[Any]], Any]


def collator(modality: Collates, encoder: nn.Module) -> Collates:
    """Who makes batches for an encoder: itself where it has ``collate``, else the modality."""
    return _EncodersOwn(encoder.collate) if isinstance(encoder, Collates) else modality


def collators(modalities: Mapping[str, Collates], towers: Towers) -> dict[str, Collates]:
    """Who makes batches for each modality's encoder."""
    return {name: collator(modality, towers.encoder(name)) for name, modality in modalities.items()}


def fit_encoders(towers: Towers, dataset: Dataset, *, except_for: Collection[str] = ()) -> None:
    """Fits the encoders that have ``fit`` to the training values of their modalities.

    Args:
        towers: The encoders'.
        dataset: The training split.
        except_for: The modalities whose encoders have what they had fitted from elsewhere.
    """
    for name in (name for name in towers.towers if name not in except_for):
        encoder = towers.encoder(name)
        if isinstance(encoder, FitsToData):
            encoder.fit(readable_values(dataset, name))
