"""Text files of the user's, packed or not: their encoding is recognised where a mark says it, and else it is said."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from coview.errors import CoviewError
from coview.plugins.home import expanded

LARGEST = 4 * 2**30
"""Bytes that a packed file may unpack to."""

_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
"""Byte order marks, the longer ahead of what they begin with."""

_KINDS = ((b"PAR1", "Parquet"), (b"PK\x03\x04", "a zip archive, as of Excel"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"),
          (b"\xfd7zXZ", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"))  # fmt: skip
"""What else files hold that are given as texts, by how they begin."""


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The content of a file, or of one packed by gzip (``.gz``), with ``\\n`` at the end of lines and without a mark.

    A byte order mark of UTF-16 or UTF-32 goes before the default encoding.

    Raises:
        CoviewError: If it is not there, is not a text, is in another encoding, with the line, or unpacks to more than 4
            GiB.
        ValueError: If there is no such encoding.
    """
    data = read_bytes(path)
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), encoding)
    try:
        text = data.decode(encoding)
    except LookupError as error:
        raise ValueError(f'encoding: there is no encoding "{encoding}"') from error
    except UnicodeError as error:
        raise _no_text(path, data, encoding, error) from error
    if "\0" in text:
        raise CoviewError(
            f"{path}: there are zero bytes in it, which a text never has",
            hint=f"{_proposal(data)}, if it is a text at all",
        )
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked where its name ends in ``.gz``.

    Raises:
        CoviewError: If it is not there, is not a file, cannot be unpacked, or unpacks to more than 4 GiB.
    """
    given = expanded(path)
    if given.exists() and not given.is_file():
        raise CoviewError(f"{path}: {'it is a folder' if given.is_dir() else 'it is not a file'}")
    try:
        if given.suffix.lower() != ".gz":
            return given.read_bytes()
        with gzip.open(given) as file:
            data = file.read(LARGEST + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CoviewError(f"{path} cannot be unpacked by gzip: {error}") from error
    except OSError as error:
        raise CoviewError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    if len(data) > LARGEST:
        raise CoviewError(f"{path} unpacks to more than {LARGEST // 2**30} GiB", hint="unpack it first")
    return data


def _no_text(path: Path, data: bytes, encoding: str, error: UnicodeError) -> CoviewError:
    for start, kind in _KINDS:
        if data.startswith(start):
            return CoviewError(f"{path} is not a text: it is {kind}", hint="its ending has to say so, or unpack it")
    if not isinstance(error, UnicodeDecodeError):
        return CoviewError(f"{path}: this is not {encoding}: {error}")
    line = data.count(b"\n", 0, error.start) + 1
    return CoviewError(
        f"{path}:{line}: this is not {encoding}: byte 0x{data[error.start]:02x}", hint=_proposal(data, encoding)
    )


def _proposal(data: bytes, given: str = "") -> str:
    """Which encoding the bytes look like."""
    start = data[:4096]
    if start.count(0) > len(start) // 4:  # every other byte of Latin letters
        return f'it looks like UTF-16: give encoding = "{"utf-16-be" if start[:1] == bytes(1) else "utf-16-le"}"'
    if given != "utf-8":
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            return 'it is UTF-8: give encoding = "utf-8"'
    names = '"cp1252" (Windows, Western Europe)' if given != "cp1252" else '"latin-1"'
    return f'give the encoding that it was written in, such as encoding = {names}, "cp1251", "shift_jis" or "gb18030"'
