"""A file whose bytes have come from a stream."""

from __future__ import annotations

from io import BytesIO


class StreamedFile(BytesIO):
    """The bytes of a file of data that are larger than the disk: what is made of it is not to be kept there.

    A :class:`coview.FileReader` that keeps what it makes of files, such as resampled sounds, keeps nothing of these.
    """
