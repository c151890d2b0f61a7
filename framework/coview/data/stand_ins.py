"""What a batch has of a modality that none of its samples has: a batch of no rows, made of another sample's views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from coview.data.dataset import Dataset
from coview.data.present import having
from coview.data.rng import Rng
from coview.data.values import readable_samples
from coview.data.views import ViewMaker


@dataclass
class StandIns:
    """Views that a batch of no rows can be cut from, so that it is of the shape that all others have.

    Attributes:
        dataset: The samples, some of which have what others lack.
        maker: Makes their views.
    """

    dataset: Dataset
    maker: ViewMaker
    _made: dict[str, list[Any]] = field(default_factory=dict)

    def __call__(self, views: Sequence[int]) -> list[Any]:
        """Some views, by number, of one modality: those of the first sample that has it and can be read."""
        modality = self.maker.modalities[views[0]]
        if modality not in self._made:
            sample = next(readable_samples(having(self.dataset, [modality])))
            self._made[modality] = self.maker(sample, 0, Rng())
        return [self._made[modality][view] for view in views]
