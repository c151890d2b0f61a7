"""What comes out of the loader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from coview.data.structured_batch import StructuredBatch
from coview.data.token_mask import TokenMask

NO_NEGATIVE = -1
"""In place of the id of what a hard negative is a value of: there is no hard negative."""
OF_NO_SAMPLE = torch.iinfo(torch.int64).min
"""Likewise: it is a value of no sample of the data."""


@runtime_checkable
class MovesToDevice(Protocol):
    """A tensor, a structured batch, or whatever else can be on a device."""

    def to(self, device: torch.device, /) -> Any:
        """The same there."""
        ...


class Skipped(NamedTuple):
    """A sample that could not be read.

    Attributes:
        row: Its index in the data set.
        what, reason: Which it is, and why.
    """

    row: int
    what: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """Some samples, collated.

    Attributes:
        inputs: For each modality its batch: for training all its global views below each other, view by view; for
            embedding the samples as they are.
        local_inputs: The same of the local views, which may be of another size.
        present: By modality that samples of the data may lack, the numbers of the samples of this batch that have it,
            ascending: its inputs have rows of these alone, and none where no sample has it. A modality that is not in
            it all samples have.
        taught_inputs: The global views once more, as a teacher with an encoder of its own takes them; empty where it
            takes the inputs, and where there is none.
        masks: What is hidden of the inputs, by modality; empty where nothing is.
        local_masks: The same of the local views.
        ids: ``(N,)`` int64.
        labels: ``(N,)`` int64, where the data has them.
        scores: ``(N,)`` float64, where the data has them.
        groups: ``(N,)`` int64, equal where the samples' groups are, where the data has them.
        extras: ``(N, …)`` by name: those of the samples that a loss names.
        rows: The index of each sample in the data set.
        skipped: Samples that could not be read, and are not in the batch.
        epoch: Counted from 0.
        number: Of the batch in its epoch, counted from 0; the same on all ranks.
        negative_ids: ``(N,)`` int64 where there is a view of hard negatives: the id of the sample that each one is a
            value of, ``OF_NO_SAMPLE``, or ``NO_NEGATIVE`` where the sample has none.
        ids_differ: Whether it is known that no two samples of the batch, over all ranks, have one id.
    """

    inputs: Mapping[str, Any]
    ids: Tensor
    labels: Tensor | None
    scores: Tensor | None
    groups: Tensor | None
    local_inputs: Mapping[str, Any] = field(default_factory=dict)
    masks: Mapping[str, TokenMask] = field(default_factory=dict)
    local_masks: Mapping[str, TokenMask] = field(default_factory=dict)
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    rows: tuple[int, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    epoch: int = 0
    number: int = 0
    taught_inputs: Mapping[str, Any] = field(default_factory=dict)
    present: Mapping[str, np.ndarray] = field(default_factory=dict)
    negative_ids: Tensor | None = None
    ids_differ: bool = False

    def __len__(self) -> int:
        return int(self.ids.shape[0])

    def rows_read(self) -> int:
        """How many rows of the data it comes from, those that could not be read included."""
        return len(self) + len(self.skipped)

    def count_of(self, modality: str) -> int:
        """How many of the samples have a modality."""
        return len(self.present[modality]) if modality in self.present else len(self)

    def ids_of(self, modality: str) -> Tensor:
        """The ids of the samples that have a modality."""
        if modality not in self.present:
            return self.ids
        return self.ids[torch.from_numpy(self.present[modality]).to(self.ids.device)]

    def pin_memory(self) -> Batch:
        """Called by PyTorch's loader."""
        return self.map_tensors(Tensor.pin_memory, lambda batch: batch.pin_memory())

    def to(self, device: torch.device) -> Batch:
        """On another device, without waiting where the memory is pinned."""
        return self.map_tensors(lambda tensor: tensor.to(device, non_blocking=True), lambda batch: batch.to(device))

    def with_masks(self, masks: Mapping[str, TokenMask], local_masks: Mapping[str, TokenMask]) -> Batch:
        """The same samples with masks."""
        return replace(self, masks=masks, local_masks=local_masks)

    def with_inputs(self, inputs: Mapping[str, Any], local_inputs: Mapping[str, Any]) -> Batch:
        """The same samples with other inputs."""
        return replace(self, inputs=inputs, local_inputs=local_inputs)

    def with_present(self, present: Mapping[str, np.ndarray]) -> Batch:
        """The same samples, of which others lack a modality."""
        return replace(self, present=present)

    def map_tensors(
        self, change: Callable[[Tensor], Tensor], structured: Callable[[StructuredBatch], Any] | None = None
    ) -> Batch:
        """The same with every tensor changed, in one order always, and structured batches as :func:`map_tensors` has
        it."""
        return replace(
            self,
            inputs=map_tensors(change, self.inputs, structured),
            local_inputs=map_tensors(change, self.local_inputs, structured),
            taught_inputs=map_tensors(change, self.taught_inputs, structured),
            masks=map_tensors(change, self.masks),
            local_masks=map_tensors(change, self.local_masks),
            ids=change(self.ids),
            labels=None if self.labels is None else change(self.labels),
            scores=None if self.scores is None else change(self.scores),
            groups=None if self.groups is None else change(self.groups),
            negative_ids=None if self.negative_ids is None else change(self.negative_ids),
            extras=map_tensors(change, self.extras),
        )


def some_samples(batch: Batch, rows: slice) -> Batch:
    """Some of the samples, as far as encoding goes; a modality that none of them has is left out.

    Args:
        batch: The batch.
        rows: Which: a slice with both ends.
    """

    def of(inputs: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, value in inputs.items():
            if (of_modality := _place_among(batch, name, rows)) != slice(0, 0):
                found[name] = select_samples(value, batch.count_of(name), of_modality)
        return found

    return Batch(
        of(batch.inputs),
        batch.ids[rows],
        None,
        None,
        None,
        of(batch.local_inputs),
        of(batch.masks),
        of(batch.local_masks),
        taught_inputs=of(batch.taught_inputs),
        present={
            name: at_K[(at_K >= rows.start) & (at_K < rows.stop)] - rows.start for name, at_K in batch.present.items()
        },
    )


def _place_among(batch: Batch, modality: str, rows: slice) -> slice:
    """Where some of the samples are among those that have a modality; from 0 to 0 where none of them has it."""
    if modality not in batch.present:
        return rows
    start, stop = np.searchsorted(batch.present[modality], [rows.start, rows.stop]).tolist()
    return slice(start, stop) if start < stop else slice(0, 0)


def select_samples(inputs: Any, samples: int, rows: Any) -> Any:
    """Some of the samples, in all their views.

    Args:
        inputs: Of a batch: tensors, and structured batches, of ``views · samples`` rows, view by view.
        samples: N, of the whole batch.
        rows: What indexes them: a slice, or a tensor of row numbers.
    """

    def select(tensor: Tensor, rows: Any = rows) -> Tensor:
        by_view: Tensor = tensor.unflatten(0, (-1, samples))
        return by_view[:, rows].flatten(0, 1)

    def of_structured(batch: StructuredBatch) -> StructuredBatch:
        return batch.select(select(torch.arange(len(batch)), rows.cpu() if isinstance(rows, Tensor) else rows))

    return map_tensors(select, inputs, of_structured)


def leaves(value: Any) -> Iterator[Any]:
    """What a modality's batch consists of: its tensors, structured batches, and whatever else is in its mappings."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from leaves(item)
    else:
        yield value


def to_device(value: Any, device: torch.device) -> Any:
    """A modality's batch, or a data set's context, on another device."""
    if isinstance(value, Mapping):
        return {key: to_device(item, device) for key, item in value.items()}
    return value.to(device) if isinstance(value, MovesToDevice) else value


def map_tensors(
    change: Callable[[Tensor], Tensor], value: Any, structured: Callable[[StructuredBatch], Any] | None = None
) -> Any:
    """Applies ``change`` to every tensor of a modality's batch.

    Args:
        change: Of a tensor.
        value: The batch.
        structured: Of a structured batch, which is left as it is by default.
    """
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, TokenMask):
        return value.map_tensors(change)
    if isinstance(value, Mapping):
        return {key: map_tensors(change, item, structured) for key, item in value.items()}
    if structured is not None and isinstance(value, StructuredBatch):
        return structured(value)
    return value
