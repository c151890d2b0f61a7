"""Where the samples of one shard lie in its file, a place for each column that a recipe reads of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from coview.data.cached_arrays import cached_arrays
from coview.data.tar_files import key_and_ending, read_tar_index

ABSENT = -1
"""In place of the size of what a sample does not have."""
SPARSE = -2
"""Of a member that is stored in pieces."""
TWICE = -3
"""Of an ending that two members of a sample have."""


@dataclass(frozen=True)
class ShardIndex:
    """The samples of a shard.

    Attributes:
        keys: The bytes of their names, one after the other; empty where a sample is called by its number.
        key_end_S: Where each name ends.
        offset_SC, size_SC: Where each column's content begins, and how many bytes it has, or why there is none.
        cut_at: The byte at which the file ends too early; -1 where it is complete.
    """

    keys: np.ndarray
    key_end_S: np.ndarray
    offset_SC: np.ndarray
    size_SC: np.ndarray
    cut_at: np.ndarray

    def __len__(self) -> int:
        return len(self.offset_SC)

    def key(self, sample: int) -> str:
        """The name of a sample in its shard."""
        if not len(self.key_end_S):
            return str(sample)
        first = int(self.key_end_S[sample - 1]) if sample else 0
        return self.keys[first : int(self.key_end_S[sample])].tobytes().decode("utf-8", "surrogatepass")

    def to_bytes(self) -> bytes:
        """The index as an ``.npz`` file."""
        file = BytesIO()
        np.savez(file, **vars(self))
        return file.getvalue()

    @classmethod
    def kept(cls, file: Path | BytesIO, columns: int) -> ShardIndex | None:
        """What :meth:`to_bytes` has made; None if there is none, it is damaged or of another number of columns."""
        arrays = cached_arrays(file, cls.__dataclass_fields__)
        if arrays is None:
            return None
        index = cls(**arrays)
        shape = (len(index.offset_SC), columns)
        fits = index.offset_SC.shape == index.size_SC.shape == shape and len(index.key_end_S) in (0, shape[0])
        return index if fits else None


def index_of_tar(tar: Path, columns: Sequence[str]) -> ShardIndex:
    """The samples of a tar file in WebDataset's layout, in the order in which their first members stand.

    Args:
        tar: The file.
        columns: The endings that each column may have, as WebDataset writes them: ``jpg;png`` is the first that a
            sample has.

    Raises:
        CoviewError: If it cannot be read as a tar file.
    """
    members = read_tar_index(tar)
    wanted = [[f".{ending}" for ending in column.lower().split(";")] for column in columns]
    samples: dict[str, dict[str, int]] = {}
    twice: set[tuple[str, str]] = set()
    for member in range(len(members.offset_M)):
        name = members.name(member)
        if "/" not in name and name.startswith("__") and name.endswith("__"):  # WebDataset's own, and no sample
            continue
        key, ending = key_and_ending(name)
        if samples.setdefault(key, {}).setdefault(ending, member) != member:
            twice.add((key, ending))
    offset_SC = np.full((len(samples), len(columns)), -1, dtype=np.int64)
    size_SC = np.full((len(samples), len(columns)), ABSENT, dtype=np.int64)
    for sample, (key, of_sample) in enumerate(samples.items()):
        for column, endings in enumerate(wanted):
            for found in endings:
                if found in of_sample:
                    size = int(members.size_M[of_sample[found]])
                    offset_SC[sample, column] = members.offset_M[of_sample[found]]
                    size_SC[sample, column] = TWICE if (key, found) in twice else SPARSE if size < 0 else size
                    break
    keys = [key.encode("utf-8", "surrogatepass") for key in samples]
    return ShardIndex(
        keys=np.frombuffer(b"".join(keys), dtype=np.uint8),
        key_end_S=np.cumsum([len(key) for key in keys], dtype=np.int64),
        offset_SC=offset_SC,
        size_SC=size_SC,
        cut_at=members.cut_at,
    )
