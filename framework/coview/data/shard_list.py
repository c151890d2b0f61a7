"""The shards that a recipe names, and how many samples each has."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import posixpath
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coview.data.atomic import write_atomically
from coview.data.cache import data_folder
from coview.data.file_lock import file_lock
from coview.data.shard_source import again, file_system, read_small
from coview.errors import CoviewError, few
from coview.plugins.home import expanded
from coview.recipe.place import is_address

SIZES = "sizes.json"
"""The file beside shards that says how many samples each has, as WebDataset's tools write it."""

_STATS = "_stats.json"
"""What img2dataset writes beside each shard ends like this."""
_STATES = ("ETag", "etag", "blob_id", "sha256", "md5", "md5Hash", "Content-MD5")
"""What file systems call that which is another when a file's content is."""
_KEEP_EVERY = 64


@dataclass(frozen=True)
class Shard:
    """One shard.

    Attributes:
        address: Where it is: a path or an address.
        samples: How many it has; None while that is not known.
        size: Its bytes, where a listing says them.
        state: What is another when its content is, where a listing says it.
    """

    address: str
    samples: int | None = None
    size: int | None = None
    state: str = ""


def find_shards(given: Path, ending: str, options: Mapping[str, Any], what: str) -> list[Shard]:
    """The shards of a folder, a pattern or a file of sizes, in the order of their names, with what is said of them.

    Args:
        given: A folder; a pattern such as ``data/train-*.tar`` or ``https://host/train-{000..999}.tar``; or a JSON
            file of names and numbers of samples. An address may have lost one of two slashes, as in a path.
        ending: Of the shards' names: ".tar".
        options: For the file system.
        what: What messages call the data.

    Raises:
        CoviewError: If there are none, or their file of sizes says nothing of some of them.
    """
    address = as_address(given)
    if address.endswith(".json"):
        counts = _sizes(address, options, required=True)
        folder = posixpath.dirname(address)
        found = [Shard(name if _is_whole(name) else f"{folder}/{name}") for name in counts]
    else:
        found = list(_listed(address, ending, options))
        counts = _sizes(f"{posixpath.dirname(found[0].address)}/{SIZES}", options) if found else {}
    if not found:
        raise CoviewError(
            f"{what} {address}: there are no such files",
            hint=f'give a folder of *{ending} files, a pattern such as "folder/train-*{ending}", or the sizes.json of '
            "the shards",
        )
    by_name = {posixpath.basename(name): count for name, count in counts.items()}
    known = [replace(shard, samples=by_name.get(posixpath.basename(shard.address))) for shard in found]
    if counts and (missing := [shard.address for shard in known if shard.samples is None]):
        raise CoviewError(f"{what} {address}: {SIZES} says nothing of {few(missing)}")
    return known if counts else [_with_stats(shard, options) for shard in known]


def as_address(given: Path) -> str:
    """What was written: a path has one slash where an address has two."""
    text = str(given)
    if found := re.match(r"([a-z][a-z0-9+.-]+):/+(?=[^/])", text):
        root = "/" if found[1] in ("file", "local") else ""
        return f"{found[1]}://{root}{text[found.end() :]}"
    return str(expanded(given))


def counted(shards: Sequence[Shard], count: Callable[[Shard], int], what: str) -> list[Shard]:
    """The same with the number of samples of each. What nobody says is counted once, and remembered.

    Args:
        shards: The shards.
        count: Counts the samples of one.
        what: What messages call the data.
    """
    unknown = [shard for shard in shards if shard.samples is None]
    if not unknown:
        return list(shards)
    told = repr([(shard.address, shard.size, shard.state) for shard in unknown])
    folder = data_folder("shard_counts")
    path = folder / f"{hashlib.blake2b(told.encode(), digest_size=12).hexdigest()}.json"
    folder.mkdir(parents=True, exist_ok=True)
    with file_lock(path.with_suffix(".lock"), say=lambda _: None):
        known = _remembered(path)
        missing = [shard for shard in unknown if shard.address not in known]
        if missing and any(is_address(shard.address) for shard in missing):
            print(
                f"counting the samples of {len(missing):,} shards of {what} once; a file {SIZES} beside them, "
                '{"NAME": NUMBER, …}, would say it',
                file=sys.stderr,
            )
        for number, shard in enumerate(missing, 1):
            known[shard.address] = count(shard)
            if number % _KEEP_EVERY == 0 or number == len(missing):
                write_atomically(path, json.dumps(known))
    return [
        replace(shard, samples=known[shard.address] if shard.samples is None else shard.samples) for shard in shards
    ]


def names_of(shards: Sequence[Shard]) -> list[str]:
    """What each is called in ids and messages: its address from the folder on that all have in common."""
    folder = posixpath.commonpath([posixpath.dirname(_as_path(shard.address)) for shard in shards])
    return [posixpath.relpath(_as_path(shard.address), folder) for shard in shards]


def _as_path(address: str) -> str:
    return "/" + address.replace("://", "/") if is_address(address) else os.path.abspath(address)


def _is_whole(name: str) -> bool:
    return is_address(name) or os.path.isabs(name)


def _listed(address: str, ending: str, options: Mapping[str, Any]) -> Iterator[Shard]:
    for one in _alternatives(address):
        if is_address(one):
            yield from again(one, lambda one=one: _listed_remotely(one, ending, options))  # type: ignore[misc]
        elif os.path.isdir(one):
            yield from _local(sorted(glob.glob(f"{glob.escape(one)}/*{ending}")))
        elif glob.has_magic(one):
            yield from _local(sorted(glob.glob(one)))
        elif os.path.isfile(one):
            yield from _local([one])
        else:
            raise CoviewError(f"{one}: there is no such file or folder")


def _local(paths: Sequence[str]) -> Iterator[Shard]:
    return (Shard(path, size=os.stat(path).st_size) for path in paths)


def _listed_remotely(address: str, ending: str, options: Mapping[str, Any]) -> list[Shard]:
    system, path = file_system(address, options)
    if "*" in path:
        found = system.glob(path, detail=True)
    elif path.endswith(ending):
        return [Shard(address)]
    else:
        found = system.glob(f"{path.rstrip('/')}/*{ending}", detail=True)
    return [
        Shard(
            system.unstrip_protocol(name),
            size=info.get("size"),
            state=next((str(info[key]) for key in _STATES if info.get(key)), ""),
        )
        for name, info in sorted(found.items())
    ]


def _alternatives(address: str) -> list[str]:
    """The addresses that braces stand for: ``{000..012}`` or ``{a,b}``."""
    found = re.search(r"\{(\d+)\.\.(\d+)\}|\{([^{}]*,[^{}]*)\}", address)
    if found is None:
        return [address]
    if found[3] is not None:
        parts = found[3].split(",")
    else:
        width = len(found[1]) if found[1].startswith("0") else 0
        parts = [f"{number:0{width}}" for number in range(int(found[1]), int(found[2]) + 1)]
    before, after = address[: found.start()], address[found.end() :]
    return [one for part in parts for one in _alternatives(before + part + after)]


def _sizes(address: str, options: Mapping[str, Any], *, required: bool = False) -> dict[str, int]:
    """The names of shards and their numbers of samples, of a file as WebDataset's tools write it."""
    content = _content(address, options)
    if content is None:
        if required:
            raise CoviewError(f"{address}: there is no such file")
        return {}
    try:
        said = json.loads(content)
        if isinstance(said, dict) and "shardlist" in said:  # of wids, WebDataset's index
            said = {one["url"]: one["nsamples"] for one in said["shardlist"]}
        counts = {str(name): count for name, count in said.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CoviewError(f'{address} has to say how many samples each shard has: {{"NAME": NUMBER, …}}') from error
    if wrong := [name for name, count in counts.items() if not _is_count(count)]:
        raise CoviewError(f"{address}: {few(wrong)} has to have a whole number of samples")
    return counts


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _content(address: str, options: Mapping[str, Any]) -> bytes | None:
    if is_address(address):
        return read_small(address, options)
    path = Path(address)
    return path.read_bytes() if path.is_file() else None


def _with_stats(shard: Shard, options: Mapping[str, Any]) -> Shard:
    """The same with what img2dataset says of it. A server is not asked for a file that may be there."""
    if is_address(shard.address):
        return shard
    content = _content(posixpath.splitext(shard.address)[0] + _STATS, options)
    if content is None:
        return shard
    try:
        count = json.loads(content)["successes"]
    except (ValueError, TypeError, KeyError):
        return shard
    return replace(shard, samples=count) if _is_count(count) else shard


def _remembered(path: Path) -> dict[str, int]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) and all(map(_is_count, said.values())) else {}
