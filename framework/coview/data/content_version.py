"""What data are by their content: the version of a data set whose files are the user's, and may change in place."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from coview.data.atomic import replacing
from coview.data.cache import data_folder
from coview.data.cached_arrays import cached_arrays
from coview.data.file_lock import file_lock

_SIZE = 16
"""Bytes of a digest."""
_RECENT = 2 * 10**9
"""Nanoseconds: a file may change once more within them and keep its times, as coarse as some file systems have them."""
_SPEAK = 2 * 2**30
"""Bytes that take long enough to read to be announced."""
_MUCH = 64 * 2**20
"""Bytes that processes read one after the other, and not all at once."""
_READERS = 8
_CHUNK = 256


def content_version(count: int, unit: str, rows: Iterable[object], *, files: Iterable[Path | str] = ()) -> str:
    """A data set's ``version``: how much it has, and a digest of what that is.

    It has to cover all that numbers depend on, in all splits: which rows there are, in which split, their labels,
    scores and groups, and the content of the files that hold their values. It is the same for the same data, wherever
    they lie. Features and protocols are bound to it, so that a change is noticed.

    A file's content is read once: its digest is kept in coview's cache folder, for as long as the path, size, inode and
    times of the file stay.

    Args:
        count: How many there are.
        unit: Of what: "files".
        rows: What is known of each: tuples of texts, numbers and None. In their order.
        files: The files that hold the values, in their order. One that cannot be read counts as such.

    Returns:
        Such as "60 files 0f2c9b7a41de".
    """
    digest = hashlib.blake2b(digest_size=6)
    for row in rows:
        digest.update(repr(row).encode("utf-8", "surrogatepass") + b"\n")
    for of_file in file_digests(list(files)):
        digest.update(of_file)
    return f"{count} {unit} {digest.hexdigest()}"


def file_digests(files: Sequence[Path | str]) -> list[bytes]:
    """A digest of each file's content; of one that cannot be read, of why not."""
    if not files:
        return []
    here = os.getcwd()
    paths = [os.path.join(here, file) for file in files]
    folder = os.path.commonpath([min(paths), max(paths)])  # it only names the file of digests
    now = time.time_ns()
    states = [_state(path) for path in paths]
    kept_in = data_folder("digests") / f"{_hashed(os.fsencode(folder)).hex()}.npz"
    known = _read_known(kept_in)
    missing = sum(state[1] for state in states if state is not None and state[0] not in known)
    with ExitStack() as stack:
        if missing > _MUCH:
            # several processes of one run start at once: one reads, and the others find what it has kept
            with suppress(OSError):
                kept_in.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(file_lock(kept_in.with_suffix(".lock"), wait=True, say=lambda _: None))
                known = _read_known(kept_in)
        fresh = _read(paths, states, known)
        known |= fresh
        # of a file that has just changed it is not known whether it will once more
        settled = {state[0] for state in states if state is not None and state[2] < now - _RECENT}
        if settled & fresh.keys():
            _keep(kept_in, settled, {key: known[key] for key in known if key not in fresh or key in settled})
    return [_hashed(b"cannot be read") if state is None else known[state[0]] for state in states]


_State = tuple[bytes, int, int] | None
"""What tells whether a file has changed, its size, and when it last did; None for one that is not there."""


def _state(path: str) -> _State:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    # the time of the last change of the inode tells also of what was written in place with its old time set back
    changed = max(found.st_mtime_ns, found.st_ctime_ns)
    text = f"{path}\0{found.st_size}\0{found.st_ino}\0{found.st_mtime_ns}\0{found.st_ctime_ns}"
    return _hashed(text.encode("utf-8", "surrogateescape")), found.st_size, changed


def _read(paths: Sequence[str], states: Sequence[_State], known: dict[bytes, bytes]) -> dict[bytes, bytes]:
    wanted = [(state, path) for state, path in zip(states, paths, strict=True) if state and state[0] not in known]
    size = sum(state[1] for state, _ in wanted)
    if size > _SPEAK:
        print(
            f"reading {size / 2**30:.1f} GB of {len(wanted):,} files such as {wanted[0][1]} once, so that a "
            "change of their content is noticed",
            file=sys.stderr,
        )
    chunks = [wanted[at : at + _CHUNK] for at in range(0, len(wanted), _CHUNK)]
    with ThreadPoolExecutor(_READERS) as pool:
        digests = pool.map(lambda chunk: [_content(path) for _, path in chunk], chunks)
        return {
            state[0]: digest
            for chunk, found in zip(chunks, digests, strict=True)
            for (state, _), digest in zip(chunk, found, strict=True)
        }


def _content(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_SIZE)).digest()
    except OSError:
        return _hashed(b"cannot be read")


def _hashed(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_SIZE).digest()


def _read_known(kept_in: Path) -> dict[bytes, bytes]:
    kept = cached_arrays(kept_in, ("pairs",))
    pairs: Any = None if kept is None else kept["pairs"]
    if pairs is None or pairs.dtype != np.uint8 or pairs.ndim != 2 or pairs.shape[1] != 2 * _SIZE:
        return {}
    content = pairs.tobytes()
    step = 2 * _SIZE
    return {content[at : at + _SIZE]: content[at + _SIZE : at + step] for at in range(0, len(content), step)}


def _keep(kept_in: Path, current: set[bytes], known: dict[bytes, bytes]) -> None:
    """Of what is no longer asked for as much stays as there is now: other data sets may be of the same folder."""
    if len(known) > 2 * len(current) + 1000:
        known = {key: digest for key, digest in known.items() if key in current}
    pairs = np.frombuffer(b"".join(key + digest for key, digest in known.items()), dtype=np.uint8)
    with suppress(OSError):  # what cannot be kept costs time only
        kept_in.parent.mkdir(parents=True, exist_ok=True)
        with replacing(kept_in, durable=False) as beside:
            np.savez(beside, pairs=pairs.reshape(-1, 2 * _SIZE))
