"""The contract of samplers, which plugins implement, and what they know of the rows of a data set."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np

from coview.data.content import content_hash
from coview.data.dataset import Dataset, KnowsGroups, KnowsLabels, StreamsShards
from coview.data.joined_rows import joined_rows
from coview.data.mixture import Mixture, samples_of_epoch
from coview.data.order import Order
from coview.data.rng import Rng
from coview.data.sample import Sample
from coview.data.several_values import value_counts_of, with_values
from coview.data.shard_order import ShardOrder
from coview.errors import CoviewError, SampleError
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


class Rows:
    """What is known of the training rows ahead of an epoch. What the data set does not know itself is found by reading
    its samples once, when it is first asked for.

    Args:
        dataset: The training split.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._of_values: dict[tuple[str, str], np.ndarray] = {}

    def __len__(self) -> int:
        return len(self._dataset)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those of the samples."""
        return tuple(self._dataset.modalities)

    @cached_property
    def labels(self) -> np.ndarray | None:
        """The class of each row, -1 where it has none; None where the data has no classes."""
        if self._dataset.classes is None:
            return None
        known = self._dataset.labels if isinstance(self._dataset, KnowsLabels) else None
        found = known if known is not None else [-1 if s is None or s.label is None else s.label for s in self._read()]
        return np.asarray(found, dtype=np.int64)

    @cached_property
    def groups(self) -> np.ndarray | None:
        """A number for each group, and -1 for a row without one; None where no row has one."""
        known = self._dataset.groups if isinstance(self._dataset, KnowsGroups) else None
        found = known if known is not None else [None if sample is None else sample.group for sample in self._read()]
        return None if all(group is None for group in found) else _numbered(list(found))

    def contents(self, modality: str | None = None) -> np.ndarray:
        """A number for each row that rows of equal values share: of one modality, or of all of them together.

        Where rows have several values of the one modality, those that share one have the same number, and so has what
        shares another one with them.
        """
        return self._found("contents", modality)

    def lengths(self, modality: str) -> np.ndarray:
        """How long each value is: characters of a text, entries of an array's first axis; 0 of one without a length."""
        return self._found("lengths", modality)

    def only(self, chosen_N: np.ndarray) -> Rows:
        """Some of the rows, by their numbers."""
        return _SomeRows(self, chosen_N)

    def _found(self, what: str, modality: str | None) -> np.ndarray:
        if (key := (what, modality or "")) not in self._of_values:
            names = self.modalities if modality is None else (modality,)
            count_N = None if modality is None else value_counts_of(self._dataset).get(modality)
            if what == "contents" and modality is not None and count_N is not None:
                self._of_values[key] = joined_rows(len(self), _sharing(self._dataset, modality, count_N))
                return self._of_values[key]
            found: list[Any] = []
            for row, sample in enumerate(self._read()):
                values = [] if sample is None else [sample.values[name] for name in names if name in sample.values]
                if what == "lengths":
                    found.append(_length(values[0]) if values else 0)
                else:
                    hashes = tuple(content_hash(value) for value in values)
                    found.append(hashes if hashes and None not in hashes else ("row", row))
            self._of_values[key] = np.asarray(found, dtype=np.int64) if what == "lengths" else _numbered(found)
        return self._of_values[key]

    def _read(self) -> Iterator[Sample | None]:
        """The samples in order; None for one that cannot be read, which is skipped in training."""
        for row in range(len(self)):
            try:
                yield self._dataset[row]
            except SampleError:
                yield None


class _SomeRows(Rows):
    """Some of the rows of a data set, as those of an epoch of a mixture: what is known of all is known of them."""

    def __init__(self, all_rows: Rows, chosen_N: np.ndarray) -> None:
        super().__init__(all_rows._dataset)
        self._all = all_rows
        self._chosen_N = chosen_N

    def __len__(self) -> int:
        return len(self._chosen_N)

    @cached_property
    def labels(self) -> np.ndarray | None:
        return None if self._all.labels is None else self._all.labels[self._chosen_N]

    @cached_property
    def groups(self) -> np.ndarray | None:
        return None if self._all.groups is None else self._all.groups[self._chosen_N]

    def _found(self, what: str, modality: str | None) -> np.ndarray:
        found: np.ndarray = self._all._found(what, modality)[self._chosen_N]
        return found


@runtime_checkable
class Sampler(Protocol):
    """Which rows are in which batch of an epoch: a pure function of the rows, the batch size and the generator, which
    is of (seed, epoch). So it is the same for any number of workers and ranks, and after a resume.
    """

    def __call__(self, rows: Rows, batch_size: int, rng: Rng, /) -> np.ndarray:
        """The batches of an epoch: integers ``(len(rows) // batch_size, batch_size)``, each the number of a row.

        No row is in a batch twice: its views would be the same. A batch is shared by the ranks in contiguous parts.

        Raises:
            ValueError: If such batches cannot be made of these rows; coview adds where the recipe asks for it.
        """
        ...


def build_order(recipe: Recipe, registry: Registry, dataset: Dataset) -> Order:
    """The order of a recipe's run, its first epoch tried.

    Raises:
        CoviewError: If the sampler cannot make batches of the rows, or makes others than it promises.
    """
    table, size = recipe.sampler, recipe.train.batch_size
    if isinstance(dataset, StreamsShards):
        return ShardOrder(
            len(dataset), size, recipe.seed, sizes=tuple(dataset.shard_sizes), at_once=dataset.shards_at_once
        )
    where = recipe.where("sampler")
    sampler = registry.build("sampler", table.use, **table.parameters)
    all_rows = Rows(dataset)

    def batches(epoch: int, rng: Rng) -> np.ndarray:
        chosen_N = dataset.rows_of_epoch(recipe.seed, epoch) if isinstance(dataset, Mixture) else None
        rows = all_rows if chosen_N is None else all_rows.only(chosen_N)
        try:
            found = sampler(rows, size, rng)
        except ValueError as error:
            raise CoviewError(f'{where}: "{table.use}": {error}') from error
        if problem := problem_of_batches(found, len(rows), size):
            raise CoviewError(
                f'{where}: the sampler "{table.use}" {problem}',
                hint="tell the author of the plugin; see coview.Sampler",
            )
        found = np.asarray(found, dtype=np.int64)
        return found if chosen_N is None else chosen_N[found]

    order = Order(samples_of_epoch(dataset), size, recipe.seed, batches)
    order.epoch(0)
    return order


def problem_of_batches(found: Any, rows: int, batch_size: int) -> str:
    """What is wrong with the batches of an epoch, in words; empty if nothing is."""
    shape = (rows // batch_size, batch_size)
    if not isinstance(found, np.ndarray) or not np.issubdtype(found.dtype, np.integer):
        return f"makes a {type(found).__name__}, not an array of integers"
    if found.shape != shape:
        return f"makes batches of the shape {found.shape}, and has to make {shape}"
    if found.size and not (found.min() >= 0 and found.max() < rows):
        return f"names rows from {found.min()} to {found.max()}, and there are {rows:,}"
    ordered = np.sort(found, axis=1)
    twice = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
    return f"has a row twice in batch {twice[0]}" if len(twice) else ""


def _numbered(values: list[Hashable]) -> np.ndarray:
    numbers: dict[Hashable, int] = {}
    return np.asarray([-1 if v is None else numbers.setdefault(v, len(numbers)) for v in values], dtype=np.int64)


def _sharing(dataset: Dataset, modality: str, count_N: np.ndarray) -> Iterator[tuple[int, int]]:
    """Each row with the hash of each of its values; values that cannot be read, or compared, are equal to none."""
    for row, count in enumerate(count_N.tolist()):
        for number in range(count):
            with suppress(SampleError):  # it is skipped in training
                found = content_hash(with_values(dataset, row, {modality: number})[modality])
                if found is not None:
                    yield row, found


def _length(value: Any) -> int:
    try:
        return len(value)
    except TypeError:
        return 0
