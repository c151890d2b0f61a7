"""Many texts in one block of bytes: a list of strings is copied into every forked process as it is touched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np


class PackedTexts(Sequence[str]):
    """Texts that cannot be changed, made of bytes when they are asked for.

    Args:
        texts: In their order. What in them is not Unicode, as in names of files, stays as it is.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        parts = [text.encode("utf-8", "surrogatepass") for text in texts]
        self._bytes = np.frombuffer(b"".join(parts), dtype=np.uint8)
        self._ends = np.cumsum([0, *map(len, parts)])

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int, /) -> str: ...

    @overload
    def __getitem__(self, place: slice, /) -> PackedTexts: ...

    def __getitem__(self, place: int | slice, /) -> str | PackedTexts:
        if isinstance(place, slice):
            return PackedTexts(self[at] for at in range(len(self))[place])
        place = range(len(self))[place]
        return self._bytes[self._ends[place] : self._ends[place + 1]].tobytes().decode("utf-8", "surrogatepass")
