"""Recordings of which two things are known: one is the class, and the other does not cross the split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

import coview
from coview_audio.datasets.resample_cache import read_at


@dataclass(frozen=True)
class Recording:
    """One file.

    Attributes:
        path: Below the data's folder, with ``/``; the sample's id.
        label: The name of its class.
        group: What must not be on both sides.
    """

    path: str
    label: str
    group: str


class Recordings:
    """What such data sets have in common.

    Args:
        root: The folder.
        recordings: All that there are, in their order.
        wanted: What messages say is missing where no class is large enough.
        split: "train" or "test".
        sample_rate: Samples a second, in Hz, that sounds are resampled to.
        smallest_class: Classes of fewer recordings are left out.
        test_fraction: Share held out.
        split_seed: Seed of the split.

    Raises:
        CoviewError: If no class is large enough.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    modalities: tuple[str, ...] = ("audio",)

    def __init__(
        self,
        root: Path,
        recordings: Sequence[Recording],
        wanted: str,
        *,
        split: str,
        sample_rate: int,
        smallest_class: int,
        test_fraction: float,
        split_seed: int,
    ) -> None:
        coview.check_split(split, self.splits)
        self.root, self.sample_rate = root, sample_rate
        counts = Counter(recording.label for recording in recordings)
        kept = [recording for recording in recordings if counts[recording.label] >= smallest_class]
        if not kept:
            raise coview.CoviewError(f"{root} has no {wanted}")
        classes, labels = np.unique([recording.label for recording in kept], return_inverse=True)
        self.classes: tuple[str, ...] | None = tuple(classes.tolist())
        groups = [recording.group for recording in kept]
        train, test = coview.seeded_split(
            len(kept), fraction=test_fraction, seed=split_seed, labels=labels, groups=groups
        )
        self.notes = coview.split_notes(
            train, test, fraction=test_fraction, labels=labels, classes=self.classes, groups=groups
        )
        chosen = train if split == "train" else test
        self._recordings, self.labels = [kept[i] for i in chosen], labels[chosen]
        self.groups = [recording.group for recording in self._recordings]

    def __len__(self) -> int:
        return len(self._recordings)

    def __getitem__(self, index: int, /) -> coview.Sample:
        return self.read_modalities(index, self.modalities)

    def read_modalities(self, index: int, modalities: Collection[str], /) -> coview.Sample:
        """As :class:`coview.ReadsModalities`."""
        recording = self._recordings[index]
        return coview.Sample(
            {"audio": read_at(self.root / recording.path, self.sample_rate)} if "audio" in modalities else {},
            id=recording.path,
            label=int(self.labels[index]),
            group=recording.group,
        )
