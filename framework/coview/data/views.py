"""V views of a sample, each a pure function of (seed, epoch, sample, view)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from coview.data.augmentation import Augmentation
from coview.data.rng import Rng
from coview.data.sample import Sample, id_as_int64
from coview.recipe.needs import NEGATIVE


class PipelineStep(NamedTuple):
    """An augmentation in the pipeline of a view.

    Attributes:
        position: Among all of the modality's: what its randomness is told apart by.
        augmentation: What it does.
        drawn_as: For a step whose draws are shared: the view whose draws it takes, whichever view it makes.
    """

    position: int
    augmentation: Augmentation
    drawn_as: int | None = None

    def __call__(self, value: Any, rng: Rng, seed: int, epoch: int, sample_id: int, view: int, batch: int = 0) -> Any:
        """The value after the step, with the draws of a sample's view; ``rng`` is moved to them."""
        drawn_as = view if self.drawn_as is None else self.drawn_as
        return self.augmentation(value, rng.seek(seed, epoch, sample_id, drawn_as, self.position, batch))


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
        roles: The name of each global view, where some have one: "negative" is made of the sample's hard negative.
    """

    seed: int
    modalities: tuple[str, ...]
    pipelines: Sequence[Sequence[PipelineStep]]
    global_views: int
    roles: tuple[str, ...] = ()

    def __call__(self, sample: Sample, epoch: int, rng: Rng, batch: int = 0) -> list[Any]:
        """The views; None in place of one of a modality that the sample lacks.

        Args:
            sample: The sample.
            epoch: Counted from 0.
            rng: Where it stands does not matter; it is moved to each step's own stream. One for each process is
                enough, and saves making one for each view.
            batch: The number of its batch in the epoch, for steps that draw once for a batch.
        """
        sample_id = id_as_int64(sample.id)
        begun: dict[tuple[str, bool, tuple[int, ...]], Any] = {}
        return [
            self._view(self.original(sample, view), view, (self.seed, epoch, sample_id, view, batch), rng, begun)
            if modality in sample.values
            else None
            for view, modality in enumerate(self.modalities)
        ]

    @property
    def negative(self) -> int | None:
        """The number of the view of hard negatives; None where there is none."""
        return self.roles.index(NEGATIVE) if NEGATIVE in self.roles else None

    def original(self, sample: Sample, view: int) -> Any:
        """What a view is made of: the sample's value, or its hard negative. A sample that has none has its own value
        there, which no loss sees."""
        modality = self.modalities[view]
        if view == self.negative and modality in sample.negatives:
            return sample.negatives[modality].value
        return sample[modality]

    def stages(self, sample: Sample, epoch: int, rng: Rng) -> Iterator[Stage]:
        """Every call of an augmentation that makes the views, in order: those of the first view, then of the others."""
        sample_id = id_as_int64(sample.id)
        for view, modality in enumerate(self.modalities):
            if modality not in sample.values:
                continue
            value = self.original(sample, view)
            for step in self.pipelines[view]:
                after = step(value, rng, self.seed, epoch, sample_id, view)
                yield Stage(modality, view, step.position, step.augmentation, value, after)
                value = after

    def _view(
        self,
        value: Any,
        view: int,
        key: tuple[int, int, int, int, int],
        rng: Rng,
        begun: dict[tuple[str, bool, tuple[int, ...]], Any],
    ) -> Any:
        """A view. What shared steps at its beginning make is kept in ``begun``, and is that of other views too."""
        shared: tuple[int, ...] | None = ()
        for step in self.pipelines[view]:
            if shared is None or step.drawn_as is None:
                shared = None
                value = step(value, rng, *key)
                continue
            shared = (*shared, step.position)
            at = self.modalities[view], view == self.negative, shared
            if at not in begun:
                begun[at] = step(value, rng, *key)
            value = begun[at]
        return value
