"""Tux Paint's spoken names of things: real voices, twelve languages, from a Debian package."""

from __future__ import annotations

import hashlib
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

import coview
from coview_audio.datasets.recordings import Recording, Recordings

_PACKAGE = "tuxpaint-stamps-default"
_MARK = "_desc_"


class Tuxpaint(Recordings):
    """About 6400 recordings in which people name a thing in their language, 1.3 s on average, at 44.1 kHz.

    Of recordings that occur more than once, one is kept. What is on both sides of the split depends on the label:
    by language or category no word is on both sides; by word no language is, and so no speaker.
    Each language has one or a few speakers, each with a microphone and a room: a language is confounded with
    them, and 99 % on it is no proof of linguistic knowledge.

    Args:
        split: "train" or "test".
        label: What the class is: the "language", the "category" (animals, food, …), or the thing that is named
            ("word").
        sample_rate: Samples a second, in Hz, that sounds are resampled to.
        smallest_class: Classes of fewer recordings are left out.
        root: Folder ``stamps`` of Tux Paint. By default what ``coview data fetch tuxpaint_stamps`` has fetched, else
            the system's own.
        test_fraction: Share held out.
        split_seed: Seed of the split, on purpose not the run's.
    """

    citation = "Tux Paint stamps, https://tuxpaint.org/stamps/, spoken by volunteers"
    licence = "GPL-2.0-or-later"

    def __init__(
        self,
        *,
        split: str = "train",
        label: Literal["language", "category", "word"] = "language",
        sample_rate: Annotated[int, Ge(1000)] = 16000,
        smallest_class: Annotated[int, Ge(2)] = 6,
        root: Path | None = None,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        folder = coview.resource_folder("tuxpaint_stamps") if root is None else coview.expanded(root)
        stamps, self.version = _stamps(folder)
        group = "language" if label == "word" else "word"
        super().__init__(
            folder,
            [Recording(stamp.path, getattr(stamp, label), getattr(stamp, group)) for stamp in stamps],
            f"spoken descriptions (*{_MARK}LANGUAGE.ogg) of which {smallest_class} are of one {label}",
            split=split,
            sample_rate=sample_rate,
            smallest_class=smallest_class,
            test_fraction=test_fraction,
            split_seed=split_seed,
        )


def fetch(folder: Path) -> None:
    """The resource ``tuxpaint_stamps``: the stamps' folder of the Debian package."""
    with coview.debian_files(_PACKAGE) as root:
        shutil.copytree(root / "usr/share/tuxpaint/stamps", folder, dirs_exist_ok=True)


@dataclass(frozen=True)
class _Stamp:
    path: str
    language: str
    category: str
    word: str


def _stamps(root: Path) -> tuple[list[_Stamp], str]:
    """Every recording once, and a version by their contents; stamps that share one are the same word."""
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob(f"*{_MARK}*.ogg"))
    contents = {path: hashlib.blake2b((root / path).read_bytes(), digest_size=12).hexdigest() for path in paths}
    whole = hashlib.blake2b("".join(contents.values()).encode(), digest_size=6).hexdigest()
    words = joined([(path.partition(_MARK)[0], contents[path]) for path in paths])
    found: dict[str, _Stamp] = {}
    for path in paths:
        stamp, _, rest = path.partition(_MARK)
        language = rest.split(".")[0]
        found.setdefault(contents[path], _Stamp(path, language, path.split("/")[0], words[stamp]))
    return list(found.values()), f"{len(paths)} files {whole}"


def joined(pairs: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    """For each stamp the first of all that are linked to it by shared recordings."""
    first: dict[str, str] = {}

    def root(stamp: str) -> str:
        while first.setdefault(stamp, stamp) != stamp:
            stamp = first[stamp]
        return stamp

    by_content: dict[str, list[str]] = defaultdict(list)
    for stamp, content in pairs:
        by_content[content].append(stamp)
    for stamps in by_content.values():
        roots = sorted({root(stamp) for stamp in stamps})
        for other in roots[1:]:
            first[other] = roots[0]
    return {stamp: root(stamp) for stamp, _ in pairs}
