"""Samplers: which rows are in which batch of an epoch."""

from __future__ import annotations

import warnings
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, MinLen

from coview.data.rng import Rng
from coview.data.sampler import Rows


class Uniform:
    """All rows once, shuffled; what is left of a last, incomplete batch is left out."""

    def __call__(self, rows: Rows, batch_size: int, rng: Rng, /) -> np.ndarray:
        """A permutation, cut into batches."""
        batches = len(rows) // batch_size
        return rng.numpy.permutation(len(rows))[: batches * batch_size].reshape(batches, batch_size)


class MPerClass:
    """``m`` samples of each class that is in a batch, of ``batch_size / m`` classes.

    Every class comes equally often. Of a class each sample comes once before any comes again. A class of fewer than m
    samples is left out, with a warning, as are samples without a class.

    Args:
        m: Samples of a class in a batch. It has to divide the batch size.
    """

    def __init__(self, *, m: Annotated[int, Ge(1)] = 2) -> None:
        self.m = m

    def __call__(self, rows: Rows, batch_size: int, rng: Rng, /) -> np.ndarray:
        """Classes are drawn as a shuffled row of all of them, over and over."""
        if batch_size % self.m:
            raise ValueError(f"m = {self.m} does not divide the batch size of {batch_size}")
        members, draw = _by_class(rows), rng.numpy
        fitting = [of_class for of_class in members if len(of_class) >= self.m]
        wanted = batch_size // self.m
        if len(fitting) < wanted:
            raise ValueError(
                f"a batch of {batch_size} with {self.m} of each class needs {wanted} classes of at least {self.m} "
                f"samples, and there are {len(fitting)}"
            )
        if left_out := len(members) - len(fitting):
            warnings.warn(f"m_per_class leaves out {left_out} classes of fewer than {self.m} samples", stacklevel=2)
        classes = _Turns(np.arange(len(fitting)), draw)
        turns = [_Turns(of_class, draw) for of_class in fitting]
        found = [
            draw.permutation(np.concatenate([turns[of].take(self.m) for of in classes.take(wanted)]))
            for _ in range(len(rows) // batch_size)
        ]
        return np.asarray(found, dtype=np.int64).reshape(-1, batch_size)


class NoDuplicates:
    """No two samples of a batch are equal in what ``by`` names, so that none is a negative of an equal one.

    All rows come once where that is possible; where a value has more rows than there are batches, each epoch draws as
    many of them as there are batches, and repeats other rows in their place.

    Args:
        by: "value" (all that a sample has), the name of a modality, such as "text", "class" or "group". Each sample
            without a class or group counts as different.
    """

    def __init__(self, *, by: Annotated[str, MinLen(1)] = "value") -> None:
        self.by = by

    def __call__(self, rows: Rows, batch_size: int, rng: Rng, /) -> np.ndarray:
        """Rows that are equal lie beside each other, and are dealt out to the batches one by one."""
        batches, draw = len(rows) // batch_size, rng.numpy
        keys = self._keys(rows)
        shuffled = draw.permutation(len(rows))
        _, inverse, counts = np.unique(keys[shuffled], return_inverse=True, return_counts=True)
        if len(counts) < batch_size:
            raise ValueError(
                f"a batch of {batch_size} needs as many samples that differ by {self.by}, and there are {len(counts)}"
            )
        nth = _rank_within(inverse)
        kept = shuffled[nth < batches]
        missing = batches * batch_size - len(kept)
        if missing > 0:  # rows of values that are not in every batch yet come once more
            room = np.maximum(batches - counts, 0)
            values = draw.permutation(np.repeat(np.arange(len(counts)), room))[:missing]
            members = np.split(shuffled[np.argsort(inverse, kind="stable")], np.cumsum(counts)[:-1])
            again = _rank_within(values)
            kept = np.concatenate([kept, [members[v][n % len(members[v])] for v, n in zip(values, again, strict=True)]])
        kept = draw.permutation(kept)[: batches * batch_size]
        of_value = draw.permutation(int(keys.max()) + 1)[keys[kept]]
        dealt = kept[np.argsort(of_value, kind="stable")].reshape(batch_size, batches).T
        return draw.permuted(dealt[draw.permutation(batches)], axis=1)

    def _keys(self, rows: Rows) -> np.ndarray:
        if self.by == "class":
            return _own_where_none(_labels(rows))
        if self.by == "group":
            if rows.groups is None:
                raise ValueError("the data has no groups")
            return _own_where_none(rows.groups)
        if self.by != "value":
            _check_modality(self.by, rows, "value, class, group")
        return rows.contents(None if self.by == "value" else self.by)


class ByLength:
    """Samples of similar length together, so that little is padded: an epoch's rows in the order of their lengths, cut
    into batches, which come in random order.

    Args:
        by: The modality whose length counts; absent: the only one.
    """

    def __init__(self, *, by: Annotated[str, MinLen(1)] | None = None) -> None:
        self.by = by

    def __call__(self, rows: Rows, batch_size: int, rng: Rng, /) -> np.ndarray:
        """Which rows are left out, of a last, incomplete batch, is drawn; so is the order of equal lengths."""
        if self.by is None and len(rows.modalities) > 1:
            raise ValueError(f"say which modality's length counts: by = one of {', '.join(rows.modalities)}")
        modality = self.by or rows.modalities[0]
        _check_modality(modality, rows)
        batches, draw = len(rows) // batch_size, rng.numpy
        chosen = draw.permutation(len(rows))[: batches * batch_size]
        by_length = chosen[np.argsort(rows.lengths(modality)[chosen], kind="stable")].reshape(batches, batch_size)
        return draw.permuted(by_length[draw.permutation(batches)], axis=1)


class Weighted:
    """Samples of rare classes more often: each by the inverse frequency of its class, so that all classes come equally
    often.

    Each place in a batch is drawn with a class of equal probability. Of a class each sample comes once before any
    comes again, and none twice in a batch: what a class has too few samples for goes to others. Samples without a class
    are left out.

    Args:
        by: "class" or "group".
    """

    def __init__(self, *, by: Literal["class", "group"] = "class") -> None:
        self.by = by

    def __call__(self, rows: Rows, batch_size: int, rng: Rng, /) -> np.ndarray:
        """How many of each class are in a batch is multinomial."""
        members, draw = _members(_labels(rows) if self.by == "class" else _groups(rows)), rng.numpy
        sizes = np.array([len(of_class) for of_class in members])
        if sizes.sum() < batch_size:
            raise ValueError(f"a batch of {batch_size} is more than the {sizes.sum()} samples that have a {self.by}")
        turns = [_Turns(of_class, draw) for of_class in members]
        found = []
        for _ in range(len(rows) // batch_size):
            counts = np.zeros_like(sizes)
            while (left := batch_size - counts.sum()) > 0:
                room = counts < sizes
                counts = np.minimum(counts + draw.multinomial(left, room / room.sum()), sizes)
            taken = [turn.take(int(count)) for turn, count in zip(turns, counts, strict=True)]
            found.append(draw.permutation(np.concatenate(taken)))
        return np.asarray(found, dtype=np.int64).reshape(-1, batch_size)


class _Turns:
    """Takes of some values in random order: each comes once before any comes again, and none twice in one take."""

    def __init__(self, values: np.ndarray, draw: np.random.Generator) -> None:
        self._draw = draw
        self._left = draw.permutation(values)
        self._all = values

    def take(self, count: int) -> np.ndarray:
        """So many of them, at most as many as there are."""
        taken = self._left[:count]
        self._left = self._left[count:]
        if len(taken) < count:
            others = self._draw.permutation(self._all[~np.isin(self._all, taken)])
            more = count - len(taken)
            self._left = self._draw.permutation(np.concatenate([others[more:], taken]))
            taken = np.concatenate([taken, others[:more]])
        return taken


def _labels(rows: Rows) -> np.ndarray:
    if rows.labels is None or not (rows.labels >= 0).any():
        raise ValueError("the data has no classes")
    return rows.labels


def _groups(rows: Rows) -> np.ndarray:
    if rows.groups is None:
        raise ValueError("the data has no groups")
    return rows.groups


def _by_class(rows: Rows) -> list[np.ndarray]:
    return _members(_labels(rows))


def _members(numbers: np.ndarray) -> list[np.ndarray]:
    """The rows of each number that there is, without those of -1."""
    return [np.flatnonzero(numbers == number) for number in np.unique(numbers[numbers >= 0])]


def _own_where_none(numbers: np.ndarray) -> np.ndarray:
    """The same, with a number of its own in place of each -1."""
    none = numbers < 0
    return np.where(none, numbers.max() + np.cumsum(none), numbers)


def _rank_within(numbers: np.ndarray) -> np.ndarray:
    """For each entry how many equal ones come before it."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    first = np.searchsorted(ordered, ordered, side="left")
    ranks = np.empty(len(numbers), dtype=np.int64)
    ranks[order] = np.arange(len(numbers)) - first
    return ranks


def _check_modality(modality: str, rows: Rows, also: str = "") -> None:
    if modality not in rows.modalities:
        known = ", ".join(filter(None, (also, *rows.modalities)))
        raise ValueError(f'the data has no "{modality}"; there is {known}')
