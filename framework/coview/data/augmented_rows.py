"""A data set of some rows of another, augmented or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from coview.data.dataset import Dataset, HasContext
from coview.data.rng import Rng
from coview.data.sample import Sample, id_as_int64
from coview.data.views import PipelineStep


class AugmentedRows:
    """Some rows of a data set, their values gone through a pipeline: a data set again.

    Args:
        dataset: The samples.
        modality: Which of their values.
        rows: Which samples.
        steps: The pipeline; none leaves the values as they are.
        seed, view: Of the randomness.
    """

    splits: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        dataset: Dataset,
        modality: str,
        rows: Sequence[int],
        steps: Sequence[PipelineStep] = (),
        *,
        seed: int = 0,
        view: int = 0,
    ) -> None:
        self._dataset, self._modality, self._rows, self._steps = dataset, modality, rows, steps
        self._seed, self._view = seed, view
        self.modalities: tuple[str, ...] = (modality,)
        self.classes, self.version = dataset.classes, dataset.version
        self.citation, self.licence = dataset.citation, dataset.licence
        if isinstance(dataset, HasContext):
            self.context = dataset.context

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int, /) -> Sample:
        sample = self._dataset[self._rows[index]]
        value, rng = sample[self._modality], Rng()
        for step in self._steps:
            value = step(value, rng, self._seed, 0, id_as_int64(sample.id), self._view)
        return replace(sample, values={self._modality: value})
