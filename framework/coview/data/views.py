"""V views of a sample, each a pure function of (seed, epoch, sample, view)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from coview.data.augmentation import Augmentation
from coview.data.rng import Rng
from coview.data.sample import Sample, id_as_int64


@dataclass(frozen=True)
class Stage:
    """One augmentation of one view.

    Attributes:
        modality: Of the view.
        view: Its number.
        position: Of the augmentation among all of the modality's.
        augmentation: What was called.
        before, after: What it was given, and what it made of it.
    """

    modality: str
    view: int
    position: int
    augmentation: Augmentation
    before: Any
    after: Any


@dataclass(frozen=True)
class ViewMaker:
    """Makes the views of a sample.

    Attributes:
        seed: The run's.
        modalities: The modality of each view, the global views before the local ones.
        pipelines: For each view its augmentations in order, each with its position among all of the modality's:
            what one view leaves out does not disturb the others.
        global_views: How many views are global; the rest are local.
    """

    seed: int
    modalities: tuple[str, ...]
    pipelines: Sequence[Sequence[tuple[int, Augmentation]]]
    global_views: int

    def __call__(self, sample: Sample, epoch: int, rng: Rng) -> list[Any]:
        """The views.

        Args:
            sample: The sample.
            epoch: Counted from 0.
            rng: Where it stands does not matter; it is moved to each step's own stream. One for each process is
                enough, and saves making one for each view.
        """
        sample_id = id_as_int64(sample.id)
        return [
            self._view(sample[modality], self.pipelines[view], epoch, sample_id, view, rng)
            for view, modality in enumerate(self.modalities)
        ]

    def stages(self, sample: Sample, epoch: int, rng: Rng) -> Iterator[Stage]:
        """Every call of an augmentation that makes the views, in order: those of the first view, then of the others."""
        sample_id = id_as_int64(sample.id)
        for view, modality in enumerate(self.modalities):
            value = sample[modality]
            for position, augmentation in self.pipelines[view]:
                after = augmentation(value, rng.seek(self.seed, epoch, sample_id, view, position))
                yield Stage(modality, view, position, augmentation, value, after)
                value = after

    def _view(
        self, value: Any, pipeline: Sequence[tuple[int, Augmentation]], epoch: int, sample_id: int, view: int, rng: Rng
    ) -> Any:
        for position, augmentation in pipeline:
            value = augmentation(value, rng.seek(self.seed, epoch, sample_id, view, position))
        return value
