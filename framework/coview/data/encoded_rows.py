"""A data set in which encodings that were made before stand in the place of some modalities' values, and the data set
that they are made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from coview.data.dataset import Dataset, KnowsIds, KnowsPresent
from coview.data.modality import Collates
from coview.data.present import modalities_of_row
from coview.data.sample import Sample
from coview.data.sample_of import sample_of
from coview.data.several_values import value_counts_of, with_values
from coview.data.views import ViewMaker


class Encodings(Protocol):
    """What an encoder has made of a data set's samples in one modality."""

    def of_row(self, row: int, /) -> Tensor:
        """``(D,)``, of a row that has the modality.

        Raises:
            SampleError: If what it would have been made of could not be read.
        """
        ...


class EncodedRows:
    """The samples of a data set with encodings in the place of some modalities' values, which are not read.

    Args:
        dataset: The samples.
        encodings: By modality.
    """

    splits: ClassVar[tuple[str, ...]] = ()

    def __init__(self, dataset: Dataset, encodings: Mapping[str, Encodings]) -> None:
        self._dataset, self._encodings = dataset, encodings
        self.modalities, self.classes, self.version = dataset.modalities, dataset.classes, dataset.version
        self.citation, self.licence = dataset.citation, dataset.licence
        self._read = tuple(name for name in dataset.modalities if name not in encodings)
        if isinstance(dataset, KnowsPresent):
            self.present = dataset.present
        if isinstance(dataset, KnowsIds):
            self.ids = dataset.ids
        # which of several values an epoch is of is drawn as without encodings
        self.value_counts = {name: of for name, of in value_counts_of(dataset).items() if name not in encodings} or None

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int, /) -> Sample:
        return self._with_encodings(index, sample_of(self._dataset, index, self._read))

    def with_values(
        self, index: int, numbers: Mapping[str, int], modalities: Collection[str] | None = None, /
    ) -> Sample:
        """As of the data set: see :class:`coview.HasSeveralValues`."""
        return self._with_encodings(index, with_values(self._dataset, index, numbers, self._read))

    def _with_encodings(self, index: int, sample: Sample) -> Sample:
        there, _ = modalities_of_row(self._dataset, index, tuple(self._encodings))
        ready = {name: self._encodings[name].of_row(index) for name in there}
        return replace(sample, values={**sample.values, **ready})


class OneModality:
    """The samples of a data set in one of its modalities; the others are not read.

    Args:
        dataset: The samples.
        modality: Which. Rows that lack it are not to be asked for.
    """

    splits: ClassVar[tuple[str, ...]] = ()

    def __init__(self, dataset: Dataset, modality: str) -> None:
        self._dataset = dataset
        self.modalities: tuple[str, ...] = (modality,)
        self.classes, self.version = dataset.classes, dataset.version
        self.citation, self.licence = dataset.citation, dataset.licence

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int, /) -> Sample:
        return sample_of(self._dataset, index, self.modalities)


class StacksRows:
    """Makes a batch ``(N, D)`` of encodings."""

    def collate(self, values: Sequence[Tensor], /) -> Tensor:
        """Those of N samples, below each other."""
        return torch.stack(list(values))


def without_steps(maker: ViewMaker, modalities: Mapping[str, Any]) -> ViewMaker:
    """What makes views without augmenting those of some modalities; those of the others it makes as before."""
    pipelines = [
        () if name in modalities else steps for name, steps in zip(maker.modalities, maker.pipelines, strict=True)
    ]
    return replace(maker, pipelines=pipelines)


def with_rows(collators: Mapping[str, Collates], modalities: Mapping[str, Any]) -> dict[str, Collates]:
    """What makes batches, of encodings where some modalities have these."""
    return {name: StacksRows() if name in modalities else collator for name, collator in collators.items()}
