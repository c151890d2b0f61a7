"""``use = "audio/hub:NAME"``: sounds of a Hugging Face data set."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

import coview
from coview_audio.datasets.resample_cache import read_at


class HubSounds(coview.HubDataset):
    """Sounds of a Hugging Face data set: of the hub, or a local folder that the library reads.

    Where the data set has no split to test on, a seeded one is made, with no group on both sides, or stratified by
    class. Sounds are averaged over their channels and resampled once; the result is kept in
    ``$COVIEW_DATA/resampled`` (or in coview's cache folder). A sample's id is the split and row.

    Args:
        split: "train" or "test".
        config: Of data sets that have several.
        revision: Branch, tag or commit of the hub's repository; absent: its newest. Give one for results that can be
            repeated.
        folder: In the repository, if it holds several data sets in folders.
        sample_rate: Samples a second, in Hz, that sounds are resampled to; the modality's.
        audio: The column of the sounds; absent: the only one of that type.
        label: The column of the class; absent: the only one of that type, or "label". "" for none.
        group: The column of what must not be on both sides of a split that is made here: a speaker, a recording, a
            fold. Absent: none.
        train_split: The data set's name of the training split.
        test_split: Likewise; absent: the first that there is of test, validation, valid and dev, or a share of the
            training split.
        first: Stream only so many rows of each split, and leave the rest on the hub; absent: all.
        test_fraction: Share that is held out where there is no split to test on.
        split_seed: Seed of that split, on purpose not the run's.
    """

    modalities: tuple[str, ...] = ("audio",)

    def __init__(
        self,
        *,
        split: str = "train",
        config: str | None = None,
        revision: str | None = None,
        folder: str | None = None,
        sample_rate: Annotated[int, Ge(1000), Le(192000)] = 16000,
        audio: str | None = None,
        label: str | None = None,
        group: str | None = None,
        train_split: str = "train",
        test_split: str | None = None,
        first: Annotated[int, Gt(0)] | None = None,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        super().__init__(
            coview.HubRows(
                self.path,
                split=split,
                config=config,
                revision=revision,
                folder=folder,
                train_split=train_split,
                test_split=test_split,
                label=label,
                group=group,
                first=first,
                test_fraction=test_fraction,
                split_seed=split_seed,
            )
        )
        self.sample_rate = sample_rate
        self._audio = self.rows.only("Audio", "sounds", "audio") if audio is None else self.rows.check(audio)

    def __getitem__(self, index: int, /) -> coview.Sample:
        row, name = self.rows[index], self.rows.id(index)
        file = self.rows.file(row, self._audio)
        if file is None:
            raise coview.SampleError(f"{self.path} {name}", "has no sound")
        return coview.Sample(
            {"audio": read_at(file, self.sample_rate, name=f"{self.path} {name}")},
            id=name,
            label=self.rows.label_of(row),
            group=self.rows.group_of(row),
        )


def hub_sounds(name: str) -> type[HubSounds]:
    """The factory of ``audio/hub:NAME``.

    Args:
        name: A hub id, such as ``ashraq/esc50``, or a folder.
    """
    return HubSounds.of(name)
