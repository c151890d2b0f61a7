"""``use = "streamed_parquet"``: Parquet files that are fetched one after the other, such as those of the hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt

from coview.data.modality import Modality
from coview.data.parquet_store import ParquetStore
from coview.data.streamed_shards import StreamedShards


class StreamedParquet(StreamedShards):
    """Pictures, texts, sounds, or several of them together, in Parquet files larger than memory and disk.

    The files are in a folder, or at an address that fsspec knows: ``hf://datasets/OWNER/NAME/data/train-*.parquet``,
    ``s3://``, ``https://``. Of each file only the columns are fetched that the recipe reads. Everything else is as for
    ``streamed_tars``: the order, the resume, the room on the disk. The footer of a file says how many rows it has.

    Pictures and sounds are columns of bytes, or of the types Image and Audio of the Hugging Face library. Each row
    needs a value of each modality. The id of a row is the name of its file with its number.

    Args:
        split: "train", or "test" or "validation" if they are given.
        modalities: What the samples have, by name.
        train: A folder of Parquet files, a pattern such as "hf://datasets/owner/name/data/train-*.parquet", or a file
            such as "https://host/sizes.json" that names the files.
        test: Those of the test split. Absent: there is none; name other data for evaluators.
        validation: Those of the validation split. Absent: there is none.
        columns: The column of each modality: ``{ image = "image", text = "caption" }``.
        read: How files are read, by modality: ``{ image = { decode_size = 256 } }``.
        label: The column of the class. Absent: there are no classes.
        classes: The names of the classes in order, or their number; with ``label``. Absent: those that the first file
            says, if its column has the type ClassLabel.
        group: The column that says which rows belong together in intervals, such as a speaker. Absent: none.
        longest_text: Characters of a text, at most. A row with a longer one cannot be read.
        shards_at_once: How many files a batch has rows of, at most. More of them shuffle better, and need more room.
        cache_gb: What is kept of fetched files on the disk, at most, in coview's cache folder. It changes nothing that
            is computed.
        options: For the file system of an address, such as ``{ anon = true }``. Give secrets by the environment.
    """

    named_by: ClassVar[str] = "columns"

    def __init__(
        self,
        *,
        split: str = "train",
        modalities: Mapping[str, Modality],
        train: Path,
        columns: dict[str, str],
        test: Path | None = None,
        validation: Path | None = None,
        read: dict[str, dict[str, Any]] | None = None,
        label: str | None = None,
        classes: Annotated[int, Ge(1)] | tuple[str, ...] | None = None,
        group: str | None = None,
        longest_text: Annotated[int, Ge(1)] = 100_000,
        shards_at_once: Annotated[int, Ge(1)] = 16,
        cache_gb: Annotated[float, Gt(0)] = 20.0,
        options: dict[str, Any] | None = None,
    ) -> None:
        places = self.columns_of(columns, modalities, label, group)
        super().__init__(
            split,
            {"train": train, "validation": validation, "test": test},
            ParquetStore(tuple(dict.fromkeys(places.values())), cache_gb, options),
            modalities=modalities,
            columns=places,
            read=read,
            classes=classes,
            longest_text=longest_text,
            shards_at_once=shards_at_once,
        )
