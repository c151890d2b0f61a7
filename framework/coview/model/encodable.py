"""Which towers can be called with what a batch has, where samples lack a modality."""

from __future__ import annotations

from torch.nn.modules.batchnorm import _BatchNorm

from coview.data.batch import Batch
from coview.model.collectives import row_counts, several_ranks
from coview.model.lacking_rows import without_inputs
from coview.model.tower import Towers

FEWEST_FOR_BATCH_NORM = 2
"""Samples of all processes together: a single one has no variance."""


def encodable(batch: Batch, student: Towers) -> Batch:
    """The batch without the inputs of modalities whose towers cannot be called: no sample has them.

    Batch norm takes at least two samples of all processes: where a single one has the modality, it lacks it like the
    others. A process none of whose samples has it then calls the tower with a batch of no rows, since the others wait
    for its share of the statistics.

    Args:
        batch: This process's.
        student: In the mode that it is called in.
    """
    for name in tuple(batch.present):
        own, normalises = batch.count_of(name), _normalises(student, name)
        total = sum(row_counts(own, batch.ids.device)) if normalises and several_ranks() else own
        is_called = total >= FEWEST_FOR_BATCH_NORM if normalises else own > 0
        if not is_called:
            batch = without_inputs(batch, name)
    return batch


def _normalises(student: Towers, modality: str) -> bool:
    """Whether a tower normalises by the batch as it is now."""
    return any(isinstance(part, _BatchNorm) and part.training for part in student.towers[modality].modules())
