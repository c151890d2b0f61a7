"""Loading in worker processes: samples are read, augmented and collated there.

A sample that cannot be read is skipped, named and counted; a mistake of the user's that a worker meets (pictures of
different sizes) comes back as itself and not as a worker's traceback.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler
from torch.utils.data import Dataset as TorchDataset

from coview.data.batch import NO_NEGATIVE, OF_NO_SAMPLE, Batch, Skipped, select_samples
from coview.data.cores import available_cores
from coview.data.dataset import Dataset, ReadsModalities, StreamsShards
from coview.data.kept_samples import KeptSamples
from coview.data.loader_processes import batches_of
from coview.data.modality import Collates
from coview.data.order import RankBatches
from coview.data.present import modalities_of_row, present_of, said_present
from coview.data.rng import Rng
from coview.data.sample import Sample, id_as_int64
from coview.data.sample_problem import FOR_THE_AUTHOR, describe_extra, problem_of
from coview.data.several_values import DrawnValues, with_values
from coview.data.shared_batches import Receiver, Sender, Sent, received
from coview.data.stand_ins import StandIns
from coview.data.view_bank import ViewBank
from coview.data.views import ViewMaker
from coview.data.worker_process import WorkerStart
from coview.errors import CoviewError, SampleError

_PREFETCH = 4


def worker_count(setting: int | str, ranks: int = 1) -> int:
    """Loader processes for ``data.workers``: "auto" shares the CPU cores among the ranks, at most 8 each."""
    if isinstance(setting, int):
        return setting
    cores = available_cores()
    return max(1, min(8, cores // ranks))


def view_loader(
    dataset: Dataset,
    maker: ViewMaker,
    collators: Mapping[str, Collates],
    batches: Iterable[list[tuple[int, int, int]]],
    *,
    workers: int,
    extras: Sequence[str] = (),
    taught_by: Mapping[str, Collates] | None = None,
    device: torch.device | None = None,
    bank: ViewBank | None = None,
    keep_bytes: int = 0,
) -> Generator[Batch, None, None]:
    """The batches of a training run: for each modality all views of all samples, view by view, the local ones apart.

    Args:
        dataset: The samples.
        maker: Makes their views.
        collators: By modality.
        batches: Epoch, number of the batch in it and row of each sample.
        workers: Loader processes.
        extras: Which of the samples' a batch has.
        taught_by: Collates the global views for a teacher that does not take the student's batches.
        device: What computes on the batches; absent: nothing is known of it.
        bank: Where batches of these views are taken from, and put.
        keep_bytes: How much memory all processes that load may take for samples as they were read.

    Raises:
        CoviewError: While iterating, for a mistake of the user's that shows in a worker.
    """
    # of what comes by once in an epoch of more than memory holds, nothing that is kept is ever found again
    kept = KeptSamples(0 if isinstance(dataset, StreamsShards) else keep_bytes // max(1, workers))
    ahead = batches if isinstance(batches, RankBatches) else None
    reader = _Reader(dataset, maker, tuple(extras), bank, DrawnValues(dataset, maker.seed, kept), ahead)
    lacked = tuple(name for name in present_of(dataset) if name in maker.modalities)
    stand_ins = StandIns(dataset, maker) if lacked else None
    of_batch = (tuple(extras), taught_by or {}, lacked, stand_ins, maker.negative)
    collate = _Collate(collators, maker.modalities, maker.global_views, *of_batch)
    return _batches(reader, batches, collate, workers, device)


def sample_loader(
    dataset: Dataset,
    modality_name: str,
    collator: Collates,
    *,
    batch_size: int,
    workers: int,
    device: torch.device | None = None,
    rank: int = 0,
    ranks: int = 1,
) -> Generator[Batch, None, None]:
    """The samples of a split in order, not augmented, in one modality.

    Args:
        dataset: The split.
        modality_name: Which of its modalities.
        collator: What makes batches of their values: the encoder where it does, else the modality.
        batch_size: Samples of a batch; the last one may have fewer.
        workers: Loader processes; 0: none.
        device: What computes on the batches; absent: nothing is known of it.
        rank: Which of the ranks this is.
        ranks: How many share the batches: this one has those of numbers ``rank``, ``rank + ranks``, ….

    Raises:
        CoviewError: While iterating, for a mistake of the user's that shows in a worker.
    """
    every = BatchSampler(SequentialSampler(_Sized(len(dataset))), batch_size, drop_last=False)
    batches = every if ranks == 1 else list(islice(every, rank, None, ranks))
    maker = ViewMaker(seed=0, modalities=(modality_name,), pipelines=[()], global_views=1)
    collate = _Collate({modality_name: collator}, maker.modalities, maker.global_views)
    return _batches(_Reader(dataset, maker), batches, collate, workers, device)


@dataclass(frozen=True)
class _Sized:
    length: int

    def __len__(self) -> int:
        return self.length


@dataclass(frozen=True)
class _Read:
    row: int
    sample: Sample
    views: list[Any]
    epoch: int
    batch: int


class _Reader(TorchDataset[Any]):
    """A sample with its views, for a key (epoch, batch in the epoch, index) or a bare index.

    Args:
        dataset: The samples.
        maker: Makes their views.
        extras: Which of the samples' are needed.
        bank: Where batches are taken from, and put.
        drawn: Says which of several values a sample has in an epoch; absent: the first.
        ahead: Says which shards come next; absent: those that come next in the data.
    """

    def __init__(
        self,
        dataset: Dataset,
        maker: ViewMaker,
        extras: tuple[str, ...] = (),
        bank: ViewBank | None = None,
        drawn: DrawnValues | None = None,
        ahead: RankBatches | None = None,
    ) -> None:
        self._dataset = dataset
        self._ahead = ahead
        self._maker = maker
        self._extras = extras
        self._bank = bank
        self._drawn = drawn
        self._modalities = tuple(dict.fromkeys(maker.modalities))
        self._said_present = said_present(dataset)
        # what a recipe is not of need not be read
        self._read = self._modalities if isinstance(dataset, ReadsModalities) else None
        self._rng: Rng | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_rng": None}

    def __getitems__(self, keys: Sequence[tuple[int, int, int] | int]) -> list[_Read | Skipped | CoviewError]:
        """A batch of them, for PyTorch's loader: from the bank if it is there."""
        if isinstance(self._dataset, StreamsShards):
            self._fetch_ahead(self._dataset, keys)
        if self._bank is None:
            return [self[key] for key in keys]
        found: list[_Read | Skipped | CoviewError] | None = self._bank.get(keys)
        if found is None:
            found = [self[key] for key in keys]
            if not any(isinstance(item, CoviewError) for item in found):
                self._bank.put(keys, [_without_values(item) for item in found])
        return found

    def __getitem__(self, key: tuple[int, int, int] | int) -> _Read | Skipped | CoviewError:
        epoch, batch, index = key if isinstance(key, tuple) else (0, 0, key)
        self._rng = self._rng or Rng()
        try:
            if self._drawn is not None:
                sample = self._drawn(index, epoch, self._rng, self._read)
            else:
                sample = with_values(self._dataset, index, {}, self._read)
            there, absent = modalities_of_row(self._dataset, index, self._modalities, self._said_present)
            if not there:
                return Skipped(index, f"row {index}", f"it has no {' and no '.join(absent)}")
            if problem := problem_of(sample, there, self._dataset.classes, self._extras, absent):
                return CoviewError(f"row {index} of {type(self._dataset).__name__}: {problem}", hint=FOR_THE_AUTHOR)
            return self._views(index, sample, epoch, batch, self._rng)
        except SampleError as error:
            return Skipped(index, error.what, error.reason)
        except CoviewError as error:
            return error

    def _fetch_ahead(self, dataset: StreamsShards, keys: Sequence[tuple[int, int, int] | int]) -> None:
        key = keys[-1]
        if isinstance(key, tuple):
            if self._ahead is not None:
                dataset.fetch_ahead(self._ahead.shards_from(key[0], key[1]))
            return
        shard = int(np.searchsorted(np.cumsum(dataset.shard_sizes), key, side="right"))
        dataset.fetch_ahead([one for one in (shard, shard + 1) if one < len(dataset.shard_sizes)])

    def _views(self, index: int, sample: Sample, epoch: int, batch: int, rng: Rng) -> _Read | CoviewError:
        try:
            return _Read(index, sample, self._maker(sample, epoch, rng, batch), epoch, batch)
        except SampleError:
            raise
        except CoviewError as error:  # such as a crop that is larger than this picture, among others that are not small
            return CoviewError(f"sample {sample.id}: {error.message}", error.hint)


def _without_values(item: Any) -> Any:
    """What is read, as far as a batch is made of it: of the sample's own values nothing is."""
    if not isinstance(item, _Read):
        return item
    negatives = {name: replace(of, value=None) for name, of in item.sample.negatives.items()}
    return replace(item, sample=replace(item.sample, values={}, negatives=negatives))


@dataclass(frozen=True)
class _Collate:
    collators: Mapping[str, Collates]
    of_view: tuple[str, ...]
    global_views: int
    extras: tuple[str, ...] = ()
    taught_by: Mapping[str, Collates] = field(default_factory=dict)
    lacked: tuple[str, ...] = ()
    stand_ins: StandIns | None = None
    negative: int | None = None

    def __call__(self, items: Sequence[_Read | Skipped | CoviewError]) -> Batch | CoviewError:
        for item in items:
            if isinstance(item, CoviewError):
                return item
        read = [item for item in items if isinstance(item, _Read)]
        skipped = tuple(item for item in items if isinstance(item, Skipped))
        try:
            inputs = self._inputs(read, range(self.global_views), self.collators)
            local_inputs = self._inputs(read, range(self.global_views, len(self.of_view)), self.collators)
            taught_inputs = self._inputs(read, range(self.global_views), self.taught_by)
            extras = {name: _extra(name, [item.sample for item in read]) for name in self.extras if read}
        except CoviewError as error:
            return error
        samples = [item.sample for item in read]
        ids = torch.tensor([id_as_int64(sample.id) for sample in samples], dtype=torch.int64)
        return Batch(
            inputs=inputs,
            local_inputs=local_inputs,
            taught_inputs=taught_inputs,
            ids=ids,
            labels=_column([sample.label for sample in samples], torch.int64),
            scores=_column([sample.score for sample in samples], torch.float64),
            groups=_column([None if s.group is None else id_as_int64(s.group) for s in samples], torch.int64),
            extras=extras,
            rows=tuple(item.row for item in read),
            skipped=skipped,
            epoch=read[0].epoch if read else 0,
            number=read[0].batch if read else 0,
            present={name: self._present(name, read) for name in self.lacked},
            negative_ids=self._negative_ids(read),
        )

    def _negative_ids(self, read: Sequence[_Read]) -> torch.Tensor | None:
        """Of each sample the id of the one that its hard negative is a value of."""
        if (view := self.negative) is None:
            return None
        found = []
        for item in read:
            of = None if item.views[view] is None else item.sample.negatives.get(self.of_view[view])
            found.append(NO_NEGATIVE if of is None else OF_NO_SAMPLE if of.id is None else id_as_int64(of.id))
        return torch.tensor(found, dtype=torch.int64)

    def _present(self, name: str, read: Sequence[_Read]) -> np.ndarray:
        view = self.of_view.index(name)
        return np.flatnonzero([item.views[view] is not None for item in read])

    def _inputs(self, read: Sequence[_Read], views: range, collators: Mapping[str, Collates]) -> dict[str, Any]:
        inputs: dict[str, Any] = {}
        for name, collator in collators.items():
            own = [view for view in views if self.of_view[view] == name]
            values = [item.views[view] for view in own for item in read if item.views[view] is not None]
            if values:
                inputs[name] = collator.collate(values)
            elif own and read and self.stand_ins is not None:
                inputs[name] = select_samples(collator.collate(self.stand_ins(own)), 1, slice(0, 0))
        return inputs


def _column(values: Sequence[float | None], dtype: torch.dtype) -> torch.Tensor | None:
    if not values or any(value is None for value in values):
        return None
    return torch.tensor(values, dtype=dtype)


def _extra(name: str, samples: Sequence[Sample]) -> torch.Tensor:
    """What samples say under a name, ``(N, …)``: int64 of whole numbers, PyTorch's default of other numbers; what is
    NumPy's keeps its type."""
    values = [sample.extras[name] for sample in samples]
    kinds = sorted(set(map(describe_extra, values)))
    if len(kinds) > 1:
        raise CoviewError(
            f'the extra "{name}" is {" and ".join(kinds)} in one batch; it has to be of one kind in every sample',
            hint=FOR_THE_AUTHOR,
        )
    return (
        torch.from_numpy(np.stack(values)) if isinstance(values[0], np.ndarray | np.generic) else torch.tensor(values)
    )


def _batches(
    reader: _Reader, batches: Any, collate: Callable[[Any], Any], workers: int, device: torch.device | None
) -> Generator[Batch, None, None]:
    kind = None if device is None else device.type
    # forked workers start at once and import nothing again
    fork = workers > 0 and sys.platform == "linux" and "fork" in multiprocessing.get_all_start_methods()
    receiver = Receiver()
    loader: DataLoader[Any] = DataLoader(
        reader,
        batch_sampler=batches,
        collate_fn=_Send(collate, Sender(receiver.name)) if workers else collate,
        num_workers=workers,
        pin_memory=kind == "cuda",  # a GPU copies from there without waiting
        prefetch_factor=_PREFETCH if workers else None,
        multiprocessing_context="fork" if fork else None,
        worker_init_fn=WorkerStart(gives_way=kind == "cpu"),
    )
    # closed here: what is raised keeps this frame, and with it the processes
    with closing(batches_of(loader)) as items:
        for item in items:
            if isinstance(item, CoviewError):
                raise item
            yield received(item) if isinstance(item, Sent) else item


@dataclass(frozen=True)
class _Send:
    collate: Callable[[Any], Any]
    sender: Sender

    def __call__(self, items: Any) -> Any:
        batch = self.collate(items)
        try:
            return self.sender.send(batch) if isinstance(batch, Batch) else batch
        except CoviewError as error:  # as itself, and not as PyTorch's text of a traceback
            return error
