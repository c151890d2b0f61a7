"""Pictures in files, as any data set of several modalities reads them."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from coview_image.decode import decode
from coview_image.depth import settled_bits


class PictureFiles:
    """Makes arrays (height, width, 3) of uint8 of files: see :func:`coview_image.decode.decode`.

    Args:
        decode_size: For JPEG, the least that a reduced scale leaves of both sides, in pixels; None for full size.
        bits: Of 16-bit greys; None to settle on it by the first files.
    """

    def __init__(self, decode_size: int | None = None, bits: int | None = None) -> None:
        self._decode_size, self._given, self._bits = decode_size, bits, bits or 16

    def look_at(self, examples: Sequence[tuple[str, Path | BytesIO]], /) -> Sequence[str]:
        """Refuses 16-bit greys of fewer bits, unless it was said how many there are."""
        self._bits = settled_bits(examples, self._given)
        return ()

    def __call__(self, file: Path | BytesIO, name: str = "", /) -> np.ndarray:
        """The picture in a file.

        Raises:
            SampleError: If there is none.
        """
        return decode(file, self._decode_size, name=name, bits=self._bits)
