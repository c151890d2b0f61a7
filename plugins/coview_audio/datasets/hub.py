"""``use = "audio/hub:NAME"``: sounds of a Hugging Face data set."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Gt, Le

import coview
from coview_audio.datasets.resample_cache import read_at
from coview_audio.levels import rate_notes, settled_full_scale


class HubSounds(coview.HubDataset):
    """Sounds of a Hugging Face data set: of the hub, or a local folder that the library reads.

    Where the data set has no split to test on, a seeded one is made, with no group on both sides, or stratified by
    class. Sounds are averaged over their channels and resampled once; the result is kept in
    ``$COVIEW_DATA/resampled`` (or in coview's cache folder). A sample's id is the split and row.

    Args:
        sample_rate: Samples a second, in Hz, that sounds are resampled to; the modality's.
        audio: The column of the sounds; absent: the only one of that type.
        full_scale: What samples of floats are divided by. Absent: 1, and sounds that are far louder are refused.
    """

    modalities: tuple[str, ...] = ("audio",)

    def __init__(
        self,
        *,
        sample_rate: Annotated[int, Ge(1000), Le(192000)] = 16000,
        audio: str | None = None,
        full_scale: Annotated[float, Gt(0)] | None = None,
        **rows: Any,
    ) -> None:
        super().__init__(**rows)
        self.sample_rate = sample_rate
        self._audio = self.rows.only("Audio", "sounds", "audio") if audio is None else self.rows.check(audio)
        examples = [file for _, file in self.rows.files(self._audio)]
        scale, said = settled_full_scale(examples, full_scale)
        if full_scale is None and scale != 1:  # each split has its own examples, and all have to have one scale
            raise coview.CoviewError(
                f'"{self.path}": float samples are as large as integers, but the full scale of floats is 1',
                hint=f"give full_scale = {scale:.0f}, or full_scale = 1 to take them as they are",
            )
        self._full_scale = scale
        self.notes = (*self.notes, *said, *rate_notes(examples, sample_rate))

    def __getitem__(self, index: int, /) -> coview.Sample:
        row, name = self.rows[index], self.rows.id(index)
        file = self.rows.file(row, self._audio)
        if file is None:
            raise coview.SampleError(f"{self.path} {name}", "has no sound")
        return coview.Sample(
            {"audio": read_at(file, self.sample_rate, name=f"{self.path} {name}", full_scale=self._full_scale)},
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
