"""Encodings of one modality on disk: in parts, each a file that is there whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from coview.data.batch import Skipped
from coview.errors import SampleError
from coview.evaluate.embedding import Embedded, read_embedded, write_embedded

PART = 1024
"""Rows in a file: a process waits for the others for as long as one of them takes at most."""


@dataclass(frozen=True)
class EncodingFiles:
    """The files of the encodings.

    Attributes:
        folder: Where they are.
        of: What they are of: a file that is of something else is made again.
        rows_M: The rows of the data set that have the modality, ascending.
    """

    folder: Path
    of: Mapping[str, Any]
    rows_M: np.ndarray

    @property
    def count(self) -> int:
        """How many files there are to be."""
        return -(-len(self.rows_M) // PART)

    def rows(self, part: int) -> np.ndarray:
        """The rows of a file."""
        return self.rows_M[part * PART : (part + 1) * PART]

    def read(self, part: int) -> Embedded | None:
        """What a file holds, its numbers read from the disk when they are looked at; None if it has to be made.

        Samples that could not be read are told by their place among the rows of the file.
        """
        return read_embedded(self._path(part), self._of(part))

    def write(self, part: int, embedded: Embedded) -> None:
        """Makes a file.

        Raises:
            OSError: If the disk takes no more.
        """
        write_embedded(self._path(part), embedded, self._of(part))

    def _path(self, part: int) -> Path:
        return self.folder / f"part-{part}.safetensors"

    def _of(self, part: int) -> dict[str, Any]:
        return {**self.of, "part": part}


@dataclass
class KeptEncodings:
    """Encodings by the rows of their data set.

    Attributes:
        files: Where they are.
        size: Rows of the data set.
    """

    files: EncodingFiles
    size: int
    _parts: dict[int, Embedded] = field(default_factory=dict)
    _place_N: np.ndarray = field(init=False)
    _skipped: dict[int, Skipped] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._place_N = np.full(self.size, -1, dtype=np.int64)

    def open(self) -> list[int]:
        """Opens the files that are not open yet; those that are missing."""
        missing = []
        for number in range(self.files.count):
            if number in self._parts:
                continue
            if (part := self.files.read(number)) is None:
                missing.append(number)
                continue
            rows = self.files.rows(number)
            self._place_N[rows[part.rows]] = number * PART + np.arange(len(part.features))
            self._skipped |= {int(rows[skipped.row]): skipped for skipped in part.skipped}
            self._parts[number] = part
        return missing

    def of_row(self, row: int, /) -> Tensor:
        """As :class:`coview.data.encoded_rows.Encodings`."""
        if not self._parts:  # in a loader process that was not forked
            self.open()
        place = int(self._place_N[row])
        if place < 0:
            skipped = self._skipped[row]
            raise SampleError(skipped.what, skipped.reason)
        number, at = divmod(place, PART)
        return self._parts[number].features.x_ND[at]

    def __getstate__(self) -> dict[str, Any]:
        # loader processes open the files themselves: what is sent to them would be copied
        return {**self.__dict__, "_parts": {}}
