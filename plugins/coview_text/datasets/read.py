"""Reading text files of unknown quality, with the line of what is wrong."""

from __future__ import annotations

from pathlib import Path

import coview


def read_text(path: Path, encoding: str, what: str) -> str:
    """The content of a file, universal newlines, without a byte order mark.

    Raises:
        CoviewError: If it is not there, or not in that encoding, with the line.
    """
    try:
        if (given := path.expanduser()).exists() and not given.is_file():
            fault = "it is a folder" if given.is_dir() else "it is no file"
            raise coview.CoviewError(f"{what}: {path}: {fault}")
        data = given.read_bytes()
    except OSError as error:
        raise coview.CoviewError(f"{what}: {path}: {(error.strerror or str(error)).lower()}") from error
    try:
        text = data.decode(encoding)
    except LookupError as error:
        raise ValueError(f'encoding: there is no encoding "{encoding}"') from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise coview.CoviewError(
            f"{path}:{line}: this is not {encoding}: byte 0x{data[error.start]:02x}",
            hint='give its encoding, such as encoding = "latin-1" or "cp1252"',
        ) from error
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
