"""What an encoder may bring besides its forward pass: a collation of its own, and what it fits to the data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
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

    One that several modalities share sees the values of the one that has it, then those of the others.

    Args:
        towers: The encoders'.
        dataset: The training split.
        except_for: The modalities whose encoders have what they had fitted from elsewhere.
    """
    modalities: dict[nn.Module, list[str]] = {}
    for name in towers.towers:
        modalities.setdefault(towers.encoder(name), []).append(name)
    for encoder, names in modalities.items():
        if isinstance(encoder, FitsToData) and not set(names) & set(except_for):
            encoder.fit(chain.from_iterable(readable_values(dataset, name) for name in names))
