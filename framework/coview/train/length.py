"""How long a run is."""

from __future__ import annotations

from dataclasses import dataclass

from coview.errors import CoviewError
from coview.recipe.recipe import Recipe


@dataclass(frozen=True)
class Length:
    """How long a run is.

    Attributes:
        total_steps: Optimiser steps.
        steps_per_epoch: Optimiser steps in an epoch, rounded down, at least 1.
        batches_per_epoch: Batches in an epoch.
        batches_per_step: Batches that an optimiser step is of.
    """

    total_steps: int
    steps_per_epoch: int
    batches_per_epoch: int
    batches_per_step: int = 1

    def epoch_of(self, step: int) -> int:
        """The epoch, counted from 0, of the last batch of a step, counted from 1."""
        return (step * self.batches_per_step - 1) // self.batches_per_epoch

    def ends_epoch(self, step: int) -> bool:
        """Whether the last batch of a step, counted from 1, is that of its epoch."""
        return step * self.batches_per_step % self.batches_per_epoch == 0

    @classmethod
    def of(cls, recipe: Recipe, samples: int, smallest_batch: int = 1) -> Length:
        """The length of a recipe's run on so many samples.

        Args:
            recipe: The recipe.
            samples: In the training split.
            smallest_batch: The fewest samples in a batch that the loss takes.

        Raises:
            CoviewError: If they are fewer than a batch.
        """
        if not recipe.trains:
            return cls(0, 1, 1)
        train = recipe.train
        batches = samples // train.batch_size
        if batches == 0:
            names = " and ".join(term.use for term in recipe.loss)
            of_epoch = " of an epoch of the mixture" if recipe.mixture else ""
            possible = max(smallest_batch, samples // 4)
            raise CoviewError(
                f"{recipe.where('train', 'batch_size')}: a batch of {train.batch_size:,} is more than the "
                f"{samples:,} training samples{of_epoch}",
                hint=f"--set train.batch_size={possible}"
                if possible <= samples
                else f"{names} needs at least {smallest_batch} samples in a batch: add data",
            )
        total = train.steps if train.steps else (train.epochs or 0) * batches // train.accumulate
        if total == 0:
            raise CoviewError(
                f"{recipe.where('train', 'accumulate')}: {train.accumulate} batches for a step are more than the "
                f"{(train.epochs or 0) * batches} of the whole run"
            )
        return cls(total, max(1, batches // train.accumulate), batches, train.accumulate)
