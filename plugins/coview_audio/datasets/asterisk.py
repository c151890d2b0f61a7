"""Asterisk's telephone prompts: five professional speakers, each in a language, from Debian packages."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

import coview
from coview_audio.datasets.recordings import Recording, Recordings

_PACKAGES = tuple(f"asterisk-core-sounds-{language}-wav" for language in ("en", "es", "fr", "it", "ru"))
_SILENCE = "silence"


class Asterisk(Recordings):
    """About 2800 telephone prompts at 8 kHz by five speakers, of whom each speaks another language.

    By speaker no prompt is on both sides of the split; by prompt no speaker is. A speaker is a language and a
    studio as well.

    Args:
        split: "train" or "test".
        label: What the class is: the "speaker", or the "prompt" that is spoken.
        sample_rate: Samples a second, in Hz, that sounds are resampled to.
        smallest_class: Classes of fewer recordings are left out.
        root: Folder with a folder for each speaker. By default what ``coview data fetch asterisk_sounds`` has fetched,
            else the system's own.
        test_fraction: Share held out.
        split_seed: Seed of the split, on purpose not the run's.
    """

    citation = "Asterisk core sounds, https://downloads.asterisk.org/pub/telephony/sounds/"
    licence = "CC-BY-SA-3.0; the Russian ones CC-BY-3.0"

    def __init__(
        self,
        *,
        split: str = "train",
        label: Literal["speaker", "prompt"] = "speaker",
        sample_rate: Annotated[int, Ge(1000), Le(192000)] = 16000,
        smallest_class: Annotated[int, Ge(2)] = 5,
        root: Path | None = None,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        folder = _all_speakers() if root is None else coview.expanded(root)
        found = sorted(path.relative_to(folder) for path in folder.glob("*/**/*.wav"))
        # each is its speaker's folder and its prompt's name below that
        pairs = [
            (path.parts[0], "/".join(path.parts[1:])[: -len(".wav")]) for path in found if _SILENCE not in path.parts
        ]
        own, other = (0, 1) if label == "speaker" else (1, 0)
        super().__init__(
            folder,
            [Recording(f"{pair[0]}/{pair[1]}.wav", pair[own], pair[other]) for pair in pairs],
            f"prompts (SPEAKER/…/*.wav) of which {smallest_class} are of one {label}",
            split=split,
            sample_rate=sample_rate,
            smallest_class=smallest_class,
            test_fraction=test_fraction,
            split_seed=split_seed,
        )
        digest = hashlib.blake2b(repr(pairs).encode(), digest_size=6)
        self.version = f"{len(pairs)} prompts {digest.hexdigest()}"


def fetch(folder: Path) -> None:
    """The resource ``asterisk_sounds``: the five speakers' folders of the Debian packages."""
    with coview.debian_files(*_PACKAGES) as root:
        shutil.copytree(root / "usr/share/asterisk/sounds", folder, dirs_exist_ok=True)


def _all_speakers() -> Path:
    folder = coview.resource_folder("asterisk_sounds")
    speakers = sum(path.is_dir() for path in folder.iterdir())
    if speakers < len(_PACKAGES):  # a system may have the packages of some languages only
        raise coview.CoviewError(
            f"{folder} has {speakers} of {len(_PACKAGES)} speakers", hint="coview data fetch asterisk_sounds --again"
        )
    return folder
