"""Whether no two samples have one id, and each has the same always: before training, and as they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from coview.data.sample import id_as_int64
from coview.errors import CoviewError

WHY = "views are seeded by the id, and rows of equal id are not told apart by a loss"

_RECENT = 65536
"""How many ids are kept unsorted: sorting takes longer than looking them up."""


def ids_as_int64(ids: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Each of them by :func:`coview.data.sample.id_as_int64`."""
    array = np.asarray(ids)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    return np.fromiter((id_as_int64(item) for item in ids), np.int64, len(ids))


def equal_ids(ids_N: np.ndarray) -> tuple[int, int] | None:
    """The first two places of one id; None if all differ."""
    order_N = np.argsort(ids_N, kind="stable")
    repeated = np.flatnonzero(ids_N[order_N][1:] == ids_N[order_N][:-1])
    if not len(repeated):
        return None
    first, second = min((int(order_N[at]), int(order_N[at + 1])) for at in repeated)
    return first, second


def check_ids(rows_N: np.ndarray, ids_N: np.ndarray, what: str) -> None:
    """Raises :class:`CoviewError` if two rows of a data set have one id.

    Args:
        rows_N: Which rows.
        ids_N: Their ids, as int64.
        what: Whose rows they are.
    """
    if places := equal_ids(ids_N):
        first, second = sorted(int(rows_N[place]) for place in places)
        raise _same_id(what, first, second)


class IdWatch:
    """Notes the id of each row as it is read. 16 bytes a row.

    Args:
        rows: How many rows the data has.
        what: Whose rows they are, for a message.
    """

    def __init__(self, rows: int, what: str) -> None:
        self._what = what
        self._id_of_row_N = np.full(rows, -1, dtype=np.int64)
        self._sorted_M = np.empty(0, dtype=np.int64)
        self._recent: set[int] = set()

    def note(self, rows: Sequence[int], ids: Sequence[int]) -> None:
        """Notes some rows.

        Raises:
            CoviewError: If one of them has the id of another row, or another id than it had.
        """
        rows_B, ids_B = np.asarray(rows, dtype=np.int64), np.asarray(ids, dtype=np.int64)
        known_B = self._id_of_row_N[rows_B]
        is_new_B = known_B != ids_B
        if not is_new_B.any():
            return
        if (known_B == -1).all() and self._are_all_new(ids_B, rows_B):  # the usual case, at once
            self._id_of_row_N[rows_B] = ids_B
            self._recent.update(ids_B.tolist())
        else:
            self._note_each(rows_B, ids_B, is_new_B)
        if len(self._recent) > _RECENT:
            recent = np.fromiter(self._recent, np.int64, len(self._recent))
            self._sorted_M = np.sort(np.concatenate([self._sorted_M, recent]), kind="stable")
            self._recent = set()

    def _are_all_new(self, ids_B: np.ndarray, rows_B: np.ndarray) -> bool:
        ids = set(ids_B.tolist())
        if len(ids) < len(ids_B) or len(set(rows_B.tolist())) < len(rows_B) or not self._recent.isdisjoint(ids):
            return False
        return not self._is_one_sorted_in(ids_B)

    def _note_each(self, rows_B: np.ndarray, ids_B: np.ndarray, is_new_B: np.ndarray) -> None:
        for row, sample_id in zip(rows_B[is_new_B].tolist(), ids_B[is_new_B].tolist(), strict=True):
            known = int(self._id_of_row_N[row])
            if known == sample_id:  # twice in one batch
                continue
            if known >= 0:
                raise CoviewError(
                    f"{self._what}: row {row} has a different id than when it was read before",
                    hint=f"an id has to be the same whenever and wherever a sample is read: {WHY}",
                )
            if sample_id in self._recent or self._is_one_sorted_in(np.array([sample_id])):
                other = int(np.flatnonzero(self._id_of_row_N == sample_id)[0])
                raise _same_id(self._what, *sorted((row, other)))
            self._id_of_row_N[row] = sample_id
            self._recent.add(sample_id)

    def _is_one_sorted_in(self, ids_B: np.ndarray) -> bool:
        if not len(self._sorted_M):
            return False
        places_B = np.minimum(np.searchsorted(self._sorted_M, ids_B), len(self._sorted_M) - 1)
        return bool((self._sorted_M[places_B] == ids_B).any())


def _same_id(what: str, first: int, second: int) -> CoviewError:
    return CoviewError(f"{what}: rows {first} and {second} have the same id", hint=f"each has to have its own: {WHY}")
