"""``use = "streamed_tars"``: tar files of WebDataset's layout that are fetched one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt

from coview.data.modality import Modality
from coview.data.shard_store import TarStore
from coview.data.streamed_shards import StreamedShards


class StreamedTars(StreamedShards):
    """Pictures, texts, sounds, or several of them together, in tar files larger than memory and disk.

    The files are in the layout of WebDataset: members with the same name are one sample, such as ``0007.jpg`` and
    ``0007.txt``. They are in a folder, or at an address that fsspec knows: ``https://``, ``s3://``,
    ``hf://datasets/…``. Shards that are needed next are fetched while others are read, and those that were used
    longest ago are removed, so that they never take more than ``cache_gb``.

    The order of an epoch is a function of the seed and of the numbers of samples of the shards: it is the same for any
    number of workers and ranks, each sample comes once, and a resume continues with the next one. The samples of a
    shard are shuffled, and each batch has samples of ``shards_at_once`` shards. A file ``sizes.json`` beside the
    shards says how many samples each has: ``{"0.tar": 1000, …}``. coview also reads what ``img2dataset`` writes beside
    local shards. Without either, each shard is read once, and its number is remembered.

    Each sample needs a value of each modality. A sample that lacks one cannot be read, and is counted as such. If a
    sample has several texts, only the first is used.

    Args:
        split: "train", or "test" or "validation" if they are given.
        modalities: What the samples have, by name.
        train: A folder of tar files, a pattern such as "https://host/train-{000..999}.tar" or "data/train-*.tar", or a
            file such as "s3://bucket/sizes.json" that names the shards.
        test: Those of the test split. Absent: there is none; name other data for evaluators.
        validation: Those of the validation split. Absent: there is none.
        members: The ending of each modality, without its dot: ``{ image = "jpg;png", text = "json:caption" }``.
            ``jpg;png`` is the first of these endings that a sample has. ``json:caption`` is a field of a JSON object.
        read: How files are read, by modality: ``{ image = { decode_size = 256 } }``.
        label: The member with the name or the number of the class, such as "cls" or "json:class". Absent: none.
        classes: The names of the classes in order, or their number; with ``label``.
        group: The member that says which samples belong together in intervals, such as "json:speaker". Absent: none.
        longest_text: Characters of a text, at most. A sample with a longer one cannot be read.
        shards_at_once: How many shards a batch has samples of, at most. More of them shuffle better, and need more
            room.
        cache_gb: What fetched shards take on the disk together, at most, in coview's cache folder. It changes nothing
            that is computed.
        options: For the file system of an address, such as ``{ anon = true }``. Give secrets by the environment.
    """

    named_by: ClassVar[str] = "members"
    has_fields: ClassVar[bool] = True

    def __init__(
        self,
        *,
        split: str = "train",
        modalities: Mapping[str, Modality],
        train: Path,
        members: dict[str, str],
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
        columns = self.columns_of(members, modalities, label, group)
        endings = dict.fromkeys(column.partition(":")[0] for column in columns.values())
        super().__init__(
            split,
            {"train": train, "validation": validation, "test": test},
            TarStore(tuple(endings), cache_gb, options),
            modalities=modalities,
            columns=columns,
            read=read,
            classes=classes,
            longest_text=longest_text,
            shards_at_once=shards_at_once,
        )
